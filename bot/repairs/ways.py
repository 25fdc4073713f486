"""Which ways of renewing a connection's credentials Mend can go itself."""

from __future__ import annotations

import logging
import os

from bot.cipher import can_keep
from bot.repairs.form import form_of
from bot.repairs.rotation.blast import plan_of
from bot.settings import Settings, SettingsError, public_url

log = logging.getLogger("mend.repairs")


def ways(settings: Settings, name: str, *, refused: bool = False) -> list[str]:
    """Kinds as in a sheet's `regeneration`; without pages or a key for the vault there are none.

    A credential that is refused cannot renew itself.
    """
    try:
        ready = name in settings.connections and bool(public_url(os.environ)) and can_keep()
    except SettingsError as error:
        log.error("credentials can be renewed by people only: %s", error)
        return []
    if not ready:
        return []
    from bot.repairs.oauth import provider_of

    signs_in = ["reauthorize"] if provider_of(form_of(settings, name)) else []
    return [*signs_in, "update_credentials", *(["rotate"] if _rotates(settings, name, refused) else [])]


def _rotates(settings: Settings, name: str, refused: bool) -> bool:
    able = not refused or bool(settings.connections[name].rotation.admin_password)
    return able and plan_of(settings, name) is not None
