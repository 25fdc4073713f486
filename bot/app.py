"""The only place that builds things: `mend serve` and `mend try`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import log as logs
from bot.cipher import NO_KEY, can_keep
from bot.database import alone, database_url, migrate, own_folder
from bot.environment import Environment
from bot.foreman import Foreman, unless
from bot.fresh import Fresh
from bot.references import serve_references
from bot.settings import SettingsError, data_dir, is_local
from bot.store import Store, at_work, ready
from bot.usable import doubts, in_the_file, incomplete, misnamed

if TYPE_CHECKING:
    from starlette.routing import Route

    from bot.slack.connect import SlackSide

log = logging.getLogger("mend.app")
ROLES = ("slack", "web", "worker")
DEFAULT_PORT, NICE = 3000, 10


def serve(
    path: Path | None, roles: str | tuple[str, ...] = ROLES, host: str = "127.0.0.1", port: int | None = None
) -> int:
    """Run the bot until SIGTERM or Ctrl-C; 0 after draining."""
    env = Environment.read(os.environ)
    logs.set_up(env.log)
    logs.hide(env.secrets)
    wanted = tuple(role.strip() for role in roles.split(",")) if isinstance(roles, str) else roles
    if unknown := set(wanted) - set(ROLES):
        raise SettingsError(f"--roles: {', '.join(sorted(unknown))} is not a role; choose from {', '.join(ROLES)}")
    settings = Fresh(path)
    child = int(os.environ.get("MEND_CHILD_OF", "0"))
    if not child:
        env.check(listens="slack" in wanted)
        for doubt in (*doubts(settings.current, os.environ), *in_the_file(settings.current)):
            log.warning("%s", doubt)
    if not can_keep() and env.many_workspaces:
        raise SettingsError(NO_KEY)
    url = database_url()
    serve_references(url, later=wanted != ("worker",))
    if not child:
        migrate(url)
    run = (
        _work(url, env, settings, child)
        if wanted == ("worker",)
        else _front(url, env, settings, wanted, host, port, path)
    )
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(run)
    return uvloop.run(run)


async def _work(url: str, env: Environment, settings: Fresh, child: int) -> int:
    from bot.slack.installs import Installs
    from bot.slack.sender import Sender
    from bot.worker import work

    # Who acknowledges reads no sheet, and this asks them all.
    there = settings.current, settings.current.connections
    for said in (*misnamed(*there), *incomplete(*there)):
        log.warning("%s", said)
    if child and hasattr(os, "nice"):  # Windows has none
        # Its parent owes Slack an answer within three seconds; beside two busy processes that is the difference.
        os.nice(NICE)
    store = Store(url)
    await store.open()
    installs = Installs(store) if env.by_http else None

    async def token_of(team: str) -> str:
        return await installs.token_of(team, env.slack_bot_token) if installs else env.slack_bot_token

    _settled()
    try:
        await work(
            store,
            Sender(token_of, env.slack_api_url),
            settings,
            child_of=child or None,
            number=int(os.environ.get("MEND_WORKER", "0")),
        )
    finally:
        await store.close()
    return 0


async def _front(
    url: str, env: Environment, settings: Fresh, roles: tuple[str, ...], host: str, port: int | None, path: Path | None
) -> int:
    """Acknowledgements and pages; the worker is a child, so that no check can delay an acknowledgement."""
    from bot.slack.connect import SlackSide
    from bot.web.app import listen

    by_http = "slack" in roles and env.by_http
    listener = listen(host, DEFAULT_PORT if port is None else port, needed=by_http or port is not None)
    if listener and is_local(env.slack_api_url):
        # The local Slack is used on this machine, so its people reach this port; the worker makes the links.
        os.environ["MEND_LOCAL_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    store = Store(url)
    await store.open()
    slack = SlackSide(store, settings, env)
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    foreman = Foreman(store, url, path) if "worker" in roles else None
    worker = asyncio.create_task(foreman.keep(stop)) if foreman else None
    try:
        if "slack" in roles and not await unless(stop, slack.start()):
            return 0
        await _listen(store, slack, settings, foreman, roles, listener, stop)
    finally:
        stop.set()
        await slack.stop()
        if worker:
            await worker
        await store.close()
    return 0


async def _listen(
    store: Store,
    slack: SlackSide,
    settings: Fresh,
    foreman: Foreman | None,
    roles: tuple[str, ...],
    listener: socket.socket | None,
    stop: asyncio.Event,
) -> None:
    """Serve the HTTP side until `stop`."""
    from bot.web.app import Later, Server, web_app
    from bot.web.figures import Figures
    from bot.web.hooks import Hooks

    async def readiness() -> tuple[dict[str, bool], bool]:
        parts = {
            "database": await ready(store),
            "slack": "slack" not in roles or await slack.connected(),
            "worker": await (foreman.at_work() if foreman else at_work(store)),
        }
        # Another process' worker is told of and not waited for: what Slack sends is kept until one is there.
        return parts, all(good for part, good in parts.items() if part != "worker" or foreman)

    by_http = "slack" in roles and slack.http is not None
    hooks = Hooks(store, settings, lambda: str(slack.who.get("team_id") or ""))
    pages = Later(lambda: _pages(store, settings, slack, by_http=by_http))
    app = web_app(readiness, slack.events if by_http else None, [*hooks.routes(), pages], Figures(store))
    server = Server(app)
    web = asyncio.create_task(server.serve([listener])) if listener else None
    way = "Socket Mode" if slack.handler else "HTTP"
    _settled()
    log.info("Mend is ready: %s%s", way, ", http://{}:{}".format(*listener.getsockname()[:2]) if listener else "")
    await stop.wait()
    if web:
        server.should_exit = True
        await web


def _pages(store: Store, settings: Fresh, slack: SlackSide, *, by_http: bool) -> list[Route]:
    from bot.vault import open_vault
    from bot.web.carry import CarryPages
    from bot.web.credentials import CredentialPages
    from bot.web.install import install_routes
    from bot.web.oauth import OAuthPages
    from bot.web.sign_in import SignIn, slack_of

    open_vault(store.url)
    sign_in = SignIn(store, slack_of(slack.env))
    pages = [kind(store, settings, sign_in) for kind in (CredentialPages, OAuthPages, CarryPages)]
    return [
        *(route for page in pages for route in page.routes()),
        *sign_in.routes(*pages),
        *install_routes(slack.installing if by_http else None),
    ]


def _settled() -> None:
    """What starting made is there to stay: from now on the collector looks at what is younger, as often as usual."""
    gc.freeze()
    gc.set_threshold(700, 10, 10)


def try_locally(port: int = 8765, open_browser: bool = True) -> int:
    """Everything on this machine: embedded database, local Slack, demo connections that are really broken, the bot."""
    announce = partial(print, flush=True)  # also through a pipe: it is progress
    from bot.playground.demo import Demo
    from bot.playground.runner import run_local_slack
    from bot.playground.slack import LocalSlack
    from bot.playground.state import TEAM

    os.environ.setdefault("MEND_DATA_DIR", str(data_dir() / "try"))
    where = own_folder()
    if not alone(where / ".try.lock"):
        raise SettingsError(f"another `mend try` runs in {where}: end it, or set MEND_DATA_DIR to another folder")
    runner = run_local_slack("127.0.0.1", port, slack := LocalSlack())
    try:
        runner.start()
    except OSError:
        raise SettingsError(f"port {port} is taken: choose another with --port") from None
    kept = (where / "postgres").exists()
    os.environ.pop("MEND_DATABASE_URL", None)
    announce("Starting the embedded database ...")
    can_keep()
    url = database_url()
    announce("Breaking five demo connections ...")
    demo = Demo(url, where, where / "postgres" / "pg_hba.conf")
    demo.start()
    if kept:
        migrate(url)
        asyncio.run(_begin_anew(url, TEAM, list(demo.connections())))
    slack.actions = demo.actions()
    os.environ.update({**slack.environment("http://127.0.0.1/openid/callback"), "MEND_DATABASE_URL": url})
    announce(f"The local Slack is at {slack.url}  (type /mend warehouse; Ctrl-C ends it)")
    if open_browser:
        webbrowser.open(slack.url)
    try:
        return serve(_demo_config(where, demo.config()), ROLES, "127.0.0.1", 0)
    finally:
        runner.stop()
        demo.stop()


async def _begin_anew(url: str, team: str, names: list[str]) -> None:
    """The local Slack begins empty: what an earlier run opened has no thread there any more."""
    import sqlalchemy as sa

    from bot.upkeep import forget_team

    store = Store(url)
    await store.open()
    async with store.transaction() as connection:
        await forget_team(connection, team)
        gone = {"gone": f"{team}-{time.time():.0f}", "team": team, "names": names}
        await connection.execute(sa.text("UPDATE cases SET team = :gone WHERE team = :team"), gone)
        await connection.execute(sa.text("DELETE FROM health WHERE connection = ANY(:names)"), gone)
    await store.close()


def _demo_config(where: Path, config: dict[str, Any]) -> Path:
    import yaml

    path = where / "mend.yml"
    settings = {**config, "access": {"admins": ["U0BOB"]}, "reminders": {"poll_seconds": 5}}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path
