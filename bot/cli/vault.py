"""`mend vault`: what Mend keeps for itself, and the key that it is encrypted with."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys

from bot.cipher import NO_KEY, can_keep, key_file, keys, make_key, write_keys
from bot.cli.text import clean
from bot.database import database_url, migrate
from bot.settings import SettingsError
from bot.vault import LEFT, Vault
from messages.escape import utc

MOST = 100_000
NAME = re.compile(r"[\w.-]{1,100}")


def _vault() -> Vault:
    url = database_url()
    migrate(url)
    return Vault(url)


def listed(as_json: bool) -> int:
    rows = _vault().listed()
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
        return 0
    for row in rows:
        until = f", forgotten {utc(row.forget_at)}" if row.forget_at else ""
        whose = f" in {clean(row.team)}" if row.team else ""
        print(f"{clean(row.name):32} {row.version:8} since {utc(row.at)} by {clean(row.by)}{whose}{until}")
    if not rows:
        print("the vault is empty")
    return 0


def put(name: str) -> int:
    if not NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is not a name: letters, digits, '.', '_' and '-'")
    try:
        asked = sys.stdin.isatty()
        value = getpass.getpass(f"{name} (not shown): ") if asked else sys.stdin.read(MOST + 1).rstrip("\r\n")
        value.encode()
    except UnicodeError:
        raise SettingsError("what was given is not text in UTF-8: encode it first, as with base64") from None
    if len(value) > MOST:
        raise SettingsError(f"what was given has more than {MOST} characters, and half a secret is none")
    if not value:
        raise SettingsError("nothing was given: type the secret, or pipe it into `mend vault put`")
    _vault().put(name, value, "the terminal")
    print(f"kept: write ${{vault:{name}}} in mend.yml")
    return 0


def show(name: str) -> int:
    print(_vault().read(name, versions=("current", LEFT)))
    return 0


def forget(name: str) -> int:
    count = _vault().forget(name=name)
    if not count:
        raise SettingsError(f"the vault holds no {name}; `mend vault list` shows what it holds")
    print(f"forgotten: {count} version{'s' if count > 1 else ''} of {name}")
    return 0


def rotate_key() -> int:
    """With MEND_SECRET_KEY its first key is the newest; the embedded database's key file gets a new one itself."""
    vault = _vault()
    if os.environ.get("MEND_SECRET_KEY"):
        print(f"{vault.renew()} texts are encrypted with the first key of MEND_SECRET_KEY; the others may go now")
        return 0
    if not can_keep():
        raise SettingsError(NO_KEY)
    with vault.alone("keys"):
        newest, *older = make_key(), *keys()
        write_keys([newest, *older])  # all of them: an earlier renewal may not have come to its end
        count = vault.renew()
        # The last key stays: what a running process is just writing was made with it.
        write_keys([newest, *older[:1]])
    print(f"{count} texts are encrypted with a new key in {key_file()}")
    return 0


def new_key() -> int:
    print(make_key())
    return 0
