"""The environment variables of contract.md, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.settings import SettingsError


@dataclass(frozen=True, repr=False)
class Environment:
    """Which variables are set. It holds tokens: it is not printed."""

    slack_bot_token: str
    slack_app_token: str
    slack_signing_secret: str
    slack_client_id: str
    slack_client_secret: str
    slack_api_url: str
    public_url: str | None
    log: str

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Environment:
        tokens = {
            name: env.get(name.upper()) or ""
            for name in (
                "slack_bot_token",
                "slack_app_token",
                "slack_signing_secret",
                "slack_client_id",
                "slack_client_secret",
            )
        }
        base = (env.get("SLACK_API_URL") or "https://slack.com/api/").rstrip("/") + "/"
        log = env.get("MEND_LOG") or "text"
        return cls(**tokens, slack_api_url=base, public_url=env.get("MEND_PUBLIC_URL") or None, log=log)

    @property
    def secrets(self) -> list[str]:
        """What no log line may hold."""
        all_of_them = (self.slack_bot_token, self.slack_app_token, self.slack_signing_secret, self.slack_client_secret)
        return [value for value in all_of_them if value]

    @property
    def by_http(self) -> bool:
        return not self.slack_app_token

    @property
    def many_workspaces(self) -> bool:
        """Whether workspaces install Mend themselves: only over HTTP."""
        return self.by_http and bool(self.slack_client_id and self.slack_client_secret)

    def check(self, *, listens: bool) -> None:
        """Raises SettingsError when Slack cannot be used with what is set."""
        if self.log not in ("text", "json"):
            raise SettingsError("MEND_LOG: choose text or json")
        if self.by_http and bool(self.slack_client_id) != bool(self.slack_client_secret):
            raise SettingsError(
                "set both SLACK_CLIENT_ID and SLACK_CLIENT_SECRET (Basic Information of your app), or neither"
            )
        if not self.slack_bot_token and not self.many_workspaces:
            raise SettingsError(
                "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-...) of your app; "
                "`mend doctor` checks it"
            )
        if listens and not self.slack_app_token and not self.slack_signing_secret:
            raise SettingsError(
                "set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP): without one Slack cannot reach Mend"
            )
