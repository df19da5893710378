"""Batches of portal links that staff sent: how far each has come, address by address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.database import Transaction
from store.views.staff import shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLine:
    """One address of a batch. `state`: asked (not yet written), queued, sent, refused, or no_address."""

    customer_id: str
    customer_name: str
    contact_id: str
    address: str
    state: str
    attempts: int
    error_text: str | None
    asked_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody whom a link can be sent to. `contact_id` '' is the customer's own address, `address` '' nobody."""

    customer_id: str
    contact_id: str
    address: str


async def batch(tx: Transaction, batch_id: str) -> Sequence[SendLine]:
    """Every address that a batch was for: from the access log, with what became of its mail."""
    rows = await tx.rows(
        """SELECT a.customer_id, c.name AS customer_name, coalesce(a.facts ->> 'address', '') AS address,
                  coalesce(a.facts ->> 'contact', '') AS contact_id,
                  CASE WHEN coalesce(a.facts ->> 'address', '') = '' THEN 'no_address'
                       ELSE coalesce(o.state, 'asked') END AS state,
                  coalesce(o.attempts, 0) AS attempts, o.error_text, a.at AS asked_at, o.sent_at
           FROM access_log a JOIN customers c ON c.id = a.customer_id
           LEFT JOIN outbox o ON o.process_id = :id AND o.customer_id = a.customer_id
                AND lower(o.to_address) = lower(a.facts ->> 'address')
           WHERE a.object_id = :id AND a.action = 'link_sent' ORDER BY a.seq""",
        id=batch_id,
    )
    return [shaped(SendLine, row) for row in rows]


async def recipients(tx: Transaction, customer_ids: Sequence[str]) -> Sequence[Recipient]:
    """One recipient for each of many customers: its own address, else its first contact's, else nobody."""
    rows = await tx.rows(
        """SELECT c.id AS customer_id,
                  CASE WHEN coalesce(c.email, '') <> '' THEN '' ELSE coalesce(k.id, '') END AS contact_id,
                  coalesce(nullif(c.email, ''), k.email, '') AS address
           FROM customers c LEFT JOIN LATERAL (
               SELECT id, email FROM contacts WHERE customer_id = c.id AND email <> '' ORDER BY id LIMIT 1) k ON true
           WHERE c.id = ANY(CAST(:ids AS text[])) AND NOT c.deleted ORDER BY lower(c.name), c.id""",
        ids=list(customer_ids),
    )
    return [shaped(Recipient, row) for row in rows]
