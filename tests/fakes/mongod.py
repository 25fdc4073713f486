"""A MongoDB that speaks just enough of its wire protocol to log a client in and to be broken.

OP_MSG and the old OP_QUERY: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
SCRAM-SHA-256: RFC 7677, carried by saslStart and saslContinue:
https://github.com/mongodb/specifications/blob/master/source/auth/auth.md, which tells of MONGODB-X509 too: `subject` is
that of the certificate that is let in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bson

from tests.servers import received

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
SALT, ROUNDS = b"0123456789abcdef0123456789ab", 4096


@dataclass
class Mongod:
    """`readable` are databases with the role read. `refuses` maps a command to the (number, name, words) it gets."""

    user: str = "stitch"
    password: str = "right"
    mechanisms: tuple[str, ...] = ("SCRAM-SHA-256",)
    readable: set[str] = field(default_factory=lambda: {"shop", "local"})
    collections: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"shop": ("orders", "customers"), "local": ("oplog.rs",), "hr": ("staff",)}
    )
    hello: dict[str, Any] = field(
        default_factory=lambda: {"setName": "rs0", "me": "a:27017", "primary": "a:27017", "secondary": False}
    )
    refuses: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    stalls: str = ""
    subject: str = ""
    logins: int = 0
    commands: list[str] = field(default_factory=list)

    def talk(self, peer: socket.socket) -> None:
        seen: dict[str, Any] = {"user": ""}
        while True:
            head = received(peer, 16)
            size, ident, _, opcode = struct.unpack("<iiii", head)
            body = received(peer, size - 16)
            if opcode == OP_QUERY:
                asked = bson.decode(body[body.index(b"\0", 4) + 9 :])
                answer = bson.encode(self._answer(asked, seen))
                _send(peer, ident, OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + answer)
                continue
            asked = bson.decode(body[5:])
            if next(iter(asked)) == self.stalls:
                received(peer, 1)
            _send(peer, ident, OP_MSG, struct.pack("<iB", 0, 0) + bson.encode(self._answer(asked, seen)))

    def _answer(self, asked: Mapping[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(asked))
        self.commands.append(name)
        if name in self.refuses:
            return _refused(*self.refuses[name])
        if name.lower() in ("hello", "ismaster"):
            return self._hello(asked)
        if name in ("saslStart", "saslContinue"):
            return self._sasl(asked, seen)
        if name == "authenticate":
            return self._by_certificate(asked, seen)
        if name in ("endSessions", "ping"):
            return {"ok": 1.0}
        if not seen["user"]:
            return _refused(13, "Unauthorized", f"Command {name} requires authentication")
        return self._command(name, asked)

    def _hello(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        primary = self.hello.get("primary") is not None and not self.hello.get("secondary")
        mechanisms = {"saslSupportedMechs": list(self.mechanisms)} if "saslSupportedMechs" in asked else {}
        limits = {"maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000}
        return {"helloOk": True, "ismaster": primary, "isWritablePrimary": primary, **self.hello, **limits,
                "minWireVersion": 0, "maxWireVersion": 25, "readOnly": False, **mechanisms, "ok": 1.0}  # fmt: skip

    def _sasl(self, asked: Mapping[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
        if "saslStart" in asked:
            self.logins += 1
            if asked["mechanism"] not in self.mechanisms:
                words = f"Received authentication for mechanism {asked['mechanism']} which is not enabled"
                return _refused(334, "MechanismUnavailable", words)
            seen["bare"] = bytes(asked["payload"]).decode().removeprefix("n,,")
            nonce = (
                dict(p.split("=", 1) for p in seen["bare"].split(","))["r"] + base64.b64encode(os.urandom(9)).decode()
            )
            seen["first"] = f"r={nonce},s={base64.b64encode(SALT).decode()},i={ROUNDS}"
            return {"conversationId": 1, "done": False, "payload": seen["first"].encode(), "ok": 1.0}
        signature = self._proved(bytes(asked["payload"]).decode(), seen)
        if not signature:
            return _refused(18, "AuthenticationFailed", "Authentication failed.")
        seen["user"] = self.user
        return {"conversationId": 1, "done": True, "payload": b"v=" + base64.b64encode(signature), "ok": 1.0}

    def _by_certificate(self, asked: Mapping[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
        """The certificate was compared when TLS began; a user that is named must be its subject."""
        self.logins += 1
        if asked["mechanism"] != "MONGODB-X509" or not self.subject or asked.get("user") not in (None, self.subject):
            return _refused(18, "AuthenticationFailed", "Authentication failed.")
        seen["user"] = self.subject
        return {"dbname": "$external", "user": self.subject, "ok": 1.0}

    def _proved(self, final: str, seen: Mapping[str, Any]) -> bytes:
        """The server's signature, or nothing when user or password are wrong."""
        bare, _, proof = final.rpartition(",p=")
        message = f"{seen['bare']},{seen['first']},{bare}".encode()
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), SALT, ROUNDS)
        client = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(client).digest()
        mine = bytes(a ^ b for a, b in zip(client, hmac.digest(stored, message, "sha256"), strict=True))
        right = base64.b64decode(proof) == mine and f"n={self.user}," in seen["bare"]
        return hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256") if right else b""

    def _command(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        database = asked["$db"]
        if name == "connectionStatus":
            return {"authInfo": {"authenticatedUsers": [{"user": self.user, "db": "admin"}]}, "ok": 1.0}
        if name == "listDatabases":
            return {"databases": [{"name": one} for one in sorted(self.readable)], "ok": 1.0}
        if database not in self.readable:
            words = f"not authorized on {database} to execute command {{ {name}: {asked[name]!r} }}"
            return _refused(13, "Unauthorized", words)
        if name == "count":
            return {"n": int(asked["count"] in self.collections.get(database, ())), "ok": 1.0}
        if name == "listCollections":
            wanted = asked["filter"]["name"]
            found = [{"name": n, "type": "collection"} for n in self.collections.get(database, ()) if n == wanted]
            return {"cursor": {"id": bson.Int64(0), "ns": f"{database}.$cmd", "firstBatch": found}, "ok": 1.0}
        return _refused(59, "CommandNotFound", f"no such command: '{name}'")


def _refused(number: int, name: str, words: str) -> dict[str, Any]:
    return {"ok": 0.0, "errmsg": words, "code": number, "codeName": name}


def _send(peer: socket.socket, answers: int, opcode: int, body: bytes) -> None:
    peer.sendall(struct.pack("<iiii", len(body) + 16, 1, answers, opcode) + body)
