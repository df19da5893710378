"""Connections: which providers and ERPs are there, and what each offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from store.database import Transaction


async def offers(tx: Transaction, connection_id: str) -> Mapping[str, Sequence[str]] | None:
    """Currencies by method kind, {'card': ['USD', …]}; None when there is no such connection or it is switched off."""
    row = await tx.row("SELECT offers FROM connections WHERE id = :id AND role = 'payments' AND enabled", id=connection_id)
    return dict(row.offers) if row is not None else None


async def of_process(tx: Transaction, process_id: str) -> str | None:
    """The connection that a payment, a set-up or a refund calls; None for what is not known."""
    row = await tx.row(
        """SELECT connection_id FROM payments WHERE id = :id UNION ALL SELECT connection_id FROM method_setups WHERE id = :id
           UNION ALL SELECT p.connection_id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = :id""",
        id=process_id,
    )
    return None if row is None else str(row.connection_id)


async def announce(
    tx: Transaction,
    *,
    connection_id: str,
    role: str,
    connector: str,
    mode: str,
    offers: Mapping[str, Sequence[str]],
    at: datetime,
) -> None:
    """A worker says what its settings connect it to. Whether it is enabled stays as staff set it."""
    await tx.run(
        """INSERT INTO connections AS c (id, role, connector, mode, offers, changed_at)
           VALUES (:id, :role, :connector, :mode, cast(:offers AS jsonb), :at)
           ON CONFLICT (id) DO UPDATE SET connector = excluded.connector, mode = excluded.mode, offers = excluded.offers,
                  changed_at = excluded.changed_at
           WHERE NOT c.is_managed
             AND (c.connector, c.mode, c.offers) IS DISTINCT FROM (excluded.connector, excluded.mode, excluded.offers)""",
        id=connection_id,
        role=role,
        connector=connector,
        mode=mode,
        offers=json.dumps({kind: list(currencies) for kind, currencies in offers.items()}),
        at=at,
    )
