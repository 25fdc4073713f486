"""What a finding means, in words: the connector's own template, else the cause's, else what is always true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from messages.services import service
from messages.templates import environment, macro, template
from messages.words import by_ssh, connection_of, finding_of, undecided

View = Mapping[str, Any]
# What lies with the other side where it refuses, and what was refused before anything was sent.
THEIRS = ("invalid_credentials", "missing_privilege", "feature_not_enabled", "account_locked")
OURS = (
    "auth.credential_not_sent", "auth.key_passphrase_missing", "auth.key_passphrase_wrong", "config.password_empty",
)  # fmt: skip
# What a check gives that somebody there must do, and where the login had come in before it failed.
WORK, INSIDE = ("statements", "lines", "commands"), ("permissions_sufficient", "replication_ready")
REMEDIES = (*WORK, "settings", "secrets", "restart")
# Who runs statements and edits files, by the kind of source.
DATABASE, SSH_SERVER, PROXY = "The owner of the database", "The owner of the SSH server", "Whoever runs the proxy"
INSIDE_OF = {"snowflake": "account", "bigquery": "project", "s3": "region", "dynamodb": "region"}
OWNERS = {
    **dict.fromkeys(("postgres", "mysql", "mssql", "oracle", "mongodb", "redis"), DATABASE),
    **dict.fromkeys(("s3", "dynamodb"), "An administrator of the AWS account"),
    "bigquery": "An administrator of the Google Cloud project", "snowflake": "An administrator of Snowflake",
}  # fmt: skip


def _part(known: View, place: View, part: str, escaping: bool) -> Markup:
    """One macro of the cause's template: connector's own first, then the cause's, then what is always true."""
    if there := service(known, place):
        place = {**place, "allowlist": {"where": there["network"]}}
    names = _templates(str(known["cause"] or "unclassified"), place["connector"], place["extends"])
    said = macro(names, part, escaping=escaping)(known, place)
    if not known["evidence"]:
        # Of a text that was only pasted, that text is all there is.
        said = said.replace("the evidence", "the error text")
    return Markup(" ".join(said.split()))  # noqa: S704 - escaped by finalize


@lru_cache(maxsize=1000)
def _templates(cause: str, *kinds: str) -> tuple[str, ...]:
    own = [f"connectors/{kind}/{cause}.j2" for kind in kinds if kind]
    return (*own, f"causes/{cause}.j2", "causes/unclassified.j2")


def _remedy(known: View, place: View, escaping: bool) -> Markup:
    """What is there to be copied: lines of a file, statements, settings, and who puts them where."""
    if not any(known["facts"].get(part) for part in REMEDIES):
        return Markup("")
    owner = _owner(known, place) or _part(known, place, "who", escaping)
    made: dict[str, Any] = {"owner": Markup(owner), "at": _at(known, place)}  # noqa: S704 - our own words
    made["restarts"] = {SSH_SERVER: "the SSH server", PROXY: "the proxy"}.get(str(owner), "the server")
    made |= {"drops": owner == DATABASE, "ends": _new_password(known), "until": _until_a_restart(known)}
    text = template(["causes/_remedy.j2"], escaping=escaping).render(f=known, c=place, **made)
    return Markup(re.sub(r"\n{3,}", "\n\n", text).rstrip())  # noqa: S704 - escaped by finalize


def _owner(known: View, place: View) -> str:
    """Who runs statements and edits files there, where that is nobody whom the cause names."""
    if by_ssh(known, place):
        return SSH_SERVER
    if str(known["code"]).startswith("proxy."):
        return PROXY
    otherwise = "The owner of the server" if known["cause"] == "tls_mismatch" else ""
    return OWNERS.get(place["driver"], otherwise)


def _at(known: View, place: View) -> str:
    """On which server a statement is run. Through a tunnel the finding knows only our own end of it."""
    settings, facts = place["settings"], known["facts"]
    if str(known["code"]).startswith("proxy."):
        return ""
    if by_ssh(known, place):
        return f"on {facts['host']}" if facts.get("host") else ""
    if inside := INSIDE_OF.get(place["driver"]):
        return f"in {inside} {settings[inside]}" if settings.get(inside) else ""
    if not settings.get("host"):
        return ""
    port, database = settings.get("port"), settings.get("database") if known["check"] in INSIDE else ""
    return f"on {settings['host']}{f':{port}' if port else ''}" + (f", in database {database}" if database else "")


def _until_a_restart(known: View) -> str:
    """What keeps it after that: the server's own commands, or a line in its file where none is printed already."""
    lines = known["facts"].get("statements") or ()
    if any(line.startswith("ACL ") for line in lines):
        return "acl"
    return "file" if any(line.startswith("SET GLOBAL ") for line in lines) and not known["facts"].get("lines") else ""


def _new_password(known: View) -> str:
    """`old` where there was one before: whoever else uses that login is shut out; `first` for a login that is made."""
    lines = [line for line in known["facts"].get("statements") or () if "<new password>" in line]
    if all("CREATE " in line for line in lines):
        return "first" if lines else ""
    return "old"


def summary(finding: View, connection: View, *, escaping: bool = False) -> str:
    """One sentence: what is wrong."""
    known = finding_of(finding)
    if known["verdict"] == "good":
        return "Everything that Mend looked at is good."
    return _part(known, connection_of(connection), "summary", escaping)


def next_step(finding: View, connection: View, *, escaping: bool = False) -> str:
    """What to do, who must do it, and whether waiting helps."""
    known, place = finding_of(finding), connection_of(connection)
    if known["verdict"] in ("good", "skipped"):
        return ""
    said = " ".join(_part(known, place, part, escaping) for part in ("next", "waits"))
    return Markup("".join([said, _remedy(known, place, escaping), _kept(known, escaping)]))  # noqa: S704 - each is


def _kept(known: View, escaping: bool) -> Markup:
    """The refused credential is one that was given to Mend: the one in mend.yml may be in force again."""
    facts = known["facts"]
    if not facts.get("kept_since"):
        return Markup("")
    text = template(["causes/_kept.j2"], escaping=escaping).render(facts=facts)
    return Markup("\n\n" + text.strip())  # noqa: S704 - escaped by finalize


def who(finding: View, connection: View, *, escaping: bool = False) -> Markup:
    """Who must act: what statements and files mend is the owner's, what settings mend is whose they are."""
    known, place = finding_of(finding), connection_of(connection)
    facts, owner = known["facts"], Markup(_owner(known, place))  # noqa: S704 - our own words
    works = bool(owner) and any(facts.get(part) for part in WORK)
    both = works and facts.get("settings") and known["cause"] in ("config_error", "tls_mismatch")
    if both or known["code"] in OURS:
        ours = _part({**known, "cause": "config_error"}, place, "who", escaping)
        return Markup(f"{ours}, with {owner[:1].lower()}{owner[1:]}") if works else ours  # noqa: S704
    if works or (owner and known["cause"] in THEIRS):
        return owner
    return _part(known, place, "who", escaping)


def explain(finding: View, connection: View, *, escaping: bool = False) -> str:
    """What it means for somebody who does not know such systems, and what cannot be told apart from it."""
    return means(finding, connection, escaping=escaping) + apart(finding, connection, escaping=escaping)


def means(finding: View, connection: View, *, escaping: bool = False) -> Markup:
    """What it means for somebody who does not know such systems."""
    known, place = finding_of(finding), connection_of(connection)
    if known["verdict"] == "good":
        return Markup("Nothing is broken here, as far as Mend can see.")
    return _part(known, place, "explain", escaping)


def apart(finding: View, connection: View, *, escaping: bool = False) -> Markup:
    """What cannot be told apart from it, and the questions that decide."""
    known, place = finding_of(finding), connection_of(connection)
    if known["verdict"] == "good" or not known["alternatives"]:
        return Markup("")
    code = environment(escaping).globals["code"]
    same, asks = undecided(known, place, code)  # type: ignore[arg-type]
    it = "one of these, which look" if len(same) > 1 else "this, which looks"
    said = Markup(f"\n\nIt may also be {it} the same from here:\n") + Markup("\n").join(  # noqa: S704 - ours
        Markup("• ") + one for one in same
    )
    if asks:
        said += Markup("\nWhat decides it: ") + Markup(" ").join(asks)
    return said


def instead(finding: View, connection: View) -> tuple[list[str], list[str]]:
    """What else would look the same, and the questions that decide, in plain words."""
    code = environment(False).globals["code"]
    return undecided(finding_of(finding), connection_of(connection), code)  # type: ignore[arg-type, return-value]
