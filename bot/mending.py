"""The hands for repairs: links to pages, trying new credentials, keeping them once they are proven."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.checks.run import Seen
from bot.checks.target import target_for
from bot.checks.text import retold
from bot.engine import receive
from bot.platforms.base import Keeper, PlatformError
from bot.platforms.deliver import lives_there, place_of
from bot.repairs import links
from bot.repairs.form import Form, form_of
from bot.repairs.trial import steps_of, try_out
from bot.settings import Settings, public_url
from bot.slack.voice import Voice
from bot.store import Store
from bot.threads import Threads
from bot.vault import opened
from flows.core.case import CLOSED, Case
from flows.core.effects import Event
from flows.core.finding import Finding

PATHS = {"update_credentials": "credentials", "reauthorize": "oauth/start", "carry": "carry"}
# Seconds that a check may be held up by telling how far it is.
PROGRESS = 2.0
# The vault keeps what is not proven for an hour. Without it what was there before would be tried and called new.
TOO_LATE: dict[str, Any] = {
    "state": "failed",
    "finding": Finding(
        "verify_credentials", "credentials_accepted", "unclear",
        evidence="what was typed waited for more than an hour and was thrown away: type it again",
    ).to_dict(),
}  # fmt: skip


class Mending:
    """Performs `send_link` and `confirm_link`, and the jobs that the pages leave."""

    def __init__(self, store: Store, voice: Voice, settings: Callable[[], Settings], pool: Threads) -> None:
        self.store, self.voice, self.settings, self.pool = store, voice, settings, pool

    async def send_link(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """A fresh link for one person alone. Its token is made here, so that no job holds it."""
        route, user, asked_by = args["route"], args["user"], args.get("asked_by", "")
        if asked_by and not await self.may_be_asked(case.team, user):
            said = {"user": asked_by, "template": "hand_over_refused", "buttons": [], "params": {"by": user}}
            return await self.voice.whisper(case, said, key)
        async with self.store.transaction() as connection:
            token, replaced = await links.issue(
                connection, route, team=case.team, case_id=case.id, name=case.connection, person=user, asked_by=asked_by
            )
        url = f"{public_url(os.environ)}/{PATHS[route]}/{token}"
        template = "page_asked" if asked_by else "page_link"
        said = {
            "user": user,
            "template": template,
            "buttons": [],
            "params": {"by": asked_by, "kind": route},
            "url": url,
        }
        await self.voice.whisper(case, {**said, "direct": bool(asked_by)}, key)
        for link in (*replaced, links.hashed(token)):
            await self.mirror(link)

    async def may_be_asked(self, team: str, user: str) -> bool:
        """A full member of this workspace, and no program."""
        known = await self.voice.sender.user(team, user)
        outside = known.get("is_bot") or known.get("deleted") or (known.get("team_id") or team) != team
        return not outside and not await self.voice.sender.is_guest(team, user)

    async def mirror(self, link_id: str) -> None:
        """How far somebody who was asked has come, in the thread, in one message that is edited."""
        async with self.store.transaction() as connection:
            link = await links.find(connection, link_id)
            body = await self.store.load(connection, link.case_id) if link and link.asked_by else None
        if body:
            outcome = link.outcome or {}
            params = {"by": link.person, "stage": link.state, "problem": outcome.get("problem") or ""}
            await self.voice.live(Case.from_dict(body), "handed_over", params, f"{link.case_id}.link{link_id[:12]}")

    async def confirm_link(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """Done and told in one: who was not told, as Slack had no time, would hear next that there is nothing."""
        lane = f"say:{case.id}"
        async with self.store.transaction() as connection:
            found = await links.confirm(connection, case.id, args["user"], yes=args["yes"])
            template = "page_none" if not found else "page_confirmed" if args["yes"] else "page_closed"
            said = {"user": args["user"], "template": template, "buttons": [], "params": {}}
            said["direct"] = any(link.asked_by for link in found)
            job = {"name": "whisper", "args": said, "key": f"{key}.said", "snapshot": case.to_dict()}
            await self.store.defer(connection, "perform", lane, **job)
            for link in found:
                if link.asked_by:
                    await self.store.defer(connection, "mirror", lane, link=link.id)

    async def forget_kept(self, case: Case, args: Mapping[str, Any], key: str) -> None:
        """What was given to Mend is put aside for a while, and what mend.yml names is tried."""
        await self.pool.run(lambda: opened().set_aside(case.connection, case.team, self.settings().vault))
        data = {"team": case.team, "answer": "mend_check_again"}
        async with self.store.transaction() as connection:
            event = Event("answered", f"forgotten:{key}", time.time(), args["by"], data=data)
            await receive(self.store, connection, case.id, event)

    async def try_credentials(self, link_id: str) -> None:
        """What was typed on the page is tried; when it is good and surely the same account, it is kept."""
        async with self.store.transaction() as connection:
            link = await links.find(connection, link_id)
            health = await self.store.health(connection)
        form = form_of(self.settings(), link.connection) if link and link.state == "trying" else None
        if form is None:
            return
        known = health[link.connection].account if link.connection in health else ""
        seen = self.watching(form, link)
        await self.settle(form, link, await self.pool.run(self._try, form, link, known or "", seen))

    async def settle(self, form: Form, link: Any, outcome: Mapping[str, Any]) -> None:
        """What a trial has shown: kept when good, else said on the page and told to the case."""
        if outcome["state"] == "good":
            return await self._keep(form, link, outcome)
        async with self.store.transaction() as connection:
            await self._told(connection, link, outcome)
        if outcome["state"] == "failed":
            await self.pool.run(lambda: opened().forget(batch=link.batch))
        await self.mirror(link.id)

    async def _told(self, connection: AsyncConnection, link: Any, outcome: Mapping[str, Any]) -> None:
        if await links.move(connection, link.id, (link.state,), outcome["state"], outcome=outcome):
            key = f"tried:{link.id[:16]}:{link.attempts}:{link.state}"
            await receive(self.store, connection, link.case_id, Event("tried", key, time.time(), link.person))

    async def keep_credentials(self, link_id: str) -> None:
        """The person has said that another account is right."""
        async with self.store.transaction() as connection:
            link = await links.find(connection, link_id)
        form = form_of(self.settings(), link.connection) if link and link.state == "keeping" else None
        if form is not None:
            await self._keep(form, link, link.outcome)

    def watching(self, form: Form, link: Any) -> Seen:
        """Called from the thread of the checks after each: the page shows how far they are."""
        loop, seen = asyncio.get_running_loop(), dict[str, str]()

        async def keep(steps: list[dict[str, str]]) -> None:
            async with self.store.transaction() as connection:
                await links.move(connection, link.id, ("trying",), "trying", outcome={"checks": steps})

        def note(finding: Finding) -> None:
            seen[finding.check] = finding.verdict
            # The next check waits for it, so that a later word is never overtaken by an earlier one.
            with suppress(Exception):
                asyncio.run_coroutine_threadsafe(keep(steps_of(form, seen)), loop).result(PROGRESS)

        return note

    def _try(self, form: Form, link: Any, known: str, seen: Seen) -> dict[str, Any]:
        values = _typed(form, link)
        return try_out(form, link.team, values, known, seen) if values else TOO_LATE

    async def _keep(self, form: Form, link: Any, outcome: Mapping[str, Any]) -> None:
        """First in use, then told: a crash between the two is mended by the job's next try.

        The link stays locked meanwhile: who says in Slack that it was not they comes before or after, not between.
        """
        known = await self.pool.run(_before, form)
        async with self.store.transaction() as connection:
            now = await links.find(connection, link.id, lock=True)
            body = await self.store.load(connection, link.case_id)
            if body is None or body["state"] in CLOSED:  # its page leads nowhere any more, so nobody would know of it
                await links.move(connection, link.id, ("trying", "keeping"), "closed")
                now = None
            if now is None or now.state not in ("trying", "keeping") or now.batch != link.batch:
                await self.pool.run(lambda: opened().forget(batch=link.batch))
                return
            there = await self.pool.run(opened().of_batch, link.batch)
            if not there:
                await self._told(connection, now, TOO_LATE)
            told = await self.pool.run(self._into_use, form, link, known) if there else {"sent": ""}
            if there and await links.move(connection, link.id, ("trying", "keeping"), "done", outcome=outcome):
                await self.store.note_health(connection, form.name, "good", None, outcome.get("account") or None)
                event = Event("saved", f"saved:{link.id[:16]}", time.time(), link.person, data=told)
                await receive(self.store, connection, link.case_id, event)
        if told["sent"] and lives_there(self.settings(), form.name):
            await self.pool.run(lambda: opened().forget(batch=link.batch))
        await self.mirror(link.id)

    def _into_use(self, form: Form, link: Any, known: Mapping[str, str]) -> dict[str, str]:
        """Here or with the platform. What Mend was granted itself it keeps: the platform has a grant of its own."""
        told = {"sent": "", "problem": ""} if link.kind == "reauthorize" else self._hand_on(form, link)
        if not (told["sent"] and lives_there(self.settings(), form.name)):
            opened().promote(link.batch, known, self.settings().vault)
        return told

    def _hand_on(self, form: Form, link: Any) -> dict[str, str]:
        """To the platform, where one takes it: its name, or why it did not."""
        try:
            place = place_of(self.settings(), form.name)
            if place is None:
                return {"sent": "", "problem": ""}
            seen = place.send(_typed(form, link))
        except PlatformError as error:
            return {"sent": "", "problem": str(error)}
        if seen is None:
            looked = "itself" if isinstance(place.platform, Keeper) else "job"
            return {"sent": place.platform.name, "problem": "", "looked": looked}
        target = target_for(self.settings(), form.name, link.team, trial=_typed(form, link))
        said = retold(target, seen.said)
        return {"sent": place.platform.name, "problem": "", "looked": seen.state, "said": said}


def _before(form: Form) -> dict[str, str]:
    """What mend.yml gave until now, by the names that the vault may hold it under. Other stores may take their time."""
    fields = [*(f.name for f in form.fields), *(form.known.oauth.sets if form.known.oauth else ())]
    given = {field: form.before(field) for field in fields}
    return {name: value for field, value in given.items() if value is not None for name in form.names(field)}


def _typed(form: Form, link: Any) -> dict[str, str]:
    """What was typed on the page, by the form's fields."""
    kept = opened().of_batch(link.batch)
    return {f.name: kept[form.stored_as(f.name)] for f in form.fields if form.stored_as(f.name) in kept}
