"""OAuth 1.0a: every request carries a signature of itself, https://www.rfc-editor.org/rfc/rfc5849#section-3.4."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit


def authorization(method: str, url: str, keys: Mapping[str, str], *, sha: str, realm: str = "") -> str:
    """The header for one request. `keys` are consumer_key, consumer_secret, token, token_secret."""
    own = {
        "oauth_consumer_key": keys["consumer_key"], "oauth_token": keys["token"], "oauth_version": "1.0",
        "oauth_nonce": secrets.token_hex(16), "oauth_timestamp": str(int(time.time())),
        "oauth_signature_method": f"HMAC-{sha}",
    }  # fmt: skip
    parts = urlsplit(url)
    given = [*parse_qsl(parts.query, keep_blank_values=True), *own.items()]
    pairs = "&".join(f"{name}={value}" for name, value in sorted((_safe(n), _safe(v)) for n, v in given))
    base = "&".join(_safe(one) for one in (method, f"{parts.scheme}://{_host(parts)}{parts.path}", pairs))
    key = f"{_safe(keys['consumer_secret'])}&{_safe(keys['token_secret'])}"
    digest = hmac.new(key.encode(), base.encode(), getattr(hashlib, sha.lower())).digest()
    own["oauth_signature"] = base64.b64encode(digest).decode()
    shown = [f'realm="{realm}"'] if realm else []
    return "OAuth " + ", ".join([*shown, *(f'{name}="{_safe(value)}"' for name, value in own.items())])


def _host(parts: SplitResult) -> str:
    """In small letters, and without the usual port: https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.2"""
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))


def _safe(text: str) -> str:
    return quote(text, safe="~")
