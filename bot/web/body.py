"""Bodies of a size that we choose, not the caller."""

from __future__ import annotations

from starlette.requests import Request


async def body_of(request: Request, largest: int) -> bytes | None:
    """The body, or None as soon as it is larger than so many bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            return None
    return bytes(body)
