"""The signed word of a key pair: https://docs.snowflake.com/en/developer-guide/sql-api/authenticating"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from bot.drivers.network import Trouble

CONFIG, WRONG = "config_error", "invalid_credentials"


def word(account: str, user: str, key: str, passphrase: str) -> str:
    """A token of five minutes, signed by the private key. Raises Trouble for a key that cannot be read."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    private = _private(key, passphrase)
    name, now = f"{account.upper()}.{user.upper()}", int(time.time())
    claims = {"iss": f"{name}.{_printed(private.public_key())}", "sub": name, "iat": now, "exp": now + 300}
    said = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{said}.{_text(private.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def fingerprint(key: str, passphrase: str) -> str:
    """SHA256:..., as DESCRIBE USER shows it in RSA_PUBLIC_KEY_FP; empty for a key that cannot be read."""
    try:
        return _printed(_private(key, passphrase).public_key())
    except Trouble:
        return ""


def public_half(key: str, passphrase: str) -> str:
    """The public key as ALTER USER ... SET RSA_PUBLIC_KEY takes it: base64 on one line, without its frame."""
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    made: bytes = _private(key, passphrase).public_key().public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(made).decode()


def _private(key: str, passphrase: str) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if "PUBLIC KEY" in key:
        raise Trouble(CONFIG, "config.public_key_instead_of_private", "private_key holds a public key")
    try:
        made = serialization.load_pem_private_key(key.strip().encode(), passphrase.encode() if passphrase else None)
    except TypeError as error:  # locked and no passphrase, or the other way round
        if passphrase:
            raise Trouble(CONFIG, "config.wrong_format", "a passphrase is set, but the private key has none") from error
        raise Trouble(WRONG, "auth.key_passphrase_missing", "the private key is encrypted") from None
    except ValueError:
        if passphrase and "ENCRYPTED" in key:
            raise Trouble(WRONG, "auth.key_passphrase_wrong", "the private key does not open") from None
        made = None
    if not isinstance(made, rsa.RSAPrivateKey):
        words = "private_key is no RSA key in PEM form, which begins with -----BEGIN PRIVATE KEY-----"
        raise Trouble(CONFIG, "config.wrong_format", words)
    return made


def _printed(public: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    made = public.public_bytes(serialization.Encoding.DER, form)
    return f"SHA256:{base64.b64encode(hashlib.sha256(made).digest()).decode()}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(values: Mapping[str, Any]) -> str:
    return _text(json.dumps(values).encode())
