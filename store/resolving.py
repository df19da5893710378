"""What a person decides about a posting that the ERP refused: send it again, dated today, without its invoices, or never.

The ERP has written nothing, so what goes out again goes out like a new one, under the same reference.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain import booking
from domain.allocation import Line
from domain.resolving import EVENTS, Resolution
from store import journal, timeline, wanted
from store.database import Transaction

_TAKEN: Final = {
    Resolution.AGAIN: "state = 'queued', error_code = NULL, error_text = NULL",
    Resolution.TODAY: "state = 'queued', error_code = NULL, error_text = NULL, dated_on = :on",
    Resolution.ON_ACCOUNT: "state = 'queued', error_code = NULL, error_text = NULL, docs = ARRAY[payment_id]",
    Resolution.IGNORE: "ignored_at = :at",
}


async def resolve(
    tx: Transaction, posting_id: str, how: Resolution, *, attempts: int, by: str, reason: str, at: datetime
) -> bool:
    """Carry a decision out. `attempts` is how often it had been sent when that person looked.

    False when it has moved on since, or cannot be decided so; taken twice, the same decision is one.
    """
    if how is Resolution.NOW:
        return await _at_once(tx, posting_id, attempts=attempts)
    once = f"{posting_id}/{attempts}"
    if how is Resolution.ON_ACCOUNT and not await _locked(tx, posting_id):
        return await _was_taken(tx, posting_id, how, once)
    row = await tx.row(
        f"""UPDATE postings SET {_TAKEN[how]}
            WHERE id = :id AND state = 'refused' AND ignored_at IS NULL AND attempts = :attempts
            RETURNING id, payment_id, customer_id, currency, connection_id""",
        id=posting_id,
        attempts=attempts,
        at=at,
        on=at.date(),
    )
    if row is None:
        return await _was_taken(tx, posting_id, how, once)
    if how is Resolution.ON_ACCOUNT:
        await _off_its_invoices(tx, row, at=at)
    facts = {"by": by, **({"reason": reason} if reason else {}), **({"dated": "today"} if how is Resolution.TODAY else {})}
    await timeline.tell(
        tx,
        process_id=row.payment_id,
        customer_id=row.customer_id,
        kind=EVENTS[how],
        at=at,
        once=once,
        facts=facts,
    )
    return True


async def _at_once(tx: Transaction, posting_id: str, *, attempts: int) -> bool:
    """It waits for no time any more. What may be there already is asked for all the same, never sent before its quiet time
    is over. False when it is through, refused or not to be sent.
    """
    found = await tx.row(
        """UPDATE postings SET look_at = NULL
           WHERE id = :id AND confirmed_seq IS NULL AND state IN ('queued', 'sent', 'unknown') AND ignored_at IS NULL
             AND attempts = :attempts RETURNING 1""",
        id=posting_id,
        attempts=attempts,
    )
    return found is not None


async def _was_taken(tx: Transaction, posting_id: str, how: Resolution, once: str) -> bool:
    known = await tx.row(
        """SELECT 1 FROM timeline t JOIN postings q ON t.id = q.payment_id || '/' || :kind || '/' || :once
           WHERE q.id = :id""",
        id=posting_id,
        kind=EVENTS[how],
        once=once,
    )
    return known is not None


async def _locked(tx: Transaction, posting_id: str) -> bool:
    """Lock the payment, then its invoices in id order. False where something was built on its lines already: a return, a
    refund, an application; then there is no going back to 'on account'.
    """
    row = await tx.row(
        """SELECT p.id FROM payments p JOIN postings q ON q.payment_id = p.id
           WHERE q.id = :id AND q.kind = 'payment' AND p.state IN ('captured', 'settled') AND p.refunding = 0
             AND p.refunded = 0
             AND NOT EXISTS (SELECT 1 FROM postings o WHERE o.payment_id = p.id AND o.id <> q.id)
           FOR UPDATE OF p""",
        id=posting_id,
    )
    if row is None:
        return False
    await tx.rows(
        """SELECT 1 FROM invoices WHERE id IN (SELECT invoice_id FROM allocations WHERE posting_id = :id)
           ORDER BY id FOR NO KEY UPDATE""",
        id=posting_id,
    )
    return True


async def _off_its_invoices(tx: Transaction, row: Any, *, at: datetime) -> None:
    """The money is unapplied: each allocation is answered by its opposite, under the same posting."""
    taken = await tx.rows(
        """INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT :id || '/' || a.invoice_id || '/on_account', a.payment_id, a.invoice_id, a.customer_id, -sum(a.amount),
                  :id, :at
           FROM allocations a WHERE a.posting_id = :id
           GROUP BY a.payment_id, a.invoice_id, a.customer_id HAVING sum(a.amount) > 0
           RETURNING invoice_id, -amount AS minor""",
        id=row.id,
        at=at,
    )
    if not taken:
        return
    moved = [Line(invoice_id=each.invoice_id, minor=each.minor) for each in taken]
    await journal.book(
        tx,
        booking.applied(lines=moved, customer_id=row.customer_id, back=True),
        entry_id=f"{row.payment_id}/on_account",
        process_id=row.payment_id,
        customer_id=row.customer_id,
        kind="unapplied",
        currency=row.currency,
        at=at,
    )
    await wanted.serve(tx, sorted(line.invoice_id for line in moved), erp=row.connection_id, at=at)
