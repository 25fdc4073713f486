"""Snowflake over HTTP, as its own drivers speak: one login, questions that start no warehouse, and the session's end.

The calls are those of https://github.com/snowflakedb/snowflake-connector-python (auth/_auth.py, network.py, cursor.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from bot.drivers.http import Answer, get
from bot.drivers.network import Deadline, Trouble
from bot.drivers.snowflake_key import word
from bot.drivers.snowflake_words import known

CONFIG, WRONG = "config_error", "invalid_credentials"
# How each way in is called at login; a password needs no name.
WAYS = {"key": "SNOWFLAKE_JWT", "token": "PROGRAMMATIC_ACCESS_TOKEN", "oauth": "OAUTH"}
# Still running; the answer would have to be fetched later: QUERY_IN_PROGRESS_CODE and ..._ASYNC_CODE of network.py.
RUNNING = ("333333", "333334")


@dataclass(frozen=True)
class Login:
    """Who signs in where. `way` is password, key, token or oauth; `secret` what belongs to it."""

    base: str
    account: str
    user: str
    way: str
    secret: str
    passphrase: str = ""
    role: str = ""
    warehouse: str = ""
    database: str = ""
    schema: str = ""


def address(settings: Mapping[str, Any]) -> str:
    """https://<account>.snowflakecomputing.com, or what the settings say instead. Raises Trouble.

    https://docs.snowflake.com/en/user-guide/admin-account-identifier
    """
    if settings.get("base_url"):
        return str(settings["base_url"]).rstrip("/")
    return f"https://{_host(str(settings.get('account') or ''))}"


def _host(account: str) -> str:
    given = account.strip().lower()
    host = urlsplit(given).hostname or "" if "://" in given else given.partition("/")[0]
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
        words = f"account: {account[:80]!r} is no account identifier, which looks like organization-account"
        raise Trouble(CONFIG, "config.malformed_url", words)
    if not host.endswith((".snowflakecomputing.com", ".snowflakecomputing.cn")):
        host = f"{host}.snowflakecomputing.com"
    # A host name has no underscore: the same page, "Account names with underscores".
    return host.replace("_", "-")


def identifier(settings: Mapping[str, Any]) -> str:
    """The account as it is named inside Snowflake: without region, cloud and domain."""
    given = str(settings.get("account") or "").strip()
    host = (urlsplit(given).hostname or "") if "://" in given else given.partition("/")[0]
    return host.partition(".")[0].upper()


class Session:
    """One login and what it may see. Every call ends by the one deadline."""

    def __init__(self, login: Login, deadline: Deadline, proxy: str | None, ca_file: str | None) -> None:
        self.login, self.deadline, self.proxy, self.ca_file = login, deadline, proxy, ca_file
        self.token, self.count = "", 0
        self.role = self.warehouse = self.database = self.schema = ""

    def open(self) -> None:
        """Sign in once. Raises Trouble."""
        login = self.login
        wanted = {"databaseName": login.database, "schemaName": login.schema, "warehouse": login.warehouse,
                  "roleName": login.role}  # fmt: skip
        place = {"request_id": str(uuid.uuid4()), **{name: value for name, value in wanted.items() if value}}
        told = self._told("/session/v1/login-request", place, {"data": self._who()}, "login")
        data = told.get("data") or {}
        if not told.get("success") or not data.get("token"):
            raise known(str(told.get("code") or ""), str(told.get("message") or ""), "login", data.get("nextAction"))
        self.token, given = str(data["token"]), data.get("sessionInfo") or {}
        self.role, self.warehouse = str(given.get("roleName") or ""), str(given.get("warehouseName") or "")
        self.database, self.schema = str(given.get("databaseName") or ""), str(given.get("schemaName") or "")

    def _who(self) -> dict[str, Any]:
        # Without EXT_AUTHN_DUO_METHOD nobody's telephone rings because of a check.
        login = self.login
        who: dict[str, Any] = {"CLIENT_APP_ID": "Mend", "ACCOUNT_NAME": login.account, "LOGIN_NAME": login.user}
        if login.way == "password":
            return who | {"PASSWORD": login.secret}
        token = word(login.account, login.user, login.secret, login.passphrase) if login.way == "key" else login.secret
        return who | {"AUTHENTICATOR": WAYS[login.way], "TOKEN": token}

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a statement, by column. Raises Trouble with Snowflake's own number."""
        self.count += 1
        asked = {"sqlText": sql, "asyncExec": False, "sequenceId": self.count, "isInternal": False}
        told = self._told("/queries/v1/query-request", {"requestId": str(uuid.uuid4())}, asked, sql)
        if str(told.get("code")) in RUNNING:
            raise Trouble("third_party_down", "availability.too_slow", f"{sql}: still running after 45 s")
        data = told.get("data") or {}
        if not told.get("success"):
            raise known(str(told.get("code") or data.get("errorCode") or ""), str(told.get("message") or ""), sql)
        names = [str(column.get("name")).lower() for column in data.get("rowtype") or []]
        return [dict(zip(names, row, strict=False)) for row in data.get("rowset") or []]

    def close(self) -> None:
        """End the session, so that none is left to count against anybody."""
        if self.token:
            with contextlib.suppress(Trouble):
                self._told("/session", {"delete": "true"}, {}, "logout")
            self.token = ""

    def _told(self, path: str, query: Mapping[str, str], body: Mapping[str, Any], what: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/snowflake"}
        headers |= {"Authorization": f'Snowflake Token="{self.token}"'} if self.token else {}
        url = f"{self.login.base}{path}?{urlencode(query)}"
        answer = get(url, headers, self.deadline.left(), proxy=self.proxy, ca_file=self.ca_file, post=json.dumps(body))
        told = answer.json()
        if isinstance(told, dict) and "success" in told:
            return told
        raise _foreign(answer, what)


def _foreign(answer: Answer, what: str) -> Trouble:
    """An answer in a form that is not Snowflake's own: a wrong account, its front, or somebody else."""
    said = f"{what}: HTTP {answer.status}"
    # An account that does not exist is answered by the front alone, with 403, 404 or 513 by its age:
    # https://community.snowflake.com/s/article/HTTP-513-Error
    if answer.status in (403, 404, 513):
        words = f"{said}: no Snowflake account answers at {urlsplit(answer.url).hostname}"
        return Trouble(CONFIG, "config.wrong_base_path", words, ("access.waf_blocked",))
    if answer.status == 429:
        return Trouble("rate_limited", "limit.rate_limited", said)
    if answer.status >= 500:
        return Trouble("third_party_down", "availability.bad_gateway", said)
    words = f"{said}, which does not come from Snowflake"
    return Trouble(CONFIG, "config.wrong_port_other_service", words, ("access.waf_blocked",))


@contextlib.contextmanager
def session(login: Login, deadline: Deadline, proxy: str | None, ca_file: str | None) -> Iterator[Session]:
    """A session that is ended whatever happens. Raises Trouble."""
    made = Session(login, deadline, proxy, ca_file)
    try:
        made.open()
        yield made
    finally:
        made.close()
