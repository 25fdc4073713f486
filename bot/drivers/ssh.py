"""SSH by paramiko: the server's identity is compared before anything is proved to it, and a login is tried once."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bot.drivers.network import Deadline, Trouble, connect, os_trouble, peek
from bot.drivers.ssh_keys import UNKNOWN_KEY, certified, changed, is_known, key_types, known_as, private, valid_until
from flows.core.expiry import ends, until

# paramiko writes a traceback to its log for each refusal that we already tell in words.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)
T = TypeVar("T")


@dataclass(frozen=True)
class Login:
    """Where and who. `host_key` is a line as in known_hosts, or `SHA256:...`; several stand on lines of their own."""

    host: str
    port: int = 22
    user: str = ""
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    host_key: str = ""

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def ends(self) -> dict[str, Any]:
        """The fact that the certificate of its key runs out."""
        return ends(("ssh_certificate", f"{self.user} at {self.host}", valid_until(self.certificate)))

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Login:
        known = {name: raw[name] for name in cls.__dataclass_fields__ if raw.get(name) not in (None, "")}
        return cls(**{**known, "host": str(raw.get("host") or "localhost"), "port": int(raw.get("port") or 22)})


class Said(logging.Handler):
    """The server's own words when it opens no channel: paramiko writes them to its log and drops them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words = ""

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r"open FAILED: (.*): [^:]*$", record.getMessage()):
            self.words = found[1]


@dataclass
class Session:
    """A login that was accepted. `shown` names the server's key, `compared` says whether it was a known one."""

    transport: Any
    login: Login
    compared: bool
    said: Said = field(default_factory=Said)

    def __post_init__(self) -> None:
        # A logger of its own: one made by name would stay for ever.
        self.transport.logger = logging.Logger("mend.ssh")
        self.transport.logger.addHandler(self.said)

    @property
    def shown(self) -> str:
        key = self.transport.get_remote_server_key()
        return f"{key.get_name()} {key.fingerprint}"

    @property
    def known_as(self) -> str:
        """The server's key as mend.yml would hold it."""
        return known_as(self.transport.get_remote_server_key())

    def close(self) -> None:
        self.transport.close()


@contextmanager
def session(login: Login, deadline: Deadline) -> Iterator[Session]:
    """A session that is closed at the end. Raises Trouble."""
    made = open_session(login, deadline)
    try:
        yield made
    finally:
        made.close()


def open_session(login: Login, deadline: Deadline) -> Session:
    """Reach the server, compare its key, log in once. Raises Trouble; `deadline` holds for all of it."""
    key = certified(private(login.private_key, login.passphrase), login.certificate)
    transport = _greet(login, deadline, key_types(login.host_key))
    try:
        shown = transport.get_remote_server_key()
        compared = is_known(shown, login.host_key, login.place)
        if not compared and key is None:
            raise Trouble(
                "ssh_tunnel_failed", UNKNOWN_KEY,
                f"{login.place} shows {shown.get_name()} {shown.fingerprint}; without a host_key to compare it with, "
                "no password is sent there", shown=known_as(shown),
            )  # fmt: skip
        _log_in(transport, login, key, deadline)
    except BaseException:
        transport.close()
        raise
    return Session(transport, login, compared)


def within(deadline: Deadline, transport: Any, work: Callable[[], T], place: str) -> T:
    """Do `work` and cut the line when the limit is over: paramiko's own limits start anew with each byte."""
    import paramiko

    watchdog = threading.Timer(deadline.left(), transport.close)
    watchdog.daemon = True
    watchdog.start()
    try:
        return work()
    except (OSError, EOFError, paramiko.SSHException) as error:
        if deadline.over() or isinstance(error, TimeoutError):
            raise _silent(place, deadline) from None
        raise
    finally:
        watchdog.cancel()


def _silent(place: str, deadline: Deadline) -> Trouble:
    return Trouble(
        "ssh_tunnel_failed", "network.accepts_but_silent", f"{place}: no answer within {deadline.seconds:g} s"
    )


def identity(login: Login, deadline: Deadline) -> tuple[str, bool]:
    """(the server's key as a line of mend.yml, whether it is the configured one), without a login. Raises Trouble."""
    transport = _greet(login, deadline, key_types(login.host_key))
    try:
        key = transport.get_remote_server_key()
        return f"{known_as(key)} ({key.fingerprint})", is_known(key, login.host_key, login.place)
    finally:
        transport.close()


def _greet(login: Login, deadline: Deadline, only: tuple[str, ...]) -> Any:
    """Connect and agree on encryption, asking for the kind of key that is known."""
    import paramiko

    try:
        transport = _transport(login, deadline)
        if only:
            offered = transport.get_security_options()
            # A kind that is no longer spoken, as ssh-dss, cannot be asked for; what is shown is another one then.
            offered.key_types = [kind for kind in only if kind in offered.key_types] or offered.key_types
        return _agree(transport, login, deadline)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        if not only:
            raise Trouble("ssh_tunnel_failed", "tls.no_common_algorithm", f"{login.place}: {error}") from None
    # The kind of key that is known is no longer offered: look which one is, without logging in.
    other = _greet(login, deadline, ())
    shown = other.get_remote_server_key()
    other.close()
    raise changed(login.place, shown)


def _transport(login: Login, deadline: Deadline) -> Any:
    import paramiko

    try:
        peer = connect(login.host, login.port, deadline.left())
    except Trouble as trouble:
        raise Trouble("ssh_tunnel_failed", trouble.code, trouble.evidence, trouble.alternatives) from None
    try:
        _is_ssh(peer, login.place, deadline)
        return paramiko.Transport(peer)
    except BaseException:
        peer.close()
        raise


def _is_ssh(peer: socket.socket, place: str, deadline: Deadline) -> None:
    """See the greeting before paramiko does, which would read an endless first line to its end."""
    try:
        first = peek(peer, place, deadline, 4)
    except Trouble as trouble:
        raise Trouble("ssh_tunnel_failed", trouble.code, trouble.evidence) from None
    if first.startswith(b"SSH-"):
        return
    said = first[:60].decode("utf-8", "replace").strip()
    if not first:
        raise Trouble(
            "ssh_tunnel_failed", "network.reset", f"{place} hung up before a greeting", ("auth.too_many_attempts",)
        )
    # https://man.openbsd.org/sshd_config#PerSourcePenalties and #MaxStartups: said in place of the greeting.
    if first.startswith(b"Not allowed at this time"):
        raise Trouble("ssh_tunnel_failed", "auth.too_many_attempts", f"{place}: {said}")
    if first.startswith(b"Exceeded MaxStartups"):
        raise Trouble("ssh_tunnel_failed", "capacity.too_many_connections", f"{place}: {said}")
    raise Trouble("config_error", "config.wrong_port_other_service", f"{place} answered {said!r}, which is not SSH")


def _agree(transport: Any, login: Login, deadline: Deadline) -> Any:
    import paramiko

    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = deadline.left()
    try:
        within(deadline, transport, lambda: transport.start_client(timeout=deadline.left()), login.place)
    except paramiko.ssh_exception.IncompatiblePeer:
        transport.close()
        raise
    except (paramiko.SSHException, EOFError) as error:
        transport.close()
        if deadline.over() or "No existing session" in str(error) or "Timeout" in str(error):
            raise _silent(login.place, deadline) from None
        raise Trouble("ssh_tunnel_failed", "network.reset", f"{login.place}: {error or 'hung up'}") from None
    except OSError as error:
        transport.close()
        raise os_trouble(error, login.place, deadline.seconds, "network.accepts_but_silent") from None
    return transport


# Who we are ----------------------------------------------------------------------------------------------------------


def _log_in(transport: Any, login: Login, key: Any, deadline: Deadline) -> None:
    import paramiko

    def attempt() -> list[str]:
        if key is not None:
            return list(transport.auth_publickey(login.user, key))
        # Without the fallback: keyboard-interactive would be a second attempt with the same password.
        return list(transport.auth_password(login.user, login.password, fallback=False))

    transport.auth_timeout = deadline.left()
    try:
        more = within(deadline, transport, attempt, login.place)
    except paramiko.BadAuthenticationType as error:
        allowed = ", ".join(error.allowed_types)
        words = f"{login.place} does not take {'a key' if key else 'a password'} of {login.user}; it takes {allowed}"
        raise Trouble("invalid_credentials", "auth.method_not_allowed", words) from None
    except paramiko.SSHException as error:
        raise _refused(error, login, key, deadline) from None
    except (OSError, EOFError):
        words = f"{login.place} hung up during the login"
        raise Trouble("ssh_tunnel_failed", "network.reset", words, ("auth.too_many_attempts",)) from None
    if more:
        words = f"{login.place} wants more after this: {', '.join(more)}"
        raise Trouble("invalid_credentials", "auth.mfa_required", words)


def _refused(error: Exception, login: Login, key: Any, deadline: Deadline) -> Trouble:
    said = f"{login.place}: {error}"
    if deadline.over() or "timeout" in str(error).lower():
        return _silent(login.place, deadline)
    if "Too many authentication failures" in said:
        return Trouble("invalid_credentials", "auth.too_many_attempts", said)
    if key is not None and ("no RSA pubkey algorithms" in said or "agreed upon" in said):
        return Trouble("ssh_tunnel_failed", "tls.no_common_algorithm", said)
    gone = ("auth.too_many_attempts",) if "saw EOF" in said else ()
    said = f"{login.place} refused {'the key' if key else 'the password'} of {login.user}: {error}"
    if key is not None:
        print_ = f"{said} ({key.get_name()} {key.fingerprint}{until(login.ends())})"
        alike = ("auth.unknown_user", "auth.key_mismatch", "access.user_not_allowed", *gone)
        return Trouble("invalid_credentials", "auth.key_not_authorized", print_, alike)
    alike = ("auth.unknown_user", "access.user_not_allowed", *gone)
    return Trouble("invalid_credentials", "auth.wrong_password", said, alike)
