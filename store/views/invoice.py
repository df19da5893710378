"""One invoice as its page tells it, in one statement: lines, what settled it in the ERP, and our own money that the ERP
has not shown yet. Settlements and that money together are the difference between its total and what is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Row

from domain.business import BusinessSettings
from store.database import Transaction
from store.views.portal import SELECTABLE, may_choose


class InvoiceLine(NamedTuple):
    """A line; amounts in minor units, `amount` without tax."""

    description: str
    quantity: str
    unit_price: int
    amount: int
    tax_rate: str
    tax: int


class Settlement(NamedTuple):
    """What reduced the invoice: `kind` is the ERP's, or 'ours' for a payment that it has not shown yet.

    `payment_id` is set for money that was paid here.
    """

    kind: str
    document: str
    amount: int
    on: date
    payment_id: str | None


class Site(NamedTuple):
    """A site of a multi-site invoice."""

    id: str
    number: str
    site: str | None
    shown: str
    total: int
    open: int
    is_overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePage:
    """Everything that an invoice's page says; amounts in minor units of `currency`, `open` and `available` at least 0."""

    id: str
    number: str
    site: str | None
    po_number: str | None
    terms: str | None
    currency: str
    issued_on: date
    due_on: date
    paid_on: date | None
    status: str
    shown: str
    is_parent: bool
    parent_id: str | None
    parent_number: str | None
    customer_name: str
    total: int
    open: int
    held: int
    available: int
    discount: int | None
    is_selectable: bool
    contact_email: str | None
    held_by: str | None
    held_at: datetime | None
    holder_id: str | None
    lines: Sequence[InvoiceLine]
    settlements: Sequence[Settlement]
    sites: Sequence[Site]

    @property
    def net(self) -> int:
        """The lines without tax."""
        return sum(line.amount for line in self.lines)

    @property
    def taxes(self) -> dict[str, int]:
        """Tax by rate, as the ERP printed the rates."""
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.tax_rate] = found.get(line.tax_rate, 0) + line.tax
        return found


_PAGE: Final = f"""
SELECT s.id, s.number, s.site, s.po_number, s.terms, s.currency, s.issued_on, s.due_on, s.paid_on, s.status, s.shown,
       s.is_parent, s.parent_id, r.number AS parent_number, c.name AS customer_name, s.total, greatest(s.open, 0) AS open,
       s.held, s.available, s.discount, {SELECTABLE} AS is_selectable, s.contact_email, s.lines, s.settlements,
       h.started_by AS held_by, h.held_at, h.holder_id,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(g.payment_id, g.amount, g.at) ORDER BY g.at), '[]'::jsonb)
        FROM (SELECT a.payment_id, max(a.allocated_at) AS at,
                     sum(a.amount) - coalesce((SELECT n.amount FROM snapshot_seen n
                                               WHERE n.invoice_id = s.id AND n.payment_id = a.payment_id), 0) AS amount
              FROM allocations a JOIN postings p ON p.id = a.posting_id
              WHERE a.invoice_id = s.id AND a.payment_id IS NOT NULL
              GROUP BY a.payment_id HAVING NOT bool_and(coalesce(p.confirmed_seq < s.read_seq, false))) g
        WHERE g.amount <> 0) AS ours,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(g.kind, g.number, g.amount, g.at) ORDER BY g.at), '[]'::jsonb)
        FROM (SELECT k.kind, k.number, max(a.allocated_at) AS at, sum(a.amount) AS amount
              FROM allocations a JOIN postings p ON p.id = a.posting_id LEFT JOIN credits k ON k.id = a.credit_id
              WHERE a.invoice_id = s.id AND a.credit_id IS NOT NULL AND NOT coalesce(p.confirmed_seq < s.read_seq, false)
              GROUP BY k.kind, k.number) g
        WHERE g.amount <> 0) AS credited,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(k.id, k.number, k.site, k.shown, k.total, greatest(k.open, 0),
                                                    k.counted AND k.due_on < :today) ORDER BY k.number), '[]'::jsonb)
        FROM invoice_states k WHERE k.parent_id = s.id) AS sites
FROM invoice_states s JOIN customers c ON c.id = s.customer_id LEFT JOIN invoices r ON r.id = s.parent_id
LEFT JOIN LATERAL (SELECT q.started_by, x.held_at, x.holder_id FROM holds x LEFT JOIN payments q ON q.id = x.holder_id
                   WHERE x.invoice_id = s.id ORDER BY x.held_at LIMIT 1) h ON s.held > 0
WHERE s.id = ANY(:ids)"""


async def invoice_page(tx: Transaction, invoice_id: str, settings: BusinessSettings, *, today: date) -> InvoicePage | None:
    """An invoice of this customer's that may be seen; None for any other."""
    return next(iter(await invoice_pages(tx, [invoice_id], settings, today=today)), None)


async def invoice_pages(
    tx: Transaction, invoice_ids: Sequence[str], settings: BusinessSettings, *, today: date
) -> Sequence[InvoicePage]:
    """Those of them that are this customer's and may be seen, in no order."""
    return [_page(row) for row in await tx.rows(_PAGE, ids=list(invoice_ids), today=today, **may_choose(settings))]


def _page(row: Row[Any]) -> InvoicePage:
    values = {name: getattr(row, name) for name in InvoicePage.__dataclass_fields__ if name != "settlements"}
    values["lines"] = [_line(each) for each in row.lines]
    values["sites"] = [Site._make(each) for each in row.sites]
    # A parent has no money of its own: its sites carry it.
    if row.is_parent and values["sites"]:
        values["total"] = sum(site.total for site in values["sites"])
        values["open"] = sum(site.open for site in values["sites"])
    ours = [Settlement("ours", each[0], int(each[1]), datetime.fromisoformat(each[2]).date(), each[0]) for each in row.ours]
    credited = [
        Settlement(kind or "other", number or "", int(amount), datetime.fromisoformat(at).date(), None)
        for kind, number, amount, at in row.credited
    ]
    told = [_settlement(each) for each in row.settlements]
    return InvoicePage(settlements=sorted([*told, *ours, *credited], key=lambda each: each.on), **values)


def _line(told: dict[str, Any]) -> InvoiceLine:
    return InvoiceLine(
        description=str(told.get("description", "")),
        quantity=str(told.get("quantity", "")),
        unit_price=int(told.get("unit_price", 0)),
        amount=int(told.get("amount", 0)),
        tax_rate=str(told.get("tax_rate", "")),
        tax=int(told.get("tax", 0)),
    )


def _settlement(told: dict[str, Any]) -> Settlement:
    reference = told.get("reference") or ""
    return Settlement(
        kind=str(told.get("kind", "other")),
        document=str(told.get("document", "")),
        amount=int(told["amount"]),
        on=date.fromisoformat(told["on"]),
        payment_id=reference[:30] if reference.startswith("pay_") else None,
    )
