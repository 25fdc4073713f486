"""MySQL and MariaDB: an account's password, sent as its hash where the server takes one, else only on a safe line."""

from __future__ import annotations

import hashlib
import re
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bot.drivers import mysql_catalogue as catalogue
from bot.drivers.mysql import _context, _cut, _login
from bot.drivers.mysql_words import words
from bot.drivers.network import Deadline, Trouble, connect, reached

# ProxySQL answers this by itself and with its own name, as long as it is written as MySQL's own client does:
# https://github.com/sysown/proxysql/blob/v2.7.3/lib/MySQL_Session.cpp
COMMENT = "select @@version_comment limit 1"
SECOND = """
SELECT COUNT(*) FROM mysql.user
WHERE user = %s AND JSON_EXTRACT(user_attributes, '$.additional_password') IS NOT NULL
"""


@dataclass(frozen=True)
class Seen:
    """The account as GRANT writes it; whether its password may be sent as a hash, is safe on this line, and may be
    kept beside a new one; whether nothing can be written here; whether an account that changes its own password may
    name the one it replaces; whether an older one is kept beside it already, which only an administrator sees; and
    the name of a pooler that answers in place of the server."""

    account: str
    maria: bool
    native: bool
    safe: bool
    two: bool
    read_only: bool
    naming: bool = False
    second: bool = False
    pooler: str = ""


@contextmanager
def _session(settings: Mapping[str, Any], password: str, timeout: float, *sent: str) -> Iterator[tuple[Any, bool]]:
    """(a connection, whether nobody else can read its line). Raises Trouble, without the passwords that are `sent`: a
    server that does not understand a statement repeats it.
    """
    import pymysql

    deadline = Deadline(timeout)
    host, port = str(settings.get("host") or "localhost"), int(settings.get("port") or 3306)
    with connect(host, port, timeout) as line:
        context, _ = _context(settings, line, f"{host}:{port}", deadline)
        safe = context is not None or reached(line) in ("127.0.0.1", "::1")
        cut = line.dup()
        watchdog = threading.Timer(deadline.left(), _cut, [cut])
        watchdog.daemon = True
        watchdog.start()
        try:
            yield _login(pymysql, settings, password, line, context, deadline), safe
        except (pymysql.MySQLError, OSError, ValueError, struct.error, IndexError, RuntimeError) as error:
            late = f"{host}:{port}: no complete answer within {timeout:g} s"
            over = deadline.over()
            if over:
                raise Trouble("host_unreachable", "network.accepts_but_silent", late) from None
            trouble = words(error)
            for secret in sorted({password, *sent} - {""}, key=len, reverse=True):
                trouble.evidence = trouble.evidence.replace(secret, "***")
            raise trouble from None
        finally:
            watchdog.cancel()
            cut.close()


def look(settings: Mapping[str, Any], password: str, role: str, timeout: float) -> list[Seen]:
    """The account that logged in; with `role`, every account of that name. Raises Trouble."""
    with _session(settings, password, timeout) as (connection, safe), connection.cursor() as cursor:
        cursor.execute(COMMENT)
        said = str(cursor.fetchone()[0])
        pooler = said if "ProxySQL" in said else ""
        cursor.execute("SELECT CURRENT_USER(), VERSION(), @@read_only")
        own, version, read_only = cursor.fetchone()
        names = [str(own)]
        if role:
            cursor.execute("SELECT CONCAT(user, '@', host) FROM mysql.user WHERE user = %s", [role])
            names = [str(row[0]) for row in cursor.fetchall()]
        maria = "MariaDB" in version
        dual = not maria and _at_least(version, (8, 0, 14))
        two = dual and _may_keep_two(cursor, own=not role)
        second = dual and bool(role) and _second(cursor, role)
        naming = not maria and _at_least(version, (8, 0, 13))
        return [
            Seen(one, maria, _native(cursor, one), safe, two, bool(read_only) and not role, naming, second, pooler)
            for one in map(catalogue.account, names)
        ]


def set_password(
    settings: Mapping[str, Any], password: str, new: str, timeout: float, seen: Seen, *, own: bool, named: str = ""
) -> None:
    """Give the account the password `new`; with `seen.two` the old one stays valid beside it. Raises Trouble.

    `named` is the one that is replaced, where it is not that of the login.
    """
    # The host of an account is mostly '%', which stands for a value in a statement that has values.
    account = seen.account.replace("%", "%%")
    with _session(settings, password, timeout, new, named) as (connection, safe), connection.cursor() as cursor:
        if seen.native and seen.maria:
            whose = "" if own else f" FOR {account}"
            # What is sent is what the server would store: https://mariadb.com/kb/en/set-password/
            cursor.execute(f"SET PASSWORD{whose} = %s", [_hashed(new)])
            return
        if not safe:
            raise Trouble("tls_mismatch", "tls.server_requires_tls", "the line is not encrypted")
        if seen.maria:
            cursor.execute(f"SET PASSWORD{'' if own else f' FOR {account}'} = PASSWORD(%s)", [new])
            return
        # Servers write passwords in such statements as <secret> into their logs:
        # https://dev.mysql.com/doc/refman/8.4/en/password-logging.html
        keep = " RETAIN CURRENT PASSWORD" if seen.two else ""
        if own and seen.naming:
            # Accounts may have to name it (PASSWORD REQUIRE CURRENT). And who came in with the older of two passwords
            # is refused: the younger would be kept in its place, and the one that is in use would end.
            cursor.execute(f"ALTER USER USER() IDENTIFIED BY %s REPLACE %s{keep}", [new, named or password])
            return
        cursor.execute(f"ALTER USER {'USER()' if own else account} IDENTIFIED BY %s{keep}", [new])


def discard_old(settings: Mapping[str, Any], password: str, account: str, timeout: float, *, own: bool) -> None:
    """End the password that was kept beside the new one. Raises Trouble."""
    with _session(settings, password, timeout) as (connection, _), connection.cursor() as cursor:
        cursor.execute(f"ALTER USER {'USER()' if own else account} DISCARD OLD PASSWORD")


def _hashed(new: str) -> str:
    """https://mariadb.com/kb/en/authentication-plugin-mysql_native_password/"""
    return "*" + hashlib.sha1(hashlib.sha1(new.encode()).digest()).hexdigest().upper()  # noqa: S324 - their format


def _at_least(version: str, wanted: tuple[int, int, int]) -> bool:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return bool(found) and tuple(int(n) for n in found.groups()) >= wanted  # type: ignore[union-attr]


def _may_keep_two(cursor: Any, *, own: bool) -> bool:
    """https://dev.mysql.com/doc/refman/8.4/en/password-management.html#dual-passwords"""
    grants = " ".join(catalogue.grants(cursor)).upper()
    right = "APPLICATION_PASSWORD_ADMIN" if own else "CREATE USER"
    return right in grants or "ALL PRIVILEGES ON *.*" in grants


def _second(cursor: Any, user: str) -> bool:
    """Where the hash of the older one lies: https://dev.mysql.com/doc/refman/8.4/en/grant-tables.html"""
    cursor.execute(SECOND, [user])
    return bool(cursor.fetchone()[0])


def _native(cursor: Any, account: str) -> bool:
    cursor.execute(f"SHOW CREATE USER {account}")
    said = str(cursor.fetchone()[0])
    return "IDENTIFIED BY PASSWORD" in said or "mysql_native_password" in said
