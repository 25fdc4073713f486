"""A desk that reads mail: SMTP."""

from __future__ import annotations

import contextlib
import json
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, ClassVar

from bot.desks.base import Address, DeskError, Ticket

KEYS = ("host", "port", "user", "password", "from", "to", "tls")
TLS = ("none", "starttls", "implicit")
PORTS = {"none": 25, "starttls": 587, "implicit": 465}
LIMIT = 15


class _Session(smtplib.SMTP):
    def data(self, msg: Any) -> tuple[int, bytes]:
        """Once the text is on its way, silence does not tell whether the server took it."""
        try:
            return super().data(msg)
        except smtplib.SMTPDataError:
            raise
        except OSError:
            raise DeskError("unsure", "the connection broke while the mail was sent") from None


class _SecureSession(smtplib.SMTP_SSL, _Session):
    pass


@dataclass(frozen=True)
class EmailDesk:
    """The Message-ID comes from the case id, so that a mail sent twice is seen as one by a desk that looks at it.

    SMTP cannot be asked whether a mail arrived. Where that is in doubt nothing is sent again without a person.
    """

    finds_again: ClassVar[bool] = False
    host: str
    sender: str
    to: str
    port: int = 25
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = "none"

    def open(self, ticket: Ticket) -> Address:
        mail = EmailMessage()
        domain = self.sender.rpartition("@")[2] or "localhost"
        mail["From"], mail["To"], mail["Subject"] = self.sender, self.to, " ".join(ticket.subject.split())
        mail["Message-ID"] = f"<mend-{ticket.id}@{domain}>"
        # A mail without a date counts as spam in many places; an answering machine must not answer this one.
        mail["Date"], mail["Auto-Submitted"] = formatdate(localtime=False), "auto-generated"
        mail["X-Mend-Case"] = ticket.id
        mail.set_content(ticket.body)
        evidence = json.dumps(list(ticket.evidence), indent=2, ensure_ascii=False, default=str)
        mail.add_attachment(evidence, subtype="json", filename=f"{ticket.id}.json")
        try:
            session = self._session()
            try:
                session.send_message(mail)
            finally:
                with contextlib.suppress(OSError):  # whatever is said here, the mail is taken or not by now
                    session.quit()
        except (smtplib.SMTPException, OSError) as error:
            raise _error(error) from None
        return Address("", f"mend-{ticket.id}")

    def check(self) -> str:
        try:
            with self._session() as session:
                session.noop()
        except (smtplib.SMTPException, OSError) as error:
            raise _error(error) from None
        return ""

    def _session(self) -> _Session:
        context = ssl.create_default_context()
        if self.tls == "implicit":
            session: _Session = _SecureSession(self.host, self.port, timeout=LIMIT, context=context)
        else:
            session = _Session(self.host, self.port, timeout=LIMIT)
            if self.tls == "starttls":
                session.starttls(context=context)
        if self.user:
            session.login(self.user, self.password)
        return session


def _error(error: Exception) -> DeskError:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return DeskError("auth", "the mail server refuses user and password of the desk")
    codes = _codes(error)
    # 4xx passes by itself, 5xx does not: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
    if codes and all(400 <= code < 500 for code in codes):
        return DeskError("rate", f"the mail server asks to try later ({codes[0]})", 60)
    if isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused):
        return DeskError("config", "the mail server refuses the sender or the recipient")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeskError("config", "the mail server offers no STARTTLS or no login: check desk.tls and desk.user")
    if isinstance(error, ssl.SSLError):
        return DeskError("config", "TLS with the mail server fails: check desk.tls, desk.port and its certificate")
    return DeskError("down", f"the mail server does not answer ({type(error).__name__})")


def _codes(error: Exception) -> list[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    return [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []


def _is_address(text: str) -> bool:
    try:
        EmailMessage()["To"] = text
    except (ValueError, IndexError):  # a line break, half an address
        return False
    return True


def make(raw: Mapping[str, Any]) -> EmailDesk:
    missing = [name for name in ("host", "from", "to") if not raw.get(name)]
    if missing:
        raise DeskError("config", f"desk: email needs {', '.join(missing)} in mend.yml")
    tls = str(raw.get("tls") or "none")
    if tls not in TLS:
        raise DeskError("config", f"desk.tls of mend.yml: choose from {', '.join(TLS)}")
    port = str(raw.get("port") or PORTS[tls])
    if not port.isdigit():
        raise DeskError("config", "desk.port of mend.yml: a number is needed")
    user, password = str(raw.get("user") or ""), str(raw.get("password") or "")
    for name, value in (("user", user), ("password", password)):
        if not value.isascii():  # Python's smtplib sends no others, in any way of signing in
            raise DeskError("config", f"desk.{name} of mend.yml: only letters of ASCII can be sent to a mail server")
    for name in ("from", "to"):
        if not _is_address(str(raw[name])):
            raise DeskError("config", f"desk.{name} of mend.yml: write an address, as help@acme.com")
    return EmailDesk(str(raw["host"]), str(raw["from"]), str(raw["to"]), int(port), user, password, tls)
