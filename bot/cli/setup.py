"""`mend connectors`, `new connector`, `graph`, `manifest`."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from bot import scaffold
from bot.manifest import manifest as read
from bot.own import own_sheets, use_own
from bot.settings import SettingsError
from flows.core.flow import mermaid
from flows.core.sheet import HERE, Family, Sheet, SheetError, known_keys, sheet
from messages import render


def connectors(as_json: bool, as_schema: bool) -> int:
    if as_schema:
        print(json.dumps(schema(), indent=2))
        return 0
    use_own()
    known = [sheet(key) for key in known_keys()]
    if as_json:
        print(json.dumps([_listed(s) for s in known], indent=2))
    else:
        print(render.catalogue(families(known)))
    return 0


def _listed(one: Sheet) -> dict[str, Any]:
    checks, family = list(one.checks), one.listed_under()
    return {"key": one.key, "title": one.title, "driver": one.driver, "checks": checks, "family": family}


def families(known: Iterable[Sheet]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each family that there are sheets of, with them."""
    grouped: dict[str, list[dict[str, Any]]] = {family: [] for family in get_args(Family)}
    for one in known:
        grouped[one.listed_under()].append({"key": one.key, "title": one.title})
    return [(family, those) for family, those in grouped.items() if those]


def schema() -> dict[str, Any]:
    """The JSON Schema of a sheet, for editors. A variant takes from its base what it does not say; `mend lint` asks
    for the rest."""
    made = Sheet.model_json_schema()
    for part in (made, *made["$defs"].values()):
        _tell_each_key(part)
    made["$defs"]["Field"]["required"], made["$defs"]["Regeneration"]["required"] = ["name"], []
    own = ["key", "title", "facts_date", "source"]
    either = [{"required": ["extends"]}, {"required": sorted(set(made["required"]) - set(own))}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "required": own, "anyOf": either}


def _tell_each_key(part: dict[str, Any]) -> None:
    """An editor shows at a key the sentences that name it."""
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z`])", part.get("description", ""))
    for name, key in part.get("properties", {}).items():
        if told := [one for one in sentences if f"`{name}`" in one]:
            key["description"] = " ".join(" ".join(told).split())


def new_connector(key: str) -> int:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", key):  # it becomes a file's name
        hint = "a lower-case letter, then 1 to 40 of them, digits and _, as customer_io for Customer.io"
        raise SettingsError(f"{key[:50]!r} is not a key: {hint}")
    # Inside a checkout it goes where it belongs; anywhere else it is a sheet of the user's own.
    top = HERE.parent.parent
    checkout = (top / "pyproject.toml").exists() and Path.cwd().is_relative_to(top)
    files = {(HERE if checkout else own_sheets()) / f"{key}.yaml": scaffold.SHEET}
    if checkout:
        files[top / "tests" / "data" / "providers" / f"{key}.yaml"] = scaffold.ANSWERS
    there = [path for path in files if path.exists()]
    if there:
        raise SettingsError(f"{there[0]} is there already: choose another key or edit it")
    if knows(key):  # by an alias too: the scaffold would win over it, and break the connections that use it
        raise SettingsError(f"Mend knows {key} already, see `mend docs {key}`: choose another key")
    title, today = key.replace("_", " ").title(), datetime.now(UTC).date()
    for path, text in files.items():
        filled = text.format(key=key, dashed=key.replace("_", "-"), title=title, upper=key.upper(), today=today)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled, encoding="utf-8")
        print(f"{_short(path)} written")
    print(f"`mend lint {_short(next(iter(files)))}` names each blank that is left,")
    print(f"`mend docs {key}` shows what people will read")
    return 0


def knows(key: str) -> bool:
    with contextlib.suppress(SheetError):
        return bool(sheet(key))
    return False


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def graph(flow: str) -> int:
    from bot.engine import FLOWS

    if flow not in FLOWS:
        raise SettingsError(f"there is no flow {flow!r}; known are {', '.join(FLOWS)}")
    print(mermaid(FLOWS[flow]))
    return 0


def manifest(url: str | None) -> int:
    """Print the manifest as JSON; with `url` for HTTP mode."""
    raw = read()
    if url:
        if not url.startswith("https://"):
            raise SettingsError("--url must begin with https://: Slack calls nothing else")
        events = url.rstrip("/") + "/slack/events"
        raw["settings"]["socket_mode_enabled"] = False
        raw["settings"]["event_subscriptions"]["request_url"] = events
        raw["settings"]["interactivity"]["request_url"] = events
        raw["features"]["slash_commands"][0]["url"] = events
        raw["oauth_config"]["redirect_urls"] = [
            url.rstrip("/") + path for path in ("/slack/oauth_redirect", "/openid/callback")
        ]
    print(json.dumps(raw, indent=2))
    return 0
