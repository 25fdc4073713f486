"""What a check does against an HTTP server that never comes to an end."""

from __future__ import annotations

from typing import Any

from flows.core.finding import explaining
from tests.faults.frame import Wire
from tests.servers import dripping, flooding, listener, silent


def ends(way: str, wire: Wire) -> None:
    """Against an HTTP server that never comes to an end: silent, dripping or flooding."""
    says: dict[str, Any] = {"silent": silent, "dripping": dripping(b"HTTP/1.1 200 OK\r\nX: "), "flooding": flooding}
    with listener(says[way]) as port:
        wire.settings["base_url"], wire.timeout = f"http://127.0.0.1:{port}", 1.5
        top = explaining(wire.look())
    assert top is not None
    assert top.verdict == "bad"
    if way == "silent":
        assert top.code == "network.accepts_but_silent"
