"""What staff see of reconciliation: whether all is equal and since when, what was compared, what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from store.database import Transaction
from store.views.staff import shaped

RUNS: Final = 14
SHOWN: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One comparison. `sides` by connection: what was looked at, what differed, what stood in the way."""

    id: str
    asked_by: str
    asked_by_name: str | None
    started_at: datetime
    finished_at: datetime | None
    sides: Mapping[str, Mapping[str, Any]]
    differing: int | None
    is_equal: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceLine:
    """A difference in a list; amounts in minor units. `settling`: it may still end by itself, and nobody was told."""

    id: str
    kind: str
    customer_id: str | None
    customer_name: str | None
    amount: int
    currency: str
    opened_at: datetime
    settling: bool
    owner_name: str | None
    closed_at: datetime | None
    closed_how: str | None
    closed_by_name: str | None
    close_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceFacts:
    """The evidence of one difference."""

    id: str
    kind: str
    item: str | None
    connection: str | None
    invoice_id: str | None
    invoice_number: str | None
    facts: Mapping[str, str]
    last_seen_at: datetime | None
    being_mended: str | None  # the state of a document of ours that is to end it


async def runs(tx: Transaction) -> Sequence[RunLine]:
    """The newest first."""
    rows = await tx.rows(
        f"""SELECT r.*, f.name AS asked_by_name FROM reconciliations r LEFT JOIN staff f ON f.id = r.asked_by
            ORDER BY r.started_at DESC LIMIT {RUNS}"""
    )
    return [shaped(RunLine, row) for row in rows]


async def equal_since(tx: Transaction) -> datetime | None:
    """When the first of the runs began that were all equal since; None where the last one was not."""
    row = await tx.row(
        """SELECT min(started_at) AS since FROM reconciliations
           WHERE is_equal AND started_at > coalesce((SELECT max(u.started_at) FROM reconciliations u
                                                     WHERE u.is_equal = false), '-infinity')"""
    )
    return None if row is None else row.since


_LINES: Final = """
SELECT d.id, d.kind, d.customer_id, c.name AS customer_name, d.amount, d.currency, d.opened_at,
       coalesce(d.tell_at > :at, false) AS settling, f.name AS owner_name, d.closed_at, d.closed_how,
       b.name AS closed_by_name, d.close_reason
FROM differences d LEFT JOIN customers c ON c.id = d.customer_id LEFT JOIN inbox_owners o ON o.item = d.id
LEFT JOIN staff f ON f.id = o.staff_id LEFT JOIN staff b ON b.id = d.closed_by"""


async def still_open(tx: Transaction, *, at: datetime) -> Sequence[DifferenceLine]:
    """The oldest first, one more than are shown where there are more."""
    rows = await tx.rows(f"{_LINES} WHERE d.closed_at IS NULL ORDER BY d.opened_at, d.id LIMIT {SHOWN + 1}", at=at)
    return [shaped(DifferenceLine, row) for row in rows]


async def over(tx: Transaction, *, at: datetime) -> Sequence[DifferenceLine]:
    """What ended last, and how."""
    rows = await tx.rows(f"{_LINES} WHERE d.closed_at IS NOT NULL ORDER BY d.closed_at DESC, d.id LIMIT {RUNS}", at=at)
    return [shaped(DifferenceLine, row) for row in rows]


async def evidence(tx: Transaction, difference_id: str) -> DifferenceFacts | None:
    """Of one; None where nothing has that id."""
    row = await tx.row(
        """SELECT d.id, d.kind, d.item, coalesce(n.title, n.connector, d.connection_id) AS connection, d.invoice_id,
                  i.number AS invoice_number, d.facts, d.last_seen_at,
                  (SELECT q.state FROM postings q WHERE q.payment_id = d.process_id AND q.kind = 'surplus'
                   AND q.about_erp_id = d.facts ->> 'surplus' AND q.state <> 'canceled') AS being_mended
           FROM differences d LEFT JOIN connections n ON n.id = d.connection_id LEFT JOIN invoices i
                ON i.id = coalesce(d.invoice_id, CASE WHEN d.kind = 'paid_then_void' THEN d.item END)
           WHERE d.id = :id""",
        id=difference_id,
    )
    return None if row is None else shaped(DifferenceFacts, row)
