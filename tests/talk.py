"""One helper that runs the real bot against the local Slack and walks cases as a person would.

Alice asks, Bob administers, Dana helps, Charlie belongs to another company, a guest may only read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
import yaml

from bot.cipher import make_key
from bot.database import sqlalchemy_url
from bot.playground import LocalSlack, run_local_slack
from bot.playground.blocks import problems
from bot.playground.demo import Demo
from bot.playground.state import BOT_USER
from tests.servers import free_port

ALICE, BOB, DANA, CHARLIE, GUEST = "U0ALICE", "U0BOB", "U0DANA", "U0CHARLIE", "U0GUEST"
ENDED = ("resolved", "cancelled", "expired", "escalated")


class World:
    """A local Slack, the demo sources, and `mend serve` as a process of its own; by signed HTTP with `http`.

    With `pipeline` the demo's Stitch runs the warehouse, with `demo_desk` tickets go to the demo's Zendesk.
    """

    def __init__(
        self, url: str, folder: Path, *, http: bool = False, pipeline: bool = False, demo_desk: bool = False,
        roles: str = "", **config: Any,
    ) -> None:  # fmt: skip
        self.url, self.folder, self.roles = url, folder, roles
        self.demo = Demo(url, folder)
        self.slack = LocalSlack()
        self.slack.retry_scale = 0.01
        self.server = run_local_slack("127.0.0.1", 0, self.slack)
        self.config, self.http, self.pipeline, self.demo_desk = config, http, pipeline, demo_desk
        self.env = {"MEND_SECRET_KEY": make_key()}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.log = folder / "mend.log"
        self.addresses: list[str] = []

    def __enter__(self) -> Self:
        self.demo.start()
        self.slack.actions = self.demo.actions()
        self.server.start()
        path = self.folder / "mend.yml"
        settings = {
            "connections": self.demo.connections(),
            "access": {"admins": [BOB]},
            "reminders": {"poll_seconds": 1},
        }
        there = {"platform": self.demo.platform()} if self.pipeline else {}
        there |= {"desk": self.demo.desk(), "hooks": self.demo.hooks()} if self.demo_desk else {}
        path.write_text(yaml.safe_dump({**settings, **there, **self.config}))
        self.serve()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.server.stop()
        self.demo.stop()
        assert kind or not (refused := unsound(self.slack)), refused[:3]

    def serve(self, *, wait_for_it: bool = True) -> subprocess.Popen[bytes]:
        way = {"SLACK_APP_TOKEN": self.slack.app_token}
        port = 0
        if self.http:
            way, port = {"SLACK_SIGNING_SECRET": self.slack.signing_secret}, free_port()
        env = {
            **os.environ, "SLACK_BOT_TOKEN": self.slack.bot_token, "SLACK_API_URL": self.slack.api_url, **way,
            "MEND_DATABASE_URL": self.url, "MEND_DATA_DIR": str(self.folder), **self.env,
        }  # fmt: skip
        before = self._ready()
        command = [
            sys.executable,
            "-m",
            "bot.cli",
            "serve",
            "--config",
            str(self.folder / "mend.yml"),
            "--port",
            str(port),
            *(["--roles", self.roles] if self.roles else []),
        ]
        process = subprocess.Popen(command, env=env, stderr=self.log.open("ab"), stdout=subprocess.DEVNULL)
        self.processes.append(process)
        if not wait_for_it:
            return process
        wait(lambda: self._ready() > before or process.poll() is not None, 120)
        assert process.poll() is None, self.log.read_text()
        if self.http:
            self.addresses.append(f"http://127.0.0.1:{port}")
            self.slack.request_url = self.addresses[-1] + "/slack/events"
        return process

    def _ready(self) -> int:
        return self.log.read_text().count("Mend is ready") if self.log.exists() else 0

    def mend(self, connection: str) -> None:
        next(a for a in self.demo.actions() if a.connection == connection).mend()

    def break_again(self, connection: str) -> None:
        next(a for a in self.demo.actions() if a.connection == connection).break_again()

    def start(self, name: str, user: str = ALICE, channel: str = "C0DATA") -> Talk:
        before = {m["ts"] for m in self.slack.messages(channel)}
        self.slack.command(f"/mend {name}".strip(), user=user, channel=channel)

        def root() -> Any:
            new = [m for m in self.slack.messages(channel) if m["ts"] not in before and m.get("metadata")]
            heads = [m for m in new if m.get("thread_ts", m["ts"]) == m["ts"]]
            return heads[-1] if heads else None

        return Talk(self, channel, str(self.slack.wait_for(root, 60, "the root message")["ts"]), user)


class Talk:
    """One case's thread as its owner sees it."""

    def __init__(self, world: World, channel: str, ts: str, user: str) -> None:
        self.world, self.slack, self.channel, self.ts, self.user = world, world.slack, channel, ts, user

    @property
    def thread(self) -> list[dict[str, Any]]:
        return self.slack.thread(self.channel, self.ts)

    @property
    def texts(self) -> list[str]:
        return [str(m.get("text", "")) for m in self.thread]

    def states(self) -> list[str]:
        return [m["metadata"]["event_payload"]["state"] for m in self.thread if m.get("metadata")]

    def said(self, piece: str) -> dict[str, Any]:
        """Wait for a message in this thread that holds `piece`."""
        try:
            return dict(
                wait(lambda: next((m for m in self.thread if piece in m["text"] and m["user"] == BOT_USER), None))
            )
        except AssertionError:
            said = "\n---\n".join(self.texts)
            raise AssertionError(f"nobody said {piece!r}:\n{said}\n{self.world.log.read_text()[-3000:]}") from None

    def told(self, user: str, piece: str) -> dict[str, Any]:
        """Wait for what only `user` sees."""
        return dict(
            wait(lambda: next((m for m in self.slack.ephemerals(user, self.channel) if piece in m["text"]), None))
        )

    def question(self) -> dict[str, Any] | None:
        """The last message with live buttons."""
        asked = [m for m in self.thread if any(b["type"] == "actions" for b in m.get("blocks") or [])]
        return asked[-1] if asked else None

    def until(self, state: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until the newest word of the thread says `state`; the message that says it."""

        def said() -> Any:
            found = [
                m
                for m in self.thread[1:]
                if m.get("blocks")
                and m["blocks"][0]["type"] != "plan"
                and m.get("metadata", {}).get("event_payload", {}).get("state") == state
            ]
            settled = (
                state in ENDED
                or (self.question() or {}).get("metadata", {}).get("event_payload", {}).get("state") == state
            )
            return found[-1] if found and settled else None

        try:
            return dict(self.slack.wait_for(said, seconds, state))
        except Exception:
            raise AssertionError(
                f"no {state}; the thread says:\n" + "\n---\n".join(self.texts) + self.world.log.read_text()[-3000:]
            ) from None

    def press(self, action: str, user: str | None = None) -> None:
        question = self.question()
        assert question, "no question is open"
        self.slack.press(action, question["ts"], user=user or self.user, channel=self.channel)

    def choose(self, connection: str) -> None:
        """Pick a connection from the list of the question."""
        question = self.question()
        assert question, "no question is open"
        picker = next(e for b in question["blocks"] for e in b.get("elements", []) if "options" in e)
        value = next(o["value"] for o in picker["options"] if o["value"].endswith(f":{connection}"))
        self.slack.press("mend_choose", question["ts"], user=self.user, channel=self.channel, value=value)

    def say(self, words: str, user: str | None = None) -> None:
        self.slack.say(words, user=user or self.user, channel=self.channel, thread_ts=self.ts)


def unsound(slack: LocalSlack) -> list[str]:
    """What was sent though Slack would refuse it, or that a screen reader could not say."""
    found: list[str] = []
    for call in slack.calls:
        if call.method.startswith("chat.post") or call.method == "chat.update":
            found += problems(call.args, "message")
            if len(str(call.args.get("text") or "").strip()) < 10:
                found.append(f"{call.method} without words: {call.args.get('text')!r}")
        elif call.method == "views.publish":
            found += problems(call.args["view"], "home")
    return found


def wait(condition: Any, seconds: float = 60, every: float = 0.02) -> Any:
    """What the condition gives, once it is something; `every` so many seconds it is asked."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError("it did not happen")


def case_of(talk: Talk) -> str:
    return str(talk.thread[0]["metadata"]["event_payload"]["case"])


def rows(world: World, query: str, **params: Any) -> list[Any]:
    engine = sa.create_engine(sqlalchemy_url(world.url))
    with engine.begin() as connection:
        result = connection.execute(sa.text(query), params)
        found = list(result.all()) if result.returns_rows else []
    engine.dispose()
    return found
