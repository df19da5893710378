"""What programs of others page through: customers, invoices, payments, credits, methods and more, each list one statement.

Read as `duly_staff`, which sees every customer, so what no customer may see is left out here by the same rule as the
portal's policies have it (`VISIBLE`). Lists go from the newest to the oldest and continue after the last row that was
read, so a row that is added meanwhile moves nothing. Amounts are minor units of the row's currency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple, TypeVar

from store.database import Transaction

VISIBLE: Final = "NOT s.deleted AND s.status NOT IN ('draft', 'void') AND NOT (s.paused AND :hide_paused)"
"""An invoice that somebody may see; `s` is `invoices` or `invoice_states`."""

After = Sequence[str] | None
Shape = TypeVar("Shape")


class CustomerRow(NamedTuple):
    """A customer."""

    id: str
    number: str
    name: str
    email: str | None
    currency: str
    country: str | None
    time_zone: str
    paused: bool
    parent_id: str | None


class BalanceRow(NamedTuple):
    """What a customer owes in one currency."""

    currency: str
    open: int
    overdue: int
    invoices: int


class InvoiceRow(NamedTuple):
    """An invoice of a list. `counted` says whether a balance adds it up; `time_zone` is its customer's."""

    id: str
    customer_id: str
    number: str
    site: str | None
    po_number: str | None
    currency: str
    issued_on: date
    due_on: date
    paid_on: date | None
    status: str
    is_parent: bool
    parent_id: str | None
    total: int
    open: int
    held: int
    available: int
    counted: bool
    time_zone: str


class PaymentRow(NamedTuple):
    """A payment of a list."""

    id: str
    customer_id: str
    currency: str
    amount: int
    state: str
    method_kind: str
    method_label: str
    captured: int
    returned: int
    channel: str
    started_by: str
    opened_at: datetime
    changed_at: datetime


class MethodRow(NamedTuple):
    """A payment method."""

    id: str
    customer_id: str
    kind: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    state: str
    is_default: bool
    added_at: datetime


class CreditRow(NamedTuple):
    """A credit of a list. `available` is what a new request may ask for."""

    id: str
    customer_id: str
    number: str
    kind: str
    currency: str
    issued_on: date
    origin: str | None
    total: int
    unapplied: int
    held: int
    available: int


class ApplyRow(NamedTuple):
    """A request to apply a credit, of a list."""

    id: str
    customer_id: str
    credit_id: str
    credit_number: str
    currency: str
    amount: int
    state: str
    version: int
    channel: str
    requested_by: str
    opened_at: datetime
    changed_at: datetime
    expires_at: datetime | None


class SetupRow(NamedTuple):
    """The set-up of a payment method."""

    id: str
    customer_id: str
    kind: str
    currency: str
    state: str
    page_url: str | None
    method_id: str | None
    failure_code: str | None
    opened_at: datetime
    changed_at: datetime
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]


class LinkRow(NamedTuple):
    """A portal link; nobody here knows its token."""

    id: str
    customer_id: str
    invoice_id: str | None
    contact_id: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFilter:
    """What is wanted of all invoices; None wants everything."""

    customer_id: str | None = None
    number: str | None = None
    owed: bool | None = None
    due_before: date | None = None
    hide_paused: bool = True


async def customers(tx: Transaction, *, search: str, number: str | None, after: After, limit: int) -> Sequence[CustomerRow]:
    """Customers; `search` is looked for in names, numbers and addresses. One more than `limit` when there are more."""
    conditions, values = ["NOT s.deleted"], dict[str, Any]()
    if search:
        conditions.append("(s.name ILIKE :like OR s.number ILIKE :like OR s.email ILIKE :like)")
        values["like"] = f"%{_plain(search)}%"
    if number is not None:
        conditions.append("s.number = :number")
        values["number"] = number
    columns = ", ".join(f"s.{name}" for name in CustomerRow._fields)
    return await _page(
        tx, CustomerRow._make, f"SELECT {columns} FROM customers s", conditions, values, after=after, limit=limit
    )


async def customer(tx: Transaction, customer_id: str) -> CustomerRow | None:
    """One customer."""
    columns = ", ".join(CustomerRow._fields)
    row = await tx.row(f"SELECT {columns} FROM customers WHERE id = :id AND NOT deleted", id=customer_id)
    return None if row is None else CustomerRow._make(row)


async def family(tx: Transaction, customer_id: str) -> tuple[str, ...]:
    """The customer and its children, whose invoices it may pay; empty for one that does not exist."""
    rows = await tx.rows(
        """SELECT id FROM customers WHERE (id = :id OR (parent_id = :id
               AND EXISTS (SELECT 1 FROM customers WHERE id = :id AND NOT deleted))) AND NOT deleted
           ORDER BY id <> :id, id""",
        id=customer_id,
    )
    return tuple(row.id for row in rows)


async def balances(tx: Transaction, customer_id: str, *, today: date, hide_paused: bool) -> Sequence[BalanceRow]:
    """What is owed, by currency; overdue is before `today`."""
    rows = await tx.rows(
        f"""SELECT s.currency, sum(s.open)::bigint AS open,
                   coalesce(sum(s.open) FILTER (WHERE s.due_on < :today), 0)::bigint AS overdue, count(*) AS invoices
            FROM invoice_states s WHERE s.customer_id = :id AND s.counted AND NOT s.is_parent AND {VISIBLE}
            GROUP BY s.currency ORDER BY s.currency""",
        id=customer_id,
        today=today,
        hide_paused=hide_paused,
    )
    return [BalanceRow._make(row) for row in rows]


async def invoices(tx: Transaction, wanted: InvoiceFilter, *, after: After, limit: int) -> Sequence[InvoiceRow]:
    """Invoices by their date. One more than `limit` when there are more."""
    conditions = [VISIBLE, "NOT c.deleted"]
    values: dict[str, Any] = {"hide_paused": wanted.hide_paused}
    for column in ("customer_id", "number"):
        if getattr(wanted, column) is not None:
            conditions.append(f"s.{column} = :{column}")
            values[column] = getattr(wanted, column)
    if wanted.owed is not None:
        conditions.append("(s.counted AND NOT s.is_parent) = :owed")
        values["owed"] = wanted.owed
    if wanted.due_before is not None:
        conditions.append("s.due_on < :due_before")
        values["due_before"] = wanted.due_before
    statement = """SELECT s.id, s.customer_id, s.number, s.site, s.po_number, s.currency, s.issued_on, s.due_on, s.paid_on,
            s.shown, s.is_parent, s.parent_id, s.total, greatest(s.open, 0)::bigint, s.held, s.available,
            s.counted AND NOT s.is_parent, c.time_zone
        FROM invoice_states s JOIN customers c ON c.id = s.customer_id"""
    return await _page(tx, InvoiceRow._make, statement, conditions, values, by="issued_on", after=after, limit=limit)


async def payments(
    tx: Transaction, *, customer_id: str | None, state: str | None, after: After, limit: int
) -> Sequence[PaymentRow]:
    """Payments by the moment when they were asked for. One more than `limit` when there are more."""
    conditions, values = _equal(customer_id=customer_id, state=state)
    columns = ", ".join(f"s.{name}" for name in PaymentRow._fields)
    statement = f"SELECT {columns} FROM payments s"
    return await _page(tx, PaymentRow._make, statement, conditions, values, by="opened_at", after=after, limit=limit)


async def credits_of(tx: Transaction, *, customer_id: str | None, after: After, limit: int) -> Sequence[CreditRow]:
    """Credits by their date. One more than `limit` when there are more."""
    conditions, values = _equal(customer_id=customer_id)
    conditions += ["NOT s.deleted", "NOT c.deleted"]
    statement = """SELECT s.id, s.customer_id, s.number, s.kind, s.currency, s.issued_on, s.origin, s.total, b.unapplied,
            b.held, greatest(greatest(b.unapplied, 0) - b.held, 0)::bigint
        FROM credits s JOIN credit_balances b ON b.id = s.id JOIN customers c ON c.id = s.customer_id"""
    return await _page(tx, CreditRow._make, statement, conditions, values, by="issued_on", after=after, limit=limit)


async def apply_requests(
    tx: Transaction, *, customer_id: str | None, states: Sequence[str] | None, after: After, limit: int
) -> Sequence[ApplyRow]:
    """Requests to apply a credit, by the moment when they were sent. One more than `limit` when there are more."""
    conditions, values = _equal(customer_id=customer_id)
    found: dict[str, Any] = dict(values)
    if states is not None:
        conditions.append("s.state = ANY(:states)")
        found["states"] = sorted(states)
    columns = ", ".join("k.number" if name == "credit_number" else f"s.{name}" for name in ApplyRow._fields)
    statement = f"SELECT {columns} FROM apply_requests s JOIN credits k ON k.id = s.credit_id"
    return await _page(tx, ApplyRow._make, statement, conditions, found, by="opened_at", after=after, limit=limit)


async def methods(tx: Transaction, *, customer_id: str | None, after: After, limit: int) -> Sequence[MethodRow]:
    """Saved methods, as the portal shows them. One more than `limit` when there are more."""
    conditions, values = _equal(customer_id=customer_id)
    conditions.append("s.state IN ('active', 'verifying', 'detaching')")
    columns = ", ".join(f"s.{name}" for name in MethodRow._fields)
    return await _page(
        tx, MethodRow._make, f"SELECT {columns} FROM payment_methods s", conditions, values, after=after, limit=limit
    )


async def method(tx: Transaction, method_id: str) -> MethodRow | None:
    """One saved method that is not gone."""
    columns = ", ".join(MethodRow._fields)
    row = await tx.row(
        f"SELECT {columns} FROM payment_methods WHERE id = :id AND state IN ('active', 'verifying', 'detaching')",
        id=method_id,
    )
    return None if row is None else MethodRow._make(row)


async def setups(tx: Transaction, *, customer_id: str | None, after: After, limit: int) -> Sequence[SetupRow]:
    """Set-ups of methods. One more than `limit` when there are more."""
    conditions, values = _equal(customer_id=customer_id)
    columns = ", ".join(f"s.{name}" for name in SetupRow._fields)
    return await _page(
        tx, SetupRow._make, f"SELECT {columns} FROM method_setups s", conditions, values, after=after, limit=limit
    )


async def setup(tx: Transaction, setup_id: str) -> SetupRow | None:
    """One set-up."""
    row = await tx.row(f"SELECT {', '.join(SetupRow._fields)} FROM method_setups WHERE id = :id", id=setup_id)
    return None if row is None else SetupRow._make(row)


async def links(tx: Transaction, *, customer_id: str | None, after: After, limit: int) -> Sequence[LinkRow]:
    """Portal links. One more than `limit` when there are more."""
    conditions, values = _equal(customer_id=customer_id)
    columns = ", ".join(f"s.{name}" for name in LinkRow._fields)
    return await _page(
        tx, LinkRow._make, f"SELECT {columns} FROM portal_links s", conditions, values, after=after, limit=limit
    )


async def link(tx: Transaction, link_id: str) -> LinkRow | None:
    """One link."""
    row = await tx.row(f"SELECT {', '.join(LinkRow._fields)} FROM portal_links WHERE id = :id", id=link_id)
    return None if row is None else LinkRow._make(row)


async def owner_of_invoice(tx: Transaction, invoice_id: str, *, hide_paused: bool) -> str | None:
    """Whose an invoice is; None for one that does not exist or that nobody may see."""
    row = await tx.row(
        f"""SELECT s.customer_id FROM invoices s JOIN customers c ON c.id = s.customer_id
            WHERE s.id = :id AND NOT c.deleted AND {VISIBLE}""",
        id=invoice_id,
        hide_paused=hide_paused,
    )
    return None if row is None else str(row.customer_id)


async def owner_of_payment(tx: Transaction, payment_id: str) -> str | None:
    """Whose a payment is."""
    row = await tx.row("SELECT customer_id FROM payments WHERE id = :id", id=payment_id)
    return None if row is None else str(row.customer_id)


def _equal(**wanted: str | None) -> tuple[list[str], dict[str, Any]]:
    values = {name: value for name, value in wanted.items() if value is not None}
    return [f"s.{name} = :{name}" for name in values], values


async def _page(
    tx: Transaction,
    make: Callable[[Iterable[Any]], Shape],
    statement: str,
    conditions: Sequence[str],
    values: Mapping[str, Any],
    *,
    by: str | None = None,
    after: After,
    limit: int,
) -> Sequence[Shape]:
    """The rows after `after`, which are the last one's `by` (a date or moment, as text) and id, or its id alone."""
    conditions, values = list(conditions), dict(values)
    if after is not None and by is None:
        conditions.append("s.id < :after_id")
        values["after_id"] = after[0]
    elif after is not None:
        kind = "date" if by == "issued_on" else "timestamptz"
        conditions.append(f"(s.{by}, s.id) < (CAST(:after_at AS {kind}), :after_id)")
        values["after_at"], values["after_id"] = after
    order = "s.id DESC" if by is None else f"s.{by} DESC, s.id DESC"
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await tx.rows(f"{statement} {where} ORDER BY {order} LIMIT :limit", **values, limit=limit + 1)
    return [make(row) for row in rows]


def _plain(search: str) -> str:
    """What ILIKE takes for these characters themselves."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
