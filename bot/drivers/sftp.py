"""SFTP: what lies in a folder, and whether it may be opened. No file is read."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.drivers.network import Deadline, Trouble
from bot.drivers.ssh import Session, within

# A folder may hold millions of files: so many are looked at.
ENOUGH = 20_000
# So many files of a pattern may be gone before another is opened.
TRIES = 20


@dataclass
class Reading:
    """`seen` files in the folder, `matched` by each pattern, and those that may not be opened."""

    seen: int = 0
    matched: dict[str, int] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)


def look(session: Session, path: str, patterns: Sequence[str], deadline: Deadline) -> Reading:
    """List `path` and open the newest match of each pattern. Raises Trouble."""
    place = f"{session.login.place}:{path}"

    def work() -> Reading:
        with _client(session, deadline) as client:
            found = [entry for entry in _entries(client, path, place, deadline) if not stat.S_ISDIR(entry.st_mode or 0)]
            reading = Reading(len(found))
            for pattern in patterns:
                fits = [entry for entry in found if re.search(pattern, entry.filename)]
                reading.matched[pattern] = len(fits)
                for newest in sorted(fits, key=lambda entry: entry.st_mtime or 0, reverse=True)[:TRIES]:
                    opens = _opens(client, f"{path.rstrip('/')}/{newest.filename}")
                    if opens is False:
                        reading.denied.append(newest.filename)
                    if opens is not None:
                        break
                    reading.matched[pattern] -= 1
            return reading

    return within(deadline, session.transport, _known(work, place), place)


def _known(work: Callable[[], Reading], place: str) -> Callable[[], Reading]:
    """paramiko tells two statuses of the protocol as errors of the system; what else it says is kept as words."""
    import paramiko

    def known() -> Reading:
        try:
            return work()
        except FileNotFoundError:
            raise Trouble("config_error", "config.path_missing", f"{place}: there is no such folder") from None
        except PermissionError:
            raise Trouble("missing_privilege", "privilege.path_denied", f"{place}: permission denied") from None
        except paramiko.SFTPError as error:
            words = f"{place}: no SFTP is spoken there ({error}); a start-up file of the login that prints does this"
            raise Trouble("feature_not_enabled", "privilege.command_denied", words) from None

    return known


def _client(session: Session, deadline: Deadline) -> Any:
    import paramiko

    try:
        client: Any = paramiko.SFTPClient.from_transport(session.transport)
    except (paramiko.SSHException, EOFError, OSError) as error:
        if deadline.over():
            raise
        words = f"{session.login.place} lets {session.login.user} in, but offers no file transfer ({error or 'closed'})"
        raise Trouble("feature_not_enabled", "privilege.command_denied", words) from None
    client.get_channel().settimeout(deadline.left())
    return client


def _entries(client: Any, path: str, place: str, deadline: Deadline) -> list[Any]:
    if not stat.S_ISDIR(client.stat(path).st_mode or 0):
        raise Trouble("config_error", "config.path_missing", f"{place}: this is a file, not a folder")
    found = []
    for entry in client.listdir_iter(path):
        found.append(entry)
        if len(found) >= ENOUGH or deadline.over():
            break
    return found


def _opens(client: Any, name: str) -> bool | None:
    """None for one that is gone by now, or a link that leads nowhere."""
    try:
        client.open(name, "r").close()
    except PermissionError:
        return False
    except FileNotFoundError:
        return None
    return True
