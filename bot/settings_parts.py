"""What the parts of `mend.yml` are made of, and the parts that stand by themselves."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# Ids as Slack writes them: https://docs.slack.dev/reference/objects/usergroup-object
PERSON, GROUP = re.compile(r"[UW][A-Z0-9]{2,20}"), re.compile(r"S[A-Z0-9]{2,20}")
REFERENCE = re.compile(r"\$\{(env|file|vault):([^}]+)\}")


class SettingsError(Exception):
    """One line that says what is wrong and how to mend it."""


def _well_formed(value: str) -> str:
    """A mistyped reference must not be taken for a password. The message shows no part of the value."""
    if REFERENCE.fullmatch(value.strip()):
        return value
    if value.strip().startswith("${"):
        raise ValueError("not a reference that Mend knows: write ${env:NAME}, ${file:PATH} or ${vault:NAME}")
    if REFERENCE.search(value):
        raise ValueError('a reference is filled in only where it is the whole value, as in "${env:NAME}"')
    return value


Secret = Annotated[str, AfterValidator(_well_formed)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, raw: Any) -> Any:
        """A key with nothing behind it, as when all below it is a comment, is as if it were not there."""
        if not isinstance(raw, dict):
            return raw
        return {key: value for key, value in raw.items() if value is not None or key not in cls.model_fields}


def is_person(owner: str | None) -> bool:
    return bool(PERSON.fullmatch(owner or ""))


def is_group(owner: str | None) -> bool:
    """Whether it is a user group, whose members only Slack knows."""
    return bool(GROUP.fullmatch(owner or ""))


class Hook(Strict):
    """Another program that may tell Mend something: its secret, and for alerts the channel where cases are opened."""

    secret: Secret = Field(repr=False)
    channel: str = ""
    team: str = ""


class Hooks(Strict):
    alert: Hook | None = None
    desk: Hook | None = None


class Access(Strict):
    """`workspaces` are those (T0...) that may install Mend; none named: any that Slack lets install the app."""

    admins: list[str] = Field(default_factory=list)
    channels: list[str] = Field(default_factory=list)
    workspaces: list[str] = Field(default_factory=list)

    def lets_in(self, team: str) -> bool:
        return not self.workspaces or team in self.workspaces
