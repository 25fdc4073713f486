"""What an SSH server's owner, or whoever keeps mend.yml, has to write down: copyable, for exactly this login."""

from __future__ import annotations

from typing import Any

from bot.drivers.network import Trouble
from bot.drivers.ssh import Login
from bot.drivers.ssh_keys import UNKNOWN_KEY, line, private

KEYS, SERVER = "~/.ssh/authorized_keys", "/etc/ssh/sshd_config"

ALGORITHMS = ["KexAlgorithms +curve25519-sha256", "Ciphers +aes256-ctr", "MACs +hmac-sha2-256"]
# These hold for every caller, and stand there once.
WHOLE = {"capacity.too_many_connections": "MaxStartups 100:30:200",
         "privilege.command_denied": "Subsystem sftp internal-sftp"}  # fmt: skip


def remedy(trouble: Trouble, login: Login, target: str = "") -> dict[str, Any]:
    """The facts `file`, `lines` and `restart` for the server; `target` is host:port behind a tunnel."""
    if trouble.code == "auth.key_not_authorized":
        return {"file": KEYS, "lines": [public_half(login)]}
    wanted = {
        "auth.method_not_allowed": ["PubkeyAuthentication yes" if login.private_key else "PasswordAuthentication yes"],
        "auth.mfa_required": [f"AuthenticationMethods {'publickey' if login.private_key else 'password'}"],
        # "+" adds to what sshd has by itself, which a line that sets a list has replaced.
        "tls.no_common_algorithm": ALGORITHMS,
        "tunnel.forwarding_disabled": ["AllowTcpForwarding local", f"PermitOpen {target}"],
    }.get(trouble.code)
    whole = WHOLE.get(trouble.code)
    if whole:
        return {"file": SERVER, "instead": whole.partition(" ")[0], "lines": [whole], "restart": "yes"}
    if not wanted:
        return {}
    if wanted is ALGORITHMS:
        return {"file": SERVER, "above": True, "lines": wanted, "restart": "yes"}
    # sshd takes the first value that it finds, and `Match all` ends what holds for this user alone:
    # https://man.openbsd.org/sshd_config#Match
    block = [f"Match User {login.user}", *(f"    {line}" for line in wanted), "Match all"]
    return {"file": SERVER, "lines": block, "restart": "yes"}


def public_half(login: Login) -> str:
    """The line of authorized_keys that lets this login's key in."""
    return line(private(login.private_key, login.passphrase))


def own(trouble: Trouble, under: str = "") -> dict[str, Any]:
    """The fact `settings`: the server's key as mend.yml would hold it, once its owner has confirmed it."""
    if trouble.code not in (UNKNOWN_KEY, "trust.host_key_changed") or not trouble.shown:
        return {}
    line = f'host_key: "{trouble.shown}"'
    return {"settings": [f"{under}: {{{line}}}" if under else line]}
