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


class SlowWorld(World):
    """`seconds` is how long the line to the warehouse keeps each caller waiting; 0 lets those go on who wait."""

    seconds = 0.0


@contextlib.contextmanager
def slow_warehouse(database: str, folder: Path, limit: int) -> Iterator[SlowWorld]:
    """The connection `slow` to a warehouse behind a line that can keep each caller waiting: there is time to look."""
    made: list[SlowWorld] = []

    def slowly(peer: socket.socket) -> None:
        began = time.monotonic()
        while time.monotonic() - began < made[0].seconds:
            time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", made[0].demo.database.port)) as server:
            threading.Thread(target=pump, args=(server, peer), daemon=True).start()
            pump(peer, server)

    with listener(slowly) as port:
        settings = {"host": "127.0.0.1", "port": port, "database": DATABASE, "user": WAREHOUSE, "sslmode": "disable"}
        slow = {"connector": "postgres", "settings": settings, "secrets": {"password": "of last year"}}
        made.append(SlowWorld(database, folder, connections={"slow": slow}, check_timeout=limit))
        with made[0] as world:
            yield world


def test_the_page_shows_each_check_as_it_is_done(database: str, tmp_path: Path) -> None:
    with slow_warehouse(database, tmp_path, 30) as world:
        talk = world.start("slow")
        talk.until("regenerating_credentials")
        page = opened(world, talk)
        world.seconds = 1.5
        page.press("try", password=world.demo.database.changed_password, user=WAREHOUSE)
        seen = []
        while "work and are saved" not in page.look().text:
            assert page.answer.status_code == 200
            if done := re.search(r"(\d) of (\d) checks are done", page.text):
                assert page.answer.headers["Refresh"].startswith("2; url=/credentials/")
                assert "Looking now: " in page.text or done[1] == done[2]
                seen.append(int(done[1]))
            world.seconds = 0 if len(set(seen)) >= 2 else 1.5
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
