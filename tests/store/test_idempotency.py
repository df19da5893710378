"""A request by its key: who takes it, what it makes, and whose answer is kept."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio
from sqlalchemy.engine import Connection

from store import api_keys, idempotency
from store.api_keys import Scope
from store.database import Database
from store.idempotency import Asked
from store.identity import fresh_id
from store.rows import metadata
from tests import machine

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def staff(database: machine.Database) -> AsyncIterator[Database]:
    opened = Database(database.staff_url, pool_size=10)
    yield opened
    await opened.close()


async def a_key(staff: Database) -> str:
    async with staff.begin("test") as tx:
        return (await api_keys.create(tx, label="Shop", scopes=[Scope.LINKS_WRITE], by="test", at=NOON)).id


async def claim(staff: Database, api_key_id: str, *, request_hash: str = "hash") -> Asked:
    async with staff.begin("test") as tx:
        return await idempotency.claim(
            tx,
            api_key_id=api_key_id,
            idempotency_key="wish",
            operation="create_link",
            request_hash=request_hash,
            object_id=fresh_id("lnk"),
            at=NOON,
        )


async def test_ten_who_come_at_once_make_one_thing_and_one_of_them_is_the_first(staff: Database) -> None:
    key = await a_key(staff)
    claims = await asyncio.gather(*(claim(staff, key) for _ in range(10)))
    assert len({each.object_id for each in claims}) == 1
    assert [each.is_new for each in claims].count(True) == 1
    other = await claim(staff, await a_key(staff))
    assert other.is_new
    assert other.object_id != claims[0].object_id
    again = await claim(staff, key, request_hash="another")
    assert again.request_hash == "hash", "what the key was taken for, not what is asked now"


async def test_the_first_answer_that_is_kept_is_everybodys(staff: Database) -> None:
    asked = await claim(staff, await a_key(staff))
    async with staff.begin("test") as tx:
        first = await idempotency.answer(tx, asked, status=201, body="first", at=NOON)
    async with staff.begin("test") as tx:
        second = await idempotency.answer(tx, asked, status=409, body="second", at=NOON)
    assert (first.status, first.answer) == (second.status, second.answer) == (201, "first")
    async with staff.begin("test") as tx:
        assert await idempotency.makes(tx, asked.object_id)
        assert not await idempotency.makes(tx, fresh_id("lnk"))


async def test_the_tables_are_as_they_are_declared(staff: Database) -> None:
    """Every column of what was migrated, by name and whether it may be empty, for every table that is declared."""

    def columns(connection: Connection) -> dict[str, dict[str, bool]]:
        found: dict[str, dict[str, bool]] = {}
        for table, column, is_empty in connection.exec_driver_sql(
            """SELECT c.relname, a.attname, NOT a.attnotnull FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
                 AND c.relname <> 'alembic_version'"""
        ):
            found.setdefault(table, {})[column] = is_empty
        return found

    async with staff.engine.connect() as connection:
        migrated = await connection.run_sync(columns)
    declared = {
        table.name: {column.name: bool(column.nullable) for column in table.columns} for table in metadata.sorted_tables
    }
    assert migrated == declared
