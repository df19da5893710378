"""Checking what somebody types as their second factor: a code of their app or a recovery code, each accepted once."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request

from api.security import one_time_codes
from api.security.sealing import Sealer
from api.security.sessions import limit_rate
from api.services import Services
from store import second_factors
from store.database import Transaction


async def limit_guesses(request: Request, staff_id: str) -> None:
    """Six digits are few: five tries in ten minutes, from wherever. Raises Refused 'too_many_requests'."""
    await limit_rate(request, f"second-factor/{staff_id}", limit=5, window=timedelta(minutes=10))


async def accept(tx: Transaction, given: Services, staff_id: str, typed: str) -> str | None:
    """'code' or 'recovery_code' when it is right and was not used before; None when it is not."""
    factor = await second_factors.of(tx, staff_id)
    if factor is None or not factor.is_confirmed:
        return None
    secret = Sealer(given.sealing_keys).open(factor.sealed, owner=staff_id)
    step = one_time_codes.step_of(typed, secret, at=given.clock())
    if step is not None:
        return "code" if await second_factors.use_step(tx, staff_id, step) else None
    recovery = one_time_codes.recovery_form(typed)
    is_right = await second_factors.use_recovery_code(tx, staff_id, recovery, at=given.clock())
    return "recovery_code" if is_right else None
