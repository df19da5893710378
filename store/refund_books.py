"""What a refund does to the books, each once, in the transaction that stores what the provider told: invoices reopen,
the journal, the ERP's posting, the mail. Before that nothing moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain import booking, refunds
from domain.allocation import Line
from domain.booking import JournalEntry
from domain.lifecycles import PaymentState
from domain.money import Money
from store import differences, invoices, journal, outbox, snapshots, timeline, wanted
from store import refunds as rows
from store.database import Transaction
from store.refunds import RefundRow


async def succeed(tx: Transaction, row: RefundRow, *, provider_ref: str, erp: str, at: datetime) -> bool:
    """The money is back with the customer. The caller holds the payment's and the refund's lock."""
    moved = await tx.row(
        """WITH r AS (UPDATE refunds SET state = 'refunded', provider_ref = :ref, failure_code = NULL, changed_at = :at,
                             unknown_since = NULL, next_check_at = NULL
                      WHERE id = :id AND state IN ('sent', 'processing', 'unknown') RETURNING payment_id, amount)
           UPDATE payments SET refunding = refunding - r.amount, refunded = refunded + r.amount FROM r
           WHERE payments.id = r.payment_id RETURNING payments.captured, payments.returned, payments.refunded""",
        id=row.id,
        ref=provider_ref,
        at=at,
    )
    if moved is None:
        return False
    wished = await rows.lines(tx, row.id)
    await invoices.lock(tx, [line.invoice_id for line in wished])
    lying = await _nets(tx, row.payment_id)
    taken = [
        Line(invoice_id=line.invoice_id, minor=min(line.minor, lying[line.invoice_id]))
        for line in wished
        if lying.get(line.invoice_id, 0) > 0
    ]
    await _post(tx, row, taken, sign=-1, kind="refund", name="refunded", erp=erp, at=at)
    entry = booking.refunded(
        amount=row.amount.minor, deallocated=taken, customer_id=row.customer_id, connection_id=row.connection_id
    )
    await _book(tx, row, entry, kind="refunded", at=at)
    await wanted.trim(tx, row.payment_id)
    if moved.returned + moved.refunded > moved.captured:
        # The bank took the payment back while the refund was on its way: the customer has the money twice.
        amount = Money.of(moved.returned + moved.refunded - moved.captured, row.amount.currency)
        await differences.open_of_process(
            tx, row.payment_id, row.customer_id, kind="refund_after_return", amount=amount, at=at
        )
    await _mail(tx, row, "refund_done", at=at)
    await wanted.serve(tx, [line.invoice_id for line in taken], erp=erp, at=at)
    # Where a person changed our document in the ERP, what moved shows at once as more, or less, than there is.
    await snapshots.note_differences(tx, [line.invoice_id for line in taken], at=at)
    return True


async def fail(tx: Transaction, row: RefundRow, *, code: str, provider_ref: str | None, erp: str, at: datetime) -> bool:
    """It did not happen: the books stay as they are, and what it reserved is free again."""
    done = await tx.row(
        """UPDATE refunds SET state = 'failed', failure_code = :code, provider_ref = coalesce(:ref, provider_ref),
                  changed_at = :at, unknown_since = NULL, next_check_at = NULL
           WHERE id = :id AND state IN ('sent', 'processing', 'unknown') RETURNING 1""",
        id=row.id,
        code=code,
        ref=provider_ref,
        at=at,
    )
    if done is None:
        return False
    await rows.give_room_back(tx, row)
    await _tell(tx, row, "refund_failed", code=code, at=at)
    await serve_payment(tx, row.payment_id, erp=erp, at=at)
    return True


async def come_back(tx: Transaction, row: RefundRow, *, code: str, erp: str, at: datetime) -> bool:
    """It failed after it had succeeded: booked back by reversal. Per invoice what is open and held by nobody is settled
    again, the rest is unapplied with what it wanted: whoever paid the reopened invoice meanwhile keeps it.
    """
    done = await tx.row(
        """WITH r AS (UPDATE refunds SET state = 'failed', failure_code = :code, changed_at = :at
                      WHERE id = :id AND state = 'refunded' RETURNING payment_id, amount)
           UPDATE payments SET refunded = refunded - r.amount FROM r WHERE payments.id = r.payment_id
           RETURNING payments.state""",
        id=row.id,
        code=code,
        at=at,
    )
    if done is None:
        return False
    taken = await _taken(tx, row)
    await invoices.lock(tx, [line.invoice_id for line in taken])
    back: tuple[Line, ...] = ()
    if done.state != PaymentState.RETURNED:
        found = await tx.rows(
            "SELECT id, available FROM invoice_states WHERE id = ANY(:ids)", ids=[line.invoice_id for line in taken]
        )
        back = refunds.put_back(taken, {each.id: each.available for each in found})
    await _post(tx, row, back, sign=1, kind="refund_reversal", name="refund_came_back", erp=erp, at=at)
    entry = booking.refund_came_back(
        amount=row.amount.minor, allocated=back, customer_id=row.customer_id, connection_id=row.connection_id
    )
    await _book(tx, row, entry, kind="refund_came_back", at=at)
    if done.state != PaymentState.RETURNED:
        settled = {line.invoice_id: line.minor for line in back}
        wishes = [(line.invoice_id, line.minor - settled.get(line.invoice_id, 0)) for line in taken]
        waiting = [Line(invoice_id=each, minor=minor) for each, minor in wishes if minor > 0]
        await wanted.remember(tx, row.payment_id, waiting, erp=erp, at=at)
    await _mail(tx, row, "refund_came_back", at=at)
    await snapshots.note_differences(tx, [line.invoice_id for line in taken], at=at)
    return True


async def serve_payment(tx: Transaction, payment_id: str, *, erp: str, at: datetime) -> None:
    """Money of a payment is free again: what it still wants is offered it. The caller holds the payment's lock."""
    wishes = await tx.rows("SELECT invoice_id FROM wanted WHERE payment_id = :id", id=payment_id)
    if wishes:
        await invoices.lock(tx, [wish.invoice_id for wish in wishes])
        await wanted.serve(tx, [wish.invoice_id for wish in wishes], erp=erp, at=at)


async def _nets(tx: Transaction, payment_id: str) -> dict[str, int]:
    found = await tx.rows(
        "SELECT invoice_id, sum(amount)::bigint AS net FROM allocations WHERE payment_id = :id GROUP BY 1", id=payment_id
    )
    return {each.invoice_id: each.net for each in found}


async def _taken(tx: Transaction, row: RefundRow) -> tuple[Line, ...]:
    """What its success took off which invoice."""
    found = await tx.rows(
        """SELECT invoice_id, -sum(amount)::bigint AS minor FROM allocations WHERE posting_id = :id
           GROUP BY invoice_id ORDER BY invoice_id""",
        id=f"{row.payment_id}-refunded-{row.id}",
    )
    return tuple(Line(invoice_id=each.invoice_id, minor=each.minor) for each in found)


async def _post(
    tx: Transaction, row: RefundRow, lines: Sequence[Line], *, sign: int, kind: str, name: str, erp: str, at: datetime
) -> None:
    await tx.run(
        """WITH q AS (INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount,
                                      queued_at, currency)
                      VALUES (:posting, coalesce((SELECT c.connection_id FROM customers c WHERE c.id = :customer), :erp),
                              :kind, :payment, :customer, cast(:ids AS text[]) || cast(:payment AS text), :amount, :at,
                              (SELECT p.currency FROM payments p WHERE p.id = :payment))
                      RETURNING id)
           INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id, :payment, i.id, i.customer_id, t.amount, q.id, :at
           FROM q, unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)
           JOIN invoices i ON i.id = t.invoice_id""",
        posting=f"{row.payment_id}-{name}-{row.id}",
        kind=kind,
        erp=erp,
        payment=row.payment_id,
        customer=row.customer_id,
        amount=row.amount.minor,
        ids=[line.invoice_id for line in lines],
        amounts=[sign * line.minor for line in lines],
        at=at,
    )


async def _book(tx: Transaction, row: RefundRow, entry: JournalEntry, *, kind: str, at: datetime) -> None:
    await journal.book(
        tx,
        entry,
        entry_id=f"{row.id}/{kind}",
        process_id=row.payment_id,
        customer_id=row.customer_id,
        kind=kind,
        currency=row.amount.currency,
        at=at,
    )
    await _tell(tx, row, kind, at=at)


async def _tell(tx: Transaction, row: RefundRow, kind: str, *, at: datetime, code: str | None = None) -> None:
    facts: dict[str, str | int | None] = {"minor": row.amount.minor} | ({"code": code} if code is not None else {})
    await timeline.tell(
        tx, process_id=row.payment_id, customer_id=row.customer_id, kind=kind, at=at, once=row.id, facts=facts
    )


async def _mail(tx: Transaction, row: RefundRow, template: str, *, at: datetime) -> None:
    address = await tx.row("SELECT email FROM customers WHERE id = :id", id=row.customer_id)
    if address is not None and address.email is not None:
        await outbox.queue(
            tx,
            template=template,
            to_address=address.email,
            at=at,
            process_id=row.payment_id,
            customer_id=row.customer_id,
            facts={"refund_id": row.id},
            once=row.id,
        )
