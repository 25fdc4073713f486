"""MongoDB: the login, and the right to read exactly the selected collections."""

from __future__ import annotations

import json
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.reading import once, told
from bot.checks.remedies import managed
from bot.checks.text import evidence
from bot.drivers.mongodb import Reading, examine
from bot.drivers.network import Trouble
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"


def _reading(target: Target) -> Reading | Trouble:
    password = target.sheet.secret(target.secrets, "password")
    tables, log = [_split(target, name) for name in target.tables], target.replication == "log"
    return once(target, "mongodb", lambda: examine(target.settings, password, tables, log, target.timeout))


def _split(target: Target, name: str) -> tuple[str, str]:
    """A collection's name may hold dots; a database's may not."""
    database, dot, collection = name.partition(".")
    return (database, collection) if dot else (str(target.settings.get("database") or "test"), name)


def _facts(target: Target) -> dict[str, Any]:
    return {name: str(target.settings.get(name, "")) for name in ("user", "host", "port", "database")}


def _told(name: str, trouble: Trouble, target: Target, **more: Any) -> Finding:
    # A service takes back what is changed in the shell: its console is named instead.
    if managed(target):
        more = {part: value for part, value in more.items() if part in ("missing", "settings")}
    return told(name, trouble, target, {**_facts(target), **more})


def verify_credentials(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Reading):
        return finding(LOGIN, "good", evidence=f"logged in as {read.user}", **_facts(target))
    return _told(LOGIN, read, target, **_login_remedy(read, target))


def _home(target: Target) -> str:
    """The shell's words for the database that holds the user."""
    return f"db.getSiblingDB({json.dumps(str(target.settings.get('auth_source') or 'admin'))})"


def _login_remedy(trouble: Trouble, target: Target) -> dict[str, Any]:
    # https://www.mongodb.com/docs/manual/reference/method/js-user-management/
    user, home = json.dumps(str(target.settings.get("user") or "")), _home(target)
    remedies: dict[str, dict[str, Any]] = {
        "auth.wrong_password": {"statements": [
            f"db.getSiblingDB('admin').system.users.find({{user: {user}}}, {{user: 1, db: 1}})",
            f'{home}.updateUser({user}, {{pwd: "<new password>"}})']},
        "auth.method_not_allowed": {"statements": [
            "db.adminCommand({getParameter: 1, authenticationMechanisms: 1})",
            f'{home}.updateUser({user}, {{pwd: "<new password>", mechanisms: ["SCRAM-SHA-256"]}})']},
        "availability.no_primary": {"statements": ["rs.status().members.map(m => [m.name, m.stateStr, m.health])"]},
        "tls.server_requires_tls": {"settings": ["sslmode: require"]},
    }  # fmt: skip
    return {"statements": [], **remedies.get(trouble.code, {})}


def verify_permissions(target: Target) -> Finding:
    read = _reading(target)
    if isinstance(read, Trouble):
        return finding(RIGHTS, "unclear", read.code, read.cause, evidence=evidence(target, read.evidence))
    if target.replication == "log" and not (read.replica_set or read.router):
        return _without_log(target)
    if read.refused:
        return _bad(target, read)
    if not target.tables and not read.databases:
        words = "0 databases are readable"
        trouble = Trouble("missing_privilege", "privilege.table_select_missing", words)
        return _told(RIGHTS, trouble, target, missing=["any database"], statements=[_grant(target, "readAnyDatabase")])
    said = f"all {len(target.tables)} selected collections" if target.tables else f"{read.databases} databases"
    if target.replication == "log" and read.router:
        # What follows change streams is served by it, what reads the oplog is not.
        words = f"{said} are readable, but a mongos answers, which keeps no oplog"
        code, cause = "replication.through_router", "config_error"
        return finding(RIGHTS, "unclear", code, cause, evidence=words, **_facts(target), statements=[])
    return finding(RIGHTS, "good", evidence=f"{said} are readable", **_facts(target))


def _without_log(target: Target) -> Finding:
    words = "the server belongs to no replica set, so it keeps no oplog"
    made = {**NO_SET, **(KEYED if target.settings.get("user") else {})}
    return _told(RIGHTS, Trouble("server_misconfigured", "replication.no_replica_set", words), target, **made)


# https://www.mongodb.com/docs/manual/tutorial/convert-standalone-to-replica-set/
NO_SET = {"file": "mongod.conf", "part": "replication", "lines": ["  replSetName: rs0"],
          "statements": ["// after a restart, which ends every connection:", "rs.initiate()"]}  # fmt: skip
# With users, the members of a set prove themselves to each other, even when there is one: without a key the server
# does not start. https://www.mongodb.com/docs/manual/tutorial/deploy-replica-set-with-keyfile-access-control/
KEYED = {"lines": [*NO_SET["lines"], "# and within security, beside authorization:", "  keyFile: <file with the key>"],
         "statements": ["// the key, as the user that runs mongod: openssl rand -base64 756 > <file with the key>; "
                        "chmod 400 <file with the key>", *NO_SET["statements"]]}  # fmt: skip


def _bad(target: Target, read: Reading) -> Finding:
    """A collection that is not there comes first; every problem is in the facts, so that one round mends all."""
    top = min((why for _, why in read.refused), key=lambda why: why.code != "config.table_missing")
    denied = sorted({space.partition(".")[0] for space, why in read.refused if why.cause == "missing_privilege"})
    code = "privilege.replication_missing" if denied == ["local"] and top.cause == "missing_privilege" else top.code
    words = "; ".join(why.evidence for _, why in read.refused)
    facts = {"missing": [space for space, _ in read.refused],
             "statements": [_grant(target, "read", database) for database in denied]}  # fmt: skip
    return _told(RIGHTS, Trouble(top.cause, code, words, top.alternatives), target, **facts)


def _grant(target: Target, role: str, database: str = "admin") -> str:
    user = json.dumps(str(target.settings.get("user") or ""))
    return f'{_home(target)}.grantRolesToUser({user}, [{{role: "{role}", db: {json.dumps(database)}}}])'
