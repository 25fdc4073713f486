"""`mend doctor`: is all there that `mend serve` needs?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.checks.target import target_for
from bot.cli import reach
from bot.cli.text import clean, hide
from bot.environment import Environment
from bot.own import use_own
from bot.references import serve_references_if_any
from bot.settings import Settings, SettingsError, load, public_url
from bot.settings_parts import is_group
from bot.usable import doubts, incomplete, literals, misnamed
from flows.core.sheet import SheetError, known_keys, sheet

SCOPES = {"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history"}


def doctor(as_json: bool, config: Path | None) -> int:
    """0 when everything that `mend serve` needs is there."""
    parts: list[tuple[str, Callable[[], str]]] = [
        ("configuration", lambda: _configuration(config)),
        ("slack", _slack),
        ("owners", lambda: _owners(load(config, os.environ), Environment.read(os.environ))),
        ("database", _database),
        ("desk", lambda: _desk(config)),
        ("platform", lambda: _platform(config)),
        ("sheets", _sheets),
        ("public url", _public),
        ("vault", _vault),
        ("oauth", lambda: _oauth(config)),
        ("hooks", lambda: reach.hooks(load(config, os.environ), Environment.read(os.environ))),
        ("sign-in", lambda: reach.sign_in(Environment.read(os.environ))),
    ]
    use_own(config)
    results = []
    for name, look in parts:
        results.append(_looked(name, look))
        if len(results) > 1 and not results[-1]["ok"] and results[-1]["text"] == results[0]["text"]:
            results[-1]["text"] = "the configuration is bad, see above"
        if not as_json:  # one after the other: Slack or a desk may be slow to answer
            print(f"{'ok ' if results[-1]['ok'] else 'bad'} {name:14} {clean(results[-1]['text'])}", flush=True)
    ok = all(r["ok"] for r in results)
    if as_json:
        print(json.dumps({"ok": ok, "parts": results}, indent=2))
    elif not ok:
        print("mend the lines marked bad, then run `mend doctor` again")
    return 0 if ok else 1


def _looked(name: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"part": name, "ok": True, "text": look()}
    except Exception as error:
        return {"part": name, "ok": False, "text": hide(error) or type(error).__name__}


def _configuration(config: Path | None) -> str:
    settings = load(config, os.environ)
    serve_references_if_any()
    if not settings.connections:
        raise SettingsError("no connection is configured: write mend.yml (see README), or let `mend import` do it")
    if wrong := [f"{name}: {said}" for name in settings.connections if (said := _unusable(settings, name))]:
        raise SettingsError("; ".join(wrong))
    told = [f"the secret {place} stands in the file itself" for place in literals(settings)]
    told += [*misnamed(settings, settings.connections), *incomplete(settings, settings.connections)]
    return "; ".join([f"{len(settings.connections)} connections in {settings.source}", *told])


def _unusable(settings: Settings, name: str) -> str:
    try:
        target_for(settings, name)
    except (SettingsError, SheetError) as error:
        return str(error)
    return ""


def _slack() -> str:
    env = Environment.read(os.environ)
    env.check(listens=True)
    if not env.slack_bot_token:
        return f"workspaces install Mend at {env.public_url or 'MEND_PUBLIC_URL'}/slack/install"
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


def _owners(settings: Settings, env: Environment) -> str:
    """Whether Slack tells who is in the groups that own connections."""
    # The address has a part of its own.
    if wrong := next((one for one in doubts(settings, {})), ""):
        raise SettingsError(wrong)
    owned = dict[str, list[str]]()
    for name, connection in settings.connections.items():
        owner = connection.owner
        if is_group(owner):
            owned.setdefault(str(owner), []).append(name)
    if owned and (env.many_workspaces or not env.slack_bot_token):
        return f"who is in {', '.join(owned)} is asked where Mend is installed, with the scope usergroups:read"
    told = [f"{group} ({_members(group, names, env)} people) owns {', '.join(names)}" for group, names in owned.items()]
    return "; ".join(told) or "no connection is owned by a user group"


def _members(group: str, names: list[str], env: Environment) -> int:
    body, _ = _ask(env.slack_api_url, "usergroups.users.list", env.slack_bot_token, usergroup=group)
    error, theirs = str(body.get("error") or ""), f"only admins act as the owner of {', '.join(names)}"
    if error == "missing_scope":
        raise SettingsError(
            f"the app may not ask who is in {group} (usergroups:read), so {theirs}: update it from `mend manifest` "
            "and install it again"
        )
    if not body.get("ok"):
        raise SettingsError(
            f"Slack does not tell who is in {group} ({error}), so {theirs}: copy its id anew from Slack"
        )
    return len(body.get("users") or ())


def _ask(base: str, method: str, token: str, **params: str) -> tuple[dict[str, Any], Mapping[str, str]]:
    import requests

    from bot.drivers.authorities import for_services

    try:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(base + method, params, headers=headers, timeout=10, verify=for_services())
        return dict(answer.json()), answer.headers
    except (requests.RequestException, ValueError, TypeError) as error:
        raise SettingsError(f"Slack does not answer at {base} ({type(error).__name__}): check SLACK_API_URL") from None


def _database() -> str:
    from bot.database import database_url, migrate

    migrate(database_url())
    return "answers, schema is current" if os.environ.get("MEND_DATABASE_URL") else "embedded, schema is current"


def _desk(config: Path | None) -> str:
    settings = load(config, os.environ)
    if settings.desk is None:
        return "none: escalation shows the text to copy"
    from bot.desks.registry import desk_for

    told = desk_for(settings.desk, settings.folder).check()
    return "; ".join(filter(None, [f"{settings.desk.kind} answers", told]))


def _platform(config: Path | None) -> str:
    from bot.platforms.registry import platform_for

    platform = platform_for(load(config, os.environ))
    return platform.check() if platform else "none"


def _sheets() -> str:
    return f"{len([sheet(key) for key in known_keys()])} sheets are sound"


def _public() -> str:
    url = Environment.read(os.environ).public_url
    if url and not url.startswith("https://"):
        raise SettingsError("MEND_PUBLIC_URL must begin with https://: browsers send secrets to these pages")
    return url or "not set: no web pages are offered"


def _vault() -> str:
    from bot.cipher import NO_KEY, can_keep, keys

    if not can_keep():
        return f"none, so no credentials are taken on a page: {NO_KEY}"
    return f"{len(keys())} key{'s' if len(keys()) > 1 else ''}"


def _oauth(config: Path | None) -> str:
    """Which connections people can authorize again from the thread, and what the others lack."""
    from bot.checks.oauth import app_of, client_of

    settings = load(config, os.environ)
    ready, lacking = list[str](), list[str]()
    for name, connection in settings.connections.items():
        known = sheet(connection.connector)
        app = app_of(settings, known, connection) if known.oauth else None
        if app and not client_of(settings, known, connection, app).client_id.strip():
            raise SettingsError(f"{name}: client_id of oauth: is empty: copy it from your app at {known.title}")
        if known.oauth:
            (ready if app else lacking).append(name)
    if unknown := sorted(set(settings.oauth) - {key for key in known_keys() if sheet(key).oauth}):
        raise SettingsError(
            f"oauth: {unknown[0]} has no authorization that Mend knows: name a connector of `mend docs`"
        )
    return _told(ready, lacking)


def _told(ready: list[str], lacking: list[str]) -> str:
    url = public_url(os.environ)
    said = []
    if ready and not url:
        raise SettingsError(
            f"{', '.join(ready)}: set MEND_PUBLIC_URL (https), so that providers can send browsers back"
        )
    if ready:
        said.append(f"{', '.join(ready)}: register {url}/oauth/callback as redirect URI")
    if lacking:
        said.append(f"{', '.join(lacking)}: not registered, so people are shown how; set oauth: (see docs/admin.md)")
    return "; ".join(said) or "no connection is authorized by OAuth"
