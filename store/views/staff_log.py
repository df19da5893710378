"""The access log as staff read it (H5): filtered by person, customer and action, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from store.database import Transaction
from store.views.staff import shaped

PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One act: who did what, when, with whose account, from where."""

    seq: int
    at: datetime
    actor: str
    actor_name: str
    action: str
    customer_id: str | None
    customer_name: str | None
    object_id: str | None
    address: str | None
    agent: str | None
    facts: dict[str, Any]

    @property
    def request_id(self) -> str:
        """The request that it belongs to, where somebody named one."""
        return str(self.facts.get("request_id", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is looked for; an empty one lets everything through. `customer` is an id or a number, `person` an actor."""

    person: str = ""
    customer: str = ""
    action: str = ""


async def lines(tx: Transaction, wanted: Filter, *, before: int | None = None, limit: int = PAGE + 1) -> Sequence[LogLine]:
    """Acts before the one with that number, the newest first."""
    rows = await tx.rows(
        """SELECT a.seq, a.at, a.actor, coalesce(f.name, k.label, a.actor) AS actor_name, a.action, a.customer_id,
                  c.name AS customer_name, a.object_id, a.address, a.agent, a.facts
           FROM access_log a LEFT JOIN staff f ON f.id = a.actor LEFT JOIN api_keys k ON k.id = a.actor
                LEFT JOIN customers c ON c.id = a.customer_id
           WHERE (CAST(:before AS bigint) IS NULL OR a.seq < :before)
             AND (:person = '' OR a.actor = :person)
             AND (:action = '' OR a.action = :action)
             AND (:customer = '' OR a.customer_id = ANY (
                  ARRAY(SELECT x.id FROM customers x WHERE x.id = :customer OR x.number = :customer)))
           ORDER BY a.seq DESC LIMIT :limit""",
        before=before,
        person=wanted.person,
        customer=wanted.customer,
        action=wanted.action,
        limit=limit,
    )
    return [shaped(LogLine, row) for row in rows]


async def actors(tx: Transaction) -> Sequence[tuple[str, str]]:
    """(id, name) of every member of staff, for the filter."""
    return [(row.id, row.name) for row in await tx.rows("SELECT id, name FROM staff ORDER BY lower(name), id")]


async def actions(tx: Transaction) -> Sequence[str]:
    """Every action that was ever noted, found by skipping from one to the next."""
    rows = await tx.rows(
        """WITH RECURSIVE found AS (
               (SELECT action FROM access_log ORDER BY action LIMIT 1)
               UNION ALL
               SELECT (SELECT a.action FROM access_log a WHERE a.action > found.action ORDER BY a.action LIMIT 1)
               FROM found WHERE found.action IS NOT NULL)
           SELECT action FROM found WHERE action IS NOT NULL"""
    )
    return [str(row.action) for row in rows]
