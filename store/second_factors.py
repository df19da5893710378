"""Second factors of staff (RFC 6238): a sealed secret, the last step that was used, recovery codes. Each opens once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store import tokens
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """What is known of somebody's second factor. One that is not confirmed asks for nothing yet."""

    sealed: str
    is_confirmed: bool


async def of(tx: Transaction, staff_id: str) -> SecondFactor | None:
    """Somebody's second factor, confirmed or only begun."""
    row = await tx.row("SELECT sealed, confirmed_at FROM second_factors WHERE staff_id = :id", id=staff_id)
    return None if row is None else SecondFactor(sealed=row.sealed, is_confirmed=row.confirmed_at is not None)


async def start(tx: Transaction, staff_id: str, sealed: str, *, at: datetime) -> bool:
    """A new secret that waits for its first code; False where a confirmed one stands: it is switched off first."""
    changed = await tx.run(
        """INSERT INTO second_factors (staff_id, sealed, begun_at) VALUES (:id, :sealed, :at)
           ON CONFLICT (staff_id) DO UPDATE SET sealed = excluded.sealed, begun_at = excluded.begun_at, last_step = 0
           WHERE second_factors.confirmed_at IS NULL""",
        id=staff_id,
        sealed=sealed,
        at=at,
    )
    return changed == 1


async def confirm(tx: Transaction, staff_id: str, *, sealed: str, step: int, at: datetime) -> bool:
    """Switch it on by its first code; False where that secret was replaced or confirmed meanwhile."""
    changed = await tx.run(
        """UPDATE second_factors SET confirmed_at = :at, last_step = :step
           WHERE staff_id = :id AND sealed = :sealed AND confirmed_at IS NULL""",
        id=staff_id,
        sealed=sealed,
        step=step,
        at=at,
    )
    return changed == 1


async def use_step(tx: Transaction, staff_id: str, step: int) -> bool:
    """Accept the code of a step, once: of two requests with one code, one is told False."""
    changed = await tx.run(
        """UPDATE second_factors SET last_step = :step
           WHERE staff_id = :id AND confirmed_at IS NOT NULL AND last_step < :step""",
        id=staff_id,
        step=step,
    )
    return changed == 1


async def use_recovery_code(tx: Transaction, staff_id: str, code: str, *, at: datetime) -> bool:
    """Accept a recovery code, once."""
    changed = await tx.run(
        "UPDATE recovery_codes SET used_at = :at WHERE staff_id = :id AND code_hash = :hash AND used_at IS NULL",
        id=staff_id,
        hash=tokens.hashed(code),
        at=at,
    )
    return changed == 1


async def replace_recovery_codes(tx: Transaction, staff_id: str, codes: Sequence[str]) -> None:
    """These from now on, stored hashed; whatever was there before opens nothing."""
    await tx.run("DELETE FROM recovery_codes WHERE staff_id = :id", id=staff_id)
    for code in codes:
        await tx.run(
            "INSERT INTO recovery_codes (staff_id, code_hash) VALUES (:id, :hash)", id=staff_id, hash=tokens.hashed(code)
        )


async def codes_left(tx: Transaction, staff_id: str) -> int:
    """How many recovery codes were not used."""
    row = await tx.row("SELECT count(*) FROM recovery_codes WHERE staff_id = :id AND used_at IS NULL", id=staff_id)
    return 0 if row is None else int(row[0])


async def remove(tx: Transaction, staff_id: str) -> bool:
    """Switch it off, recovery codes and all; whether there was one."""
    await tx.run("DELETE FROM recovery_codes WHERE staff_id = :id", id=staff_id)
    return await tx.run("DELETE FROM second_factors WHERE staff_id = :id", id=staff_id) == 1
