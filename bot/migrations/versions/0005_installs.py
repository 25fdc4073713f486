"""Workspaces that installed Mend, and installs under way."""

import sqlalchemy as sa
from alembic import op

revision = "0005_installs"
down_revision = "0004_links"


def upgrade() -> None:
    op.create_table(
        "installations",
        sa.Column("team", sa.Text, primary_key=True),
        sa.Column("bot", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "oauth_states", sa.Column("state", sa.Text, primary_key=True), sa.Column("at", sa.Float, nullable=False)
    )
    op.create_index("cases_channel", "cases", ["team", "channel", "connection", "changed_at"])
