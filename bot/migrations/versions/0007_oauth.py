"""What an authorization that is under way needs, and who asked for a link that is somebody else's."""

import sqlalchemy as sa
from alembic import op

revision = "0007_oauth"
down_revision = "0006_watch"


def upgrade() -> None:
    for name in ("asked_by", "state_hash", "sealed"):
        op.add_column("links", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.create_index("links_state", "links", ["state_hash"])
