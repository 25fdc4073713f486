"""The rules of the house: sizes, import rules, what ships, and nothing committed that does not belong."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from messages.words import codes

ROOT = Path(__file__).parent.parent
OURS = [p for room in ("bot", "flows", "messages", "bench") for p in sorted((ROOT / room).rglob("*.py"))]
TOP = {"pyproject.toml", "app_manifest.yml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
       "requirements.lock", "requirements-dev.lock", ".ci", ".gitignore", "bot", "flows", "messages", "tests", "docs", "bench",
       "deploy"}  # fmt: skip


def _tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("path", OURS, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "migrations" not in path.parts:
            assert (node.end_lineno or 0) - node.lineno < 40 or node.name in ("register", "__init__"), node.name


@pytest.mark.parametrize("path", sorted((ROOT / "flows/connectors").glob("*.yaml")), ids=lambda p: p.stem)
def test_sheets_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


def test_only_what_belongs_lies_at_the_top() -> None:
    assert {name.split("/")[0] for name in _tracked()} <= TOP


def test_no_registry_address_is_committed() -> None:
    hosts = re.compile("files.python" + "hosted|pypi.org/" + "simple|registry.npm" + "js|deb.debian" + ".org")
    found = [
        n
        for n in _tracked()
        if not n.endswith((".png", ".json")) and hosts.search((ROOT / n).read_text("utf-8", "replace"))
    ]
    assert found == []


def test_the_import_rules_hold() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:]


def test_ruff_is_content() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:]


def test_mypy_is_content_and_strict() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:]


def test_the_wheel_holds_sheets_templates_and_manifest(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    wanted = (
        "flows/connectors/postgres.yaml",
        "flows/errors.yaml",
        "messages/causes/invalid_credentials.j2",
        "bot/app_manifest.yml",
        "bot/playground/static/app.js",
    )
    assert [n for n in wanted if n not in names] == []


def test_every_code_that_is_said_has_words() -> None:
    """A string of the form of a code, in the rooms that find causes; `import_module` has names of that form too."""
    families = {code.partition(".")[0] for code in codes()}
    said = re.compile(rf"(?:{'|'.join(sorted(families))})\.[a-z0-9_]+")
    rooms = [
        path for room in ("checks", "drivers", "platforms", "repairs") for path in (ROOT / "bot" / room).rglob("*.py")
    ]
    modules = {"dns.resolver"}
    wordless = {
        f"{path.relative_to(ROOT)}: {node.value}"
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and said.fullmatch(node.value)
        if node.value not in codes() and node.value not in modules
    }
    assert wordless == set()
