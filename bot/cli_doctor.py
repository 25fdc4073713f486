"""`mend doctor`: is all there that `mend serve` needs?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.checks.target import target_for
from bot.cli_text import hide
from bot.settings import Environment, SettingsError, literals, load
from flows.core.sheet import HERE, known_keys, load_sheet

SCOPES = {"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history"}


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
            results.append({"part": name, "ok": False, "text": hide(error) or type(error).__name__})
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
    for name in settings.connections:
        target_for(settings, name)
    told = [f"the secret {place} stands in the file itself" for place in literals(settings)]
    return "; ".join([f"{len(settings.connections)} connections in {settings.source}", *told])


def _slack() -> str:
    env = Environment.read(os.environ)
    if not env.slack_bot_token:
        raise SettingsError("SLACK_BOT_TOKEN is not set: install the app and copy the Bot User OAuth Token")
    if not env.slack_app_token and not env.slack_signing_secret:
        raise SettingsError("set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)")
    body, headers = _ask(env.slack_api_url, "auth.test", env.slack_bot_token)
    if not body.get("ok"):
        raise SettingsError(f"Slack refuses SLACK_BOT_TOKEN ({body.get('error')}): copy it anew from Install App")
    granted = {s.strip() for s in headers.get("x-oauth-scopes", "").split(",") if s.strip()}
    if granted and (missing := ", ".join(sorted(SCOPES - granted))):
        raise SettingsError(f"the app lacks the scopes {missing}: update it from `mend manifest` and install it again")
    if env.slack_app_token:
        body_, _ = _ask(env.slack_api_url, "apps.connections.open", env.slack_app_token)
        if not body_.get("ok"):
            raise SettingsError(f"Slack refuses SLACK_APP_TOKEN ({body_.get('error')}): it needs connections:write")
    way = "Socket Mode" if env.slack_app_token else "HTTP"
    return f"{body.get('user', 'bot')} in {body.get('team', 'workspace')}, by {way}"


def _ask(base: str, method: str, token: str) -> tuple[dict[str, Any], Mapping[str, str]]:
    import requests

    try:
        answer = requests.post(base + method, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        return dict(answer.json()), answer.headers
    except (requests.RequestException, ValueError, TypeError) as error:
        raise SettingsError(f"Slack does not answer at {base} ({type(error).__name__}): check SLACK_API_URL") from None


def _database() -> str:
    from bot.store import database_url, migrate

    migrate(database_url())
    return "answers, schema is current" if os.environ.get("MEND_DATABASE_URL") else "embedded, schema is current"


def _desk(config: Path | None) -> str:
    settings = load(config, os.environ)
    if settings.desk is None:
        return "none: escalation shows the text to copy"
    from bot.desks.registry import desk_for

    desk_for(settings.desk, settings.folder).check()
    return f"{settings.desk.kind} answers"


def _platform(config: Path | None) -> str:
    platform = load(config, os.environ).platform
    return f"{platform.kind} is configured, but this version does not ask it yet" if platform else "none"


def _sheets() -> str:
    return f"{len([load_sheet(HERE / f'{key}.yaml') for key in known_keys()])} sheets are sound"


def _public() -> str:
    url = Environment.read(os.environ).public_url
    if url and not url.startswith("https://"):
        raise SettingsError("MEND_PUBLIC_URL must begin with https://: browsers send secrets to these pages")
    return url or "not set: no web pages are offered"
