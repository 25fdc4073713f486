"""History is append-only; edits are counted apart from posts; events seen are found by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0003_robust"
down_revision = "0002_vault"


def upgrade() -> None:
    op.add_column("messages", sa.Column("updated_at", sa.Float))
    op.drop_index("messages_edited", "messages")
    edited = sa.text("updated_at IS NOT NULL")
    op.create_index("messages_updated", "messages", ["team", "updated_at"], postgresql_where=edited)
    # Keys are inserted in the order of their age, so a few kilobytes tell where the old ones are.
    op.create_index("seen_at", "seen", ["at"], postgresql_using="brin")
    op.execute(APPEND_ONLY)
    op.execute(GUARD)


APPEND_ONLY = """
CREATE FUNCTION mend_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is append-only: % is not allowed', TG_OP;
END;
$$
"""
GUARD = """
CREATE TRIGGER mend_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION mend_append_only()
"""
