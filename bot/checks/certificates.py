"""How the owner of a server makes it another certificate, by an authority of one's own."""

from __future__ import annotations

import re

# https://docs.openssl.org/3.0/man1/openssl-req/ and openssl-x509: a request with the name, and its signature.
COMMANDS = [
    'openssl req -new -newkey rsa:2048 -nodes -keyout server.key -subj "/CN={host}" -addext "subjectAltName={san}" '
    "-out server.csr",
    "openssl x509 -req -in server.csr -CA <certificate of the authority> -CAkey <key of the authority> -days 365 "
    "-copy_extensions copy -out server.crt",
    "chmod 600 server.key",
]


def named(host: str) -> dict[str, str]:
    """What fills the commands for this host; a name that is none is left to the owner: this is for a shell."""
    host = host if re.fullmatch(r"[\w.:-]+", host) else "<host>"
    return {"host": host, "san": ("IP:" if re.fullmatch(r"[0-9.]+|.*:.*", host) else "DNS:") + host}


def commands(host: str) -> list[str]:
    return [line.format(**named(host)) for line in COMMANDS]
