"""`mend check --all` on two hundred connections, as a person runs it, as a script does, and interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.cli.fleet import AT_ONE_HOST, ended
from tests.fleet import (
    BEFORE,
    CHANGED,
    CLOSED,
    DOWN,
    ENVIRONMENT,
    GOOD,
    KEY,
    PROXIED,
    REFUSED,
    SHOP,
    SILENT,
    Fleet,
    fleet,
)  # fmt: skip

ALL = GOOD + REFUSED + DOWN + SILENT + PROXIED + CLOSED + SHOP + CHANGED
# A database check looks for the port and the protocol beside its login.
LINES_OF_A_CHECK = 2


@pytest.fixture(scope="module")
def site() -> Iterator[Fleet]:
    # A pytest that starts meanwhile shuts all folders of its kind, and the server of another account with them.
    with tempfile.TemporaryDirectory(prefix="mend-fleet-") as name, fleet(Path(name)) as made:
        made.write(made.folder / "mend.yml")
        yield made


def command(site: Fleet, *words: str) -> list[str]:
    return [sys.executable, "-m", "bot.cli", "check", "--all", "--config", str(site.folder / "mend.yml"), *words]


def ran(site: Fleet, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **ENVIRONMENT}
    return subprocess.run(command(site, *words), env=env, capture_output=True, text=True, timeout=200, check=False)


def test_people_see_each_as_it_ends_and_what_they_share_once(site: Fleet) -> None:
    seen = ran(site)
    assert seen.returncode == 1
    lines = seen.stderr.splitlines()
    told = [found for line in lines if (found := re.match(r"(\d+)/200 +(good|bad|unclear) +([a-z]+-\d+)", line))]
    assert [int(one[1]) for one in told] == list(range(1, ALL + 1))
    assert Counter(one[2] for one in told) == {"good": GOOD + SHOP, "bad": ALL - GOOD - SHOP}
    proxy = site.connections["office-00"]["proxy"].removeprefix("http://")
    for said in (
        f"{PROXIED} connections: The certificate of the proxy {proxy} has expired. (whoever runs the proxy; waiting",
        f"{DOWN} connections: HTTP API reports a fault of its own. (nobody here; waiting helps)",
        f"{REFUSED} connections: HTTP API does not accept the key.",
        f"{CHANGED} connections: The server refused the password for user stitch.",
        f"{SILENT} connections: 127.0.0.1:",
        f"{CLOSED} connections: Nothing listens at 127.0.0.1:",
        f"{GOOD + SHOP} good, {ALL - GOOD - SHOP} bad of {ALL}",
    ):
        assert said in seen.stdout
    assert KEY not in seen.stdout + seen.stderr
    assert BEFORE not in seen.stdout + seen.stderr


def test_a_host_is_asked_by_few_at_once(site: Fleet) -> None:
    ran(site, "--json")
    # Who has just left counts until the server's thread, busy as the machine is, has ended; without a limit it were 16.
    for http in (site.api, site.down, site.silent):
        assert 1 < http.most <= AT_ONE_HOST * 2
    assert 1 < site.database.most <= AT_ONE_HOST * (LINES_OF_A_CHECK + 1)


def test_a_silent_host_holds_up_nobody_else() -> None:
    """The silent ones answer only when all the others have: were one waited for, this would not end."""
    others, free = {f"good-{n}": "quick" for n in range(40)}, threading.Event()
    hosts, seen = {**{f"quiet-{n}": "silent" for n in range(40)}, **others}, []

    def look(name: str) -> dict[str, str]:
        if name.startswith("quiet"):
            assert free.wait(60)
        return {"connection": name}

    for one in ended(hosts, look):
        seen.append(one["connection"])
        if set(seen) >= set(others):
            free.set()
    assert sorted(seen) == sorted(hosts)
    assert set(seen[: len(others)]) == set(others)


def test_scripts_get_one_list_in_the_order_of_the_names(site: Fleet) -> None:
    seen = ran(site, "--json")
    found = json.loads(seen.stdout)
    assert [one["connection"] for one in found] == sorted(site.connections)
    assert seen.stderr == ""
    codes = Counter((one["connection"].split("-")[0], one["verdict"], one["code"]) for one in found)
    assert codes == {
        ("api", "good", None): GOOD, ("shop", "good", None): SHOP,
        ("left", "bad", "auth.invalid_token"): REFUSED, ("ads", "bad", "availability.provider_error"): DOWN,
        ("quiet", "bad", "network.accepts_but_silent"): SILENT, ("office", "bad", "tls.certificate_expired"): PROXIED,
        ("moved", "bad", "network.refused"): CLOSED, ("old", "bad", "auth.wrong_password"): CHANGED,
    }  # fmt: skip


def test_interrupted_it_ends_at_once_and_tells_what_it_knows(site: Fleet) -> None:
    env = {**os.environ, **ENVIRONMENT}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell's background job, as a CI's may be, is deaf to Ctrl-C and so are its children; a person's terminal is not.
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    child = subprocess.Popen(command(site), env=env, preexec_fn=listen, **pipes)
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("20/200"):
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err[-1000:]
    stopped = re.search(r"mend: stopped; (\d+) of 200 were looked at", err)
    assert stopped
    assert 20 <= int(stopped[1]) < ALL
    assert f"of {stopped[1]}" in out
    assert "Traceback" not in err + out
