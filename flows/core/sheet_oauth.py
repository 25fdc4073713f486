"""How a sheet describes the provider's authorization: where a person says yes, and what must be asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field as default

from flows.core.sheet_http import HttpSpec
from flows.core.sheet_parts import Strict


class OAuth(Strict):
    """Authorization code grant, https://www.rfc-editor.org/rfc/rfc6749#section-4.1; addresses may hold {field}.

    `scopes` are always asked for, and with `from_tables` those that the selected resources name in `http`; there
    `prefix` stands before a short name. `params` are sent always, `force` where a scope was left out or no refresh
    token is held. `stores` says which secret an answer's key goes into; unset, `access_token` into `http.secret`.
    `lives` is how many seconds an access token surely works where the answer does not say it. `rotates`: each refresh
    gives a new refresh token. Of what the browser brings back, `issuer` is what `iss` must be, `account` a parameter
    and what it must be for the same account (`realmId: "{realm_id}"`), `signature` the parameter with the hex HMAC of
    all the others under the client's secret. `exchange` is sent with the code, `refresh` with a refresh token; `extend`
    is the grant by which the token that a code gives is exchanged for one that lives longer. `sets` are settings that
    go with such a token, where one that is typed in is sent otherwise (`auth: bearer`). Refresh tokens and the client
    are no fields of the sheet. `source` documents all this; what was not read there is said to be from memory.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ()
    from_tables: bool = True
    prefix: str = ""
    separator: str = " "
    params: dict[str, str] = default(default_factory=dict)
    force: dict[str, str] = default(default_factory=dict)
    exchange: dict[str, str] = default(default_factory=dict)
    refresh: dict[str, str] = default(default_factory=dict)
    extend: str = ""
    pkce: bool = False
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_post"
    stores: dict[str, str] = default(default_factory=dict)
    rotates: bool = False
    lives: int = default(default=0, ge=0)
    issuer: str = ""
    signature: str = ""
    account: dict[str, str] = default(default_factory=dict)
    sets: dict[str, str] = default(default_factory=dict)
    source: str


def scopes_of(oauth: OAuth, http: HttpSpec | None, tables: Sequence[str], more: Iterable[str] = ()) -> list[str]:
    """What the selected resources need, in the provider's own full form; none twice."""
    names = list[str]()
    if http and oauth.from_tables:
        chosen = tables or tuple(http.resources)
        probes = [probe for one in chosen if (probe := http.resources.get(one, http.other))]
        probes = probes or ([http.other] if http.other else [])
        names = [scope for probe in probes for scope in probe.scopes]
    return list(dict.fromkeys([*oauth.scopes, *(full(oauth, name) for name in names), *more]))


def full(oauth: OAuth, name: str) -> str:
    return name if "://" in name else oauth.prefix + name


# They are asked for with the others, and mean more than an access token: not every provider names them in its answer.
SILENT = frozenset({"offline_access", "refresh_token", "openid", "profile", "email", "oauth"})


def missing(wanted: Iterable[str], granted: Iterable[str], http: HttpSpec | None) -> list[str]:
    """What was asked for and not granted; a wider scope may include it."""
    given = set(granted)
    implied = {more for one in given for more in (http.implies.get(one, ()) if http else ())}
    return [scope for scope in wanted if scope not in given | implied | SILENT]
