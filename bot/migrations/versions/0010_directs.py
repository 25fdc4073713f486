"""The direct messages between Mend and a person, as Slack numbers them: there it can be asked what got through."""

import sqlalchemy as sa
from alembic import op

revision = "0010_directs"
down_revision = "0009_late_links"


def upgrade() -> None:
    op.create_table(
        "directs",
        *[sa.Column(n, sa.Text, primary_key=True) for n in ("team", "person")],
        sa.Column("channel", sa.Text, nullable=False),
    )
