"""Alembic runs this file for each command; the connection comes from migrate.py."""

from alembic import context

from schemas.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
