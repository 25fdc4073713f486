"""A real SMTP server on loopback that can be in different moods."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.mood, self.port = "good", 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        moods = {"busy": "450 4.2.1 try again later", "unknown": "550 5.1.1 no such user"}
        if self.mood in moods:
            return moods[self.mood]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(email.message_from_bytes(envelope.content))
        if self.mood == "cut":  # taken, and the line breaks before the answer
            server.transport.abort()
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return "421 4.3.0 rude to the last" if self.mood == "rude" else "221 Bye"

    def ids(self) -> set[str]:
        """What a desk sees: mails of one Message-ID are one."""
        return {str(mail["Message-ID"]) for mail in self.mails}


def _known(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
    known = isinstance(given, LoginPassword) and given.login == b"bot" and given.password == b"t0ken"
    return AuthResult(success=known, handled=False)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    state = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        state.port = probe.getsockname()[1]
    server = Controller(state, hostname="127.0.0.1", port=state.port, authenticator=_known, auth_require_tls=False)
    server.start()
    try:
        yield state
    finally:
        server.stop()
