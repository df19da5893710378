"""Connections to payment providers and ERPs that staff make, change, check and switch off, and their sealed secrets.

Every change that a process must hear of raises the connection's version: each process compares and builds anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.consents import Choices as Offered
from store.consents import Consent
from store.database import Transaction
from store.envelopes import Envelopes
from store.identity import fresh_id

_SHOWN_CHARACTERS = 4
_LEAST_TO_SHOW = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """One secret of a connection as it is stored. `hint` is its end, for staff to tell two of them apart."""

    id: str
    name: str
    sealed: str
    hint: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedConnection:
    """One connection. `given` is what it was given that is no secret; `secrets` those that count, the newest first.

    `offers` is what it saves and charges, `once` what it takes on a page: currencies by kind. `problems` are what its last
    check found: sentences, and whether it can work at all. `role` is 'payments' or 'erp'; an ERP takes no kinds.
    """

    id: str
    role: str
    title: str
    connector: str
    mode: str
    enabled: bool
    version: int
    given: Mapping[str, str]
    kinds: tuple[str, ...]
    currencies: tuple[str, ...]
    preferred: tuple[str, ...]
    offers: Mapping[str, Sequence[str]]
    once: Mapping[str, Sequence[str]]
    calls_per_second: int | None
    problems: tuple[Mapping[str, Any], ...]
    checked_at: datetime | None
    changed_at: datetime
    secrets: tuple[SealedSecret, ...]
    consent: Consent | None = None

    @property
    def takes(self) -> Mapping[str, Sequence[str]]:
        """Currencies by kind, in whichever way it takes them."""
        return {
            kind: list(dict.fromkeys((*self.offers.get(kind, ()), *self.once.get(kind, ()))))
            for kind in dict.fromkeys((*self.offers, *self.once))
        }

    @property
    def unchosen(self) -> Offered:
        """What the vendor left to choose and nobody has chosen yet."""
        offered = {} if self.consent is None else self.consent.choices
        return {name: choices for name, choices in offered.items() if name not in self.given}

    def secrets_of(self, name: str) -> tuple[SealedSecret, ...]:
        """Those of one name, the newest first."""
        return tuple(each for each in self.secrets if each.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What staff decide about a connection: its name, what it is given, what it is to take."""

    title: str
    given: Mapping[str, str]
    kinds: Sequence[str]
    currencies: Sequence[str]
    preferred: Sequence[str]
    offers: Mapping[str, Sequence[str]]
    once: Mapping[str, Sequence[str]]
    countries: Mapping[str, Mapping[str, Sequence[str]]]


_SELECT = """
    SELECT c.*, coalesce((SELECT jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name, 'sealed', s.sealed, 'hint', s.hint,
               'added_by', s.added_by, 'added_at', s.added_at) ORDER BY s.added_at DESC, s.id DESC)
           FROM connection_secrets s WHERE s.connection_id = c.id AND s.ended_at IS NULL), '[]'::jsonb) AS secrets,
           (SELECT jsonb_build_object('by', t.consented_by, 'given_at', t.consented_at, 'lost_at', t.lost_at,
               'choices', t.choices) FROM connection_tokens t WHERE t.connection_id = c.id) AS consent
    FROM connections c WHERE c.is_managed"""


async def every(tx: Transaction) -> Sequence[ManagedConnection]:
    """All of them, also those that are switched off: what they began must be seen through."""
    return [_connection(row) for row in await tx.rows(f"{_SELECT} ORDER BY c.id")]


async def one(tx: Transaction, connection_id: str) -> ManagedConnection | None:
    """One of them, locked against everybody else's changes."""
    row = await tx.row(f"{_SELECT} AND c.id = :id FOR UPDATE OF c", id=connection_id)
    return None if row is None else _connection(row)


async def versions(tx: Transaction) -> Mapping[str, int]:
    """What each process compares with what it has built."""
    rows = await tx.rows("SELECT id, version FROM connections WHERE is_managed")
    return {row.id: row.version for row in rows}


async def add(
    tx: Transaction,
    connection_id: str,
    choices: Choices,
    *,
    connector: str,
    mode: str,
    calls_per_second: int | None,
    at: datetime,
    role: str = "payments",
) -> bool:
    """A new connection, switched off. False when there is one of that id."""
    return bool(
        await tx.run(
            """INSERT INTO connections (id, role, connector, mode, title, is_managed, enabled, given, kinds, currencies,
                   preferred, offers, once, countries, calls_per_second, changed_at)
               VALUES (:id, :role, :connector, :mode, :title, true, false, CAST(:given AS jsonb), CAST(:kinds AS jsonb),
                   CAST(:currencies AS jsonb), CAST(:preferred AS jsonb), CAST(:offers AS jsonb), CAST(:once AS jsonb),
                   CAST(:countries AS jsonb), :rate, :at)
               ON CONFLICT (id) DO NOTHING""",
            id=connection_id,
            role=role,
            connector=connector,
            mode=mode,
            rate=calls_per_second,
            at=at,
            **_written(choices),
        )
    )


async def change(tx: Transaction, connection_id: str, choices: Choices, *, at: datetime) -> None:
    """Other choices, from now on; its row is locked."""
    await tx.run(
        """UPDATE connections SET title = :title, given = CAST(:given AS jsonb), kinds = CAST(:kinds AS jsonb),
               currencies = CAST(:currencies AS jsonb), preferred = CAST(:preferred AS jsonb),
               offers = CAST(:offers AS jsonb), once = CAST(:once AS jsonb),
               countries = CAST(:countries AS jsonb), version = version + 1, changed_at = :at
           WHERE id = :id AND is_managed""",
        id=connection_id,
        at=at,
        **_written(choices),
    )


def _written(choices: Choices) -> dict[str, str]:
    return {
        "title": choices.title,
        "given": json.dumps(dict(choices.given)),
        "kinds": json.dumps(list(choices.kinds)),
        "currencies": json.dumps(list(choices.currencies)),
        "preferred": json.dumps(list(choices.preferred)),
        "offers": json.dumps({kind: list(served) for kind, served in choices.offers.items()}),
        "once": json.dumps({kind: list(served) for kind, served in choices.once.items()}),
        "countries": json.dumps({kind: dict(asked) for kind, asked in choices.countries.items()}),
    }


async def learn(tx: Transaction, connection_id: str, learnt: Mapping[str, str], *, at: datetime) -> None:
    """What its vendor told of it, beside what staff gave it."""
    await tx.run(
        """UPDATE connections SET given = given || CAST(:learnt AS jsonb), version = version + 1, changed_at = :at
           WHERE id = :id AND is_managed""",
        id=connection_id,
        learnt=json.dumps(dict(learnt)),
        at=at,
    )


async def switch(tx: Transaction, connection_id: str, *, on: bool, at: datetime) -> None:
    """On: customers are offered what it serves. Off: nothing new begins over it, what has begun goes on."""
    await tx.run(
        "UPDATE connections SET enabled = :on, changed_at = :at WHERE id = :id AND is_managed",
        id=connection_id,
        on=on,
        at=at,
    )


async def checked(tx: Transaction, connection_id: str, problems: Sequence[Mapping[str, Any]], *, at: datetime) -> None:
    """What a check found; nothing is well."""
    health = "ok" if not problems else "broken" if any(each["is_fatal"] for each in problems) else "problems"
    await tx.run(
        """UPDATE connections SET problems = CAST(:problems AS jsonb), checked_at = :at, health = :health
           WHERE id = :id AND is_managed""",
        id=connection_id,
        problems=json.dumps([dict(each) for each in problems]),
        health=health,
        at=at,
    )


async def add_secret(
    tx: Transaction, envelopes: Envelopes, connection_id: str, name: str, secret: str, *, by: str, at: datetime
) -> None:
    """The newest of its name. Those before it count until they are ended. Raises CannotOpen without a master key."""
    await tx.run(
        """INSERT INTO connection_secrets (id, connection_id, name, sealed, hint, added_by, added_at)
           VALUES (:id, :connection, :name, :sealed, :hint, :by, :at)""",
        id=fresh_id("sec"),
        connection=connection_id,
        name=name,
        sealed=envelopes.seal(secret, owner=owner_of(connection_id, name)),
        hint=secret[-_SHOWN_CHARACTERS:] if len(secret) >= _LEAST_TO_SHOW else "",
        by=by,
        at=at,
    )
    await _raise_version(tx, connection_id, at=at)


async def end_older_secrets(tx: Transaction, connection_id: str, name: str, *, at: datetime) -> int:
    """Only the newest of that name counts from now on; the number of those that were ended."""
    ended = await tx.run(
        """UPDATE connection_secrets SET ended_at = :at, sealed = ''
           WHERE connection_id = :connection AND name = :name AND ended_at IS NULL AND id <> (
               SELECT id FROM connection_secrets WHERE connection_id = :connection AND name = :name AND ended_at IS NULL
               ORDER BY added_at DESC, id DESC LIMIT 1)""",
        connection=connection_id,
        name=name,
        at=at,
    )
    if ended:
        await _raise_version(tx, connection_id, at=at)
    return ended


async def wrap_anew(tx: Transaction, envelopes: Envelopes) -> int:
    """Put every secret under the newest master key; how many were under an older one. Raises CannotOpen."""
    rows = await tx.rows("SELECT * FROM connection_secrets WHERE ended_at IS NULL ORDER BY id FOR UPDATE")
    older = [row for row in rows if not envelopes.is_under_newest(row.sealed)]
    for row in older:
        await tx.run(
            "UPDATE connection_secrets SET sealed = :sealed WHERE id = :id",
            id=row.id,
            sealed=envelopes.wrapped_anew(row.sealed, owner=owner_of(row.connection_id, row.name)),
        )
    return len(older)


async def currencies_in_use(tx: Transaction) -> Sequence[str]:
    """Currencies that customers or their invoices have, in alphabetical order."""
    rows = await tx.rows("SELECT currency FROM customers UNION SELECT currency FROM invoices ORDER BY currency")
    return [row.currency for row in rows]


def owner_of(connection_id: str, name: str) -> str:
    """What a secret is bound to."""
    return f"{connection_id}/{name}"


async def _raise_version(tx: Transaction, connection_id: str, *, at: datetime) -> None:
    await tx.run(
        "UPDATE connections SET version = version + 1, changed_at = :at WHERE id = :id AND is_managed",
        id=connection_id,
        at=at,
    )


def _connection(row: Any) -> ManagedConnection:
    return ManagedConnection(
        id=row.id,
        role=row.role,
        title=row.title or row.id,
        connector=row.connector,
        mode=row.mode,
        enabled=row.enabled,
        version=row.version,
        given=row.given,
        kinds=tuple(row.kinds),
        currencies=tuple(row.currencies),
        preferred=tuple(row.preferred),
        offers=row.offers,
        once=row.offers if row.once is None else row.once,
        calls_per_second=row.calls_per_second,
        problems=tuple(row.problems),
        checked_at=row.checked_at,
        changed_at=row.changed_at,
        secrets=tuple(
            SealedSecret(
                id=each["id"],
                name=each["name"],
                sealed=each["sealed"],
                hint=each["hint"],
                added_by=each["added_by"],
                added_at=datetime.fromisoformat(each["added_at"]),
            )
            for each in row.secrets
        ),
        consent=_consent(row.consent),
    )


def _consent(told: Mapping[str, Any] | None) -> Consent | None:
    if told is None:
        return None
    lost_at = told["lost_at"]
    return Consent(
        by=told["by"],
        given_at=datetime.fromisoformat(told["given_at"]),
        lost_at=None if lost_at is None else datetime.fromisoformat(lost_at),
        choices={name: [(value, label) for value, label in offered] for name, offered in told["choices"].items()},
    )
