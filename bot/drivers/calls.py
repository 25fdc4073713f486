"""Calls of services that an administrator named: by requests, with what its environment says of proxies."""

from __future__ import annotations

from typing import Any

import requests

from bot.drivers.authorities import for_services
from bot.drivers.network import Deadline, Trouble, bounded

# All sources of an account may come in one answer: https://www.stitchdata.com/docs/developers/stitch-connect/api
MOST = 32 * 1_048_576
# So much longer than it may be silent an answer may take in all.
WHOLE = 3


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None is followed; requests would read all of an answer, however long, to know where it leads."""


def call(method: str, url: str, silent: float, **more: Any) -> requests.Response:
    """One answer, read whole, from a side that is silent for so many seconds at most, and drips for three times that.

    No redirect is followed: it would take the token along. Raises requests.RequestException.
    """
    deadline = Deadline(silent * WHOLE)

    signed = any(name.lower() == "authorization" for name in more.get("headers") or ())
    more = {"verify": for_services(), **({"auth": _as_it_is} if signed else {}), **more}

    def made() -> requests.Response:
        with _Session() as session:
            answer = session.request(method, url, timeout=silent, stream=True, allow_redirects=False, **more)
            answer._content = _read(answer, deadline)
            return answer

    try:
        return bounded(deadline, made, "call")
    except Trouble:
        raise requests.Timeout(f"no complete answer within {deadline.seconds:g} s") from None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Else what a `.netrc` of this machine has for the host would take the place of the token."""
    return request


def _read(answer: requests.Response, deadline: Deadline) -> bytes:
    data = bytearray()
    for part in answer.iter_content(4096):
        data += part
        if len(data) > MOST or deadline.over():
            raise requests.Timeout("the answer does not end")
    return bytes(data)


def json_in(answer: requests.Response) -> Any:
    """Raises ValueError, also for what is nested too deep to be read."""
    try:
        return answer.json()
    except RecursionError:
        raise ValueError("nested too deep") from None
