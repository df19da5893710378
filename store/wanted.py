"""Late money that found its invoices taken: it waits unapplied and is served, oldest first, whenever room appears; or its
customer asks for it to be put elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain import booking
from domain.allocation import Line
from domain.lifecycles import REFUND_OPEN
from store import journal, timeline
from store.database import Transaction


async def remember(tx: Transaction, payment_id: str, wishes: Sequence[Line], *, erp: str, at: datetime) -> None:
    """What a payment would still settle if there were room; its money that lies on no invoice is a credit meanwhile."""
    await tx.run(
        """INSERT INTO credits (id, connection_id, erp_id, customer_id, number, kind, currency, issued_on, total, used,
                                read_seq, payment_id, changed_at)
           SELECT 'crd' || substr(p.id, 4), coalesce(c.connection_id, :erp), p.id, p.customer_id, upper(right(p.id, 6)),
                  'overpayment', p.currency, (p.opened_at AT TIME ZONE 'UTC')::date, p.captured, 0, 0, p.id, :at
           FROM payments p JOIN customers c ON c.id = p.customer_id WHERE p.id = :payment AND cast(:wishes AS int) > 0
           ON CONFLICT DO NOTHING""",
        payment=payment_id,
        wishes=len(wishes),
        erp=erp,
        at=at,
    )
    await tx.run(
        """INSERT INTO wanted (payment_id, invoice_id, customer_id, amount)
           SELECT :payment, t.invoice_id, i.customer_id, t.amount
           FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id,
               amount) JOIN invoices i ON i.id = t.invoice_id
           ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = wanted.amount + excluded.amount""",
        payment=payment_id,
        ids=[wish.invoice_id for wish in wishes],
        amounts=[wish.minor for wish in wishes],
    )


async def serve(tx: Transaction, invoice_ids: Sequence[str], *, erp: str, at: datetime) -> int:
    """Offer the room on these invoices to those who wait for it, before anyone can take a new hold.

    The invoices are locked by the caller, in the transaction that made the room. Answers how many wishes were served.
    """
    waiting = await tx.rows(
        """SELECT w.payment_id, w.invoice_id, w.amount, p.customer_id,
            p.currency FROM wanted w JOIN payments p ON p.id = w.payment_id
           WHERE w.invoice_id = ANY(:ids) ORDER BY w.seq FOR UPDATE""",
        ids=list(invoice_ids),
    )
    served = 0
    for wish in waiting:
        room = await tx.row("SELECT available FROM invoice_states WHERE id = :id", id=wish.invoice_id)
        free = await unapplied(tx, wish.payment_id)
        taken = min(wish.amount, room.available if room is not None else 0, free)
        if taken <= 0:
            continue
        await _apply(tx, wish.payment_id, wish.customer_id, wish.currency, wish.invoice_id, taken, erp=erp, at=at)
        served += 1
    return served


async def unapplied(tx: Transaction, payment_id: str) -> int:
    """What of a payment is tied to no invoice, and reserved by no refund and no request, in minor units."""
    row = await tx.row(
        """SELECT p.captured - p.returned - p.refunded
                  - coalesce((SELECT sum(a.amount) FROM allocations a WHERE a.payment_id = p.id), 0)
                  - coalesce((SELECT sum(h.amount) FROM credit_holds h JOIN credits k ON k.id = h.credit_id
                              WHERE k.payment_id = p.id), 0) AS free
           FROM payments p WHERE p.id = :id""",
        id=payment_id,
    )
    return int(row.free) - await refunding(tx, payment_id) if row is not None else 0


async def refunding(tx: Transaction, payment_id: str) -> int:
    """What refunds that are not over reserve of a payment's unapplied money: their amounts less their lines."""
    row = await tx.row(
        """SELECT coalesce(sum(r.amount - coalesce((SELECT sum(l.amount) FROM refund_lines l WHERE l.refund_id = r.id), 0)),
                           0)::bigint AS rest
           FROM refunds r WHERE r.payment_id = :id AND r.state = ANY(:open)""",
        id=payment_id,
        open=list(REFUND_OPEN),
    )
    return int(row.rest) if row is not None else 0


async def trim(tx: Transaction, payment_id: str) -> None:
    """No more is wanted than is unapplied: what was given back is not applied again. The youngest wishes go first."""
    await tx.run(
        """WITH p AS (SELECT greatest(captured - returned - refunded - coalesce((SELECT sum(a.amount) FROM allocations a
                             WHERE a.payment_id = payments.id), 0), 0) AS free FROM payments WHERE id = :id),
                w AS (SELECT invoice_id, amount, sum(amount) OVER (ORDER BY seq) AS upto FROM wanted WHERE payment_id = :id),
                d AS (DELETE FROM wanted USING w, p WHERE wanted.payment_id = :id AND wanted.invoice_id = w.invoice_id
                      AND w.upto - w.amount >= p.free)
           UPDATE wanted SET amount = p.free - (w.upto - w.amount) FROM w, p
           WHERE wanted.payment_id = :id AND wanted.invoice_id = w.invoice_id AND w.upto > p.free
             AND w.upto - w.amount < p.free""",
        id=payment_id,
    )


async def _apply(
    tx: Transaction, payment_id: str, customer_id: str, currency: str, invoice_id: str, minor: int, *, erp: str, at: datetime
) -> None:
    number = await tx.row(
        "SELECT count(*) AS n FROM postings WHERE payment_id = :id AND kind = 'application'", id=payment_id
    )
    assert number is not None
    event = f"applied-{number.n + 1}"
    posting_id = f"{payment_id}-{event}"
    await tx.run(
        """WITH q AS (INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount,
                                      queued_at, currency)
                      VALUES (:posting,
                              coalesce((SELECT c.connection_id FROM customers c WHERE c.id = :customer), :erp),
                              'application', :payment, :customer, ARRAY[:invoice, :payment], :minor,
                          :at, (SELECT p.currency FROM payments p WHERE p.id = :payment)) RETURNING id),
                w AS (UPDATE wanted SET amount = amount - :minor WHERE payment_id = :payment AND invoice_id =
                    :invoice AND amount > :minor RETURNING 1),
                d AS (DELETE FROM wanted WHERE payment_id = :payment AND invoice_id = :invoice AND amount = :minor)
           INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id, :payment, i.id, i.customer_id, :minor, q.id, :at FROM q,
               invoices i WHERE i.id = :invoice""",
        posting=posting_id,
        erp=erp,
        payment=payment_id,
        customer=customer_id,
        invoice=invoice_id,
        minor=minor,
        at=at,
    )
    entry = booking.applied(lines=[Line(invoice_id=invoice_id, minor=minor)], customer_id=customer_id)
    await journal.book(
        tx,
        entry,
        entry_id=f"{payment_id}/{event}",
        process_id=payment_id,
        customer_id=customer_id,
        kind="applied",
        currency=currency,
        at=at,
    )
    await timeline.tell(
        tx,
        process_id=payment_id,
        customer_id=customer_id,
        kind="applied",
        at=at,
        once=event,
        facts={"invoice_id": invoice_id, "minor": minor},
    )
