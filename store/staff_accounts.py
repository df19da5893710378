"""Members of staff and their sessions: 15 minutes without a request, 8 hours in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from sqlalchemy.engine import Row

from domain import business
from domain.business import BusinessSettings
from store import tokens
from store.access import OFFERS, PaymentOffer, offers_from
from store.business import NEWEST
from store.database import Transaction
from store.identity import fresh_id
from store.views.erps_away import AWAY, ErpAway, erps_away
from store.views.staff_inbox import WAITS

IDLE: Final = timedelta(minutes=15)
AT_MOST: Final = timedelta(hours=8)
CODE_WITHIN: Final = timedelta(minutes=5)
"""How long the sign-in page waits for the code after a password was right."""
HAS_SECOND_FACTOR: Final = "EXISTS (SELECT 1 FROM second_factors x WHERE x.staff_id = f.id AND x.confirmed_at IS NOT NULL)"
_ACCOUNT: Final = f"f.id, f.email, f.name, f.role, f.password_hash, {HAS_SECOND_FACTOR} AS has_second_factor"
_TOUCH_EVERY: Final = timedelta(seconds=30)  # not every request is a write


class Role(IntEnum):
    """What a member of staff may do; each may do what those before may."""

    VIEWER = 1
    AGENT = 2
    APPROVER = 3
    ADMIN = 4

    @classmethod
    def named(cls, name: str) -> Role:
        """'agent' → AGENT. Raises KeyError."""
        return cls[name.upper()]

    @property
    def word(self) -> str:
        """As it is stored and shown."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A member of staff, with what is needed to check a password."""

    id: str
    email: str
    name: str
    role: Role
    password_hash: str
    has_second_factor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSession:
    """A member of staff who is signed in, with the settings and the payment connections that pages need, how much waits for
    a person, and the ERPs that cannot be read.
    """

    reference: str
    staff_id: str
    email: str
    name: str
    role: Role
    csrf: str
    expires_at: datetime
    settings: BusinessSettings
    offers: tuple[PaymentOffer, ...]
    waiting: int
    erps_away: tuple[ErpAway, ...] = ()
    has_second_factor: bool = False


async def add(tx: Transaction, *, email: str, name: str, role: Role, password_hash: str, at: datetime) -> str | None:
    """A new member of staff; the id, or None when the address is taken."""
    staff_id = fresh_id("stf")
    added = await tx.run(
        """INSERT INTO staff (id, email, name, role, password_hash, added_at)
           VALUES (:id, lower(:email), :name, :role, :hash, :at) ON CONFLICT (email) DO NOTHING""",
        id=staff_id,
        email=email,
        name=name,
        role=role.word,
        hash=password_hash,
        at=at,
    )
    return staff_id if added == 1 else None


async def by_email(tx: Transaction, email: str) -> Account | None:
    """The active member of staff with that address, in any case."""
    row = await tx.row(f"SELECT {_ACCOUNT} FROM staff f WHERE f.email = lower(:email) AND f.active", email=email)
    return None if row is None else _account(row)


async def role_of(tx: Transaction, staff_id: str) -> Role | None:
    """The role that a member of staff has now; None for whoever is none, or has left."""
    row = await tx.row("SELECT role FROM staff WHERE id = :id AND active", id=staff_id)
    return None if row is None else Role.named(row.role)


async def addresses(tx: Transaction, least: Role) -> Sequence[str]:
    """Where those of at least a role get their mail."""
    rows = await tx.rows(
        "SELECT email FROM staff WHERE active AND role = ANY(:roles) ORDER BY email",
        roles=[role.word for role in Role if role >= least],
    )
    return [row.email for row in rows]


async def by_id(tx: Transaction, staff_id: str) -> Account | None:
    """The active member of staff with that id."""
    row = await tx.row(f"SELECT {_ACCOUNT} FROM staff f WHERE f.id = :id AND f.active", id=staff_id)
    return None if row is None else _account(row)


async def open_session(
    tx: Transaction, account: Account, *, at: datetime, address: str | None = None, agent: str | None = None
) -> str:
    """A fresh session; its token, at the only moment when it is known."""
    return await _open(tx, account, kind="staff", at=at, expires_at=at + AT_MOST, address=address, agent=agent)


async def open_half(tx: Transaction, account: Account, *, at: datetime) -> str:
    """What the right password opens while the code is missing: nothing but the page that asks for the code."""
    return await _open(tx, account, kind="staff_code", at=at, expires_at=at + CODE_WITHIN, address=None, agent=None)


async def half_open(tx: Transaction, token: str, *, at: datetime) -> Account | None:
    """Whose password was right a moment ago; None for a token that says nothing of the kind."""
    row = await tx.row(
        f"""SELECT {_ACCOUNT} FROM sessions s JOIN staff f ON f.id = s.staff_id
            WHERE s.token_hash = :hash AND s.kind = 'staff_code' AND s.ended_at IS NULL AND s.expires_at > :at
              AND f.active""",
        hash=tokens.hashed(token),
        at=at,
    )
    return None if row is None else _account(row)


async def _open(
    tx: Transaction,
    account: Account,
    *,
    kind: str,
    at: datetime,
    expires_at: datetime,
    address: str | None,
    agent: str | None,
) -> str:
    token = tokens.fresh()
    await tx.run(
        """INSERT INTO sessions (token_hash, kind, staff_id, csrf, person, started_at, seen_at, expires_at, address, agent)
           VALUES (:hash, :kind, :staff, :csrf, :person, :at, :at, :expires, :address, :agent)""",
        hash=tokens.hashed(token),
        kind=kind,
        staff=account.id,
        csrf=tokens.form_token(token),
        person=account.email,
        at=at,
        expires=expires_at,
        address=address,
        agent=agent,
    )
    return token


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        email=row.email,
        name=row.name,
        role=Role.named(row.role),
        password_hash=row.password_hash,
        has_second_factor=row.has_second_factor,
    )


async def load_session(tx: Transaction, token: str, *, at: datetime) -> StaffSession | None:
    """The staff session with that token, kept awake; None when unknown, ended, idle too long, over, or its owner left."""
    row = await tx.row(
        f"""SELECT s.token_hash, s.csrf, s.seen_at, s.expires_at, f.id, f.email, f.name, f.role,
                   {HAS_SECOND_FACTOR} AS has_second_factor,
                   {NEWEST} AS chosen, {OFFERS} AS connected, (SELECT count(*) FROM ({WAITS}) w) AS waiting,
                   ({AWAY}) AS away
            FROM sessions s JOIN staff f ON f.id = s.staff_id
            WHERE s.token_hash = :hash AND s.kind = 'staff' AND s.ended_at IS NULL AND f.active
              AND s.expires_at > :at AND s.seen_at > :awake""",
        hash=tokens.hashed(token),
        at=at,
        awake=at - IDLE,
    )
    if row is None:
        return None
    if at - row.seen_at > _TOUCH_EVERY:
        await tx.run(
            "UPDATE sessions SET seen_at = :at WHERE token_hash = :hash AND seen_at < :at", at=at, hash=row.token_hash
        )
    return StaffSession(
        reference=row.token_hash[:16],
        staff_id=row.id,
        email=row.email,
        name=row.name,
        role=Role.named(row.role),
        csrf=row.csrf,
        expires_at=row.expires_at,
        settings=business.from_rows(row.chosen),
        offers=offers_from(row.connected),
        waiting=row.waiting,
        erps_away=erps_away(row.away),
        has_second_factor=row.has_second_factor,
    )
