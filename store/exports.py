"""What an export of a comparison tells, page by page. Reading only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from store.database import Transaction

PAGE: Final = 500

Keyed = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The key that a page goes on after, and the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPayment:
    """A payment that was sent to its provider and is not in flight; amounts in minor units.

    `posting` is the state of its document's posting, `erp` the connection that it was written to.
    """

    id: str
    customer_id: str
    provider: str
    attempts: int
    state: str
    amount: int
    currency: str
    captured: int
    returned: int
    posting: str | None
    erp: str | None


async def payments(tx: Transaction, *, after: str) -> Sequence[ExportedPayment]:
    """The next page, by id."""
    rows = await tx.rows(
        """SELECT p.id, p.customer_id, p.connection_id AS provider, p.attempt AS attempts, p.state, p.amount, p.currency,
                  p.captured, p.returned, q.state AS posting, q.connection_id AS erp
           FROM payments p LEFT JOIN postings q ON q.id = p.id || '-captured'
           WHERE p.id > :after AND p.sent_at IS NOT NULL
             AND p.state NOT IN ('charging', 'awaiting_customer', 'processing', 'unknown')
           ORDER BY p.id LIMIT :limit""",
        after=after,
        limit=PAGE,
    )
    return [
        ExportedPayment(
            id=row.id,
            customer_id=row.customer_id,
            provider=row.provider,
            attempts=row.attempts,
            state=row.state,
            amount=row.amount,
            currency=row.currency,
            captured=row.captured,
            returned=row.returned,
            posting=row.posting,
            erp=row.erp,
        )
        for row in rows
    ]


async def documents(tx: Transaction, *, after: tuple[Any, ...] | None) -> Sequence[Keyed]:
    """Payment documents of the ERPs that bear a reference, as they were last read."""
    erp, document = after or ("", "")
    rows = await tx.rows(
        """SELECT connection_id, erp_id, reference, number, stands, amount, currency FROM erp_payments
           WHERE reference IS NOT NULL AND (connection_id, erp_id) > (:erp, :document)
           ORDER BY connection_id, erp_id LIMIT :limit""",
        erp=erp,
        document=document,
        limit=PAGE,
    )
    return [
        (
            (row.connection_id, row.erp_id),
            (row.reference, row.number, "yes" if row.stands else "no", row.amount, row.currency, row.connection_id),
        )
        for row in rows
    ]


async def differences(tx: Transaction, *, after: tuple[Any, ...] | None) -> Sequence[Keyed]:
    """Open differences; one of a process or an invoice is named by that."""
    rows = await tx.rows(
        """SELECT id, kind, coalesce(item, invoice_id, process_id, '') AS item, amount, currency, opened_at FROM differences
           WHERE closed_at IS NULL AND id > :after ORDER BY id LIMIT :limit""",
        after=(after or ("",))[0],
        limit=PAGE,
    )
    return [((row.id,), (row.kind, row.item, row.amount, row.currency, row.opened_at)) for row in rows]


async def payouts(tx: Transaction, *, after: tuple[Any, ...] | None) -> Sequence[Keyed]:
    """Payouts as they were last read, with the sum of their deposits where an ERP shows any."""
    connection, payout = after or ("", "")
    rows = await tx.rows(
        """SELECT provider_id, state, amount, currency, CASE WHEN is_itemised THEN 'yes' ELSE 'no' END AS itemised,
                  deposit_amount, connection_id, deposit_erp FROM payouts
           WHERE (connection_id, provider_id) > (:connection, :payout) ORDER BY connection_id, provider_id LIMIT :limit""",
        connection=connection,
        payout=payout,
        limit=PAGE,
    )
    return [((row.connection_id, row.provider_id), tuple(row)) for row in rows]


async def payout_items(tx: Transaction, *, after: tuple[Any, ...] | None) -> Sequence[Keyed]:
    """The parts of payouts, with what is ours of each."""
    connection, item = after or ("", "")
    rows = await tx.rows(
        """SELECT payout_id, provider_id, kind, gross, fee, net, currency, payment_id, refund_id, connection_id
           FROM payout_items WHERE (connection_id, provider_id) > (:connection, :item)
           ORDER BY connection_id, provider_id LIMIT :limit""",
        connection=connection,
        item=item,
        limit=PAGE,
    )
    return [((row.connection_id, row.provider_id), tuple(row)) for row in rows]
