"""`/carry/{link}` shows a new credential once to the person who carries it into the pipeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response

from bot.checks.target import target_for
from bot.engine import receive
from bot.repairs import links
from bot.repairs.form import Form
from bot.repairs.rotation.blast import may_rotate, owning_group
from bot.settings import Settings
from bot.store import Store
from bot.web import guard
from bot.web.pages import LinkPages, View
from bot.web.sign_in import SignIn
from flows.core.effects import Event


class CarryPages(LinkPages):
    """Shown by a button, not by looking at the address: what looks at links ahead of people sees nothing."""

    kind, path, first = "carry", "/carry/{link}", "carry_begin"

    def __init__(self, store: Store, settings: Callable[[], Settings], sign_in: SignIn | None = None) -> None:
        super().__init__(store, settings, sign_in)
        self.deeds["show"] = self._show

    def _usable(self, link: Any, body: dict[str, Any] | None) -> bool:
        """Also when the case is closed: the old credential may live longer than it."""
        fresh = link is not None and link.kind == self.kind and link.expires_at > time.time()
        same = fresh and body is not None and (body["team"], body["connection"]) == (link.team, link.connection)
        if not same or link.state == "closed":
            return False
        # Whether they are in the group was asked when the link was made for them, minutes ago.
        group = owning_group(self.settings(), link.connection)
        return may_rotate(self.settings(), link.connection, link.person, (group,) if group else ())

    async def middle(self, request: Request, link: Any, form: Form, view: View) -> Response:
        return guard.answer("carry_ready", view)

    def done(self, view: View, form: Form) -> Response:
        return guard.answer("carry_done", view)

    async def _show(self, request: Request, link: Any, form: Form, typed: dict[str, str]) -> Response | None:
        values = await asyncio.to_thread(self._values, form, link.team)  # first: shown once is not shown in vain
        async with self.store.transaction() as connection:
            if not await links.move(connection, link.id, ("confirmed",), "done"):
                return None
            event = Event("shown", f"shown:{link.id[:16]}", time.time(), link.person, data={"id": link.id[:12]})
            await receive(self.store, connection, link.case_id, event)
        return guard.answer("carry_shown", {**self._view(form), "values": values})

    def _values(self, form: Form, team: str) -> list[tuple[str, Any]]:
        """What is in force, by the labels of its fields. Marked as it is: everything else on a page is searched for
        what looks like a secret."""
        known = form.known
        secrets = target_for(form.settings, form.name, team).secrets
        names = known.rotation.replaces if known.rotation else ()
        return [(f.label, escape(known.secret(secrets, f.name))) for f in known.fields if f.name in names]
