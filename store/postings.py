"""Postings: one write to the ERP each, ordered by document, claimed one by one just before it is sent.

Fencing makes one *recorded* outcome. A posting that was sent by somebody else is looked up, never resent, until its
quiet time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.allocation import Line
from domain.lifecycles import PostingState
from store import applied, timeline
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What the poster needs to write one document. Amounts in minor units; `lines` are by the ERP's invoice ids.

    Its money is a payment's of ours or a credit's of the ERP's; `request_id` names the request that it carries out.
    """

    id: str
    kind: str
    payment_id: str | None
    request_id: str | None
    credit_erp_id: str | None
    customer_id: str
    customer_erp_id: str
    amount: int
    currency: str
    state: PostingState
    looks: int
    sent_at: datetime | None
    lines: tuple[Line, ...]
    on: date
    method_label: str
    payment_posting_id: str
    refund_posting_id: str
    trace: str | None
    about_erp_id: str | None = None


async def fence(tx: Transaction, connection_id: str) -> int:
    """A new number for this attempt: newest wins, an older poster can write nothing any more."""
    row = await tx.row("UPDATE connections SET fence = fence + 1 WHERE id = :id RETURNING fence", id=connection_id)
    assert row is not None
    return int(row.fence)


async def ready(tx: Transaction, connection_id: str, *, limit: int, at: datetime) -> Sequence[str]:
    """Postings that may go now, oldest first: none shares a document with an earlier one that waits.

    One ordered scan walked here; the same question in SQL costs a hundred times as much.
    """
    rows = await tx.rows(
        """SELECT id, docs, state, look_at FROM postings
           WHERE connection_id = :id AND confirmed_seq IS NULL AND ignored_at IS NULL ORDER BY seq LIMIT 20000""",
        id=connection_id,
    )
    blocked: set[str] = set()
    chosen: list[str] = []
    for row in rows:
        documents = set(row.docs)
        waits = row.state == PostingState.REFUSED or (row.look_at is not None and row.look_at > at)
        if waits or documents & blocked:
            blocked |= documents
            continue
        blocked |= documents
        chosen.append(row.id)
        if len(chosen) == limit:
            break
    return chosen


async def next_look_at(tx: Transaction, connection_id: str) -> datetime | None:
    """When the next posting that was set aside is due; None when none waits for a time."""
    row = await tx.row(
        """SELECT min(look_at) AS at FROM postings WHERE connection_id = :id AND confirmed_seq IS NULL AND state <>
            'refused' AND look_at IS NOT NULL""",
        id=connection_id,
    )
    moment: datetime | None = row.at if row is not None else None
    return moment


async def load(tx: Transaction, posting_id: str) -> Posting:
    """The posting with its lines."""
    row = await tx.row(
        """SELECT q.*, c.erp_id AS customer_erp_id, coalesce(p.currency, k.currency) AS currency, p.method_label,
                  k.erp_id AS credit_erp_id
           FROM postings q LEFT JOIN payments p ON p.id = q.payment_id LEFT JOIN credits k ON k.id = q.credit_id
           JOIN customers c ON c.id = q.customer_id WHERE q.id = :id""",
        id=posting_id,
    )
    assert row is not None
    found = await tx.rows(
        """SELECT i.erp_id, sum(a.amount)::bigint AS amount FROM allocations a JOIN invoices i ON i.id = a.invoice_id
           WHERE a.posting_id = :id GROUP BY i.id HAVING sum(a.amount) <> 0 ORDER BY i.id""",
        id=posting_id,
    )
    return Posting(
        id=row.id,
        kind=row.kind,
        payment_id=row.payment_id,
        request_id=row.request_id,
        credit_erp_id=row.credit_erp_id,
        customer_id=row.customer_id,
        customer_erp_id=row.customer_erp_id,
        amount=row.amount,
        currency=row.currency,
        state=PostingState(row.state),
        looks=row.looks,
        sent_at=row.sent_at,
        lines=tuple(Line(invoice_id=each.erp_id, minor=each.amount) for each in found),
        on=row.dated_on or row.queued_at.date(),
        method_label=row.method_label or "",
        payment_posting_id=f"{row.payment_id}-captured",
        refund_posting_id=row.id.replace("-refund_came_back-", "-refunded-"),
        trace=row.trace,
        about_erp_id=row.about_erp_id,
    )


async def keep_trace(tx: Transaction, payment_id: str, trace: str) -> None:
    """Postings of a payment that have none yet go on in this trace."""
    await tx.run("UPDATE postings SET trace = :trace WHERE payment_id = :id AND trace IS NULL", id=payment_id, trace=trace)


_ME = "WITH me AS (SELECT 1 FROM connections WHERE id = :connection AND fence = :fence FOR SHARE) "


async def claim(tx: Transaction, posting_id: str, *, connection_id: str, fence: int, at: datetime) -> bool:
    """queued → sent, by the newest fence only; `sent_seq` is drawn here, committed before the post leaves."""
    row = await tx.row(
        _ME
        + """UPDATE postings SET state = 'sent', fence = :fence, sent_seq = nextval('erp_seq'), sent_at = :at,
            looks = 0, look_at = NULL,
                    attempts = attempts + 1
             WHERE id = :id AND state = 'queued' AND EXISTS (SELECT 1 FROM me) RETURNING 1""",
        connection=connection_id,
        fence=fence,
        id=posting_id,
        at=at,
    )
    return row is not None


async def take_over(tx: Transaction, posting_id: str, *, connection_id: str, fence: int) -> bool:
    """What another poster sent becomes ours to look up."""
    row = await tx.row(
        _ME
        + """UPDATE postings SET state = 'unknown', fence = :fence WHERE id = :id AND state IN ('sent', 'unknown')
             AND EXISTS (SELECT 1 FROM me) RETURNING 1""",
        connection=connection_id,
        fence=fence,
        id=posting_id,
    )
    return row is not None


async def confirm(tx: Transaction, posting_id: str, *, fence: int, erp_id: str, erp_number: str, at: datetime) -> bool:
    """The ERP has it: `confirmed_seq` is drawn after its answer."""
    row = await tx.row(
        """UPDATE postings SET state = 'confirmed', erp_id = :erp_id, erp_number = :number,
            confirmed_seq = nextval('erp_seq'), confirmed_at = :at,
                  error_code = NULL, error_text = NULL, look_at = NULL
           WHERE id = :id AND state IN ('sent', 'unknown') AND fence = :fence
           RETURNING payment_id, request_id, customer_id, connection_id, kind""",
        id=posting_id,
        fence=fence,
        erp_id=erp_id,
        number=erp_number,
        at=at,
    )
    if row is not None:
        await timeline.tell(
            tx,
            process_id=row.request_id or row.payment_id,
            customer_id=row.customer_id,
            kind="posting_confirmed",
            at=at,
            once=posting_id,
            facts={"posting": row.kind, "number": erp_number},
        )
        if row.request_id is not None:
            await applied.confirmed(tx, row.request_id, erp=row.connection_id, at=at)
    return row is not None


async def set_aside(
    tx: Transaction, posting_id: str, *, fence: int, state: PostingState, look_at: datetime | None, error: str, looked: bool
) -> bool:
    """Back to queued (nothing happened over there) or unknown (ask again at `look_at`)."""
    row = await tx.row(
        """UPDATE postings SET state = :state, look_at = :look_at, error_code = :state, error_text = :error,
                  looks = looks + CASE WHEN :looked THEN 1 ELSE 0 END
           WHERE id = :id AND state IN ('sent', 'unknown') AND fence = :fence RETURNING 1""",
        id=posting_id,
        fence=fence,
        state=state,
        look_at=look_at,
        error=error,
        looked=looked,
    )
    return row is not None


async def refuse(tx: Transaction, posting_id: str, *, fence: int, code: str, sentence: str, at: datetime) -> bool:
    """The ERP said no, in its own words: it holds up its documents until a person acts.

    One that carries out a request ends here, and the request is with staff again: `confirmed_seq` says when, so that what
    was read meanwhile is read again. One that takes a surplus document back ends too: its difference is with staff still.
    """
    row = await tx.row(
        """UPDATE postings SET state = CASE WHEN request_id IS NULL AND kind <> 'surplus' THEN 'refused' ELSE 'canceled' END,
                  confirmed_seq = CASE WHEN request_id IS NOT NULL OR kind = 'surplus' THEN nextval('erp_seq') END,
                  error_code = :code, error_text = :sentence, look_at = NULL
           WHERE id = :id AND state = 'sent' AND fence = :fence RETURNING payment_id, request_id, customer_id""",
        id=posting_id,
        fence=fence,
        code=code,
        sentence=sentence,
    )
    if row is not None and row.request_id is not None:
        await applied.refused(tx, row.request_id, posting_id, sentence=sentence, at=at)
    elif row is not None:
        await timeline.tell(
            tx,
            process_id=row.payment_id,
            customer_id=row.customer_id,
            kind="posting_refused",
            at=at,
            once=posting_id,
            facts={"code": code},
        )
    return row is not None


async def unread(tx: Transaction, connection_id: str, *, limit: int) -> Sequence[str]:
    """The ERP's ids of invoices whose snapshot is older than a confirmation of ours: the read-back set, derived."""
    rows = await tx.rows(
        """SELECT DISTINCT i.erp_id FROM postings q JOIN allocations a ON a.posting_id = q.id
               JOIN invoices i ON i.id = a.invoice_id
           WHERE q.connection_id = :id AND q.confirmed_seq IS NOT NULL AND q.read_back_at IS NULL
             AND q.confirmed_seq > i.read_seq LIMIT :limit""",
        id=connection_id,
        limit=limit,
    )
    return [row.erp_id for row in rows]


async def mark_read_back(tx: Transaction, connection_id: str, *, at: datetime) -> None:
    """Those whose invoices were all read since (by us, by a sync): the set stays as small as what is new."""
    await tx.run(
        """UPDATE postings q SET read_back_at = :at
           WHERE q.connection_id = :id AND q.confirmed_seq IS NOT NULL AND q.read_back_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM allocations a JOIN invoices i ON i.id = a.invoice_id
                             WHERE a.posting_id = q.id AND i.read_seq <= q.confirmed_seq)
             AND NOT EXISTS (SELECT 1 FROM credits k WHERE k.id = q.credit_id AND k.read_seq <= q.confirmed_seq)""",
        id=connection_id,
        at=at,
    )


async def waiting(tx: Transaction, connection_id: str) -> int:
    """How many postings are not confirmed."""
    row = await tx.row(
        "SELECT count(*) AS n FROM postings WHERE connection_id = :id AND confirmed_seq IS NULL AND ignored_at IS NULL",
        id=connection_id,
    )
    assert row is not None
    return int(row.n)
