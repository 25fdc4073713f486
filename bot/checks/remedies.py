"""What is there to be copied for a code: by database, filled in for this connection."""

from __future__ import annotations

import importlib
import re
from typing import Any

from bot.checks.base import Target
from messages.services import Service, service_of, services

# The databases whose remedies are known: each module holds a table REMEDIES and fills its `fields`.
MODULES = {"postgres": "bot.checks.remedies_postgres", "mysql": "bot.checks.remedies_mysql"}
# What only whoever runs the server can do. The files of a pooler are one's own wherever the server is.
FILES = ("pg_hba.conf", "postgresql.conf", "my.cnf")
SET = re.compile(r"(?:ALTER SYSTEM SET|SET PERSIST|SET GLOBAL) (\w+) = '?(.*?)'?;")
RELOAD = "SELECT pg_reload_conf();"


def place(target: Target) -> dict[str, Any]:
    """Where the connection leads, for words and statements."""
    return {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}


def remedy(target: Target, code: str, said: str, **more: str) -> dict[str, Any]:
    """The facts `statements`, `file` with `lines`, `settings` and `restart` that mend this code, as far as known."""
    if target.sheet.driver not in MODULES:
        return {}
    module = importlib.import_module(MODULES[target.sheet.driver])
    # Through a tunnel the host is our own end of it; a certificate is for the server's name.
    at = {**place(target), **({"host": target.settings["tls_name"]} if target.settings.get("tls_name") else {})}
    fields = {**module.fields(at, said), **more}
    known: dict[str, Any] = module.REMEDIES
    parts = known.get(f"{code}@{more.get('flavor', '')}", known.get(code, {}))
    key = managed(target)
    if key:
        parts = {**_there(services()[key], code, parts), "service": key}
    made: dict[str, Any] = {"statements": []}
    for part, value in parts.items():
        made[part] = value if isinstance(value, str) else [_filled(line, fields) for line in value]
    return made


def managed(target: Target) -> str:
    """The service that runs this database, or nothing."""
    server = getattr(target.memo.get("sql"), "server", None)
    host = str(target.settings.get("tls_name") or target.settings.get("host", ""))
    return service_of(target.connector, target.sheet.driver, host, getattr(server, "service", ""))


def _there(service: Service, code: str, parts: dict[str, Any]) -> dict[str, Any]:
    """The same on a service: settings are changed in its console, and files not at all."""
    own = {part: value for part, value in service["codes"].get(code, {}).items() if part not in ("do", "ask")}
    made = {**(own or parts)}
    if made.pop("commands", None):  # the certificate is the service's own
        return {"statements": []}
    found = [(line, SET.match(line)) for line in made.get("statements", []) if line != RELOAD]
    made["statements"] = [line for line, setting in found if not setting]
    if made.get("file", FILES[0]) in FILES:
        console = service.get("parameters", "")
        # Where a file and a statement set the same, the statement's number is what a console takes.
        lines = [*made.get("lines", []), *(f"{setting[1]} = {setting[2]}" for _, setting in found if setting)]
        once = {line.partition(" = ")[0]: line for line in lines}
        made |= {"lines": list(once.values()) if console else [], "file": console, "part": ""}
        made["restart"] = service["restart"] if console and made.get("restart") else ""
    return made


def _filled(line: str, fields: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: fields[m[1]], line)
