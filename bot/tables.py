"""What the database holds; `bot/migrations/` brings a server to it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

META = sa.MetaData()
cases = sa.Table(
    "cases",
    META,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("permalink", sa.Text, server_default=""),
    sa.Column("due_at", sa.Float),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    sa.Index("cases_thread", "team", "channel", "thread"),
    sa.Index("cases_owner", "team", "owner", "state"),
    sa.Index("cases_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
)
history = sa.Table(
    "history",
    META,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("what", JSONB, nullable=False),
)
seen = sa.Table("seen", META, sa.Column("key", sa.Text, primary_key=True), sa.Column("at", sa.Float, nullable=False))
messages = sa.Table(
    "messages",
    META,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("ts", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("shown", JSONB),
    sa.Column("wanted", JSONB(none_as_null=True)),
    sa.Column("edited_at", sa.Float, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("due_at", sa.Float),
    sa.Column("settled", sa.Boolean, server_default=sa.false()),
    sa.Column("updated_at", sa.Float),
    sa.Index("messages_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    sa.Index("messages_updated", "team", "updated_at", postgresql_where=sa.text("updated_at IS NOT NULL")),
)
health = sa.Table(
    "health",
    META,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("cause", sa.Text),
    sa.Column("account", sa.Text),
    sa.Column("at", sa.Float, nullable=False),
)
expiries = sa.Table(
    "expiries",
    META,
    *[sa.Column(n, sa.Text, primary_key=True) for n in ("connection", "kind", "what")],
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
)
looks = sa.Table(
    "looks",
    META,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("due_at", sa.Float, nullable=False, index=True),
    sa.Column("done_at", sa.Float),
)
reminders = sa.Table(
    "reminders",
    META,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="due"),
)
directs = sa.Table(
    "directs",
    META,
    *[sa.Column(n, sa.Text, primary_key=True) for n in ("team", "person")],
    sa.Column("channel", sa.Text, nullable=False),
)
