"""What every page that takes a secret keeps to: headers, bounded bodies, limits, and where a form may come from."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.settings import public_url
from bot.web.body import body_of
from messages.page import View, page

MAX_BODY = 64 * 1024
COOKIE = "mend_page"
# Longer is no answer of a provider; their codes have up to 2,048 characters.
LONGEST = 4096


class Refused(Exception):
    """Answer with this status and a page that tells nothing to whom it does not concern."""

    def __init__(self, status: int, template: str = "refused") -> None:
        super().__init__(template)
        self.status, self.template = status, template


Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler) -> Handler:
    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            return answer(refused.template, {}, refused.status)

    return answered


class Limiter:
    """So many calls per minute and caller; the callers longest silent are forgotten, so memory stays bounded."""

    def __init__(self, per_minute: int, callers: int = 10_000) -> None:
        self.per_minute, self.callers = per_minute, callers
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> bool:
        now = time.monotonic()
        left, at = self._left.pop(caller, (float(self.per_minute), now))
        left = min(left + (now - at) * self.per_minute / 60, float(self.per_minute))
        self._left[caller] = (max(left - 1, 0.0), now)
        while len(self._left) > self.callers:
            self._left.popitem(last=False)
        return left >= 1


def caller(request: Request) -> str:
    """Who counts as one: an address, and of IPv6 the network that one customer is given."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and not address.ipv4_mapped:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


def answer(template: str, view: View, status: int = 200, *, again: str = "", leave_for: str = "") -> Response:
    """A page under a policy that lets it load nothing and send itself nowhere else; `again` is a path to look at soon.

    `leave_for` is a provider's page to go to at once: a redirect would hold all its own redirects to our policy.

    The path is named since a browser that stands at a #fragment would not load the same address again.
    """
    nonce = secrets.token_urlsafe(16)
    response = HTMLResponse(page(template, {**view, "nonce": nonce}), status)
    response.headers.update(
        {
            "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            **({"Retry-After": "60"} if status == 429 else {}),
            **({"Refresh": f"2; url={again}"} if again else {}),
            **({"Refresh": f"0; url={leave_for}"} if leave_for else {}),
            **({"Strict-Transport-Security": "max-age=31536000"} if _secure() else {}),
        }
    )
    return response


def onward(path: str) -> Response:
    """Back to the page itself: a path of ours, never an address that a request names."""
    return RedirectResponse(path, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _secure() -> bool:
    return public_url(os.environ).startswith("https://")


def _cookie() -> str:
    """Over TLS by a name that a browser takes from this very host alone, and from no neighbour in its domain:
    https://www.rfc-editor.org/rfc/rfc6265#section-4.1.3"""
    return f"__Host-{COOKIE}" if _secure() else COOKIE


def session_of(request: Request) -> str:
    return request.cookies.get(_cookie(), "")[:100]


def set_session(response: Response, session: str) -> None:
    # Lax, not Strict: the link in Slack is another site's, and the way back to an open page leads over it.
    response.set_cookie(_cookie(), session, httponly=True, secure=_secure(), samesite="lax", path="/")


def _back(link_id: str) -> str:
    return f"mend_back_{link_id[:16]}"


def set_way_back(response: Response, link_id: str, token: str, path: str) -> None:
    """Where this browser goes on when it comes back to `path`; nobody else, the provider neither, is told."""
    response.set_cookie(_back(link_id), token, max_age=3600, httponly=True, secure=_secure(), samesite="lax", path=path)


def way_back(request: Request, link_id: str) -> str:
    return request.cookies.get(_back(link_id), "")[:100]


def csrf(session: str, link_id: str) -> str:
    """Known only to who holds the cookie: no other site can make it up."""
    return hmac.new(session.encode(), link_id.encode(), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def brought_back(request: Request) -> dict[str, str]:
    """What another site gave the browser to bring along, without what no such site says."""
    return {name: value for name, value in request.query_params.items() if len(value) <= LONGEST}


async def form(request: Request, link_id: str) -> dict[str, str]:
    """The fields of a form of ours. Raises Refused for one that is too large, malformed or somebody else's."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415)
    body = await body_of(request, MAX_BODY)
    if body is None:
        raise Refused(413)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=60, errors="strict")
    except ValueError:
        raise Refused(400) from None
    if any(len(values) > 1 for values in fields.values()):  # our forms name each field once; who reads which differs
        raise Refused(400)
    typed = {name: values[-1] for name, values in fields.items()}
    session = session_of(request)  # without one, who knows the link could work out what we gave to nobody
    if not session or not _from_us(request) or not same(typed.pop("csrf", ""), csrf(session, link_id)):
        raise Refused(403)
    return typed


def _from_us(request: Request) -> bool:
    """Browsers say where a form comes from; with `no-referrer` the origin of our own is `null`."""
    origin, site = request.headers.get("origin", "null"), request.headers.get("sec-fetch-site", "same-origin")
    ours = urlsplit(public_url(os.environ))
    return site == "same-origin" and origin in ("null", f"{ours.scheme}://{ours.netloc}")
