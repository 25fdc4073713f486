"""What other programs tell us: a pipeline that a sync failed, a desk that a ticket was answered or solved.

Only labels, names and what a text means go on from here; the text itself is not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.engine import new_case_id, receive
from bot.settings import Settings, SettingsError, resolve
from bot.settings_parts import Hook, is_group, is_person
from bot.slack.commands import connection_of, of_connection
from bot.slack.home import OPEN
from bot.store import Store
from bot.views import in_order, reported_as, said_of
from bot.web.body import body_of
from bot.web.guard import Limiter, caller
from bot.web.news import reader
from bot.web.signed import by_fivetran, by_token
from flows.core.effects import Event
from flows.core.explain import explain
from flows.core.notice import read

log = logging.getLogger("mend.hooks")
# An alert with a whole stack trace is well below; a log does not come this way.
LARGEST = 256 * 1024
PER_MINUTE = 120
# Seconds: a reference to a vault may lead to another machine, which no stranger's call should ask each time.
READ_AGAIN = 2.0


class Refused(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Hooks:
    """`team` gives the workspace that Mend is signed in to, for hooks that name none."""

    def __init__(self, store: Store, settings: Callable[[], Settings], team: Callable[[], str]) -> None:
        self.store, self.settings, self.team = store, settings, team
        # Apart: behind one proxy strangers and the pipeline may be one caller, and must not cost each other's calls.
        self.known, self.strangers = Limiter(PER_MINUTE), Limiter(PER_MINUTE)
        self.read: dict[str, tuple[str, float]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/hooks/alert", self._told(self.alert), methods=["POST"]),
            Route("/hooks/desk/{kind}", self._told(self.desk), methods=["POST"]),
        ]

    def _told(self, hear: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                return JSONResponse({"status": await hear(request)})
            except Refused as refused:
                return JSONResponse({"error": refused.said}, refused.status)
            except SettingsError as error:  # a reference that leads nowhere: ours to mend, not the caller's to read
                log.error("a hook cannot be used: %s", error)
                return JSONResponse({"error": "not set up"}, 503)

        return answer

    async def _body(self, request: Request, hook: Hook | None, proofs: tuple[Callable[..., bool], ...]) -> bytes:
        """The body of a caller who knows the secret; nobody learns whether the hook is set up at all."""
        body = await body_of(request, LARGEST)
        if body is None:
            raise Refused(413, f"more than {LARGEST // 1024} kB")
        secret = await self._secret(hook.secret) if hook else ""
        proven = bool(secret) and any(proof(request, body, secret) for proof in proofs)
        if not (self.known if proven else self.strangers).take(caller(request)):
            raise Refused(429, "too many calls")
        if not proven:
            raise Refused(401, "not signed with this hook's secret")
        return body

    async def _secret(self, reference: str) -> str:
        value, at = self.read.get(reference, ("", float("-inf")))
        if time.monotonic() > at + READ_AGAIN or not reference.strip().startswith("${vault:"):
            value = await asyncio.to_thread(resolve, reference, os.environ, self.settings().folder)
            self.read = {**self.read, reference: (value, time.monotonic())}
        return value

    # A pipeline ----------------------------------------------------------

    async def alert(self, request: Request) -> str:
        """A failed sync becomes a case in the hook's channel, or a word in the one that is open."""
        hook = self.settings().hooks.alert
        body = await self._body(request, hook, (by_fivetran, by_token))
        text = body.decode("utf-8", "replace")
        notice = read(text)
        if notice.went_well or not text.strip():
            return "nothing failed"
        found = await asyncio.to_thread(explain, text)
        settings = self.settings()
        name = connection_of(found, text, settings)
        unclear = found.confidence == "unclear"
        if unclear and not (name or notice.job):  # a text that tells of nothing
            return "nothing that Mend knows"
        said = await asyncio.to_thread(said_of, found, settings, name)
        job = notice.job or hashlib.sha256(body).hexdigest()
        alert = {"summary": said, "job": notice.job, "sure": found.confidence}
        reported = "" if unclear else reported_as(found, said)
        return await self._open(hook, f"alert:{name or found.connection}:{job}", name, alert, reported)

    async def _open(self, hook: Hook | None, key: str, name: str, alert: dict[str, str], reported: str) -> str:
        settings, team = self.settings(), (hook.team if hook else "") or self.team()
        channel = hook.channel if hook else ""
        if not team or not channel:
            raise SettingsError("hooks.alert needs channel, and team where Mend is in several workspaces")
        owner = (settings.connections[name].owner or "") if name else ""
        data: dict[str, Any] = {"team": team, "channel": channel, "alert": alert, "reported": reported}
        data["choices"] = sorted(settings.connections)
        data |= of_connection(settings, name) if name else {}
        async with self.store.hot.transaction() as connection:
            there = ""
            if name:  # several jobs of one connection often fail at once
                there = await self.store.opening_by_alert(connection, team, channel, name)
                known = await self.store.open_case(connection, team, channel, name, OPEN)
                there = known.id if known else there
            else:
                data["choices"] = in_order(settings, await self.store.health(connection))
            kind, case_id = ("alerted", there) if there else ("opened", new_case_id())
            leader = owner if (is_person(owner) or is_group(owner)) and not there else ""
            if not await receive(self.store, connection, case_id, Event(kind, key, time.time(), leader, data=data)):
                return "known already"
        return "told in the open case" if there else "a case is opened"

    # A desk --------------------------------------------------------------

    async def desk(self, request: Request) -> str:
        """A ticket's news is told in its case's thread."""
        kind = request.path_params["kind"]
        desk = reader(kind)
        if desk is None:
            raise Refused(404, "no such desk")
        body = await self._body(request, self.settings().hooks.desk, desk.PROOFS)
        try:
            told = desk.read(json.loads(body), request.headers)
        except (ValueError, RecursionError):
            told = None
        if told is None:
            return "nothing to tell"
        case = told.case or await asyncio.to_thread(self._case_of, kind, told.ticket)
        key = f"desk:{told.key or hashlib.sha256(body).hexdigest()}"
        async with self.store.hot.transaction() as connection:
            row = await self.store.load(connection, case) if case else None
            # Who has overheard a call could send it again under another number where that is not signed.
            if told.proof and not await self.store.first_time(connection, f"desk:{told.proof}"):
                return "known already"
            if row is None or (told.page and told.page != ((row.get("ticket") or {}).get("url") or told.page)):
                return "no case of ours"
            data = {"team": row["team"], "news": told.words}
            new = await receive(self.store, connection, case, Event("desk_news", key, time.time(), data=data))
        return "told in the case" if new else "known already"

    def _case_of(self, kind: str, ticket: str) -> str:
        """What the desk says where the call does not. A desk that cannot be asked now tells it once more later."""
        from bot.desks.base import DeskError
        from bot.desks.registry import desk_for

        settings = self.settings()
        if settings.desk is None or settings.desk.kind != kind:
            return ""
        try:
            return str(getattr(desk_for(settings.desk, settings.folder), "case_of", str)(ticket))
        except DeskError as error:
            log.warning("whose ticket %s is cannot be asked: %s", ticket[:40], error)
            raise Refused(503, "the desk cannot be asked") from None
