"""Finds what is wrong in sheets and templates, with the line; a user's own are held to the same rules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.checks.run import MODULES
from bot.lint_answers import unreached
from bot.lint_calls import calls
from bot.scaffold import BLANK
from flows.core.causes import CAUSES
from flows.core.sheet import HERE, Sheet, SheetError, load_sheet, place_of
from flows.core.sheet_parts import NOT_CHECKED
from messages.words import codes

MAX_LINES = 80
SHEETS = (".yaml", ".yml")
ROOTS = (HERE, HERE.parent.parent / "messages")
Found = tuple[Sequence[str], str]


@dataclass(frozen=True)
class Problem:
    file: str
    line: int
    col: int
    text: str
    blank: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}: {self.text}"


def lint(paths: Sequence[str | Path] = ()) -> list[Problem]:
    """Problems in the sheets (*.yaml below a folder, or named) and templates (*.j2); without paths, in ours."""
    problems: list[Problem] = []
    for path in [Path(one) for one in paths] or list(ROOTS):
        if not path.exists():
            problems.append(Problem(str(path), 1, 1, "there is no such file or folder"))
    for file in files(paths):
        if file.suffix in (*SHEETS, ".j2"):
            problems += _template(file) if file.suffix == ".j2" else _sheet(file)
        elif file.suffix != ".py":
            problems.append(Problem(str(file), 1, 1, "neither a sheet (.yaml) nor a template (.j2) nor a flow (.py)"))
    return problems


def files(paths: Sequence[str | Path] = ()) -> list[Path]:
    """The sheets and templates below `paths`, ours without any, and every file that is named itself.

    Where a folder `connectors` is below, or templates, a YAML file outside it is no sheet: words, or mend.yml.
    """
    found: list[Path] = []
    for path in [Path(one) for one in paths] or list(ROOTS):
        if not path.is_dir():
            found += [path] if path.exists() else []
            continue
        below = sorted(path.rglob("*"))
        templates = [file for file in below if file.suffix == ".j2"]
        written = [file for file in below if file.suffix in SHEETS]
        sheets = [file for file in written if file.absolute().parent.name == "connectors"]
        found += [*sheets, *templates] or written
    return found


def _sheet(file: Path) -> list[Problem]:
    try:
        read = load_sheet(file)
    except SheetError as error:
        line, col, words = str(error).removeprefix(f"{file.name}:").split(":", 2)
        return [Problem(str(file), int(line), int(col), words.strip())]
    text = file.read_text(encoding="utf-8")
    found = [
        *_fields(read),
        *_checks(read),
        *_places(read),
        *_sent(read),
        *_causes(read),
        *unreached(read),
        *_addresses(read),
        *calls(read),
        *_oauth(read),
        *_dates(read),
    ]
    problems = list(_blanks(file, text))
    for where, said in found:
        line, col = place_of(text, where).split(":")
        problems.append(Problem(str(file), int(line), int(col), said))
    if len(text.splitlines()) > MAX_LINES:
        problems.append(Problem(str(file), MAX_LINES + 1, 1, f"more than {MAX_LINES} lines: the rest is a check"))
    return problems


def _blanks(file: Path, text: str) -> Iterator[Problem]:
    """What `mend new connector` left open, in a value or in a comment."""
    for number, line in enumerate(text.splitlines(), 1):
        for blank in re.finditer(rf'{BLANK}:? ?([^"}}]*)', line):
            yield Problem(str(file), number, blank.start() + 1, f"still to be filled in: {blank[1].strip()}", True)


def _fields(sheet: Sheet) -> Iterator[Found]:
    for field in sheet.fields:
        where = ["fields", field.name]
        for part in ("help", "example"):
            if not getattr(field, part).strip():
                yield where, f"the field {field.name} needs {'an' if part == 'example' else 'a'} {part}"
        example = "" if field.secret else field.example
        if field.pattern and example and not re.fullmatch(field.pattern, example):
            yield [*where, "example"], f"the example of {field.name} does not fit its own pattern"
        for given in (field.default, example):
            if field.choices and given and given not in field.choices:
                yield where, f"{given!r} is none of the choices of {field.name}: {', '.join(field.choices)}"
        if field.secret and (field.default or (field.example and "${" not in field.example)):
            yield where, f"{field.name} is a secret: no default, and an example like ${{env:NAME}}"


def _checks(sheet: Sheet) -> Iterator[Found]:
    for number, name in enumerate(sheet.checks):
        if name not in MODULES:
            yield ["checks", str(number)], f"there is no check {name!r}; known are {', '.join(MODULES)}"
    if sheet.driver == "http" and sheet.http is None:
        yield ["driver"], "driver http needs an http part"


def _sent(sheet: Sheet) -> Iterator[Found]:
    """What goes to a platform is a field, and of a credential all or nothing."""
    fields = {field.name: field for field in sheet.fields}
    needed = {field.name for field in sheet.fields if field.secret and field.required}
    for platform, names in sheet.sent_as.items():
        for name in set(names) - set(fields):
            yield ["sent_as", platform, name], f"{name} is no field of this sheet"
        for name in needed - set(names):
            yield ["sent_as", platform], f"{name} is left out: half of a credential would match nothing"


def _places(sheet: Sheet) -> Iterator[Found]:
    """A menu path without the address of its console begins nowhere; and what a page is told by must be a field."""
    steps = sheet.regeneration.steps if sheet.regeneration else ()
    if sheet.driver == "http" and steps and not sheet.console:
        yield ["regeneration", "steps"], "menu paths need console: the address where a person signs in"
    if sheet.console and not sheet.console.startswith(("https://", "{")):
        yield ["console"], f"{sheet.console} does not begin with https://"
    known = {field.name for field in sheet.fields if not field.secret}
    page = " ".join(sheet.status_page.components) if sheet.status_page else ""
    for where, text in ((["console"], sheet.console), (["status_page", "components"], page)):
        for name in set(re.findall(r"\{(\w+)\}", text)) - known:
            yield where, f"{{{name}}} is no field of this sheet that is not secret"


def _causes(sheet: Sheet) -> Iterator[Found]:
    for number, match in enumerate(sheet.http.answers if sheet.http else ()):
        where = ["http", "answers", str(number)]
        if match.cause not in CAUSES:
            yield [*where, "cause"], f"there is no cause {match.cause!r}; known are {', '.join(CAUSES)}"
        yield from _worded([*where, "code"], match.code)
        for place, code in enumerate(match.alternatives):
            yield from _worded([*where, "alternatives", str(place)], code)
        if match.status is None and not (match.body or match.header):
            yield where, "this answer would fit everything"
        for word in re.findall(r"(?:^|\|)(\w{1,4})(?=\||$)", match.body):
            if word.isalpha() and "(" not in match.body:
                yield [*where, "body"], f"{word!r} would be found inside other words: write \\b{word}\\b"
    for number, form in enumerate(sheet.http.keys if sheet.http else ()):
        if form.cause not in CAUSES:
            yield ["http", "keys", str(number), "cause"], f"there is no cause {form.cause!r}"
        yield from _worded(["http", "keys", str(number), "code"], form.code)
    for part, whens in _whens(sheet):
        for number, when in enumerate(whens):
            for name in set(when) - {field.name for field in sheet.fields if not field.secret}:
                yield ["http", part, str(number), "when"], f"{name} is no field of this sheet that is not secret"


def _worded(where: Sequence[str], code: str) -> Iterator[Found]:
    """A code without words would reach people as nothing at all."""
    if not re.fullmatch(r"[a-z]+\.[a-z0-9_]+", code):
        yield where, f"{code!r} is not of the form family.what"
    elif code not in codes():
        near = difflib.get_close_matches(code, codes(), 1)
        hint = f"did you mean {near[0]}?" if near else "write them, or take a code that has some"
        yield where, f"the code {code} has no words in messages/causes/codes.yaml; {hint}"


def _whens(sheet: Sheet) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    if sheet.http:
        yield "answers", [one.when for one in sheet.http.answers]
        yield "keys", [one.when for one in sheet.http.keys]


def _addresses(sheet: Sheet) -> Iterator[Found]:
    given: list[tuple[Sequence[str], str]] = []
    if not sheet.source.startswith(NOT_CHECKED):
        given.append((["source"], sheet.source))
    given += [(["docs", str(number)], one) for number, one in enumerate(sheet.docs)]
    if sheet.http:
        given.append((["http", "base_url"], sheet.http.base_url))
        given += [(["http", "described", "at"], one.at) for one in (sheet.http.described,) if one and one.at]
    if sheet.status_page:
        given.append((["status_page", "url"], sheet.status_page.url))
        given += [(["status_page", "page"], one) for one in (sheet.status_page.page,) if one]
    for where, url in given:
        if not url.startswith(("https://", "{")):
            yield where, f"{url} does not begin with https://"


def _oauth(sheet: Sheet) -> Iterator[Found]:
    """Where a person says yes: https, fields that exist, and secrets that the tokens go into."""
    spec = sheet.oauth
    if spec is None:
        return
    texts = [("authorize_url", spec.authorize_url), ("token_url", spec.token_url), ("source", spec.source)]
    for part, url in texts:
        if not url.startswith(("https://", "{")):
            yield ["oauth", part], f"{url} does not begin with https://"
    known = {field.name: field.secret for field in sheet.fields}
    for part, text in (*texts, *(("account", text) for text in spec.account.values())):
        for name in re.findall(r"\{(\w+)\}", text):
            if known.get(name, True):
                yield ["oauth", part], f"{{{name}}} is no field of this sheet that is not secret"
    for key, name in spec.stores.items():
        if not known.get(name):
            yield ["oauth", "stores", key], f"{name} is no secret field of this sheet"


def _dates(sheet: Sheet) -> Iterator[Found]:
    described = sheet.http.described if sheet.http else None
    given = [(["facts_date"], sheet.facts_date)]
    given += [(["http", "described", "read"], described.read)] if described else []
    for where, day in given:
        if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])", day):
            yield where, f"{day!r} is no date: when the facts were looked up, as 2026-11-24"
    if described and not (described.at or described.said):
        yield ["http", "described"], "without `at`, `said` must tell why none was read and what the calls are from"


def _template(file: Path) -> list[Problem]:
    import jinja2

    try:
        jinja2.Environment(autoescape=False).parse(file.read_text(encoding="utf-8"))  # noqa: S701 - nothing is rendered
    except jinja2.TemplateSyntaxError as error:
        return [Problem(str(file), error.lineno, 1, str(error.message))]
    except UnicodeDecodeError:
        return [Problem(str(file), 1, 1, "this is not UTF-8")]
    return []
