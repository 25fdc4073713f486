"""`mend doctor`, `lint`, `connectors`, `new connector`, `graph`, `manifest`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bot.settings import Environment, SettingsError, load
from flows.core.flow import mermaid
from flows.core.sheet import HERE, SheetError, known_keys, load_sheet, sheet

SCOPES = {"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history"}
MANIFESTS = (Path(__file__).parent / "app_manifest.yml", Path(__file__).parent.parent / "app_manifest.yml")


def doctor(as_json: bool, config: Path | None) -> int:
    """0 when everything that `mend serve` needs is there."""
    parts: list[tuple[str, Callable[[], str]]] = [
        ("configuration", lambda: _configuration(config)),
        ("slack", _slack),
        ("database", _database),
        ("desk", lambda: _desk(config)),
        ("platform", lambda: _platform(config)),
        ("sheets", _sheets),
        ("public url", _public),
    ]
    results = []
    for name, look in parts:
        try:
            results.append({"part": name, "ok": True, "text": look()})
        except Exception as error:
            results.append({"part": name, "ok": False, "text": " ".join(str(error).split()) or type(error).__name__})
    ok = all(r["ok"] for r in results)
    if as_json:
        print(json.dumps({"ok": ok, "parts": results}, indent=2))
    else:
        for r in results:
            print(f"{'ok     ' if r['ok'] else 'missing'} {r['part']:14} {r['text']}")
    return 0 if ok else 1


def _configuration(config: Path | None) -> str:
    settings = load(config, os.environ)
    if not settings.connections:
        raise SettingsError("no connection is configured: write mend.yml (see README)")
    for connection in settings.connections.values():
        sheet(connection.connector)
    return f"{len(settings.connections)} connections in {settings.source}"


def _slack() -> str:
    import requests

    env = Environment.read(os.environ)
    if not env.slack_bot_token:
        raise SettingsError("SLACK_BOT_TOKEN is not set: install the app and copy the Bot User OAuth Token")
    if not env.slack_app_token and not env.slack_signing_secret:
        raise SettingsError("set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)")
    try:
        base = env.slack_api_url
        answer = requests.post(
            base + "auth.test", headers={"Authorization": f"Bearer {env.slack_bot_token}"}, timeout=10
        )
        body: dict[str, Any] = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise SettingsError(f"Slack is not reachable at {env.slack_api_url} ({type(error).__name__})") from None
    if not body.get("ok"):
        raise SettingsError(f"Slack refuses the bot token: {body.get('error')}")
    granted = {s.strip() for s in answer.headers.get("x-oauth-scopes", "").split(",") if s.strip()}
    if granted and (missing := SCOPES - granted):
        raise SettingsError(
            f"the app lacks the scopes {', '.join(sorted(missing))}: update it from `mend manifest` and install it again"
        )
    return f"{body.get('user', 'bot')} in {body.get('team', 'workspace')}"


def _database() -> str:
    from bot.store import database_url, migrate

    migrate(database_url())
    return "answers, schema is current" if os.environ.get("MEND_DATABASE_URL") else "embedded, schema is current"


def _desk(config: Path | None) -> str:
    desk = load(config, os.environ).desk
    if desk is None:
        return "none: escalation shows the text to copy"
    from bot.desks.registry import desk_for

    desk_for(desk).check()
    return f"{desk.kind} answers"


def _platform(config: Path | None) -> str:
    platform = load(config, os.environ).platform
    return f"{platform.kind} is configured, but this version does not ask it yet" if platform else "none"


def _sheets() -> str:
    return f"{len([load_sheet(HERE / f'{key}.yaml') for key in known_keys()])} sheets are sound"


def _public() -> str:
    return os.environ.get("MEND_PUBLIC_URL") or "not set: no web pages are offered"


def lint(paths: list[Path]) -> int:
    """One line per problem, with file, line and column."""
    from bot.checks.run import MODULES

    files = [
        f
        for p in (paths or [HERE])
        for f in (sorted(p.rglob("*.y*ml")) + sorted(p.rglob("*.j2")) if p.is_dir() else [p])
    ]
    problems = []
    for file in files:
        problems.extend(_template(file) if file.suffix == ".j2" else _sheet(file, set(MODULES)))
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


def _template(file: Path) -> list[str]:
    import jinja2

    try:
        jinja2.Environment(autoescape=False).parse(file.read_text(encoding="utf-8"))  # noqa: S701 - only parsed
    except jinja2.TemplateSyntaxError as error:
        return [f"{file}:{error.lineno}:1: {error.message}"]
    except OSError as error:
        return [f"{file}:1:1: {error.strerror}"]
    return []


def _sheet(file: Path, checks: set[str]) -> list[str]:
    try:
        read = load_sheet(file)
    except SheetError as error:
        return [f"{file.parent}/{error}"]
    except OSError as error:
        return [f"{file}:1:1: {error.strerror}"]
    found = [f"{file}:1:1: there is no check {name!r}" for name in read.checks if name not in checks]
    if read.key != file.stem:
        found.append(f"{file}:1:1: key is {read.key!r} but the file is called {file.stem}")
    if read.http and read.http.base_url.startswith("http://"):
        found.append(f"{file}:1:1: http.base_url must be https")
    return found


def connectors(as_json: bool) -> int:
    known = [sheet(key) for key in known_keys()]
    if as_json:
        print(
            json.dumps(
                [{"key": s.key, "title": s.title, "driver": s.driver, "checks": list(s.checks)} for s in known],
                indent=2,
            )
        )
    else:
        for s in known:
            print(f"{s.key:14} {s.title:20} {', '.join(f.name for f in s.fields)}")
    return 0


SCAFFOLD = """key: {key}
title: {title}
driver: http
fields:
  - name: base_url
    label: Address of the API
    default: "https://api.example.com"
    example: "https://api.example.com"
    help: Where the API begins.
  - name: access_token
    label: Access token
    secret: true
    required: true
    example: "${{env:{upper}_TOKEN}}"
    help: Where to find it.
checks: [status_page_quiet, name_resolves, port_answers, tls_agrees, credentials_accepted, permissions_sufficient]
http:
  base_url: "https://api.example.com"
  auth: bearer
  secret: access_token
  identity: /me
  own_error: error
  resources:
    items: {{path: "/items?limit=1", scopes: [items.read]}}
  answers:
    - {{status: 401, body: expired, cause: token_expired, code: auth.token_expired}}
regeneration: {{kind: update_credentials, who: an administrator of the account, steps: "Settings > API"}}
docs: ["https://docs.example.com"]
facts_date: "2026-11-24"
source: https://docs.example.com/errors
"""


def new_connector(key: str) -> int:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", key):
        raise SettingsError(f"{key!r} is not a key: lower-case letters, digits and _")
    path = (HERE if os.access(HERE, os.W_OK) else Path.cwd()) / f"{key}.yaml"
    if path.exists():
        raise SettingsError(f"{path} is there already")
    path.write_text(SCAFFOLD.format(key=key, title=key.replace("_", " ").title(), upper=key.upper()), encoding="utf-8")
    print(f"{path} written: fill it in, then run `mend lint`")
    return 0


def graph(flow: str) -> int:
    from bot.engine import FLOWS

    if flow not in FLOWS:
        raise SettingsError(f"there is no flow {flow!r}; known are {', '.join(FLOWS)}")
    print(mermaid(FLOWS[flow].machine))
    return 0


def manifest(url: str | None) -> int:
    """Print the manifest as JSON; with `url` for HTTP mode."""
    path = next(p for p in MANIFESTS if p.exists())
    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if url:
        if not url.startswith("https://"):
            raise SettingsError("--url must begin with https://: Slack calls nothing else")
        events = url.rstrip("/") + "/slack/events"
        raw["settings"]["socket_mode_enabled"] = False
        raw["settings"]["event_subscriptions"]["request_url"] = events
        raw["settings"]["interactivity"]["request_url"] = events
        raw["features"]["slash_commands"][0]["url"] = events
    print(json.dumps(raw, indent=2))
    return 0
