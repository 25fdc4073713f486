"""The parts of a sheet that every connector may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a pattern: {error}") from None
    return pattern


def _finds(pattern: str) -> str:
    if pattern and not re.compile(pattern).groups:
        raise ValueError("no group: what it is to find stands in (...)")
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
# What it finds is its first group.
Finder = Annotated[Pattern, AfterValidator(_finds)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Field(Strict):
    """One thing a person fills in. `also` are other names under which people write it, `where` is where to find it.

    `choices` are the only values, each with what stands for it in an address: regions, sites, environments.
    """

    name: str
    label: str
    help: str
    example: str = ""
    where: str = ""
    secret: bool = False
    required: bool = False
    default: str = ""
    pattern: Pattern = ""
    choices: dict[str, str] = {}
    also: tuple[str, ...] = ()


class StatusPage(Strict):
    """`generic` is for people only; `page` is where they look, where `url` is for programs.

    Of a page for many products only incidents of the named `components` count; they may hold {field}, where a page
    tells by region."""

    kind: Literal[
        "statuspage",
        "slack_status",
        "google_cloud",
        "statusio",
        "salesforce_trust",
        "salesforce_product",
        "zendesk_status",
        "aws_events",
        "meta_status",
        "microsoft_post",
        "ringcentral_status",
        "statuscast",
        "sorry",
        "generic",
    ]
    url: str
    page: str = ""
    components: tuple[str, ...] = ()


class Regeneration(Strict):
    """How a new credential is made: `who` may do it, `steps` through the provider's console, in its own menu words.

    `who` goes on after "This is for". `kind` is what Mend offers first: `reauthorize` where people sign in, `rotate`
    where a new one works beside the old, which is ended last, `update_credentials` where one is only replaced.
    `shown_once` and `old_stays_valid` say nothing where it is not known, or nothing is copied. `expires` says when a
    credential ends by itself, `lifetime_days` after how many days the kind of it that is filled in surely does.
    """

    kind: Literal["update_credentials", "reauthorize", "rotate"]
    who: str
    steps: tuple[str, ...] = ()
    shown_once: bool | None = None
    old_stays_valid: bool | None = None
    expires: str = ""
    lifetime_days: int = 0


class Allowlist(Strict):
    """Where the provider or the network lets callers in by address. `always` is false where most accounts have none."""

    where: str
    always: bool = False


# How the pipeline platform holds the credential. With `oauth` a person signs in again, with the others one is typed in.
PlatformAuth = Literal[
    "oauth", "oauth_client", "api_key", "key_secret", "username_password", "token_based_auth", "jwt",
    "service_account_json", "aws_role", "ssh_key", "database",
]  # fmt: skip
NOT_CHECKED = "facts of November 2026, not re-checked"


def by_name(fields: tuple[Field, ...], name: str, given: Mapping[str, str]) -> str:
    """A value by its field's name or one of the names people also use."""
    field = next((f for f in fields if f.name == name), None)
    for key in (name, *(field.also if field else ())):
        if key in given:
            return given[key]
    return ""
