"""One process with its whole timeline, as it is exported: what it is, whose, and who did what when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from store.database import Transaction

_HEADS: Final = {
    "pay": "SELECT p.customer_id, p.state, p.amount, p.currency, p.id AS process FROM payments p WHERE p.id = :id",
    "rfd": "SELECT r.customer_id, r.state, r.amount, r.currency, r.payment_id AS process FROM refunds r WHERE r.id = :id",
    "req": "SELECT r.customer_id, r.state, r.amount, r.currency, r.id AS process FROM apply_requests r WHERE r.id = :id",
    "set": """SELECT s.customer_id, s.state, NULL::bigint AS amount, s.currency, s.id AS process
              FROM method_setups s WHERE s.id = :id""",
    "pm": """SELECT m.customer_id, m.state, NULL::bigint AS amount, NULL AS currency, m.id AS process
             FROM payment_methods m WHERE m.id = :id""",
}
"""Where a process of each kind has its row. A refund's story is told with its payment's: `process`."""


class Told(NamedTuple):
    """An event. `actor` is an id or a name, None for what nobody did; `actor_name` how staff call it."""

    at: datetime
    kind: str
    actor: str | None
    actor_name: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process and everything that was told of it. `amount` is None where no money is meant."""

    id: str
    customer_id: str
    customer_name: str
    customer_number: str
    state: str
    amount: int | None
    currency: str | None
    events: Sequence[Told]


async def process(tx: Transaction, process_id: str) -> Process | None:
    """The process of that id, or None."""
    head = _HEADS.get(process_id.partition("_")[0])
    row = None if head is None else await tx.row(
        f"SELECT h.*, c.name, c.number FROM ({head}) h JOIN customers c ON c.id = h.customer_id", id=process_id
    )  # fmt: skip
    if row is None:
        return None
    events = await tx.rows(
        """SELECT t.at, t.kind, t.facts ->> 'by' AS actor, coalesce(f.name, k.label, t.facts ->> 'by') AS actor_name,
                  t.facts - 'by' AS facts
           FROM timeline t LEFT JOIN staff f ON f.id = t.facts ->> 'by' LEFT JOIN api_keys k ON k.id = t.facts ->> 'by'
           WHERE t.process_id = :process
             AND (:process = :id OR split_part(t.id, '/', 3) = :id)
           ORDER BY t.at, t.seq""",
        process=row.process,
        id=process_id,
    )
    return Process(
        id=process_id,
        customer_id=row.customer_id,
        customer_name=row.name,
        customer_number=row.number,
        state=row.state,
        amount=row.amount,
        currency=row.currency,
        events=[Told(each.at, each.kind, each.actor, each.actor_name, each.facts) for each in events],
    )
