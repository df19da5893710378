"""What the books say, page by page, to be compared with a provider, an ERP and Temporal. Reading only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.money import Money
from store.checks import Offender
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A payment that was sent to its provider and has ended here; `took` is what we say it took, by the charge that the
    provider calls `provider_ref`.
    """

    id: str
    connection_id: str
    attempts: int
    amount: Money
    took: bool
    customer_id: str
    provider_ref: str | None


_SENT: Final = """
SELECT id, connection_id, attempt, amount, currency, customer_id, provider_ref, captured > 0 AS took FROM payments
WHERE sent_at IS NOT NULL AND state NOT IN ('charging', 'awaiting_customer', 'processing', 'unknown')"""


async def sent(tx: Transaction, *, after: str, limit: int) -> Sequence[Sent]:
    """The next page of payments that a provider can be asked about, by id. Those in flight are not ended: left out."""
    rows = await tx.rows(f"{_SENT} AND id > :after ORDER BY id LIMIT :limit", after=after, limit=limit)
    return [_as_sent(row) for row in rows]


async def sent_since(tx: Transaction, connection_id: str, *, since: datetime, after: str, limit: int) -> Sequence[Sent]:
    """The same, of one provider, and of what has changed since a moment."""
    rows = await tx.rows(
        f"""{_SENT} AND connection_id = :connection AND changed_at >= :since AND id > :after ORDER BY id LIMIT :limit""",
        connection=connection_id,
        since=since,
        after=after,
        limit=limit,
    )
    return [_as_sent(row) for row in rows]


def _as_sent(row: Any) -> Sent:
    return Sent(
        id=row.id,
        connection_id=row.connection_id,
        attempts=row.attempt,
        amount=Money.of(row.amount, row.currency),
        took=row.took,
        customer_id=row.customer_id,
        provider_ref=row.provider_ref,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRefund:
    """A refund that was sent and is over here: whether it `went`, and what its payment `captured` (minor units)."""

    id: str
    payment_id: str
    connection_id: str
    amount: Money
    captured: int
    went: bool


async def sent_refunds(tx: Transaction, *, after: str, limit: int) -> Sequence[SentRefund]:
    """The next page of refunds that a provider can be asked about, by id. Those under way are left out."""
    rows = await tx.rows(
        """SELECT r.id, r.payment_id, p.connection_id, r.amount, r.currency, p.captured, r.state = 'refunded' AS went
           FROM refunds r JOIN payments p ON p.id = r.payment_id
           WHERE r.id > :after AND r.first_sent_at IS NOT NULL AND r.state IN ('refunded', 'failed')
           ORDER BY r.id LIMIT :limit""",
        after=after,
        limit=limit,
    )
    return [
        SentRefund(
            id=row.id,
            payment_id=row.payment_id,
            connection_id=row.connection_id,
            amount=Money.of(row.amount, row.currency),
            captured=row.captured,
            went=row.went,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A posting that the ERP has, as we say. `is_told`: an open difference says that a person changed it there, or a
    reversal or a refund of it waits, which the ERP will refuse where there is nothing to take off: that tells a person.
    `is_taken_back`: the ERP confirmed that, too; some then say of the document that it stands no longer, some that it does.
    """

    id: str
    amount: Money
    erp_id: str
    is_told: bool
    is_taken_back: bool


async def confirmed(tx: Transaction, connection_id: str, *, after: str, limit: int) -> Sequence[Confirmed]:
    """The next page of an ERP's confirmed postings, by id."""
    rows = await tx.rows(
        """SELECT q.id, CASE WHEN a.net < 0 THEN a.net ELSE q.amount END AS amount,
                  coalesce(p.currency, k.currency) AS currency,
                  q.erp_id,
                  EXISTS (SELECT 1 FROM allocations a JOIN differences d ON d.invoice_id = a.invoice_id
                          WHERE a.posting_id = q.id AND d.closed_at IS NULL AND d.kind = 'edited_in_erp')
                  OR (q.kind <> 'reversal' AND EXISTS (SELECT 1 FROM postings r WHERE r.payment_id = q.payment_id
                          AND r.kind IN ('reversal', 'refund') AND r.id <> q.id AND r.state <> 'confirmed')) AS is_told,
                  q.kind IN ('payment', 'refund') AND EXISTS (SELECT 1 FROM postings r WHERE r.state = 'confirmed'
                      AND (q.kind = 'payment' AND r.kind = 'reversal' AND r.payment_id = q.payment_id
                           OR r.id = replace(q.id, '-refunded-', '-refund_came_back-') AND r.kind = 'refund_reversal'))
                      AS is_taken_back
           FROM postings q LEFT JOIN payments p ON p.id = q.payment_id LEFT JOIN credits k ON k.id = q.credit_id
           LEFT JOIN LATERAL (SELECT sum(b.amount)::bigint AS net FROM allocations b WHERE b.posting_id = q.id
                              AND q.kind IN ('credit_application', 'application')) a ON true
           WHERE q.connection_id = :connection AND q.state = 'confirmed' AND q.id > :after ORDER BY q.id LIMIT :limit""",
        connection=connection_id,
        after=after,
        limit=limit,
    )
    return [
        Confirmed(
            id=row.id,
            amount=Money.of(row.amount, row.currency),
            erp_id=row.erp_id or "",
            is_told=row.is_told,
            is_taken_back=row.is_taken_back,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What we say is open of an invoice (minor units), and what may stand between that and the ERP's word.

    `under_way`: our money on it by payment, where a posting is not confirmed; `told`: amounts of open differences.
    """

    id: str
    open: int
    under_way: Mapping[str, int]
    told: tuple[int, ...]


async def balances(tx: Transaction, connection_id: str, erp_ids: Sequence[str]) -> Mapping[str, Balance]:
    """By the ERP's own ids; those that we do not have are left out."""
    rows = await tx.rows(
        """SELECT i.erp_id, i.id, b.open,
                  coalesce((SELECT jsonb_object_agg(g.source, g.net) FROM (
                      SELECT a.payment_id AS source, sum(a.amount) AS net FROM allocations a JOIN postings q
                             ON q.id = a.posting_id
                      WHERE a.invoice_id = i.id AND a.payment_id IS NOT NULL GROUP BY a.payment_id
                      HAVING bool_or(q.confirmed_seq IS NULL)
                      UNION ALL
                      SELECT a.posting_id, sum(a.amount) FROM allocations a JOIN postings q ON q.id = a.posting_id
                      WHERE a.invoice_id = i.id AND a.credit_id IS NOT NULL AND q.confirmed_seq IS NULL
                      GROUP BY a.posting_id) g), '{}') AS under_way,
                  ARRAY(SELECT d.amount FROM differences d WHERE d.invoice_id = i.id AND d.closed_at IS NULL) AS told
           FROM invoices i JOIN balances b ON b.id = i.id
           WHERE i.connection_id = :connection AND i.erp_id = ANY(:ids)""",
        connection=connection_id,
        ids=list(erp_ids),
    )
    return {
        row.erp_id: Balance(id=row.id, open=row.open, under_way=dict(row.under_way), told=tuple(row.told)) for row in rows
    }


async def invoices_of(tx: Transaction, connection_id: str, *, after: str, limit: int) -> Sequence[tuple[str, str]]:
    """The next page of (the ERP's id, ours) of what we have from an ERP and it never called deleted."""
    rows = await tx.rows(
        """SELECT erp_id, id FROM invoices WHERE connection_id = :connection AND NOT deleted AND erp_id > :after
           ORDER BY erp_id LIMIT :limit""",
        connection=connection_id,
        after=after,
        limit=limit,
    )
    return [(row.erp_id, row.id) for row in rows]


async def in_flight(tx: Transaction, *, before: datetime, after: str, limit: int) -> Sequence[Offender]:
    """The next page of payments and set-ups that have been on their way since before a moment, with their state."""
    rows = await tx.rows(
        """SELECT id, state FROM (
               SELECT id, state FROM payments
               WHERE state IN ('charging', 'awaiting_customer', 'processing', 'unknown') AND opened_at < :before
               UNION ALL
               SELECT id, state FROM method_setups
               WHERE state IN ('started', 'redirected', 'verifying') AND opened_at < :before
               UNION ALL
               SELECT id, state FROM refunds
               WHERE state IN ('requested', 'awaiting_second', 'sent', 'processing', 'unknown')
                 AND requested_at < :before) f
           WHERE id > :after ORDER BY id LIMIT :limit""",
        before=before,
        after=after,
        limit=limit,
    )
    return [Offender(id=row.id, what=row.state) for row in rows]


async def totals(tx: Transaction) -> Mapping[str, int]:
    """How much there is to look at, for a progress bar."""
    row = await tx.row(
        """SELECT (SELECT count(*) FROM payments WHERE sent_at IS NOT NULL) AS payments,
                  (SELECT count(*) FROM refunds WHERE first_sent_at IS NOT NULL) AS refunds,
                  (SELECT count(*) FROM postings WHERE state = 'confirmed') AS postings,
                  (SELECT count(*) FROM invoices WHERE NOT deleted) AS invoices"""
    )
    assert row is not None
    return {"payments": row.payments, "refunds": row.refunds, "postings": row.postings, "invoices": row.invoices}
