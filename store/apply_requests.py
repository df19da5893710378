"""Requests to apply a credit: opened, decided and carried out. The row owns the state; a workflow owns its timers.

One compare-and-set on (id, version, state) decides. An open request writes only its own rows and holds, so ending it
restores nothing from a copy. Locks: the request, its credit, the invoices in id order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.allocation import Line
from domain.credits import CreditFacts
from domain.deciding import Deadlines
from domain.invoices import InvoiceFacts
from domain.lifecycles import APPLY_OPEN, ApplyState, apply_sources
from domain.money import Money
from domain.payments import Plan
from domain.refusals import Refusal
from store import erp_credits, invoices, outbox, request_books, snapshots, timeline
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """What is known before the first decision."""

    id: str
    customer_id: str
    credit_id: str
    run_id: str
    request_hash: str
    channel: str
    requested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request as its process needs it. `payment_id`: the credit is what lies on no invoice of a payment of ours."""

    id: str
    customer_id: str
    credit_id: str
    payment_id: str | None
    amount: Money
    state: ApplyState
    version: int
    request_hash: str
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]
    needs_second: bool
    first_by: str | None
    second_by: str | None
    postings: int
    opened_at: datetime
    remind_at: datetime | None
    escalate_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLine:
    """What is asked for one invoice, and what of it was approved (None before that), in minor units."""

    invoice_id: str
    minor: int
    approved: int | None


async def claim(tx: Transaction, new: NewRequest, *, at: datetime) -> bool:
    """Take the request's own row: True for the one who made it. A second copy waits here for the first to commit.

    False as well where the credit is not one of the customer's family: the row could not refer to it.
    """
    row = await tx.row(
        """INSERT INTO apply_requests (id, customer_id, credit_id, currency, state, run_id, request_hash, channel,
                                       requested_by, opened_at, changed_at)
           SELECT :id, :customer, k.id, k.currency, 'opening', :run, :hash, :channel, :by, :at, :at
           FROM credits k WHERE k.id = :credit
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        id=new.id,
        customer=new.customer_id,
        credit=new.credit_id,
        run=new.run_id,
        hash=new.request_hash,
        channel=new.channel,
        by=new.requested_by,
        at=at,
    )
    return row is not None


async def load(tx: Transaction, request_id: str, *, lock: bool = False) -> RequestRow | None:
    """The row, locked when asked."""
    row = await tx.row(
        f"""SELECT r.*, k.payment_id FROM apply_requests r JOIN credits k ON k.id = r.credit_id
            WHERE r.id = :id {"FOR UPDATE OF r" if lock else ""}""",
        id=request_id,
    )
    if row is None:
        return None
    return RequestRow(
        id=row.id,
        customer_id=row.customer_id,
        credit_id=row.credit_id,
        payment_id=row.payment_id,
        amount=Money.of(row.amount, row.currency),
        state=ApplyState(row.state),
        version=row.version,
        request_hash=row.request_hash,
        refused_rule=row.refused_rule,
        refused_facts=row.refused_facts,
        needs_second=row.needs_second,
        first_by=row.first_by,
        second_by=row.second_by,
        postings=row.postings,
        opened_at=row.opened_at,
        remind_at=row.remind_at,
        escalate_at=row.escalate_at,
        expires_at=row.expires_at,
    )


async def lines(tx: Transaction, request_id: str) -> tuple[AskedLine, ...]:
    """What it asks for, in order."""
    rows = await tx.rows(
        "SELECT invoice_id, amount, approved FROM apply_lines WHERE request_id = :id ORDER BY position", id=request_id
    )
    return tuple(AskedLine(invoice_id=row.invoice_id, minor=row.amount, approved=row.approved) for row in rows)


async def was_taken(tx: Transaction, request_id: str, decision_id: str) -> bool:
    """Whether this very decision was carried out already."""
    return await tx.row("SELECT 1 FROM timeline WHERE id = :id", id=f"{request_id}/decided/{decision_id}") is not None


async def lock_documents(tx: Transaction, row: RequestRow, asked: Sequence[AskedLine]) -> None:
    """The credit, then the invoices: its own, and those that the money of its payment waits for."""
    await erp_credits.lock(tx, row.credit_id)
    await invoices.lock(tx, [*(line.invoice_id for line in asked), *await request_books.wishes(tx, row)])


async def refuse(tx: Transaction, request_id: str, customer_id: str, refusal: Refusal, *, at: datetime) -> None:
    """Store that a rule refused it, before anybody was asked: a second copy answers the same."""
    await tx.run(
        """UPDATE apply_requests SET state = 'refused', refused_rule = :rule, refused_facts = cast(:facts AS jsonb),
                  changed_at = :at WHERE id = :id AND state = 'opening'""",
        id=request_id,
        rule=refusal.rule,
        facts=json.dumps(dict(refusal.facts)),
        at=at,
    )
    await timeline.tell(
        tx, process_id=request_id, customer_id=customer_id, kind="refused", at=at, facts={"rule": refusal.rule}
    )


async def submit(tx: Transaction, request_id: str, plan: Plan, due: Deadlines, *, at: datetime) -> None:
    """Reserve what the plan takes, on both sides. The documents are locked and the plan was made from facts read after."""
    await tx.run(
        """WITH wished AS (SELECT * FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) WITH ORDINALITY
                           AS t(invoice_id, amount, position)),
                r AS (UPDATE apply_requests SET state = 'submitted', amount = :amount, remind_at = :remind,
                             escalate_at = :escalate, expires_at = :expires, changed_at = :at
                      WHERE id = :id AND state = 'opening' RETURNING *),
                l AS (INSERT INTO apply_lines (request_id, invoice_id, customer_id, amount, position)
                      SELECT r.id, w.invoice_id, i.customer_id, w.amount, w.position
                      FROM r, wished w JOIN invoices i ON i.id = w.invoice_id),
                h AS (INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at)
                      SELECT r.id, w.invoice_id, i.customer_id, w.amount, :at
                      FROM r, wished w JOIN invoices i ON i.id = w.invoice_id),
                c AS (INSERT INTO credit_holds (holder_id, credit_id, customer_id, amount, held_at)
                      SELECT r.id, r.credit_id, k.customer_id, r.amount, :at FROM r JOIN credits k ON k.id = r.credit_id)
           INSERT INTO timeline (id, process_id, customer_id, kind, facts, at)
           SELECT r.id || '/submitted', r.id, r.customer_id, 'submitted',
                  jsonb_build_object('invoices', cast(:count AS int), 'by', r.requested_by), :at FROM r""",
        id=request_id,
        ids=[line.invoice_id for line in plan.lines],
        amounts=[line.minor for line in plan.lines],
        count=len(plan.lines),
        amount=plan.amount.minor,
        remind=due.remind_at,
        escalate=due.escalate_at,
        expires=due.expires_at,
        at=at,
    )


async def approve_first(tx: Transaction, row: RequestRow, approved: Sequence[Line], *, by: str, at: datetime) -> bool:
    """The first of two people said yes: what it holds stays held. False when somebody decided meanwhile."""
    moved = await tx.row(
        """UPDATE apply_requests SET state = 'second', version = version + 1, needs_second = true, first_by = :by,
                  changed_at = :at
           WHERE id = :id AND version = :version AND state = ANY(:sources) RETURNING 1""",
        id=row.id,
        version=row.version,
        sources=sorted(apply_sources(ApplyState.SECOND)),
        by=by,
        at=at,
    )
    if moved is None:
        return False
    await _note_approved(tx, row.id, approved)
    await _tell(tx, row, "approved_first", at=at, facts={"by": by})
    return True


async def approve(
    tx: Transaction, row: RequestRow, approved: Sequence[Line], *, by: str, needs_second: bool, erp: str, at: datetime
) -> bool:
    """Holds become allocations, a balanced entry and the posting, in one transaction. The documents are locked and the
    amounts were checked against facts read after that. False when somebody decided meanwhile.
    """
    number = row.postings + 1
    moved = await tx.row(
        """UPDATE apply_requests SET state = 'posting', version = version + 1, postings = :number,
                  needs_second = :needs_second, first_by = coalesce(first_by, :by),
                  second_by = CASE WHEN :needs_second THEN :by END, erp_words = NULL, remind_at = NULL,
                  escalate_at = NULL, expires_at = NULL, changed_at = :at
           WHERE id = :id AND version = :version AND state = ANY(:sources) RETURNING 1""",
        id=row.id,
        version=row.version,
        sources=sorted(apply_sources(ApplyState.POSTING)),
        number=number,
        needs_second=needs_second,
        by=by,
        at=at,
    )
    if moved is None:
        return False
    await _note_approved(tx, row.id, approved)
    await request_books.let_go(tx, row.id)
    await request_books.carry(tx, row, approved, posting_id=f"{row.id}-applied-{number}", sign=1, at=at)
    await _tell(tx, row, "approved", at=at, once=str(number), facts={"by": by, "invoices": len(approved)})
    freed = {line.invoice_id for line in await lines(tx, row.id)} - {line.invoice_id for line in approved}
    await request_books.serve(tx, row, sorted(freed), erp=erp, at=at)
    return True


async def _note_approved(tx: Transaction, request_id: str, approved: Sequence[Line]) -> None:
    await tx.run(
        """UPDATE apply_lines l SET approved = coalesce((SELECT t.amount FROM
               unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)
               WHERE t.invoice_id = l.invoice_id), 0)
           WHERE l.request_id = :id""",
        id=request_id,
        ids=[line.invoice_id for line in approved],
        amounts=[line.minor for line in approved],
    )


async def end(
    tx: Transaction,
    row: RequestRow,
    to: ApplyState,
    *,
    by: str,
    reason: str | None,
    erp: str,
    at: datetime,
    any_version: bool = False,
) -> bool:
    """Rejected, withdrawn or expired: nothing was applied, what it held is free, and who waits for the room is served.

    A withdrawal and an expiry mean the request whatever it was told since (`any_version`); a rejection means what was seen.
    """
    moved = await tx.row(
        """UPDATE apply_requests SET state = :to, version = version + 1, ended_by = :by, reason = :reason,
                  remind_at = NULL, escalate_at = NULL, expires_at = NULL, changed_at = :at
           WHERE id = :id AND (version = :version OR :any_version) AND state = ANY(:sources) RETURNING 1""",
        id=row.id,
        version=row.version,
        any_version=any_version,
        to=to.value,
        sources=sorted(APPLY_OPEN),
        by=by,
        reason=reason,
        at=at,
    )
    if moved is None:
        return False
    asked = await lines(tx, row.id)
    await lock_documents(tx, row, asked)
    await request_books.let_go(tx, row.id)
    # What reserved more than there is no longer does: a sync that finds nothing new would not look again.
    await erp_credits.note_differences(tx, [row.credit_id], at=at)
    await snapshots.note_differences(tx, [line.invoice_id for line in asked], at=at)
    await _tell(tx, row, to.value, at=at, facts={"by": by})
    await request_books.serve(tx, row, [line.invoice_id for line in asked], erp=erp, at=at)
    return True


async def say(
    tx: Transaction, row: RequestRow, to: ApplyState, *, question: str | None, answer: str | None, by: str, at: datetime
) -> bool:
    """Staff ask, or the customer answers. False when somebody decided meanwhile."""
    moved = await tx.row(
        """UPDATE apply_requests SET state = :to, version = version + 1, question = coalesce(:question, question),
                  answer = CASE WHEN cast(:question AS text) IS NOT NULL THEN NULL ELSE :answer END, changed_at = :at
           WHERE id = :id AND version = :version AND state = ANY(:sources) RETURNING 1""",
        id=row.id,
        version=row.version,
        to=to.value,
        sources=sorted(apply_sources(to) & APPLY_OPEN),
        question=question,
        answer=answer,
        at=at,
    )
    if moved is None:
        return False
    kind = "asked" if question is not None else "answered"
    await _tell(tx, row, kind, at=at, once=str(row.version), facts={"by": by})
    return True


async def undo(tx: Transaction, row: RequestRow, *, by: str, reason: str, at: datetime) -> bool:
    """Take an applied credit off its invoices again: both sides are reserved until the ERP has done the same."""
    moved = await tx.row(
        """UPDATE apply_requests SET state = 'undoing', version = version + 1, postings = postings + 1, ended_by = :by,
                  reason = :reason, erp_words = NULL, changed_at = :at
           WHERE id = :id AND version = :version AND state = 'applied' RETURNING 1""",
        id=row.id,
        version=row.version,
        by=by,
        reason=reason,
        at=at,
    )
    if moved is None:
        return False
    applied = applied_of(await lines(tx, row.id))
    await request_books.carry(tx, row, applied, posting_id=f"{row.id}-undone-{row.postings + 1}", sign=-1, at=at)
    await request_books.hold_again(tx, row, applied, at=at)
    await _tell(tx, row, "undoing", at=at, once=str(row.postings + 1), facts={"by": by})
    return True


async def holds_of(tx: Transaction, request_id: str) -> Mapping[str, int]:
    """What it reserves, by the id of the credit and of each invoice."""
    rows = await tx.rows(
        """SELECT invoice_id AS id, amount FROM holds WHERE holder_id = :id
           UNION ALL SELECT credit_id, amount FROM credit_holds WHERE holder_id = :id""",
        id=request_id,
    )
    return {row.id: row.amount for row in rows}


async def both_sides(
    tx: Transaction, request_id: str, credit_id: str, invoice_ids: Sequence[str]
) -> tuple[CreditFacts | None, Mapping[str, InvoiceFacts]]:
    """The credit and the invoices as they are now, with what this request itself reserves added back.

    What a page shows before a decision, and what the decision then finds under lock: the same figures or it is refused.
    """
    credit = await erp_credits.facts(tx, credit_id, None)
    found = await invoices.facts(tx, invoice_ids, None)
    held = await holds_of(tx, request_id)
    mine = {
        key: replace(
            each,
            held_minor=each.held_minor - held.get(key, 0),
            requested_minor=each.requested_minor - held.get(key, 0),
        )
        for key, each in found.items()
    }
    if credit is not None:
        credit = replace(credit, held_minor=credit.held_minor - held.get(credit.id, 0))
    return credit, mine


def applied_of(asked: Sequence[AskedLine]) -> tuple[Line, ...]:
    """The approved part of each line."""
    return tuple(Line(invoice_id=line.invoice_id, minor=line.approved) for line in asked if line.approved)


async def mail_customer(
    tx: Transaction, row: RequestRow, template: str, *, at: datetime, outcome: str = "", once: str = ""
) -> None:
    """Tell the customer by mail, where there is an address: what became of it, or that something is asked."""
    address = await tx.row("SELECT email FROM customers WHERE id = :id", id=row.customer_id)
    if address is not None and address.email is not None:
        await outbox.queue(
            tx,
            template=template,
            to_address=address.email,
            at=at,
            process_id=row.id,
            customer_id=row.customer_id,
            facts={"outcome": outcome},
            once=f"{outcome}/{once}",
        )


async def alarmed(tx: Transaction, request_id: str, column: str) -> None:
    """A reminder was given (`remind_at`) or an escalation (`escalate_at`): it is not due again."""
    assert column in {"remind_at", "escalate_at"}
    await tx.run(f"UPDATE apply_requests SET {column} = NULL WHERE id = :id", id=request_id)


async def _tell(
    tx: Transaction,
    row: RequestRow,
    kind: str,
    *,
    at: datetime,
    once: str | None = None,
    facts: Mapping[str, str | int | None] | None = None,
) -> None:
    await timeline.tell(tx, process_id=row.id, customer_id=row.customer_id, kind=kind, at=at, once=once, facts=facts)


async def waiting_alone(tx: Transaction, *, opened_before: datetime) -> Sequence[str]:
    """Requests that are open or on their way and older than a moment: what a sweep compares with Temporal. One that is
    being taken off again is the poster's alone.
    """
    rows = await tx.rows(
        """SELECT id FROM apply_requests
           WHERE state IN ('opening', 'submitted', 'asked', 'second', 'posting', 'posting_failed')
             AND opened_at < :before ORDER BY opened_at LIMIT 20000""",
        before=opened_before,
    )
    return [row.id for row in rows]
