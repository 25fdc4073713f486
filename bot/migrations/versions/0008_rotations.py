"""Rotations: how far each is, so that whoever takes it over after a crash knows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008_rotations"
down_revision = "0007_oauth"


def upgrade() -> None:
    op.create_table(
        "rotations",
        sa.Column("id", sa.Text, primary_key=True),
        *[sa.Column(n, sa.Text, nullable=False) for n in ("case_id", "team", "connection", "by", "credential")],
        sa.Column("step", sa.Text, nullable=False, server_default=""),
        sa.Column("facts", JSONB, nullable=False, server_default="{}"),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float),
        sa.Column("ended_at", sa.Float),
    )
    under_way = sa.text("ended_at IS NULL")
    op.create_index("rotations_one", "rotations", ["credential"], unique=True, postgresql_where=under_way)
    op.create_index("rotations_due", "rotations", ["due_at"], postgresql_where=under_way)
