"""The vault: secrets encrypted at rest, each with its version, scoped to a workspace and a connection."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bot.cipher import Cipher, VaultError
from bot.database import sqlalchemy_url
from bot.settings import VAULTS, Keeping
from bot.tables import META
from flows.core.expiry import DAY

secrets = sa.Table(
    "secrets",
    META,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    *[sa.Column(n, sa.Text, nullable=False) for n in ("team", "connection", "name", "version", "value")],
    sa.Column("replaces", sa.Text, nullable=False, server_default=""),
    sa.Column("batch", sa.Text, nullable=False, server_default=""),
    sa.Column("by", sa.Text, nullable=False, server_default=""),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("forget_at", sa.Float),
)
# Every column that holds a text of `Cipher`: `mend vault rotate-key` renews them all.
ENCRYPTED: list[tuple[str, str]] = [
    ("secrets", "value"),
    ("secrets", "replaces"),
    ("installations", "bot"),
    ("links", "sealed"),
]
# Whoever moves a credential from one version to another does so alone.
TURN = sa.text("SELECT pg_advisory_xact_lock(7264504)")
# How long a new credential waits for its proof.
UNPROVEN = 3600.0
KEEP = Keeping()
# In place of a workspace: one that has nothing of its own here, as everyone that installs Mend later.
NEWCOMER = "-"
# Read by nobody any more, and the one copy there is.
LEFT = "left"


def fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


class NoVault(VaultError):
    """The database is an empty one: nothing was ever kept there."""


@dataclass(frozen=True)
class Entry:
    """A current secret, and the fingerprint of what the reference in mend.yml gave when it was put here."""

    value: str = field(repr=False)
    replaces: str = field(repr=False)
    at: float
    by: str

    def overrides(self, given: str | None) -> bool:
        """Whether it is newer than what the reference gives: a reference that changed since is newer still."""
        return given is None or hmac.compare_digest(self.replaces, fingerprint(given))


class Vault:
    """The table of secrets. Calls block: the web side makes them in a thread."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(sqlalchemy_url(url), pool_size=2, max_overflow=8)
        self.cipher = Cipher()

    @contextmanager
    def _transaction(self, engine: sa.Engine | None = None) -> Iterator[sa.Connection]:
        try:
            with (engine or self.engine).begin() as connection:
                yield connection
        except sa.exc.ProgrammingError:
            raise NoVault("the database holds no vault yet: start `mend serve` once") from None
        except sa.exc.OperationalError:
            raise VaultError("the vault's database does not answer: check MEND_DATABASE_URL") from None

    def read(self, name: str, team: str = "", versions: Sequence[str] = ("current",)) -> str:
        """What `${vault:NAME}` means now."""
        query = sa.select(secrets.c.value).where(secrets.c.name == name, secrets.c.version.in_(versions))
        if team:
            query = query.where(secrets.c.team.in_((team, "")))
        with self._transaction() as connection:
            row = connection.execute(query.order_by(secrets.c.at.desc()).limit(1)).first()
        if row is None:
            raise VaultError(f"the vault holds no {name}: put it there with `mend vault put {name}`")
        return self.cipher.decrypt(row.value)

    def kept(self, connection_name: str, team: str = "") -> dict[str, Entry]:
        """The current secrets of one connection by field: those of `team`, else what counts for all; or the newest of
        any for the operator."""
        start = f"{connection_name}."
        query = sa.select(secrets).where(secrets.c.connection == connection_name, secrets.c.version == "current")
        query = query.where(secrets.c.name.startswith(start, autoescape=True))
        if team:
            query = query.where(secrets.c.team.in_((team, "")))
        own = [secrets.c.team != ""] if team else []
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(*own, secrets.c.at)).all()
        return {row.name.removeprefix(start): self._entry(row) for row in rows}

    def _entry(self, row: Any) -> Entry:
        replaces = self.cipher.decrypt(row.replaces) if row.replaces else ""
        return Entry(self.cipher.decrypt(row.value), replaces, row.at, row.by)

    def put(self, name: str, value: str, by: str, *, team: str = "", connection: str = "") -> None:
        """A secret that counts at once."""
        batch = os.urandom(8).hex()
        self.add(batch, {name: value}, by, team=team, connection=connection)
        self.promote(batch)

    def add(
        self, batch: str, values: Mapping[str, str], by: str, *, team: str, connection: str, version: str = "new",
        lasts: float | None = UNPROVEN,
    ) -> None:  # fmt: skip
        """Secrets to be proven, as version `new`, for `lasts` seconds (None: until told to)."""
        now = time.time()
        rows = [
            {"team": team, "connection": connection, "name": name, "version": version, "batch": batch, "by": by,
             "value": self.cipher.encrypt(value), "at": now, "forget_at": now + lasts if lasts else None}
            for name, value in values.items()
        ]  # fmt: skip
        with self._transaction() as connect:
            connect.execute(secrets.insert(), rows)

    def of_batch(self, batch: str) -> dict[str, str]:
        with self._transaction() as connection:
            rows = connection.execute(sa.select(secrets).where(secrets.c.batch == batch)).all()
        return {row.name: self.cipher.decrypt(row.value) for row in rows}

    def promote(
        self, batch: str, replaced: Mapping[str, str] | None = None, keep: Keeping = KEEP, but: Sequence[str] = ()
    ) -> None:
        """`new` becomes `current`, `current` becomes `old`, all or nothing; a second call changes nothing.

        `but` names connections whose own are left as they are. `replaced` is what the references of mend.yml gave
        until now, by name.
        """
        mine, now = (
            sa.and_(secrets.c.batch == batch, secrets.c.version == "new", secrets.c.connection.not_in(but)),
            time.time(),
        )
        forget_at = now + keep.days * DAY if keep.days else None
        with self._transaction() as connection:
            connection.execute(TURN)
            rows = connection.execute(sa.select(secrets).where(mine)).all()
            for row in rows:
                same = sa.and_(secrets.c.team == row.team, secrets.c.name == row.name)
                before = (replaced or {}).get(row.name)
                mark = self.cipher.encrypt(fingerprint(before)) if before is not None else ""
                connection.execute(secrets.delete().where(same, secrets.c.version == "old"))
                for version, changed in (
                    ("current", {"version": "old", "forget_at": now + keep.old_days * DAY}),
                    ("new", {"version": "current", "forget_at": forget_at, "replaces": mark, "at": now}),
                ):
                    one = secrets.c.id == row.id if version == "new" else same
                    connection.execute(secrets.update().where(one, secrets.c.version == version).values(**changed))
            self._end_grants(connection, rows)

    def renewed(self, team: str, connection_name: str, values: Mapping[str, str]) -> None:
        """What an authorization gave gets the values that took its place, all or nothing; nothing when it has ended."""
        with self._transaction() as connection:
            connection.execute(TURN)
            current = sa.and_(secrets.c.team == team, secrets.c.version == "current")
            grant = sa.select(secrets.c.batch).where(current, secrets.c.name == f"{connection_name}.oauth")
            mine = sa.and_(current, secrets.c.batch == grant.scalar_subquery())
            for field, value in values.items():
                changed = {"value": self.cipher.encrypt(value), "at": time.time()}
                one = secrets.c.name == f"{connection_name}.{field}"
                connection.execute(secrets.update().where(mine, one).values(**changed))

    @contextmanager
    def alone(self, what: str, seconds: float = 30) -> Iterator[None]:
        """Nobody else, in no process, is in here for the same `what`; VaultError when that takes too long."""
        # A connection of its own: whoever waits here for another must not hold what that one needs.
        engine = sa.create_engine(self.engine.url, poolclass=sa.NullPool)
        with self._transaction(engine) as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = {int(seconds * 1000)}"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7264503, hashtext(:what))"), {"what": what})
            yield

    def _end_grants(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        """What came with an authorization ends with it: its refresh token would overwrite what was typed since."""
        for team, name in {(row.team, row.connection) for row in rows}:
            left = sa.and_(secrets.c.team == team, secrets.c.connection == name, secrets.c.version == "current")
            grant = sa.select(secrets.c.batch).where(left, secrets.c.name == f"{name}.oauth")
            ended = secrets.c.batch.in_(grant), secrets.c.batch.not_in([row.batch for row in rows])
            connection.execute(secrets.delete().where(left, *ended))

    def forget(self, *, name: str | None = None, team: str | None = None, batch: str | None = None) -> int:
        """Delete every version; how many there were."""
        given = {"name": name, "team": team, "batch": batch}
        where = [secrets.c[key] == value for key, value in given.items() if value is not None]
        with self._transaction() as connection:
            return connection.execute(secrets.delete().where(sa.or_(sa.false(), *where))).rowcount

    def set_aside(self, connection_name: str, team: str, keep: Keeping = KEEP) -> None:
        """What is in use for a connection is so no longer; it is kept as what was replaced is, and then forgotten."""
        mine = sa.and_(secrets.c.connection == connection_name, secrets.c.team.in_((team, "")))
        current = sa.and_(mine, secrets.c.version == "current")
        with self._transaction() as connection:
            connection.execute(TURN)
            names = sa.select(secrets.c.name).where(current)
            connection.execute(secrets.delete().where(mine, secrets.c.version == "old", secrets.c.name.in_(names)))
            aside = {"version": "old", "forget_at": time.time() + keep.old_days * DAY}
            connection.execute(secrets.update().where(current).values(**aside))

    def drop_unused(self, rotation: str) -> None:
        """What a rotation put aside; the new one that is in use stays."""
        mine = sa.or_(
            secrets.c.batch == f"{rotation}:old", sa.and_(secrets.c.batch == rotation, secrets.c.version == "new")
        )
        with self._transaction() as connection:
            connection.execute(secrets.delete().where(mine))

    def leave(self, rotation: str, team: str) -> None:
        """A rotation ended that its workspace did not wait for."""
        with self._transaction() as connection:
            for statement in left_behind(team, [rotation]):
                connection.execute(statement)

    def expire(self, batch: str, seconds: float) -> None:
        with self._transaction() as connection:
            mine = secrets.update().where(secrets.c.batch == batch)
            connection.execute(mine.values(forget_at=time.time() + seconds))

    def sweep(self) -> int:
        """Forget what has outlived its time."""
        with self._transaction() as connection:
            return connection.execute(secrets.delete().where(secrets.c.forget_at <= time.time())).rowcount

    def listed(self) -> list[Any]:
        """Every secret without its value."""
        shown = [secrets.c[n] for n in ("team", "connection", "name", "version", "by", "at", "forget_at")]
        with self._transaction() as connection:
            return list(connection.execute(sa.select(*shown).order_by(secrets.c.name, secrets.c.at)).all())

    def renew(self) -> int:
        """Encrypt everything with the newest key, all or nothing; how many texts."""
        count = 0
        with self._transaction() as connection:
            for table, column in ENCRYPTED:
                place = sa.table(table, sa.column(column))
                tokens = connection.execute(sa.select(place.c[column]).where(place.c[column] != "").with_for_update())
                for (token,) in tokens.all():
                    changed = {column: self.cipher.renew(token)}
                    connection.execute(sa.update(place).where(place.c[column] == token).values(**changed))
                    count += 1
        return count


def left_behind(team: str, rotations: Sequence[str] | sa.Select[Any], keep: Keeping = KEEP) -> list[Any]:
    """Statements for a workspace that is gone: of what Mend made for it, the one copy there is stays for a while."""
    for_all = sa.alias(secrets)
    again = sa.exists().where(
        for_all.c.team == "", for_all.c.batch == secrets.c.batch, for_all.c.name == secrets.c.name
    )
    made = sa.and_(secrets.c.team == team, secrets.c.batch.in_(rotations), secrets.c.version == "current")
    later = {"version": LEFT, "forget_at": time.time() + keep.old_days * DAY}
    return [secrets.delete().where(made, again), secrets.update().where(made).values(**later)]


_opened: list[Vault] = []


def open_vault(url: str) -> Vault:
    """The vault of this process; `opened` gives it from then on."""
    _opened[:] = [Vault(url)]
    VAULTS[""] = _opened[0].read
    return _opened[0]


def opened() -> Vault:
    return _opened[0]
