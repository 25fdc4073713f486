"""An Oracle database that speaks just enough of TNS and TTC to judge a password and to refuse.

What the driver sends and reads stands in https://github.com/oracle/python-oracledb/tree/main/src/oracledb/impl/thin:
connect.pyx, protocol.pyx, data_types.pyx and auth.pyx of its messages, whose 12c verifier is played from the other side. It
speaks as 12.1 does, without what later versions added; every statement is refused.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from tests.servers import received

Error = tuple[int, str]
ACCEPT, REFUSE, DATA = 2, 4, 6
PROTOCOL, DATA_TYPES, FUNCTION, FAILURE, PARAMETERS = 1, 2, 3, 4, 8
LOGOFF, PHASE_TWO, PHASE_ONE = 0x09, 0x73, 0x76
VERSION, SDU, FIELDS, UTF8, UTF16, VERIFIER = 316, 8192, 7, 873, 2000, 0x4815
WRONG = (1017, "ORA-01017: invalid username/password; logon denied")
HIDDEN = (942, "ORA-00942: table or view does not exist")
ROUNDS, SHORT, SHORT_ENOUGH = 4096, 3, 230


@dataclass
class Oracle:
    """`refuses` is said to whoever knows the password, in place of letting in; `answers` to every statement."""

    password: str = "s3cret-of-the-shop"
    service: str = "shop"
    refuses: Error | None = None
    answers: Error = HIDDEN
    logins: int = 0
    asked: list[str] = field(default_factory=list)

    def talk(self, peer: socket.socket) -> None:
        said = _first(peer)
        if struct.unpack(">H", said[22:24])[0] > SHORT_ENOUGH:  # then the address comes in a packet of its own
            said = _first(peer)
        named = re.search(rb"SERVICE_NAME=([^)]+)", said)
        if not named or named[1].decode() != self.service:
            words = b"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))"
            _send(peer, REFUSE, struct.pack(">BBH", 0x22, 0, len(words)) + words, large=False)
            return
        _send(peer, ACCEPT, struct.pack(">HH10xB9xI", VERSION, 0, 0, SDU), large=False)
        session = _Session(self)
        while True:
            size, kind = struct.unpack(">IB3x", received(peer, 8))
            body = received(peer, size - 8)
            answer = session.answer(body[2:]) if kind == DATA else b""
            if answer:
                _send(peer, DATA, b"\0\0" + answer)


class _Session:
    def __init__(self, server: Oracle) -> None:
        self.server = server
        self.salt, self.half, self.mixed = secrets.token_bytes(16), secrets.token_bytes(32), secrets.token_bytes(16)
        key = _derived(server.password.encode(), self.salt + b"AUTH_PBKDF2_SPEEDY_KEY", 64, ROUNDS)
        self.hash = hashlib.sha512(key + self.salt).digest()[:32]

    def answer(self, said: bytes) -> bytes:
        if said[:1] == bytes([PROTOCOL]):
            return _protocol()
        if said[:1] == bytes([DATA_TYPES]):
            return bytes([DATA_TYPES, 0, 0])
        if said[:2] == bytes([FUNCTION, PHASE_ONE]):
            return self._challenge()
        if said[:2] == bytes([FUNCTION, PHASE_TWO]):
            return self._judged(said)
        if said[:2] == bytes([FUNCTION, LOGOFF]):
            return _failure(0, "")
        found = re.search(rb"SELECT [ -~]+", said)
        if not found:  # the end of the session
            return b""
        self.server.asked.append(found[0].decode())
        return _failure(*self.server.answers)

    def _challenge(self) -> bytes:
        self.server.logins += 1
        made = {"AUTH_SESSKEY": _cbc(self.hash, self.half).hex().upper(), "AUTH_VFR_DATA": self.salt.hex().upper(),
                "AUTH_PBKDF2_CSK_SALT": self.mixed.hex().upper(), "AUTH_PBKDF2_VGEN_COUNT": str(ROUNDS),
                "AUTH_PBKDF2_SDER_COUNT": str(SHORT)}  # fmt: skip
        return _parameters(made) + _failure(0, "")

    def _judged(self, said: bytes) -> bytes:
        theirs = _opened(self.hash, _hex(said, b"AUTH_SESSKEY"))
        both = (theirs[:32] + self.half).hex().upper().encode()
        key = _derived(both, self.mixed, 32, SHORT)
        given = _opened(key, _hex(said, b"AUTH_PASSWORD"))
        if given[16 : -given[-1]] != self.server.password.encode():
            return _failure(*WRONG)
        if self.server.refuses:
            return _failure(*self.server.refuses)
        proof = _cbc(key, secrets.token_bytes(16) + b"SERVER_TO_CLIENT").hex().upper()
        made = {"AUTH_VERSION_NO": str(0x0C100200), "AUTH_SESSION_ID": "17", "AUTH_SERIAL_NUM": "4711",
                "AUTH_SVR_RESPONSE": proof}  # fmt: skip
        return _parameters(made) + _failure(0, "")


def _first(peer: socket.socket) -> bytes:
    """A packet before both sides know one another, without its length."""
    return received(peer, struct.unpack(">H", received(peer, 2))[0] - 2)


def _send(peer: socket.socket, kind: int, body: bytes, large: bool = True) -> None:
    size = len(body) + 8
    head = struct.pack(">IBBH", size, kind, 0, 0) if large else struct.pack(">HHBBH", size, 0, kind, 0, 0)
    peer.sendall(head + body)


def _protocol() -> bytes:
    features = bytes(41)
    caps = features[:7] + bytes([FIELDS]) + features[8:]
    places = bytes(9) + struct.pack(">H", UTF16)
    return (
        bytes([PROTOCOL, 6, 0]) + b"played\0" + struct.pack("<HBH", UTF8, 1, 0) + struct.pack(">H", len(places)) + places
        + bytes([len(caps)]) + caps + bytes([11]) + bytes(11)
    )  # fmt: skip


def _number(value: int) -> bytes:
    """As long as it must be, with its length before it."""
    made = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(made)]) + made


def _text(value: str) -> bytes:
    return bytes([len(value.encode())]) + value.encode()


def _parameters(pairs: dict[str, str]) -> bytes:
    made = bytes([PARAMETERS]) + _number(len(pairs))
    for name, value in pairs.items():
        flags = VERIFIER if name == "AUTH_VFR_DATA" else 0
        made += _number(len(name)) + _text(name) + _number(len(value)) + _text(value) + _number(flags)
    return made


def _failure(number: int, words: str) -> bytes:
    """The end of an answer: what failed, or 0."""
    status = b"\0" * 8 + b"\0" * 6  # numbers that are 0, then bytes that are
    rowid = b"\0" * 5
    rest = b"\0" + b"\0\0" + b"\0\0" + b"\0" + b"\0\0\0"
    made = bytes([FAILURE]) + status + rowid + rest + _number(number) + b"\0"
    return made + (_text(words + "\n") if number else b"")


def _hex(said: bytes, name: bytes) -> bytes:
    found = re.search(name + rb".{1,4}?([0-9A-F]{64,})", said, re.S)
    assert found, name
    return bytes.fromhex(found[1].decode())


def _cbc(key: bytes, plain: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(plain)


def _opened(key: bytes, hidden: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor().update(hidden)


def _derived(secret: bytes, salt: bytes, size: int, rounds: int) -> bytes:
    return PBKDF2HMAC(algorithm=hashes.SHA512(), salt=salt, length=size, iterations=rounds).derive(secret)
