"""Payments and set-ups as their pages tell them: the row, what it covers, its timeline and what the books say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Row

from domain.lifecycles import PaymentState, SetupState
from domain.methods import MethodKind
from store.database import Transaction

PAGE: Final = 50


class Event(NamedTuple):
    """One event of a timeline, in order."""

    kind: str
    at: datetime
    facts: Mapping[str, Any]


class Covered(NamedTuple):
    """An invoice that a payment was asked to cover, in minor units, and what it covers now (returns taken off).

    `number` is None for one that the customer may not see any more.
    """

    invoice_id: str
    number: str | None
    site: str | None
    asked: int
    covers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPage:
    """Everything that a payment's page says. Amounts are minor units of `currency`."""

    id: str
    currency: str
    amount: int
    state: PaymentState
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]
    method_kind: MethodKind
    method_label: str
    failure_code: str | None
    expected_on: date | None
    captured: int
    returned: int
    refunding: int
    refunded: int
    action_url: str | None
    started_by: str
    opened_at: datetime
    changed_at: datetime
    unknown_since: datetime | None
    last_checked_at: datetime | None
    next_check_at: datetime | None
    check_note: str | None
    covered: Sequence[Covered]
    events: Sequence[Event]
    is_posted: bool
    credit_id: str | None  # under which what lies on no invoice is listed and may be asked for

    @property
    def unapplied(self) -> int:
        """Money that came and covers no invoice."""
        return max(self.captured - self.returned - self.refunded - sum(each.covers for each in self.covered), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPage:
    """Everything that a set-up's page says."""

    id: str
    kind: MethodKind
    state: SetupState
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]
    page_url: str | None
    method_id: str | None
    method_label: str | None
    failure_code: str | None
    return_path: str
    opened_at: datetime
    events: Sequence[Event]


class ListedPayment(NamedTuple):
    """One row of the list: a payment made here, or (with a `number`) one that was entered in the ERP, such as a transfer.

    Of the latter `captured` is what it covers, and only the day of `opened_at` is known.
    """

    id: str
    currency: str
    amount: int
    state: str
    method_label: str
    opened_at: datetime
    refused_rule: str | None
    captured: int
    refunding: int
    refunded: int
    invoices: Sequence[tuple[str | None, int]]  # number, minor units
    number: str | None


_EVENTS: Final = """(SELECT coalesce(jsonb_agg(jsonb_build_array(t.kind, t.at, t.facts) ORDER BY t.seq), '[]'::jsonb)
    FROM timeline t WHERE t.process_id = {0}.id) AS events"""


async def request_hash_of(tx: Transaction, payment_id: str) -> str | None:
    """The hash of the form that made a payment; None while there is no such payment (of this customer)."""
    row = await tx.row("SELECT request_hash FROM payments WHERE id = :id", id=payment_id)
    return None if row is None else str(row.request_hash)


async def setup_hash_of(tx: Transaction, setup_id: str) -> str | None:
    """The same for a set-up."""
    row = await tx.row("SELECT request_hash FROM method_setups WHERE id = :id", id=setup_id)
    return None if row is None else str(row.request_hash)


async def detach_error_of(tx: Transaction, method_id: str) -> str | None:
    """Why the provider kept a method that was to be deleted; None when it did not."""
    row = await tx.row("SELECT detach_error FROM payment_methods WHERE id = :id AND state = 'active'", id=method_id)
    return None if row is None else row.detach_error


async def is_somebodys(tx: Transaction, process_id: str, *, but: Sequence[str]) -> bool:
    """Whether a payment, a set-up or a request of that id is somebody else's. Asked as staff, where a portal found none.

    `but` are the ones who ask: their own row may have been written since they looked.
    """
    row = await tx.row(
        """SELECT EXISTS (SELECT 1 FROM payments WHERE id = :id AND customer_id <> ALL(:but))
                  OR EXISTS (SELECT 1 FROM method_setups WHERE id = :id AND customer_id <> ALL(:but))
                  OR EXISTS (SELECT 1 FROM apply_requests WHERE id = :id AND customer_id <> ALL(:but)) AS is""",
        id=process_id,
        but=list(but),
    )
    return bool(row is not None and row[0])


async def payment_page(tx: Transaction, payment_id: str) -> PaymentPage | None:
    """A payment with its story, in one statement; None when this customer has none such."""
    row = await tx.row(
        f"""SELECT p.*, {_EVENTS.format("p")},
               (SELECT coalesce(jsonb_agg(jsonb_build_array(l.invoice_id, i.number, i.site, l.amount, coalesce(
                    (SELECT sum(a.amount) FROM allocations a WHERE a.payment_id = p.id AND a.invoice_id = l.invoice_id), 0))
                    ORDER BY l.position), '[]'::jsonb)
                FROM (SELECT n.invoice_id, n.amount, n.position FROM payment_lines n WHERE n.payment_id = p.id
                      UNION ALL  -- what was put elsewhere later, because the customer asked for it
                      SELECT a.invoice_id, 0, 1000 FROM allocations a
                      WHERE a.payment_id = p.id AND NOT EXISTS (SELECT 1 FROM payment_lines n WHERE n.payment_id = p.id
                                                                AND n.invoice_id = a.invoice_id)
                      GROUP BY a.invoice_id HAVING sum(a.amount) > 0) l
                LEFT JOIN invoices i ON i.id = l.invoice_id) AS covered,
               (SELECT k.id FROM credits k WHERE k.payment_id = p.id) AS credit_id,
               EXISTS (SELECT 1 FROM postings q WHERE q.payment_id = p.id AND q.state = 'confirmed') AS is_posted
            FROM payments p WHERE p.id = :id""",
        id=payment_id,
    )
    if row is None:
        return None
    return PaymentPage(
        id=row.id,
        currency=row.currency,
        amount=row.amount,
        state=PaymentState(row.state),
        refused_rule=row.refused_rule,
        refused_facts=row.refused_facts,
        method_kind=MethodKind(row.method_kind),
        method_label=row.method_label,
        failure_code=row.failure_code,
        expected_on=date.fromisoformat(row.expected_on) if row.expected_on else None,
        captured=row.captured,
        returned=row.returned,
        refunding=row.refunding,
        refunded=row.refunded,
        action_url=row.action_url,
        started_by=row.started_by,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        unknown_since=row.unknown_since,
        last_checked_at=row.last_checked_at,
        next_check_at=row.next_check_at,
        check_note=row.check_note,
        covered=[Covered(each[0], each[1], each[2], int(each[3]), int(each[4])) for each in row.covered],
        events=_events(row),
        is_posted=row.is_posted,
        credit_id=row.credit_id,
    )


async def setup_page(tx: Transaction, setup_id: str) -> SetupPage | None:
    """A set-up with its story, in one statement; None when this customer has none such."""
    row = await tx.row(
        f"""SELECT s.*, {_EVENTS.format("s")}, m.brand, m.last4, m.kind AS saved_kind
            FROM method_setups s LEFT JOIN payment_methods m ON m.id = s.method_id WHERE s.id = :id""",
        id=setup_id,
    )
    if row is None:
        return None
    label = None
    if row.brand is not None:
        label = f"{row.brand.title() if MethodKind(row.saved_kind).is_card else row.brand} ending {row.last4}"
    return SetupPage(
        id=row.id,
        kind=MethodKind(row.kind),
        state=SetupState(row.state),
        refused_rule=row.refused_rule,
        refused_facts=row.refused_facts,
        page_url=row.page_url,
        method_id=row.method_id,
        method_label=label,
        failure_code=row.failure_code,
        return_path=row.return_path,
        opened_at=row.opened_at,
        events=_events(row),
    )


async def list_payments(tx: Transaction, *, page: int) -> Sequence[ListedPayment]:
    """A page of payments, the newest first, one more than fits so that one knows whether there are more.

    What Duly posted is told by its own row, whatever the ERP says of it; what people entered there, by the ERP's.
    """
    rows = await tx.rows(
        """SELECT p.id, p.currency, p.amount, p.state, p.method_label, p.opened_at, p.refused_rule, p.captured,
                  p.refunding, p.refunded,
                  (SELECT coalesce(jsonb_agg(jsonb_build_array(i.number, l.amount) ORDER BY l.position), '[]'::jsonb)
                   FROM payment_lines l LEFT JOIN invoices i ON i.id = l.invoice_id WHERE l.payment_id = p.id) AS invoices,
                  NULL AS number
           FROM payments p
           UNION ALL
           SELECT k.id, k.currency, k.total, 'entered', coalesce(k.origin, ''), k.issued_on::timestamptz, NULL, k.used, 0, 0,
                  (SELECT coalesce(jsonb_agg(jsonb_build_array(a ->> 'invoice', (a ->> 'amount')::bigint)), '[]'::jsonb)
                   FROM jsonb_array_elements(k.applications) a), k.number
           FROM credits k WHERE k.kind = 'payment' AND NOT k.deleted
           ORDER BY opened_at DESC, id DESC LIMIT :size OFFSET :skip""",
        size=PAGE + 1,
        skip=(page - 1) * PAGE,
    )
    return [ListedPayment._make(row) for row in rows]


def _events(row: Row[Any]) -> Sequence[Event]:
    return [Event(kind, datetime.fromisoformat(at), facts) for kind, at, facts in row.events]
