"""Consent that a person gives at a vendor: who was sent there, and the pair of tokens that it led to, sealed as one text.

Whoever renews a pair holds its row meanwhile: `hold` waits for everybody else who does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import OperationalError

from store import tokens
from store.database import Transaction
from store.envelopes import Envelopes

ASKED_LIVES: Final = timedelta(minutes=15)
_LOCK_TIMEOUT: Final = "55P03"
_NAME: Final = "consent"

Choices = Mapping[str, Sequence[tuple[str, str]]]
"""(value, label) of what the vendor left to choose, by the setting's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a connection's page says: who gave it and when, whether the vendor has ended it, what is still to be chosen."""

    by: str
    given_at: datetime
    lost_at: datetime | None
    choices: Choices


class HeldElsewhere(Exception):
    """Somebody else renews it, and did not come to an end while we waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A pair as it is stored; `number` tells it from the one before."""

    sealed: str
    number: int
    is_lost: bool


async def ask(tx: Transaction, connection_id: str, *, session: str, by: str, at: datetime) -> str:
    """A state for the way to the vendor and back: good once, for a quarter of an hour, in this session only."""
    state = tokens.fresh()
    await tx.run(
        """INSERT INTO consents_asked (state_hash, connection_id, session_hash, asked_by, asked_at, expires_at)
           VALUES (:state, :connection, :session, :by, :at, :expires)""",
        state=tokens.hashed(state),
        connection=connection_id,
        session=tokens.hashed(session),
        by=by,
        at=at,
        expires=at + ASKED_LIVES,
    )
    return state


async def came_back(tx: Transaction, state: str, *, session: str, at: datetime) -> str | None:
    """The connection that a state was made for, which is used up; None for one that is unknown, over or somebody else's."""
    row = await tx.row(
        """UPDATE consents_asked SET used_at = :at
           WHERE state_hash = :state AND session_hash = :session AND used_at IS NULL AND expires_at > :at
           RETURNING connection_id""",
        state=tokens.hashed(state),
        session=tokens.hashed(session),
        at=at,
    )
    return None if row is None else str(row.connection_id)


async def keep(
    tx: Transaction, envelopes: Envelopes, connection_id: str, pair: str, *, choices: Choices, by: str, at: datetime
) -> None:
    """The first pair of a new consent, in the place of whatever was there. Raises CannotOpen without a master key."""
    await tx.run(
        """INSERT INTO connection_tokens AS t (connection_id, sealed, choices, consented_by, consented_at)
           VALUES (:connection, :sealed, CAST(:choices AS jsonb), :by, :at)
           ON CONFLICT (connection_id) DO UPDATE SET sealed = excluded.sealed, number = t.number + 1,
               choices = excluded.choices, consented_by = excluded.consented_by, consented_at = excluded.consented_at,
               renewed_at = NULL, lost_at = NULL""",
        connection=connection_id,
        sealed=envelopes.seal(pair, owner=owner_of(connection_id)),
        choices=json.dumps({name: [list(each) for each in offered] for name, offered in choices.items()}),
        by=by,
        at=at,
    )


async def read(tx: Transaction, connection_id: str) -> Held | None:
    """The pair as it is now; None where there is none."""
    return await _held(tx, "SELECT sealed, number, lost_at FROM connection_tokens WHERE connection_id = :id", connection_id)


async def hold(tx: Transaction, connection_id: str) -> Held | None:
    """The same, locked until the transaction ends: nobody else renews it meanwhile. Raises HeldElsewhere."""
    locked = "SELECT sealed, number, lost_at FROM connection_tokens WHERE connection_id = :id FOR UPDATE"
    try:
        return await _held(tx, locked, connection_id)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
            raise
        raise HeldElsewhere from error


async def replace(tx: Transaction, envelopes: Envelopes, connection_id: str, pair: str, *, at: datetime) -> None:
    """The next pair, in the place of the one that is held. Raises CannotOpen without a master key."""
    await tx.run(
        """UPDATE connection_tokens SET sealed = :sealed, number = number + 1, renewed_at = :at, lost_at = NULL
           WHERE connection_id = :connection""",
        connection=connection_id,
        sealed=envelopes.seal(pair, owner=owner_of(connection_id)),
        at=at,
    )


async def lose(tx: Transaction, connection_id: str, *, number: int, at: datetime) -> None:
    """The vendor knows this pair no more. A newer one is left alone."""
    await tx.run(
        "UPDATE connection_tokens SET lost_at = :at WHERE connection_id = :id AND number = :number AND lost_at IS NULL",
        id=connection_id,
        number=number,
        at=at,
    )


async def wrap_anew(tx: Transaction, envelopes: Envelopes) -> int:
    """Put every pair under the newest master key; how many were under an older one. Raises CannotOpen."""
    rows = await tx.rows("SELECT connection_id, sealed FROM connection_tokens ORDER BY connection_id FOR UPDATE")
    older = [row for row in rows if not envelopes.is_under_newest(row.sealed)]
    for row in older:
        await tx.run(
            "UPDATE connection_tokens SET sealed = :sealed WHERE connection_id = :id",
            id=row.connection_id,
            sealed=envelopes.wrapped_anew(row.sealed, owner=owner_of(row.connection_id)),
        )
    return len(older)


def owner_of(connection_id: str) -> str:
    """What a pair is bound to."""
    return f"{connection_id}/{_NAME}"


async def _held(tx: Transaction, statement: str, connection_id: str) -> Held | None:
    row = await tx.row(statement, id=connection_id)
    return None if row is None else Held(sealed=row.sealed, number=row.number, is_lost=row.lost_at is not None)
