"""What must always be true of the books, each a statement that names whoever breaks it; and what the books say, page by
page, to be compared with a provider, an ERP and Temporal.

Reading only. Two sums that are compared come from different tables: the journal's lines say what the payments' columns
and the allocations say, or one of them is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizons:
    """How long each thing may be on its way before somebody must look."""

    payment: timedelta = timedelta(minutes=5)
    posting: timedelta = timedelta(hours=1)
    event: timedelta = timedelta(minutes=5)
    mail: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """A truth about the books. `statement` selects (id, what) of everything that breaks it."""

    name: str
    says: str
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """One that breaks an invariant: its id and what is wrong with it."""

    id: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look at one invariant found: how many break it, the first of them, how many were looked at from outside.

    `problem` is set when it could not be looked at: that is no proof of health.
    """

    name: str
    says: str
    count: int = 0
    offenders: tuple[Offender, ...] = ()
    looked_at: int | None = None
    problem: str | None = None

    @property
    def holds(self) -> bool:
        """Whether it was looked at and nothing breaks it."""
        return self.count == 0 and self.problem is None


JOURNAL_BALANCED: Final = Invariant(
    name="journal_balanced",
    says="Every journal entry has lines in its own currency that add up to zero.",
    statement="""
        SELECT e.id, CASE WHEN count(l.entry_id) = 0 THEN 'has no lines'
                          WHEN bool_or(l.currency <> e.currency) THEN 'has a line in another currency'
                          ELSE 'is off by ' || sum(l.amount) END AS what
        FROM journal_entries e LEFT JOIN journal_lines l ON l.entry_id = e.id GROUP BY e.id
        HAVING count(l.entry_id) = 0 OR bool_or(l.currency <> e.currency) OR sum(l.amount) <> 0
        UNION ALL
        SELECT l.entry_id, 'lines without an entry' FROM journal_lines l
        WHERE NOT EXISTS (SELECT 1 FROM journal_entries e WHERE e.id = l.entry_id) GROUP BY l.entry_id""",
)

MONEY_CONSERVED: Final = Invariant(
    name="money_conserved",
    says="Of each payment: allocations + unapplied + returned + refunded = captured, in the journal as in the columns.",
    statement="""
        WITH books AS (SELECT e.process_id AS id,
                              sum(l.amount) FILTER (WHERE l.account = 'clearing') AS clearing,
                              -sum(l.amount) FILTER (WHERE l.account = 'unapplied') AS unapplied
                       FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id GROUP BY e.process_id),
             lying AS (SELECT payment_id AS id, sum(amount) AS amount FROM allocations GROUP BY payment_id),
             wishes AS (SELECT payment_id AS id, sum(amount) AS amount FROM wanted GROUP BY payment_id),
             pairs AS (SELECT coalesce(a.payment_id, j.payment_id) AS id,
                              bool_or(coalesce(a.net, 0) <> coalesce(j.net, 0)) AS differ
                       FROM (SELECT payment_id, invoice_id, sum(amount) AS net FROM allocations GROUP BY 1, 2) a
                       FULL JOIN (SELECT e.process_id AS payment_id, l.invoice_id, -sum(l.amount) AS net
                                  FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
                                  WHERE l.account = 'receivable' GROUP BY 1, 2) j
                       ON j.payment_id = a.payment_id AND j.invoice_id IS NOT DISTINCT FROM a.invoice_id GROUP BY 1),
             sums AS (SELECT p.*, coalesce(b.clearing, 0) AS clearing, coalesce(b.unapplied, 0) AS unapplied,
                             coalesce(a.amount, 0) AS allocated, coalesce(w.amount, 0) AS wished,
                             coalesce(x.differ, false) AS differ
                      FROM payments p LEFT JOIN books b USING (id) LEFT JOIN lying a USING (id)
                      LEFT JOIN wishes w USING (id) LEFT JOIN pairs x USING (id)),
             told AS (SELECT id, CASE
                 WHEN allocated + unapplied + returned + refunded <> captured THEN allocated || ' allocated + ' || unapplied
                     || ' unapplied + ' || returned || ' returned + ' || refunded || ' refunded is not ' || captured
                     || ' captured'
                 WHEN clearing <> captured - returned - refunded THEN 'the journal clears ' || clearing
                     || ', the payment says ' || captured - returned - refunded
                 WHEN differ THEN 'the journal settles other invoices than the allocations'
                 -- Returned while a refund was on its way: the customer owes it, and a difference says so.
                 WHEN allocated < 0 OR unapplied < least(captured - returned - refunded, 0)
                     THEN 'more is allocated than arrived'
                 WHEN wished > greatest(unapplied, 0) THEN wished || ' is wanted and only ' || unapplied || ' is unapplied'
                 WHEN captured <> CASE WHEN state IN ('captured', 'settled', 'returned', 'disputed') THEN amount ELSE 0 END
                     THEN state || ' with ' || captured || ' captured of ' || amount
                 WHEN returned > 0 AND state <> 'returned' OR state = 'returned' AND returned + refunded < captured
                      AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.payment_id = sums.id)
                     THEN state || ' with ' || returned || ' returned'
                 END AS what FROM sums)
        SELECT id, what FROM told WHERE what IS NOT NULL
        UNION ALL
        SELECT b.id, 'booked, and there is no such payment or request' FROM books b
        WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.id = b.id)
          AND NOT EXISTS (SELECT 1 FROM apply_requests r WHERE r.id = b.id)""",
)

CREDITS_CONSERVED: Final = Invariant(
    name="credits_conserved",
    says="A request has applied what was approved and nothing else, in the journal as in the allocations; two people above.",
    statement="""
        WITH lying AS (SELECT q.request_id AS id, a.invoice_id, sum(a.amount) AS net
                       FROM allocations a JOIN postings q ON q.id = a.posting_id
                       WHERE q.request_id IS NOT NULL GROUP BY 1, 2),
             booked AS (SELECT e.process_id AS id, l.invoice_id, -sum(l.amount) AS net
                        FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id JOIN apply_requests r
                             ON r.id = e.process_id
                        WHERE l.account = 'receivable' GROUP BY 1, 2
                        UNION ALL  -- a payment's money is booked under the payment, and compared there
                        SELECT y.id, y.invoice_id, y.net FROM lying y JOIN apply_requests r ON r.id = y.id
                        JOIN credits k ON k.id = r.credit_id WHERE k.payment_id IS NOT NULL),
             due AS (SELECT l.request_id AS id, l.invoice_id,
                            CASE WHEN r.state IN ('posting', 'applied') THEN coalesce(l.approved, 0) ELSE 0 END AS net
                     FROM apply_lines l JOIN apply_requests r ON r.id = l.request_id)
        SELECT coalesce(d.id, a.id, j.id) AS id, coalesce(d.invoice_id, a.invoice_id, j.invoice_id) || ': '
               || coalesce(a.net, 0) || ' allocated and ' || coalesce(j.net, 0) || ' booked for '
               || coalesce(d.net, 0) AS what
        FROM due d FULL JOIN lying a USING (id, invoice_id) FULL JOIN booked j USING (id, invoice_id)
        WHERE coalesce(a.net, 0) <> coalesce(d.net, 0) OR coalesce(j.net, 0) <> coalesce(d.net, 0)
        UNION ALL
        SELECT b.id, 'unapplied ' || b.unapplied || ', held ' || b.held FROM credit_balances b
        WHERE b.held > b.unapplied
          AND NOT EXISTS (SELECT 1 FROM differences d WHERE d.process_id = b.id AND d.closed_at IS NULL
                          AND d.kind = 'credit_overused')
        UNION ALL
        SELECT id, 'approved by ' || coalesce(first_by, 'nobody') || ' and ' || coalesce(second_by, 'nobody')
        FROM apply_requests
        WHERE state IN ('posting', 'applied') AND (first_by IS NULL OR (needs_second AND second_by IS NULL)
                                                   OR first_by = second_by)""",
)

BALANCES_NOT_NEGATIVE: Final = Invariant(
    name="balances_not_negative",
    says="No invoice is paid or held beyond what is open, or a difference about it is open.",
    statement="""
        SELECT b.id, 'open ' || b.open || ', held ' || b.held AS what FROM balances b
        WHERE (b.open < 0 OR b.held > greatest(b.open, 0))
          AND NOT EXISTS (SELECT 1 FROM differences d WHERE d.invoice_id = b.id AND d.closed_at IS NULL
                          AND d.kind IN ('overpaid', 'hold_exceeds_open'))""",
)

POSTED_ONCE: Final = Invariant(
    name="posted_once",
    says="Every captured payment has one posting of its amount, every returned one a reversal of it.",
    statement="""
        WITH due AS (SELECT id, 'payment' AS kind, captured AS amount FROM payments WHERE captured > 0
                     UNION ALL SELECT id, 'reversal', returned FROM payments WHERE returned > 0),
             made AS (SELECT payment_id AS id, kind, count(*) AS n, sum(amount) AS amount FROM postings
                      WHERE kind IN ('payment', 'reversal') GROUP BY 1, 2),
             lines AS (SELECT q.id, coalesce(q.payment_id, q.request_id) AS payment_id, q.kind, q.state, q.amount,
                              coalesce(sum(a.amount), 0) AS allocated
                       FROM postings q LEFT JOIN allocations a ON a.posting_id = q.id GROUP BY q.id)
        SELECT coalesce(d.id, m.id) AS id, coalesce(m.n, 0) || ' ' || coalesce(d.kind, m.kind) || ' posting(s) of '
               || coalesce(m.amount, 0) || ' for ' || coalesce(d.amount, 0) AS what
        FROM due d FULL JOIN made m USING (id, kind)
        WHERE coalesce(m.n, 0) <> CASE WHEN d.id IS NULL THEN 0 ELSE 1 END
           OR coalesce(m.amount, 0) <> coalesce(d.amount, 0)
        UNION ALL
        SELECT payment_id, id || ' is of ' || amount || ' and allocates ' || allocated FROM lines
        WHERE CASE kind WHEN 'payment' THEN allocated NOT BETWEEN 0 AND amount
                        WHEN 'reversal' THEN -allocated NOT BETWEEN 0 AND amount
                        WHEN 'refund' THEN -allocated NOT BETWEEN 0 AND amount
                        WHEN 'surplus' THEN allocated <> 0
                        WHEN 'refund_reversal' THEN allocated NOT BETWEEN 0 AND amount
                        ELSE abs(allocated) <> CASE WHEN state = 'canceled' THEN 0 ELSE amount END END""",
)

REFUNDS_WITHIN_CAPTURED: Final = Invariant(
    name="refunds_within_captured",
    says="Refunds never exceed what was captured, each is posted once, and above the limit two people agreed.",
    statement="""
        WITH sums AS (SELECT payment_id AS id, sum(amount) FILTER (WHERE state = 'refunded') AS refunded,
                             sum(amount) FILTER (WHERE state IN ('requested', 'awaiting_second', 'sent', 'processing',
                                 'unknown')) AS refunding
                      FROM refunds GROUP BY payment_id),
             reserved AS (SELECT r.payment_id, l.invoice_id, sum(l.amount) AS amount
                          FROM refund_lines l JOIN refunds r ON r.id = l.refund_id JOIN payments p ON p.id = r.payment_id
                          WHERE p.state <> 'returned'
                            AND r.state IN ('requested', 'awaiting_second', 'sent', 'processing', 'unknown')
                          GROUP BY 1, 2),
             posted AS (SELECT r.id, r.payment_id, r.amount, r.state, count(q.id) AS n, sum(q.amount) AS posted
                        FROM refunds r LEFT JOIN postings q ON q.id = r.payment_id || '-refunded-' || r.id
                        WHERE r.state = 'refunded' GROUP BY r.id)
        SELECT p.id, p.refunded || ' refunded and ' || p.refunding || ' under way of ' || p.captured
               || ' captured; its refunds say ' || coalesce(s.refunded, 0) || ' and ' || coalesce(s.refunding, 0) AS what
        FROM payments p LEFT JOIN sums s USING (id)
        WHERE p.refunded <> coalesce(s.refunded, 0) OR p.refunding <> coalesce(s.refunding, 0)
           OR p.refunded + p.refunding > p.captured
        UNION ALL
        SELECT v.payment_id, v.amount || ' is to come off ' || v.invoice_id || ', where less of it lies' FROM reserved v
        WHERE v.amount > coalesce((SELECT sum(a.amount) FROM allocations a
                                   WHERE a.payment_id = v.payment_id AND a.invoice_id = v.invoice_id), 0)
        UNION ALL
        SELECT payment_id, id || ' has ' || n || ' posting(s) of ' || coalesce(posted, 0) || ' for ' || amount FROM posted
        WHERE n <> 1 OR posted <> amount
        UNION ALL
        SELECT payment_id, id || ' was not agreed to by two people' FROM refunds
        WHERE second_by = requested_by
           OR needs_second AND second_by IS NULL AND state NOT IN ('refused', 'awaiting_second', 'rejected')""",
)

HOLDS_IN_USE: Final = Invariant(
    name="holds_in_use",
    says="Every hold belongs to a payment in flight or an open request, and each of those holds what it was opened for.",
    statement="""
        WITH flying AS (SELECT id FROM payments WHERE state IN ('charging', 'awaiting_customer', 'processing', 'unknown')),
             asked AS (SELECT * FROM (
                 -- After a refusal by the ERP it holds what was to be applied; a first approval may then name less.
                 SELECT l.request_id AS payment_id, l.invoice_id,
                        CASE WHEN r.postings = 0 THEN l.amount
                             WHEN r.state = 'second' THEN coalesce(
                                 (SELECT h.amount FROM holds h WHERE h.holder_id = r.id AND h.invoice_id = l.invoice_id
                                  AND h.amount BETWEEN l.approved AND l.amount), l.approved)
                             ELSE l.approved END AS amount
                 FROM apply_lines l JOIN apply_requests r ON r.id = l.request_id
                 WHERE r.state IN ('submitted', 'asked', 'second', 'posting_failed', 'undoing')) a WHERE a.amount > 0)
        SELECT coalesce(l.payment_id, h.holder_id) AS id, coalesce(l.invoice_id, h.invoice_id) || ': '
               || coalesce(h.amount, 0) || ' held for ' || coalesce(l.amount, 0) || ' in flight' AS what
        FROM (SELECT payment_id, invoice_id, amount FROM payment_lines WHERE payment_id IN (SELECT id FROM flying)
              UNION ALL SELECT * FROM asked) l
        FULL JOIN holds h ON h.holder_id = l.payment_id AND h.invoice_id = l.invoice_id
        WHERE l.amount IS DISTINCT FROM h.amount
        UNION ALL
        SELECT coalesce(l.payment_id, h.holder_id),
               coalesce(h.amount, 0) || ' of a credit held for ' || coalesce(l.amount, 0)
        FROM (SELECT payment_id, sum(amount)::bigint AS amount FROM asked GROUP BY 1) l
        FULL JOIN credit_holds h ON h.holder_id = l.payment_id WHERE l.amount IS DISTINCT FROM h.amount""",
)

POSTINGS_IN_TIME: Final = Invariant(
    name="postings_in_time",
    says="No posting waits for the ERP beyond its horizon.",
    statement="""
        SELECT id, state || ' since ' || to_char(queued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
               || coalesce(': ' || error_text, '') AS what
        FROM postings WHERE confirmed_seq IS NULL AND queued_at < :posting_before
          -- What was paid on imported invoices waits where no folder was set for it to be written out to.
          AND connection_id NOT IN (SELECT id FROM connections WHERE connector = 'csv')""",
)

EVENTS_IN_TIME: Final = Invariant(
    name="events_in_time",
    says="No provider's event lies in the inbox beyond its horizon.",
    statement="""
        SELECT id, kind || ' since ' || to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS what
        FROM inbox WHERE state = 'received' AND received_at < :event_before""",
)

MAIL_IN_TIME: Final = Invariant(
    name="mail_in_time",
    says="No mail lies in the outbox beyond its horizon.",
    statement="""
        SELECT id, template || ' since ' || to_char(queued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
               || coalesce(': ' || error_text, '') AS what
        FROM outbox WHERE state = 'queued' AND queued_at < :mail_before""",
)

INVARIANTS: Final = (
    JOURNAL_BALANCED,
    MONEY_CONSERVED,
    CREDITS_CONSERVED,
    BALANCES_NOT_NEGATIVE,
    POSTED_ONCE,
    REFUNDS_WITHIN_CAPTURED,
    HOLDS_IN_USE,
    POSTINGS_IN_TIME,
    EVENTS_IN_TIME,
    MAIL_IN_TIME,
)


async def look(tx: Transaction, invariant: Invariant, *, at: datetime, horizons: Horizons, most: int = 5) -> Finding:
    """Who breaks it: the number of them, and the first `most` by id."""
    moments = {
        "posting_before": at - horizons.posting,
        "event_before": at - horizons.event,
        "mail_before": at - horizons.mail,
    }
    rows = await tx.rows(
        f"SELECT id, what, count(*) OVER () AS n FROM ({invariant.statement}) f ORDER BY id, what LIMIT :most",
        most=most,
        **{name: moment for name, moment in moments.items() if f":{name}" in invariant.statement},
    )
    return Finding(
        name=invariant.name,
        says=invariant.says,
        count=rows[0].n if rows else 0,
        offenders=tuple(Offender(id=row.id, what=row.what) for row in rows),
    )
