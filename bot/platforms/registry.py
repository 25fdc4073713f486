"""Platforms by their kind: a module of this folder with `make`."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec

from bot.platforms.base import Platform, PlatformError
from bot.settings import Settings, SettingsError, resolve


def platform_for(settings: Settings) -> Platform | None:
    """The configured platform, or None. Raises PlatformError when it cannot be used."""
    given = settings.platform
    if given is None:
        return None
    if find_spec(f"bot.platforms.{given.kind}") is None:
        raise PlatformError("config", f"this version does not know the platform {given.kind} yet")
    try:
        token = resolve(given.token, os.environ, settings.folder)
    except SettingsError as error:
        raise PlatformError("config", str(error)) from None
    made: Platform = importlib.import_module(f"bot.platforms.{given.kind}").make(token, given.region, given.base_url)
    return made
