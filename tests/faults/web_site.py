"""A private HTTPS server whose certificate, protocol and port can be spoiled, and a proxy before it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.debian import missing, program
from tests.faults.certificates import Authority
from tests.faults.frame import Wire
from tests.servers import free_port

TOKEN = "a-token-of-the-shop"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        body = json.dumps({"items": []} if known else {"error": {"message": "invalid token"}}).encode()
        with contextlib.suppress(OSError):
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # Here and not at accept: a handshake that stalls holds up one thread alone.
        if self.context:
            request.settimeout(10)
            plain = request.dup()
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except ssl.SSLError:
                # What the client has sent is read: a line closed over unread bytes is reset, and the alert lost with it.
                with contextlib.suppress(OSError):
                    plain.shutdown(socket.SHUT_WR)
                    plain.settimeout(2)
                    while plain.recv(4096):
                        pass
                raise
            finally:
                plain.close()
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


class WebSite:
    """`shows` starts the server anew with another certificate; `restore` gives it a good one."""

    fills = {"<address of Mend>": "127.0.0.1", "<user>": "stitch", "<password>": "s3cret", "<host>": "127.0.0.1"}
    types: dict[str, str] = {}

    def __init__(self, folder: Path) -> None:
        self.authority, self.server, self.port = Authority(folder / "ca"), None, free_port()
        self.folder, self.proxy = folder, Proxy(folder)
        places = {"<address>": self.fresh().settings["base_url"], "<port>": str(self.proxy.port)}
        self.fills = {**self.fills, **self.authority.fills, **places}
        self.restore()

    def fresh(self) -> Wire:
        settings = {"base_url": f"https://localhost:{self.port}", "auth": "bearer", "probe": "/items",
                    "resources": ["/items"], "ca_file": str(self.authority.root)}  # fmt: skip
        return Wire("http_api", settings, {"token": TOKEN}, timeout=4.0)

    def run(self, statement: str) -> None:
        raise AssertionError(f"a web server runs no statements: {statement}")

    def write(self, file: str, lines: list[str]) -> None:
        assert file == "tinyproxy.conf"
        self.proxy.rules = [*self.proxy.rules, *lines]

    def restart(self) -> None:
        """The proxy with its rules, or the web server with the certificate that lies in its folder."""
        if self.wire.proxy:
            return self.proxy.start(*self.proxy.rules)
        return self.shows((self.folder / "server.crt", self.folder / "server.key"))

    def shell(self, command: str) -> None:
        """On the server's machine, in the folder of its certificate."""
        subprocess.run(command, shell=True, cwd=self.folder, check=True, capture_output=True)

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def serve(self, context: ssl.SSLContext | None) -> None:
        self.stop()
        made = Server(("127.0.0.1", self.port), Handler)
        made.context, self.server = context, made
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()

    def shows(self, pair: tuple[Path, Path], chain: Path | None = None, **spoiled: Any) -> None:
        """Serve with this certificate; `spoiled` are attributes of the context, `ciphers` its list."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(spoiled.pop("ciphers", "ALL:@SECLEVEL=0"))
        for name, value in spoiled.items():
            setattr(context, name, value)
        if context.verify_mode == ssl.CERT_REQUIRED:
            context.load_verify_locations(self.authority.root)
        certificate = pair[0]
        if chain:
            certificate = self.folder / "chain.crt"
            certificate.write_bytes(pair[0].read_bytes() + chain.read_bytes())
        context.load_cert_chain(certificate, pair[1])
        self.serve(context)

    def restore(self) -> None:
        self.proxy.stop()
        self.fills = {**self.fills, **self.authority.fills}
        self.shows(self.authority.issue("good", "localhost", "localhost"))
        self.wire = self.fresh()


class Proxy:
    """tinyproxy with rules of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.rules: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *rules: str) -> None:
        self.stop()
        self.rules = list(rules)
        lines = [f"Port {self.port}", "Listen 127.0.0.1", "Timeout 20", "MaxClients 20", f'LogFile "{self.folder}/proxy.log"',
                 f'PidFile "{self.folder}/proxy.pid"', *(rules or ("Allow 127.0.0.1",))]  # fmt: skip
        file = self.folder / "tinyproxy.conf"
        file.write_text("\n".join([*lines, ""]))
        self.process = subprocess.Popen(
            [str(program("tinyproxy")), "-d", "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
                return
            time.sleep(0.05)
        raise AssertionError("tinyproxy does not answer")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


def missing_tinyproxy() -> str:
    return missing("tinyproxy", "tinyproxy-bin")


@contextlib.contextmanager
def web() -> Iterator[WebSite]:
    with tempfile.TemporaryDirectory(prefix="mend-web-") as folder:
        made = WebSite(Path(folder))
        try:
            yield made
        finally:
            made.stop()
            made.proxy.stop()
