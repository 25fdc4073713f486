"""A demo database whose two roles are really refused: one by its password, one by a missing grant."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from .demo_relay import OWN, Relay

DATABASE = "mend_demo"
WAREHOUSE = "stitch_warehouse"
BILLING = "stitch_billing"
TABLES = ("public.orders", "public.customers", "public.invoices")
BEGIN, END = "# mend demo: begin", "# mend demo: end"
ENFORCED_SECONDS = 15.0
SCHEMA = """
CREATE TABLE public.customers (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE public.orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES public.customers,
    total numeric(10, 2) NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE public.invoices (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES public.orders,
    paid boolean NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO public.customers (id, name, email) VALUES (1, 'Ada', 'ada@example.com'), (2, 'Alan', 'alan@example.com');
INSERT INTO public.orders (id, customer_id, total) VALUES (1, 1, 19.99), (2, 1, 5.00), (3, 2, 42.00);
INSERT INTO public.invoices (id, order_id, paid) VALUES (1, 1, true), (2, 3, false);
GRANT SELECT ON public.customers, public.orders, public.invoices TO stitch_warehouse;
GRANT SELECT ON public.customers, public.orders TO stitch_billing;
"""


def hba_with_passwords(text: str) -> str:
    """The file with our lines in front (the first match counts), once however often it is done."""
    rest = re.sub(rf"(?ms)^{BEGIN}$.*?^{END}$\n?", "", text)
    roles = f"{WAREHOUSE},{BILLING}"
    lines = [BEGIN, f"local all {roles} scram-sha-256"]
    lines += [f"host all {roles} {net} scram-sha-256" for net in ("127.0.0.1/32", "::1/128")]
    return "\n".join([*lines, END, rest])


class DemoDatabase:
    """`mend_demo` on a given server, reached by host and port."""

    def __init__(self, admin_url: str, hba_file: Path | None = None) -> None:
        # Drivers of other libraries may be named in the scheme: postgresql+psycopg://
        self._admin = conninfo_to_dict(re.sub(r"^postgres(ql)?\+\w+://", "postgresql://", admin_url))
        self.warehouse_password = secrets.token_urlsafe(12)
        self.billing_password = secrets.token_urlsafe(12)
        self.changed_password = secrets.token_urlsafe(9)
        self.host, self.port = "127.0.0.1", 0
        self._hba_file = hba_file
        self._relay: Relay | None = None

    def start(self) -> None:
        """Create the demo afresh, broken."""
        with self._connect() as admin:
            host, port = admin.info.host, admin.info.port
            self._create_roles(admin)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            self._enforce_passwords(admin)
        with self._connect(DATABASE) as admin:
            admin.execute(SCHEMA)
        self._open_port(host, port)
        self._wait_until_enforced()

    def stop(self) -> None:
        """Close the port; the database stays for the next start."""
        if self._relay is not None:
            self._relay.stop()
            self._relay = None

    def settings(self, user: str) -> dict[str, Any]:
        """The settings of a connection, without its password."""
        return {"host": self.host, "port": self.port, "database": DATABASE, "user": user, "sslmode": "prefer"}

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this role in."""
        return self._refusal(user, password) is None

    def replicate(self, user: str, password: str) -> str:
        """What a pipeline does with this password: it reads. Why it could not, in the server's words, or nothing."""
        try:
            with self._login(user, password) as reader:
                reader.execute("SELECT count(*) FROM public.orders, public.customers")
        except psycopg.Error as error:
            return str(error)
        return ""

    def warehouse_broken(self) -> bool:
        """Neither the old password works nor did the last login: whoever has the new one is let in."""
        let_in = bool(self._relay and self._relay.accepted.get(WAREHOUSE))
        return not (let_in or self.accepts(WAREHOUSE, self.warehouse_password))

    def restore_password(self) -> None:
        with self._connect() as admin:
            self._set_password(admin, WAREHOUSE, self.warehouse_password)

    def change_password(self) -> None:
        """To one that nobody has yet."""
        if self.accepts(WAREHOUSE, self.changed_password):
            self.changed_password = secrets.token_urlsafe(9)
        with self._connect() as admin:
            self._set_password(admin, WAREHOUSE, self.changed_password)
        if self._relay:
            self._relay.accepted.pop(WAREHOUSE, None)

    def billing_broken(self) -> bool:
        with self._connect(DATABASE) as admin:
            row = admin.execute("SELECT has_table_privilege(%s, 'public.invoices', 'SELECT')", [BILLING]).fetchone()
        return row is None or not row[0]

    def grant_invoices(self) -> None:
        with self._connect(DATABASE) as admin:
            admin.execute("GRANT SELECT ON public.invoices TO stitch_billing")

    def revoke_invoices(self) -> None:
        with self._connect(DATABASE) as admin:
            admin.execute("REVOKE SELECT ON public.invoices FROM stitch_billing")

    def _connect(self, database: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        known: dict[str, Any] = {**self._admin, "connect_timeout": 10}
        if database:
            known["dbname"] = database
        return psycopg.connect(make_conninfo(**known), autocommit=True)

    def _create_roles(self, admin: psycopg.Connection[tuple[Any, ...]]) -> None:
        for role, password in ((WAREHOUSE, self.changed_password), (BILLING, self.billing_password)):
            if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER").format(sql.Identifier(role)))
            self._set_password(admin, role, password)

    def _set_password(self, admin: psycopg.Connection[tuple[Any, ...]], role: str, password: str) -> None:
        admin.execute("SET password_encryption = 'scram-sha-256'")
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))

    def _enforce_passwords(self, admin: psycopg.Connection[tuple[Any, ...]]) -> None:
        row = admin.execute("SHOW hba_file").fetchone()
        path = self._hba_file or Path(str(row[0]) if row else "")
        try:
            text = path.read_text(encoding="utf-8")
            wanted = hba_with_passwords(text)
            if wanted != text:
                # Written in place: a new file would belong to us, and the server could not read it.
                path.write_text(wanted, encoding="utf-8")
        except OSError as error:
            raise RuntimeError(f"The demo cannot edit the server's {path}: {error.strerror}.") from error
        admin.execute("SELECT pg_reload_conf()")

    def _open_port(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        if host.startswith("/"):
            self.stop()
            self._relay = Relay(f"{host}/.s.PGSQL.{port}", (WAREHOUSE, BILLING))
            self.host, self.port = "127.0.0.1", self._relay.start()

    def _refusal(self, user: str, password: str) -> str | None:
        try:
            self._login(user, password).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _login(self, user: str, password: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=DATABASE,
            user=user,
            password=password,
            connect_timeout=10,
            application_name=OWN,
        )

    def _wait_until_enforced(self) -> None:
        """A reload is a signal, not a promise: ask until a wrong password is refused."""
        deadline = time.monotonic() + ENFORCED_SECONDS
        wrong = secrets.token_urlsafe(12)
        while any(self.accepts(role, wrong) for role in (WAREHOUSE, BILLING)):
            if time.monotonic() > deadline:
                raise RuntimeError("The demo server goes on accepting any password for the demo roles.")
            time.sleep(0.05)
        reason = self._refusal(BILLING, self.billing_password)
        if reason is not None:
            raise RuntimeError(f"The demo server does not answer on {self.host}:{self.port}: {reason}")
