"""What real servers answered, given again over real HTTP: `mend check` must say what it said of them, or what they deserve.

tests/data/real_servers.yaml has the answers and how they came about. -s shows the table.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bot.cli.check import result
from bot.settings import load
from tests.fakes.recorded import FOLDER, KEY
from tests.fakes.serve import Quiet, listening

FILES = ("real_servers.yaml", "real_servers_later.yaml")
SERVERS: dict[str, Any] = {
    of: part
    for name in FILES
    for of, part in yaml.safe_load((FOLDER.parent / name).read_text(encoding="utf-8")).items()
}
ROWS = [(of, row) for of, part in SERVERS.items() for row in part["rows"]]
REPLAYED = [(of, row) for of, row in ROWS if "heard" in row]
TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print("\n" + "\n".join(TABLE))


class Again(Quiet):
    """One address of a server: each request gets what the real one said to it, in that order, the last one for ever."""

    answers: dict[tuple[str, bool], list[dict[str, Any]]]
    addresses: dict[str, str]

    def do_GET(self) -> None:
        sent = " ".join(text for name, text in self.headers.items() if not name.lower().startswith("proxy-"))
        signed = KEY in sent or KEY in self.path or any(map(_holds_it, sent.split()))
        heard = self.answers[self.path, signed]
        one = heard.pop(0) if len(heard) > 1 else heard[0]
        text = one["body"].encode()
        self.send_response_only(one["status"])
        for name, value in {**one["headers"], "content-length": str(len(text))}.items():
            self.send_header(name, self.moved(value).encode().decode("latin-1"))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(text if one["status"] != 204 else b"")

    def moved(self, text: str) -> str:
        for old, new in self.addresses.items():
            text = text.replace(old, new) if old else text
        return text


def _holds_it(part: str) -> bool:
    """As basic sends it."""
    with contextlib.suppress(ValueError):
        return base64.b64decode(part, validate=True).endswith(f":{KEY}".encode())
    return False


@contextlib.contextmanager
def replayed(row: dict[str, Any], proxied: bool) -> Iterator[dict[str, str]]:
    """Where the addresses of the real server are now; through a proxy all of them are the proxy's."""
    heard: dict[str, dict[tuple[str, bool], list[dict[str, Any]]]] = {}
    for one in row["heard"]:
        parts = urlsplit(one["url"])
        place = f"{parts.scheme}://{parts.netloc}"
        path = one["url"] if proxied else one["url"].removeprefix(place)
        heard.setdefault("" if proxied else place, {}).setdefault((path, one["signed"]), []).append(one)
    addresses: dict[str, str] = {}
    with contextlib.ExitStack() as open_:
        for place, answers in heard.items():
            addresses[place] = open_.enter_context(listening(Again, answers=answers, addresses=addresses))
        yield addresses


def checked(of: str, row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What `mend check` says, with the connection as a user writes it."""
    part = SERVERS[of]
    settings = {**part["settings"], **row.get("set", {})}
    settings.pop("ca_file", None)
    proxy = row.get("proxy", part.get("proxy", ""))
    with replayed(row, bool(proxy)) as now:
        if proxy:
            connection = {"proxy": proxy.replace("127.0.0.1:18400", urlsplit(now[""]).netloc)}
        else:
            begins = urlsplit(settings["base_url"])
            settings["base_url"] = now[f"{begins.scheme}://{begins.netloc}"] + begins.path
            connection = {}
        if settings["auth"] != "none":
            connection["secrets"] = {"token": "${env:API_TOKEN}"}
        file = folder / "mend.yml"
        connections = {"it": {"connector": "http_api", "settings": settings, **connection}}
        file.write_text(yaml.safe_dump({"connections": connections}), encoding="utf-8")
        return dict(result(load(file, os.environ), "it"))


def told(found: dict[str, Any]) -> str:
    return f"{found['verdict']} {found['code'] or ''}".strip()


def alike(found: dict[str, Any]) -> set[str]:
    return {code for one in found["findings"] if one["code"] == found["code"] for code in one["alternatives"]}


@pytest.mark.parametrize(("of", "row"), REPLAYED, ids=[f"{of}-{row['name']}" for of, row in REPLAYED])
def test_a_real_answer_is_what_it_is(
    of: str, row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", KEY)
    found = checked(of, row, tmp_path)
    others = alike(found)
    TABLE.append(f"{of:16}{row['name']:18}{told(found):44}{' '.join(sorted(others))}")
    wanted, *perhaps = row.get("told", row["expect"]).split(" +")
    assert told(found) == wanted, found["findings"]
    assert set(perhaps) <= others, found["findings"]
    assert KEY not in json.dumps(found)


def test_what_is_not_as_it_was_expected_says_why() -> None:
    """-s shows how many are right, and how many were at first sight."""
    for of, row in ROWS:
        said = row.get("told", row["expect"]).split(" +")[0]
        assert said in (row["expect"], *row.get("or", [])) or row.get("because"), f"{of}.{row['name']}"
        assert row["why"]
        assert row["situation"]
    assert all(part["server"] and part["version"] and part["made"] for part in SERVERS.values())
    first = sum("first" not in row for _, row in ROWS)
    print(
        f"\n{first} of {len(ROWS)} were right at first sight; {sum('because' in row for _, row in ROWS)} have a reason"
    )
    assert len(SERVERS) >= 29
    assert len(REPLAYED) >= 278
