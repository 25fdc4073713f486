"""A certificate that is not acceptable is named, and what it says is told."""

from __future__ import annotations

import datetime
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.drivers.network import Trouble
from bot.drivers.tls import Witness, handshake, shown
from tests.servers import dripping, in_time, listener


def certificate(folder: Path, name: str, days: tuple[int, int]) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now + datetime.timedelta(days[0])).not_valid_after(now + datetime.timedelta(days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "c.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, *plain))
    return file


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_was_shown_is_known_after_the_one_handshake_that_failed(tmp_path: Path, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, "db.example.com", (-1, 9)))
    context.maximum_version, callers, witness = version, list[bool](), Witness()

    def talk(peer: socket.socket) -> None:
        callers.append(True)
        context.wrap_socket(peer, server_side=True)

    with listener(talk) as port, pytest.raises(Trouble):
        handshake("localhost", port, 4, witness=witness)
    assert (witness.certificate().names, witness.certificate().days_left) == (["db.example.com"], "8")
    assert callers == [True]


@pytest.mark.parametrize(
    ("name", "days", "trusted", "code"),
    [
        ("localhost", (-1, 9), True, None),
        ("localhost", (-1, 9), False, "tls.self_signed"),
        ("localhost", (-9, -1), True, "tls.certificate_expired"),
        ("localhost", (1, 9), True, "tls.certificate_not_yet_valid"),
        ("db.example.com", (-1, 9), True, "tls.hostname_mismatch"),
    ],
)
def test_each_certificate_has_its_code(
    tmp_path: Path, name: str, days: tuple[int, int], trusted: bool, code: str | None
) -> None:
    file = certificate(tmp_path, name, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def talk(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as secure:
            secure.recv(1)

    with listener(talk) as port:
        got = None
        try:
            handshake("localhost", port, 3.0, str(file) if trusted else None)
        except Trouble as trouble:
            got = trouble.code
        assert got == code
        assert shown("localhost", port, 3.0).names == [name]


def test_a_port_that_speaks_plain_http_is_told() -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(999)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listener(talk) as port, pytest.raises(Trouble) as caught:
        handshake("127.0.0.1", port, 2.0)
    assert caught.value.code == "tls.plain_http_port"


def test_a_dripping_handshake_ends_within_the_limit() -> None:
    def given_up() -> None:
        with pytest.raises(Trouble):
            handshake("127.0.0.1", port, 1.0)

    with listener(dripping(b"\x16")) as port:
        in_time(1.5, given_up)


def test_a_name_with_the_dot_at_its_end_is_the_name_of_the_certificate(tmp_path: Path) -> None:
    """Resolvers want the dot, certificates and servers the name: https://www.rfc-editor.org/rfc/rfc6066#section-3"""
    file = certificate(tmp_path, "localhost", (-1, 9))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def talk(peer: socket.socket) -> None:
        context.wrap_socket(peer, server_side=True)

    with listener(talk) as port:
        seen = handshake("localhost", port, 4, ca_file=str(file), name="localhost.")
    assert seen.names == ["localhost"]


def test_a_locked_key_is_told_and_nobody_is_asked_for_its_phrase(tmp_path: Path) -> None:
    """A question on the terminal would hold up the check for as long as nobody answers."""
    file, locked = certificate(tmp_path, "db.example.com", (-1, 9)), tmp_path / "locked.pem"
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    phrase = serialization.BestAvailableEncryption(b"a phrase")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, phrase))
    code = f"from bot.drivers.tls import Trust\nTrust(False, False, None, {str(file)!r}, {str(locked)!r}).context()"
    done = subprocess.run(  # without a terminal OpenSSL asks by the standard streams
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True
    )
    assert "pass phrase" not in (done.stdout + done.stderr).lower()
    assert "config.path_missing" in done.stderr
