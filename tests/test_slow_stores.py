"""Secrets that lie elsewhere: who is slow holds nobody else up, who is gone is told of, and nothing old is taken."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from bot import mending
from bot.cipher import Cipher
from bot.effects import Hands
from bot.platforms import witness
from bot.platforms.base import Job
from bot.repairs import links
from bot.repairs.form import form_of
from bot.repairs.rotation import ledger
from bot.repairs.rotation.run import Run
from bot.settings import VAULTS, Settings, SettingsError
from bot.settings_parts import Hook
from bot.slack.sender import Later
from bot.store import Store
from bot.vault import Vault
from bot.web.carry import CarryPages
from bot.web.hooks import Hooks
from bot.web.oauth import OAuthPages
from flows.core.case import Case
from tests.test_meanwhile import events, run, shop, typed, vault

__all__ = ["vault"]
SLOW = "${vault:hashicorp/secret/shop#it}"
CASE = Case("c1", "T1", "C1", "U1", 1.0, state="confirming_recovery", connection="shop", connector="postgres")


@pytest.fixture
def slow() -> Iterator[Callable[[asyncio.AbstractEventLoop], list[bool]]]:
    """A store that answers once everybody else has had a turn; whether they had it."""

    def begin(loop: asyncio.AbstractEventLoop) -> list[bool]:
        had: list[bool] = []

        def read(_: str) -> str:
            turn = threading.Event()
            loop.call_soon_threadsafe(turn.set)
            had.append(turn.wait(1))
            return "it"

        VAULTS["hashicorp"] = read
        return had

    yield begin
    VAULTS.pop("hashicorp", None)


def test_keeping_what_was_typed_waits_for_a_slow_store_beside_everything_else(
    fresh: str, vault: Vault, slow: Any
) -> None:
    async def work(store: Store, hands: Hands) -> None:
        _, link = await typed(store, vault)
        form, had = form_of(shop(SLOW), "shop"), slow(asyncio.get_running_loop())
        assert form is not None
        await hands.mending._keep(form, link, {"state": "good"})
        assert had
        assert all(had)

    run(fresh, shop(SLOW), work)


def test_a_ticket_waits_for_a_slow_store_beside_everything_else(fresh: str, slow: Any) -> None:
    desk = {"kind": "email", "host": "127.0.0.1", "port": 1, "from": "a@b.test", "to": "c@d.test", "password": SLOW,
            "user": "bot"}  # fmt: skip

    async def work(store: Store, hands: Hands) -> None:
        had = slow(asyncio.get_running_loop())
        await hands.open_ticket(CASE, {}, "c1.k.0")
        assert had == [True]

    run(fresh, Settings.model_validate({"desk": desk}), work)


def store_front() -> Settings:
    """A shop that people authorize; its registration lies in a slow store."""
    made = {"connector": "shopify", "settings": {"shop": "acme"}}
    app = {"client_id": SLOW, "client_secret": SLOW}
    return Settings.model_validate({"connections": {"shop": made}, "oauth": {"shopify": app}})


def asked(path: str, token: str, query: str = "") -> Request:
    cookie = f"mend_page=s; mend_back_{links.hashed(token)[:16]}={token}"
    return Request({
        "type": "http", "method": "GET", "path": path, "path_params": {"link": token}, "query_string": query.encode(),
        "headers": [(b"cookie", cookie.encode())], "client": ("127.0.0.1", 1),
    })  # fmt: skip


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_person_on_the_way_to_a_provider_waits_for_a_slow_store_beside_everything_else(
    fresh: str, vault: Vault, slow: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("MEND_PUBLIC_URL", "http://127.0.0.1:1")

    async def work(store: Store, hands: Hands) -> None:
        await typed(store, vault)
        sealed = Cipher().encrypt(json.dumps({"verifier": "", "scopes": [], "redirect_uri": ""}))
        more = {"id": links.hashed("tok"), "kind": "reauthorize", "session": links.hashed("s"), "sealed": sealed,
                "state": "away", "state_hash": links.hashed("st")}  # fmt: skip
        async with store.transaction() as connection:
            await connection.execute(links.links.update().values(**more))
            link = (await connection.execute(sa.select(links.links))).one()
        form, had = form_of(store_front(), "shop"), slow(asyncio.get_running_loop())
        pages = OAuthPages(store, store_front)
        assert form is not None
        if way == "there":
            await pages._go(asked("/oauth/start/tok", "tok"), link, form, {})
        else:
            await pages.back(asked("/oauth/callback", "tok", "state=st&code=c"))
        assert had
        assert all(had)

    run(fresh, store_front(), work)


def test_what_was_typed_and_waited_too_long_is_not_taken_for_what_was_there_before(
    fresh: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []
    monkeypatch.setattr(mending, "try_out", lambda *given: tried.append(given) or {"state": "good"})

    async def work(store: Store, hands: Hands) -> None:
        _, link = await typed(store, vault)
        vault.expire("typed", -1)
        vault.sweep()
        await hands.mending.try_credentials(link.id)
        async with store.alone() as connection:
            now = await links.find(connection, link.id)
        assert (now.state, tried) == ("failed", [])
        assert "type it again" in now.outcome["finding"]["evidence"]
        assert [kind for kind, _ in await events(store)] == ["tried"]

    run(fresh, shop(), work)


def test_another_account_that_is_said_to_be_right_too_late_is_not_said_to_be_in_use(fresh: str, vault: Vault) -> None:
    async def work(store: Store, hands: Hands) -> None:
        _, link = await typed(store, vault)
        async with store.transaction() as connection:
            await links.move(connection, link.id, ("trying",), "keeping", outcome={"state": "differs"})
        vault.forget(batch="typed")
        await hands.mending.keep_credentials(link.id)
        async with store.alone() as connection:
            assert (await links.find(connection, link.id)).state == "failed"
        assert [kind for kind, _ in await events(store)] == ["tried"]

    run(fresh, shop(), work)


def test_who_said_that_it_was_they_is_told_so_though_slack_had_no_time(
    fresh: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(store: Store, hands: Hands) -> None:
        await typed(store, vault)
        async with store.transaction() as connection:
            await connection.execute(links.links.update().values(state="opened"))
        told: list[str] = []

        async def whisper(case: Case, args: Any, key: str) -> None:
            if not told:
                told.append("nothing")
                raise Later("ratelimited", 1.0)
            told.append(args["template"])

        monkeypatch.setattr(hands.voice, "whisper", whisper)
        jobs = [("confirm_link", {"user": "U1", "yes": True}, "k")]
        for _ in range(4):
            if not jobs:
                async with store.alone() as connection:
                    query = "DELETE FROM procrastinate_jobs WHERE task_name = 'perform' RETURNING args"
                    found = (await connection.execute(sa.text(query))).scalars().all()
                jobs = [(one["name"], one["args"], one["key"]) for one in found]
            try:
                for name, args, key in jobs:
                    await hands.perform(name, args, key, CASE.to_dict())
                jobs = []
            except Later:
                pass
        assert told == ["nothing", "page_confirmed"]

    run(fresh, shop(), work)


def unset(*_: object) -> Any:
    raise SettingsError("the environment variable ADMIN_PASSWORD is not set")


ROTATION = {"id": "r1", "case_id": "c1", "team": "T1", "connection": "shop", "by": "U1", "credential": "x"}


def test_an_old_credential_that_cannot_be_ended_for_want_of_a_setting_is_told_of(
    fresh: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "revoke", unset)

    async def work(store: Store, hands: Hands) -> None:
        async with store.transaction() as connection:
            assert await ledger.begin(connection, {**ROTATION, "step": "confirm"}, ["shop"])
        await hands.rotations.revoke(CASE, {"id": "r1", "by": "U1"}, "k")
        async with store.alone() as connection:
            query = "SELECT args->'event'->'data'->>'problem' FROM procrastinate_jobs"
            assert "ADMIN_PASSWORD" in str((await connection.execute(sa.text(query))).scalar())
            assert (await ledger.find(connection, "r1")).ended_at is None

    run(fresh, shop(), work)


@pytest.mark.parametrize(("done", "ends"), [("change", False), ("", True)])
def test_a_rotation_that_lacks_a_setting_waits_for_it_once_something_was_changed(
    fresh: str, vault: Vault, monkeypatch: pytest.MonkeyPatch, done: str, ends: bool
) -> None:
    monkeypatch.setattr(Run, "prepare" if ends else "test", unset)

    async def work(store: Store, hands: Hands) -> None:
        async with store.transaction() as connection:
            assert await ledger.begin(connection, {**ROTATION, "step": done}, ["shop"])
        if ends:
            await hands.rotations.finish("r1")
        else:
            with pytest.raises(Later):
                await hands.rotations.finish("r1")
        async with store.alone() as connection:
            assert ((await ledger.find(connection, "r1")).ended_at is not None) is ends
        assert [kind for kind, _ in await events(store)] == (["unrotated"] if ends else [])

    run(fresh, shop(), work)


@pytest.mark.parametrize(("state", "verdict"), [("good", "good"), ("bad", "bad")])
def test_a_job_of_the_pipeline_is_a_proof_also_while_a_secret_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, state: Any, verdict: str
) -> None:
    class Pipeline:
        name = "Stitch"

        def last_job(self, source: str) -> Job:
            return Job("7", state, 2.0, 3.0, said="password s3cret-of-somebody refused")

    monkeypatch.setattr(witness, "source_of", lambda *_: (Pipeline(), "1"))
    found = witness.data_flows_again(shop("${env:NOT_SET_ANYWHERE}"), "shop", "T1", 1.0, 1.0)
    assert found.verdict == verdict
    assert "s3cret-of-somebody" not in found.evidence


def test_a_page_that_shows_a_secret_once_is_not_used_up_by_a_store_that_is_down(
    fresh: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CarryPages, "_values", unset)

    async def work(store: Store, hands: Hands) -> None:
        form, link = await typed(store, vault)
        async with store.transaction() as connection:
            await connection.execute(links.links.update().values(state="confirmed", kind="carry"))
        pages = CarryPages(store, shop)
        with pytest.raises(SettingsError):
            await pages._show(asked("/carry/tok", "tok"), link, form, {})
        async with store.alone() as connection:
            assert (await links.find(connection, link.id)).state == "confirmed"
        assert await events(store) == []

    run(fresh, shop(), work)


def test_a_hooks_secret_that_was_replaced_in_its_file_is_the_secret_with_the_next_call(
    fresh: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("old")
    hook = Hook(secret=f"${{file:{tmp_path / 'secret'}}}", channel="C1")

    async def work(store: Store, hands: Hands) -> None:
        hooks = Hooks(store, shop, lambda: "T1")
        seen = [await hooks._secret(hook.secret)]
        (tmp_path / "secret").write_text("new")
        assert [*seen, await hooks._secret(hook.secret)] == ["old", "new"]

    run(fresh, shop(), work)


def test_a_connection_of_the_platforms_that_is_wrongly_set_up_is_told_of_and_not_retried_in_silence(fresh: str) -> None:
    made = {"connector": "postgres", "settings": {"host": "127.0.0.1", "connect_timeout": "soon"}}
    settings = Settings.model_validate(
        {"connections": {"shop": made}, "platform": {"kind": "stitch", "token": "never-sent"}}
    )

    async def work(store: Store, hands: Hands) -> None:
        await hands.run(CASE, {"step": "verify_credentials"}, "k")
        async with store.alone() as connection:
            query = "SELECT args->'event'->'data'->'findings'->0 FROM procrastinate_jobs"
            found = (await connection.execute(sa.text(query))).scalar()
        assert (found["verdict"], found["cause"]) == ("bad", "config_error")
        assert "connect_timeout" in found["evidence"]

    run(fresh, settings, work)
