"""What the books say of one process, for whoever counts after a crash. Reading only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSeen:
    """A payment and everything that hangs on it, counted."""

    state: str
    captured: int
    action_url: str | None
    holds: int
    allocated: int
    postings: int
    confirmed: int
    receipts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSeen:
    """A method's set-up as far as it came."""

    state: str
    page_url: str | None
    method_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSeen:
    """One saved method of a customer, removed ones included."""

    id: str
    token: str
    state: str
    is_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSeen:
    """A request to apply a credit: `left` of the credit, `open` of its invoices, `holds` on both, `unread` postings that the
    ERP has and that were not read back.
    """

    state: str
    version: int
    left: int
    open: int
    holds: int
    unread: int


async def payment(tx: Transaction, payment_id: str) -> PaymentSeen | None:
    """The payment, or None while it has no row."""
    row = await tx.row(
        """SELECT p.state, p.captured, p.action_url,
                  (SELECT count(*) FROM holds h WHERE h.holder_id = p.id) AS holds,
                  (SELECT coalesce(sum(a.amount), 0)::bigint FROM allocations a WHERE a.payment_id = p.id) AS allocated,
                  (SELECT count(*) FROM postings o WHERE o.payment_id = p.id) AS postings,
                  (SELECT count(*) FROM postings o WHERE o.payment_id = p.id AND o.state = 'confirmed') AS confirmed,
                  (SELECT count(*) FROM outbox m WHERE m.process_id = p.id AND m.template = 'receipt') AS receipts
           FROM payments p WHERE p.id = :id""",
        id=payment_id,
    )
    return None if row is None else PaymentSeen(**{each.name: getattr(row, each.name) for each in fields(PaymentSeen)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSeen:
    """A refund, and what its payment still reserves for refunds."""

    state: str
    refunding: int


async def refund(tx: Transaction, refund_id: str) -> RefundSeen | None:
    """The refund, or None while it has no row."""
    row = await tx.row(
        "SELECT r.state, p.refunding FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = :id", id=refund_id
    )
    return None if row is None else RefundSeen(state=row.state, refunding=row.refunding)


async def setup(tx: Transaction, setup_id: str) -> SetupSeen | None:
    """The set-up, or None while it has no row."""
    row = await tx.row("SELECT state, page_url, method_id FROM method_setups WHERE id = :id", id=setup_id)
    return None if row is None else SetupSeen(**{each.name: getattr(row, each.name) for each in fields(SetupSeen)})


async def methods(tx: Transaction, customer_id: str) -> Sequence[MethodSeen]:
    """Every method that the customer has or had, the oldest first."""
    rows = await tx.rows(
        "SELECT id, token, state, is_default FROM payment_methods WHERE customer_id = :id ORDER BY added_at, id",
        id=customer_id,
    )
    return [MethodSeen(**{each.name: getattr(row, each.name) for each in fields(MethodSeen)}) for row in rows]


async def account(tx: Transaction, number: str) -> tuple[str, Sequence[str]] | None:
    """A customer's id by its number, and the ids of its invoices, the oldest first; None while it is not known."""
    rows = await tx.rows(
        """SELECT c.id, i.id AS invoice_id FROM customers c LEFT JOIN invoices i ON i.customer_id = c.id
           WHERE c.number = :number ORDER BY i.issued_on, i.number""",
        number=number,
    )
    return (rows[0].id, [row.invoice_id for row in rows if row.invoice_id is not None]) if rows else None


async def invoice_totals(tx: Transaction, number: str) -> Sequence[int]:
    """What each invoice with this number comes to: one row, or the sync took it twice."""
    return [row.total for row in await tx.rows("SELECT total FROM invoices WHERE number = :number", number=number)]


async def open_and_held(tx: Transaction, invoice_ids: Sequence[str]) -> Sequence[tuple[int, int]]:
    """What each invoice still owes and what of it is held, in the order of their ids."""
    rows = await tx.rows("SELECT open, held FROM invoice_states WHERE id = ANY(:ids) ORDER BY id", ids=list(invoice_ids))
    return [(row.open, row.held) for row in rows]


async def paid_in_all(tx: Transaction, invoice_ids: Sequence[str]) -> int:
    """What payments have been allocated to these invoices."""
    row = await tx.row(
        "SELECT coalesce(sum(amount), 0)::bigint AS paid FROM allocations WHERE invoice_id = ANY(:ids)",
        ids=list(invoice_ids),
    )
    return int(row.paid) if row is not None else 0


async def payments_of(tx: Transaction, customer_id: str) -> Sequence[tuple[str, str, int]]:
    """(id, state, captured) of each payment of a customer, the oldest first."""
    rows = await tx.rows(
        "SELECT id, state, captured FROM payments WHERE customer_id = :id ORDER BY opened_at, id", id=customer_id
    )
    return [(row.id, row.state, row.captured) for row in rows]


async def mails_sent(tx: Transaction, process_id: str) -> int:
    """How many mails of a process were handed over, as far as the outbox knows."""
    row = await tx.row("SELECT count(*) AS sent FROM outbox WHERE process_id = :id AND state = 'sent'", id=process_id)
    return int(row.sent) if row is not None else 0


async def trial_balance(tx: Transaction) -> int:
    """How far the journal is off, over all currencies. 0, or something is wrong."""
    row = await tx.row(
        """SELECT coalesce(sum(abs(s)), 0)::bigint AS off
           FROM (SELECT sum(amount) AS s FROM journal_lines GROUP BY currency) t"""
    )
    return int(row.off) if row is not None else 0


async def deadlocks(tx: Transaction) -> int:
    """How many deadlocks this database has had to break."""
    row = await tx.row("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(row.deadlocks) if row is not None else 0


async def address_of(tx: Transaction, customer_id: str) -> str:
    """Where a customer's mail goes; '' where nobody knows."""
    row = await tx.row("SELECT email FROM customers WHERE id = :id", id=customer_id)
    return "" if row is None or row.email is None else str(row.email)


async def erp_id_of_customer(tx: Transaction, customer_id: str) -> str:
    """What the ERP calls a customer."""
    row = await tx.row("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
    assert row is not None
    return str(row.erp_id)


async def credit_of(tx: Transaction, customer_id: str) -> tuple[str, str] | None:
    """A customer's first credit, by our id and by the ERP's; None while it is not known."""
    row = await tx.row(
        "SELECT id, erp_id FROM credits WHERE customer_id = :id ORDER BY issued_on, id LIMIT 1", id=customer_id
    )
    return None if row is None else (row.id, row.erp_id)


async def request(tx: Transaction, request_id: str) -> RequestSeen | None:
    """The request, or None while it has no row."""
    row = await tx.row(
        """SELECT r.state, r.version, b.unapplied AS left,
                  (SELECT coalesce(sum(i.open), 0)::bigint FROM apply_lines l JOIN balances i ON i.id = l.invoice_id
                   WHERE l.request_id = r.id) AS open,
                  (SELECT count(*) FROM holds h WHERE h.holder_id = r.id)
                  + (SELECT count(*) FROM credit_holds h WHERE h.holder_id = r.id) AS holds,
                  (SELECT count(*) FROM postings o WHERE o.request_id = r.id AND o.read_back_at IS NULL) AS unread
           FROM apply_requests r JOIN credit_balances b ON b.id = r.credit_id WHERE r.id = :id""",
        id=request_id,
    )
    return None if row is None else RequestSeen(**{each.name: getattr(row, each.name) for each in fields(RequestSeen)})


async def erp_id_of(tx: Transaction, invoice_id: str) -> str:
    """What the ERP calls an invoice."""
    row = await tx.row("SELECT erp_id FROM invoices WHERE id = :id", id=invoice_id)
    assert row is not None
    return str(row.erp_id)


async def refused_postings(tx: Transaction, payment_id: str) -> int:
    """How many of a payment's postings the ERP has refused and nobody has decided about."""
    row = await tx.row("SELECT count(*) AS n FROM postings WHERE payment_id = :id AND state = 'refused'", id=payment_id)
    assert row is not None
    return int(row.n)


async def reflected(tx: Transaction, payment_ids: Sequence[str]) -> int:
    """How many of these payments the ERP has, with every invoice read back from there since."""
    row = await tx.row(
        """SELECT count(*) AS n FROM postings q
           WHERE q.payment_id = ANY(:ids) AND q.kind = 'payment' AND q.confirmed_seq IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM allocations a JOIN invoices i ON i.id = a.invoice_id
                             WHERE a.posting_id = q.id AND i.read_seq <= q.confirmed_seq)""",
        ids=list(payment_ids),
    )
    return int(row.n) if row is not None else 0


async def differences_of(tx: Transaction, payment_id: str) -> int:
    """How many differences were ever opened about a payment's document or its charges."""
    row = await tx.row("SELECT count(*) AS n FROM differences WHERE process_id = :id", id=payment_id)
    return int(row.n) if row is not None else 0


async def compared_since(tx: Transaction, at: datetime) -> bool:
    """Whether a comparison that began after a moment has ended, and could ask everybody."""
    row = await tx.row(
        """SELECT 1 FROM reconciliations WHERE started_at > :at AND finished_at IS NOT NULL
           AND NOT jsonb_path_exists(sides, '$.*.problem') LIMIT 1""",
        at=at,
    )
    return row is not None
