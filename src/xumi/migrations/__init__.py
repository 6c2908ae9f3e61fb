"""The library's revisions and Alembic's environment, which a project's revisions use as well."""
