"""A Snowflake account over HTTP: login, statements and logout as the drivers' published protocol has them.

Written from the recorded exchanges in test/data/wiremock of https://github.com/snowflakedb/snowflake-connector-python
and from the pages of SHOW WAREHOUSES, SHOW RESOURCE MONITORS, SHOW GRANTS and EXPLAIN under
https://docs.snowflake.com/en/sql-reference/sql/. Snowflake's own connector logs in here and reads, too: see
tests/faults/test_snowflake.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.serve import Reply

FAILED = "0ce9eb56-821d-4ca9-a774-04ae89a0cf5a"
Refusal = tuple[str, str]  # number, words
HIDDEN = "SQL compilation error:\n{kind} '{name}' does not exist or not authorized."


@dataclass
class Warehouse:
    state: str = "SUSPENDED"
    auto_resume: str = "true"
    monitor: str = "null"


@dataclass
class Snowflake:
    """One account. `denies` maps a part of a statement to its refusal, `login` refuses every login."""

    account: str = "ACME-SHOP"
    password: str = "right"
    token: str = "pat-right"
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    roles: tuple[str, ...] = ("PIPELINE", "PUBLIC")
    default_role: str = "PIPELINE"
    warehouses: dict[str, Warehouse] = field(default_factory=lambda: {"PIPELINE_WH": Warehouse()})
    default_warehouse: str = ""
    monitors: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # used, quota, suspend_at
    schemas: dict[str, set[str]] = field(default_factory=lambda: {"SHOP": {"PUBLIC"}})
    tables: set[str] = field(default_factory=lambda: {"SHOP.PUBLIC.ORDERS", "SHOP.PUBLIC.CUSTOMERS"})
    denies: dict[str, Refusal] = field(default_factory=dict)
    login: Refusal | None = None
    waits: str = "RETRY_LOGIN"
    page: tuple[int, str] | None = None
    logins: int = 0
    sessions: int = 0
    statements: list[str] = field(default_factory=list)

    def pem(self, passphrase: str = "") -> str:
        hidden = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, hidden).decode()

    def answer(self, path: str, headers: Mapping[str, str]) -> Reply:
        if self.page:
            return self.page[0], {"Content-Type": "text/html"}, self.page[1]
        parts, posted = urlsplit(path), json.loads(headers.get(":posted") or "{}")
        if parts.path == "/session/v1/login-request":
            return self._login({k: v[0] for k, v in parse_qs(parts.query).items()}, posted["data"])
        if headers.get("authorization") != 'Snowflake Token="session"':
            return _no("390104", "Session token not found in the request data.")
        if parts.path == "/session":
            self.sessions -= 1
            return _yes({})
        if parts.path != "/queries/v1/query-request":
            return _yes({})
        self.statements.append(posted["sqlText"])
        return self._statement(posted["sqlText"])

    def _login(self, place: Mapping[str, str], who: Mapping[str, Any]) -> Reply:
        self.logins += 1
        refused = self.login or self._refused(who) or self._no_role(place.get("roleName", "").upper())
        if refused:
            return _no(*refused, {"nextAction": self.waits, "signInOptions": {}})
        self.sessions += 1
        database, schema = place.get("databaseName", "").upper(), place.get("schemaName", "").upper()
        warehouse = place.get("warehouse", self.default_warehouse).upper()
        known = database in self.schemas
        where = {
            "databaseName": database if known else None,
            "schemaName": schema if known and schema in self.schemas[database] else None,
            "warehouseName": warehouse if warehouse in self.warehouses else None,
            "roleName": place.get("roleName", self.default_role).upper(),
        }
        made = {"token": "session", "masterToken": "master", "validityInSeconds": 3600, "sessionId": 1,
                "masterValidityInSeconds": 14400, "parameters": [], "sessionInfo": where, "displayUserName": "STITCH",
                "serverVersion": "9.36.0", "firstLogin": False}  # fmt: skip
        return _yes(made)

    def _refused(self, who: Mapping[str, Any]) -> Refusal | None:
        way = who.get("AUTHENTICATOR", "SNOWFLAKE")
        if way == "SNOWFLAKE_JWT":
            return None if self._signed(who["TOKEN"]) else ("390144", f"JWT token is invalid. [{FAILED}]")
        if way == "PROGRAMMATIC_ACCESS_TOKEN":
            return None if who["TOKEN"] == self.token else ("394400", "Programmatic access token is invalid.")
        if way == "OAUTH":
            return None if who["TOKEN"] == self.token else ("390303", "Invalid OAuth access token. [1172527951366]")
        good = who.get("PASSWORD") == self.password and who["LOGIN_NAME"].upper() == "STITCH"
        return None if good else ("390100", "Incorrect username or password was specified.")

    def _signed(self, token: str) -> bool:
        said, _, signature = token.rpartition(".")
        claims = json.loads(_bytes(said.partition(".")[2]))
        der = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        name, shown = f"{self.account}.STITCH", base64.b64encode(hashlib.sha256(der).digest()).decode()
        try:
            self.key.public_key().verify(_bytes(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return (
            claims["sub"] == name
            and claims["iss"] == f"{name}.SHA256:{shown}"
            and claims["exp"] - claims["iat"] <= 3600
        )

    def _no_role(self, asked: str) -> Refusal | None:
        rest = "Contact your local system administrator, or attempt to login"
        if asked and asked not in self.roles:
            words = f"Role '{asked}' specified in the connect string does not exist or not authorized. {rest} with another role, e.g. PUBLIC."
            return "390189", words
        if not asked and self.default_role not in self.roles:
            return "", (
                f"User's configured default role '{self.default_role}' is not granted to this user. {rest} "
                "using a CLI client with a connect string selecting another role, e.g. PUBLIC."
            )
        return None

    def _statement(self, sql: str) -> Reply:
        for part, refusal in self.denies.items():
            if part in sql:
                return _no(*refusal)
        if sql.startswith("SHOW WAREHOUSES"):
            rows = [{"name": n, "state": w.state, "auto_resume": w.auto_resume, "resource_monitor": w.monitor}
                    for n, w in self.warehouses.items()]  # fmt: skip
            return _rows(rows)
        if sql.startswith("SHOW RESOURCE MONITORS"):
            return _rows([{"name": n, "used_credits": u, "credit_quota": q, "suspend_at": s}
                          for n, (u, q, s) in self.monitors.items()])  # fmt: skip
        if sql.startswith("SHOW GRANTS"):
            return _rows([{"privilege": "USAGE", "granted_on": "DATABASE", "name": name} for name in self.schemas])
        return self._read(sql)

    def _read(self, sql: str) -> Reply:
        """A plan, or a refusal that names the outermost thing that may not be seen."""
        for database, schema, table in re.findall(r'"([^"]+)"\."([^"]+)"\."([^"]+)"', sql):
            if database not in self.schemas:
                return _no("002043", HIDDEN.format(kind="Database", name=database))
            if schema not in self.schemas[database]:
                return _no("002043", HIDDEN.format(kind="Schema", name=f"{database}.{schema}"))
            if f"{database}.{schema}.{table}" not in self.tables:
                return _no("002003", HIDDEN.format(kind="Object", name=f"{database}.{schema}.{table}"))
        return _rows([{"content": "GlobalStats:"}])


def _rows(rows: list[dict[str, str]]) -> Reply:
    types = [{"name": name, "type": "text", "nullable": True, "length": 16777216, "byteLength": 16777216,
              "precision": None, "scale": None} for name in (rows[0] if rows else {})]  # fmt: skip
    made = {"rowtype": types, "rowset": [list(row.values()) for row in rows], "total": len(rows), "returned": len(rows),
            "queryId": "01", "queryResultFormat": "json", "statementTypeId": 12288, "version": 1, "parameters": [],
            "finalRoleName": "PIPELINE", "finalDatabaseName": None, "finalSchemaName": None, "finalWarehouseName": None,
            "sqlState": None}  # fmt: skip
    return _yes(made)


def _yes(data: dict[str, Any]) -> Reply:
    return 200, {}, {"data": data, "code": None, "message": None, "success": True}


def _no(number: str, words: str, data: dict[str, Any] | None = None) -> Reply:
    return (
        200,
        {},
        {"data": data or {"errorCode": number}, "code": number, "message": words, "success": False, "headers": None},
    )


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
