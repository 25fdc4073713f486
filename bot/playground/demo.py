"""The sources of `mend try`: five connections, each really broken in its own way, the pipeline of one, and a desk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.routing import Mount

from .actions import DemoAction
from .demo_database import BILLING, DATABASE, TABLES, WAREHOUSE, DemoDatabase
from .provider import DemoProvider
from .provider_state import ProviderState
from .stitch import Stitch
from .zendesk import Zendesk


class Demo:
    """The demo database and the demo provider, with the connections that use them."""

    def __init__(self, admin_url: str, data_dir: str | Path, hba_file: Path | None = None) -> None:
        """`hba_file`: where we reach the server's file when the server knows it by a path of its own.

        `mend_url` is where Mend listens; in one process with us, it leaves its address in the environment.
        """
        self.mend_url: Callable[[], str] = lambda: os.environ.get("MEND_LOCAL_URL", "")
        self.folder = Path(data_dir).expanduser().resolve() / "demo"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = ProviderState()
        self.database = DemoDatabase(admin_url, hba_file)
        self.stitch = Stitch(
            "warehouse", "platform.hp-postgres", {"dbname": DATABASE, "user": WAREHOUSE},
            {"password": self.database.warehouse_password},
            lambda kept: self.database.replicate(WAREHOUSE, kept["password"]), TABLES[:2],
        )  # fmt: skip
        self.zendesk = Zendesk(lambda: f"{url}/hooks/desk/zendesk" if (url := self.mend_url()) else "")
        beside = {"/stitch": self.stitch.routes(), "/zendesk": self.zendesk.routes()}
        self.provider = DemoProvider(state, [Mount(path, routes=routes) for path, routes in beside.items()])
        self._files = {
            name: self._write(name, value)
            for name, value in {
                "warehouse_password": self.database.warehouse_password,
                "billing_password": self.database.billing_password,
                "hubspot_token": state.hubspot_token,
                "github_token": state.github_token,
                "stripe_key": state.stripe_key,
                "hubspot_client_secret": state.client_secret,
                "stitch_token": self.stitch.token,
                "zendesk_client_secret": self.zendesk.client_secret,
                "zendesk_signing_secret": self.zendesk.signing_secret,
            }.items()
        }

    def start(self) -> None:
        """Everything up, everything broken."""
        self.provider.start()
        try:
            self.database.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.stitch.stop()
        self.database.stop()
        self.provider.stop()

    def config(self) -> dict[str, Any]:
        """All that `mend.yml` has of the demo, once started."""
        return {
            "connections": self.connections(), "platform": self.platform(), "oauth": self.registrations(),
            "desk": self.desk(), "hooks": self.hooks(),
        }  # fmt: skip

    def connections(self) -> dict[str, dict[str, Any]]:
        """The `connections` of `mend.yml`, once started."""
        return {
            "warehouse": self._postgres(WAREHOUSE, "warehouse_password", TABLES[:2]),
            "billing": {**self._postgres(BILLING, "billing_password", TABLES), "platform_source": False},
            "hubspot-prod": self._http("hubspot", {"access_token": "hubspot_token"}, "contacts companies deals"),
            "github-org": self._http(
                "github", {"access_token": "github_token"}, "repositories teams", organization="acme"
            ),
            "payments": self._http(
                "stripe", {"api_key": "stripe_key"}, "charges customers invoices", environment="test"
            ),
        }

    def platform(self) -> dict[str, str]:
        """The `platform` of `mend.yml`, once started: it runs `warehouse` from now on, the others are not its own."""
        self.stitch.start()
        token = self._reference("stitch_token")
        return {"kind": "stitch", "token": token, "base_url": f"{self.provider.url}/stitch"}

    def desk(self) -> dict[str, str]:
        """The `desk` of `mend.yml`, once started."""
        secret = self._reference("zendesk_client_secret")
        url = f"{self.provider.url}/zendesk"
        return {"kind": "zendesk", "base_url": url, "client_id": self.zendesk.client_id, "client_secret": secret}

    def hooks(self) -> dict[str, dict[str, str]]:
        """The `hooks` of `mend.yml`: what the desk's webhook is signed with."""
        return {"desk": {"secret": self._reference("zendesk_signing_secret")}}

    def registrations(self) -> dict[str, dict[str, str]]:
        """The `oauth` of `mend.yml`, once started."""
        url = f"{self.provider.url}/hubspot/oauth"
        return {
            "hubspot": {
                "client_id": self.provider.state.client_id,
                "client_secret": self._reference("hubspot_client_secret"),
                "authorize_url": f"{url}/authorize",
                "token_url": f"{url}/v3/token",
            }
        }

    def actions(self) -> list[DemoAction]:
        """How to repair each connection, and how to break it again."""
        return [*self._database_actions(), *self._provider_actions()]

    def _database_actions(self) -> list[DemoAction]:
        database = self.database
        return [
            DemoAction(
                "warehouse-password",
                "warehouse",
                "Put the old password back",
                lambda: (
                    f"Somebody changed the password of {WAREHOUSE} to {database.changed_password}. "
                    "Give Mend the new one, or put the old one back."
                ),
                database.warehouse_broken,
                database.restore_password,
                database.change_password,
            ),
            DemoAction(
                "billing-grant",
                "billing",
                "Grant SELECT on public.invoices",
                f"The role {BILLING} may read orders and customers, and not invoices.",
                database.billing_broken,
                database.grant_invoices,
                database.revoke_invoices,
            ),
        ]

    def _provider_actions(self) -> list[DemoAction]:
        provider, state = self.provider, self.provider.state
        return [
            DemoAction(
                "hubspot-token",
                "hubspot-prod",
                "Reinstate the access token",
                lambda: (
                    "The private app's token was revoked in HubSpot; the new one is "
                    f"{state.hubspot_rotated}. Give Mend the new one, authorize it again from the thread, or "
                    "reinstate the old one."
                ),
                lambda: state.hubspot_revoked and not state.hubspot_new_in_use and not state.grants,
                provider.restore_hubspot_token,
                provider.revoke_hubspot_token,
            ),
            DemoAction(
                "github-scope",
                "github-org",
                "Grant the scope read:org",
                "The token may read repositories, and not the organization's teams.",
                lambda: "read:org" not in state.github_scopes,
                provider.grant_github_scope,
                provider.withdraw_github_scope,
            ),
            DemoAction(
                "stripe-incident",
                "payments",
                "End the outage",
                "Stripe's API is down, and its status page says so.",
                lambda: state.stripe_down,
                provider.end_stripe_outage,
                provider.start_stripe_outage,
            ),
        ]

    def _postgres(self, user: str, secret: str, tables: tuple[str, ...]) -> dict[str, Any]:
        return {
            "connector": "postgres",
            "settings": self.database.settings(user),
            "secrets": {"password": self._reference(secret)},
            "tables": list(tables),
        }

    def _http(self, connector: str, names: dict[str, str], tables: str, **more: str) -> dict[str, Any]:
        url = self.provider.url
        return {
            "connector": connector,
            "settings": {"base_url": f"{url}/{connector}", "status_url": f"{url}/status/{connector}", **more},
            "secrets": {key: self._reference(name) for key, name in names.items()},
            "tables": tables.split(),
            "platform_source": False,
        }

    def _reference(self, name: str) -> str:
        return f"${{file:{self._files[name]}}}"

    def _write(self, name: str, value: str) -> Path:
        """A secret in a file of its own that only its owner can read, replaced in one step."""
        path = self.folder / name
        fresh = self.folder / f".{name}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(value)
        fresh.replace(path)
        return path
