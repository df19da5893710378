"""What a person has done about a difference at an ERP: one of two documents of a payment is taken back, by the poster."""

from __future__ import annotations

import hashlib
from datetime import datetime

from store import timeline
from store.database import Transaction


async def take_back_surplus(tx: Transaction, difference_id: str, *, surplus: str, by: str, at: datetime) -> bool:
    """Queue the reversal of the document `surplus` (the ERP's id of it), which is the second of a payment's; our own books
    never had it. Asked for by two people it is one.

    False where the difference is closed, or shows another document by now. What the ERP refused may be asked for again.
    """
    found = await tx.row(
        """SELECT d.process_id, cast(d.facts ->> 'surplus_minor' AS bigint) AS amount, p.currency, d.connection_id,
                  p.customer_id
           FROM differences d JOIN payments p ON p.id = d.process_id
           WHERE d.id = :id AND d.kind = 'duplicate_in_erp' AND d.closed_at IS NULL AND d.facts ->> 'surplus' = :surplus
           FOR UPDATE OF d""",
        id=difference_id,
        surplus=surplus,
    )
    if found is None:
        return False
    posting_id = f"{found.process_id}-surplus-{hashlib.sha256(surplus.encode()).hexdigest()[:8]}"
    queued = await tx.row(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, currency, about_erp_id,
                                 queued_at)
           VALUES (:id, :connection, 'surplus', :payment, :customer, ARRAY[:payment], :amount, :currency, :surplus, :at)
           ON CONFLICT (id) DO UPDATE SET state = 'queued', confirmed_seq = NULL, read_back_at = NULL, error_code = NULL,
               error_text = NULL
           WHERE postings.state = 'canceled' RETURNING attempts""",
        id=posting_id,
        connection=found.connection_id,
        payment=found.process_id,
        customer=found.customer_id,
        amount=found.amount,
        currency=found.currency,
        surplus=surplus,
        at=at,
    )
    if queued is not None:
        await timeline.tell(
            tx,
            process_id=found.process_id,
            customer_id=found.customer_id,
            kind="surplus_taken_back",
            at=at,
            once=f"{posting_id}/{queued.attempts}",
            facts={"by": by, "document": surplus},
        )
    return True
