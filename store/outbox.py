"""Outgoing mail: a row in the transaction of the fact, sent later by the mailer, at most one a fact and address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from store.database import Transaction
from store.identity import fresh_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One mail to send. `facts` are ids and small words; what a person reads is loaded when it is written."""

    id: str
    template: str
    to_address: str
    customer_id: str | None
    process_id: str | None
    facts: Mapping[str, str]


async def queue(
    tx: Transaction,
    *,
    template: str,
    to_address: str,
    at: datetime,
    process_id: str,
    customer_id: str | None = None,
    facts: Mapping[str, str] | None = None,
    once: str = "",
) -> None:
    """Add a mail; the same process, template, address and `once` add it once only."""
    await tx.run(
        """INSERT INTO outbox (id, dedupe_key, template, to_address, customer_id, process_id, facts, queued_at)
           VALUES (:id, :key, :template, :address, :customer, :process, cast(:facts AS jsonb), :at)
           ON CONFLICT (dedupe_key) DO NOTHING""",
        id=fresh_id("mal"),
        key=f"{process_id}/{template}/{to_address}/{once}",
        template=template,
        address=to_address,
        customer=customer_id,
        process=process_id,
        facts=json.dumps(dict(facts or {})),
        at=at,
    )


async def waiting(tx: Transaction, *, limit: int) -> Sequence[Outgoing]:
    """The oldest mails that wait."""
    rows = await tx.rows(
        """SELECT id, template, to_address, customer_id, process_id, facts FROM outbox
           WHERE state = 'queued' ORDER BY attempts, seq LIMIT :limit""",
        limit=limit,
    )
    return [
        Outgoing(
            id=row.id,
            template=row.template,
            to_address=row.to_address,
            customer_id=row.customer_id,
            process_id=row.process_id,
            facts=row.facts,
        )
        for row in rows
    ]


async def close(tx: Transaction, mail_id: str, *, state: str, at: datetime, error: str | None = None) -> None:
    """Sent, or refused for good with the server's reason."""
    await tx.run(
        """UPDATE outbox SET state = :state, sent_at = :at, error_text = :error, attempts = attempts + 1
           WHERE id = :id AND state = 'queued'""",
        id=mail_id,
        state=state,
        at=at,
        error=error,
    )


async def tried(tx: Transaction, mail_id: str, *, error: str) -> None:
    """Not taken this time; it stays queued."""
    await tx.run(
        "UPDATE outbox SET attempts = attempts + 1, error_text = :error WHERE id = :id AND state = 'queued'",
        id=mail_id,
        error=error,
    )
