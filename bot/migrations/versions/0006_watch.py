"""What runs out, when each connection is looked at next, and which reminders have gone out."""

import sqlalchemy as sa
from alembic import op

revision = "0006_watch"
down_revision = "0005_installs"


def upgrade() -> None:
    op.create_table(
        "expiries",
        *[sa.Column(n, sa.Text, primary_key=True) for n in ("connection", "kind", "what")],
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
    )
    op.create_table(
        "looks",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("done_at", sa.Float),
    )
    op.create_index("looks_due", "looks", ["due_at"])
    op.create_table(
        "reminders",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="due"),
    )
