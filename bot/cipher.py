"""The keys of MEND_SECRET_KEY, and texts encrypted with them: only such texts of secrets reach the database."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.settings import SettingsError, data_dir

NO_KEY = "MEND_SECRET_KEY is not set: `mend vault new-key` prints one; every replica needs the same"


class VaultError(SettingsError):
    """A kept secret cannot be had; one line that says what to do, without any value."""


def make_key() -> str:
    return Fernet.generate_key().decode()


def key_file() -> Path:
    return data_dir() / "secret.key"


def keys() -> list[str]:
    """MEND_SECRET_KEY, else the file that was generated beside the embedded database."""
    if given := os.environ.get("MEND_SECRET_KEY", ""):
        return list(_checked(given, "MEND_SECRET_KEY"))
    file = str(key_file())
    with contextlib.suppress(FileNotFoundError):
        now = os.stat(file)
        return list(_read(file, now.st_ino, now.st_mtime_ns, now.st_size))
    return []


@lru_cache(maxsize=8)
def _read(file: str, *_: int) -> tuple[str, ...]:
    """Every event asks whether there is a key: the file is read again when it is another, or was written to."""
    return _checked(Path(file).read_text(encoding="ascii"), file)


@lru_cache(maxsize=8)
def _checked(given: str, place: str) -> tuple[str, ...]:
    keys = [key.strip() for key in given.split(",") if key.strip()]
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError:
            raise VaultError(f"{place}: key {number} is no key; `mend vault new-key` prints one") from None
    return tuple(keys)


def can_keep() -> bool:
    """Whether there is a key. The embedded database's own is made when first asked for."""
    if keys():
        return True
    if not os.environ.get("MEND_DATABASE_URL"):
        write_keys([make_key()], fresh=True)
    return bool(keys())


def write_keys(keys: list[str], *, fresh: bool = False) -> None:
    """Replace the key file in one step; with `fresh` who comes second takes the first one's."""
    file = key_file()
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
        out.write(",".join(keys))
        out.flush()
        os.fsync(out.fileno())  # the database is on the disk before the next key, and what it holds needs this one
    if fresh:
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(part)
        part.unlink()
    else:
        part.replace(file)


class Cipher:
    """Encrypts texts for the database. The keys are read at each use: a rotation needs no restart."""

    def encrypt(self, text: str) -> str:
        if not can_keep():
            raise VaultError(NO_KEY)
        return self._fernet(keys()).encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises VaultError when no key of ours made it."""
        try:
            return self._fernet(keys()).decrypt(token.encode()).decode()
        except (InvalidToken, ValueError):
            raise VaultError("a stored secret cannot be read: its key is missing in MEND_SECRET_KEY") from None

    def renew(self, token: str) -> str:
        try:
            return self._fernet(keys()).rotate(token.encode()).decode()
        except (InvalidToken, ValueError):
            raise VaultError("a stored secret was made with a key that is missing: nothing was changed") from None

    @staticmethod
    def _fernet(keys: list[str]) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in keys])
