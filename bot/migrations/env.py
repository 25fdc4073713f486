"""Alembic's entry: `bot.database.migrate` hands its own connection over, so that all is one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
