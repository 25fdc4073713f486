"""What most rotations are tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rotation.sources import PostgresSource, postgres_source


@pytest.fixture(scope="module")
def source() -> Iterator[PostgresSource]:
    """A PostgreSQL whose role's password may be replaced. A module about something else has a `source` of its own."""
    with postgres_source() as made:
        yield made
