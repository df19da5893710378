"""Money that a bank takes back after success (a debit sent back, a dispute that is lost): what is allocated now is taken off
the invoices, in ledger and (by a posting) in the ERP.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain import booking
from domain.allocation import Line
from domain.lifecycles import PaymentState, payment_sources
from store import erp_credits, invoices, journal, outbox, payments, refunds, timeline, wanted
from store.database import Transaction


async def take_back(tx: Transaction, payment_id: str, *, code: str | None, erp: str, at: datetime) -> bool:
    """Book the return of a whole payment, once. False when it is not in a state that can return."""
    row = await payments.load(tx, payment_id, lock=True)
    if row is None or row.state not in payment_sources(PaymentState.RETURNED):
        return False
    await refunds.reject_unsent(tx, payment_id, at=at)
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
    # What went back as a refund does not go back a second time.
    amount = row.captured.minor - await refunded(tx, payment_id)
    posting_id = f"{payment_id}-returned"
    await tx.run(
        """WITH p AS (UPDATE payments SET state = 'returned', returned = :amount, failure_code = :code,
            changed_at = :at WHERE id = :id RETURNING *),
                w AS (DELETE FROM wanted WHERE payment_id = :id),
                q AS (INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, currency,
                                      queued_at)
                      SELECT :posting, coalesce((SELECT c.connection_id FROM customers c WHERE c.id = p.customer_id), :erp),
                             'reversal', p.id, p.customer_id, cast(:ids AS text[]) || p.id,
                          p.returned, p.currency, :at FROM p WHERE p.returned > 0 RETURNING id)
           INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id, :id, i.id, i.customer_id, -t.amount, q.id, :at
           FROM q, unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id,
               amount) JOIN invoices i ON i.id = t.invoice_id""",
        id=payment_id,
        posting=posting_id,
        amount=amount,
        erp=erp,
        code=code,
        ids=[line.invoice_id for line in lines],
        amounts=[line.minor for line in lines],
        at=at,
    )
    if amount > 0:
        await _book(tx, row, amount, lines, at=at)
    facts = {"code": code}
    if row.state is PaymentState.DISPUTED:
        await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="dispute_lost", at=at, facts=facts)
    else:
        await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="returned", at=at, facts=facts)
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
    asked_for = await tx.rows("SELECT id FROM credits WHERE payment_id = :id", id=payment_id)
    await erp_credits.note_differences(tx, [each.id for each in asked_for], at=at)
    return True


async def returned(tx: Transaction, payment_id: str) -> int:
    """What of a payment its bank has taken back, in minor units."""
    row = await tx.row("SELECT returned FROM payments WHERE id = :id", id=payment_id)
    return int(row.returned) if row is not None else 0


async def refunded(tx: Transaction, payment_id: str) -> int:
    """What of a payment is back with the customer already, in minor units."""
    row = await tx.row("SELECT refunded FROM payments WHERE id = :id", id=payment_id)
    return int(row.refunded) if row is not None else 0


async def _book(tx: Transaction, row: payments.PaymentRow, amount: int, lines: Sequence[Line], *, at: datetime) -> None:
    entry = booking.returned(amount=amount, deallocated=lines, customer_id=row.customer_id, connection_id=row.connection_id)
    await journal.book(
        tx,
        entry,
        entry_id=f"{row.id}/returned",
        process_id=row.id,
        customer_id=row.customer_id,
        kind="returned",
        currency=row.amount.currency,
        at=at,
    )
