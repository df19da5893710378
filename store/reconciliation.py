"""Reconciling: which documents to ask the ERP about, what is held of them, and what a run found.

Both sides are joined whole. What is read of the ERP is a hint: whoever judges asks it first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.differences import Held, Written
from domain.money import Money
from store.database import Transaction

# Documents that the ERP confirmed, beside documents that stand and bear a reference.
_OURS: Final = """
    SELECT q.id AS reference, q.amount, q.currency FROM postings q
    WHERE q.kind = 'payment' AND q.state = 'confirmed' AND q.connection_id = :connection"""
_THEIRS: Final = """
    SELECT e.reference, e.amount, e.currency FROM erp_payments e
    WHERE e.stands AND e.reference IS NOT NULL AND e.connection_id = :connection"""
_JOINED: Final = f"""
SELECT (SELECT count(*) FROM ({_OURS}) c) AS held, count(o.reference) AS shown,
       coalesce(array_agg(coalesce(o.reference, t.reference))
                FILTER (WHERE (o.amount, o.currency) IS DISTINCT FROM (t.amount, t.currency)), '{{}}') AS unlike
FROM ({_OURS}) o FULL JOIN ({_THEIRS}) t ON t.reference = o.reference"""
_REPEATED: Final = f"SELECT reference FROM ({_THEIRS}) t GROUP BY reference HAVING count(*) > 1"
# Few, and found by an index: to look whether each of all documents was taken back costs a tenth of the join.
_TAKEN_BACK: Final = """
SELECT q.id AS reference, EXISTS (SELECT 1 FROM erp_payments e WHERE e.connection_id = :connection AND e.reference = q.id
                                  AND e.stands) AS stands
FROM postings r JOIN postings q ON q.payment_id = r.payment_id
WHERE r.kind = 'reversal' AND r.state = 'confirmed'
  AND q.kind = 'payment' AND q.state = 'confirmed' AND q.connection_id = :connection"""
_STILL_OPEN: Final = """
SELECT d.item FROM differences d WHERE d.connection_id = :connection AND d.closed_at IS NULL AND d.kind = ANY(:kinds)"""
_ON_EDITED: Final = """
SELECT DISTINCT q.id FROM differences d
JOIN allocations a ON a.invoice_id = d.invoice_id JOIN postings q ON q.payment_id = a.payment_id
WHERE d.kind = 'edited_in_erp' AND d.closed_at IS NULL AND q.kind = 'payment' AND q.state = 'confirmed'
  AND q.connection_id = :connection"""
"""A list tells of what changed, and never of what is gone without a trace: its invoices do."""
_LOOK_WITHIN: Final = "10min"
"""Longer than any other statement may take: a million documents on each side are joined."""
_LOOK_WITH: Final = "4MB"
"""As little as other statements, whatever the server is told: the join is then split into parts that fit a processor's cache
and runs on every core. One hash table of a million documents took twice as long (docs/bench.md, P6).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A reference that both sides may not agree about; `held` is None where it is none of ours."""

    reference: str
    payment_id: str | None
    customer_id: str | None
    held: Held | None


async def suspects(tx: Transaction, connection_id: str, *, kinds: Sequence[str]) -> Sequence[str]:
    """References to ask an ERP about, in their order: where the sides differ, where a difference of `kinds` is open, and
    where an invoice shows less, or more, of our payments than lies on it.

    A reference that is there twice joins twice: only where more was joined than is held is it looked for. One that was taken
    back is held no more: it is right that it is missing, and wrong that it stands.
    """
    await tx.run(f"SET LOCAL statement_timeout = '{_LOOK_WITHIN}'")
    await tx.run(f"SET LOCAL work_mem = '{_LOOK_WITH}'")
    joined = await tx.row(_JOINED, connection=connection_id)
    assert joined is not None
    taken_back = await tx.rows(_TAKEN_BACK, connection=connection_id)
    found = set(joined.unlike) - {row.reference for row in taken_back}
    found |= {row.reference for row in taken_back if row.stands}
    if joined.shown > joined.held:
        found |= {row.reference for row in await tx.rows(_REPEATED, connection=connection_id)}
    found |= {row.item for row in await tx.rows(_STILL_OPEN, connection=connection_id, kinds=list(kinds))}
    found |= {row.id for row in await tx.rows(_ON_EDITED, connection=connection_id)}
    return sorted(found)


async def listed_since(tx: Transaction, connection_id: str) -> datetime | None:
    """When the payments of an ERP had been read to their end for the first time. None: what is missing here says nothing."""
    row = await tx.row(
        "SELECT loaded_at FROM sync_cursors WHERE connection_id = :connection AND entity = 'payments'",
        connection=connection_id,
    )
    return None if row is None else row.loaded_at


async def confirmed_since(tx: Transaction, connection_id: str, *, since: datetime, kinds: Sequence[str]) -> Sequence[str]:
    """For an ERP that does not list its payments: what it confirmed since then, and where a difference is open."""
    rows = await tx.rows(
        f"""SELECT q.id AS item FROM postings q
            WHERE q.connection_id = :connection AND q.kind = 'payment' AND q.confirmed_at >= :since
            UNION {_STILL_OPEN} ORDER BY item""",
        connection=connection_id,
        since=since,
        kinds=list(kinds),
    )
    return [row.item for row in rows]


async def held(tx: Transaction, connection_id: str, references: Sequence[str]) -> Sequence[Suspect]:
    """What Duly holds of each reference at this ERP, as it stands now."""
    rows = await tx.rows(
        """SELECT r.reference, q.payment_id, coalesce(q.customer_id, e.customer_id) AS customer_id, q.state, q.amount,
                  p.currency, q.ignored_at IS NOT NULL AS ignored,
                  q.erp_id, b.confirmed_seq IS NOT NULL AS taken_back,
                  (SELECT count(*) FROM erp_payments x WHERE x.connection_id = :connection AND x.reference = r.reference
                   AND x.stands AND x.read_seq > b.confirmed_seq) AS listed_again,
                  EXISTS (SELECT 1 FROM postings b WHERE b.payment_id = q.payment_id AND b.kind = 'reversal'
                          AND b.state <> 'confirmed') AS on_its_way_back
           FROM unnest(cast(:references AS text[])) AS r(reference)
           LEFT JOIN postings q ON q.id = r.reference AND q.connection_id = :connection AND q.kind = 'payment'
           LEFT JOIN payments p ON p.id = q.payment_id
           LEFT JOIN LATERAL (SELECT max(v.confirmed_seq) AS confirmed_seq FROM postings v
                              WHERE v.payment_id = q.payment_id AND v.kind = 'reversal' AND v.state = 'confirmed') b ON true
           LEFT JOIN LATERAL (SELECT x.customer_id FROM erp_payments x WHERE x.connection_id = :connection
                              AND x.reference = r.reference LIMIT 1) e ON true
           ORDER BY r.reference""",
        references=list(references),
        connection=connection_id,
    )
    return [
        Suspect(
            reference=row.reference,
            payment_id=row.payment_id,
            customer_id=row.customer_id,
            held=None if row.state is None else _held(row),
        )
        for row in rows
    ]


def _held(row: Any) -> Held:
    return Held(
        amount=Money.of(row.amount, row.currency),
        written=_written(row),
        erp_id=row.erp_id,
        listed_again=row.listed_again,
    )


def _written(row: Any) -> Written:
    # What a person enters there by hand may be there or not, and is right either way.
    if row.on_its_way_back or row.ignored or row.state in {"sent", "unknown"}:
        return Written.PERHAPS
    if row.state != "confirmed":
        return Written.NO
    return Written.TAKEN_BACK if row.taken_back else Written.YES


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A payment that a person entered in the ERP."""

    erp_id: str
    number: str
    customer_id: str
    amount: Money
    author: str | None


async def foreign(
    tx: Transaction, connection_id: str, *, since: datetime, after: str = "", limit: int = 1000
) -> Sequence[Foreign]:
    """Payments without a reference of ours that were read since a moment, by the ERP's ids."""
    rows = await tx.rows(
        """SELECT erp_id, number, customer_id, amount, currency, author FROM erp_payments
           WHERE connection_id = :connection AND reference IS NULL AND stands AND changed_at > :since AND erp_id > :after
           ORDER BY erp_id LIMIT :limit""",
        connection=connection_id,
        since=since,
        after=after,
        limit=limit,
    )
    return [
        Foreign(
            erp_id=row.erp_id,
            number=row.number,
            customer_id=row.customer_id,
            amount=Money.of(row.amount, row.currency),
            author=row.author,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided:
    """An invoice that is no longer one, with money of ours on it."""

    invoice_id: str
    number: str
    customer_id: str
    amount: Money


async def voided(tx: Transaction, connection_id: str) -> Sequence[Voided]:
    """Void or deleted invoices that money of our payments lies on."""
    rows = await tx.rows(
        """SELECT i.id, i.number, i.customer_id, i.currency, sum(a.amount)::bigint AS amount
           FROM invoices i JOIN allocations a ON a.invoice_id = i.id
           WHERE i.connection_id = :connection AND (i.deleted OR i.status = 'void') AND a.payment_id IS NOT NULL
           GROUP BY i.id HAVING sum(a.amount) > 0 ORDER BY i.id""",
        connection=connection_id,
    )
    return [
        Voided(invoice_id=row.id, number=row.number, customer_id=row.customer_id, amount=Money.of(row.amount, row.currency))
        for row in rows
    ]


async def end_voided(tx: Transaction, connection_id: str, invoice_ids: Sequence[str], *, at: datetime) -> None:
    """Differences of void invoices that are none any more: the money was taken off, or the invoice is back."""
    await tx.run(
        """UPDATE differences SET closed_at = :at, closed_how = 'agrees'
           WHERE connection_id = :connection AND kind = 'paid_then_void' AND closed_at IS NULL AND NOT item = ANY(:still)""",
        connection=connection_id,
        still=list(invoice_ids),
        at=at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A reconciliation, for one side. `previous_at` is when the last one that asked it began, None before the first."""

    id: str
    started_at: datetime
    previous_at: datetime | None


async def write_down(tx: Transaction, run_id: str, *, asked_by: str, at: datetime) -> None:
    """The run's row; begun twice, it is one."""
    await tx.run(
        "INSERT INTO reconciliations (id, asked_by, started_at) VALUES (:id, :by, :at) ON CONFLICT (id) DO NOTHING",
        id=run_id,
        by=asked_by,
        at=at,
    )


async def load(tx: Transaction, run_id: str, side: str) -> Run:
    """A run that was begun. `previous_at` is of the last one that could ask this `side`: what happened since one that could
    not was looked at by nobody.
    """
    row = await tx.row(
        """SELECT r.id, r.started_at, (SELECT max(p.started_at) FROM reconciliations p WHERE p.finished_at IS NOT NULL
                                       AND p.started_at < r.started_at AND p.sides ? :side
                                       AND NOT (p.sides -> cast(:side AS text) ? 'problem')) AS previous_at
           FROM reconciliations r WHERE r.id = :id""",
        id=run_id,
        side=side,
    )
    assert row is not None
    return Run(id=row.id, started_at=row.started_at, previous_at=row.previous_at)


async def count(tx: Transaction, run_id: str, side: str, counted: Mapping[str, int], *, problem: str | None = None) -> None:
    """What a part of a run looked at, by its side (a connection's id); said again, it replaces what was said."""
    await tx.run(
        """UPDATE reconciliations SET sides = sides || jsonb_build_object(cast(:side AS text), cast(:told AS jsonb))
           WHERE id = :id""",
        id=run_id,
        side=side,
        told=json.dumps({**counted, **({} if problem is None else {"problem": problem})}),
    )


async def finish(tx: Transaction, run_id: str, *, at: datetime) -> bool:
    """The run is over. Equal: every side could be asked, and no difference is open that is older than its grace."""
    row = await tx.row(
        """UPDATE reconciliations r SET finished_at = coalesce(r.finished_at, :at), differing = d.count,
                  is_equal = d.count = 0 AND NOT jsonb_path_exists(r.sides, '$.*.problem')
           FROM (SELECT count(*) AS count FROM differences
                 WHERE closed_at IS NULL AND coalesce(tell_at, opened_at) <= :at) d
           WHERE r.id = :id RETURNING r.is_equal""",
        id=run_id,
        at=at,
    )
    assert row is not None
    return bool(row.is_equal)
