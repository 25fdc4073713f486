"""Web API: views.open, push, update, publish."""

from __future__ import annotations

import hashlib
import time
from typing import Literal

from bot.playground.api_chat import decoded, with_ids
from bot.playground.blocks import problems
from bot.playground.hub import Hub
from bot.playground.state import APP_ID, BOT_ID, Json, Refused

MAX_STACK = 3


def checked(args: Json, surface: Literal["modal", "home"]) -> Json:
    view = decoded(args, "view", "invalid_arguments")
    if not isinstance(view, dict):
        raise Refused("invalid_arguments", ["[ERROR] missing required field: view"])
    found = problems(view, surface)
    if found:
        raise Refused("invalid_arguments", found)
    return view


def build(hub: Hub, view: Json, user: str, old: Json | None = None) -> Json:
    view_id = old["id"] if old else hub.space.new_id("V")
    blocks = [with_ids(b) for b in view["blocks"]]
    made = {
        "private_metadata": "", "callback_id": "", "title": None, "close": None, "submit": None,
        "clear_on_close": False, "notify_on_close": False, "external_id": "",
        **view, "id": view_id, "team_id": hub.team, "blocks": blocks, "state": {"values": {}},
        "hash": f"{int(time.time())}.{hashlib.sha256(hub.space.new_ts().encode()).hexdigest()[:8]}",
        "root_view_id": old["root_view_id"] if old else view_id,
        "previous_view_id": old["previous_view_id"] if old else None,
        "app_id": APP_ID, "bot_id": BOT_ID, "app_installed_team_id": hub.team,
    }  # fmt: skip
    _external_id_is_free(hub, made)
    with hub.space.lock:
        hub.space.views[view_id] = made
        hub.space.view_errors.pop(view_id, None)
        hub.space.touch()
    return made


def _external_id_is_free(hub: Hub, view: Json) -> None:
    open_ids = {v for stack in hub.space.modals.values() for v in stack}
    for other in hub.space.views.values():
        if view["external_id"] and other["external_id"] == view["external_id"] and other["id"] != view["id"]:
            if other["id"] in open_ids:
                raise Refused("duplicate_external_id")
            other["external_id"] = ""


def open_view(hub: Hub, args: Json) -> Json:
    view = checked(args, "modal")
    user = hub.spend_trigger(args.get("trigger_id"))
    made = build(hub, view, user)
    hub.space.modals[user] = [made["id"]]
    hub.space.touch()
    return {"ok": True, "view": dict(made)}


def push(hub: Hub, view: Json, user: str) -> Json:
    stack = hub.space.modals.get(user) or []
    if len(stack) >= MAX_STACK:
        raise Refused("push_limit_reached")
    made = build(hub, view, user)
    if stack:
        made.update(previous_view_id=stack[-1], root_view_id=stack[0])
    hub.space.modals[user] = [*stack, made["id"]]
    hub.space.touch()
    return made


def push_view(hub: Hub, args: Json) -> Json:
    view = checked(args, "modal")
    user = hub.spend_trigger(args.get("trigger_id"))
    return {"ok": True, "view": dict(push(hub, view, user))}


def update_view(hub: Hub, args: Json) -> Json:
    wanted_id, external = args.get("view_id"), args.get("external_id")
    old = hub.space.views.get(str(wanted_id)) if wanted_id else next(
        (v for v in hub.space.views.values() if external and v["external_id"] == external), None)  # fmt: skip
    if old is None:
        raise Refused("not_found")
    view = checked(args, "home" if old["type"] == "home" else "modal")
    if args.get("hash") and args["hash"] != old["hash"]:
        raise Refused("hash_conflict")
    if old["type"] == "modal" and not any(old["id"] in stack for stack in hub.space.modals.values()):
        raise Refused("not_found")
    made = build(hub, view, "", old)
    if made["type"] == "home":
        for user, home in hub.space.homes.items():
            if home["id"] == made["id"]:
                hub.space.homes[user] = made
    return {"ok": True, "view": dict(made)}


def publish(hub: Hub, args: Json) -> Json:
    view = checked(args, "home")
    user = hub.space.user(str(args.get("user_id") or "")).id
    old = hub.space.homes.get(user)
    if args.get("hash") and old and args["hash"] != old["hash"]:
        raise Refused("hash_conflict")
    made = build(hub, view, user, old)
    hub.space.homes[user] = made
    hub.space.touch()
    return {"ok": True, "view": dict(made)}
