"""One-time links with which staff set a password: by who forgot theirs, or by who was invited. Tokens are stored hashed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from store import staff_people, tokens
from store.database import Transaction

Purpose = Literal["reset", "invitation"]
LIVES: Final = {"reset": timedelta(minutes=30), "invitation": timedelta(days=3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasswordLink:
    """A link at the only moment when its token is known."""

    token: str
    expires_at: datetime


async def create(tx: Transaction, staff_id: str, purpose: Purpose, *, at: datetime) -> NewPasswordLink:
    """A new link. Written by whoever writes the mail, so that the token is in the mail and nowhere else."""
    link = NewPasswordLink(token=tokens.fresh(), expires_at=at + LIVES[purpose])
    await tx.run(
        """INSERT INTO password_links (token_hash, staff_id, purpose, made_at, expires_at)
           VALUES (:hash, :staff, :purpose, :at, :expires)""",
        hash=tokens.hashed(link.token),
        staff=staff_id,
        purpose=purpose,
        at=at,
        expires=link.expires_at,
    )
    return link


async def opens(tx: Transaction, token: str, *, at: datetime) -> bool:
    """Whether a link would work now. A read: a mail scanner's GET consumes nothing."""
    row = await tx.row(
        """SELECT 1 FROM password_links l JOIN staff f ON f.id = l.staff_id
           WHERE l.token_hash = :hash AND l.used_at IS NULL AND l.expires_at > :at AND f.active""",
        hash=tokens.hashed(token),
        at=at,
    )
    return row is not None


async def use(tx: Transaction, token: str, *, password_hash: str, at: datetime) -> str | None:
    """Set the password, once: the id of whose it is, or None for a link that is unknown, used or over.

    Every other link of theirs is used up with it, and every session ends.
    """
    row = await tx.row(
        """UPDATE password_links l SET used_at = :at FROM staff f
           WHERE l.token_hash = :hash AND l.used_at IS NULL AND l.expires_at > :at AND f.id = l.staff_id AND f.active
           RETURNING l.staff_id""",
        hash=tokens.hashed(token),
        at=at,
    )
    if row is None:
        return None
    await tx.run("UPDATE staff SET password_hash = :hash WHERE id = :id", hash=password_hash, id=row.staff_id)
    await revoke(tx, row.staff_id, at=at)
    await staff_people.end_sessions(tx, row.staff_id, at=at)
    return str(row.staff_id)


async def revoke(tx: Transaction, staff_id: str, *, at: datetime) -> None:
    """Use up every link of a person's."""
    await tx.run("UPDATE password_links SET used_at = :at WHERE staff_id = :id AND used_at IS NULL", id=staff_id, at=at)
