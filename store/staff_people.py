"""Who works here: the list, and what an administrator changes. Nobody can take away the last administrator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.refusals import Refused
from store.database import Transaction
from store.staff_accounts import HAS_SECOND_FACTOR, IDLE, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of staff as colleagues see them."""

    id: str
    email: str
    name: str
    role: Role
    active: bool
    is_invited: bool
    has_second_factor: bool
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    """One of somebody's sessions that is not over; `reference` names it without opening it."""

    reference: str
    started_at: datetime
    seen_at: datetime
    address: str | None
    agent: str | None


async def people(tx: Transaction, *, staff_id: str | None = None) -> Sequence[Person]:
    """Everybody by name, those who left last; or one."""
    rows = await tx.rows(
        f"""SELECT f.id, f.email, f.name, f.role, f.active, f.password_hash = '' AS is_invited,
                   {HAS_SECOND_FACTOR} AS has_second_factor,
                   (SELECT max(s.seen_at) FROM sessions s WHERE s.staff_id = f.id AND s.kind = 'staff') AS last_seen_at
            FROM staff f WHERE CAST(:id AS text) IS NULL OR f.id = :id ORDER BY f.active DESC, lower(f.name), f.id""",
        id=staff_id,
    )
    return [
        Person(
            id=row.id,
            email=row.email,
            name=row.name,
            role=Role.named(row.role),
            active=row.active,
            is_invited=row.is_invited,
            has_second_factor=row.has_second_factor,
            last_seen_at=row.last_seen_at,
        )
        for row in rows
    ]


async def change_role(tx: Transaction, staff_id: str, role: Role) -> None:
    """From the next request on. Raises Refused 'not_found', 'last_admin'."""
    if role is not Role.ADMIN:
        await _leaves_an_admin(tx, staff_id)
    if await tx.run("UPDATE staff SET role = :role WHERE id = :id", id=staff_id, role=role.word) == 0:
        raise Refused("not_found")


async def deactivate(tx: Transaction, staff_id: str, *, at: datetime) -> None:
    """They can neither sign in nor go on: every session of theirs ends. Raises Refused 'not_found', 'last_admin'."""
    await _leaves_an_admin(tx, staff_id)
    if await tx.run("UPDATE staff SET active = false WHERE id = :id", id=staff_id) == 0:
        raise Refused("not_found")
    await end_sessions(tx, staff_id, at=at)


async def reactivate(tx: Transaction, staff_id: str) -> None:
    """They may sign in again. Raises Refused 'not_found'."""
    if await tx.run("UPDATE staff SET active = true WHERE id = :id", id=staff_id) == 0:
        raise Refused("not_found")


async def set_password(tx: Transaction, staff_id: str, password_hash: str) -> None:
    """A new password of one's own."""
    await tx.run("UPDATE staff SET password_hash = :hash WHERE id = :id", id=staff_id, hash=password_hash)


async def end_sessions(tx: Transaction, staff_id: str, *, at: datetime, but: str = "") -> int:
    """End every session of a person's, and every customer's account that they view; all but the one named `but`."""
    return await tx.run(
        """UPDATE sessions SET ended_at = :at WHERE (staff_id = :id OR viewer_id = :id) AND ended_at IS NULL
           AND left(token_hash, 16) <> :but""",
        id=staff_id,
        at=at,
        but=but,
    )


async def end_one(tx: Transaction, staff_id: str, reference: str, *, at: datetime) -> bool:
    """End one of a person's sessions by its reference; False for none of theirs."""
    ended = await tx.run(
        """UPDATE sessions SET ended_at = :at WHERE staff_id = :id AND kind = 'staff' AND ended_at IS NULL
           AND left(token_hash, 16) = :reference""",
        id=staff_id,
        reference=reference,
        at=at,
    )
    return ended > 0


async def own_sessions(tx: Transaction, staff_id: str, *, at: datetime) -> Sequence[OwnSession]:
    """Where a person is signed in now, the one used last first."""
    rows = await tx.rows(
        """SELECT left(token_hash, 16) AS reference, started_at, seen_at, address, agent FROM sessions
           WHERE staff_id = :id AND kind = 'staff' AND ended_at IS NULL AND expires_at > :at AND seen_at > :awake
           ORDER BY seen_at DESC, token_hash""",
        id=staff_id,
        at=at,
        awake=at - IDLE,
    )
    return [
        OwnSession(
            reference=row.reference,
            started_at=row.started_at,
            seen_at=row.seen_at,
            address=row.address,
            agent=row.agent,
        )
        for row in rows
    ]


async def _leaves_an_admin(tx: Transaction, staff_id: str) -> None:
    """Locked, so that two administrators who take each other's place away at once are not both obeyed."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('staff/admins', 0))")
    row = await tx.row(
        """SELECT count(*) FILTER (WHERE id = :id) > 0 AS is_one, count(*) AS admins FROM staff
           WHERE role = 'admin' AND active""",
        id=staff_id,
    )
    if row is not None and row.is_one and row.admins == 1:
        raise Refused("last_admin")
