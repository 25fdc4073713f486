"""PostgreSQL: is the server, its slot and its publication ready to follow the log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bot.checks.base import Target, finding
from bot.checks.remedies import place, remedy
from bot.checks.remedies_postgres import literal, quoted
from bot.checks.sql_postgres import interrupted, reading, split
from bot.checks.text import evidence
from bot.drivers.network import Trouble
from bot.drivers.postgres import Reading
from bot.drivers.postgres_replication import Followed, Replication
from flows.core.finding import Finding, Verdict

READY = "replication_ready"
SERVER, RIGHT, CONFIG = "server_misconfigured", "missing_privilege", "config_error"
KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "p": "a partitioned table"}


@dataclass
class Problem:
    """What stands in the way. `more` fills the remedy of its code, `statements` come before that."""

    code: str
    cause: str
    said: str
    missing: list[str] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    unsure: bool = False


def verify_replication(target: Target) -> Finding:
    read = reading(target)
    if isinstance(read, Trouble):
        return interrupted(target, READY, read)
    if read.server.service == "redshift":
        return finding(READY, "bad", "replication.not_offered", CONFIG, **place(target), statements=[])
    assert read.replication is not None
    slot = _slot_name(target, read.replication)
    problems = _server(read) or [*_slot(target, read, slot), *_publication(target, read, slot), *_tables(read)]
    facts: dict[str, Any] = {**place(target), "slot": slot, "statements": [], "lines": [], "missing": []}
    if not problems:
        return finding(READY, "good", evidence=f"wal_level is logical and slot {slot} is there", **facts)
    for problem in problems:
        made = remedy(target, problem.code, problem.said, **problem.more)
        facts["statements"] += problem.statements + [one for one in made.pop("statements", []) if one]
        facts["lines"] += made.pop("lines", [])
        facts["missing"] += problem.missing
        facts |= {part: value for part, value in made.items() if value}
    first = problems[0]
    said = evidence(target, "; ".join(problem.said for problem in problems))
    verdict: Verdict = "unclear" if all(problem.unsure for problem in problems) else "bad"
    return finding(READY, verdict, first.code, first.cause, evidence=said, **facts)


def _slot_name(target: Target, log: Replication) -> str:
    """The configured slot, else the one that the pipeline's own guide names: `stitch` or `stitch_<database>`."""
    own = str(target.settings.get("slot") or "")
    database = re.sub(r"[^a-z0-9_]", "_", str(target.settings.get("database", "")).lower())
    names = [own] if own else [f"stitch_{database}", "stitch"]
    known = [str(slot["slot_name"]) for slot in log.slots]
    return next((name for name in names if name in known), names[0])


def _server(read: Reading) -> list[Problem]:
    """What must be mended, mostly with a restart, before slots can be talked about."""
    log, made = read.replication, []
    assert log is not None
    if read.server.pooled:
        return [Problem("replication.through_pooler", CONFIG, "another process answers than the one that logged in")]
    if read.server.standby:
        return [Problem("config.read_only_standby", CONFIG, "the server is in recovery: a read-only copy")]
    if log.wal_level != "logical":
        made.append(Problem("replication.wal_level", SERVER, f"wal_level is {log.wal_level}, not logical"))
    senders = log.numbers["max_wal_senders"]
    if log.senders >= senders:
        said = f"{log.senders} of {senders} wal senders are taken"
        made.append(Problem("replication.no_free_wal_sender", SERVER, said, more={"more": str(senders + 5)}))
    if made and not log.allowed:
        made.append(_may_not(read))
    return made


def _may_not(read: Reading) -> Problem:
    said = f"role {read.user} has no right to replicate"
    return Problem("privilege.replication_missing", RIGHT, said)


def _slot(target: Target, read: Reading, name: str) -> list[Problem]:
    log = read.replication
    assert log is not None
    made = [] if log.allowed else [_may_not(read)]
    database = str(target.settings.get("database", ""))
    plugin = str(target.settings.get("plugin") or ("pgoutput" if target.settings.get("publication") else "wal2json"))
    more = {"slot": literal(name), "plugin": literal(plugin)}
    slot = next((one for one in log.slots if one["slot_name"] == name), None)
    most = log.numbers["max_replication_slots"]
    if slot is None and len(log.slots) >= most:
        said = f"slot {name} is not there, and {len(log.slots)} of {most} slots are taken"
        return [*made, Problem("replication.no_free_slots", SERVER, said, more={"more": str(most + 5)})]
    if slot is None:
        return [*made, Problem("replication.slot_missing", SERVER, f"there is no slot {name}", more=more)]
    if slot["slot_type"] != "logical" or slot["database"] != database:
        said = f"slot {name} is {slot['slot_type']}" + (f", of database {slot['database']}" if slot["database"] else "")
        drop = [] if slot["active"] else [f"SELECT pg_drop_replication_slot({literal(name)});"]
        if drop and slot["database"] not in (None, database):  # a slot is dropped where it was made
            drop = [f"-- connected to database {slot['database']}:", *drop, f"-- connected to database {database}:"]
        return [*made, Problem("replication.slot_missing", SERVER, said, more=more, statements=drop)]
    if slot.get("wal_status") == "lost" or slot.get("invalidation_reason"):
        said = f"slot {name} is lost ({slot.get('invalidation_reason') or 'its log was removed'})"
        return [*made, Problem("replication.slot_invalidated", "log_position_lost", said, more=more)]
    if slot["active"]:
        # It may be the pipeline itself, at work.
        said = f"slot {name} is read by process {slot['active_pid']}"
        used = {"process": str(slot["active_pid"])}
        made.append(Problem("replication.slot_in_use", SERVER, said, more=used, unsure=True))
    return made


def _publication(target: Target, read: Reading, slot: str) -> list[Problem]:
    name, log = str(target.settings.get("publication") or ""), read.replication
    assert log is not None
    wanted = [split(table) for table in target.tables]
    if not name:
        return []
    in_parts = [pair for pair in wanted if pair in log.in_parts]
    absent = [pair for pair in wanted if pair not in log.published and pair not in in_parts]
    pairs = wanted if log.publication is None else absent
    more = {"publication": quoted(name), "tables": ", ".join(f"{quoted(s)}.{quoted(t)}" for s, t in pairs)}
    missing = [".".join(pair) for pair in pairs]
    if log.publication is None:
        said = f"there is no publication {name}"
        return [Problem("replication.publication_missing", SERVER, said, missing, more)]
    made = []
    if not log.publication:
        said = f"publication {name} leaves out inserts, updates or deletes"
        made.append(Problem("replication.publication_incomplete", SERVER, said, more=more))
    if absent:
        said = f"publication {name} lacks {', '.join(missing)}"
        made.append(Problem("replication.table_not_in_publication", SERVER, said, missing, more))
    if in_parts:
        names = [".".join(pair) for pair in in_parts]
        said = f"publication {name} tells changes under the names of the partitions of {', '.join(names)}"
        whole = {**more, "flavor": "partitions"}
        made.append(Problem("replication.table_not_in_publication", SERVER, said, names, whole))
    return made


def _tables(read: Reading) -> list[Problem]:
    log = read.replication
    assert log is not None
    made = []
    for code, cause, words, some, statement in (
        ("replication.not_a_table", "unsupported_object", "no table of its own, so not in the log:",
         [t for t in log.tables if t.kind in ("v", "m", "f")], ""),
        ("replication.table_not_logged", SERVER, "unlogged, so not in the log:",
         [t for t in log.tables if t.kind == "r" and t.persistence != "p"], "ALTER TABLE {} SET LOGGED;"),
        ("replication.no_replica_identity", SERVER, "nothing identifies a row of",
         [t for t in log.tables if t.kind in ("r", "p") and not t.identified],
         "ALTER TABLE {} REPLICA IDENTITY FULL;"),
    ):  # fmt: skip
        names = [f"{t.schema}.{t.table}" + (f" ({KINDS[t.kind]})" if t.kind in "vmf" else "") for t in some]
        if some:
            run = [statement.format(_of(t)) for t in some if statement]
            made.append(Problem(code, cause, f"{words} {', '.join(names)}", names, statements=run))
    return made


def _of(table: Followed) -> str:
    return f"{quoted(table.schema)}.{quoted(table.table)}"
