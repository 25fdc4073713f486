"""The Web API's front door: tokens, scopes, faults, recording, dispatch, and response URLs."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bot.playground import api_chat, api_rooms, api_views, oauth, openid
from bot.playground.faults import Fault
from bot.playground.hub import RESPONSE_USES, Call, Hub, ResponseUrl
from bot.playground.state import TEAM, Json, Message, Refused

Method = Callable[[Hub, Json], Json]
METHODS: dict[str, tuple[Method, str]] = {
    "auth.test": (api_rooms.auth_test, ""),
    "oauth.v2.access": (oauth.access, ""),
    "openid.connect.token": (openid.token, ""),
    "apps.connections.open": (api_rooms.open_connection, ""),
    "chat.postMessage": (api_chat.post_message, "chat:write"),
    "chat.update": (api_chat.update, "chat:write"),
    "chat.delete": (api_chat.delete, "chat:write"),
    "chat.postEphemeral": (api_chat.post_ephemeral, "chat:write"),
    "chat.getPermalink": (api_chat.get_permalink, ""),
    "conversations.replies": (api_rooms.replies, "channels:history"),
    "conversations.history": (api_rooms.history, "channels:history"),
    "conversations.info": (api_rooms.info, "channels:read"),
    "conversations.members": (api_rooms.members, "channels:read"),
    "conversations.open": (api_rooms.open_dm, "im:write"),
    "conversations.join": (api_rooms.join, "channels:join"),
    "users.info": (api_rooms.user_info, "users:read"),
    "users.list": (api_rooms.user_list, "users:read"),
    "users.lookupByEmail": (api_rooms.user_by_email, "users:read.email"),
    "usergroups.users.list": (api_rooms.group_users, "usergroups:read"),
    "reactions.add": (api_chat.add_reaction, "reactions:write"),
    "views.open": (api_views.open_view, ""),
    "views.push": (api_views.push_view, ""),
    "views.update": (api_views.update_view, ""),
    "views.publish": (api_views.publish, ""),
}


class Dropped(Response):
    """Promises a body and sends none, so that the server cuts the connection and the caller gets no answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})


class WebApi:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def serve(self, request: Request) -> Response:
        method = request.path_params["method"]
        try:
            args = {**_basic(request), **await arguments(request)}
        except ValueError:
            return JSONResponse({"ok": False, "error": "invalid_json"})
        token = _token(request, args)
        fault = self.hub.faults.next(method)
        if fault is not None:
            answer = await self._trouble(fault, method, args, token)
            if answer is not None:
                return answer
        return self._answer(method, args, token)

    async def _trouble(self, fault: Fault, method: str, args: Json, token: str) -> Response | None:
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return None
        if fault.kind == "rate_limit":
            self._record(method, args, {"ok": False, "error": "ratelimited"}, 429)
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429,
                                headers={"retry-after": str(int(fault.seconds))})  # fmt: skip
        if fault.kind == "refuse":
            self._record(method, args, {"ok": False, "error": fault.error}, 200)
            return JSONResponse({"ok": False, "error": fault.error})
        if fault.kind == "drop":
            if fault.done_first:
                self._answer(method, args, token)
            else:
                self._record(method, args, {}, 0)
            return Dropped()
        self._record(method, args, {}, fault.status)
        return Response("Something went wrong on Slack's side.", fault.status)

    def _answer(self, method: str, args: Json, token: str) -> Response:
        hub = self.hub
        try:
            with hub.space.lock:
                self._admit(method, token)
                body = METHODS[method][0](hub, args)
        except Refused as no:
            body = no.as_json()
        except (TypeError, ValueError, KeyError, AttributeError):
            body = {"ok": False, "error": "invalid_arguments"}
        self._record(method, args, body, 200)
        headers = {"x-slack-req-id": hub.space.new_id("R").lower()}
        if token in hub.tokens:
            headers["x-oauth-scopes"] = ",".join(sorted(hub.scopes))
        return JSONResponse(body, headers=headers)

    def _admit(self, method: str, token: str) -> None:
        hub = self.hub
        if method not in METHODS:
            raise Refused("unknown_method", req_method=method)
        if method in ("oauth.v2.access", "openid.connect.token"):
            return
        if not token:
            raise Refused("not_authed")
        if token != hub.app_token and token not in hub.tokens:
            raise Refused("token_revoked" if token in hub.revoked else "invalid_auth")
        if (token == hub.app_token) != (method == "apps.connections.open") and method != "auth.test":
            raise Refused("not_allowed_token_type")
        hub.team = hub.tokens.get(token, TEAM)
        needed = METHODS[method][1]
        if needed and needed not in hub.scopes:
            raise Refused("missing_scope", needed=needed, provided=",".join(sorted(hub.scopes)))

    def _record(self, method: str, args: Json, body: Json, status: int) -> None:
        shown = {k: v for k, v in args.items() if k not in ("token", "client_secret")}
        self.hub.calls.append(Call(method, shown, body, status))
        self.hub.space.touch()

    async def respond(self, request: Request) -> Response:
        """A response_url: five posts within thirty minutes."""
        key = request.path_params["key"]
        try:
            args = await arguments(request)
            with self.hub.space.lock:
                body = self._respond(key, args)
            status = 200
        except Refused as no:
            body, status = no.as_json(), 404
        except ValueError:
            body, status = {"ok": False, "error": "invalid_payload"}, 400
        self._record("response_url", args if status != 400 else {}, body, status)
        return JSONResponse(body, status)

    def _respond(self, key: str, args: Json) -> Json:
        link = self.hub.response_urls.get(key)
        if link is None or time.monotonic() > link.expires:
            raise Refused("expired_url")
        if link.uses >= RESPONSE_USES:
            raise Refused("used_url")
        link.uses += 1
        if api_chat.truth(args.get("delete_original")):
            self._delete_original(link)
            return {"ok": True}
        body = api_chat.content(args)
        if api_chat.truth(args.get("replace_original")) and self._replace(link, body):
            return {"ok": True}
        api_chat.respond(self.hub, link, body, args)
        return {"ok": True}

    def _original(self, link: ResponseUrl) -> Message | None:
        channel = self.hub.space.channel(link.channel)
        hidden = {m.ts: m for m in channel.ephemerals}
        return hidden.get(link.ts or "") or channel.messages.get(link.ts or "")

    def _delete_original(self, link: ResponseUrl) -> None:
        channel, message = self.hub.space.channel(link.channel), self._original(link)
        if message in channel.ephemerals:
            channel.ephemerals.remove(message)
            self.hub.space.touch()
        elif message is not None:
            api_chat.remove(self.hub, channel, message)

    def _replace(self, link: ResponseUrl, body: Json) -> bool:
        message = self._original(link)
        if message is None:
            return False
        before = dict(message.body)
        kept = {k: v for k, v in before.items() if k not in ("blocks", "attachments", "text")}
        message.body = {**kept, **body}
        message.rev = self.hub.space.touch()
        if not before.get("is_ephemeral"):
            self.hub.changed_event(self.hub.space.channel(link.channel), dict(message.body), before)
        return True


async def arguments(request: Request) -> Json:
    args: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        body = json.loads(await request.body() or b"{}")
        if not isinstance(body, dict):
            raise ValueError("not an object")
        args.update(body)
    elif "form" in kind:
        args.update({k: v for k, v in (await request.form()).items() if isinstance(v, str)})
    return args


def _token(request: Request, args: Json) -> str:
    bearer = request.headers.get("authorization", "")
    return bearer[7:] if bearer.startswith("Bearer ") else str(args.get("token") or "")


def _basic(request: Request) -> Json:
    """The app's own name and secret, as a header."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind != "Basic":
        return {}
    name, _, secret = base64.b64decode(text).decode().partition(":")
    return {"client_id": name, "client_secret": secret}
