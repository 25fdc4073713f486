"""A real PostgreSQL for everything: the embedded one, in a folder of this test run; and the table of faults."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import migrate, sqlalchemy_url
from tests.fakes.oauth_provider import OAuthProvider
from tests.faults.frame import RESULTS, Row, how, table
from tests.servers import postgres
from tests.talk import Talk, World


def pytest_xdist_auto_num_workers() -> int:
    """Most of its time a test waits for a server, a killed process or a limit, so there is room for twice as many."""
    return 2 * (os.cpu_count() or 1)


# Few tests that wait long, and a file is not shared among workers: begun last, they would keep one at work alone.
FIRST = (
    "rotation/test_killed.py", "web/test_attacks_outside.py", "rotation/test_killed_keys.py", "faults/test_mysql.py",
    "browser/test_credentials_page.py", "test_watch_killed.py", "contract/test_silence.py", "contract/test_killing.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    place = {str(config.rootpath / "tests" / name): at for at, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(str(item.path), len(FIRST)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres("test") as (url, _):
        yield url


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    """Empty, and a module's own: a Mend that starts anew in an old one would meet secrets of another key."""
    with _created(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The demo's connections and a Mend that serves them. A module that needs other settings has a `world` of its own."""
    with World(database, Path(tmp_path_factory.mktemp("mend"))) as world:
        yield world


@pytest.fixture(scope="module")
def provider() -> Iterator[OAuthProvider]:
    with OAuthProvider() as provider:
        yield provider


@pytest.fixture
def talk(world: World) -> Talk:
    """Alice's case of the warehouse, up to where new credentials are wanted."""
    talk = world.start("warehouse")
    talk.until("regenerating_credentials")
    return talk


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A fault that was tried is kept for the table, right or wrong."""
    outcome = yield
    fault = getattr(item, "callspec", None) and item.callspec.params.get(RESULTS)  # type: ignore[attr-defined]
    attack = item.get_closest_marker("attack")
    if attack and call.when == "call":
        outcome.get_result().user_properties.append(("attack", list(attack.args)))  # type: ignore[attr-defined]
    if fault is not None and call.when == "call":
        outcome.get_result().user_properties.append((RESULTS, [fault.family, fault.name, how(fault)]))  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows: dict[str, dict[str, Row]] = {}
    tried: dict[str, tuple[bool, str]] = {}
    for kind in ("passed", "failed"):
        for report in terminalreporter.stats.get(kind, []):
            for name, value in getattr(report, "user_properties", ()):
                if name == "attack":
                    tried[value[0]] = (kind == "passed" and tried.get(value[0], (True,))[0], value[1])
                if name == RESULTS:
                    rows.setdefault(value[0], {})[value[1]] = (kind == "passed", value[2])
    if tried:
        terminalreporter.section("attacks tried on the pages")
        for what, (held, gets) in tried.items():
            terminalreporter.line(f"{'held  ' if held else 'FAILED'}  {what:44} {gets}")
    if rows:
        terminalreporter.section("faults injected for real")
        for line in table(rows):
            terminalreporter.line(line)


@pytest.fixture
def fresh(postgres_server: str) -> Iterator[str]:
    """A migrated database of its own on the server of this test run."""
    with _created(postgres_server) as url:
        migrate(url)
        yield url


@contextlib.contextmanager
def _created(server: str) -> Iterator[str]:
    name = f"mend_{uuid.uuid4().hex[:8]}"
    maker = sa.create_engine(sqlalchemy_url(server), isolation_level="AUTOCOMMIT")
    with maker.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with maker.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        maker.dispose()
