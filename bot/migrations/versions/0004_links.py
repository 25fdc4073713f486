"""One-time links to pages, and the account that a connection's credentials belong to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004_links"
down_revision = "0003_robust"


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.Text, primary_key=True),
        *[sa.Column(n, sa.Text, nullable=False) for n in ("kind", "team", "case_id", "connection", "person", "state")],
        *[sa.Column(n, sa.Text, nullable=False, server_default="") for n in ("session", "code", "batch")],
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("outcome", JSONB),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("links_case", "links", ["case_id", "person"])
    op.add_column("health", sa.Column("account", sa.Text))
