"""A loopback TCP port in front of a PostgreSQL server that only has a unix socket.

The embedded server listens on a socket alone, and connections of the demo should look like any other: a host and a
port. The relay lets through the named roles only. The server trusts whoever reaches its socket, so an open port must
not lead a stranger on this machine to the superuser.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

CANCEL, SSL, GSS = 80877102, 80877103, 80877104
LONGEST_STARTUP = 10_000
STARTUP_SECONDS = 30
# AuthenticationOk, and the refusal of a login: https://www.postgresql.org/docs/current/protocol-message-formats.html
LOGGED_IN, REFUSED = re.compile(rb"R\0\0\0\x08\0\0\0\0"), re.compile(rb"E....SFATAL\0VFATAL\0C28", re.S)
OWN = "demo-panel"


def startup_parameters(body: bytes) -> dict[str, str]:
    """The names and values of a startup packet, after its protocol version."""
    words = body.split(b"\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in pairs if key}


def refusal(user: str, database: str) -> bytes:
    """The server's own words for a role that no line of pg_hba.conf names."""
    message = f'no pg_hba.conf entry for host "127.0.0.1", user "{user}", database "{database}", no encryption'
    fields = {"S": "FATAL", "V": "FATAL", "C": "28000", "M": message}
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, see: Callable[[bytes], None] = lambda data: None
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            see(data)
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


class Relay:
    """Forwards 127.0.0.1:port to a unix socket for the given roles."""

    def __init__(self, socket_path: str, roles: Iterable[str]) -> None:
        self.socket_path = socket_path
        self.roles = frozenset(roles)
        self.port = 0
        # Whether the last login of a role was accepted, the demo's own looks aside.
        self.accepted: dict[str, bool] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="demo-relay", daemon=True)
        self._ready: Future[int] = Future()
        self._done = asyncio.Event()

    def start(self) -> int:
        self._thread.start()
        self.port = self._ready.result(15)
        return self.port

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        except OSError as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(server.sockets[0].getsockname()[1])
        await self._done.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            packet = await asyncio.wait_for(self._startup(reader, writer), STARTUP_SECONDS)
            if packet:
                await self._forward(packet, reader, writer)
        except (OSError, EOFError, TimeoutError):
            pass
        except asyncio.CancelledError:
            # Only the end of everything cancels, and of one that leaves so asyncio prints a traceback (Python 3.11).
            pass
        finally:
            writer.close()

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The first packet worth forwarding; encryption is declined, as a unix socket declines it."""
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            if not 8 <= length <= LONGEST_STARTUP:
                return b""
            body = await reader.readexactly(length - 8)
            if code in (SSL, GSS):
                writer.write(b"N")
                await writer.drain()
                continue
            given = startup_parameters(body)
            user = given.get("user", "")
            if code != CANCEL and user not in self.roles:
                writer.write(refusal(user, given.get("database", user)))
                await writer.drain()
                return b""
            return head + body

    async def _forward(self, packet: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self.socket_path)
        to_server.write(packet)
        await to_server.drain()
        given = startup_parameters(packet[8:])

        def see(data: bytes) -> None:
            if given.get("application_name") != OWN and (said := LOGGED_IN.search(data) or REFUSED.match(data)):
                self.accepted[given.get("user", "")] = said.re is LOGGED_IN

        await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer, see))
