"""Lines of HTTP: how one is opened, and the head of an answer read as leniently as browsers do.

http.client takes early news for the answer itself, loses all headers behind an odd one, and gives up at a hundred.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

from bot.drivers.network import dial

# All lines of a head together. https://www.rfc-editor.org/rfc/rfc9110#section-5.4 sets no limit.
MOST = 262_144
EARLY = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d\b")
# White space before the colon is to be removed: https://www.rfc-editor.org/rfc/rfc9112#section-5.1
NAMED = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(:.*)", re.S)
LENGTH = re.compile(rb"(?im)^content-length:(?![ \t]*\d+[ \t]*(,[ \t]*\d+[ \t]*)*\r?$)")
CHUNKED = re.compile(rb"(?im)^transfer-encoding:.*chunked")
PACKED = ("gzip", "x-gzip", "deflate")
ENDS = (b"\r\n", b"\n", b"")
# A line to a host and port.
Opener = Callable[[str, int], socket.socket]


class Response(http.client.HTTPResponse):
    """As the standard library's, but for the head."""

    def begin(self) -> None:
        plain = self.fp
        self.fp: Any = _Head(plain)
        try:
            super().begin()
        finally:
            if self.fp is not None:  # it is closed after a first line that is none of HTTP's
                self.fp = plain
        self._take_codings()

    def _take_codings(self) -> None:
        """`gzip, chunked`: the standard library knows `chunked` only alone, and read on until the line was closed.

        What lies within is undone as an encoding of the content is: https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        """
        said = ",".join(self.headers.get_all("transfer-encoding") or ()).lower()
        codings = [one.strip() for one in said.split(",") if one.strip()]
        if codings[-1:] == ["chunked"] and not self.chunked and self.status not in (204, 304):
            self.chunked, self.chunk_left, self.length = True, None, None
            self.will_close = self._check_close()  # type: ignore[attr-defined]
        if inner := [one for one in codings if one in PACKED]:
            before = self.headers.get("content-encoding")
            del self.headers["content-encoding"]
            self.headers["content-encoding"] = ", ".join([before, *inner] if before else inner)

    def _read_next_chunk_size(self) -> int:
        """Of a size below nothing the standard library makes "all that comes", without limit. Raises ValueError."""
        size = int(super()._read_next_chunk_size())  # type: ignore[misc]
        if size < 0:
            raise ValueError("a chunk of less than nothing")
        return size


class _Head:
    """A first line, and then all lines of the head at once: the reader counts calls, and stops at a hundred."""

    def __init__(self, plain: Any) -> None:
        self.plain, self.close = plain, plain.close
        self.parts: list[bytes] | None = None

    def readline(self, limit: int) -> bytes:
        if self.parts is None:
            self.parts = []
            return self._first(limit)
        if not self.parts:
            self.parts = self._lines(limit)
        return self.parts.pop(0)

    def _first(self, limit: int) -> bytes:
        """The first line behind all early ones: https://www.rfc-editor.org/rfc/rfc9110#section-15.2

        Another protocol's greeting has no end of a line, and a reset behind it would hide it.
        """
        begins = self.plain.peek(5)[:5]
        if not b"HTTP/".startswith(begins):
            raise http.client.BadStatusLine(begins.decode("latin-1"))
        while EARLY.match(line := self._line(limit)):
            self._lines(limit)
        return line

    def _line(self, limit: int) -> bytes:
        line: bytes = self.plain.readline(limit)
        if len(line) >= limit:
            raise http.client.LineTooLong("head")
        return line

    def _lines(self, limit: int) -> list[bytes]:
        """Lines that are headers, with those that go on after them, in parts that the reader takes; and the end."""
        kept, size, parts = False, 0, [b""]
        while (line := self._line(limit)) not in ENDS:
            size += len(line)
            if size > MOST:
                raise http.client.LineTooLong("head")
            named = NAMED.match(line)
            kept = bool(named) or (kept and line[:1] in b" \t")
            if not kept:
                continue
            if named and len(parts[-1]) + len(line) >= limit:
                parts.append(b"")
            parts[-1] += named[1] + named[2] if named else line
        whole = b"".join(parts)
        if LENGTH.search(whole) and not CHUNKED.search(whole):
            raise http.client.HTTPException("Content-Length is no number")
        return [part for part in parts if part] + [line or b"\r\n"]


def adapter(sockets: list[socket.socket], admit: Callable[[socket.socket], None], opener: Opener | None = None) -> Any:
    """An adapter of requests that remembers its sockets, so that a call can be cut off from outside.

    `opener` makes its lines where they do not go straight to the server. Raises what that raises.
    """
    from requests.adapters import HTTPAdapter

    class Noting(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **more: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **more)
            kind = pool.ConnectionCls

            class Connection(kind):  # type: ignore[misc, valid-type]
                response_class = Response

                def _new_conn(self) -> Any:
                    # Before the TLS handshake, which may drip too; it takes the socket itself away from us.
                    peer = opener(self._dns_host, self.port) if opener else _dialled(self)
                    admit(peer)
                    sockets.append(peer.dup())
                    return peer

                def send(self, data: Any) -> None:
                    # Who wants a certificate of ours says so after the handshake, and hangs up: then its word is there.
                    with contextlib.suppress(ssl.SSLEOFError):
                        super().send(data)

            pool.ConnectionCls = Connection
            return pool

    return Noting()


def _dialled(connection: Any) -> socket.socket:
    """A line to one of several addresses, as urllib3 wants it: it tries one after another, each until the limit."""
    from urllib3 import exceptions

    try:
        peer = dial(connection._dns_host, connection.port, connection.timeout)
    except UnicodeError:
        raise exceptions.LocationParseError(connection.host) from None
    except socket.gaierror as error:
        raise exceptions.NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise exceptions.ConnectTimeoutError(connection, "timed out") from error
    except OSError as error:
        raise exceptions.NewConnectionError(connection, str(error)) from error
    for option in connection.socket_options or ():
        peer.setsockopt(*option)
    peer.settimeout(connection.timeout)
    return peer
