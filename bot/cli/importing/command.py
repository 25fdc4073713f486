"""`mend import`, from its options to what it prints or writes."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from bot.cli.importing.entry import Entry, Made
from bot.cli.importing.file import added, replaced
from bot.cli.importing.names import connection_name, variables_in
from bot.cli.importing.progress import Progress
from bot.cli.importing.text import comment, platform_line, written
from bot.cli.importing.values import printable
from bot.cli.text import counted, hide
from bot.own import use_own
from bot.platforms.base import Keeper, Listed, PlatformError, Shown
from bot.platforms.base import Platform as Known
from bot.platforms.registry import platform_for
from bot.references import serve_references_if_any
from bot.settings import Platform, Settings, SettingsError, config_file, load
from bot.usable import check
from flows.core.sheet import Sheet, SheetError, sheet, sheets

KINDS = get_args(Platform.model_fields["kind"].annotation)
# A platform that asks to wait is asked again after so many seconds.
WAITS = (5.0, 20.0)


@dataclass
class Found:
    """`above` are comments on what became no entry, `doubts` what only standard error tells."""

    entries: list[Entry] = field(default_factory=list)
    above: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    had: int = 0


def run(platform: str, token_env: str, base_url: str, write: bool, config: Path | None) -> int:
    file = config_file(config, os.environ)
    before = file.read_bytes() if file.exists() else None
    # One that is named and not there is to be made, once it is said which platform to ask.
    settings = Settings() if before is None and platform else load(config, os.environ)
    use_own(config)
    serve_references_if_any()
    given = _platform(settings, platform, token_env, base_url)
    if given:
        settings.platform = Platform.model_validate(given)
    try:
        known = platform_for(settings)
        if known is None or settings.platform is None:
            raise SettingsError(_NONE)
        taken = variables_in((before or b"").decode() + str(given))
        found = _found(settings, settings.platform.kind, known, taken)
    except PlatformError as error:
        raise SettingsError(_where(str(error), given, token_env)) from None
    line = platform_line(given) if given else ""
    if write:
        _write(file, before, found, line)
    else:
        _print(found, line)
    _tell(found, known, file, write)
    return 0


_NONE = (
    "mend.yml has no `platform:` to ask: add it, or name it, as in "
    "`mend import --platform stitch --token-env STITCH_TOKEN`"
)


def _platform(settings: Settings, kind: str, token_env: str, base_url: str) -> dict[str, str]:
    """What `platform:` of mend.yml has to be, where it has none."""
    if not kind:
        if token_env or base_url:
            raise SettingsError(f"--token-env and --base-url go with --platform: name one of {', '.join(KINDS)}")
        return {}
    if settings.platform is not None:
        raise SettingsError(f"mend.yml has platform: {settings.platform.kind} already: leave --platform out")
    if kind not in KINDS:
        raise SettingsError(f"--platform {kind} is none that Mend knows: choose from {', '.join(KINDS)}")
    if not re.fullmatch(r"[A-Za-z_]\w*", token_env, re.ASCII):
        raise SettingsError("--platform needs --token-env: the name of the environment variable that holds its token")
    if not os.environ.get(token_env):
        raise SettingsError(f"the environment variable {token_env} is not set: export the platform's token in it first")
    return {"kind": kind, "token": f"${{env:{token_env}}}", **({"base_url": base_url} if base_url else {})}


def _where(said: str, given: Mapping[str, str], token_env: str) -> str:
    """Without a mend.yml the token stands in a variable."""
    return said.replace("platform.token", token_env).replace("platform.base_url", "--base-url") if given else said


def _found(settings: Settings, kind: str, known: Known, variables: set[str]) -> Found:
    progress = Progress(known.name)
    try:
        listed = known.sources()
        found, taken = Found(), list(settings.connections)
        made = Made(kind, known.name, variables)
        types = _types(kind)
        new = _new(settings, kind, listed, found)
        known_as = Counter(key for one in listed for key in {one.id.lower(), *(name.lower() for name in one.names)})
        for done, one in enumerate(new):
            progress.at(done, len(new))
            if not printable(one.id):
                found.above.append(f"{one.name} is left out: its id holds what cannot be written here")
                continue
            if one.type not in types:
                found.above.append(f"{one.name}: {known.name}'s type {one.type}, for which Mend has no connector yet")
                continue
            name = connection_name(one.name, types[one.type][0].key, taken)
            shown = _shown(known, one, found)
            if shown is not None:
                taken.append(name)
                by_name = one.id != name and one.called(name) and known_as[name] == 1
                found.entries.append(made.entry(name, one, shown, types[one.type], by_name=by_name))
    finally:
        progress.end()
    _checked(found.entries)
    return found


def _types(kind: str) -> dict[str, list[Sheet]]:
    """The connectors of each type of the platform, the plain one first."""
    found: dict[str, list[Sheet]] = {}
    for one in sheets().values():
        for there in one.types_at(kind):
            found.setdefault(there, []).append(one)
    return {there: sorted(those, key=lambda one: (bool(one.extends), one.key)) for there, those in found.items()}


def _new(settings: Settings, kind: str, listed: Sequence[Listed], found: Found) -> list[Listed]:
    """Those that no connection stands for, as Mend itself would find them."""
    had: set[str] = set()
    for name, connection in settings.connections.items():
        if connection.platform_source is False:
            continue
        wanted, same = str(connection.platform_source or name), list[Listed]()
        same = [one for one in listed if one.id == wanted] or [one for one in listed if one.called(wanted)]
        if connection.platform_source is None:
            same = [one for one in same if one.type in _types_of(connection.connector, kind)]
        if len(same) > 1:
            found.doubts.append(f"{len(same)} sources are called as {name} of mend.yml: name its id as platform_source")
        had.update(one.id for one in same)
    found.had = len(had)
    return [one for one in listed if one.id not in had]


def _types_of(connector: str, kind: str) -> tuple[str, ...]:
    try:
        return sheet(connector).types_at(kind)
    except SheetError:
        return ()


def _shown(known: Known, one: Listed, found: Found) -> Shown | None:
    """None where it cannot be read now: half an entry would count as one that is there."""
    for wait in (*WAITS, 0.0):
        try:
            return known.shown(one.id)
        except PlatformError as error:
            if error.kind == "auth":
                raise
            if error.kind != "rate" or not wait:
                found.above.append(f"{one.name} is left out for now, import again: {error}")
                break
        time.sleep(wait)
    return None


def _checked(entries: Iterable[Entry]) -> None:
    """By the rules of mend.yml itself."""
    made: dict[str, Any] = {one.name: one.body for one in entries}
    check(Settings.model_validate({"connections": made}))


def _print(found: Found, platform: str) -> None:
    lines = [comment(said) for said in found.above]
    if found.entries:
        lines += ["connections:", *written(found.entries)]
    lines += [platform] if platform and found.entries else []
    if lines:
        if isinstance(sys.stdout, io.TextIOWrapper):  # YAML is UTF-8, whatever the terminal is
            sys.stdout.reconfigure(encoding="utf-8")
        print("\n".join(lines), flush=True)


def _write(file: Path, before: bytes | None, found: Found, platform: str) -> None:
    if not found.entries:
        return
    text = (before or b"").decode()
    lines, ends = text.replace("\r\n", "\n"), "\r\n" in text
    above = [line for said in found.above if (line := comment(said)) not in lines]
    made = added(lines, found.entries, above, platform)
    replaced(file, before, made.replace("\n", "\r\n") if ends else made)


def _tell(found: Found, known: Known, file: Path, write: bool) -> None:
    said = [*found.doubts, *(found.above if write else [])]
    said += [f"{one.name}: {note}" for one in found.entries for note in one.notes if write]
    wanted = [name for one in found.entries for name in one.variables]
    kept = f", {found.had} had already" if found.had else ""
    where = f" added to {file}" if write and found.entries else ""
    said.append(f"{known.name}: {counted(len(found.entries), 'new connection')}{where}{kept}")
    if wanted:
        said.append("set where Mend runs: " + " ".join(wanted))
    if already := [name for name in wanted if name in os.environ]:
        said.append("set here already, see whose they are: " + " ".join(already))
    if wanted and isinstance(known, Keeper):
        said.append(f"or leave secrets: of a connection out: then {known.name}'s own check tells whether it signs in")
    for line in said:
        print(hide(line), file=sys.stderr)
