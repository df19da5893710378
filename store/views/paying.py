"""What a payment would take: the chosen invoices with fresh facts, or the oldest ones that a custom amount reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Row

from domain.business import MOST_INVOICES, BusinessSettings
from domain.invoices import InvoiceFacts
from store.database import Transaction
from store.views.portal import SELECTABLE, may_choose

_COLUMNS: Final = f"""SELECT s.id, s.customer_id, s.number, s.site, s.currency, s.issued_on, s.due_on,
       s.status AS erp_status, s.is_parent, s.paused, s.total, s.open, s.held, s.requested, q.started_by, q.opened_at,
       {SELECTABLE} AS selectable
FROM invoice_states s
LEFT JOIN LATERAL (SELECT p.started_by, p.opened_at FROM holds h JOIN payments p ON p.id = h.holder_id
                   WHERE h.invoice_id = s.id ORDER BY h.held_at LIMIT 1) q ON s.held > s.requested"""
_ORDER: Final = "ORDER BY s.issued_on, s.due_on, s.number, s.id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """An invoice that was asked for, whether or not it may be paid, and the site that it is for."""

    facts: InvoiceFacts
    site: str | None
    selectable: bool


def _payable(row: Row[Any]) -> Payable:
    facts = InvoiceFacts(
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
    return Payable(facts=facts, site=row.site, selectable=row.selectable)


async def chosen(
    tx: Transaction,
    ids: Sequence[str],
    parents: Sequence[str],
    dropped_parents: Sequence[str],
    settings: BusinessSettings,
) -> Sequence[Payable]:
    """The invoices with these ids and the payable sites of these parents, oldest first; at most one more than fit."""
    rows = await tx.rows(
        f"""{_COLUMNS} WHERE (s.id = ANY(:ids) OR (s.parent_id = ANY(:parents) AND {SELECTABLE}))
            AND (s.parent_id IS NULL OR NOT s.parent_id = ANY(:dropped)) {_ORDER} LIMIT :most""",
        **may_choose(settings),
        ids=list(ids),
        parents=list(parents),
        dropped=list(dropped_parents),
        most=MOST_INVOICES + 1,
    )
    return [_payable(row) for row in rows]


async def oldest(tx: Transaction, customers: Sequence[str], currency: str, settings: BusinessSettings) -> Sequence[Payable]:
    """The payable invoices of these customers in a currency that one payment could reach, and one more, in C2's order.

    Each customer's invoices are walked in the order of their index, each asked for its balance as its turn comes, and
    the walk ends with the last one that can be reached: a million open invoices cost what ten thousand cost. OFFSET 0
    keeps the planner from working out every balance first, and a limit that it cannot read from sorting every invoice.
    """
    rows = await tx.rows(
        f"""SELECT found.* FROM unnest(cast(:customers AS text[])) AS c(id) CROSS JOIN LATERAL (
                SELECT asked.* FROM (
                    SELECT i.id FROM invoices i WHERE i.customer_id = c.id AND i.currency = :currency
                    ORDER BY i.issued_on, i.due_on, i.number, i.id LIMIT (SELECT 2147483647)) walk
                CROSS JOIN LATERAL ({_COLUMNS} WHERE s.id = walk.id AND {SELECTABLE} OFFSET 0) asked
                LIMIT :most) found
            ORDER BY found.issued_on, found.due_on, found.number, found.id LIMIT :most""",
        **may_choose(settings),
        customers=list(customers),
        currency=currency,
        most=MOST_INVOICES + 1,
    )
    return [_payable(row) for row in rows]
