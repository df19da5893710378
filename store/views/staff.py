"""What staff see of customers. Read as `duly_staff`, which sees all; amounts are minor units beside their currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Row

from store.database import Transaction

PAGE: Final = 50
Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLine:
    """One customer of a list. `open` is what is owed, minor units by currency."""

    id: str
    number: str
    name: str
    email: str | None
    paused: bool
    open: Mapping[str, int]
    sort_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """Who a customer is."""

    id: str
    number: str
    name: str
    email: str | None
    currency: str
    country: str | None
    time_zone: str
    paused: bool
    parent_id: str | None
    parent_name: str | None
    children: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a customer owes in one currency; overdue is before `today`."""

    currency: str
    open: int
    overdue: int
    invoices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """An invoice with its balance as the portal shows it."""

    id: str
    number: str
    site: str | None
    issued_on: date
    due_on: date
    currency: str
    total: int
    open: int
    held: int
    shown: str
    status_word: str
    paused: bool
    is_parent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLine:
    """Somebody to write to. `id` '' is the customer's own address."""

    id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodLine:
    """A saved method or a set-up under way (`id` begins with set_): what the portal shows too."""

    id: str
    kind: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    state: str
    is_default: bool
    connection_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """A payment in a list."""

    id: str
    opened_at: datetime
    amount: int
    currency: str
    state: str
    method_label: str
    invoices: int
    posting_state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLine:
    """A portal link; its token is known to nobody here."""

    id: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    contact_email: str | None
    invoice_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: a timeline's event, or an act of the access log (`process_id` is its object then)."""

    at: datetime
    kind: str
    process_id: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActLine:
    """An act of the access log."""

    at: datetime
    actor: str
    action: str
    object_id: str | None
    address: str | None


def shaped(kind: type[Shape], row: Row[Any]) -> Shape:
    """A row as one of the shapes, whose fields are its columns."""
    return kind(**{each.name: getattr(row, each.name) for each in fields(kind)})  # type: ignore[arg-type]


async def customers(
    tx: Transaction, *, search: str = "", after: tuple[str, str] | None = None, limit: int = PAGE
) -> Sequence[CustomerLine]:
    """Customers by name, from `after` (sort_name, id of the last one seen); one more than `limit` when there are more.

    `search` is looked for in names, numbers, e-mail addresses and those of contacts.
    """
    rows = await tx.rows(
        """WITH page AS (
               SELECT c.id, c.number, c.name, c.email, c.paused, lower(c.name) AS sort_name FROM customers c
               WHERE NOT c.deleted
                 AND (CAST(:after_name AS text) IS NULL OR (lower(c.name), c.id) > (:after_name, :after_id))
                 AND (CAST(:like AS text) IS NULL OR c.name ILIKE :like OR c.number ILIKE :like OR c.email ILIKE :like
                      OR EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = c.id AND k.email ILIKE :like))
               ORDER BY lower(c.name), c.id LIMIT :limit)
           SELECT p.*, coalesce(o.open, '{}'::jsonb) AS open FROM page p LEFT JOIN LATERAL (
               SELECT jsonb_object_agg(s.currency, s.open) AS open FROM (
                   SELECT i.currency, sum(i.open) AS open FROM invoice_states i
                   WHERE i.customer_id = p.id AND i.counted AND NOT i.is_parent AND NOT i.deleted
                   GROUP BY i.currency) s) o ON true
           ORDER BY p.sort_name, p.id""",
        like=_like(search),
        after_name=None if after is None else after[0],
        after_id=None if after is None else after[1],
        limit=limit + 1,
    )
    return [shaped(CustomerLine, row) for row in rows]


async def customer(tx: Transaction, customer_id: str) -> CustomerFacts | None:
    """One customer, or None."""
    row = await tx.row(
        """SELECT c.id, c.number, c.name, c.email, c.currency, c.country, c.time_zone, c.paused, c.parent_id,
                  p.name AS parent_name,
                  (SELECT count(*) FROM customers k WHERE k.parent_id = c.id AND NOT k.deleted) AS children
           FROM customers c LEFT JOIN customers p ON p.id = c.parent_id WHERE c.id = :id AND NOT c.deleted""",
        id=customer_id,
    )
    return None if row is None else shaped(CustomerFacts, row)


async def balances(tx: Transaction, customer_id: str, *, today: date) -> Sequence[Balance]:
    """What is owed, by currency, the largest first."""
    rows = await tx.rows(
        """SELECT currency, sum(open)::bigint AS open, count(*) AS invoices,
                  coalesce(sum(open) FILTER (WHERE due_on < :today), 0)::bigint AS overdue
           FROM invoice_states WHERE customer_id = :id AND counted AND NOT is_parent AND NOT deleted
           GROUP BY currency ORDER BY 2 DESC, 1""",
        id=customer_id,
        today=today,
    )
    return [shaped(Balance, row) for row in rows]


async def invoices(tx: Transaction, customer_id: str, *, limit: int = PAGE) -> Sequence[InvoiceLine]:
    """Invoices, those with something open first, then the newest; drafts and void ones too, for staff may see them."""
    rows = await tx.rows(
        """SELECT id, number, site, issued_on, due_on, currency, total, open, held, shown, status_word, paused, is_parent
           FROM invoice_states WHERE customer_id = :id AND NOT deleted
           ORDER BY (counted AND NOT is_parent) DESC, due_on DESC, number LIMIT :limit""",
        id=customer_id,
        limit=limit,
    )
    return [shaped(InvoiceLine, row) for row in rows]


async def contacts(tx: Transaction, customer_id: str) -> Sequence[ContactLine]:
    """Who can be sent a link: the customer's own address first, then its contacts, each address once."""
    rows = await tx.rows(
        """SELECT '' AS id, name, email FROM customers WHERE id = :id AND coalesce(email, '') <> ''
           UNION ALL
           (SELECT DISTINCT ON (lower(k.email)) k.id, k.name, k.email
            FROM contacts k JOIN customers c ON c.id = k.customer_id
            WHERE k.customer_id = :id AND k.email <> '' AND lower(k.email) <> lower(coalesce(c.email, ''))
            ORDER BY lower(k.email), k.id)""",
        id=customer_id,
    )
    return [shaped(ContactLine, row) for row in rows]


async def methods(tx: Transaction, customer_id: str) -> Sequence[MethodLine]:
    """Saved methods, the default first, then set-ups that are under way."""
    rows = await tx.rows(
        """SELECT id, kind, brand, last4, exp_month, exp_year, state, is_default, connection_id, added_at AS at
           FROM payment_methods WHERE customer_id = :id AND state <> 'detached'
           UNION ALL
           SELECT id, kind, '', '', NULL, NULL, state, false, connection_id, opened_at FROM method_setups
           WHERE customer_id = :id AND state IN ('started', 'redirected', 'verifying')
           ORDER BY is_default DESC, at DESC""",
        id=customer_id,
    )
    return [shaped(MethodLine, row) for row in rows]


async def payments(tx: Transaction, customer_id: str, *, limit: int = PAGE) -> Sequence[PaymentLine]:
    """Payments, the newest first."""
    rows = await tx.rows(
        """SELECT p.id, p.opened_at, p.amount, p.currency, p.state, p.method_label,
                  (SELECT count(*) FROM payment_lines l WHERE l.payment_id = p.id) AS invoices,
                  (SELECT t.state FROM postings t WHERE t.payment_id = p.id ORDER BY t.seq DESC LIMIT 1) AS posting_state
           FROM payments p WHERE p.customer_id = :id ORDER BY p.opened_at DESC, p.id DESC LIMIT :limit""",
        id=customer_id,
        limit=limit,
    )
    return [shaped(PaymentLine, row) for row in rows]


async def links(tx: Transaction, customer_id: str, *, limit: int = PAGE) -> Sequence[LinkLine]:
    """Portal links, the newest first."""
    rows = await tx.rows(
        """SELECT l.id, l.created_at, l.created_by, l.expires_at, l.revoked_at, l.last_used_at,
                  coalesce(k.email, CASE WHEN l.contact_id = '' THEN c.email END) AS contact_email,
                  i.number AS invoice_number
           FROM portal_links l JOIN customers c ON c.id = l.customer_id LEFT JOIN contacts k ON k.id = l.contact_id
           LEFT JOIN invoices i ON i.id = l.invoice_id
           WHERE l.customer_id = :id ORDER BY l.created_at DESC, l.id DESC LIMIT :limit""",
        id=customer_id,
        limit=limit,
    )
    return [shaped(LinkLine, row) for row in rows]


async def events(tx: Transaction, customer_id: str, *, limit: int = PAGE) -> Sequence[Event]:
    """What happened in all of a customer's payments and set-ups, the newest first."""
    rows = await tx.rows(
        """SELECT t.at, t.kind, t.process_id, t.facts FROM timeline t
           WHERE t.process_id IN (SELECT id FROM payments WHERE customer_id = :id
                                  UNION ALL SELECT id FROM apply_requests WHERE customer_id = :id
                                  UNION ALL SELECT id FROM method_setups WHERE customer_id = :id
                                  UNION ALL SELECT id FROM payment_methods WHERE customer_id = :id)
           ORDER BY t.at DESC, t.seq DESC LIMIT :limit""",
        id=customer_id,
        limit=limit,
    )
    return [shaped(Event, row) for row in rows]


async def acts(tx: Transaction, customer_id: str, *, limit: int = PAGE) -> Sequence[ActLine]:
    """Who did what with this customer, the newest first."""
    rows = await tx.rows(
        """SELECT a.at, coalesce(f.name, k.label, a.actor) AS actor, a.action, a.object_id, a.address
           FROM access_log a LEFT JOIN staff f ON f.id = a.actor LEFT JOIN api_keys k ON k.id = a.actor
           WHERE a.customer_id = :id ORDER BY a.seq DESC LIMIT :limit""",
        id=customer_id,
        limit=limit,
    )
    return [shaped(ActLine, row) for row in rows]


def _like(search: str) -> str | None:
    """A pattern that looks for the text itself, whatever signs it holds."""
    wanted = search.strip()[:100].replace("\x00", "")
    if not wanted:
        return None
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
