"""What `mend doctor` says of the ways to Mend from outside: calls of other programs, and Sign in with Slack."""

from __future__ import annotations

import os

from bot.environment import Environment
from bot.settings import Settings, SettingsError, public_url, resolve
from bot.settings_parts import Hook
from bot.web.news import heard

ADDRESS = "set MEND_PUBLIC_URL to the https address where {who} Mend"


def hooks(settings: Settings, env: Environment) -> str:
    """What a pipeline or a desk needs to know to tell Mend something."""
    alert, desk = settings.hooks.alert, settings.hooks.desk
    said = [_alert(settings, alert, env)] if alert else []
    said += [_desk(settings, desk)] if desk else []
    if settings.desk is not None and settings.desk.kind in heard() and not desk:
        said.append("what the desk answers is not told in threads: hooks.desk in mend.yml (see docs/admin.md)")
    return "; ".join(said) or "none: no other program tells Mend anything; hooks: in mend.yml (see docs/admin.md)"


def _alert(settings: Settings, hook: Hook, env: Environment) -> str:
    url = _url(settings, "alert", hook)
    if not hook.channel:
        raise SettingsError("hooks.alert needs channel: the id (C0...) of the channel where its cases are opened")
    if not env.slack_bot_token and not hook.team:
        raise SettingsError("hooks.alert needs team: the id (T0...) of the workspace that the channel is in")
    return f"give the pipeline {url}; its cases are opened in {hook.channel}"


def _desk(settings: Settings, hook: Hook) -> str:
    kind = settings.desk.kind if settings.desk else "none"
    if kind not in heard():
        said = f"hooks.desk hears {', '.join(heard())} alone, and desk: is {kind}"
        raise SettingsError(f"{said}: take one of them out of mend.yml")
    return f"give {kind} {_url(settings, 'desk', hook, f'/{kind}')}"


def _url(settings: Settings, name: str, hook: Hook, kind: str = "") -> str:
    """Raises SettingsError where nobody could call it."""
    if not resolve(hook.secret, os.environ, settings.folder).strip():
        raise SettingsError(
            f"hooks.{name}: the secret is empty, so every call is refused: make one, and give it to both"
        )
    if not (url := public_url(os.environ)):
        raise SettingsError(f"hooks.{name}: {ADDRESS.format(who='other programs reach')}")
    return f"{url}/hooks/{name}{kind}"


def sign_in(env: Environment) -> str:
    """Whether who opens a page may sign in with Slack there."""
    from bot.web.sign_in import CALLBACK

    if not env.slack_client_id and not env.slack_client_secret:
        return "not set up: who opens a page confirms it in Slack (see docs/admin.md)"
    if not (env.slack_client_id and env.slack_client_secret):
        lacking = "SLACK_CLIENT_SECRET" if env.slack_client_id else "SLACK_CLIENT_ID"
        raise SettingsError(f"{lacking} is not set: copy it from Basic Information of the app, or unset the other one")
    url = public_url(os.environ)
    if not url and env.many_workspaces:  # the two are there for workspaces that install Mend
        return "not offered: without MEND_PUBLIC_URL there are no pages"
    if not url:
        raise SettingsError(f"{ADDRESS.format(who='browsers reach')}, so that Slack can send them back")
    return f"the app's Redirect URLs (OAuth & Permissions) must have {url}{CALLBACK}"
