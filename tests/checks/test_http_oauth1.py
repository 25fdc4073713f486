"""A signature is one of the request as it is sent: https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.2"""

from __future__ import annotations

import re

import pytest

from bot.checks import http_oauth1

KEYS = {"consumer_key": "a", "consumer_secret": "b", "token": "c", "token_secret": "d"}


def signature(url: str) -> str:
    found = re.search('oauth_signature="([^"]+)"', http_oauth1.authorization("GET", url, KEYS, sha="SHA256"))
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://ACME.example.com/r?limit=1", "https://acme.example.com/r?limit=1"),
        ("https://acme.example.com:443/r?limit=1", "https://acme.example.com/r?limit=1"),
        ("http://acme.example.com:80/r", "http://acme.example.com/r"),
        ("https://bob@acme.example.com/r", "https://acme.example.com/r"),
    ],
)
def test_letters_and_the_usual_port_of_an_address_change_no_signature(
    url: str, plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_oauth1.secrets, "token_hex", lambda size: "00")
    monkeypatch.setattr(http_oauth1.time, "time", lambda: 1.0)
    assert signature(url) == signature(plain)
    assert signature("https://acme.example.com:8443/r") != signature("https://acme.example.com/r")
