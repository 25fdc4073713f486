"""Carries payloads to the app, over Socket Mode or signed HTTP, with Slack's deadlines and retries."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bot.playground.state import Json

RETRY_DELAYS = (0.0, 60.0, 300.0)


@dataclass
class Delivery:
    """One payload on its way. `wait()` blocks until the app acknowledged it or all attempts failed."""

    kind: str
    payload: Json
    accepts_response: bool = False
    on_ack: Callable[[Json], None] | None = None
    on_failure: Callable[[str], None] | None = None
    envelope_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent_at: list[float] = field(default_factory=list)
    acked_at: float | None = None
    acks: int = 0
    response: Json = field(default_factory=dict)
    failure: str | None = None
    finished: threading.Event = field(default_factory=threading.Event)
    ack_event: asyncio.Event = field(default_factory=asyncio.Event)

    def wait(self, timeout: float = 5.0) -> bool:
        self.finished.wait(timeout)
        return self.acked_at is not None

    @property
    def took(self) -> float | None:
        return None if self.acked_at is None or not self.sent_at else self.acked_at - self.sent_at[0]


class Transport(Protocol):
    async def attempt(self, delivery: Delivery, number: int, reason: str, limit: float) -> str:
        """Empty when acknowledged, else Slack's retry reason."""


class Courier:
    def __init__(self, transport: Callable[[], Transport]) -> None:
        self.transport = transport
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ack_seconds, self.retry_scale = 3.0, 1.0
        self.deliver_times = 1
        self.deliveries: list[Delivery] = []
        self._held: list[Delivery] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, delivery: Delivery) -> Delivery:
        self.deliveries.append(delivery)
        if delivery.kind == "events_api" and self._held is not None:
            self._held.append(delivery)
            return delivery
        copies = self.deliver_times if delivery.kind == "events_api" else 1
        for _ in range(copies):
            self._start(delivery)
        return delivery

    def hold(self) -> None:
        self._held = []

    def release(self, reverse: bool = False) -> list[Delivery]:
        held, self._held = self._held or [], None
        for delivery in reversed(held) if reverse else held:
            for _ in range(self.deliver_times):
                self._start(delivery)
        return held

    def _start(self, delivery: Delivery) -> None:
        if self.loop is None:
            raise RuntimeError("the local Slack is not running: start it before acting as a user")
        self.loop.call_soon_threadsafe(self._spawn, delivery)

    def _spawn(self, delivery: Delivery) -> None:
        task = asyncio.ensure_future(self._run(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, delivery: Delivery) -> None:
        transport, reason = self.transport(), ""
        # Slack retries events only: a person is waiting for the rest and is shown an error instead.
        delays = (0.0, *RETRY_DELAYS) if delivery.kind == "events_api" else (0.0,)
        for number, delay in enumerate(delays):
            await asyncio.sleep(delay * self.retry_scale)
            reason = await transport.attempt(delivery, number, reason, self.ack_seconds)
            if reason in ("", "no_retry"):
                break
        self._finish(delivery, reason)

    def _finish(self, delivery: Delivery, reason: str) -> None:
        if delivery.finished.is_set():
            return
        if delivery.acked_at is None:
            delivery.failure = reason
            if delivery.on_failure:
                delivery.on_failure("operation_timeout" if "timeout" in reason else "dispatch_failed")
        delivery.finished.set()

    def acknowledge(self, delivery: Delivery, response: Json) -> None:
        delivery.acks += 1
        if delivery.acked_at is None and delivery.failure is None:
            delivery.acked_at, delivery.response = time.monotonic(), response
            if delivery.on_ack:
                delivery.on_ack(response)
        delivery.ack_event.set()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
