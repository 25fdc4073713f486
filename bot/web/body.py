"""Bodies of a size that we choose, not the caller."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request


async def body_of(request: Request, largest: int) -> bytes | None:
    """The body, or None as soon as it is larger than so many bytes, or nobody is there any more who sends it."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > largest:
                return None
    except ClientDisconnect:  # whoever hangs up in the middle would write a page into our log
        return None
    return bytes(body)
