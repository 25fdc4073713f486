"""The vault's table of secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0002_vault"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "secrets",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        *[sa.Column(n, sa.Text, nullable=False) for n in ("team", "connection", "name", "version", "value")],
        sa.Column("replaces", sa.Text, nullable=False, server_default=""),
        sa.Column("batch", sa.Text, nullable=False, server_default=""),
        sa.Column("by", sa.Text, nullable=False, server_default=""),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("forget_at", sa.Float),
    )
    current = sa.text("version = 'current'")
    op.create_index("secrets_current", "secrets", ["team", "name"], unique=True, postgresql_where=current)
    op.create_index("secrets_connection", "secrets", ["connection"])
    op.create_index("secrets_batch", "secrets", ["batch"])
