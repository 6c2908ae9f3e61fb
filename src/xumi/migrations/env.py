"""What Alembic runs for every command; `xumi.kernel.db.migrate` decides how."""

from alembic import context

options = context.config.attributes.get("options")
if options is None:
    raise SystemExit(
        "Use `xumi db …` instead of `alembic …`: it knows the database and where the revisions are."
    )
context.configure(**options)
with context.begin_transaction():
    context.run_migrations()
