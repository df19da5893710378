"""Remembers: PostgreSQL rows, repositories, read views, migrations. The only room that knows SQL."""
