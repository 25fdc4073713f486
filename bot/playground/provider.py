"""A small local provider: HubSpot, GitHub, Stripe and their status pages, over real HTTP on this machine."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from .provider_github import GitHub
from .provider_hubspot import HubSpot
from .provider_sign_in import SignIn
from .provider_state import GITHUB_SCOPES, ProviderState
from .provider_status import StatusPages
from .provider_stripe import Stripe

START_SECONDS = 15.0


def provider_app(state: ProviderState, more: Sequence[BaseRoute] = ()) -> Starlette:
    """The whole provider as one application, and `more` that shares its port."""
    return Starlette(
        routes=[
            *more,
            Mount("/hubspot", routes=[*SignIn(state).routes(), *HubSpot(state).routes()]),
            Mount("/github", routes=GitHub(state).routes()),
            Mount("/stripe", routes=Stripe(state).routes()),
            Mount("/status", routes=StatusPages(state).routes()),
        ]
    )


class DemoProvider:
    """The provider on a free loopback port, in a thread of its own."""

    def __init__(self, state: ProviderState | None = None, more: Sequence[BaseRoute] = ()) -> None:
        self.state = state or ProviderState()
        self.more = more
        self.url = ""
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def start(self) -> None:
        if self._server is not None:
            return
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            provider_app(self.state, self.more),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="demo-provider", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("The demo provider did not start.")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None

    def revoke_hubspot_token(self) -> None:
        """Of a token that is in use, too: the next one is another."""
        if self.state.hubspot_new_in_use:
            self.state.hubspot_rotated = f"pat-na1-{uuid.uuid4()}"
        self.state.hubspot_revoked, self.state.hubspot_new_in_use = True, False
        self.state.grants.clear()

    def restore_hubspot_token(self) -> None:
        self.state.hubspot_revoked = False

    def grant_github_scope(self) -> None:
        self.state.github_scopes = {*GITHUB_SCOPES, "read:org"}

    def withdraw_github_scope(self) -> None:
        self.state.github_scopes = set(GITHUB_SCOPES)

    def start_stripe_outage(self) -> None:
        self.state.start_outage()

    def end_stripe_outage(self) -> None:
        self.state.end_outage()
