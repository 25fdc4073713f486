"""Servers of other versions and languages, scripted from the documented bytes; and servers that never come to an end.

https://www.postgresql.org/docs/current/protocol-message-formats.html
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from flows.core.finding import explaining
from tests.faults.frame import Wire
from tests.servers import listener

SETTINGS = {"host": "127.0.0.1", "database": "shop", "user": "stitch"}


def postgres_error(state: str, said: str, routine: str) -> bytes:
    body = b"".join(k.encode() + v.encode() + b"\0" for k, v in (
        ("S", "FATAL"), ("V", "FATAL"), ("C", state), ("M", said), ("F", "miscinit.c"), ("L", "700"), ("R", routine))) + b"\0"  # fmt: skip
    return b"E" + struct.pack("!I", len(body) + 4) + body


def postgres_says(answer: bytes) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        first = peer.recv(4096)
        if first[4:8] == struct.pack("!I", 80877103):
            peer.sendall(b"N")
            first = peer.recv(4096)
        if first:
            peer.sendall(answer)

    return talk


def greeting(version: str) -> bytes:
    body = (b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 7) + b"12345678\0" + struct.pack("<H", 0xF7FF & ~0x800) + b"\x21\x02\0"
            + struct.pack("<H", 0x81FF) + b"\x15" + bytes(10) + b"123456789012\0" + b"mysql_native_password\0")  # fmt: skip
    return len(body).to_bytes(3, "little") + b"\0" + body


def mysql_error(number: int, said: str, state: str = "28000") -> bytes:
    return b"\xff" + struct.pack("<H", number) + (b"#" + state.encode() if state else b"") + said.encode()


def mysql_says(version: str, error: bytes, *, at_once: bool = False) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        if not at_once:
            peer.sendall(greeting(version))
            if not peer.recv(4096):
                return
        peer.sendall(len(error).to_bytes(3, "little") + (b"\0" if at_once else b"\x02") + error)

    return talk


def code_of(connector: str, talk: Callable[[socket.socket], None], **more: float) -> tuple[str, str | None]:
    with listener(talk) as port:
        top = explaining(
            Wire(connector, {**SETTINGS, "port": port}, {"password": "x"}, ("sales.orders",), **more).look()
        )  # type: ignore[arg-type]
    assert top is not None
    return top.verdict, top.code


POSTGRES = [
    ("28P01", "password authentication failed for user \"stitch\"", "auth_failed", "auth.wrong_password"),
    ("28P01", "Passwort-Authentifizierung für Benutzer »stitch« fehlgeschlagen", "auth_failed", "auth.wrong_password"),
    ("28P01", "la autentificación password falló para el usuario «stitch»", "auth_failed", "auth.wrong_password"),
    ("28000", "kein pg_hba.conf-Eintrag für Host »10.0.0.9«, Benutzer »stitch«, Datenbank »shop«", "ClientAuthentication", "access.pg_hba_no_entry"),
    ("28000", "pg_hba.conf lehnt Verbindung ab für Host »10.0.0.9«, Benutzer »stitch«", "ClientAuthentication", "access.pg_hba_reject"),
    ("28000", "le rôle « stitch » n'est pas autorisé à se connecter", "InitializeSessionUserId", "auth.account_locked"),
    ("3D000", "la base de données « shop » n'existe pas", "InitPostgres", "config.unknown_database"),
    ("53300", "zu viele Verbindungen für Rolle »stitch«", "InitializeSessionUserId", "capacity.role_connection_limit"),
    ("53300", "zu viele Verbindungen für Datenbank »shop«", "CheckMyDatabase", "capacity.database_connection_limit"),
    ("53300", "tut mir leid, schon zu viele Verbindungen", "InitProcess", "capacity.too_many_connections"),
    ("42501", "keine Berechtigung für Datenbank shop", "CheckMyDatabase", "privilege.connect_missing"),
    ("57P03", "das Datenbanksystem startet", "ProcessStartupPacket", "availability.shutting_down"),
    ("57P03", "the database system is not accepting connections", "ProcessStartupPacket", "availability.hot_standby_off"),
    ("40001", "terminating connection due to conflict with recovery", "ProcessInterrupts", "contention.recovery_conflict"),
    ("57P05", "terminating connection due to idle-session timeout", "ProcessInterrupts", "capacity.idle_timeout"),
    ("25P03", "terminating connection due to idle-in-transaction timeout", "ProcessInterrupts", "capacity.idle_in_transaction_timeout"),
    ("53200", "Speicher aufgebraucht", "AllocSetAlloc", "capacity.out_of_memory"),
    ("53400", "temporäre Datei überschreitet temp_file_limit", "FileWrite", "capacity.temp_file_limit"),
    ("40P01", "Verklemmung entdeckt", "DeadLockReport", "contention.deadlock"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "said", "routine", "code"), POSTGRES)
def test_postgres_in_any_language_gives_the_code(state: str, said: str, routine: str, code: str) -> None:
    assert code_of("postgres", postgres_says(postgres_error(state, said, routine)))[1] == code


MYSQL = [
    ("5.7.44", 1045, "Accès refusé pour l'utilisateur: 'stitch'@'10.0.0.9' (mot de passe: OUI)", "auth.wrong_password"),
    ("8.4.3", 1045, "Access denied for user 'stitch'@'10.0.0.9' (using password: YES)", "auth.wrong_password"),
    ("8.0.40", 3118, "Access denied for user 'stitch'@'10.0.0.9'. Account is locked.", "auth.account_locked"),
    ("10.11.8-MariaDB", 4151, "Zugriff verweigert, dieses Konto ist gesperrt", "auth.account_locked"),
    ("8.0.40", 3955, "Access denied for user 'stitch'. Account is blocked for 2 day(s)", "auth.account_locked"),
    ("9.1.0", 1862, "Your password has expired. To log in you must change it", "auth.password_expired"),
    ("9.1.0", 3159, "Connections using insecure transport are prohibited", "tls.server_requires_tls"),
    ("5.7.44", 1049, "Unbekannte Datenbank 'shop'", "config.unknown_database"),
    ("12.0.2-MariaDB", 1044, "Benutzer 'stitch'@'%' hat keine Zugriffsberechtigung für Datenbank 'shop'", "privilege.database_missing"),
    ("5.7.44", 1203, "User stitch already has more than 'max_user_connections' active connections", "capacity.role_connection_limit"),
    ("8.4.3", 1226, "User 'stitch' has exceeded the 'max_questions' resource (current value: 9)", "capacity.account_quota"),
    ("9.1.0", 1524, "Plugin 'mysql_native_password' is not loaded", "auth.plugin_not_usable_remotely"),
    ("5.7.44", 1053, "Der Server wird heruntergefahren", "availability.shutting_down"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "number", "said", "code"), MYSQL)
def test_mysql_in_any_language_gives_the_code(version: str, number: int, said: str, code: str) -> None:
    assert code_of("mysql", mysql_says(version, mysql_error(number, said)))[1] == code


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [(1040, "Zu viele Verbindungen", "capacity.too_many_connections"), (1129, "Host '10.0.0.9' blockiert", "auth.too_many_attempts"),
     (1130, "Host '10.0.0.9' hat keine Berechtigung", "access.host_not_allowed")],
)  # fmt: skip
def test_mysql_that_refuses_before_it_greets(number: int, said: str, code: str) -> None:
    assert code_of("mysql", mysql_says("", mysql_error(number, said, ""), at_once=True))[1] == code


def flood(first: bytes, part: bytes) -> Callable[[socket.socket], None]:
    """A gigabyte, as fast as it is taken."""

    def talk(peer: socket.socket) -> None:
        peer.recv(4096) if not first else peer.sendall(first)
        for _ in range(1_000_000_000 // len(part)):
            peer.sendall(part)

    return talk


NOTICE = b"N" + struct.pack("!I", 4 + 60_001) + b"M" + b"x" * 59_999 + b"\0"


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("connector", "talk"),
    [("postgres", flood(b"", NOTICE)), ("postgres", flood(b"N", NOTICE)), ("mysql", flood(greeting("8.4.3"), b"\xff\xff\xff\x02" + b"x" * 60_000)),
     ("mysql", flood(b"", b"\0" * 60_000))],
    ids=["postgres at once", "postgres after TLS was denied", "mysql after the greeting", "mysql at once"],
)  # fmt: skip
def test_a_gigabyte_does_not_hold_the_check(connector: str, talk: Callable[[socket.socket], None]) -> None:
    verdict, _ = code_of(connector, talk, timeout=2.0)
    assert verdict in ("bad", "unclear")
