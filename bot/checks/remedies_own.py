"""What belongs into mend.yml, whatever the source is: settings and references to secrets, ready to be copied."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bot.checks.base import Target
from bot.checks.certificates import commands
from flows.core.finding import Finding

DATABASES = ("postgres", "mysql", "redis", "mongodb", "mssql")
AWS = ("s3", "dynamodb")
# Where nothing answers, or somebody else: the address is what is wrong, or the server.
NOT_THERE = ("network.refused", "dns.nxdomain", "config.wrong_port_other_service", "tunnel.target_refused",
             "tunnel.target_dns")  # fmt: skip
OF_TUNNEL = ("name_resolves", "port_answers", "tunnel_opens")
RENEWED = ("tls.certificate_expired", "tls.certificate_not_yet_valid", "tls.hostname_mismatch", "tls.weak_key")
TRUST = ("tls.unknown_ca", "tls.self_signed", "tls.intercepting_proxy")
CERTIFICATE = ("tls.client_certificate_required", "tls.client_certificate_untrusted")
AUTHORITY = "<certificate of the authority>"
Lines = list[str]
Made = Callable[[Target, Finding], Lines]


def with_own(target: Target, found: Finding) -> Finding:
    """The finding with the facts `settings` and `secrets`, where its check has not named any itself."""
    if found.verdict not in ("bad", "unclear") or not found.code or found.facts.get("settings"):
        return found
    made: Made = SETTINGS.get(found.code, lambda target, found: [])
    hidden: Made = SECRETS.get(found.code, lambda target, found: [])
    more = {"settings": made(target, found), "secrets": hidden(target, found)}
    more |= {**_of_server(target, found), **_of_proxy(target, found)}
    return replace(found, facts={**found.facts, **{name: lines for name, lines in more.items() if lines}})


def _under(target: Target, found: Finding, lines: Lines) -> Lines:
    """What is about the tunnel's own login stands under `tunnel`."""
    by_tunnel = target.tunnel and found.check in OF_TUNNEL
    return [f"tunnel: {{{', '.join(lines)}}}"] if by_tunnel and lines else lines


def _place(target: Target, found: Finding) -> Lines:
    kind, code = target.sheet.driver, str(found.code)
    if kind == "http":
        return ["base_url: <address>"] if target.settings.get("base_url") else []
    if kind in AWS:
        return ["endpoint_url: <address>"] if target.settings.get("endpoint_url") else []
    if kind == "bigquery":
        return []
    if kind == "snowflake":
        return ["account: <account identifier>"]
    wanted = {"dns.nxdomain": ["host"], "tunnel.target_dns": ["host"]}.get(code, ["host", "port"])
    if target.tunnel and found.check in OF_TUNNEL and not code.startswith("tunnel."):
        return [f"tunnel: {{{', '.join(f'{one}: <ssh {one}>' for one in wanted)}}}"]
    return [f"{one}: <{one}>" for one in wanted]


def _trust(target: Target, found: Finding) -> Lines:
    if target.sheet.driver == "http":
        return [f"ca_file: {AUTHORITY}"] if target.settings.get("base_url") else []
    return [f"ssl_root_cert: {AUTHORITY}"] if target.sheet.driver in DATABASES else []


def _certificate(target: Target, found: Finding) -> Lines:
    return ["ssl_cert: <certificate>", "ssl_key: <key>"] if target.sheet.driver in DATABASES else []


def _mode(target: Target, found: Finding) -> Lines:
    return ["sslmode: require"] if target.sheet.driver in DATABASES else []


def _tls_port(target: Target, found: Finding) -> Lines:
    """Redis speaks TLS on a port of its own."""
    return ["port: <port that speaks TLS>"] if target.sheet.driver == "redis" else []


def _https(target: Target, found: Finding) -> Lines:
    address = str(target.settings.get("base_url") or "")
    return [f"base_url: {urlsplit(address)._replace(scheme='https').geturl()}"] if address else []


def _only(*kinds: str, line: str) -> Made:
    return lambda target, found: [line] if target.sheet.driver in kinds else []


def _database(target: Target, found: Finding) -> Lines:
    name = "sid" if target.sheet.driver == "oracle" and target.settings.get("sid") else "database"
    return [f"{name}: <one of these>"] if target.sheet.driver in ("postgres", "mysql", "mssql", "oracle") else []


def _pattern(target: Target, found: Finding) -> Lines:
    own = str(target.settings.get("pattern") or "")
    named = not target.tables or (own and own in found.evidence)
    return ["pattern: '<regular expression>'"] if named else ["tables: ['<name of the files>']"]


def _format(target: Target, found: Finding) -> Lines:
    about_pattern = found.evidence.startswith("pattern ") and target.sheet.driver == "sftp"
    return ["pattern: '<regular expression>'"] if about_pattern else []


def _prefix(target: Target, found: Finding) -> Lines:
    return {"s3": ["prefix: <prefix>"], "redis": ["tables: ['<pattern of the keys>']"]}.get(target.sheet.driver, [])


def _path(target: Target, found: Finding) -> Lines:
    if found.check == "tls_agrees" and target.sheet.driver == "http":
        return [f"ca_file: {AUTHORITY}"]
    return ["path: <folder>"] if target.sheet.driver == "sftp" else []


def _proxy(login: bool) -> Made:
    def line(target: Target, found: Finding) -> Lines:
        parts = urlsplit(str(target.proxy or ""))
        place = f"{parts.hostname}:{parts.port or 80}" if login else "<host>:<port>"
        return [f"proxy: {parts.scheme or 'http'}://{'<user>:<password>@' if login else ''}{place}"]

    return line


def _of_server(target: Target, found: Finding) -> dict[str, Any]:
    """A web server of one's own: a provider's certificate is nothing that anybody here renews."""
    if target.connector != "http_api" or found.code not in RENEWED:
        return {}
    host = str(found.facts.get("host") or "")
    return {"where": "the folder of the web server's certificate", "commands": commands(host), "restart": "yes"}


def _of_proxy(target: Target, found: Finding) -> dict[str, Any]:
    """What a proxy that names itself reads: https://tinyproxy.github.io/#documentation"""
    if "(tinyproxy" not in found.evidence or found.code not in ("proxy.connect_denied", "proxy.client_not_allowed"):
        return {}
    line = f"ConnectPort {found.facts['port']}" if found.code == "proxy.connect_denied" else "Allow <address of Mend>"
    return {"file": "tinyproxy.conf", "lines": [line], "restart": "yes"}


SETTINGS: dict[str, Made] = {
    **dict.fromkeys(NOT_THERE, _place), **dict.fromkeys(TRUST, _trust), **dict.fromkeys(CERTIFICATE, _certificate),
    "tls.server_requires_tls": _mode, "tls.server_without_tls": _tls_port, "tls.https_required": _https,
    "config.unknown_database": _database,
    "config.database_index": _only("redis", line="database: 0"),
    "config.bucket_missing": _only("s3", line="bucket: <bucket>"),
    "config.prefix": _prefix, "config.file_pattern": _pattern, "config.wrong_format": _format,
    "config.path_missing": _path, "proxy.unreachable": _proxy(False),
    "proxy.authentication_required": _proxy(True), "proxy.wrong_credentials": _proxy(True),
}  # fmt: skip


# Secrets stand in mend.yml as references: they are never typed into a chat. ------------------------------------------


def variable(target: Target, name: str) -> str:
    """The environment variable that could hold a secret of this connection: `WAREHOUSE_PASSWORD`."""
    return re.sub(r"\W+", "_", f"{target.name}_{name}").upper()


def _reference(*names: str) -> Made:
    def lines(target: Target, found: Finding) -> Lines:
        about = "tunnel_" if target.tunnel and found.check == "tunnel_opens" else ""
        made = [f'{name}: "${{env:{variable(target, about + name)}}}"' for name in names]
        return _under(target, found, made)

    return lines


def _of_ssh(made: Made) -> Made:
    """Only where SSH itself refused: a database's password has its own remedies."""
    return lambda target, found: made(target, found) if _by_ssh(target, found) else []


def _by_ssh(target: Target, found: Finding) -> bool:
    return target.sheet.driver == "sftp" or (target.tunnel is not None and found.check == "tunnel_opens")


def _of_aws(made: Made) -> Made:
    return lambda target, found: made(target, found) if target.sheet.driver in AWS else []


_KEYS = _of_aws(_reference("access_key_id", "secret_access_key"))
_PRIVATE = _of_ssh(_reference("private_key"))
SECRETS: Mapping[str, Made] = {
    "config.password_empty": _reference("password"), "auth.wrong_password": _of_ssh(_reference("password")),
    "auth.key_passphrase_missing": _reference("passphrase"), "auth.key_passphrase_wrong": _reference("passphrase"),
    "config.public_key_instead_of_private": _PRIVATE,
    "config.wrong_format": lambda target, found: [] if _format(target, found) else _PRIVATE(target, found),
    "auth.unknown_access_key": _KEYS, "auth.wrong_secret_key": _KEYS, "auth.credential_not_sent": _KEYS,
}  # fmt: skip
