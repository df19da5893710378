"""The webhook inbox: stored before it is acknowledged, once by its key; it only wakes or starts a process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from store.database import Transaction
from store.identity import fresh_id


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEvent:
    """An event received."""

    id: str
    connection_id: str
    kind: str
    subject: str
    our_ref: str | None
    provider_id: str | None
    claims: str | None
    state: str
    event_id: str
    dedupe_key: str
    facts: Mapping[str, str]
    occurred_at: datetime | None
    received_at: datetime


async def receive(
    tx: Transaction,
    *,
    connection_id: str,
    dedupe_key: str,
    event_id: str,
    kind: str,
    subject: str,
    our_ref: str | None,
    provider_id: str | None,
    claims: str | None,
    occurred_at: datetime | None,
    at: datetime,
    facts: Mapping[str, str] | None = None,
) -> tuple[str, bool]:
    """Store an event: its id, and whether it is new. A repeat is counted on the first one's row."""
    row = await tx.row(
        """INSERT INTO inbox AS i (id, connection_id, dedupe_key, event_id, kind, subject, our_ref, provider_id, claims,
            facts, state, occurred_at, received_at)
           VALUES (:id, :connection, :key, :event, :kind, :subject, :ref, :provider, :claims, cast(:facts AS jsonb),
            'received', :occurred, :at)
           ON CONFLICT (connection_id, dedupe_key) DO UPDATE SET deliveries = i.deliveries + 1 RETURNING i.id,
               i.deliveries""",
        id=fresh_id("evt"),
        connection=connection_id,
        key=dedupe_key,
        event=event_id,
        kind=kind,
        subject=subject,
        ref=our_ref,
        provider=provider_id,
        claims=claims,
        facts=json.dumps(dict(facts or {})),
        occurred=occurred_at,
        at=at,
    )
    assert row is not None
    return str(row.id), row.deliveries == 1


_COLUMNS: Final = {
    "id": "text",
    "connection_id": "text",
    "dedupe_key": "text",
    "event_id": "text",
    "kind": "text",
    "subject": "text",
    "our_ref": "text",
    "provider_id": "text",
    "claims": "text",
    "facts": "jsonb",
    "occurred_at": "timestamptz",
    "received_at": "timestamptz",
}
_ADD: Final = f"""
INSERT INTO inbox ({", ".join(_COLUMNS)}, state)
SELECT {", ".join(_COLUMNS)}, 'received' FROM jsonb_to_recordset(cast(:rows AS jsonb))
    AS r({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
ORDER BY connection_id, dedupe_key
ON CONFLICT (connection_id, dedupe_key) DO NOTHING RETURNING id"""
"""In the order of their keys: two that add the same ones never wait for each other both."""


class Told(Protocol):
    """What `row_of` takes of a provider's event."""

    @property
    def dedupe_key(self) -> str: ...
    @property
    def event_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def our_ref(self) -> str | None: ...
    @property
    def provider_id(self) -> str | None: ...
    @property
    def claims(self) -> str | None: ...
    @property
    def facts(self) -> Mapping[str, str]: ...
    @property
    def occurred_at(self) -> datetime: ...


def row_of(connection_id: str, event: Told, *, at: datetime) -> dict[str, Any]:
    """An event as `add` takes it, with an id of its own should it be new."""
    return {
        "id": fresh_id("evt"),
        "connection_id": connection_id,
        "dedupe_key": event.dedupe_key,
        "event_id": event.event_id,
        "kind": event.kind,
        "subject": event.subject,
        "our_ref": event.our_ref,
        "provider_id": event.provider_id,
        "claims": event.claims,
        "facts": dict(event.facts),
        "occurred_at": event.occurred_at.isoformat(),
        "received_at": at.isoformat(),
    }


async def add(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Store those of `row_of` that are new; their ids. The others are left as they are, uncounted, and nobody waits."""
    return frozenset(row.id for row in await tx.rows(_ADD, rows=json.dumps(rows)))


async def refuse(tx: Transaction, *, connection_id: str, digest: str, reason: str, at: datetime) -> None:
    """A delivery that was not believed: that it came and why it was refused, not what it said."""
    await tx.run(
        """INSERT INTO inbox AS i (id, connection_id, dedupe_key, event_id, kind, subject, state, reason, received_at)
           VALUES (:id, :connection, :key, '', 'refused', 'other', 'refused', :reason, :at)
           ON CONFLICT (connection_id, dedupe_key) DO UPDATE SET deliveries = i.deliveries + 1, reason = excluded.reason""",
        id=fresh_id("evt"),
        connection=connection_id,
        key=f"refused/{digest}",
        reason=reason,
        at=at,
    )


async def load(tx: Transaction, inbox_id: str) -> InboxEvent | None:
    """One event."""
    row = await tx.row("SELECT * FROM inbox WHERE id = :id", id=inbox_id)
    if row is None:
        return None
    return _event(row)


async def received(tx: Transaction, inbox_ids: Sequence[str]) -> Sequence[InboxEvent]:
    """Those of them that nobody has begun with."""
    rows = await tx.rows("SELECT * FROM inbox WHERE id = ANY(:ids) AND state = 'received'", ids=list(inbox_ids))
    return [_event(row) for row in rows]


async def close_received(tx: Transaction, inbox_ids: Sequence[str], state: str, *, at: datetime) -> None:
    """Done with, those that nobody has begun with meanwhile."""
    await tx.run(
        "UPDATE inbox SET state = :state, handled_at = :at WHERE id = ANY(:ids) AND state = 'received'",
        ids=list(inbox_ids),
        state=state,
        at=at,
    )


def _event(row: Any) -> InboxEvent:
    return InboxEvent(
        id=row.id,
        connection_id=row.connection_id,
        kind=row.kind,
        subject=row.subject,
        our_ref=row.our_ref,
        provider_id=row.provider_id,
        claims=row.claims,
        state=row.state,
        event_id=row.event_id,
        dedupe_key=row.dedupe_key,
        facts=row.facts,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
    )


async def close(
    tx: Transaction, inbox_id: str, state: str, *, at: datetime, reason: str | None = None, seen: str | None = None
) -> None:
    """delivered (a process was woken), handled, stale (told nothing new) or parked (nobody knows its reference).

    `seen`: only while it is still in the state that it was seen in. The process that was woken may be faster than whoever
    notes that it was: what it said stays so.
    """
    await tx.run(
        """UPDATE inbox SET state = :state, reason = coalesce(:reason, CASE WHEN state = 'parked' THEN NULL ELSE reason END),
            handled_at = :at WHERE id = :id AND state <> 'refused' AND (cast(:seen AS text) IS NULL OR state = :seen)
              AND (:state <> 'delivered' OR state NOT IN ('handled', 'stale'))""",
        id=inbox_id,
        state=state,
        reason=reason,
        seen=seen,
        at=at,
    )


async def name(tx: Transaction, inbox_id: str, our_ref: str) -> None:
    """Keep what the provider says that an event without a reference is about."""
    await tx.run("UPDATE inbox SET our_ref = :ref WHERE id = :id AND our_ref IS NULL", id=inbox_id, ref=our_ref)


async def waiting(tx: Transaction, *, received_before: datetime, limit: int) -> Sequence[str]:
    """Events that were stored and woke nobody: what a crash between commit and start leaves, and those that were parked
    and whose payment, set-up or refund is there by now.
    """
    rows = await tx.rows(
        """SELECT id FROM (
               SELECT id, received_at FROM inbox WHERE state = 'received'
               UNION ALL
               SELECT i.id, i.received_at FROM inbox i
               WHERE i.state = 'parked'
                 AND (EXISTS (SELECT 1 FROM payments p
                              WHERE p.connection_id = i.connection_id AND p.provider_ref = i.provider_id)
                      OR EXISTS (SELECT 1 FROM payments p WHERE p.id = split_part(i.our_ref, '-', 1))
                      OR EXISTS (SELECT 1 FROM method_setups s WHERE s.id = split_part(i.our_ref, '-', 1))
                      OR EXISTS (SELECT 1 FROM refunds r WHERE r.id = split_part(i.our_ref, '-', 1)))) w
           WHERE received_at < :before ORDER BY received_at LIMIT :limit""",
        before=received_before,
        limit=limit,
    )
    return [row.id for row in rows]


async def heard(
    tx: Transaction,
    references: Sequence[str],
    *,
    connection_id: str,
    provider_id: str | None,
    asked_at: datetime,
    is_news: bool,
    at: datetime,
) -> None:
    """The provider was asked after these events had come: whatever they tell, the answer knew it.

    One that nobody was woken for yet is among them, for the process may be faster than whoever wakes it; not one of another
    charge under the same reference, which is for a person.
    """
    await tx.run(
        """UPDATE inbox SET state = :state, handled_at = :at
           WHERE received_at <= :asked
             AND (state = 'delivered'
                  OR state = 'received' AND (subject <> 'charge' OR provider_id IS NULL
                                             OR provider_id = cast(:provider AS text)))
             AND (our_ref = ANY(:references) OR (connection_id = :connection AND provider_id = :provider))""",
        state="handled" if is_news else "stale",
        at=at,
        asked=asked_at,
        references=list(references),
        connection=connection_id,
        provider=provider_id,
    )


async def about(tx: Transaction, connection_id: str, our_ref: str, *, provider_id: str | None) -> Sequence[InboxEvent]:
    """What a connection's verified deliveries told of a reference of ours, or of the provider's own id; the oldest first."""
    rows = await tx.rows(
        """SELECT * FROM inbox WHERE connection_id = :connection AND (our_ref = :ref OR provider_id = :provider)
           ORDER BY received_at, id""",
        connection=connection_id,
        ref=our_ref,
        provider=provider_id,
    )
    return [_event(row) for row in rows]


async def unheard(tx: Transaction, *, received_before: datetime, limit: int) -> Sequence[InboxEvent]:
    """Events that woke a process which has not asked since; the longest first."""
    rows = await tx.rows(
        """SELECT * FROM inbox WHERE state = 'delivered' AND received_at < :before ORDER BY received_at LIMIT :limit""",
        before=received_before,
        limit=limit,
    )
    return [_event(row) for row in rows]


async def payment_of(tx: Transaction, connection_id: str, provider_id: str) -> str | None:
    """The payment that a provider's id belongs to."""
    row = await tx.row(
        "SELECT id FROM payments WHERE connection_id = :connection AND provider_ref = :ref",
        connection=connection_id,
        ref=provider_id,
    )
    return str(row.id) if row is not None else None
