"""Links that ran out are told of where they were asked for, and looked for every second."""

import sqlalchemy as sa
from alembic import op

revision = "0009_late_links"
down_revision = "0008_rotations"


def upgrade() -> None:
    op.create_index("links_asked", "links", ["expires_at"], postgresql_where=sa.text("asked_by <> ''"))
