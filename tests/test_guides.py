"""What the README and the guides say is so: links lead somewhere, configuration loads, commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import load

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MEND = Path(sys.executable).with_name("mend")
each_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def blocks(language: str) -> list[tuple[str, str]]:
    found = [
        (guide.name, block)
        for guide in GUIDES
        for block in re.findall(
            rf"^```{language}\n(.*?)^```", guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
    ]
    assert found, f"no guide shows any {language}"
    return found


@each_guide
def test_every_link_leads_somewhere(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        path, _, anchor = (target[0] or target[1]).partition("#")
        if "://" in path:
            continue
        page = (guide.parent / path).resolve() if path else guide
        assert page.exists(), f"{guide.name}: {path} is not there"
        assert not anchor or anchor in anchors(page), f"{guide.name}: {page.name} has no heading #{anchor}"


@pytest.mark.parametrize(("guide", "block"), [pair for pair in blocks("yaml") if pair[0] != "CONTRIBUTING.md"])
def test_the_configuration_that_is_shown_loads(guide: str, block: str, tmp_path: Path) -> None:
    shown: dict[str, Any] = yaml.safe_load(block)
    shown.setdefault("connections", {"warehouse": {"connector": "postgres"}})
    file = tmp_path / "mend.yml"
    file.write_text(yaml.safe_dump(shown), encoding="utf-8")
    assert load(file, {}).connections, guide


def help_of(words: list[str]) -> str:
    """What `mend ... --help` prints for the command at the head of these words; a group is followed to its command."""
    depth = next((n for n, word in enumerate(words) if not re.fullmatch("[a-z][a-z-]+", word)), len(words))
    for head in (words[:2], words[:1]) if depth > 1 else (words[:1],):
        told = subprocess.run([MEND, *head, "--help"], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            return told.stdout
    raise AssertionError(f"`mend {shlex.join(words)}`: {told.stderr}")


@each_guide
def test_every_command_and_option_that_is_named_exists(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    lines = set(re.findall(r"(?:`|^|bin/)mend ([a-z][^`\n#>]*)", text, re.MULTILINE))
    assert lines or guide.name == "performance.md"
    for line in sorted(lines):
        words = shlex.split(line)
        told = help_of(words)
        unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in told]
        assert not unknown, f"{guide.name}: `mend {line}`"
