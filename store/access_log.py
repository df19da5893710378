"""Who did what, from where: append-only (a trigger refuses change). Never a token, a password or a card number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act. `actor` is a staff id, 'portal/{link id}' or a command; `action` a word such as 'link_created'."""

    actor: str
    action: str
    customer_id: str | None = None
    object_id: str | None = None
    address: str | None = None
    agent: str | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict)


async def note(tx: Transaction, act: Act, *, at: datetime) -> None:
    """Write an act in the transaction of what it did."""
    await tx.run(
        """INSERT INTO access_log (at, actor, action, customer_id, object_id, address, agent, facts)
           VALUES (:at, :actor, :action, :customer, :object, :address, :agent, CAST(:facts AS jsonb))""",
        at=at,
        actor=act.actor,
        action=act.action,
        customer=act.customer_id,
        object=act.object_id,
        address=act.address,
        agent=None if act.agent is None else act.agent[:200],
        facts=json.dumps(dict(act.facts)),
    )
