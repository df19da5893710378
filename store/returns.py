"""A debit sent back after success: what is allocated now is taken off the invoices,
in ledger and (by a posting) in the ERP."""

from __future__ import annotations

from datetime import datetime

from domain import booking
from domain.allocation import Line
from domain.lifecycles import PaymentState, payment_sources
from store import invoices, journal, outbox, payments, timeline, wanted
from store.database import Transaction


async def take_back(tx: Transaction, payment_id: str, *, code: str | None, erp: str, at: datetime) -> bool:
    """Book the return of a whole payment, once. False when it is not in a state that can return."""
    row = await payments.load(tx, payment_id, lock=True)
    if row is None or row.state not in payment_sources(PaymentState.RETURNED):
        return False
    touched = await tx.rows(
        "SELECT invoice_id, sum(amount)::bigint AS net FROM allocations WHERE payment_id = :id GROUP BY invoice_id",
        id=payment_id,
    )
    await invoices.lock(tx, [each.invoice_id for each in touched])
    nets = await tx.rows(
        """SELECT invoice_id, sum(amount)::bigint AS net FROM allocations WHERE payment_id = :id GROUP BY invoice_id
           HAVING sum(amount) > 0 ORDER BY invoice_id""",
        id=payment_id,
    )
    lines = [Line(invoice_id=each.invoice_id, minor=each.net) for each in nets]
    posting_id = f"{payment_id}-returned"
    await tx.run(
        """WITH p AS (UPDATE payments SET state = 'returned', returned = captured, failure_code = :code,
            changed_at = :at WHERE id = :id RETURNING *),
                w AS (DELETE FROM wanted WHERE payment_id = :id),
                q AS (INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
                      SELECT :posting, coalesce((SELECT c.connection_id FROM customers c WHERE c.id = p.customer_id), :erp),
                             'reversal', p.id, p.customer_id, cast(:ids AS text[]) || p.id,
                          p.captured, :at FROM p RETURNING id)
           INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id, :id, i.id, i.customer_id, -t.amount, q.id, :at
           FROM q, unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id,
               amount) JOIN invoices i ON i.id = t.invoice_id""",
        id=payment_id,
        posting=posting_id,
        erp=erp,
        code=code,
        ids=[line.invoice_id for line in lines],
        amounts=[line.minor for line in lines],
        at=at,
    )
    entry = booking.returned(
        amount=row.captured.minor, deallocated=lines, customer_id=row.customer_id, connection_id=row.connection_id
    )
    await journal.book(
        tx,
        entry,
        entry_id=f"{payment_id}/returned",
        process_id=payment_id,
        customer_id=row.customer_id,
        kind="returned",
        currency=row.amount.currency,
        at=at,
    )
    await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="returned", at=at, facts={"code": code})
    address = await tx.row("SELECT email FROM customers WHERE id = :id", id=row.customer_id)
    if address is not None and address.email is not None:
        await outbox.queue(
            tx,
            template="payment_returned",
            to_address=address.email,
            at=at,
            process_id=payment_id,
            customer_id=row.customer_id,
        )
    await wanted.serve(tx, [line.invoice_id for line in lines], erp=erp, at=at)
    return True
