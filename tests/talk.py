"""One helper that runs the real bot against the local Slack and walks cases as a person would.

Alice asks, Bob administers, Charlie is a bystander.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from bot.playground import LocalSlack, run_local_slack
from bot.playground.demo import Demo

ALICE, BOB, CHARLIE, GUEST = "U0ALICE", "U0BOB", "U0CHARLIE", "U0GUEST"
ENDED = ("resolved", "cancelled", "expired", "escalated")


class World:
    """A local Slack, the demo sources, and `mend serve` as a process of its own."""

    def __init__(self, url: str, folder: Path, **config: Any) -> None:
        self.url, self.folder = url, folder
        self.demo = Demo(url, folder)
        self.slack = LocalSlack()
        self.slack.retry_scale = 0.01
        self.server = run_local_slack("127.0.0.1", 0, self.slack)
        self.config = config
        self.processes: list[subprocess.Popen[bytes]] = []
        self.log = folder / "mend.log"
        self.typing = threading.Lock()
        self.begun: list[str] = []

    def __enter__(self) -> World:
        self.demo.start()
        self.server.start()
        path = self.folder / "mend.yml"
        settings = {
            "connections": self.demo.connections(),
            "access": {"admins": [BOB]},
            "reminders": {"poll_seconds": 1},
        }
        path.write_text(yaml.safe_dump({**settings, **self.config}))
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
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

    def serve(self) -> subprocess.Popen[bytes]:
        env = {
            **os.environ, "SLACK_BOT_TOKEN": self.slack.bot_token, "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url, "MEND_DATABASE_URL": self.url, "MEND_DATA_DIR": str(self.folder),
        }  # fmt: skip
        before = self._ready()
        command = [sys.executable, "-m", "bot.cli", "serve", "--config", str(self.folder / "mend.yml"), "--port", "0"]
        process = subprocess.Popen(command, env=env, stderr=self.log.open("ab"), stdout=subprocess.DEVNULL)
        self.processes.append(process)
        wait(lambda: self._ready() > before or process.poll() is not None, 30)
        assert process.poll() is None, self.log.read_text()
        return process

    def _ready(self) -> int:
        return self.log.read_text().count("Mend is ready") if self.log.exists() else 0

    def mend(self, connection: str) -> None:
        next(a for a in self.demo.actions() if a.connection == connection).mend()

    def start(self, name: str, user: str = ALICE, channel: str = "C0DATA") -> Talk:
        before = {m["ts"] for m in self.slack.messages(channel)}
        self.slack.command(f"/mend {name}".strip(), user=user, channel=channel)

        def root() -> Any:
            new = [m for m in self.slack.messages(channel) if m["ts"] not in before and m.get("metadata")]
            return new[-1] if new else None

        return Talk(self, channel, str(self.slack.wait_for(root, 30, "the root message")["ts"]), user)

    def start_patiently(self, name: str) -> Talk:
        """A person types the command again when Slack says that the app did not respond."""
        with self.typing:
            for _ in range(40):
                delivery = self.slack.command(f"/mend {name}")
                if delivery is not None and delivery.wait(4):
                    break
                time.sleep(0.5)
            before = set(self.begun)

            def root() -> Any:
                roots = [m for m in self.slack.messages("C0DATA") if m.get("metadata") and "thread_ts" not in m]
                roots += [
                    m for m in self.slack.messages("C0DATA") if m.get("metadata") and m.get("thread_ts") == m["ts"]
                ]
                return next((m["ts"] for m in roots if m["ts"] not in before), None)

            ts = str(self.slack.wait_for(root, 60, "the root message"))
            self.begun.append(ts)
        return Talk(self, "C0DATA", ts, ALICE)


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

    def question(self) -> dict[str, Any] | None:
        """The last message with live buttons."""
        asked = [m for m in self.thread if any(b["type"] == "actions" for b in m.get("blocks") or [])]
        return asked[-1] if asked else None

    def until(self, state: str, seconds: float = 40) -> dict[str, Any]:
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

    def until_patiently(self, state: str, words: str) -> None:
        """Say `words` and wait; say them again only when nothing happens for long, as a person would."""
        for _ in range(4):
            if any(s == state for s in self.states()[1:]):
                return
            self.say(words)
            try:
                self.until(state, 45)
                return
            except AssertionError:
                continue
        raise AssertionError(f"no {state}: {self.states()} {self.texts[-3:]}")

    def press(self, action: str, user: str | None = None) -> None:
        question = self.question()
        assert question, "no question is open"
        self.slack.press(action, question["ts"], user=user or self.user, channel=self.channel)

    def say(self, words: str, user: str | None = None) -> None:
        self.slack.say(words, user=user or self.user, channel=self.channel, thread_ts=self.ts)


def wait(condition: Any, seconds: float = 25) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")
