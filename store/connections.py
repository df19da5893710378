"""Connections: which providers and ERPs are there, and what each offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What a connection can take: currencies by method kind, {'card': ['USD', …]}."""

    saved: Mapping[str, Sequence[str]]  # saved by redirect, and charged
    once: Mapping[str, Sequence[str]]  # one payment on the provider's page
    countries: Mapping[str, Mapping[str, Sequence[str]]]  # where the customer must be, by kind and currency

    def saves(self, kind: str, currency: str) -> bool:
        """Whether a method of that kind can be saved, and charged in that currency."""
        return currency in self.saved.get(kind, ())

    def takes_once(self, kind: str, currency: str, country: str | None) -> bool:
        """Whether a customer of that country can make one payment on its page."""
        asked = self.countries.get(kind)
        return currency in self.once.get(kind, ()) and (asked is None or country in asked.get(currency, ()))


async def offers(tx: Transaction, connection_id: str) -> Offers | None:
    """What it offers; None when there is no such connection or it is switched off."""
    row = await tx.row(
        "SELECT offers, once, countries FROM connections WHERE id = :id AND role = 'payments' AND enabled",
        id=connection_id,
    )
    if row is None:
        return None
    return Offers(saved=row.offers, once=row.offers if row.once is None else row.once, countries=row.countries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A connection that workers' settings make."""

    id: str
    connector: str
    mode: str
    enabled: bool
    offers: Mapping[str, Sequence[str]]


async def announced(tx: Transaction) -> Sequence[Announced]:
    """Payment connections that workers' settings made and that serve something, in order of their ids."""
    rows = await tx.rows(
        """SELECT id, connector, mode, enabled, offers FROM connections
           WHERE role = 'payments' AND NOT is_managed AND offers <> '{}'::jsonb ORDER BY id"""
    )
    return [
        Announced(id=row.id, connector=row.connector, mode=row.mode, enabled=row.enabled, offers=row.offers) for row in rows
    ]


async def is_enabled(tx: Transaction, connection_id: str) -> bool:
    """Whether staff left it on; one that nobody announced is not."""
    row = await tx.row("SELECT enabled FROM connections WHERE id = :id", id=connection_id)
    return row is not None and bool(row.enabled)


async def country_of(tx: Transaction, customer_id: str) -> str | None:
    """Where a customer is, as an ISO 3166 code; None where nobody said."""
    row = await tx.row("SELECT country FROM customers WHERE id = :id", id=customer_id)
    return None if row is None else row.country


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
