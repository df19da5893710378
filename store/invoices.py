"""Invoices as a decision needs them: facts with balances, locked in id order where money depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy.engine import Row

from domain.invoices import InvoiceFacts
from domain.payments import Balances
from store.database import Transaction

_FACTS = """SELECT s.id, s.customer_id, s.number, s.currency, s.issued_on, s.due_on, s.status AS erp_status, s.is_parent,
                   s.paused, s.total, s.open, s.held, s.requested, p.started_by, p.opened_at
            FROM invoice_states s
            LEFT JOIN LATERAL (SELECT q.started_by, q.opened_at FROM holds h JOIN payments q ON q.id = h.holder_id
                               WHERE h.invoice_id = s.id ORDER BY h.held_at LIMIT 1) p ON s.held > s.requested"""


def _facts(row: Row[tuple[object, ...]]) -> InvoiceFacts:
    return InvoiceFacts(
        id=row.id,
        customer_id=row.customer_id,
        number=row.number,
        currency=row.currency,
        issued_on=row.issued_on,
        due_on=row.due_on,
        erp_status=row.erp_status,
        is_parent=row.is_parent,
        paused=row.paused,
        total_minor=row.total,
        open_minor=row.open,
        held_minor=row.held,
        requested_minor=row.requested,
        held_by=row.started_by,
        held_since=row.opened_at.strftime("%H:%M") if row.opened_at is not None else None,
    )


async def lock(tx: Transaction, invoice_ids: Sequence[str]) -> None:
    """Lock these invoices, in id order: every writer does, so no two wait for each other.

    NO KEY: rows that refer to an invoice (allocations, holds) are written meanwhile, in whatever order; a full lock made
    such a writer and a locker wait for each other.
    """
    await tx.rows("SELECT 1 FROM invoices WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE", ids=list(invoice_ids))


async def facts(
    tx: Transaction, invoice_ids: Sequence[str], customer_ids: Sequence[str] | None
) -> Mapping[str, InvoiceFacts]:
    """Those invoices that belong to one of the customers, or (None) to whomever, by id. After `lock`: a new statement, so a
    new snapshot.
    """
    rows = await tx.rows(
        f"""{_FACTS} WHERE s.id = ANY(:ids) AND NOT s.deleted
            AND (cast(:customers AS text[]) IS NULL OR s.customer_id = ANY(:customers))""",
        ids=list(invoice_ids),
        customers=None if customer_ids is None else list(customer_ids),
    )
    return {row.id: _facts(row) for row in rows}


async def balances(
    tx: Transaction, customer_ids: Sequence[str], *, currency: str, today: date, hide_paused: bool
) -> Balances:
    """Overdue, due and total of these customers in one currency: leaves that count as owed, and are visible."""
    row = await tx.row(
        """SELECT coalesce(sum(open) FILTER (WHERE due_on < :today), 0)::bigint AS overdue,
                  coalesce(sum(open) FILTER (WHERE due_on <= :today), 0)::bigint AS due,
                  coalesce(sum(open), 0)::bigint AS total
           FROM invoice_states
           WHERE customer_id = ANY(:customers) AND currency = :currency AND counted AND NOT is_parent AND NOT deleted
             AND NOT (paused AND :hide_paused)""",
        customers=list(customer_ids),
        currency=currency,
        today=today,
        hide_paused=hide_paused,
    )
    assert row is not None
    return Balances(overdue=row.overdue, due=row.due, total=row.total)
