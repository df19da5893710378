"""Credits and the requests to apply them, as a customer's and the staff's pages tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Row

from domain.lifecycles import ApplyState
from domain.receivables import CreditKind
from store.database import Transaction
from store.views.payments import Event

PAGE: Final = 50


class Applied(NamedTuple):
    """Where some of a credit went in the ERP: the invoice's number, minor units, the day."""

    invoice: str
    amount: int
    on: date


class OpenRequest(NamedTuple):
    """A request about a credit: its id, state, minor units and when it was sent."""

    id: str
    state: str
    amount: int
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    """One credit; amounts in minor units of `currency`. `available` is what a new request may ask for."""

    id: str
    number: str
    kind: CreditKind
    currency: str
    issued_on: date
    total: int
    unapplied: int
    held: int
    origin: str | None
    customer_id: str
    payment_id: str | None  # the payment of ours whose money it is
    applications: Sequence[Applied]
    requests: Sequence[OpenRequest]

    @property
    def available(self) -> int:
        """At least zero."""
        return max(max(self.unapplied, 0) - self.held, 0)


class RequestLine(NamedTuple):
    """An invoice of a request. `number` is None for one that the reader may not see; `approved` is None until decided."""

    invoice_id: str
    number: str | None
    site: str | None
    asked: int
    approved: int | None
    open: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """Everything that a request's page says. Amounts are minor units of `currency`."""

    id: str
    customer_id: str
    customer_name: str
    credit_id: str
    credit_number: str
    credit_kind: CreditKind
    currency: str
    amount: int
    state: ApplyState
    version: int
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]
    requested_by: str
    needs_second: bool
    first_by: str | None
    second_by: str | None
    ended_by: str | None
    reason: str | None
    question: str | None
    answer: str | None
    erp_words: str | None
    opened_at: datetime
    expires_at: datetime | None
    unapplied: int
    held: int
    lines: Sequence[RequestLine]
    events: Sequence[Event]


_CREDITS: Final = """
SELECT k.id, k.number, k.kind, k.currency, k.issued_on, k.total, b.unapplied, b.held, k.origin, k.customer_id,
       k.payment_id,
       CASE WHEN k.payment_id IS NULL THEN k.applications ELSE (
           SELECT coalesce(jsonb_agg(jsonb_build_object('invoice', g.number, 'amount', g.amount, 'on', g.on)
                                     ORDER BY g.on, g.number), '[]'::jsonb)
           FROM (SELECT i.number, sum(a.amount) AS amount, (max(a.allocated_at) AT TIME ZONE 'UTC')::date AS on
                 FROM allocations a JOIN invoices i ON i.id = a.invoice_id WHERE a.payment_id = k.payment_id
                 GROUP BY i.number HAVING sum(a.amount) > 0) g) END AS applications,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(r.id, r.state, r.amount, r.opened_at) ORDER BY r.opened_at DESC),
                        '[]'::jsonb)
        FROM apply_requests r WHERE r.credit_id = k.id AND r.state NOT IN ('opening', 'refused')) AS requests
FROM credits k JOIN credit_balances b ON b.id = k.id"""


async def list_credits(tx: Transaction, *, customers: Sequence[str], page: int) -> Sequence[CreditLine]:
    """A page of credits, those with something left first and the newest of each, one more than fits."""
    rows = await tx.rows(
        f"""{_CREDITS} WHERE k.customer_id = ANY(:customers) AND NOT k.deleted
              AND (k.kind <> 'payment' OR b.unapplied > 0 OR b.held > 0)
            ORDER BY (b.unapplied > 0) DESC, k.issued_on DESC, k.id DESC LIMIT :size OFFSET :skip""",
        customers=list(customers),
        size=PAGE + 1,
        skip=(page - 1) * PAGE,
    )
    return [_credit(row) for row in rows]


async def credit(tx: Transaction, credit_id: str, *, customers: Sequence[str] | None = None) -> CreditLine | None:
    """One credit of these customers, or (None) of whomever."""
    row = await tx.row(
        f"""{_CREDITS} WHERE k.id = :id AND NOT k.deleted
            AND (cast(:customers AS text[]) IS NULL OR k.customer_id = ANY(:customers))""",
        id=credit_id,
        customers=None if customers is None else list(customers),
    )
    return None if row is None else _credit(row)


async def credits_of(tx: Transaction, credit_ids: Sequence[str], *, customers: Sequence[str]) -> Sequence[CreditLine]:
    """Those of them that are these customers', in no order."""
    rows = await tx.rows(
        f"{_CREDITS} WHERE k.id = ANY(:ids) AND NOT k.deleted AND k.customer_id = ANY(:customers)",
        ids=list(credit_ids),
        customers=list(customers),
    )
    return [_credit(row) for row in rows]


def _credit(row: Row[Any]) -> CreditLine:
    return CreditLine(
        id=row.id,
        number=row.number,
        kind=CreditKind(row.kind),
        currency=row.currency,
        issued_on=row.issued_on,
        total=row.total,
        unapplied=row.unapplied,
        held=row.held,
        origin=row.origin,
        customer_id=row.customer_id,
        payment_id=row.payment_id,
        applications=[Applied(each["invoice"], each["amount"], date.fromisoformat(each["on"])) for each in row.applications],
        requests=[OpenRequest(each[0], each[1], each[2], datetime.fromisoformat(each[3])) for each in row.requests],
    )


async def request_hash_of(tx: Transaction, request_id: str) -> str | None:
    """The hash of the form that made a request; None while there is none (of this customer)."""
    row = await tx.row("SELECT request_hash FROM apply_requests WHERE id = :id", id=request_id)
    return None if row is None else str(row.request_hash)


async def request(tx: Transaction, request_id: str) -> RequestPage | None:
    """A request with its story, in one statement; None when the reader has none such."""
    row = await tx.row(
        """SELECT r.*, c.name AS customer_name, k.number AS credit_number, k.kind AS credit_kind, b.unapplied, b.held,
                  (SELECT coalesce(jsonb_agg(jsonb_build_array(l.invoice_id, i.number, i.site, l.amount, l.approved,
                       coalesce(s.open, 0), coalesce(s.held, 0)) ORDER BY l.position), '[]'::jsonb)
                   FROM apply_lines l LEFT JOIN invoices i ON i.id = l.invoice_id LEFT JOIN balances s ON s.id = l.invoice_id
                   WHERE l.request_id = r.id) AS lines,
                  (SELECT coalesce(jsonb_agg(jsonb_build_array(t.kind, t.at, t.facts) ORDER BY t.seq), '[]'::jsonb)
                   FROM timeline t WHERE t.process_id = r.id) AS events
           FROM apply_requests r JOIN customers c ON c.id = r.customer_id JOIN credits k ON k.id = r.credit_id
           JOIN credit_balances b ON b.id = k.id WHERE r.id = :id""",
        id=request_id,
    )
    if row is None:
        return None
    given = {name: getattr(row, name) for name in RequestPage.__dataclass_fields__ if name not in {"lines", "events"}}
    return RequestPage(
        **{
            **given,
            "state": ApplyState(row.state),
            "credit_kind": CreditKind(row.credit_kind),
            "lines": [RequestLine._make(each) for each in row.lines],
            "events": [Event(kind, datetime.fromisoformat(at), facts) for kind, at, facts in row.events],
        }
    )
