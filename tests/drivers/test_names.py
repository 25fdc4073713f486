"""Each way in which a name can fail has its code, asked of a real name server by the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.debian import missing, program

EXPECTED = {
    "nowhere": ("bad", "dns.nxdomain"),
    "empty": ("bad", "dns.no_address"),
    "servfail": ("bad", "dns.servfail"),
    "silent": ("bad", "dns.timeout"),
    "inside": ("bad", "dns.private_address"),
    "six": ("bad", "network.wrong_address_family"),
    "here": ("bad", "network.refused"),
}


# Behind mongodb+srv:// a name stands for members and options.
SRV = {
    "good": ("good", None),
    "nosrv": ("bad", "dns.no_srv_record"),
    "twotxt": ("bad", "dns.bad_srv_records"),
    "oddtxt": ("bad", "dns.bad_srv_records"),
    "foreign": ("bad", "dns.bad_srv_records"),
    "lost": ("bad", "dns.nxdomain"),
    "down": ("bad", "network.refused"),
    "servfail": ("bad", "dns.servfail"),
    "silent": ("bad", "dns.timeout"),
}
# An address that is away hides none that is there: https://www.rfc-editor.org/rfc/rfc8305
WEB = ("both", "fifty", "stalled")


def own_namespaces() -> list[str]:
    """How this user gets a network and file system of its own, or nothing."""
    unshare = program("unshare")
    for flags in ("-mn", "-Urmn"):
        if unshare and subprocess.run([unshare, flags, "true"], capture_output=True, check=False).returncode == 0:
            return [unshare, flags]
    return []


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if missing("unshare", "util-linux") or not own_namespaces():
        pytest.skip("this user may not make namespaces: the tests of name look-ups are LEFT OUT")
    settings = {"port": 5999, "database": "d", "user": "u", "connect_timeout": 3}
    file = Path(tmp_path_factory.mktemp("names")) / "mend.yml"
    connections: dict[str, Any] = {
        n: {"connector": "postgres", "settings": {**settings, "host": f"{n}.test"}} for n in EXPECTED
    }
    mongo = {"database": "shop", "user": "stitch", "sslmode": "disable", "connect_timeout": 3}
    connections |= {f"srv-{n}": {"connector": "mongodb", "secrets": {"password": "right"}, "tables": ["shop.orders"],
                                 "settings": {**mongo, "host": f"mongodb+srv://{n}.db.test/?w=1"}} for n in SRV}  # fmt: skip
    connections |= {f"web-{n}": {"connector": "http_api", "secrets": {"token": "abc-123"},
                                 "settings": {"base_url": f"http://{n}.test:8080", "timeout": 3}} for n in WEB}  # fmt: skip
    file.write_text(yaml.safe_dump({"connections": connections}))
    mend = [sys.executable, "-m", "bot.cli", "check", "--all", "--json", "--config", str(file)]
    run = subprocess.run(
        [*own_namespaces(), sys.executable, "-m", "tests.fakes.names", *mend],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert run.stdout, run.stderr
    return {one["connection"]: one for one in json.loads(run.stdout)}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_way_to_fail_has_its_code(seen: dict[str, Any], name: str) -> None:
    assert (seen[name]["verdict"], seen[name]["code"]) == EXPECTED[name], seen[name]


def test_what_the_name_leads_to_is_told(seen: dict[str, Any]) -> None:
    assert "10.1.2.3" in seen["inside"]["findings"][0]["evidence"]
    assert "dns.stale_record" in next(f for f in seen["here"]["findings"] if f["verdict"] == "bad")["alternatives"]


@pytest.mark.parametrize("name", SRV)
def test_a_cluster_by_its_name_leads_to_a_member_or_says_why_not(seen: dict[str, Any], name: str) -> None:
    one = seen[f"srv-{name}"]
    assert (one["verdict"], one["code"]) == SRV[name], one


def test_the_member_behind_a_name_is_told(seen: dict[str, Any]) -> None:
    assert "gone.db.test" in seen["srv-lost"]["summary"]
    assert "node.db.test:27018" in str(seen["srv-down"]["findings"])
    assert "node.elsewhere.test" in str(seen["srv-foreign"]["findings"])


@pytest.mark.parametrize("name", WEB)
def test_an_address_that_is_away_hides_none_that_is_there(seen: dict[str, Any], name: str) -> None:
    assert (seen[f"web-{name}"]["verdict"], seen[f"web-{name}"]["code"]) == ("good", None), seen[f"web-{name}"]
