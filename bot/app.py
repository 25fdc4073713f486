"""The only place that builds things: `mend serve` and `mend try`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from bot import log as logs
from bot.settings import Environment, Settings, SettingsError, load
from bot.store import Store, data_dir, database_url, migrate, ready

if TYPE_CHECKING:
    from bot.slack.connect import SlackSide

log = logging.getLogger("mend.app")
ROLES = ("slack", "web", "worker")
DEFAULT_PORT = 3000


class Fresh:
    """The settings, read again when mend.yml changes; a broken edit keeps the last good ones."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.current = load(path, os.environ)
        self._stamp = self._mtime()

    def _mtime(self) -> float:
        source = self.current.source
        return source.stat().st_mtime if source and source.exists() else 0.0

    def __call__(self) -> Settings:
        stamp = self._mtime()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self.current = load(self.path, os.environ)
            except SettingsError as error:
                log.error("mend.yml was changed and is not used: %s", error)
        return self.current


def serve(
    path: Path | None, roles: str | tuple[str, ...] = ROLES, host: str = "127.0.0.1", port: int | None = None
) -> int:
    """Run the bot until SIGTERM or Ctrl-C; 0 after draining."""
    env = Environment.read(os.environ)
    logs.set_up(env.log)
    logs.hide(v for v in (env.slack_bot_token, env.slack_app_token, env.slack_signing_secret) if v)
    wanted = tuple(roles.split(",")) if isinstance(roles, str) else roles
    if unknown := set(wanted) - set(ROLES):
        raise SettingsError(f"--roles: {', '.join(sorted(unknown))} is not a role; choose from {', '.join(ROLES)}")
    if not env.slack_bot_token:
        raise SettingsError(
            "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-...) of your app; `mend doctor` checks it"
        )
    if "slack" in wanted and not env.slack_app_token and not env.slack_signing_secret:
        raise SettingsError(
            "set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP): without one Slack cannot reach Mend"
        )
    settings = Fresh(path)
    child = int(os.environ.get("MEND_CHILD_OF", "0"))
    url = database_url()
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
    from bot.slack.sender import Sender
    from bot.worker import work

    store = Store(url)
    await store.open()
    try:
        await work(store, Sender(env.slack_bot_token or "", env.slack_api_url), settings, child_of=child or None)
    finally:
        await store.close()
    return 0


async def _front(
    url: str, env: Environment, settings: Fresh, roles: tuple[str, ...], host: str, port: int | None, path: Path | None
) -> int:
    """Acknowledgements and pages; the worker is a child, so that no check can delay an acknowledgement."""
    from bot.slack.connect import SlackSide

    store = Store(url)
    await store.open()
    slack = SlackSide(
        store,
        settings,
        env.slack_bot_token or "",
        env.slack_app_token or "",
        env.slack_signing_secret or "",
        env.slack_api_url,
    )
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    worker = asyncio.create_task(_keep_worker(url, path, stop)) if "worker" in roles else None
    try:
        if "slack" in roles:
            await slack.start()
        await _listen(store, slack, worker, roles, host, port, stop)
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
    worker: asyncio.Task[None] | None,
    roles: tuple[str, ...],
    host: str,
    port: int | None,
    stop: asyncio.Event,
) -> None:
    """Serve the HTTP side until `stop`."""
    from bot.web.app import web_app

    async def readiness() -> dict[str, bool]:
        return {
            "database": await ready(store),
            "slack": "slack" not in roles or await slack.connected(),
            "worker": worker is None or not worker.done(),
        }

    by_http = "slack" in roles and slack.http is not None
    app = web_app(readiness, slack.events if by_http else None)
    server = _web_server(app, host, port, needed=by_http or port is not None)
    web = asyncio.create_task(server.serve()) if server else None
    way = "Socket Mode" if slack.handler else "HTTP"
    log.info("Mend is ready: %s%s", way, f", http://{host}:{server.config.port}" if server else "")
    await stop.wait()
    if server and web:
        server.should_exit = True
        await web


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def _web_server(app: object, host: str, port: int | None, *, needed: bool) -> _Server | None:
    number = port if port is not None else DEFAULT_PORT
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError:
            if needed:
                raise SettingsError(f"port {number} on {host} is taken: choose another with --port") from None
            log.warning("port %s is taken: no health page; choose another with --port", number)
            return None
    return _Server(uvicorn.Config(app, host=host, port=number, log_level="warning", lifespan="off"))  # type: ignore[arg-type]


async def _keep_worker(url: str, path: Path | None, stop: asyncio.Event) -> None:
    """Start the worker process, and again when it dies; on stop let it finish what it does."""
    command = [
        sys.executable,
        "-m",
        "bot.cli",
        "serve",
        "--roles",
        "worker",
        *(["--config", str(path)] if path else []),
    ]
    env = {**os.environ, "MEND_DATABASE_URL": url, "MEND_CHILD_OF": str(os.getpid())}
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        process = await asyncio.create_subprocess_exec(*command, env=env, start_new_session=True)
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            log.error("the worker ended (%s) and is started again", process.returncode)
            await asyncio.sleep(1)
            continue
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(ended, 25)
            except TimeoutError:
                process.kill()


def try_locally(port: int = 8765, open_browser: bool = True, announce: Callable[[str], None] = print) -> int:
    """Everything on this machine: embedded database, local Slack, demo connections that are really broken, the bot."""
    from bot.playground.demo import Demo
    from bot.playground.runner import run_local_slack
    from bot.playground.slack import LocalSlack

    where = Path(os.environ.setdefault("MEND_DATA_DIR", str(data_dir() / "try")))
    where.mkdir(parents=True, exist_ok=True)
    os.environ.pop("MEND_DATABASE_URL", None)
    announce("Starting the embedded database ...")
    url = database_url()
    announce("Breaking five demo connections ...")
    demo = Demo(url, where)
    demo.start()
    slack = LocalSlack(actions=demo.actions())
    runner = run_local_slack("127.0.0.1", port, slack)
    try:
        runner.start()
    except OSError:
        demo.stop()
        raise SettingsError(f"port {port} is taken: choose another with --port") from None
    _use(slack.bot_token, slack.app_token, slack.api_url, url)
    announce(f"The local Slack is at {slack.url}  (type /mend warehouse; Ctrl-C ends it)")
    if open_browser:
        webbrowser.open(slack.url)
    try:
        return serve(_demo_config(where, demo.connections()), ROLES, "127.0.0.1", 0)
    finally:
        runner.stop()
        demo.stop()


def _use(bot_token: str, app_token: str, api_url: str, database: str) -> None:
    found = {"SLACK_BOT_TOKEN": bot_token, "SLACK_APP_TOKEN": app_token, "SLACK_API_URL": api_url}
    os.environ.update({**found, "MEND_DATABASE_URL": database})


def _demo_config(where: Path, connections: dict[str, dict[str, Any]]) -> Path:
    import yaml

    config = where / "mend.yml"
    settings = {"connections": connections, "access": {"admins": ["U0BOB"]}, "reminders": {"poll_seconds": 5}}
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return config
