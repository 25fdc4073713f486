"""The command line: exit codes, the shape of --json, and one line for whatever is wrong."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot import cli
from flows.core.causes import CAUSES
from messages import templates
from tests.fakes.serve import serving
from tests.servers import listener, refusing_port

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
COMMANDS = ["serve", "try", "check", "diagnose", "doctor", "lint", "connectors", "graph", "manifest", "import", "new"]


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
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    secret = 'secrets: {token: "${env:CLI_TEST_PASSWORD}"}'
    where = f"{{base_url: 'http://127.0.0.1:{server.server_port}', probe: /me}}"
    yield f"  crm:\n    connector: http_api\n    settings: {where}\n    {secret}\n"
    server.shutdown()
    server.server_close()


def refused(name: str) -> str:
    settings = f"{{host: 127.0.0.1, port: {refusing_port()}, database: d, user: stitch}}"
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


def test_a_setting_that_nothing_reads_is_told_with_the_name_that_was_meant(mend: Mend) -> None:
    configured(refused("a").replace("host: 127.0.0.1", "hots: 127.0.0.1"))
    ran = mend("check", "a", "--json")
    assert "a.settings.hots is not read: did you mean host?" in ran.err
    assert ran.json["connector"] == "postgres"


def test_people_read_what_is_wrong_whose_it_is_and_whether_waiting_helps(mend: Mend) -> None:
    configured(refused("warehouse"))
    ran = mend("check", "warehouse")
    assert ran.code == 1
    for word in ("port_answers", "warehouse: bad.", "Next:", "host_unreachable", "Waiting helps only if"):
        assert word in ran.out
    assert "Who:     The network admin, or the owner of the server\n" in ran.out  # as the thread calls them
    assert "```" not in ran.out
    assert "    host: <host>\n    port: <port>\n" in ran.out  # to be copied as it stands


def test_all_runs_every_connection_and_several_give_a_list(mend: Mend) -> None:
    configured(refused("b"), refused("a"))
    assert [r["connection"] for r in mend("check", "--all", "--json").json] == ["a", "b"]
    assert [r["connection"] for r in mend("check", "b", "a", "--json").json] == ["b", "a"]
    table = mend("check", "--all")
    assert table.code == 1
    assert "network.refused" in table.out
    assert "2/2" in table.err


def test_a_missing_secret_of_one_does_not_keep_the_others_from_being_looked_at(mend: Mend, api: str) -> None:
    configured(api, refused("a"), refused("b"), refused("c").replace("CLI_TEST_PASSWORD", "NEVER_SET"))
    ran = mend("check", "--all", "--json")
    assert ran.code == 1
    told = {r["connection"]: r for r in ran.json}
    assert [told[n]["verdict"] for n in ("a", "b", "crm", "c")] == ["bad", "bad", "good", "bad"]
    assert (told["c"]["cause"], set(told["c"])) == ("config_error", KEYS)
    line = next(n for n, text in enumerate(Path("mend.yml").read_text().splitlines(), 1) if "NEVER_SET" in text)
    assert (
        f"NEVER_SET is not set: set it where Mend runs and start Mend again (mend.yml:{line})" in told["c"]["summary"]
    )
    assert set(told["c"]["findings"][0]) == FINDING
    people = mend("check", "--all")
    together = "2 connections: Nothing listens at 127.0.0.1: the connection was refused. (the network admin, or the "
    assert together + "owner of the server; waiting does not help) a, b" in people.out
    assert "1 good, 3 bad of 4" in people.out
    assert "4/4" in people.err
    assert mend("check", "c").code == 2


def test_a_host_is_asked_by_few_at_once(mend: Mend, tmp_path: Path) -> None:
    now, most = [], []

    def talk(peer: socket.socket) -> None:
        now.append(peer)
        most.append(len(now))
        time.sleep(0.3)
        now.remove(peer)

    with listener(talk) as port:
        configured(
            *(
                refused(f"n{n}").replace("port: ", f"port: {port} # ").replace(", database", "\n      , database")
                for n in range(12)
            )
        )
        assert len(mend("check", "--all", "--json").json) == 12
    assert 1 < max(most) <= 8  # one connection may ask twice: for the port and for the protocol


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


@pytest.mark.parametrize("words", [(), ("new",), ("vault",)])
def test_who_names_no_command_is_shown_the_commands(mend: Mend, words: tuple[str, ...]) -> None:
    ran = mend(*words)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no command is given" in ran.err
    assert "Commands:" in ran.out


def test_a_name_beside_all_must_be_there_too(mend: Mend) -> None:
    configured(refused("a"))
    ran = mend("check", "--all", "wharehouse")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no connection 'wharehouse'" in ran.err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sslmode: verify", "a.settings.sslmode is verify: choose from disable, prefer, require, verify-ca, verify-full"),
        ("connect_timeout: soon", "a.settings.connect_timeout is soon: write seconds"),
        ("timeout: -1", "a.settings.timeout is -1: write seconds"),
    ],
)  # fmt: skip
def test_a_setting_that_would_be_taken_for_another_is_told(mend: Mend, setting: str, said: str) -> None:
    configured(refused("a").replace("user: stitch", f"user: stitch, {setting}"))
    ran = mend("check", "a", "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_what_is_missing_in_the_settings_is_told_though_the_driver_would_guess(mend: Mend) -> None:
    configured(refused("a").replace(", user: stitch", ""))
    ran = mend("check", "a", "--json")
    assert ran.json["code"] == "network.refused"
    assert "a.settings.user is missing: The role that the pipeline logs in as" in ran.err


def test_a_fault_of_our_own_shows_no_traceback_and_no_secret(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("hunter2-canary")

    monkeypatch.setattr("bot.cli.setup.connectors", broken)
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


def test_diagnose_names_the_connection_of_mend_yml_and_who_owns_it(mend: Mend) -> None:
    """As Airbyte, Fivetran, Stitch's mail and a job's log name it."""
    configured(refused("warehouse") + "    owner: U012ABCDEF\n", refused("shop_eu"))
    airbyte = {"data": {"connection": {"name": "Warehouse"}, "source": {"name": "Postgres"}, "jobId": 9988, "success": False,
                        "errorMessage": "FATAL: password authentication failed for user \"stitch\"", "errorOrigin": "source"}}  # fmt: skip
    fivetran = {"event": "sync_end", "connector_type": "postgres", "connector_name": "shop-eu", "connector_id": "x",
                "data": {"status": "FAILURE", "reason": "ERROR: permission denied for table orders"}}  # fmt: skip
    mail = "Subject: Stitch Notification - errors with your Warehouse integration\n\nCould not list databases/tables for connection."
    log = '2026-11-24 tap - INFO Starting sync of warehouse\n2026-11-24 tap - CRITICAL could not translate host name "db" to address'
    for text, name, cause, stage in (
        (json.dumps(airbyte), "warehouse", "invalid_credentials", "extraction"),
        (json.dumps(fivetran), "shop_eu", "missing_privilege", "extraction"),
        (mail, "warehouse", "missing_privilege", "connection"),
        (log, "warehouse", "host_unreachable", "extraction"),
    ):
        ran = mend("diagnose", text, "--json")
        assert (ran.json["connection"], ran.json["cause"], ran.json["stage"]) == (name, cause, stage), text
        assert ran.json["connector"] == "postgres"
        assert ran.json["connection_owner"] == ("U012ABCDEF" if name == "warehouse" else "")
    assert "(U012ABCDEF owns the connection)" in mend("diagnose", json.dumps(airbyte)).out
    Path("mend.yml").write_text("connections: [broken\n")
    ran = mend("diagnose", "FATAL: password authentication failed for user x", "--json")
    assert ran.json["cause"] == "invalid_credentials"
    assert ran.err.startswith("mend: explained without mend.yml: mend.yml:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("getaddrinfo ENOTFOUND db.acme.test", "The name db.acme.test does not exist."),
        ("getaddrinfo ENOTFOUND", "The name does not exist."),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", "The server shows another identity than before."),
    ],
)
def test_diagnose_names_the_host_that_the_text_names_and_no_other(mend: Mend, text: str, said: str) -> None:
    assert mend("diagnose", text).out.splitlines()[0] == said


def test_diagnose_reads_a_pipe_and_admits_what_it_does_not_know() -> None:
    command = [sys.executable, "-m", "bot.cli", "diagnose"]
    ran = subprocess.run(command, input="the moon is blue", capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (3, "")
    assert "unclear" in ran.stdout


def test_diagnose_takes_a_dash_for_the_pipe_and_words_without_quotes(mend: Mend) -> None:
    command = [sys.executable, "-m", "bot.cli", "diagnose", "-", "--json"]
    piped = subprocess.run(command, input="password authentication failed", capture_output=True, text=True, timeout=60)
    assert json.loads(piped.stdout)["code"] == "auth.wrong_password"
    assert mend("diagnose", "password", "authentication", "failed", "--json").json["code"] == "auth.wrong_password"


def test_diagnose_reads_the_file_that_is_named(mend: Mend, tmp_path: Path) -> None:
    log = tmp_path / "sync.log"
    log.write_text("INFO began\n" + "INFO a row\n" * 50_000 + "CRITICAL password authentication failed for user\n")
    assert mend("diagnose", str(log), "--json").json["code"] == "auth.wrong_password"
    gone = mend("diagnose", str(tmp_path / "other.log"))
    assert (gone.code, gone.out) == (2, "")
    assert "there is no file" in gone.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_behind_the_output_is_no_fault_of_mends(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "bot.cli", "diagnose", "permission denied " * 999, "--json"]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (2, "mend: the output cannot be written: No space left on device\n")


def test_a_hostile_text_cannot_command_the_terminal(mend: Mend) -> None:
    ran = mend("diagnose", "[/bold][red] permission denied \x1b]0;owned\x07 \u202e for relation orders")
    assert ran.code == 1
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_diagnose_has_words_for_every_cause(cause: str) -> None:
    from bot.cli.diagnose import _answer
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


def test_doctor_tells_what_is_missing_in_the_settings_of_a_connection(
    mend: Mend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://127.0.0.1:1/mend")
    configured(refused("a").replace(", user: stitch", ""))
    line = next(line for line in mend("doctor").out.splitlines() if "configuration" in line)
    assert line.startswith("ok ")
    assert "a.settings.user is missing" in line


def test_doctor_tells_once_of_a_file_that_cannot_be_read(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://127.0.0.1:1/mend")
    Path("mend.yml").write_text("connections: [\n")
    out = mend("doctor").out
    assert (out.count("not valid YAML"), out.count("the configuration is bad, see above") > 1) == (1, True)


def test_doctor_says_what_to_register_with_a_provider(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEND_PUBLIC_URL", "https://mend.example.com")
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://127.0.0.1:1/mend")
    connections = "connections: {crm: {connector: hubspot}, books: {connector: xero}}\n"
    Path("mend.yml").write_text(connections + "oauth: {hubspot: {client_id: abc}}\n")
    out = mend("doctor").out
    assert "crm: register https://mend.example.com/oauth/callback" in out
    assert "books: not registered" in out
    Path("mend.yml").write_text(connections + "oauth: {hubspott: {client_id: abc}}\n")
    assert "hubspott has no authorization that Mend knows" in mend("doctor").out


def test_a_connector_that_is_not_there_keeps_nobody_else_from_being_looked_at(mend: Mend, api: str) -> None:
    configured(api, "  odd: {connector: postgrse, settings: {host: db}}\n")
    ran = mend("check", "--all", "--json")
    assert ran.code == 1
    assert {one["connection"]: one["verdict"] for one in ran.json} == {"crm": "good", "odd": "bad"}
    assert "there is no connector 'postgrse': did you mean postgres?" in ran.json[1]["summary"]
    told = mend("check", "--all")
    assert (told.code, "1 good, 1 bad of 2" in told.out) == (1, True)
    explained = mend("diagnose", "permission denied for table orders", "--json")
    assert (explained.code, explained.json["cause"]) == (1, "missing_privilege")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "mend.yml",
            "connections:\n  crm: {connector: hubspot, settings: {start: 2026-02-30}}\n",
            "mend.yml:2: not valid",
        ),
        ("acme.yaml", "key: acme\nextends: postgres\nfacts_date: 2026-13-01\n", "acme.yaml:3:13: not valid YAML"),
        ("acme.yaml", "key: acme\ntitle: A\nextends: postgres\nfields: [{name: [a]}]\n", "acme.yaml:4"),
    ],
)
def test_a_file_with_a_date_or_name_that_is_none_is_told_with_its_line(
    mend: Mend, name: str, text: str, told: str
) -> None:
    Path(name).write_text(text)
    ran = mend("check", "crm") if name == "mend.yml" else mend("lint", name)
    assert told in ran.out + ran.err
    assert "fault of Mend" not in ran.out + ran.err


def test_doctor_names_every_connection_that_cannot_be_used(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEND_DATABASE_URL", "postgresql://127.0.0.1:1/mend")
    missing = refused("a").replace("CLI_TEST_PASSWORD", "NEVER_SET")
    configured(missing, refused("b"), refused("c").replace("connector: postgres", "connector: postgrse"))
    ran = mend("doctor")
    line = next(line for line in ran.out.splitlines() if line.startswith("bad configuration"))
    assert "a: the environment variable NEVER_SET is not set: set it" in line
    assert "c: there is no connector 'postgrse': did you mean postgres?" in line
    assert " b: " not in line
    assert ran.out.endswith("then run `mend doctor` again\n")


@pytest.mark.parametrize(
    "words", [[name] for name in COMMANDS if name != "new"] + [["new", "connector"], ["docs"], ["vault", "put"]]
)
def test_every_command_shows_an_example(mend: Mend, words: list[str]) -> None:
    assert f"Example: mend {' '.join(words)}" in " ".join(mend(*words, "--help").out.split())


def test_lint_names_what_is_left_of_a_new_connector_and_nothing_else(
    mend: Mend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bot.cli.setup.HERE", tmp_path / "site-packages" / "flows" / "connectors")
    written = mend("new", "connector", "acme_crm")
    assert written.code == 0
    assert "connectors/acme_crm.yaml` names each blank" in written.out
    sheet = Path("connectors/acme_crm.yaml")
    linted = mend("lint", str(sheet))
    *blanks, count = linted.out.splitlines()
    assert linted.code == 0  # nothing in it is wrong
    assert count == f"1 file, 0 problems, {len(blanks)} blanks"
    assert all("still to be filled in: " in one for one in blanks)
    assert any(one.endswith("still to be filled in: the host of the API") for one in blanks)
    sheet.write_text(re.sub(r" # FILL IN.*|FILL IN: ?", "", sheet.read_text(encoding="utf-8")), encoding="utf-8")
    assert mend("lint", str(sheet)).out == "1 file, 0 problems\n"
    assert "is there already" in mend("new", "connector", "acme_crm").err


@pytest.fixture
def own_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user's own words, forgotten again: compiled templates outlive the list of folders."""
    monkeypatch.setattr("messages.templates._also", [])
    yield
    templates.forget()


@pytest.mark.usefixtures("own_words")
def test_a_users_own_sheets_and_words_lie_beside_the_configuration_and_win(
    mend: Mend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bot.cli.setup.HERE", tmp_path / "site-packages" / "flows" / "connectors")
    monkeypatch.setattr("flows.core.sheet._also", [])
    monkeypatch.setenv("MEND_CONFIG", str(tmp_path / "etc" / "mend.yml"))
    (tmp_path / "etc" / "messages" / "causes").mkdir(parents=True)
    assert mend("new", "connector", "acme").code == 0
    sheet = tmp_path / "etc" / "connectors" / "acme.yaml"
    own = sheet.read_text().replace("https://FILL IN: the host of the API", f"http://127.0.0.1:{refusing_port()}")
    sheet.write_text(own.replace("auth: bearer", "auth: bearer # here") + "aliases: [ac]\n")
    listed = mend("connectors").out
    assert "acme" in listed
    assert "postgres" in listed
    words = "{% macro summary(f, c) %}Our own words for {{ name(c.name) }}.{% endmacro %}"
    (tmp_path / "etc" / "messages" / "causes" / "host_unreachable.j2").write_text(words)
    secret = 'secrets: {access_token: "${env:HOME}"}'
    Path(tmp_path / "etc" / "mend.yml").write_text(f"connections:\n  crm:\n    connector: ac\n    {secret}\n")
    checked = mend("check", "crm", "--json")
    assert checked.code == 1, checked.err
    ran = checked.json
    assert (ran["cause"], ran["summary"]) == ("host_unreachable", "Our own words for crm.")
    (tmp_path / "etc" / "messages" / "causes" / "wrong.j2").write_text("{% if %}")
    assert "causes/wrong.j2:1:1" in mend("lint").out


def test_lint_names_file_line_and_nearest_key(mend: Mend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bot.cli.setup.HERE", tmp_path / "site-packages" / "flows" / "connectors")
    mend("new", "connector", "acme")
    sheet = Path("connectors/acme.yaml")
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("regeneration:", "regenration:"), encoding="utf-8")
    ran = mend("lint", "connectors/acme.yaml")
    assert ran.code == 1
    assert "regenration: unknown key; did you mean regeneration?" in ran.out
    Path("words.j2").write_text("a\n{% if %}\n", encoding="utf-8")
    assert "words.j2:2:1:" in mend("lint", "words.j2").out


@pytest.mark.parametrize("key", ["hubspot", "http"])
def test_a_new_connector_takes_no_name_that_mend_knows(mend: Mend, tmp_path: Path, key: str) -> None:
    """`http` is another name of http_api."""
    ran = mend("new", "connector", key)
    assert (ran.code, ran.out) == (2, "")
    assert f"Mend knows {key} already" in ran.err
    assert not (tmp_path / "connectors").exists()


def test_lint_reads_a_users_whole_folder_and_a_flow_by_its_file(mend: Mend, tmp_path: Path) -> None:
    """mend.yml and the words beside templates are no sheets; sheets are read though there are templates."""
    configured(refused("a"))
    mend("new", "connector", "acme")
    words = tmp_path / "messages" / "causes"
    words.mkdir(parents=True)
    (words / "own.j2").write_text("words")
    (words / "own.yaml").write_text("a: b")
    assert "\n2 files, 0 problems, " in mend("lint", ".").out
    sheet = tmp_path / "connectors" / "acme.yaml"
    sheet.write_text(sheet.read_text().replace("  identity:", "  identty:") + "title: Again\n")
    ran = mend("lint", ".")
    assert (ran.code, "not valid YAML: the key title stands twice" in ran.out) == (1, True)
    sheet.write_text(sheet.read_text().replace("title: Again\n", ""))
    assert "http.identty: unknown key; did you mean identity?" in mend("lint", ".").out
    flows = Path(cli.__file__).parents[2] / "flows"
    assert (mend("lint", str(flows / "reauthorize.py")).code, mend("lint", str(flows)).code) == (0, 0)
    assert "this is no flow" in mend("lint", str(flows / "core" / "case.py")).out


def test_our_own_sheets_templates_and_flows_are_sound(mend: Mend) -> None:
    assert mend("lint").code == 0


def test_connectors_are_listed_by_what_people_look_for_in_80_columns(mend: Mend) -> None:
    lines, listed = mend("connectors").out.splitlines(), mend("connectors", "--json").json
    assert max(map(len, lines)) <= 80
    begins = [line for line in lines if line and not line.startswith(" ")]
    assert begins[:4] == ["Databases", "Files and sheets", "Advertising", "Marketing and mail"]
    under = lines[lines.index("Advertising") : lines.index("Marketing and mail")]
    assert any("google_ads" in line for line in under)
    assert {line.split()[0] for line in lines if line.startswith("  ")} == {one["key"] for one in listed}
    assert {"key", "title", "driver", "checks", "family"} <= set(listed[0])
    assert [one["key"] for one in listed if one["family"] == "others"] == ["http_api"]


def test_a_sheet_is_printed_as_a_guide(mend: Mend) -> None:
    said = mend("docs", "hubspot").out
    assert "`contacts` needs crm.objects.contacts.read" in said
    assert "Development > Legacy apps > your private app > Auth" in said
    surveys = mend("docs", "surveymonkey").out
    assert "Where to sign in: https://developer.surveymonkey.com (EU: https://developer.eu.surveymonkey.com" in surveys
    assert "- My Apps > your app > Settings > Credentials" in surveys
    assert "When it ends: the token does not" in surveys
    assert "Such as `gh/acme`." in mend("docs", "circleci").out
    assert "`leads` needs the role: View all leads" in mend("docs", "close").out
    assert "ALTER USER" in mend("docs", "mariadb").out
    assert "ALTER USER" in mend("docs", "redshift").out
    assert "did you mean hubspot?" in mend("docs", "hubspto").err
    assert mend("connectors", "--schema").json["required"] == ["key", "title", "facts_date", "source"]


def test_a_flow_is_drawn(mend: Mend) -> None:
    assert mend("graph", "reauthorize").out.startswith("stateDiagram-v2")


def test_an_unclear_http_answer_gets_its_own_next_step_and_the_question_that_decides(
    mend: Mend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "<html><title>Attention Required! | Cloudflare</title></html>"
    monkeypatch.setenv("KEY", "key-that-must-never-be-seen")
    with serving(lambda path, headers: (403, {"Content-Type": "text/html"}, page)) as url:
        config = {"connector": "hubspot", "settings": {"base_url": url}, "secrets": {"access_token": "${env:KEY}"}}
        (tmp_path / "http.yml").write_text(json.dumps({"connections": {"crm": config}}), encoding="utf-8")
        ran = mend("check", "crm", "--config", str(tmp_path / "http.yml"))
    assert ran.code == 3
    # Not that of the status page, which cannot be read from here either.
    assert "Next:    Ask whoever runs the firewall or proxy" in ran.out
    assert "Or:      HubSpot wants a person to solve a captcha." in ran.out
    assert "Ask:     Does a firewall or proxy stand between?" in ran.out
