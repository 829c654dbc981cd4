"""How Alembic runs the ledger's migrations: over the connection that it is given, one process at a time."""

from alembic import context

from include.inventory.migrate import LOCK, VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table=VERSION_TABLE)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    context.run_migrations()
