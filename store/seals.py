"""Sealing the journal: what was booked since the last seal gets one, chained to it.

The boundary is the journal's own sequence, taken while nobody writes: a moment would leave out what commits late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain import sealing
from domain.sealing import SealedEntry, SealedLine
from store.database import Transaction

PAGE: Final = 5000
BOUNDARY: Final = 7305804402467697
"""The lock that every transaction shares which books (migration 0018)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One seal: entries with `first_seq` < seq <= `last_seq`; `tree` is their root, `seal` is chained to `previous`."""

    number: int
    first_seq: int
    last_seq: int
    entries: int
    tree: str
    previous: str
    seal: str
    sealed_at: datetime


async def seal(tx: Transaction, *, at: datetime) -> Seal | None:
    """Seal what was booked since the last one; None where nothing was. Writers wait while the boundary is read."""
    await tx.row("SELECT pg_advisory_xact_lock(:boundary)", boundary=BOUNDARY)
    last = await newest(tx)
    top = await tx.row("SELECT max(seq) AS seq FROM journal_entries")
    after = 0 if last is None else last.last_seq
    if top is None or top.seq is None or top.seq <= after:
        return None
    leaves: list[bytes] = []
    seen = after
    while page := await entries(tx, after=seen, until=top.seq):
        leaves += [sealing.leaf(each) for each in page]
        seen = page[-1].seq
    tree, previous = sealing.root(leaves), sealing.NOTHING if last is None else last.seal
    made = Seal(
        number=1 if last is None else last.number + 1,
        first_seq=after,
        last_seq=top.seq,
        entries=len(leaves),
        tree=tree,
        previous=previous,
        seal=sealing.chained(previous, tree),
        sealed_at=at,
    )
    await tx.run(
        """INSERT INTO seals (number, first_seq, last_seq, entries, tree, previous, seal, sealed_at)
           VALUES (:number, :first, :last, :entries, :tree, :previous, :seal, :at)""",
        number=made.number,
        first=made.first_seq,
        last=made.last_seq,
        entries=made.entries,
        tree=made.tree,
        previous=made.previous,
        seal=made.seal,
        at=at,
    )
    return made


async def newest(tx: Transaction) -> Seal | None:
    """The last seal."""
    found = await every(tx, most=1)
    return found[0] if found else None


async def every(tx: Transaction, *, most: int | None = None) -> Sequence[Seal]:
    """The seals, the newest first."""
    rows = await tx.rows("SELECT * FROM seals ORDER BY number DESC LIMIT :most", most=most)
    return [
        Seal(
            number=row.number,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            entries=row.entries,
            tree=row.tree,
            previous=row.previous,
            seal=row.seal,
            sealed_at=row.sealed_at,
        )
        for row in rows
    ]


async def entries(tx: Transaction, *, after: int, until: int, limit: int = PAGE) -> Sequence[SealedEntry]:
    """Journal entries of a stretch of the sequence, in its order."""
    rows = await tx.rows(
        """SELECT e.seq, e.id, e.process_id, e.kind, e.currency, e.booked_at,
                  array_agg(l.account ORDER BY l.position) AS accounts, array_agg(l.holder ORDER BY l.position) AS holders,
                  array_agg(coalesce(l.invoice_id, '') ORDER BY l.position) AS invoices,
                  array_agg(l.amount ORDER BY l.position) AS amounts
           FROM (SELECT * FROM journal_entries WHERE seq > :after AND seq <= :until ORDER BY seq LIMIT :limit) e
           JOIN journal_lines l ON l.entry_id = e.id
           GROUP BY e.seq, e.id, e.process_id, e.kind, e.currency, e.booked_at ORDER BY e.seq""",
        after=after,
        until=until,
        limit=limit,
    )
    return [
        SealedEntry(
            seq=row.seq,
            id=row.id,
            process_id=row.process_id,
            kind=row.kind,
            currency=row.currency,
            booked_at=row.booked_at,
            lines=tuple(
                SealedLine(account=account, holder=holder, invoice_id=invoice, minor=amount)
                for account, holder, invoice, amount in zip(
                    row.accounts, row.holders, row.invoices, row.amounts, strict=True
                )
            ),
        )
        for row in rows
    ]
