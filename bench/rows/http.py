"""A check of an HTTP source, good and bad; `beside.py` has the public kits at the same source."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from bench.bots import free_port
from bench.measure import median, run
from bench.place import Place
from bench.table import Line

KEY, LIMIT, PATIENCE = "bench-key", 5.0, 60.0
# What each case must be called, and the step that it is seen in.
CASES = {
    "healthy": None,
    "401": "auth.invalid_token",
    "closed": "network.refused",
    "silent": "network.accepts_but_silent",
    "dripping": "availability.too_slow",
}


class Api(BaseHTTPRequestHandler):
    """`/good/items` knows the key; `/silent/items` never answers, `/drip/items` without an end."""

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "silent":
            time.sleep(PATIENCE)
        good = self.headers.get("Authorization") == f"Bearer {KEY}" or kind == "drip"
        body = json.dumps({"items": [{"id": 1}]} if good else {"error": "invalid token"}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(100_000 if kind == "drip" else len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            until = time.monotonic() + (PATIENCE if kind == "drip" else 0)
            while time.monotonic() < until:
                self.wfile.write(b" ")
                time.sleep(0.2)
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextlib.contextmanager
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def places(url: str) -> dict[str, tuple[str, str]]:
    """Where each case is found, and the key that is shown there."""
    return {"healthy": (url + "/good", KEY), "401": (url + "/good", "wrong"), "silent": (url + "/silent", KEY),
            "dripping": (url + "/drip", KEY), "closed": (f"http://127.0.0.1:{free_port()}", KEY)}  # fmt: skip


def checks(place: Place) -> list[Line]:
    """Goal http: each case ends within its limit and is called by its name."""
    with api() as url:
        return [_ours(place, places(url))]


def _ours(place: Place, where: dict[str, tuple[str, str]]) -> Line:
    file = place.folder / "http.yml"
    usual = {"auth": "bearer", "probe": "/items", "timeout": LIMIT}
    known = {
        name: {"connector": "http_api", "settings": {"base_url": url, **usual}, "secrets": {"token": key}}
        for name, (url, key) in where.items()
    }
    file.write_text(yaml.safe_dump({"connections": known}), encoding="utf-8")
    mend = str(Path(sys.executable).parent / "mend")
    walls: dict[str, float] = {}
    wrong = []
    for name, code in CASES.items():
        place.tell(f"HTTP source, {name}")
        ran = [run([mend, "check", name, "--json", "--config", str(file)]) for _ in range(2 if place.quick else 5)]
        found = json.loads(ran[-1].output[ran[-1].output.index("\n{") :])
        walls[name] = median([one.wall for one in ran])
        wrong += [] if found["code"] == code else [f"{name} is called {found['code']}"]
    said = ", ".join(f"{name} {wall:.1f} s" for name, wall in walls.items()) + "".join(f"; {one}" for one in wrong)
    met = not wrong and max(walls.values()) <= LIMIT + 1.5
    return Line("http", "HTTP source, `mend check`", f"<= {LIMIT:g} + 1.5 s, calls it by name", said, met)
