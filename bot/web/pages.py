"""Pages behind a one-time link: whose it is, in which browser, and where it stands."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.repairs import links
from bot.repairs.form import Form, form_of, is_long
from bot.repairs.trial import steps_of
from bot.settings import Settings
from bot.store import Store
from bot.vault import opened
from bot.views import connection_view
from bot.web import guard
from bot.web.guard import guarded
from bot.web.sign_in import SignIn
from flows.core.case import CLOSED
from flows.core.effects import whisper
from messages.page import said

View = dict[str, Any]
Deed = Callable[[Request, Any, Form, dict[str, str]], Awaitable[Response | None]]


class LinkPages(ABC):
    """One page, whose content follows the state of its link. A kind of page says what it shows and does in the middle.

    `kind` is that of its links, `first` the template before it is begun, `after_no` the outcome when a person refuses.
    """

    kind = path = first = ""
    after_no: dict[str, Any] | None = None

    def __init__(self, store: Store, settings: Callable[[], Settings], sign_in: SignIn | None = None) -> None:
        self.store, self.settings = store, settings
        self.sign_in = sign_in or SignIn(store, None)
        self.gets, self.posts = guard.Limiter(240), guard.Limiter(90)
        self.deeds: dict[str, Deed] = {"begin": self._begin, "accept": self._accept, "reject": self._reject}
        self.deeds["sign_in"] = self._sign_in

    def routes(self) -> list[Route]:
        return [Route(self.path, guarded(self.show)), Route(self.path, guarded(self.take), methods=["POST"])]

    @abstractmethod
    async def middle(self, request: Request, link: Any, form: Form, view: View) -> Response:
        """The page of a link that is confirmed, failed, or peculiar to this kind."""

    def done(self, view: View, form: Form) -> Response:
        return guard.answer("done", {**view, "refs": form.outdated()})

    def differs(self, view: View, outcome: View) -> Response:
        return guard.answer("differs", {**view, "difference": outcome["difference"]})

    async def show(self, request: Request) -> Response:
        if not self.gets.take(guard.caller(request)):
            raise guard.Refused(429)
        link, form = await self._found(request)
        if link.state == "issued":
            session = guard.session_of(request) or secrets.token_urlsafe(32)
            told = {"csrf": guard.csrf(session, link.id), "sign_in": self.sign_in.offered}
            told["came"] = request.query_params.get("sign_in", "")
            response = guard.answer(self.first, {**self._view(form), **told})
            guard.set_session(response, session)
            return response
        self._only_its_browser(request, link)
        view = {**self._view(form), "csrf": guard.csrf(guard.session_of(request), link.id)}
        if link.state == "opened":
            return guard.answer("wait", {**view, "code": link.code}, again=request.url.path)
        if link.state in ("trying", "keeping"):
            steps = (link.outcome or {}).get("checks") or steps_of(form, {})
            shown = {**view, "steps": steps if link.state == "trying" else []}
            return guard.answer("trying", shown, again=request.url.path)
        outcome = link.outcome or {}
        view["said"] = said(outcome.get("finding"), view["connection"])
        if link.state == "differs":
            return self.differs(view, outcome)
        if link.state == "done":
            return self.done(view, form)
        return await self.middle(request, link, form, view)

    async def take(self, request: Request) -> Response:
        """One of the page's buttons."""
        if not self.posts.take(guard.caller(request)):
            raise guard.Refused(429)
        link, form = await self._found(request)
        typed = await guard.form(request, link.id)
        if link.state != "issued":
            self._only_its_browser(request, link)
        deed = self.deeds.get(typed.pop("do", ""))
        if deed is None:
            raise guard.Refused(400)
        return await deed(request, link, form, typed) or guard.onward(request.url.path)

    # The buttons -------------------------------------------------------------------------------------------------

    async def _begin(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> None:
        """Bind the link to this browser and ask the person in Slack."""
        async with self.store.transaction() as connection:
            code = await links.begin(connection, link.id, guard.session_of(request))
            body = await self.store.load(connection, link.case_id)
            if code and body:
                buttons = ("mend_it_was_me", "mend_not_me")
                said = whisper(link.person, "page_opened", buttons=buttons, code=code).args
                args = {**said, "direct": bool(link.asked_by)}
                job = {"name": "whisper", "args": args, "key": f"{link.id[:16]}.opened", "snapshot": body}
                await self.store.defer(connection, "perform", f"say:{link.case_id}", **job)
                await self.told(connection, link)

    async def _sign_in(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> Response:
        return await self.sign_in.leave(request, link)

    async def told(self, connection: AsyncConnection, link: Any) -> None:
        """Who asked somebody else sees in the thread how far it is."""
        if link.asked_by:
            await self.store.defer(connection, "mirror", f"say:{link.case_id}", link=link.id)

    async def _accept(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> None:
        async with self.store.transaction() as connection:
            if await links.move(connection, link.id, ("differs",), "keeping"):
                await self.store.defer(connection, "keep_credentials", f"page:{link.id[:16]}", link=link.id)

    async def _reject(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> None:
        async with self.store.transaction() as connection:
            again = await links.move(connection, link.id, ("differs",), "confirmed", outcome=self.after_no)
        if again:
            await asyncio.to_thread(lambda: opened().forget(batch=link.batch))

    # Who and what ------------------------------------------------------------------------------------------------

    async def _found(self, request: Request) -> tuple[Any, Form]:
        """The link and its form; every kind of link that does not work looks the same from outside."""
        async with self.store.transaction() as connection:
            link = await links.find(connection, links.hashed(request.path_params["link"]))
            body = await self.store.load(connection, link.case_id) if link else None
        if not self._usable(link, body):
            raise guard.Refused(410, "gone")
        form = form_of(self.settings(), link.connection)
        if form is None:
            raise guard.Refused(410, "gone")
        return link, form

    async def path_back(self, connection: AsyncConnection, request: Request, link: Any) -> str:
        """The page that this browser left to sign in somewhere. Raises Refused for another browser or a dead link."""
        self._only_its_browser(request, link)
        token = guard.way_back(request, link.id)
        body = await self.store.load(connection, link.case_id)
        if not guard.same(links.hashed(token), link.id) or not self._usable(link, body):
            raise guard.Refused(410, "gone")
        return self.path.replace("{link}", token)

    def _usable(self, link: Any, body: dict[str, Any] | None) -> bool:
        """Neither ended nor late, and its case still open."""
        fresh = link is not None and link.kind == self.kind and link.expires_at > time.time()
        if not fresh or link.state == "closed" or body is None:
            return False
        same_case = body["team"] == link.team and body["connection"] == link.connection
        return same_case and (link.state == "done" or body["state"] not in CLOSED)

    def _only_its_browser(self, request: Request, link: Any) -> None:
        if not guard.same(link.session, links.hashed(guard.session_of(request))):
            raise guard.Refused(410, "gone")

    def _view(self, form: Form) -> dict[str, Any]:
        return {
            "connection": connection_view(form.settings, form.name),
            "fields": form.fields,
            "fixed": form.fixed(),
            "shown": form.shown(),
            "required": [f.name for f in form.fields if form.wanted(f)],
            "long": [f.name for f in form.fields if is_long(f)],
            "shared": form.shared_with(),
        }
