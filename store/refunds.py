"""Refunds: asked for, decided, sent, and what of a payment they reserve meanwhile. The books are in `refund_books`.

The payment's row is locked before the refund's, always. What is reserved is taken by one statement on the payment's row,
so that of any number at once no more is granted than was captured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.allocation import Line
from domain.lifecycles import REFUND_NOT_SENT, REFUND_OPEN, PaymentState, RefundState, refund_sources
from domain.money import Money
from domain.refunds import OnInvoice, Refundable
from domain.refusals import Refusal
from store import timeline, wanted
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """What is known before the first decision. `by` is a member of staff's id, or an API key's."""

    id: str
    payment_id: str
    customer_id: str
    amount: Money
    lines: tuple[Line, ...]
    reason: str
    note: str
    by: str
    run_id: str
    request_hash: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    """A refund as its process needs it."""

    id: str
    payment_id: str
    customer_id: str
    connection_id: str
    charge_ref: str | None
    amount: Money
    state: RefundState
    version: int
    run_id: str
    request_hash: str
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]
    needs_second: bool
    requested_by: str
    second_by: str | None
    ended_by: str | None
    refund_key: str
    first_sent_at: datetime | None
    sent_at: datetime | None
    provider_ref: str | None
    check_note: str | None


async def claim(tx: Transaction, new: NewRefund, *, at: datetime) -> bool:
    """Take the refund's own row: True for the one who made it. A second copy waits here for the first to commit."""
    row = await tx.row(
        """INSERT INTO refunds (id, payment_id, customer_id, amount, currency, state, run_id, request_hash, reason, note,
                                requested_by, refund_key, requested_at, changed_at)
           VALUES (:id, :payment, :customer, :amount, :currency, 'refused', :run, :hash, :reason, :note, :by, :key, :at, :at)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        id=new.id,
        payment=new.payment_id,
        customer=new.customer_id,
        amount=new.amount.minor,
        currency=new.amount.currency,
        run=new.run_id,
        hash=new.request_hash,
        reason=new.reason,
        note=new.note,
        by=new.by,
        key=new.key,
        at=at,
    )
    return row is not None


async def load(tx: Transaction, refund_id: str, *, lock: bool = False) -> RefundRow | None:
    """The row, its payment's locked before it when asked."""
    if lock:
        await tx.run(
            "SELECT 1 FROM payments WHERE id = (SELECT payment_id FROM refunds WHERE id = :id) FOR UPDATE", id=refund_id
        )
    row = await tx.row(
        f"""SELECT r.*, p.connection_id, p.provider_ref AS charge_ref FROM refunds r JOIN payments p ON p.id = r.payment_id
            WHERE r.id = :id {"FOR UPDATE OF r" if lock else ""}""",
        id=refund_id,
    )
    if row is None:
        return None
    return RefundRow(
        id=row.id,
        payment_id=row.payment_id,
        customer_id=row.customer_id,
        connection_id=row.connection_id,
        charge_ref=row.charge_ref,
        amount=Money.of(row.amount, row.currency),
        state=RefundState(row.state),
        version=row.version,
        run_id=row.run_id,
        request_hash=row.request_hash,
        refused_rule=row.refused_rule,
        refused_facts=row.refused_facts,
        needs_second=row.needs_second,
        requested_by=row.requested_by,
        second_by=row.second_by,
        ended_by=row.ended_by,
        refund_key=row.refund_key,
        first_sent_at=row.first_sent_at,
        sent_at=row.sent_at,
        provider_ref=row.provider_ref,
        check_note=row.check_note,
    )


async def lines(tx: Transaction, refund_id: str) -> tuple[Line, ...]:
    """What it takes off which invoice."""
    rows = await tx.rows(
        "SELECT invoice_id, amount FROM refund_lines WHERE refund_id = :id ORDER BY invoice_id", id=refund_id
    )
    return tuple(Line(invoice_id=row.invoice_id, minor=row.amount) for row in rows)


async def refundable(tx: Transaction, payment_id: str) -> Refundable | None:
    """What of a payment may go back now; what other refunds reserve is taken off. Decide only under the payment's lock."""
    row = await tx.row("SELECT * FROM payments WHERE id = :id", id=payment_id)
    if row is None:
        return None
    found = await tx.rows(
        """WITH settled AS (SELECT a.invoice_id, sum(a.amount)
                                   -- What a request has put there and the ERP may still refuse is not given back.
                                   - coalesce(sum(a.amount) FILTER (WHERE q.request_id IS NOT NULL AND a.amount > 0
                                                                    AND q.confirmed_seq IS NULL), 0) AS net
                            FROM allocations a JOIN postings q ON q.id = a.posting_id
                            WHERE a.payment_id = :id GROUP BY a.invoice_id HAVING sum(a.amount) > 0)
           SELECT i.id, i.number, greatest(a.net - coalesce(o.reserved, 0), 0)::bigint AS left, b.open
           FROM settled a JOIN invoices i ON i.id = a.invoice_id JOIN balances b ON b.id = i.id
           LEFT JOIN (SELECT l.invoice_id, sum(l.amount) AS reserved FROM refund_lines l
                      JOIN refunds r ON r.id = l.refund_id WHERE r.payment_id = :id AND r.state = ANY(:open)
                      GROUP BY l.invoice_id) o ON o.invoice_id = a.invoice_id
           ORDER BY i.issued_on DESC, i.due_on DESC, i.number DESC, i.id DESC""",
        id=payment_id,
        open=list(REFUND_OPEN),
    )
    return Refundable(
        payment_id=row.id,
        state=PaymentState(row.state),
        currency=row.currency,
        captured=row.captured,
        left=row.captured - row.returned - row.refunded - row.refunding,
        unapplied=await wanted.unapplied(tx, payment_id),
        on_invoices=tuple(
            OnInvoice(invoice_id=each.id, number=each.number, left=each.left, open=each.open) for each in found
        ),
    )


async def reserve(tx: Transaction, new: NewRefund, *, needs_second: bool, at: datetime) -> bool:
    """Take what it gives back off what is left of the payment, and its lines. False when there is not that much left."""
    taken = await tx.row(
        """UPDATE payments SET refunding = refunding + :amount
           WHERE id = :payment AND captured - returned - refunded - refunding >= :amount RETURNING 1""",
        payment=new.payment_id,
        amount=new.amount.minor,
    )
    if taken is None:
        return False
    state = RefundState.AWAITING_SECOND if needs_second else RefundState.REQUESTED
    await tx.run(
        """WITH r AS (UPDATE refunds SET state = :state, needs_second = :second WHERE id = :id RETURNING id)
           INSERT INTO refund_lines (refund_id, invoice_id, customer_id, amount)
           SELECT r.id, i.id, i.customer_id, t.amount
           FROM r, unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)
           JOIN invoices i ON i.id = t.invoice_id""",
        id=new.id,
        state=state,
        second=needs_second,
        ids=[line.invoice_id for line in new.lines],
        amounts=[line.minor for line in new.lines],
    )
    await _tell(tx, new.payment_id, new.customer_id, new.id, "refund_requested", at=at, by=new.by, minor=new.amount.minor)
    return True


async def refuse(tx: Transaction, refund_id: str, refusal: Refusal) -> None:
    """Store the decision that it was refused, with its rule: a second copy answers the same."""
    await tx.run(
        """UPDATE refunds SET refused_rule = :rule, refused_facts = cast(:facts AS jsonb)
           WHERE id = :id AND state = 'refused'""",
        id=refund_id,
        rule=refusal.rule,
        facts=json.dumps(dict(refusal.facts)),
    )


async def approve(tx: Transaction, refund_id: str, *, version: int, by: str, at: datetime) -> bool:
    """The second person agrees with what they saw. False when it has moved on, or was another version."""
    row = await tx.row(
        """UPDATE refunds SET state = 'requested', version = version + 1, second_by = :by, changed_at = :at
           WHERE id = :id AND version = :version AND state = 'awaiting_second' RETURNING payment_id, customer_id""",
        id=refund_id,
        version=version,
        by=by,
        at=at,
    )
    if row is not None:
        await _tell(tx, row.payment_id, row.customer_id, refund_id, "refund_approved", at=at, by=by)
    return row is not None


async def reject(tx: Transaction, row: RefundRow, *, version: int, by: str, at: datetime) -> bool:
    """A person says no before it has left. False when it has moved on. The caller holds the payment's lock."""
    done = await tx.row(
        """UPDATE refunds SET state = 'rejected', version = version + 1, ended_by = :by, changed_at = :at
           WHERE id = :id AND version = :version AND state = 'awaiting_second' RETURNING 1""",
        id=row.id,
        version=version,
        by=by,
        at=at,
    )
    if done is None:
        return False
    await give_room_back(tx, row)
    await _tell(tx, row.payment_id, row.customer_id, row.id, "refund_rejected", at=at, by=by)
    return True


async def reject_unsent(tx: Transaction, payment_id: str, *, at: datetime) -> None:
    """The payment itself is taken back: what has not left, leaves no more. The caller holds the payment's lock."""
    rows = await tx.rows(
        """UPDATE refunds SET state = 'rejected', version = version + 1, ended_by = 'payment_returned', changed_at = :at
           WHERE payment_id = :id AND state = ANY(:states) RETURNING id, customer_id, amount""",
        id=payment_id,
        states=list(REFUND_NOT_SENT),
        at=at,
    )
    for row in rows:
        await tx.run("UPDATE payments SET refunding = refunding - :a WHERE id = :id", id=payment_id, a=row.amount)
        await _tell(tx, payment_id, row.customer_id, row.id, "refund_rejected", at=at, by="payment_returned")


async def give_room_back(tx: Transaction, row: RefundRow) -> None:
    """What it reserved of its payment is free again."""
    await tx.run(
        "UPDATE payments SET refunding = refunding - :amount WHERE id = :id", id=row.payment_id, amount=row.amount.minor
    )


async def sending(tx: Transaction, refund_id: str, *, at: datetime) -> bool:
    """Written before it leaves: from here on it may have happened. False when it may not leave (any more)."""
    row = await tx.row(
        """UPDATE refunds SET state = 'sent', sent_at = :at, first_sent_at = coalesce(first_sent_at, :at), changed_at = :at
           WHERE id = :id AND state IN ('requested', 'sent', 'unknown') RETURNING payment_id, customer_id""",
        id=refund_id,
        at=at,
    )
    if row is not None:
        await _tell(tx, row.payment_id, row.customer_id, refund_id, "refund_sent", at=at)
    return row is not None


async def move(tx: Transaction, refund_id: str, state: RefundState, *, provider_ref: str | None, at: datetime) -> bool:
    """A state in which no money is booked and everything stays reserved: processing, unknown."""
    row = await tx.row(
        """UPDATE refunds SET state = :state, provider_ref = coalesce(:ref, provider_ref), changed_at = :at,
                  unknown_since = CASE WHEN :state = 'unknown' THEN coalesce(unknown_since, :at) END,
                  next_check_at = CASE WHEN :state = 'unknown' THEN next_check_at END
           WHERE id = :id AND state = ANY(:sources) RETURNING 1""",
        id=refund_id,
        state=state,
        ref=provider_ref,
        at=at,
        sources=list(refund_sources(state)),
    )
    return row is not None


async def checked(tx: Transaction, refund_id: str, *, at: datetime, next_at: datetime | None, note: str | None) -> None:
    """A look that changed nothing: when it was, when the next will be, and why it is not known yet."""
    await tx.run(
        """UPDATE refunds SET last_checked_at = :at, next_check_at = :next, check_note = coalesce(:note, check_note)
           WHERE id = :id""",
        id=refund_id,
        at=at,
        next=next_at,
        note=note,
    )


async def unknown_for(tx: Transaction, refund_id: str, *, at: datetime) -> timedelta:
    """How long it has been unknown; no time where it is not."""
    row = await tx.row("SELECT unknown_since FROM refunds WHERE id = :id AND state = 'unknown'", id=refund_id)
    return timedelta(0) if row is None or row.unknown_since is None else at - row.unknown_since


async def in_flight(tx: Transaction, *, requested_before: datetime) -> Sequence[str]:
    """Those that are not over and older than a moment: what a sweep compares with Temporal."""
    rows = await tx.rows(
        "SELECT id FROM refunds WHERE state = ANY(:open) AND requested_at < :before ORDER BY requested_at LIMIT 20000",
        open=list(REFUND_OPEN),
        before=requested_before,
    )
    return [row.id for row in rows]


async def left_behind(tx: Transaction, *, decided_before: datetime) -> Sequence[str]:
    """Those that may leave and have not for a moment: whoever wrote the second person's word may have died with it."""
    rows = await tx.rows(
        """SELECT id FROM refunds WHERE state = 'requested' AND second_by IS NOT NULL AND changed_at < :before
           ORDER BY changed_at LIMIT 200""",
        before=decided_before,
    )
    return [row.id for row in rows]


async def _tell(
    tx: Transaction,
    payment_id: str,
    customer_id: str,
    refund_id: str,
    kind: str,
    *,
    at: datetime,
    by: str | None = None,
    minor: int | None = None,
) -> None:
    """A refund's story is told with its payment's."""
    facts = {name: value for name, value in (("by", by), ("minor", minor)) if value is not None}
    await timeline.tell(tx, process_id=payment_id, customer_id=customer_id, kind=kind, at=at, once=refund_id, facts=facts)
