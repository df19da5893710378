"""Our own money on imported invoices, which a file of an accounting system tells nothing about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What one confirmed posting puts on (or takes off) one invoice, in minor units; `document` is the ERP's id of it."""

    invoice_erp_id: str
    posting_id: str
    document: str
    minor: int
    on: date


async def ours_on(tx: Transaction, erp_ids: Sequence[str], *, connection_id: str, before_seq: int) -> Sequence[Ours]:
    """Of these invoices, everything of ours that was confirmed before a number of the clock was drawn; oldest first."""
    rows = await tx.rows(
        """SELECT i.erp_id, p.id, p.erp_id AS document, sum(a.amount)::bigint AS minor, min(a.allocated_at)::date AS day,
                  p.confirmed_seq
           FROM allocations a JOIN postings p ON p.id = a.posting_id JOIN invoices i ON i.id = a.invoice_id
           WHERE i.connection_id = :connection AND i.erp_id = ANY(:erp_ids) AND a.payment_id IS NOT NULL
             AND p.connection_id = :connection AND p.erp_id IS NOT NULL AND p.confirmed_seq < :seq
           GROUP BY i.erp_id, p.id, p.erp_id, p.confirmed_seq ORDER BY p.confirmed_seq""",
        connection=connection_id,
        erp_ids=list(erp_ids),
        seq=before_seq,
    )
    return [
        Ours(invoice_erp_id=row.erp_id, posting_id=row.id, document=row.document, minor=int(row.minor), on=row.day)
        for row in rows
    ]
