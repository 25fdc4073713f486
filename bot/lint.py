"""Finds what is wrong in sheets and templates, with the line; a user's own are held to the same rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.checks.run import MODULES
from flows.core.causes import CAUSES
from flows.core.sheet import Sheet, SheetError, load_sheet, place_of

MAX_LINES = 80
ROOTS = (Path(__file__).parent.parent / "flows" / "connectors", Path(__file__).parent.parent / "messages")
Found = tuple[Sequence[str], str]


@dataclass(frozen=True)
class Problem:
    file: str
    line: int
    col: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}: {self.text}"


def lint(paths: Sequence[str | Path] = ()) -> list[Problem]:
    """Problems in the sheets (*.yaml below a folder, or named) and templates (*.j2); without paths, in ours."""
    problems: list[Problem] = []
    for path in [Path(one) for one in paths] or list(ROOTS):
        if not path.exists():
            problems.append(Problem(str(path), 1, 1, "there is no such file or folder"))
        for file in _files(path):
            problems += _template(file) if file.suffix == ".j2" else _sheet(file)
    return problems


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*")):
        # A YAML file elsewhere than among connectors is no sheet: messages keep their labels in one.
        if file.suffix == ".j2" or (file.suffix in (".yaml", ".yml") and "messages" not in file.parts):
            yield file


def _sheet(file: Path) -> list[Problem]:
    try:
        read = load_sheet(file)
    except SheetError as error:
        line, col, words = str(error).removeprefix(f"{file.name}:").split(":", 2)
        return [Problem(str(file), int(line), int(col), words.strip())]
    text = file.read_text(encoding="utf-8")
    found = [*_fields(read), *_checks(read), *_causes(read), *_addresses(read), *_names(read)]
    problems = []
    for where, said in found:
        line, col = place_of(text, where).split(":")
        problems.append(Problem(str(file), int(line), int(col), said))
    if len(text.splitlines()) > MAX_LINES:
        problems.append(Problem(str(file), MAX_LINES + 1, 1, f"more than {MAX_LINES} lines: the rest is a check"))
    return problems


def _fields(sheet: Sheet) -> Iterator[Found]:
    for number, field in enumerate(sheet.fields):
        where = ["fields", str(number)]
        for part in ("help", "example"):
            if not getattr(field, part).strip():
                yield where, f"the field {field.name} needs {'an' if part == 'example' else 'a'} {part}"
        example = "" if field.secret else field.example
        if field.pattern and example and not re.fullmatch(field.pattern, example):
            yield [*where, "example"], f"the example of {field.name} does not fit its own pattern"
        if field.secret and (field.default or (field.example and "${" not in field.example)):
            yield where, f"{field.name} is a secret: no default, and an example like ${{env:NAME}}"


def _checks(sheet: Sheet) -> Iterator[Found]:
    for number, name in enumerate(sheet.checks):
        if name not in MODULES:
            yield ["checks", str(number)], f"there is no check {name!r}; known are {', '.join(MODULES)}"
    if sheet.driver == "http" and sheet.http is None:
        yield ["driver"], "driver http needs an http part"


def _causes(sheet: Sheet) -> Iterator[Found]:
    for number, match in enumerate(sheet.http.answers if sheet.http else ()):
        where = ["http", "answers", str(number)]
        if match.cause not in CAUSES:
            yield [*where, "cause"], f"there is no cause {match.cause!r}; known are {', '.join(CAUSES)}"
        for code in (match.code, *match.alternatives):
            if not re.fullmatch(r"[a-z]+\.[a-z0-9_]+", code):
                yield [*where, "code"], f"{code!r} is not of the form family.what"
        if match.status is None and not (match.body or match.header):
            yield where, "this answer would fit everything"


def _addresses(sheet: Sheet) -> Iterator[Found]:
    given: list[tuple[Sequence[str], str]] = [(["source"], sheet.source)]
    given += [(["docs", str(number)], one) for number, one in enumerate(sheet.docs)]
    if sheet.http:
        given.append((["http", "base_url"], sheet.http.base_url))
    if sheet.status_page:
        given.append((["status_page", "url"], sheet.status_page.url))
    for where, url in given:
        if not url.startswith(("https://", "{")):
            yield where, f"{url} does not begin with https://"


def _names(sheet: Sheet) -> Iterator[Found]:
    """Every {field} is a field, and the secret of the http part too."""
    http, known = sheet.http, {field.name for field in sheet.fields}
    if http is None:
        return
    if http.auth != "none" and http.secret not in {field.name for field in sheet.fields if field.secret}:
        yield ["http", "secret"], f"{http.secret} is no secret field of this sheet"
    texts = [("base_url", http.base_url), ("identity", http.identity), ("user", http.user)]
    texts += [("resources", probe.path) for probe in http.resources.values()]
    texts += [("other", http.other.path)] if http.other else []
    for part, text in texts:
        for name in re.findall(r"\{(\w+)\}", text):
            if name not in known and not (part == "other" and name == "resource"):
                yield ["http", part], f"{{{name}}} is no field of this sheet"


def _template(file: Path) -> list[Problem]:
    import jinja2

    try:
        jinja2.Environment(autoescape=False).parse(file.read_text(encoding="utf-8"))  # noqa: S701 - nothing is rendered
    except jinja2.TemplateSyntaxError as error:
        return [Problem(str(file), error.lineno, 1, str(error.message))]
    except UnicodeDecodeError:
        return [Problem(str(file), 1, 1, "this is not UTF-8")]
    return []
