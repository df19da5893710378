"""What must always be true of the books, each a statement that names whoever breaks it; and what the books say, page by
page, to be compared with a provider, an ERP and Temporal.

Reading only. Two sums that are compared come from different tables: the journal's lines say what the payments' columns
and the allocations say, or one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.money import Money
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
    says="Of each payment: allocations + unapplied + returned = captured, in the journal as in the columns.",
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
                 WHEN allocated + unapplied + returned <> captured THEN allocated || ' allocated + ' || unapplied
                     || ' unapplied + ' || returned || ' returned is not ' || captured || ' captured'
                 WHEN clearing <> captured - returned THEN 'the journal clears ' || clearing || ', the payment says '
                     || captured - returned
                 WHEN differ THEN 'the journal settles other invoices than the allocations'
                 WHEN allocated < 0 OR unapplied < 0 THEN 'more is allocated than arrived'
                 WHEN wished > unapplied THEN wished || ' is wanted and only ' || unapplied || ' is unapplied'
                 WHEN captured <> CASE WHEN state IN ('captured', 'settled', 'returned', 'disputed') THEN amount ELSE 0 END
                     THEN state || ' with ' || captured || ' captured of ' || amount
                 WHEN (state = 'returned') <> (returned > 0) THEN state || ' with ' || returned || ' returned'
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
                        WHERE l.account = 'receivable' GROUP BY 1, 2),
             due AS (SELECT l.request_id AS id, l.invoice_id,
                            CASE WHEN r.state IN ('posting', 'applied') THEN coalesce(l.approved, 0) ELSE 0 END AS net
                     FROM apply_lines l JOIN apply_requests r ON r.id = l.request_id)
        SELECT coalesce(d.id, a.id, j.id) AS id, coalesce(d.invoice_id, a.invoice_id, j.invoice_id) || ': '
               || coalesce(a.net, 0) || ' allocated and ' || coalesce(j.net, 0) || ' booked for ' || coalesce(d.net, 0) AS what
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
             lines AS (SELECT q.id, coalesce(q.payment_id, q.request_id) AS payment_id, q.kind, q.state, q.amount, coalesce(sum(a.amount), 0) AS allocated
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
                        WHEN 'credit_application' THEN
                             abs(allocated) <> CASE WHEN state = 'canceled' THEN 0 ELSE amount END
                        ELSE allocated <> amount END""",
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
        SELECT coalesce(l.payment_id, h.holder_id), coalesce(h.amount, 0) || ' of a credit held for ' || coalesce(l.amount, 0)
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
          -- Files are read and not written: what was paid on imported invoices waits for a way back.
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


# ---------------------------------------------------------------- what others are asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A payment that was sent to its provider and has ended here; `took` is what we say it took."""

    id: str
    connection_id: str
    attempts: int
    amount: Money
    took: bool


async def sent(tx: Transaction, *, after: str, limit: int) -> Sequence[Sent]:
    """The next page of payments that a provider can be asked about, by id. Those in flight are not ended: left out."""
    rows = await tx.rows(
        """SELECT id, connection_id, attempt, amount, currency, captured > 0 AS took FROM payments
           WHERE id > :after AND sent_at IS NOT NULL
             AND state NOT IN ('charging', 'awaiting_customer', 'processing', 'unknown')
           ORDER BY id LIMIT :limit""",
        after=after,
        limit=limit,
    )
    return [
        Sent(
            id=row.id,
            connection_id=row.connection_id,
            attempts=row.attempt,
            amount=Money.of(row.amount, row.currency),
            took=row.took,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A posting that the ERP has, as we say. `is_told`: an open difference says that a person changed it there, or a
    reversal of it waits, which the ERP will refuse where there is nothing to reverse: a person is told by that.
    """

    id: str
    amount: Money
    erp_id: str
    is_told: bool


async def confirmed(tx: Transaction, connection_id: str, *, after: str, limit: int) -> Sequence[Confirmed]:
    """The next page of an ERP's confirmed postings, by id."""
    rows = await tx.rows(
        """SELECT q.id, CASE WHEN a.net < 0 THEN a.net ELSE q.amount END AS amount, coalesce(p.currency, k.currency) AS currency,
                  q.erp_id,
                  EXISTS (SELECT 1 FROM allocations a JOIN differences d ON d.invoice_id = a.invoice_id
                          WHERE a.posting_id = q.id AND d.closed_at IS NULL AND d.kind = 'edited_in_erp')
                  OR (q.kind <> 'reversal' AND EXISTS (SELECT 1 FROM postings r WHERE r.payment_id = q.payment_id
                          AND r.kind = 'reversal' AND r.state <> 'confirmed')) AS is_told
           FROM postings q LEFT JOIN payments p ON p.id = q.payment_id LEFT JOIN credits k ON k.id = q.credit_id
           LEFT JOIN LATERAL (SELECT sum(b.amount)::bigint AS net FROM allocations b WHERE b.posting_id = q.id
                              AND q.kind = 'credit_application') a ON true
           WHERE q.connection_id = :connection AND q.state = 'confirmed' AND q.id > :after ORDER BY q.id LIMIT :limit""",
        connection=connection_id,
        after=after,
        limit=limit,
    )
    return [
        Confirmed(id=row.id, amount=Money.of(row.amount, row.currency), erp_id=row.erp_id or "", is_told=row.is_told)
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What we say is open of an invoice (minor units), and what may stand between that and the ERP's word.

    `under_way`: our money on it by payment, where a posting is not confirmed; `told`: amounts of open differences.
    """

    id: str
    open: int
    under_way: Mapping[str, int]
    told: tuple[int, ...]


async def balances(tx: Transaction, connection_id: str, erp_ids: Sequence[str]) -> Mapping[str, Balance]:
    """By the ERP's own ids; those that we do not have are left out."""
    rows = await tx.rows(
        """SELECT i.erp_id, i.id, b.open,
                  coalesce((SELECT jsonb_object_agg(g.source, g.net) FROM (
                      SELECT a.payment_id AS source, sum(a.amount) AS net FROM allocations a JOIN postings q
                             ON q.id = a.posting_id
                      WHERE a.invoice_id = i.id AND a.payment_id IS NOT NULL GROUP BY a.payment_id
                      HAVING bool_or(q.confirmed_seq IS NULL)
                      UNION ALL
                      SELECT a.posting_id, sum(a.amount) FROM allocations a JOIN postings q ON q.id = a.posting_id
                      WHERE a.invoice_id = i.id AND a.credit_id IS NOT NULL AND q.confirmed_seq IS NULL
                      GROUP BY a.posting_id) g), '{}') AS under_way,
                  ARRAY(SELECT d.amount FROM differences d WHERE d.invoice_id = i.id AND d.closed_at IS NULL) AS told
           FROM invoices i JOIN balances b ON b.id = i.id
           WHERE i.connection_id = :connection AND i.erp_id = ANY(:ids)""",
        connection=connection_id,
        ids=list(erp_ids),
    )
    return {
        row.erp_id: Balance(id=row.id, open=row.open, under_way=dict(row.under_way), told=tuple(row.told)) for row in rows
    }


async def invoices_of(tx: Transaction, connection_id: str, *, after: str, limit: int) -> Sequence[tuple[str, str]]:
    """The next page of (the ERP's id, ours) of what we have from an ERP and it never called deleted."""
    rows = await tx.rows(
        """SELECT erp_id, id FROM invoices WHERE connection_id = :connection AND NOT deleted AND erp_id > :after
           ORDER BY erp_id LIMIT :limit""",
        connection=connection_id,
        after=after,
        limit=limit,
    )
    return [(row.erp_id, row.id) for row in rows]


async def in_flight(tx: Transaction, *, before: datetime, after: str, limit: int) -> Sequence[Offender]:
    """The next page of payments and set-ups that have been on their way since before a moment, with their state."""
    rows = await tx.rows(
        """SELECT id, state FROM (
               SELECT id, state FROM payments
               WHERE state IN ('charging', 'awaiting_customer', 'processing', 'unknown') AND opened_at < :before
               UNION ALL
               SELECT id, state FROM method_setups
               WHERE state IN ('started', 'redirected', 'verifying') AND opened_at < :before) f
           WHERE id > :after ORDER BY id LIMIT :limit""",
        before=before,
        after=after,
        limit=limit,
    )
    return [Offender(id=row.id, what=row.state) for row in rows]


async def totals(tx: Transaction) -> Mapping[str, int]:
    """How much there is to look at, for a progress bar."""
    row = await tx.row(
        """SELECT (SELECT count(*) FROM payments WHERE sent_at IS NOT NULL) AS payments,
                  (SELECT count(*) FROM postings WHERE state = 'confirmed') AS postings,
                  (SELECT count(*) FROM invoices WHERE NOT deleted) AS invoices"""
    )
    assert row is not None
    return {"payments": row.payments, "postings": row.postings, "invoices": row.invoices}
