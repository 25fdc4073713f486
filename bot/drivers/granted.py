"""A token that a program gets for itself, kept in memory alone: https://www.rfc-editor.org/rfc/rfc6749#section-4.4"""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from bot.drivers.oauth import Client

# A call that takes its time must not arrive after the end of its token.
EARLY = 60.0


class Granted:
    """The token of one registration in this process. Threads that need it at once ask for it once."""

    def __init__(self, client: Client, **form: str | int) -> None:
        self._client, self._form = client, form
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def token(self, refused: str = "") -> str:
        """It, or a new one shortly before its end or when it is the `refused` one. Raises Trouble."""
        with self._lock:
            if self._token in ("", refused) or time.monotonic() >= self._until:
                asked = time.monotonic()
                answer = self._client.redeem("client_credentials", **self._form)
                self._token, self._until = answer["access_token"], asked + _life(answer)
            return self._token


def _life(answer: dict[str, Any]) -> float:
    """Seconds to use it; without an end that is told, until it is refused."""
    try:
        seconds = float(answer.get("expires_in") or math.inf)
    except (TypeError, ValueError):
        return math.inf
    return max(seconds - EARLY, seconds / 2)
