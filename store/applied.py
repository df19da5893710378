"""What the ERP's answer to a posting does to the request that it carries out, in the transaction of that answer."""

from __future__ import annotations

from datetime import datetime

from domain import deciding
from domain.lifecycles import ApplyState
from store import apply_requests, business, erp_credits, request_books, timeline
from store.apply_requests import applied_of, lines, load, lock_documents
from store.database import Transaction


async def confirmed(tx: Transaction, request_id: str, *, erp: str, at: datetime) -> None:
    """The ERP has it: applied, or taken off again; then what was reserved for that is free."""
    row = await load(tx, request_id, lock=True)
    if row is None or row.state not in {ApplyState.POSTING, ApplyState.UNDOING}:
        return
    to = ApplyState.APPLIED if row.state is ApplyState.POSTING else ApplyState.UNDONE
    await _move(tx, request_id, to, at=at)
    await timeline.tell(tx, process_id=request_id, customer_id=row.customer_id, kind=to.value, at=at, once=str(row.postings))
    if to is ApplyState.UNDONE:
        asked = await lines(tx, request_id)
        await lock_documents(tx, row, asked)
        await request_books.let_go(tx, request_id)
        await erp_credits.note_differences(tx, [row.credit_id], at=at)
        await request_books.serve(tx, row, [line.invoice_id for line in asked], erp=erp, at=at)
    await apply_requests.mail_customer(tx, row, "request_decided", at=at, outcome=to.value, once=str(row.postings))


async def refused(tx: Transaction, request_id: str, posting_id: str, *, sentence: str, at: datetime) -> None:
    """The ERP said no. An application: staff decide again, and what it asked for stays reserved. An undo: it stands as it
    stood. Either way the posting's allocations are answered by their opposites.
    """
    row = await load(tx, request_id, lock=True)
    if row is None or row.state not in {ApplyState.POSTING, ApplyState.UNDOING}:
        return
    asked = await lines(tx, request_id)
    await lock_documents(tx, row, asked)
    moved = applied_of(asked)
    if row.state is ApplyState.POSTING:
        await request_books.take_back(tx, row, moved, posting_id=posting_id, sign=1, at=at)
        await request_books.hold_again(tx, row, moved, at=at)
        settings = await business.load(tx)
        due = deciding.deadlines(at, settings)
        await tx.run(
            """UPDATE apply_requests SET state = 'posting_failed', version = version + 1, needs_second = false,
                      first_by = NULL, second_by = NULL, erp_words = :words, remind_at = :remind, escalate_at = :escalate,
                      expires_at = :expires, changed_at = :at WHERE id = :id""",
            id=request_id,
            words=sentence,
            remind=due.remind_at,
            escalate=due.escalate_at,
            expires=due.expires_at,
            at=at,
        )
    else:
        await request_books.take_back(tx, row, moved, posting_id=posting_id, sign=-1, at=at)
        await request_books.let_go(tx, request_id)
        await _move(tx, request_id, ApplyState.APPLIED, at=at)
        await tx.run("UPDATE apply_requests SET erp_words = :words WHERE id = :id", words=sentence, id=request_id)
    await erp_credits.note_differences(tx, [row.credit_id], at=at)
    await timeline.tell(
        tx,
        process_id=request_id,
        customer_id=row.customer_id,
        kind="erp_said_no",
        at=at,
        once=posting_id,
        facts={"words": sentence},
    )


async def _move(tx: Transaction, request_id: str, to: ApplyState, *, at: datetime) -> None:
    await tx.run(
        "UPDATE apply_requests SET state = :to, version = version + 1, changed_at = :at WHERE id = :id",
        to=to.value,
        at=at,
        id=request_id,
    )
