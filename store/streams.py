"""The streams that an ERP is read by: how far each was read, when, what went wrong, and when it is tried again.

A page and its cursor are stored in one transaction, so a kill loses at most the page in hand and doubles nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from store.database import Transaction


class Stream(NamedTuple):
    """Where an incremental read continues ('' from the beginning), and whether it was ever read to its end."""

    cursor: str
    is_loaded: bool


async def start(tx: Transaction, connection_id: str, entity: str, *, at: datetime) -> Stream | None:
    """A page is about to be asked for. None where it waits after a failure: it is not asked before `next_try_at`."""
    row = await tx.row(
        """INSERT INTO sync_cursors AS s (connection_id, entity, cursor, last_run_at) VALUES (:connection, :entity, '', :at)
           ON CONFLICT (connection_id, entity) DO UPDATE SET last_run_at = excluded.last_run_at
           WHERE s.next_try_at IS NULL OR s.next_try_at <= excluded.last_run_at
           RETURNING cursor, loaded_at IS NOT NULL AS is_loaded""",
        connection=connection_id,
        entity=entity,
        at=at,
    )
    return None if row is None else Stream(row.cursor, row.is_loaded)


async def advance(
    tx: Transaction,
    connection_id: str,
    entity: str,
    *,
    cursor: str,
    rows: int,
    at: datetime,
    ended_at_seq: int | None = None,
) -> None:
    """The page up to this cursor is stored, in the same transaction.

    `ended_at_seq`, where it was the last one that waits, was drawn before it was asked for: what was confirmed before that
    was in one of the pages.
    """
    await tx.run(
        """INSERT INTO sync_cursors AS s (connection_id, entity, cursor, rows_read, read_at, last_ok_at, ok_seq, loaded_at)
           VALUES (:connection, :entity, :cursor, :rows, :at, cast(:ended AS timestamptz), cast(:seq AS bigint),
                   cast(:ended AS timestamptz))
           ON CONFLICT (connection_id, entity) DO UPDATE
           SET cursor = excluded.cursor, read_at = excluded.read_at, rows_read = s.rows_read + excluded.rows_read,
               last_ok_at = coalesce(excluded.last_ok_at, s.last_ok_at), ok_seq = coalesce(excluded.ok_seq, s.ok_seq),
               loaded_at = coalesce(s.loaded_at, excluded.loaded_at),
               last_error = NULL, failed_at = NULL, failures = 0, next_try_at = NULL""",
        connection=connection_id,
        entity=entity,
        cursor=cursor,
        rows=rows,
        at=at,
        ended=at if ended_at_seq is not None else None,
        seq=ended_at_seq,
    )


async def fail(
    tx: Transaction, connection_id: str, entity: str, *, error: str, at: datetime, next_try_at: datetime | None
) -> None:
    """A page was not read: `error` says why in a few words of ours. The cursor stays where it is."""
    await tx.run(
        """INSERT INTO sync_cursors AS s (connection_id, entity, cursor, last_run_at, last_error, failed_at, failures,
                                          next_try_at)
           VALUES (:connection, :entity, '', :at, :error, :at, 1, :next)
           ON CONFLICT (connection_id, entity) DO UPDATE
           SET last_error = excluded.last_error, failed_at = excluded.failed_at, failures = s.failures + 1,
               next_try_at = excluded.next_try_at""",
        connection=connection_id,
        entity=entity,
        error=error,
        at=at,
        next=next_try_at,
    )


async def failures(tx: Transaction, connection_id: str, entity: str) -> int:
    """How often it failed since a page was last stored."""
    row = await tx.row(
        "SELECT failures FROM sync_cursors WHERE connection_id = :connection AND entity = :entity",
        connection=connection_id,
        entity=entity,
    )
    return 0 if row is None else int(row.failures)


async def expect(tx: Transaction, connection_id: str, entity: str, rows: int | None) -> None:
    """How many rows a first load will bring, where the ERP says it."""
    await tx.run(
        """UPDATE sync_cursors SET expected = :rows
           WHERE connection_id = :connection AND entity = :entity AND expected IS DISTINCT FROM cast(:rows AS bigint)""",
        connection=connection_id,
        entity=entity,
        rows=rows,
    )


async def hasten(tx: Transaction, connection_id: str) -> None:
    """Somebody asks for it now: no stream waits any longer after a failure."""
    await tx.run(
        "UPDATE sync_cursors SET next_try_at = NULL WHERE connection_id = :connection AND next_try_at IS NOT NULL",
        connection=connection_id,
    )


async def rows_read(tx: Transaction, connection_id: str) -> int:
    """How many rows were ever read from an ERP; one that changed there counts each time."""
    row = await tx.row(
        "SELECT coalesce(sum(rows_read), 0)::bigint AS total FROM sync_cursors WHERE connection_id = :connection",
        connection=connection_id,
    )
    assert row is not None
    return int(row.total)


async def rewind(tx: Transaction, connection_id: str, entity: str) -> None:
    """Everything of a stream is read again from the beginning; what says nothing new is not written."""
    await tx.run(
        "UPDATE sync_cursors SET cursor = '' WHERE connection_id = :connection AND entity = :entity",
        connection=connection_id,
        entity=entity,
    )
