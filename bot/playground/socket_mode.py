"""Socket Mode: tickets, hello, envelopes, acknowledgements, refresh."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import time
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.playground.courier import Courier, Delivery
from bot.playground.state import APP_ID, Json, Refused

MAX_CONNECTIONS = 10


class Connection:
    def __init__(self, ws: WebSocket) -> None:
        self.ws = ws
        self.closed = asyncio.Event()
        self.leaving = False
        self._sending = asyncio.Lock()

    async def send(self, body: Json) -> bool:
        try:
            async with self._sending:
                await self.ws.send_text(json.dumps(body))
        except Exception:
            self.closed.set()
            return False
        return True


class SocketMode:
    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self.connections: list[Connection] = []
        self._tickets: set[str] = set()
        self._waiting: dict[str, Delivery] = {}
        self._turn = itertools.count()

    def ticket(self) -> str:
        if len(self.connections) >= MAX_CONNECTIONS:
            raise Refused("too_many_websockets")
        ticket = secrets.token_urlsafe(18)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, ws: WebSocket) -> None:
        ticket = ws.query_params.get("ticket", "")
        if ticket not in self._tickets:
            await ws.close(4001)
            return
        self._tickets.discard(ticket)
        await ws.accept()
        connection = Connection(ws)
        self.connections.append(connection)
        try:
            await connection.send(self._hello())
            await self._listen(connection)
        finally:
            connection.closed.set()
            self.connections.remove(connection)

    def _hello(self) -> Json:
        info = {"host": "local-slack", "build_number": 1, "approximate_connection_time": 18060}
        return {"type": "hello", "num_connections": len(self.connections), "debug_info": info,
                "connection_info": {"app_id": APP_ID}}  # fmt: skip

    async def _listen(self, connection: Connection) -> None:
        while True:
            try:
                text = await connection.ws.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return
            with contextlib.suppress(ValueError):
                self._take_ack(json.loads(text))

    def _take_ack(self, body: Any) -> None:
        if not isinstance(body, dict):
            return
        delivery = self._waiting.get(str(body.get("envelope_id")))
        if delivery is not None:
            payload = body.get("payload")
            self.courier.acknowledge(delivery, payload if isinstance(payload, dict) else {})

    async def attempt(self, delivery: Delivery, number: int, reason: str, limit: float) -> str:
        deadline = time.monotonic() + limit
        self._waiting[delivery.envelope_id] = delivery
        envelope = _envelope(delivery, number, reason)
        while (left := deadline - time.monotonic()) > 0:
            connection = self._pick()
            if connection is None:
                return "connection_failed"
            delivery.sent_at.append(time.monotonic())
            if await connection.send(envelope):
                outcome = await _first(delivery.ack_event, connection.closed, left)
                if outcome != "closed":
                    return outcome
            # The connection went away with the envelope on it: any other one may get it.
        return "timeout"

    def _pick(self) -> Connection | None:
        usable = [c for c in self.connections if not c.leaving and not c.closed.is_set()]
        return usable[next(self._turn) % len(usable)] if usable else None

    async def disconnect(self, reason: str, grace: float) -> None:
        """Ask every connection to move; after `grace` seconds the old ones are cut."""
        leaving = list(self.connections)
        for connection in leaving:
            connection.leaving = reason != "warning"
            await connection.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "local-slack"}})
        if reason == "warning":
            return
        await asyncio.sleep(grace)
        for connection in leaving:
            if not connection.closed.is_set():
                connection.closed.set()
                with contextlib.suppress(Exception):
                    await connection.ws.close(1000)

    async def cut(self) -> None:
        for connection in list(self.connections):
            connection.closed.set()
            with contextlib.suppress(Exception):
                await connection.ws.close(1011)


def _envelope(delivery: Delivery, number: int, reason: str) -> Json:
    envelope: Json = {"envelope_id": delivery.envelope_id, "type": delivery.kind, "payload": delivery.payload,
                      "accepts_response_payload": delivery.accepts_response}  # fmt: skip
    if delivery.kind == "events_api":
        envelope.update(retry_attempt=number, retry_reason=reason)
    return envelope


async def _first(acked: asyncio.Event, closed: asyncio.Event, limit: float) -> str:
    waits = {asyncio.ensure_future(acked.wait()), asyncio.ensure_future(closed.wait())}
    try:
        await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if acked.is_set():
        return ""
    return "closed" if closed.is_set() else "timeout"
