"""Whose certificates are believed where mend.yml names no `ca_file`."""

from __future__ import annotations

import os
import ssl


def authorities() -> str | bool:
    """The file or folder of the system's authorities, a company's own among them; True: those that requests brings.

    The handshake of `bot/drivers/tls.py` believes the system too: two answers to one certificate would be one too many.
    """
    system = ssl.get_default_verify_paths()
    if system.cafile:
        return system.cafile
    try:
        return system.capath if system.capath and os.listdir(system.capath) else True
    except OSError:
        return True


def for_services() -> str | bool:
    """For what an administrator named, as desks and platforms: REQUESTS_CA_BUNDLE where it is set, else as checks."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or authorities()
