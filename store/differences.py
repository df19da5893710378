"""Differences: what Duly and the other side disagree about, until both agree again or a person has given a reason.

An invoice's own are kept in the transaction that takes its figures in (`snapshots.note_differences`); here are those of
processes and those that reconciling finds, each named by its `item`: a payment, or a document of the ERP's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.differences import CLASSES, DifferenceKind
from domain.money import Money
from store.database import Transaction
from store.identity import fresh_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One difference, seen now. `amount` is what the other side shows beyond ours."""

    kind: DifferenceKind
    item: str
    amount: Money
    customer_id: str | None = None
    process_id: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


async def open_of_process(
    tx: Transaction, process_id: str, customer_id: str, *, kind: str, amount: Money, at: datetime
) -> None:
    """Open a difference, once for each process and kind; its amount is what the other side shows beyond ours."""
    await tx.run(
        """INSERT INTO differences (id, kind, item, process_id, customer_id, amount, currency, opened_at)
           SELECT :id, :kind, :process, :process, :customer, :amount, :currency, :at
           WHERE NOT EXISTS (SELECT 1 FROM differences d
                             WHERE d.process_id = :process AND d.kind = :kind AND d.closed_at IS NULL)
           ON CONFLICT (kind, item) WHERE closed_at IS NULL AND item IS NOT NULL DO NOTHING""",
        id=fresh_id("dif"),
        kind=kind,
        process=process_id,
        customer=customer_id,
        amount=amount.minor,
        currency=amount.currency,
        at=at,
    )


# A person's reason stands for as long as the other side shows the same: only then is it the same difference.
_KEEP: Final = """
INSERT INTO differences AS d (id, kind, item, connection_id, process_id, customer_id, amount, currency, facts, opened_at,
                              last_seen_at, tell_at)
SELECT :id, :kind, :item, :connection, :process, :customer, :amount, :currency, cast(:facts AS jsonb), :at, :at, :tell_at
WHERE NOT EXISTS (SELECT 1 FROM differences a WHERE a.kind = :kind AND a.item = :item AND a.closed_how = 'accepted'
                  AND a.amount = :amount AND a.currency = :currency)
ON CONFLICT (kind, item) WHERE closed_at IS NULL AND item IS NOT NULL
DO UPDATE SET last_seen_at = excluded.last_seen_at, amount = excluded.amount, currency = excluded.currency,
    facts = excluded.facts
RETURNING (xmax = 0) AS is_new"""


async def keep(tx: Transaction, found: Sequence[Found], *, connection_id: str | None, at: datetime) -> int:
    """Open what is new, and say of the others that they are still there. Answers how many are new.

    What a person has closed with a reason is not opened again while the amount is the same.
    """
    new = 0
    for each in found:
        row = await tx.row(
            _KEEP,
            id=fresh_id("dif"),
            kind=each.kind.value,
            item=each.item,
            connection=connection_id,
            process=each.process_id,
            customer=each.customer_id,
            amount=each.amount.minor,
            currency=each.amount.currency,
            facts=json.dumps(dict(each.facts)),
            at=at,
            tell_at=at + CLASSES[each.kind].grace,
        )
        new += row is not None and bool(row.is_new)
    return new


async def agree(
    tx: Transaction, items: Sequence[str], kinds: Sequence[DifferenceKind], found: Sequence[Found], *, at: datetime
) -> None:
    """Of these items, which were looked at, whatever of these kinds was not found is over."""
    await tx.run(
        """UPDATE differences d SET closed_at = :at, closed_how = 'agrees'
           WHERE d.item = ANY(:items) AND d.kind = ANY(:kinds) AND d.closed_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM unnest(cast(:found AS text[]), cast(:as_kinds AS text[])) AS f(item, kind)
                             WHERE f.item = d.item AND f.kind = d.kind)""",
        at=at,
        items=list(items),
        kinds=[each.value for each in kinds],
        found=[each.item for each in found],
        as_kinds=[each.kind.value for each in found],
    )


async def note_counted(tx: Transaction, found: Sequence[Found], *, connection_id: str, at: datetime) -> int:
    """What resolves itself and is said once: opened and closed in one. Answers how many had not been said before."""
    new = 0
    for each in found:
        new += await tx.run(
            """INSERT INTO differences (id, kind, item, connection_id, customer_id, amount, currency, facts, opened_at,
                                        last_seen_at, closed_at, closed_how)
               SELECT :id, :kind, :item, :connection, :customer, :amount, :currency, cast(:facts AS jsonb), :at, :at, :at,
                      'counted'
               WHERE NOT EXISTS (SELECT 1 FROM differences d WHERE d.kind = :kind AND d.item = :item)""",
            id=fresh_id("dif"),
            kind=each.kind.value,
            item=each.item,
            connection=connection_id,
            customer=each.customer_id,
            amount=each.amount.minor,
            currency=each.amount.currency,
            facts=json.dumps(dict(each.facts)),
            at=at,
        )
    return new


async def close(tx: Transaction, difference_id: str, *, reason: str, by: str, at: datetime) -> bool:
    """A person has looked, and says why nothing more is to be done. The same person's same word, said twice, is one.

    False where it is closed already, or closes only by itself: a figure that is wrong stays wrong whoever says otherwise.
    """
    closable = [kind.value for kind, each in CLASSES.items() if not each.mends_itself]
    closed = await tx.run(
        """UPDATE differences SET closed_at = :at, closed_how = 'accepted', closed_by = :by, close_reason = :reason
           WHERE id = :id AND closed_at IS NULL AND kind = ANY(:closable)""",
        id=difference_id,
        at=at,
        by=by,
        reason=reason,
        closable=closable,
    )
    if closed:
        return True
    said = await tx.row(
        "SELECT 1 FROM differences WHERE id = :id AND closed_by = :by AND close_reason = :reason",
        id=difference_id,
        by=by,
        reason=reason,
    )
    return said is not None
