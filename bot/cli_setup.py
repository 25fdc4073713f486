"""`mend connectors`, `new connector`, `graph`, `manifest`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from bot.settings import SettingsError
from flows.core.flow import mermaid
from flows.core.sheet import HERE, known_keys, sheet

MANIFESTS = (Path(__file__).parent / "app_manifest.yml", Path(__file__).parent.parent / "app_manifest.yml")


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
facts_date: "{today}"
source: https://docs.example.com/errors
"""


def new_connector(key: str) -> int:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", key):  # it becomes a file's name
        raise SettingsError(f"{key!r} is not a key: lower-case letters, digits and _")
    # Into a checkout it goes where it belongs; an installed package is not written to.
    checkout = (HERE.parent.parent / "pyproject.toml").exists()
    path = (HERE if checkout else Path.cwd()) / f"{key}.yaml"
    if path.exists():
        raise SettingsError(f"{path} is there already: choose another key or edit it")
    today = datetime.now(UTC).date()
    text = SCAFFOLD.format(key=key, title=key.replace("_", " ").title(), upper=key.upper(), today=today)
    path.write_text(text, encoding="utf-8")
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
        raw["oauth_config"]["redirect_urls"] = [url.rstrip("/") + "/slack/oauth_redirect"]
    print(json.dumps(raw, indent=2))
    return 0
