"""What people do in modals and on the App Home."""

from __future__ import annotations

from typing import Any

from bot.playground import api_views, interaction
from bot.playground.courier import Delivery
from bot.playground.people import People
from bot.playground.state import Json, Refused


class ModalPeople(People):
    def modal(self, user: str = "U0ALICE") -> Json | None:
        """The modal on top of this person's screen."""
        stack = self.hub.space.modals.get(user) or []
        return self.hub.space.views[stack[-1]] if stack else None

    def _top(self, user: str) -> Json:
        view = self.modal(user)
        if view is None:
            raise Refused("view_not_found")
        return view

    def _in_view(self, kind: str, user: str, view: Json) -> Json:
        return self._interactive(kind, self.hub.space.user(user), view["app_installed_team_id"])

    def press_in_view(self, action_id: str, user: str = "U0ALICE", value: Any = None, block_id: str | None = None,
                      state: Json | None = None, home: bool = False) -> Delivery:  # fmt: skip
        with self.hub.space.lock:
            view = self.hub.space.homes[user] if home else self._top(user)
            spot, element = interaction.find(view["blocks"], action_id, block_id, value)
            values = {"values": interaction.state(view["blocks"], state or {})}
            payload = {
                **self._in_view("block_actions", user, view), "view": {**view, "state": values},
                "container": {"type": "view", "view_id": view["id"]},
                "actions": [interaction.action(spot, element, value, self.hub.space.new_ts())],
            }  # fmt: skip
        return self.hub.call_app("interactive", payload)

    def submit(self, values: Json | None = None, user: str = "U0ALICE") -> Delivery | None:
        """Send the modal. None when Slack itself finds required fields empty."""
        space = self.hub.space
        with space.lock:
            view = self._top(user)
            filled = interaction.state(view["blocks"], values or {})
            space.view_errors[view["id"]] = interaction.missing(view["blocks"], filled)
            space.touch()
            if space.view_errors[view["id"]]:
                return None
            view["state"] = {"values": filled}
            payload = {**self._in_view("view_submission", user, view), "view": dict(view),
                       "response_urls": []}  # fmt: skip
        trouble = {"": "We had some trouble connecting. Try again?"}
        return self.hub.call_app(
            "interactive", payload, accepts_response=True,
            on_failure=lambda _why: self._view_errors(view["id"], trouble),
            on_ack=lambda body: self._after_submit(view, user, body),
        )  # fmt: skip

    def _view_errors(self, view_id: str, errors: dict[str, str]) -> None:
        self.hub.space.view_errors[view_id] = errors
        self.hub.space.touch()

    def _after_submit(self, view: Json, user: str, body: Json) -> None:
        space, what = self.hub.space, body.get("response_action")
        try:
            with space.lock:
                if what == "errors":
                    self._view_errors(view["id"], dict(body.get("errors") or {}))
                elif what == "update":
                    api_views.build(self.hub, api_views.checked(body, "modal"), user, view)
                elif what == "push":
                    api_views.push(self.hub, api_views.checked(body, "modal"), user)
                elif what == "clear":
                    space.modals[user] = []
                else:
                    space.modals[user] = [v for v in space.modals.get(user, []) if v != view["id"]]
                space.touch()
        except Refused:
            self._view_errors(view["id"], {"": "We had some trouble connecting. Try again?"})

    def close_modal(self, user: str = "U0ALICE", cleared: bool = False) -> Delivery | None:
        with self.hub.space.lock:
            view = self._top(user)
            clear = cleared or view["clear_on_close"]
            self.hub.space.modals[user] = [] if clear else self.hub.space.modals[user][:-1]
            self.hub.space.touch()
            if not view["notify_on_close"]:
                return None
            payload = {**self._in_view("view_closed", user, view), "view": dict(view),
                       "is_cleared": clear}  # fmt: skip
            del payload["trigger_id"]
        return self.hub.call_app("interactive", payload)

    def dismiss(self, ts: str, user: str, channel: str) -> None:
        """Take an "only visible to you" message off the screen."""
        with self.hub.space.lock:
            where = self.hub.space.channel(channel)
            where.ephemerals = [m for m in where.ephemerals if m.ts != ts or m.body["for_user"] != user]
            self.hub.space.touch()
