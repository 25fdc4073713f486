"""mend.yml: what is wrong is named with its line, and no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.checks.target import target_for
from bot.environment import Environment
from bot.settings import VAULTS, Settings, SettingsError, load, resolve
from bot.usable import literals
from bot.vault import Vault

GOOD = """connections:
  warehouse:
    connector: postgres
    settings: {host: db.acme.test, user: stitch}
    secrets: {password: "${env:WAREHOUSE_PASSWORD}"}
    tables: [public.orders]
"""
BOMB = "desk:\n  kind: zendesk\n  a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


def written(folder: Path, text: str) -> Path:
    path = folder / "mend.yml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(written(folder, text), {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_connection_is_read_with_its_defaults(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD), {})
    assert settings.connections["warehouse"].replication == "key"
    assert settings.reminders.nudge_minutes == 30
    assert settings.check_timeout == 5


def test_the_whole_example_of_the_documentation_is_accepted(tmp_path: Path) -> None:
    tunnel = '    tunnel: {host: b.test, user: stitch, private_key: "${file:id}", host_key: "ssh-ed25519 AAAA"}\n'
    more = '    proxy: http://proxy.test:3128\n    owner: U012ABCDEF\nplatform: {kind: stitch, token: "${env:T}"}\n'
    desk = 'desk: {kind: zendesk, subdomain: acme, email: bot@acme.test, token: "${env:Z}"}\naccess: {admins: [U0A]}\n'
    settings = load(written(tmp_path, GOOD + tunnel + more + desk), {})
    assert settings.desk is not None
    assert settings.connections["warehouse"].tunnel is not None
    assert settings.connections["warehouse"].tunnel.port == 22


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conections: {}\n", "mend.yml:1: conections: unknown key; did you mean connections?"),
        (GOOD + "    replicaton: log\n", "mend.yml:7: connections.warehouse.replicaton: unknown key; did you mean"),
        (GOOD + "    tunnel:\n      host: b\n      user: u\n      prot: 22\n", "mend.yml:10: "),
        ("connections:\n  w:\n    conector: postgres\n", "mend.yml:3: connections.w.conector: unknown key; did"),
        ("reminders: {nudge_minute: 3}\n", "did you mean nudge_minutes?"),
        (GOOD + "    replication: often\n", "mend.yml:7: connections.warehouse.replication: expected 'log'"),
        (GOOD + "check_timeout: soon\n", "mend.yml:7: check_timeout: "),
        ("connections:\n  warehouse: {}\n", "mend.yml:2: connections.warehouse.connector: "),
        ("connections: [\n", "mend.yml:2: not valid YAML"),
        ("- a\n", "mend.yml:1: expected keys"),
        ("connections:\n  w:\n", "mend.yml:2: connections.w: expected keys below it"),
        ("connections:\n  5: {connector: postgres}\n", "mend.yml:2: connections.5: expected text: put it in quotes"),
        (GOOD + "  warehouse: {connector: mysql}\n", "mend.yml:7: not valid YAML: the key warehouse stands twice"),
        ("[" * 50_000, "mend.yml:1: not valid YAML: nested more than 100 deep"),
        ("connections: " + "{a: " * 50_000, "mend.yml:1: not valid YAML: nested more than 100 deep"),
        (GOOD + "access: &a {admins: *a}\n", "mend.yml:7: not valid YAML: this holds itself by an alias"),
        (GOOD + BOMB, "mend.yml:15: not valid YAML: too much once its aliases are written out"),
        ("connections:\n\twarehouse:\n", "mend.yml:2: not valid YAML: found character that cannot start any token: indent"),
        (GOOD + "access: {admins: U0ADMIN}\n", "mend.yml:7: access.admins: expected a list"),
        ("connections: {w: {connector: x, secrets: {password: 'a${env:PW}'}}}\n", "where it is the whole value"),
        ('connections: {w: {connector: postgres, secrets: {password: "${evn:PW}"}}}\n', "write ${env:NAME}"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line_and_the_nearest_right_key(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_a_part_whose_lines_are_all_comments_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "connections:\n# warehouse:\naccess:\ndesk:\nplatform:\nreminders:\n"), {})
    assert (settings.connections, settings.desk, settings.reminders.nudge_minutes) == ({}, None, 30)
    settings = load(written(tmp_path, "connections: {w: {connector: postgres, tables: , secrets: , settings: }}\n"), {})
    assert settings.connections["w"].tables == []


def test_what_one_connection_has_of_another_by_an_anchor_may_be_said_anew(tmp_path: Path) -> None:
    text = GOOD.replace("warehouse:", "warehouse: &one", 1)
    more = (
        "  replica: &two\n    <<: *one\n    tables: []\n  third:\n    <<: *two\n    tables: [a]\n    replication: log\n"
    )
    settings = load(written(tmp_path, text + more), {})
    assert settings.connections["third"].settings["user"] == "stitch"
    assert [one.tables for one in settings.connections.values()] == [["public.orders"], [], ["a"]]


def test_a_file_in_another_encoding_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "mend.yml").write_bytes("connections: {}  # größer".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"mend\.yml cannot be read: save it as text in UTF-8"):
        load(tmp_path / "mend.yml", {})


def test_a_bad_value_is_never_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in refused(tmp_path, "connections: {w: {connector: postgres, secrets: hunter2}}\n")
    assert "hunter2" not in refused(
        tmp_path, 'connections: {w: {connector: p, secrets: {password: "${env:hunter2"}}}\n'
    )


def test_the_file_is_given_or_named_by_the_environment_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).connections == {}
    path = written(tmp_path, GOOD)
    assert load(None, {}).source == path
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert load(None, {"MEND_CONFIG": str(path)}).folder == tmp_path
    with pytest.raises(SettingsError, match="does not exist"):
        load(Path("nowhere.yml"), {})


def test_a_secret_file_is_read_anew_each_time_and_beside_the_configuration(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD.replace("env:WAREHOUSE_PASSWORD", "file:pw")), {})
    for password in ("first", "second"):
        (tmp_path / "pw").write_text(password + "\n", encoding="utf-8")
        assert target_for(settings, "warehouse").secrets == {"password": password}


def test_the_key_of_a_tunnel_is_resolved_as_every_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "pw")
    (tmp_path / "key").write_text("KEY", encoding="utf-8")
    tunnel = '    tunnel: {host: b, user: u, private_key: "${file:key}"}\n'
    target = target_for(load(written(tmp_path, GOOD + tunnel), {}), "warehouse")
    assert target.tunnel is not None
    assert target.tunnel["private_key"] == "KEY"
    assert "KEY" not in repr(target)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("${env:NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE is not set"),
        ("${file:missing}", "missing cannot be read"),
        ("${vault:db}", "needs Mend's database and key"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, said: str
) -> None:
    monkeypatch.delitem(VAULTS, "", raising=False)  # another test's vault, in the same process
    with pytest.raises(SettingsError, match=said):
        resolve(reference, {}, tmp_path)


def test_a_secret_file_that_is_no_text_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "pw").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not text"):
        resolve("${file:pw}", {}, tmp_path)


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    text = GOOD.replace("${env:WAREHOUSE_PASSWORD}", "hunter2")
    text += "    tunnel: {host: b, user: u, password: hunter2}\n    proxy: http://u:hunter2@proxy\n"
    text += "platform: {kind: stitch, token: hunter2}\ndesk: {kind: email, host: h, password: hunter2}\n"
    settings = load(written(tmp_path, text), {})
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in repr(Environment.read({"SLACK_BOT_TOKEN": "hunter2"}))
    assert set(literals(settings)) == {
        "warehouse.password",
        "warehouse.tunnel.password",
        "platform.token",
        "desk.password",
    }


def test_where_a_secret_comes_from_can_be_said_without_the_secret(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD), {})
    assert settings.connections["warehouse"].secret_refs() == {
        "password": "the environment variable WAREHOUSE_PASSWORD"
    }


def test_a_connection_that_is_not_configured_is_an_error_that_names_the_nearest_or_the_others(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD), {})
    with pytest.raises(SettingsError, match="did you mean warehouse"):
        target_for(settings, "wharehouse")
    with pytest.raises(SettingsError, match="configured are warehouse"):
        target_for(settings, "elsewhere-entirely")


def test_the_slack_api_address_ends_with_a_slash() -> None:
    assert Environment.read({}).slack_api_url == "https://slack.com/api/"
    assert Environment.read({"SLACK_API_URL": "http://127.0.0.1:1/api"}).slack_api_url == "http://127.0.0.1:1/api/"


def test_no_file_means_no_connections() -> None:
    assert Settings().connections == {}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxb"}, "set SLACK_APP_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb", "SLACK_APP_TOKEN": "xapp"}, ""),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_SIGNING_SECRET": "s"}, "set both SLACK_CLIENT_ID and SLACK_CLIENT_SECRET"),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c"}, "SLACK_SIGNING_SECRET"),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c", "SLACK_SIGNING_SECRET": "s"}, ""),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c", "SLACK_APP_TOKEN": "xapp"}, "SLACK_BOT_TOKEN"),
    ],
)
def test_what_slack_needs_is_asked_for_by_name(env: dict[str, str], said: str) -> None:
    if not said:
        Environment.read(env).check(listens=True)
        return
    with pytest.raises(SettingsError, match=said):
        Environment.read(env).check(listens=True)


def test_a_database_that_never_held_a_vault_has_nothing_newer_and_is_no_news(
    tmp_path: Path, postgres_server: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VAULTS, "", lambda *_: "")
    monkeypatch.setattr("bot.vault.opened", lambda: Vault(postgres_server))
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2")
    assert target_for(load(written(tmp_path, GOOD), {}), "warehouse").secrets == {"password": "hunter2"}
    assert caplog.text == ""
