"""What waits for a person (I1), of every kind in one list, the longest first. Read as `duly_staff`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from store.database import Transaction
from store.views.staff import shaped

PAGE: Final = 50
Show = Literal["all", "mine", "late"]
LATE: Final = timedelta(days=1)
"""What has waited longer than this is late."""

WAITS: Final = """
    SELECT 'unknown_outcome' AS kind, p.id, p.id AS payment_id, p.customer_id, p.amount, p.currency,
           coalesce(p.unknown_since, p.changed_at) AS since, p.next_check_at AS next_at, p.check_note AS told,
           NULL::text AS code, p.attempt AS attempts
    FROM payments p
    WHERE p.state = 'unknown'
      AND NOT EXISTS (SELECT 1 FROM differences d WHERE d.process_id = p.id AND d.closed_at IS NULL)
    UNION ALL
    SELECT 'erp_refused', q.id, q.payment_id, q.customer_id, q.amount, p.currency, coalesce(q.sent_at, q.queued_at),
           NULL, q.error_text, q.error_code, q.attempts
    FROM postings q JOIN payments p ON p.id = q.payment_id
    WHERE q.state = 'refused' AND q.ignored_at IS NULL
    UNION ALL
    SELECT 'payment_disputed', p.id, p.id, p.customer_id, p.captured - p.refunded, p.currency, p.changed_at, NULL, NULL,
           NULL, p.attempt
    FROM payments p
    WHERE p.state = 'disputed'
    UNION ALL
    SELECT 'payment_returned', p.id, p.id, p.customer_id, p.returned, p.currency, p.changed_at, NULL, p.failure_code, NULL,
           p.attempt
    FROM payments p
    WHERE p.state = 'returned'
      AND EXISTS (SELECT 1 FROM payment_lines l JOIN invoice_states s ON s.id = l.invoice_id
                  WHERE l.payment_id = p.id AND s.available > 0)
    UNION ALL
    SELECT 'refund_to_approve', r.id, r.payment_id, r.customer_id, r.amount, r.currency, r.requested_at, NULL, r.reason,
           r.requested_by, r.version
    FROM refunds r
    WHERE r.state = 'awaiting_second'
    UNION ALL
    SELECT 'refund_unknown', r.id, r.payment_id, r.customer_id, r.amount, r.currency,
           coalesce(r.unknown_since, r.changed_at), r.next_check_at, r.check_note, NULL, r.version
    FROM refunds r
    WHERE r.state = 'unknown'
    UNION ALL
    SELECT 'event_parked', e.id, NULL, NULL, NULL, NULL, e.received_at, NULL, e.kind, e.our_ref, e.deliveries
    FROM inbox e
    WHERE e.state = 'parked'
    UNION ALL
    SELECT CASE r.state WHEN 'posting_failed' THEN 'apply_failed' ELSE 'apply_request' END, r.id, NULL, r.customer_id,
           r.amount, r.currency, r.changed_at, r.expires_at, coalesce(r.erp_words, k.number), r.state, r.version
    FROM apply_requests r JOIN credits k ON k.id = r.credit_id
    WHERE r.state IN ('submitted', 'second', 'posting_failed')
    UNION ALL
    SELECT 'difference', d.id, d.process_id, d.customer_id, d.amount, d.currency, d.opened_at, NULL, d.kind, NULL, 0
    FROM differences d
    WHERE d.closed_at IS NULL AND coalesce(d.tell_at <= :at, true)
      -- A payment's document that differs as a whole says why its invoices do: one thing is told once.
      AND NOT (d.kind = 'edited_in_erp' AND EXISTS (
          SELECT 1 FROM allocations a JOIN differences w ON w.process_id = a.payment_id
          WHERE a.invoice_id = d.invoice_id AND w.closed_at IS NULL
            AND w.kind IN ('missing_in_erp', 'duplicate_in_erp', 'amount_in_erp', 'deleted_in_erp')))
      -- And what is overpaid by no more than it shows too much is overpaid by it.
      AND NOT (d.kind = 'overpaid' AND EXISTS (
          SELECT 1 FROM allocations a JOIN differences w ON w.process_id = a.payment_id
          WHERE a.invoice_id = d.invoice_id AND w.closed_at IS NULL AND w.kind IN ('duplicate_in_erp', 'amount_in_erp')
            AND w.currency = d.currency AND w.amount >= d.amount))"""
_CHOSEN: Final = f"""
    SELECT w.*, c.name AS customer_name, o.staff_id AS owner_id, f.name AS owner_name
    FROM ({WAITS}) w
    LEFT JOIN customers c ON c.id = w.customer_id
    LEFT JOIN inbox_owners o ON o.item = w.id
    LEFT JOIN staff f ON f.id = o.staff_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits. `told` is what the other side said (or the event's kind), `code` its short form.

    Amounts are minor units; an event that belongs to nobody has neither amount nor customer. `attempts` is how often a
    posting was sent, or a refund's version.
    """

    kind: str
    id: str
    payment_id: str | None
    customer_id: str | None
    customer_name: str | None
    amount: int | None
    currency: str | None
    since: datetime
    next_at: datetime | None
    told: str | None
    code: str | None
    attempts: int
    owner_id: str | None
    owner_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many wait: in all, with this member of staff, and too long."""

    all: int
    mine: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which part of the list, what is searched for, and after which row it goes on."""

    show: Show = "all"
    search: str = ""
    after: tuple[datetime, str] | None = None


async def counts(tx: Transaction, *, staff_id: str, at: datetime) -> Counts:
    """For the tabs; one statement."""
    row = await tx.row(
        f"""SELECT count(*) AS all, count(*) FILTER (WHERE owner_id = :me) AS mine,
                   count(*) FILTER (WHERE since < :late) AS late
            FROM ({_CHOSEN}) w""",
        me=staff_id,
        at=at,
        late=at - LATE,
    )
    assert row is not None
    return Counts(all=row.all, mine=row.mine, late=row.late)


async def waiting(tx: Transaction, asked: Asked, *, staff_id: str, at: datetime) -> Sequence[Waiting]:
    """A page of the list, and one row more where it goes on."""
    since, last = asked.after if asked.after is not None else (None, "")
    rows = await tx.rows(
        f"""SELECT * FROM ({_CHOSEN}) w
            WHERE (:show = 'all' OR (:show = 'mine' AND owner_id = :me) OR (:show = 'late' AND since < :late))
              AND (:search = '' OR strpos(lower(concat_ws(' ', id, customer_name, told, code)), lower(:search)) > 0)
              AND (cast(:since AS timestamptz) IS NULL OR (since, id) > (cast(:since AS timestamptz), :last))
            ORDER BY since, id LIMIT {PAGE + 1}""",
        show=asked.show,
        me=staff_id,
        at=at,
        late=at - LATE,
        search=asked.search.strip(),
        since=since,
        last=last,
    )
    return [shaped(Waiting, row) for row in rows]


async def one(tx: Transaction, item: str, *, at: datetime) -> Waiting | None:
    """What waits under this id; None when it waits no longer."""
    row = await tx.row(f"SELECT * FROM ({_CHOSEN}) w WHERE id = :id", id=item, at=at)
    return None if row is None else shaped(Waiting, row)


async def payment_of(tx: Transaction, item: str) -> str | None:
    """The payment of something that waited once, or None where nothing of that id ever did."""
    row = await tx.row(
        """SELECT id FROM payments WHERE id = :id UNION ALL SELECT payment_id FROM postings WHERE id = :id
           UNION ALL SELECT payment_id FROM refunds WHERE id = :id
           UNION ALL SELECT process_id FROM differences WHERE id = :id
           UNION ALL SELECT id FROM apply_requests WHERE id = :id LIMIT 1""",
        id=item,
    )
    return None if row is None else row.id
