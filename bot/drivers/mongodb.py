"""MongoDB by pymongo: one server, one login, and questions that change nothing, within one hard limit."""

from __future__ import annotations

import queue
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.network import Deadline, Trouble, bounded, os_trouble

AUTH = ("invalid_credentials", "auth.wrong_password", ("auth.unknown_user", "config.wrong_auth_database"))
STOPPING = ("connection_dropped", "availability.shutting_down", ())
NO_PRIMARY = ("connection_dropped", "availability.no_primary", ())
SLOW = ("connection_dropped", "availability.too_slow", ())
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml; 8000 is Atlas's own:
# https://www.mongodb.com/docs/atlas/troubleshoot-connection/
CODES: dict[int, tuple[str, str, tuple[str, ...]]] = {
    11: AUTH,
    13: ("missing_privilege", "privilege.table_select_missing", ()),
    18: AUTH,
    20: ("invalid_credentials", "auth.method_not_allowed", ()),
    26: ("config_error", "config.table_missing", ()),
    50: SLOW,
    59: ("config_error", "config.wrong_port_other_service", ()),
    73: ("config_error", "config.unknown_database", ()),
    91: STOPPING,
    133: NO_PRIMARY,
    189: NO_PRIMARY,
    202: SLOW,
    262: SLOW,
    334: ("invalid_credentials", "auth.method_not_allowed", ()),
    391: ("token_expired", "auth.session_token_expired", ()),
    8000: AUTH,
    10107: NO_PRIMARY,
    11600: STOPPING,
    11602: NO_PRIMARY,
    13436: NO_PRIMARY,
}
# A server without a free place, or with a list of allowed addresses, hangs up without a word.
HUNG_UP = ("capacity.too_many_connections", "access.ip_not_allowed")


@dataclass
class Reading:
    """What one login saw: `found` tables by namespace, and why some may not be read. `replica_set` is '' for none.

    `router`: a mongos answered, which stands before the shards and keeps nothing itself.
    """

    user: str
    replica_set: str = ""
    router: bool = False
    found: list[str] = field(default_factory=list)
    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    databases: int = 0


def examine(
    settings: Mapping[str, Any], password: str, tables: Sequence[tuple[str, str]], log: bool, timeout: float
) -> Reading:
    """Log in once and look. Raises Trouble when the login fails."""
    deadline = Deadline(timeout)
    place = f"{settings.get('host') or 'localhost'}:{settings.get('port') or 27017}"
    try:
        # The question whether a certificate is shown needs its share of the time.
        return bounded(Deadline(timeout * 0.8), lambda: _examined(settings, password, tables, log, deadline), place)
    except Trouble:
        raise
    except Exception as error:
        raise _trouble(error, place, deadline) from None


def _examined(
    settings: Mapping[str, Any], password: str, tables: Sequence[tuple[str, str]], log: bool, deadline: Deadline
) -> Reading:
    client, heard = _client(settings, password, deadline)
    try:
        first = heard.get(timeout=deadline.left())
        if isinstance(first, Exception):
            raise first
        _whole(first)
        client.admin.command("connectionStatus")
        # https://www.mongodb.com/docs/manual/reference/command/hello/#sharded-instances
        router = first.get("msg") == "isdbgrid"
        reading = Reading(str(settings.get("user") or "nobody"), str(first.get("setName") or ""), router)
        for database, name in tables:
            _look(client, database, name, reading)
        if not tables:
            reading.databases = len(client.list_database_names())
        if log and reading.replica_set:
            _look(client, "local", "oplog.rs", reading)
        return reading
    finally:
        client.close()


def _client(settings: Mapping[str, Any], password: str, deadline: Deadline) -> tuple[Any, queue.SimpleQueue[Any]]:
    """The client, and what the server's answer to the first question, before any login, turns out to be."""
    import pymongo
    from pymongo import monitoring

    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Ear(monitoring.ServerHeartbeatListener):
        def started(self, event: Any) -> None:
            return

        def succeeded(self, event: Any) -> None:
            heard.put(event.reply.document)

        def failed(self, event: Any) -> None:
            heard.put(event.reply)

    limit = int(deadline.left() * 1000)
    client: Any = pymongo.MongoClient(
        str(settings.get("host") or "localhost").strip("[]"), int(settings.get("port") or 27017),
        **_login(settings, password), **_tls(settings), directConnection=True, appname="mend",
        serverSelectionTimeoutMS=limit, connectTimeoutMS=limit, socketTimeoutMS=limit, timeoutMS=limit,
        maxPoolSize=1, retryReads=False, retryWrites=False, serverMonitoringMode="poll", event_listeners=[Ear()],
    )  # fmt: skip
    return client, heard


def _login(settings: Mapping[str, Any], password: str) -> dict[str, Any]:
    if settings.get("ssl_cert") and not password:
        # The server reads the user out of the certificate; where one is named, it is that very subject.
        # https://www.mongodb.com/docs/manual/core/security-x.509/
        subject = str(settings.get("user") or "")
        named = {"username": subject} if "=" in subject else {}
        return {"authMechanism": "MONGODB-X509", "authSource": "$external", **named}
    if not settings.get("user"):
        return {}
    known = {"username": str(settings["user"]), "password": password}
    return {**known, "authSource": str(settings.get("auth_source") or "admin")}


def _tls(settings: Mapping[str, Any]) -> dict[str, Any]:
    mode = str(settings.get("sslmode") or "disable")
    if mode in ("disable", "allow", "prefer"):
        return {"tls": False}
    verify = mode.startswith("verify") or bool(settings.get("ssl_root_cert"))
    # Through a tunnel the name of the certificate is not the one that is called; `tls_agrees` compares it.
    loose = mode != "verify-full" or bool(settings.get("tls_name"))
    files = {"tlsCAFile": settings.get("ssl_root_cert"), "tlsCertificateKeyFile": settings.get("ssl_cert")}
    wanted = {"tls": True, **{name: value for name, value in files.items() if value}}
    if "tlsCertificateKeyFile" in wanted:
        wanted["tlsCertificateKeyFilePassword"] = "-"  # else OpenSSL asks the terminal for that of a locked key
    return {**wanted, "tlsAllowInvalidHostnames": loose} if verify else {**wanted, "tlsAllowInvalidCertificates": True}


def _whole(hello: Mapping[str, Any]) -> None:
    """A member of a set that knows of no primary cannot promise that what it holds is current."""
    if "setName" in hello or hello.get("isreplicaset"):
        role = "is a secondary" if hello.get("secondary") else "is neither primary nor secondary"
        if not hello.get("primary") and not hello.get("isWritablePrimary"):
            words = f"{hello.get('me', 'the server')} {role}, and the set {hello.get('setName', '')} has no primary"
            raise Trouble(*NO_PRIMARY[:2], words)


def _look(client: Any, database: str, name: str, reading: Reading) -> None:
    """Is the collection there, and may it be read: what is asked for is a number, not above one."""
    from pymongo.errors import OperationFailure

    space = f"{database}.{name}"
    try:
        client[database].command("count", name, query={}, limit=1)
        known = client[database].list_collection_names(filter={"name": name}, authorizedCollections=True)
    except OperationFailure as error:
        trouble = _trouble(error, space, Deadline(1))
        if trouble.code not in ("privilege.table_select_missing", "config.table_missing"):
            raise
        reading.refused.append((space, trouble))
        return
    if not known:
        words = f"{space}: there is no such collection"
        reading.refused.append((space, Trouble("config_error", "config.table_missing", words)))
        return
    reading.found.append(space)


def _trouble(error: Exception, place: str, deadline: Deadline) -> Trouble:
    """Cause and code by the server's number; what never became an answer, by its kind."""
    from pymongo import errors

    said = " ".join(str(error).partition(", full error:")[0].split())[:300]
    if isinstance(error, errors.OperationFailure | errors.NotPrimaryError):
        number = int((getattr(error, "details", None) or {}).get("code") or 0)
        unknown = ("unclassified", "availability.provider_error", ())
        cause, code, alike = CODES.get(number, unknown)
        return Trouble(cause, code, f"{said} ({number})", alike, shown=str(number))
    if isinstance(error, errors.ConfigurationError | errors.ProtocolError | errors.InvalidURI):
        code = "config.wrong_port_other_service" if isinstance(error, errors.ProtocolError) else "config.wrong_format"
        return Trouble("config_error", code, f"{place}: {said}")
    return _unanswered(error, place, said, deadline)


def _unanswered(error: Exception, place: str, said: str, deadline: Deadline) -> Trouble:
    from pymongo import errors

    origin = error.__cause__ or error.__context__
    if isinstance(origin, ssl.SSLError):
        from bot.drivers.tls import tls_trouble

        host, _, port = place.rpartition(":")
        return tls_trouble(origin, host, int(port), deadline)
    if isinstance(error, errors.NetworkTimeout | errors.ExecutionTimeout | queue.Empty):
        words = f"{place}: no complete answer within {deadline.seconds:g} s"
        return Trouble("host_unreachable", "network.accepts_but_silent", words)
    if isinstance(error, errors.AutoReconnect):
        from bot.drivers.tls import shown

        host, _, port = place.rpartition(":")
        if shown(host, int(port), min(deadline.left(), 2.0)).not_after:
            words = f"{place} shows a certificate: it speaks only with TLS"
            return Trouble("tls_mismatch", "tls.server_requires_tls", words)
        if isinstance(origin, OSError):
            return os_trouble(origin, place, deadline.seconds, "network.accepts_but_silent")
        return Trouble("host_unreachable", "network.reset", f"{place} hung up without a word: {said}", HUNG_UP)
    return Trouble("unclassified", "availability.no_response", f"{place}: {said}")
