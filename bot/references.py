"""Where `${vault:...}` is read: Mend's own table, HashiCorp Vault, AWS Secrets Manager."""

from __future__ import annotations

import os
from collections.abc import Callable

from bot.settings import VAULTS, data_dir


def _elsewhere(store: str) -> Callable[[str], str]:
    def read(reference: str) -> str:
        from bot.drivers.secret_stores import STORES

        return STORES[store](reference)

    return read


def _own(url: str) -> Callable[..., str]:
    def read(name: str, team: str = "") -> str:
        from bot.vault import open_vault

        return open_vault(url).read(name, team)

    return read


def serve_references(url: str = "", *, later: bool = False) -> None:
    """From now on references can be read; those of Mend's own vault with `url`, opened now or when one is read."""
    VAULTS.update({store: _elsewhere(store) for store in ("hashicorp", "aws")})
    if url and later:
        VAULTS[""] = _own(url)
    elif url:
        from bot.vault import open_vault

        open_vault(url)


def serve_references_if_any() -> None:
    """For the terminal: no database is started, or even imported, for a vault that cannot hold anything."""
    folder = data_dir()
    has_key = bool(os.environ.get("MEND_SECRET_KEY")) or (folder / "secret.key").exists()
    if not has_key or not (os.environ.get("MEND_DATABASE_URL") or (folder / "postgres").exists()):
        return serve_references()
    from bot.database import database_url

    return serve_references(database_url())
