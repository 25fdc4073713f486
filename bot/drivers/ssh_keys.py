"""SSH keys as people write them down: the server's own, to compare, and the private one, to log in with."""

from __future__ import annotations

import io
import re
from typing import Any

from bot.drivers.network import Trouble

UNKNOWN_KEY = "trust.host_key_unknown"
RSA = ("rsa-sha2-512", "rsa-sha2-256")
FRAME = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s")
PUBLIC = re.compile(r"(ssh-|ecdsa-|sk-)\S+ AAAA|BEGIN (RSA |SSH2 )?PUBLIC KEY|---- BEGIN SSH2")


def known_keys(host_key: str) -> list[tuple[str, str]]:
    """(kind, key in base64) of each line; the kind of a bare fingerprint is empty."""
    found = []
    for line in host_key.splitlines():
        if print_ := re.search(r"SHA256:[A-Za-z0-9+/]{43}", line):
            found.append(("", print_[0]))
        elif pair := re.search(r"((?:ssh|ecdsa|sk)-\S+)\s+(AAAA\S+)", line):
            found.append((pair[1], pair[2]))
    return found


def key_types(host_key: str) -> tuple[str, ...]:
    kinds = [kind for kind, _ in known_keys(host_key)]
    if not kinds or "" in kinds:
        return ()
    return tuple(name for kind in kinds for name in (RSA if kind == "ssh-rsa" else (kind,)))


def is_known(shown: Any, host_key: str, place: str) -> bool:
    """Whether the shown key is the configured one; False when none is configured. Raises Trouble when it is another."""
    if not host_key:
        return False
    known = known_keys(host_key)
    if not known:
        words = "host_key is not a line of known_hosts (ssh-ed25519 AAAA...) and not a SHA256: fingerprint"
        raise Trouble("config_error", "config.wrong_format", words)
    if (shown.get_name(), shown.get_base64()) in known or ("", shown.fingerprint) in known:
        return True
    raise changed(place, shown)


def changed(place: str, shown: Any) -> Trouble:
    said = f"{place} shows {shown.get_name()} {shown.fingerprint}, the host_key in mend.yml is another"
    return Trouble("ssh_tunnel_failed", "trust.host_key_changed", said, shown=known_as(shown))


def line(key: Any) -> str:
    """A public key as mend.yml and authorized_keys hold it."""
    return f"{key.get_name()} {key.get_base64()}"


def known_as(key: Any) -> str:
    """What mend.yml may hold of a server's key: an RSA key is too long to be copied from a message."""
    return line(key) if len(key.get_base64()) < 200 else str(key.fingerprint)


def private(text: str, passphrase: str) -> Any:
    """The private key, or None for a password. Raises Trouble that says what is wrong with it."""
    if not text.strip():
        return None
    import paramiko
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    text = text.strip()
    if PUBLIC.search(text):
        words = "what stands under private_key is a public key"
        raise Trouble("config_error", "config.public_key_instead_of_private", words)
    try:
        loaded = _load(text.encode() + b"\n", passphrase.encode() or None)
    except TypeError:  # cryptography: no password for an encrypted key, or one for a key that needs none
        if passphrase:
            return private(text, "")
        words = "the private key is encrypted and no passphrase is set"
        raise Trouble("invalid_credentials", "auth.key_passphrase_missing", words) from None
    except Exception as error:
        # The library tells a wrong passphrase from a broken file only by words, which may quote the key.
        if text.startswith("PuTTY-User-Key-File"):
            words = "the private key is in PuTTY's own form (.ppk), which is neither OpenSSH's nor PEM"
            raise Trouble("config_error", "config.wrong_format", words) from None
        if passphrase and FRAME.match(text):
            words = f"the private key does not open with this passphrase ({type(error).__name__})"
            raise Trouble("invalid_credentials", "auth.key_passphrase_wrong", words, ("config.wrong_format",)) from None
        words = f"the private key cannot be read ({type(error).__name__})"
        raise Trouble("config_error", "config.wrong_format", words) from None
    kinds = ((rsa.RSAPrivateKey, paramiko.RSAKey), (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
             (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey))  # fmt: skip
    made = next((made for kind, made in kinds if isinstance(loaded, kind)), None)
    if made is None:
        words = f"a key of the kind {type(loaded).__name__} is not taken by today's servers: use ed25519 or RSA"
        raise Trouble("config_error", "config.wrong_format", words)
    plain = loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return made.from_private_key(io.StringIO(plain.decode()))


def certified(key: Any, certificate: str) -> Any:
    """The key with what an authority has signed of it, where that is configured. Raises Trouble."""
    if not certificate.strip():
        return key
    words = "certificate is no line of a file that ends in -cert.pub (ssh-ed25519-cert-v01@openssh.com AAAA...)"
    if key is None:
        words = "a certificate belongs to a private_key, and there is none"
    elif _certificate(certificate) is not None:
        try:
            key.load_certificate(" ".join(certificate.split()))
            return key
        except ValueError:
            words = f"the certificate is for another kind of key than {key.get_name()}"
    raise Trouble("config_error", "config.wrong_format", words)


def valid_until(certificate: str) -> float:
    """Seconds since 1970 at which it ends; 0 where there is none."""
    read = _certificate(certificate)
    return float(read.valid_before) if read else 0.0


def _certificate(text: str) -> Any:
    """https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.certkeys"""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

    try:
        read = load_ssh_public_identity(" ".join(text.split()).encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return read if isinstance(read, SSHCertificate) else None


def _load(data: bytes, passphrase: bytes | None) -> Any:
    """A key in OpenSSH's own form or in PEM (PKCS 1, PKCS 8, SEC 1)."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    read = load_ssh_private_key if b"BEGIN OPENSSH" in data else load_pem_private_key
    return read(data, passphrase)
