"""How a sheet describes an HTTP API: the calls, and what the provider's answers mean."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field as default

from flows.core.sheet_parts import Finder, Pattern, Strict

# A field in a JSON text: nothing in it can end the string, or a query that stands in one.
POSTED = re.compile(r'(?<!\\)"\{(\w+)\}"')


class Match(Strict):
    """An answer of the provider that means a cause: all given conditions hold.

    `body` is searched in the body, ignoring case; `header` is `Name` or `Name: pattern`. `alternatives` are codes
    that this answer cannot tell from `code`; with `verdict: unclear` it proves none of them. `identity`: it means this
    only as the answer of the identity call; for a provider that refuses a bad key and a missing right alike. `when` as
    in KeyForm.
    """

    status: int | None = None
    body: Pattern = ""
    header: Pattern = ""
    verdict: Literal["bad", "unclear"] = "bad"
    cause: str
    code: str
    alternatives: tuple[str, ...] = ()
    identity: bool = False
    when: dict[str, Pattern] = default(default_factory=dict)


class KeyForm(Strict):
    """A credential that by its own form cannot be right: it is not sent.

    `when` names settings and the patterns that they must fit for it: a test key is wrong in production only.
    """

    pattern: Pattern
    when: dict[str, Pattern] = default(default_factory=dict)
    cause: str = "invalid_credentials"
    code: str = "auth.invalid_token"


class Probe(Strict):
    """A read-only call for one resource, with the scopes or the role it needs.

    `partial`: without them it answers, but less. `grant` is the menu path that gives them, where it is not the
    sheet's own. `post` as in HttpSpec. `one_segment`: {resource} is a name, whose `/` is encoded; else it
    may be a path.
    """

    path: str
    scopes: tuple[str, ...] = ()
    role: str = ""
    grant: str = ""
    partial: bool = False
    post: str = ""
    one_segment: bool = False


class OAuth1(Strict):
    """The fields that sign a request by OAuth 1.0a, beside `secret`, which is the token's."""

    consumer_key: str = "consumer_key"
    consumer_secret: str = "consumer_secret"  # noqa: S105 - the name of a field
    token: str = "token"  # noqa: S105 - the name of a field
    sha: Literal["SHA1", "SHA256"] = "SHA1"
    realm: str = ""


class ResetSaid(Strict):
    """Where words or JSON tell how long a limit lasts: the first group of `pattern`, in `header`, else in the body."""

    pattern: Finder
    header: str = ""
    unit: Literal["seconds", "minutes"] = "seconds"


class Described(Strict):
    """What the provider itself publishes of its API, compared with the sheet's calls on the day `read` (YYYY-MM-DD).

    `at` is its address, `said` what of it was compared. Without `at` none could be read: then `said` tells why, and
    what the calls were taken from instead.
    """

    at: str = ""
    read: str
    said: str = ""


class HttpSpec(Strict):
    """How to call the API. `own_error` is a JSON key, `own_header` a header, that the provider's own errors carry;
    `own_text` is a pattern for a provider whose errors are no JSON, or have more than one form. `identity` is the call
    that answers only to a good credential; what the credential is called in `fields` is `secret`.

    Granted scopes are in a header, or in the answer of `scopes_path` under `scopes_body` (dots lead inward);
    `scopes_said` finds in a refusal, as its first group, the scopes that it asks for; `grant` is the menu path that
    gives scopes and roles. `post` is a JSON text to send by POST, for a provider that reads by POST
    (GraphQL); a field that is no secret may be a whole string of it, as {"id":"{field}"}.
    `account` is where the identity call's answer says whose the credential is (dots lead inward).
    `good` stands in every good answer of the identity call, for a provider that says 200 to everybody.
    `expires_header` is a header, `expires_body` a place in the same answer, that say when the credential ends.
    `keys` are forms of credentials that cannot be right. `reset_header` or `reset_said` says when a
    limit ends; of several headers, one for each window, the one with nothing left in its `-Remaining` counts.
    `token_url`: the secret belongs to the app `user` and is exchanged there for an access token (client credentials,
    https://www.rfc-editor.org/rfc/rfc6749#section-4.4), with `token_scope` where one must be asked for; a refresh token
    is never sent anywhere.
    `basic`: the secret is the password of `user`, a text in which fields are filled in ("{email}", "{email}/token").
    `key_as_user`: the secret is the user of basic authentication, `password` what the provider wants beside it.
    `headers` may hold {field}, also of a secret.
    """

    base_url: str
    described: Described | None = None
    auth: Literal["bearer", "basic", "key_as_user", "header", "query", "oauth1", "none"] = "bearer"
    secret: str = "access_token"  # noqa: S105 - the name of a field
    user: str = ""
    password: str = ""
    oauth1: OAuth1 = OAuth1()
    header: str = ""
    prefix: str = ""
    headers: dict[str, str] = default(default_factory=dict)
    token_url: str = ""
    token_scope: str = ""
    keys: tuple[KeyForm, ...] = ()
    identity: str
    account: str = ""
    expires_header: str = ""
    expires_body: str = ""
    post: str = ""
    good: Pattern = ""
    own_error: str = ""
    own_header: str = ""
    own_text: Pattern = ""
    scopes_header: str = ""
    scopes_path: str = ""
    scopes_body: str = ""
    scopes_said: Finder = ""
    implies: dict[str, tuple[str, ...]] = default(default_factory=dict)
    grant: str = ""
    reset_header: str | tuple[str, ...] = ""
    reset_said: ResetSaid | None = None
    resources: dict[str, Probe] = default(default_factory=dict)
    other: Probe | None = None
    answers: tuple[Match, ...] = ()
