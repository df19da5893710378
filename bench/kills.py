"""Kill one part of a running Duly while payments are at the provider, start it again, and see when all are done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from activities.requests import PayRequest
from api.processes import Processes, Unanswered
from bench.case import Different
from bench.paying.ground import PATIENCE, Count, PayingGround
from bench.readiness import until_polling
from launch.drill.ground import until
from launch.program import Program, ProgramFailed, Running
from store import witness

AT_THE_PROVIDER_SECONDS: Final = 1
"""How long the provider keeps each charge before it answers: the kill falls into it."""
KILLED_AFTER_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Seconds since the death: until the part was back, until every customer was told, until the ERP had everything."""

    back: float
    captured: float
    reflected: float


async def kill(ground: PayingGround, part: str, requests: Sequence[PayRequest]) -> Recovery:
    """kill -9. `part` is worker, postgres or temporal. Raises Different when a payment is not there exactly once."""
    ids = [each.payment_id for each in requests]
    pressed = [asyncio.create_task(_press(ground, each)) for each in requests]
    try:
        await until(lambda: _are_open(ground, ids), what="the opening of all payments")
        await asyncio.sleep(KILLED_AFTER_SECONDS)
        died_at = time.monotonic()
        restarting = asyncio.create_task(_restart(ground, part, died_at))
        await until(lambda: _are_captured(ground, ids), within_seconds=120, what="the capture of all", patient=True)
        captured = time.monotonic() - died_at
        await until(lambda: _are_reflected(ground, ids), within_seconds=120, what="the posting of all", patient=True)
        reflected = time.monotonic() - died_at
        back = await restarting
    finally:
        for task in pressed:
            task.cancel()
        await asyncio.wait(pressed)
    count = await ground.count(ids)
    each_once = len(ids)
    if count != Count(payments=each_once, charges=each_once, documents=each_once, reflected=each_once, off_balance=0):
        raise Different(f"after {part} was killed: {count}")
    return Recovery(back=back, captured=captured, reflected=reflected)


async def _press(ground: PayingGround, request: PayRequest) -> None:
    """A customer presses once; whoever hears nothing looks at the payment's page, and so do we."""
    await ground.ground.far.provider_fault(
        "charge", "slow", our_ref=f"{request.payment_id}-1", seconds=AT_THE_PROVIDER_SECONDS
    )
    with contextlib.suppress(Unanswered):
        await Processes(ground.client, answer_within=PATIENCE).start_payment(request)


async def _restart(ground: PayingGround, part: str, died_at: float) -> float:
    parts = ground.ground.parts
    if part == "worker":
        parts.workers.pop().kill()
        fresh = parts.start_worker()
        await until_polling(ground.client, pid=fresh.pid)
    else:
        parts.running[part].kill()
        parts.running[part] = await _up_again(parts.running[part].program)
    return time.monotonic() - died_at


async def _up_again(program: Program) -> Running:
    """A postmaster's children may outlive it for a moment; until they are gone a new one ends at once."""
    while True:
        running = program.start()
        try:
            await asyncio.to_thread(running.wait_until_ready)
        except ProgramFailed:
            running.kill()
        else:
            return running


async def _are_open(ground: PayingGround, ids: Sequence[str]) -> bool:
    return all(each is not None for each in await _seen(ground, ids))


async def _are_captured(ground: PayingGround, ids: Sequence[str]) -> bool:
    return all(each is not None and each.state in {"captured", "settled"} for each in await _seen(ground, ids))


async def _seen(ground: PayingGround, ids: Sequence[str]) -> list[witness.PaymentSeen | None]:
    async with ground.ground.database.begin("bench.look") as tx:
        return [await witness.payment(tx, each) for each in ids]


async def _are_reflected(ground: PayingGround, ids: Sequence[str]) -> bool:
    return await ground.ground.look(lambda tx: witness.reflected(tx, ids)) == len(ids)
