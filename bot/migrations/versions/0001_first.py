"""Cases, history, events seen, messages, health, and the queue's own schema."""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Text, primary_key=True),
        *[sa.Column(n, sa.Text, nullable=False) for n in ("team", "channel", "thread", "owner", "state", "connection")],
        sa.Column("permalink", sa.Text, server_default=""),
        sa.Column("due_at", sa.Float),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("body", JSONB, nullable=False),
    )
    op.create_index("cases_thread", "cases", ["team", "channel", "thread"])
    op.create_index("cases_owner", "cases", ["team", "owner", "state"])
    op.create_index("cases_due", "cases", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("case_id", sa.Text, nullable=False, index=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", JSONB, nullable=False),
    )
    op.create_table("seen", sa.Column("key", sa.Text, primary_key=True), sa.Column("at", sa.Float, nullable=False))
    op.create_table(
        "messages",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, nullable=False, index=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("ts", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("shown", JSONB),
        sa.Column("wanted", JSONB),
        sa.Column("edited_at", sa.Float, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("due_at", sa.Float),
        sa.Column("settled", sa.Boolean, server_default=sa.false()),
    )
    op.create_index("messages_due", "messages", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_index("messages_edited", "messages", ["team", "edited_at"])
    op.create_table(
        "health",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("at", sa.Float, nullable=False),
    )
    # The queue's schema holds percent signs, which SQLAlchemy's own execute would take for parameters.
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    raw.execute(SchemaManager.get_schema())
    raw.execute(WAKE)


# The queue tells its workers of new jobs, but not that a lock came free: the next job of a case would wait for the
# worker's next poll (a second). With this it starts at once.
WAKE = """
CREATE FUNCTION mend_wake_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = OLD.lock AND status = 'todo' AND id <> OLD.id) THEN
        PERFORM pg_notify('procrastinate_any_queue_v1',
            json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text);
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER mend_wake_after_delete AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.lock IS NOT NULL AND OLD.status = 'doing') EXECUTE FUNCTION mend_wake_lane();
CREATE TRIGGER mend_wake_after_update AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.lock IS NOT NULL AND OLD.status = 'doing' AND NEW.status <> 'doing')
    EXECUTE FUNCTION mend_wake_lane();
"""
