"""SIGKILL at random moments: is anything lost, stuck, out of order or done twice?

`python -m tests.contract.killing [kills] [cases]` walks cases while killing processes, prints the figures, and ends
with 1 when a promise is broken.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.playground.courier import Delivery
from bot.playground.state import Refused, User
from tests.contract.promises import Figures, judge
from tests.fakes.zendesk_desk import Zendesk, zendesk
from tests.servers import postgres
from tests.talk import Talk, World

# A person thinks, a supervisor starts again, a successor takes over: all the time there is for one step of a case.
STEP_SECONDS = 240.0


class Walker(threading.Thread):
    """One person with one case: from the broken connection to a ticket, by words or by buttons."""

    def __init__(self, world: World, number: int, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.world, self.buttons, self.chance = world, bool(number % 2), chance
        self.user = f"U0W{uuid.uuid4().hex[:8].upper()}"
        self.repeated, self.trouble = 0, ""
        world.slack.add_user(User(self.user, self.user.lower(), f"Walker {number}"))

    def run(self) -> None:
        try:
            self.walk()
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def walk(self) -> None:
        self.insist(lambda: self.world.slack.command("/mend warehouse", user=self.user), self.root)
        talk = Talk(self.world, "C0DATA", self.root(), self.user)
        for before, action, word, after in (
            ("regenerating_credentials", "mend_check_again", "why", "regenerating_credentials"),
            ("regenerating_credentials", "mend_escalate", "escalate", "escalating"),
            ("escalating", "mend_confirm_ticket", "yes", "escalated"),
        ):
            self.wait_for(lambda before=before: asks(talk, before))  # type: ignore[misc]
            time.sleep(self.chance.uniform(0, 1.5))
            heard = len(talk.states())
            answer = (lambda a=action: self.press(talk, a)) if self.buttons else (lambda w=word: self.say(talk, w))  # type: ignore[misc]
            self.insist(answer, lambda after=after, heard=heard: after in talk.states()[heard:])  # type: ignore[misc]

    def root(self) -> str:
        mine = (m for m in self.world.slack.messages("C0DATA") if self.user in str(m.get("text")) and m.get("metadata"))
        return next((str(m["ts"]) for m in mine if m.get("thread_ts", m["ts"]) == m["ts"]), "")

    def say(self, talk: Talk, word: str) -> Delivery | None:
        ts = self.world.slack.say(word, user=self.user, channel=talk.channel, thread_ts=talk.ts)
        sent = reversed(list(self.world.slack.deliveries))
        return next((d for d in sent if (d.payload.get("event") or {}).get("ts") == ts), None)

    def press(self, talk: Talk, action: str) -> Delivery | None:
        question = talk.question()
        try:
            return self.world.slack.press(action, question["ts"], user=self.user) if question else None
        except Refused:
            return None

    def insist(self, act: Callable[[], Delivery | None], done: Callable[[], Any]) -> None:
        """Do it once, and again only when Slack says that the app did not answer, as a person would."""
        end = time.monotonic() + STEP_SECONDS
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"nothing happened for {STEP_SECONDS:.0f} s")
            delivery = act()
            if delivery is None:  # there is nothing to press yet
                time.sleep(0.2)
                continue
            self.wait_for(lambda d=delivery: done() or d.failure is not None, end)  # type: ignore[misc]
            if not done():
                self.repeated += 1
                time.sleep(1.0)

    def wait_for(self, done: Callable[[], Any], end: float = 0.0) -> None:
        end = end or time.monotonic() + STEP_SECONDS
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"nothing happened for {STEP_SECONDS:.0f} s")
            time.sleep(0.1)


def asks(talk: Talk, state: str) -> bool:
    return (talk.question() or {}).get("metadata", {}).get("event_payload", {}).get("state") == state


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(p) for p in found.split()]


def kill_one(world: World, chance: random.Random) -> str:
    """The front, its worker, or both at once; a supervisor starts the front again at once."""
    victim = chance.choice([p for p in world.processes if p.poll() is None])
    what = chance.choice(("front", "worker", "both"))
    children = _children(victim.pid) if what != "front" else []
    for pid in ([victim.pid] if what != "worker" else []) + children:
        os.kill(pid, signal.SIGKILL)
    if what != "worker":
        victim.wait()
        world.serve(wait_for_it=False)
    return what


def run(
    database: str, folder: Path, desk: Zendesk, *, kills: int, cases: int, processes: int, embedded: bool = False,
    life: float = 6.0, seed: int = 7,
) -> Figures:  # fmt: skip
    """Walk `cases` cases while killing a process `kills` times, each after 0 to `life` seconds."""
    settings = {"kind": "zendesk", "base_url": desk.url, "email": "bot@acme.test", "token": "t0ken"}
    chance, began = random.Random(seed), time.monotonic()  # noqa: S311 - a repeatable test, no secret
    world = World(database, folder, desk=settings)
    world.slack.retry_scale = 0.2
    if embedded:
        world.env["MEND_DATABASE_URL"] = ""
    with world:
        for _ in range(processes - 1):
            world.serve()
        walkers = [Walker(world, number, random.Random(seed + number)) for number in range(cases)]  # noqa: S311
        waiting = list(walkers)
        killed = []
        for number in range(kills):
            while waiting and len(walkers) - len(waiting) <= number * cases / kills:
                waiting.pop(0).start()
            time.sleep(chance.uniform(0, life))
            killed.append(kill_one(world, chance))
        for walker in waiting:
            walker.start()
        for walker in walkers:
            walker.join()
        figures = judge(database, world, desk, {w.user: w.trouble for w in walkers})
    figures.counts.update(
        kills=len(killed), **{f"of the {what}": killed.count(what) for what in sorted(set(killed))},
        repeated=sum(w.repeated for w in walkers), seconds=int(time.monotonic() - began),
    )  # fmt: skip
    return figures


def main() -> int:
    kills, cases = (int(a) for a in [*sys.argv[1:], *("50", "20")[len(sys.argv) - 1 :]])
    broken = 0
    for processes in (1, 2):
        # Where Mend's own processes look for the embedded database: they share this one.
        with postgres("kill", data="postgres") as (url, folder), zendesk() as desk:
            os.environ.update(MEND_DATA_DIR=str(folder), MEND_DATABASE_URL="")
            found = run(url, folder, desk, kills=kills, cases=cases, processes=processes, embedded=processes == 1)
        print(f"{processes} process(es), {'embedded database' if processes == 1 else 'one PostgreSQL'}: {found}")
        broken += len(found.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
