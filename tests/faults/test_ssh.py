"""An SSH tunnel to a database, and a folder of files: broken at every point of the way."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.drivers.network import Trouble
from bot.drivers.ssh_forward import Forward
from bot.drivers.ssh_keys import private
from flows.core.finding import explaining
from tests.faults.frame import Chosen, Fault, Told, by_hand, prove, setting
from tests.faults.postgres_site import running
from tests.faults.ssh_site import SshSite
from tests.servers import listener, refusing_port, silent
from tests.sshd import PASSWORD, USER, missing_sshd, sshd

WRONG, TUNNEL, CONFIG, FAR = "invalid_credentials", "ssh_tunnel_failed", "config_error", "host_unreachable"
OLD = "tls_mismatch"
pytestmark = pytest.mark.skipif(bool(missing_sshd()), reason=missing_sshd() or "-")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mend-ssh-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def tunnel(folder: Path) -> Iterator[SshSite]:
    with running() as database, sshd(folder / "tunnel") as server:
        yield SshSite(server, database)


@pytest.fixture(scope="module")
def files(folder: Path) -> Iterator[SshSite]:
    with sshd(folder / "files") as server:
        yield SshSite(server)


@pytest.fixture
def site(fault: Fault, request: pytest.FixtureRequest) -> SshSite:
    made: SshSite = request.getfixturevalue("tunnel" if fault.family == "ssh tunnel" else "files")
    return made


def options(*lines: str) -> Callable[[SshSite], None]:
    return lambda site: site.options(*lines)


def has(**values: object) -> Callable[[SshSite], None]:
    return lambda site: site.set(**values)


def other_key(site: SshSite) -> None:
    site.key(site.server.key("other"))


def encrypted(site: SshSite) -> None:
    site.key(site.server.key("encrypted", "open sesame"))
    site.server.authorized.write_text((site.server.folder / "encrypted.pub").read_text())


def wrong_passphrase(site: SshSite) -> None:
    encrypted(site)
    site.key((site.server.folder / "encrypted").read_text(), passphrase="sesame")


def drop_key(site: SshSite) -> None:
    site.server.authorized.write_text("")


def _known(site: SshSite, remedy: Told) -> Told:
    """The owner of the database looks, and finds the role."""
    assert site.run(remedy.statements[0])
    return replace(remedy, statements=remedy.statements[1:2])


to_the_known = Chosen(_known)


def right(site: SshSite) -> None:
    site.wire = site.fresh()


def crowd(site: SshSite) -> None:
    site.options("MaxStartups 1:100:1")
    site.waiting = []  # type: ignore[attr-defined]
    for _ in range(40):
        # The call that saw the server start may still hold the one place: who is greeted has it.
        peer = socket.create_connection(("127.0.0.1", site.server.port))
        site.waiting.append(peer)  # type: ignore[attr-defined]
        peer.settimeout(5)
        if peer.recv(4) == b"SSH-":
            return
        time.sleep(0.1)
    raise AssertionError("nobody is greeted")


WAY = [
    ("the server is off", "network.refused", FAR, has(port=refusing_port()), None, ()),
    ("the login has another name", "auth.key_not_authorized", WRONG, has(user="stitchh"), by_hand(right), ("auth.unknown_user",)),
    ("the key was taken off the server", "auth.key_not_authorized", WRONG, drop_key, None, ("auth.key_mismatch",)),
    ("another key is in mend.yml", "auth.key_not_authorized", WRONG, other_key, None, ("auth.key_mismatch",)),
    ("the login was forbidden", "auth.key_not_authorized", WRONG, options(f"DenyUsers {USER}"), by_hand(options()),
     ("access.user_not_allowed",)),
    ("the passphrase is missing", "auth.key_passphrase_missing", WRONG, encrypted, None, ()),
    ("the passphrase is wrong", "auth.key_passphrase_wrong", WRONG, wrong_passphrase, None, ()),
    ("the public half is in mend.yml", "config.public_key_instead_of_private", CONFIG, lambda site: site.key(site.first), None, ()),
    ("the key was cut short", "config.wrong_format", CONFIG, lambda site: site.key(site.server.private[:90]), None, ()),
    ("the password was changed", "auth.wrong_password", WRONG, lambda site: site.password("old"), None, ("auth.unknown_user",)),
    ("passwords are not taken", "auth.method_not_allowed", WRONG,
     lambda site: (site.options("PasswordAuthentication no"), site.password()), None, ()),
    ("keys are not taken", "auth.method_not_allowed", WRONG, options("PubkeyAuthentication no"), None, ()),
    ("a second factor is wanted", "auth.mfa_required", WRONG, options("AuthenticationMethods publickey,password"), None, ()),
    ("the server was rebuilt", "trust.host_key_changed", TUNNEL, lambda site: site.new_host_key(), None, ()),
    ("the server was rebuilt with another kind of key", "trust.host_key_changed", TUNNEL,
     lambda site: site.new_host_key("rsa"), None, ()),
    ("old algorithms only", "tls.no_common_algorithm", OLD, options("KexAlgorithms diffie-hellman-group1-sha1"), None, ()),
    ("too many callers wait", "capacity.too_many_connections", TUNNEL, crowd, None, ()),
]  # fmt: skip
# At a tunnel's server it is the tunnel that fails, also where the login is refused; a file server is the source itself.
CAUSES = {
    ("ssh tunnel", WRONG): TUNNEL,
    ("ssh tunnel", FAR): TUNNEL,
    ("sftp", TUNNEL): FAR,
    ("sftp", OLD): OLD,
    ("ssh tunnel", OLD): TUNNEL,
}
COMMON = [
    Fault(f"{name} ({family})", family, CAUSES.get((family, cause), cause), code, breaks,
          **({"mends": mends} if mends else {}), also=also)
    for family in ("ssh tunnel", "sftp") for name, code, cause, breaks, mends, also in WAY
]  # fmt: skip
UNKNOWN = [
    Fault(f"the server's key is in nobody's list ({family})", family, cause, "trust.host_key_unknown", has(host_key=""),
          verdict="unclear")
    for family, cause in (("ssh tunnel", TUNNEL), ("sftp", FAR))
]  # fmt: skip
TO_THE_DATABASE = [
    Fault("forwarding is off", "ssh tunnel", TUNNEL, "tunnel.forwarding_disabled", options("AllowTcpForwarding no"),
          also=("tunnel.target_not_permitted",)),
    Fault("only another target is permitted", "ssh tunnel", TUNNEL, "tunnel.forwarding_disabled",
          options("PermitOpen 10.0.0.1:5432"), also=("tunnel.target_not_permitted",)),
    Fault("the database behind it is off", "ssh tunnel", TUNNEL, "tunnel.target_refused", setting(port=refusing_port())),
    Fault("the name is unknown behind it", "ssh tunnel", TUNNEL, "tunnel.target_dns", setting(host="db.nowhere.invalid")),
    Fault("the password behind it was changed", "ssh tunnel", WRONG, "auth.wrong_password", setting(password="old"), to_the_known),
]  # fmt: skip
FOLDERS = [
    Fault("the folder is gone", "sftp", CONFIG, "config.path_missing", has(path="/exports/old")),
    Fault("a file stands where the folder should", "sftp", CONFIG, "config.path_missing",
          lambda site: site.set(path=str(site.files / "readme.txt"))),
    Fault("the folder may not be read", "sftp", "missing_privilege", "privilege.path_denied",
          lambda site: os.chmod(site.files, 0o700)),
    Fault("a file may not be opened", "sftp", "missing_privilege", "privilege.path_denied",
          lambda site: [os.chmod(f, 0o600) for f in site.files.iterdir()]),
    Fault("no file fits the pattern", "sftp", CONFIG, "config.file_pattern", has(pattern=r"invoices_.*\.csv$")),
    Fault("a selected file is not there", "sftp", CONFIG, "config.file_pattern", setting(tables=("items_*.csv",))),
    Fault("the pattern is no pattern", "sftp", CONFIG, "config.wrong_format", has(pattern="orders_[.csv")),
    Fault("files are not offered", "sftp", "feature_not_enabled", "privilege.command_denied", options("Subsystem sftp /nowhere")),
]  # fmt: skip


@pytest.mark.parametrize("fault", [*COMMON, *UNKNOWN, *TO_THE_DATABASE, *FOLDERS], ids=str)
def test_it_is_named_and_what_is_printed_mends_it(fault: Fault, site: SshSite) -> None:
    prove(fault, site)


@pytest.mark.parametrize("way", ["silent", "other", "nothing"])
def test_a_port_that_is_no_ssh_server_is_told(files: SshSite, way: str) -> None:
    says: dict[str, Any] = {
        "silent": silent,
        "other": lambda peer: peer.sendall(b"220 mail.example.com ESMTP\r\n"),
        "nothing": lambda peer: None,
    }
    codes = {
        "silent": "network.accepts_but_silent",
        "other": "config.wrong_port_other_service",
        "nothing": "network.reset",
    }
    with listener(says[way]) as port:
        wire = files.fresh()
        wire.settings |= {"port": port}
        wire.timeout = 1.5
        found = next(f for f in wire.look() if f.verdict == "bad")
    assert found.code == codes[way]


def test_no_password_is_sent_to_a_server_that_nobody_has_confirmed(files: SshSite) -> None:
    files.wire.settings |= {"host_key": ""}
    files.wire.secrets = {"password": PASSWORD}
    before = (files.server.folder / "log").read_text().count("Accepted password")
    found = files.wire.look()
    files.restore()
    assert [f.verdict for f in found if f.step == "verify_credentials"] == ["unclear"]
    assert (files.server.folder / "log").read_text().count("Accepted password") == before


def test_neither_key_nor_password_is_in_what_is_found(tunnel: SshSite) -> None:
    other_key(tunnel)
    said = str([f.to_dict() for f in tunnel.wire.look()])
    tunnel.restore()
    assert tunnel.server.private.splitlines()[2] not in said
    assert (tunnel.server.folder / "other").read_text().splitlines()[2] not in said


def test_a_tunnel_that_is_closed_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    made = Forward(SimpleNamespace(close=lambda: None), "127.0.0.1", 1, 5)  # type: ignore[arg-type]
    (waiting,) = set(threading.enumerate()) - before
    made.close()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_file_that_is_gone_by_now_is_no_missing_folder(files: SshSite) -> None:
    gone = files.files / "orders_9.csv"
    gone.symlink_to("/nowhere/at-all")
    try:
        assert explaining(files.wire.look()) is None
        files.wire.settings["pattern"] = "orders_9"
        found = explaining(files.wire.look())
        assert found is not None
        assert found.code == "config.file_pattern"
    finally:
        gone.unlink()
        files.restore()


def test_a_kind_of_host_key_that_nobody_speaks_any_more_is_told_as_another_key(files: SshSite) -> None:
    known = files.server.host_key
    files.wire.settings["host_key"] = "127.0.0.1 ssh-dss AAAAB3NzaC1kc3MAAACBAK"
    try:
        found = explaining(files.wire.look())
        assert found is not None
        assert found.code == "trust.host_key_changed"
        files.wire.settings["host_key"] += f"\n{known}"
        assert explaining(files.wire.look()) is None
    finally:
        files.restore()


@pytest.mark.parametrize("form", ["PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: aes256-cbc\r\n", "{key}"])
def test_a_form_that_is_not_read_is_not_called_a_wrong_passphrase(form: str, files: SshSite) -> None:
    text = form.replace("{key}", files.server.private.replace("\n", "\\n"))
    with pytest.raises(Trouble) as told:
        private(text, "open sesame")
    assert (told.value.cause, told.value.code) == ("config_error", "config.wrong_format")
