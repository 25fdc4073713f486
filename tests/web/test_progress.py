"""While the new credentials are tried, the page says how far the checks are, without a script."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bot.playground.demo_database import DATABASE, WAREHOUSE
from tests.servers import listener
from tests.talk import World
from tests.web.visitor import opened


@contextlib.contextmanager
def slow_warehouse(database: str, folder: Path, seconds: float, limit: int) -> Iterator[World]:
    """The connection `slow` to a warehouse behind a line that keeps each caller waiting: there is time to look."""
    place: dict[str, int] = {}

    def slowly(peer: socket.socket) -> None:
        time.sleep(seconds)
        with socket.create_connection(("127.0.0.1", place["port"])) as server:
            threading.Thread(target=pump, args=(server, peer), daemon=True).start()
            pump(peer, server)

    with listener(slowly) as port:
        settings = {"host": "127.0.0.1", "port": port, "database": DATABASE, "user": WAREHOUSE, "sslmode": "disable"}
        slow = {"connector": "postgres", "settings": settings, "secrets": {"password": "of last year"}}
        with World(database, folder, connections={"slow": slow}, check_timeout=limit) as world:
            place["port"] = world.demo.database.port
            yield world


def test_the_page_shows_each_check_as_it_is_done(database: str, tmp_path: Path) -> None:
    with slow_warehouse(database, tmp_path, 1.5, 30) as world:
        talk = world.start("slow")
        talk.until("regenerating_credentials")
        page = opened(world, talk)
        page.press("try", password=world.demo.database.changed_password, user=WAREHOUSE)
        seen = []
        while "work and are saved" not in page.look().text:
            assert page.answer.status_code == 200
            if done := re.search(r"(\d) of (\d) checks are done", page.text):
                assert page.answer.headers["Refresh"].startswith("2; url=/credentials/")
                assert "Looking now: " in page.text or done[1] == done[2]
                seen.append(int(done[1]))
            assert world.demo.database.changed_password not in page.answer.text
            time.sleep(0.3)
        assert seen == sorted(seen)
        assert len(set(seen)) >= 2, seen


def pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
