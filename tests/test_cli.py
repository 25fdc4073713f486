"""The command line: exit codes, the shape of --json, and one line for whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot import cli
from flows.core.causes import CAUSES
from tests.servers import closed_port

FINDING = {"step", "check", "verdict", "cause", "code", "alternatives", "evidence", "next", "took_ms"}
KEYS = {
    "connection",
    "connector",
    "verdict",
    "cause",
    "code",
    "summary",
    "owner",
    "waiting_helps",
    "took_ms",
    "findings",
}
DIAGNOSIS = {
    "cause",
    "code",
    "confidence",
    "stage",
    "connector",
    "summary",
    "next",
    "owner",
    "waiting_helps",
    "matched",
}
COMMANDS = ["serve", "try", "check", "diagnose", "doctor", "lint", "connectors", "graph", "manifest", "new"]


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Mend = Callable[..., Ran]


@pytest.fixture
def mend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Mend:
    monkeypatch.chdir(tmp_path)
    for name in ("MEND_CONFIG", "MEND_DATABASE_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["mend", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return Ran(int(left.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def api() -> Iterator[str]:
    """An HTTP source that accepts one token, as a connection of mend.yml."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            good = self.headers.get("authorization") == "Bearer hunter2-canary"
            self.send_response(200 if good else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = 'secrets: {token: "${env:CLI_TEST_PASSWORD}"}'
    where = f"{{base_url: 'http://127.0.0.1:{server.server_port}', probe: /me}}"
    yield f"  crm:\n    connector: http_api\n    settings: {where}\n    {secret}\n"
    server.shutdown()
    server.server_close()


def refused(name: str) -> str:
    settings = f"{{host: 127.0.0.1, port: {closed_port()}, database: d, user: stitch}}"
    secret = 'secrets: {password: "${env:CLI_TEST_PASSWORD}"}'
    return f"  {name}:\n    connector: postgres\n    settings: {settings}\n    {secret}\n"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLI_TEST_PASSWORD", "hunter2-canary")


def configured(*connections: str) -> None:
    Path("mend.yml").write_text("connections:\n" + "".join(connections), encoding="utf-8")


def test_a_good_connection_leaves_with_0(mend: Mend, api: str) -> None:
    configured(api)
    ran = mend("check", "crm", "--json")
    assert (ran.code, ran.json["verdict"]) == (0, "good")
    assert [ran.json[key] for key in ("cause", "code", "owner", "waiting_helps")] == [None, None, None, False]
    assert "crm: good." in mend("check", "crm").out


def test_a_bad_connection_leaves_with_1_and_names_cause_owner_and_next_step(mend: Mend) -> None:
    configured(refused("warehouse"))
    ran = mend("check", "warehouse", "--json")
    assert ran.code == 1
    assert set(ran.json) == KEYS
    assert (ran.json["verdict"], ran.json["cause"], ran.json["code"]) == ("bad", "host_unreachable", "network.refused")
    assert ran.json["owner"] == CAUSES["host_unreachable"].owner
    assert all(set(finding) == FINDING for finding in ran.json["findings"])
    bad = next(f for f in ran.json["findings"] if f["verdict"] == "bad")
    assert bad["next"]
    assert ran.json["findings"][-1]["verdict"] == "skipped"
    assert "hunter2" not in ran.out + ran.err


def test_people_read_what_is_wrong_whose_it_is_and_whether_waiting_helps(mend: Mend) -> None:
    configured(refused("warehouse"))
    ran = mend("check", "warehouse")
    assert ran.code == 1
    for word in ("port_answers", "warehouse: bad.", "Next:", "host_unreachable", "network admin", "waiting"):
        assert word in ran.out


def test_all_runs_every_connection_and_several_give_a_list(mend: Mend) -> None:
    configured(refused("b"), refused("a"))
    assert [r["connection"] for r in mend("check", "--all", "--json").json] == ["a", "b"]
    assert [r["connection"] for r in mend("check", "b", "a", "--json").json] == ["b", "a"]
    table = mend("check", "--all")
    assert table.code == 1
    assert "network.refused" in table.out
    assert "2/2" in table.err


def test_all_with_one_connection_is_still_a_list(mend: Mend) -> None:
    configured(refused("a"))
    assert len(mend("check", "--all", "--json").json) == 1


def test_a_literal_secret_is_warned_about_and_not_shown(mend: Mend) -> None:
    configured(refused("a").replace("${env:CLI_TEST_PASSWORD}", "hunter2-canary"))
    ran = mend("check", "a", "--json")
    assert "a.password stands in mend.yml itself" in ran.err
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check",), "--all"),
        (("check", "wharehouse"), "there is no connection 'wharehouse'"),
        (("check", "--all", "--config", "nowhere.yml"), "nowhere.yml does not exist"),
        (("check", "--nope"), "--nope"),
        (("bogus",), "bogus"),
        (("graph", "bogus"), "known are reauthorize"),
        (("graph",), "Missing argument"),
        (("diagnose", "  "), "no error text"),
        (("diagnose", "x", "--connector", "postgre"), "did you mean postgres"),
        (("new", "connector", "Bad Key"), "not a key"),
        (("manifest", "--url", "http://mend.acme.test"), "https://"),
        (("lint", "nowhere"), "does not exist"),
        (("serve",), "SLACK_BOT_TOKEN is not set"),
        (("serve", "--port", "x"), "--port"),
    ],
)
def test_what_is_wrong_is_one_line_on_standard_error_with_exit_2(mend: Mend, words: tuple[str, ...], said: str) -> None:
    configured(refused("warehouse"))
    ran = mend(*words)
    assert ran.code == 2
    assert ran.err.startswith("mend: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert ran.out == ""


def test_a_fault_of_our_own_shows_no_traceback_and_no_secret(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("hunter2-canary")

    monkeypatch.setattr("bot.cli_setup.connectors", broken)
    ran = mend("connectors")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "RuntimeError" in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), ("new", "connector")])
def test_every_command_answers_help(mend: Mend, words: tuple[str, ...]) -> None:
    ran = mend(*words, "--help")
    assert ran.code == 0
    assert "Usage" in ran.out


def test_diagnose_answers_in_the_promised_shape(mend: Mend) -> None:
    ran = mend("diagnose", 'FATAL: password authentication failed for user "stitch"', "--json")
    assert ran.code == 1
    assert set(ran.json) == DIAGNOSIS
    assert (ran.json["cause"], ran.json["code"]) == ("invalid_credentials", "auth.wrong_password")


def test_diagnose_reads_a_pipe_and_admits_what_it_does_not_know() -> None:
    command = [sys.executable, "-m", "bot.cli", "diagnose"]
    ran = subprocess.run(command, input="the moon is blue", capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (3, "")
    assert "unclear" in ran.stdout


def test_a_hostile_text_cannot_command_the_terminal(mend: Mend) -> None:
    ran = mend("diagnose", "[/bold][red] permission denied \x1b]0;owned\x07 \u202e for relation orders")
    assert ran.code == 1
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_diagnose_has_words_for_every_cause(cause: str) -> None:
    from bot.cli_diagnose import _answer
    from flows.core.explain import Diagnosis

    for connector in (None, "postgres", "hubspot", "redshift"):
        answer = _answer(Diagnosis(cause, None, "likely", "", connector, ""))
        assert answer["summary"]
        assert answer["next"]


def test_doctor_says_what_is_missing_and_hides_what_is_secret(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://stitch:hunter2-canary@127.0.0.1:1/mend")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hunter2-canary")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-hunter2-canary")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:1/api")
    ran = mend("doctor", "--json")
    assert ran.code == 1
    parts = {part["part"]: part for part in ran.json["parts"]}
    assert {name for name, part in parts.items() if not part["ok"]} == {"configuration", "slack", "database"}
    assert "does not answer" in parts["slack"]["text"]
    assert "hunter2" not in ran.out + ran.err


def test_a_new_connector_passes_the_lint_and_is_not_overwritten(
    mend: Mend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bot.cli_setup.HERE", tmp_path / "site-packages" / "flows" / "connectors")
    assert mend("new", "connector", "acme_crm").code == 0
    linted = mend("lint", "acme_crm.yaml")
    assert (linted.code, linted.out) == (0, "1 files, 0 problems\n")
    assert "is there already" in mend("new", "connector", "acme_crm").err


def test_lint_names_file_line_and_nearest_key(mend: Mend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bot.cli_setup.HERE", tmp_path / "site-packages" / "flows" / "connectors")
    mend("new", "connector", "acme")
    sheet = Path("acme.yaml")
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("regeneration:", "regenration:"), encoding="utf-8")
    ran = mend("lint", "acme.yaml")
    assert ran.code == 1
    assert "regenration: unknown key; did you mean regeneration?" in ran.out
    Path("words.j2").write_text("a\n{% if %}\n", encoding="utf-8")
    assert "words.j2:2:1:" in mend("lint", "words.j2").out


def test_our_own_sheets_templates_and_flows_are_sound(mend: Mend) -> None:
    assert mend("lint").code == 0


def test_connectors_are_listed(mend: Mend) -> None:
    assert "postgres" in mend("connectors").out
    assert {"key", "title", "driver", "checks"} <= set(mend("connectors", "--json").json[0])


def test_a_flow_is_drawn(mend: Mend) -> None:
    assert mend("graph", "reauthorize").out.startswith("stateDiagram-v2")
