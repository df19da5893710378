"""What the far side does to a call: taken and not answered, refused, slow, half an answer; ordered for one process each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launch.drill.ground import Ground
from launch.drill.keeping import AddMethod
from launch.drill.paying import NOTHING, ProviderPage, SavedCard
from launch.drill.process import Process
from launch.drill.row import Row
from launch.drill.storm import prepared, run
from store import witness

SLOW_SECONDS: Final = 12
"""Longer than a connector listens: the call is carried out after we have given up on it."""
TAKEN: Final = ("drop_after", "status_500_after", "malformed_after", "hang_after", "slow", "unknown_status", "event_first")
PATIENT: Final = ("status_429", "status_409")
"""Nothing happened, and it is said so: the same call goes out again."""
LOST: Final = ("drop_before", "hang_before", "status_500_before")
"""Nothing happened, and nobody can know: believed only after the provider's quiet time, and then nobody has paid."""
REFUSED: Final = ("status_401", "status_403", "refuse")
ERP_KNOBS: Final = ("drop_after", "error_after_success", "drop_before", "throttle")
PAYMENTS_FOR_EACH_KNOB: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One outgoing call of a process, as the provider names it; `reference` ends what it is ordered by."""

    kind: type[Process]
    operation: str
    reference: str
    ends_without: tuple[str, ...]


CALLS: Final = (
    Call(kind=SavedCard, operation="charge", reference="-1", ends_without=LOST + REFUSED),
    Call(kind=ProviderPage, operation="page", reference="-1", ends_without=LOST + REFUSED),
    # A set-up moves nothing, so its page is simply opened again under the same key.
    Call(kind=AddMethod, operation="setup", reference="", ends_without=REFUSED),
)
NO_METHOD: Final[Mapping[str, int]] = {"charges": 0, "methods_there": 0, "methods_here": 0, "defaults": 0}


def faults_of(call: Call) -> Sequence[str]:
    """What can happen to it. A page and a set-up have no status of their own, and no webhook goes out for them."""
    taken = TAKEN if call.operation == "charge" else TAKEN[:5]
    return (*taken, *PATIENT, *LOST, *REFUSED)


async def at_the_provider(ground: Ground, call: Call, faults: Sequence[str]) -> list[Row]:
    """One process for each fault, all at once."""
    processes = await prepared(ground, call.kind, len(faults))
    for process, fault in zip(processes, faults, strict=True):
        await ground.far.provider_fault(
            call.operation, fault, our_ref=f"{process.word}{call.reference}", seconds=SLOW_SECONDS
        )
        if fault in call.ends_without:
            _ends_without(process)
    failed = await run(processes)
    waiting = {each["our_ref"] for each in (await ground.far.provider.get("/v1/test/faults")).json()["faults"]}
    rows = []
    for process, fault in zip(processes, faults, strict=True):
        landed = f"{process.word}{call.reference}" not in waiting
        rows.append(await _row(ground, process, call.operation, f"provider: {fault}", landed, failed))
        await process.close()
    return rows


def _ends_without(process: Process) -> None:
    if isinstance(process, SavedCard):
        process.ends_in, process.postings, process.promises = "failed", 0, NOTHING
    elif isinstance(process, AddMethod):
        process.ends_in, process.promises = "failed", NO_METHOD


async def at_the_erp(ground: Ground, knob: str) -> list[Row]:
    """Several payments at once, whose first documents meet the same mishap."""
    processes = await prepared(ground, SavedCard, PAYMENTS_FOR_EACH_KNOB)
    await ground.far.knobs(**{knob: len(processes)})
    try:
        failed = await run(processes)
        left = (await ground.far.erp.get("/test/knobs")).json()[knob]
    finally:
        await ground.far.knobs(reset=True)
    rows = [await _row(ground, each, "post_payment", f"ERP: {knob}", left == 0, failed) for each in processes]
    for process in processes:
        await process.close()
    return rows


async def _row(ground: Ground, process: Process, point: str, dies: str, landed: bool, failed: Mapping[str, str]) -> Row:
    counts = await process.counts()
    off = await ground.look(witness.trial_balance)
    wrong = process.what_is_wrong(failed.get(process.word, ""), counts, off)
    return Row(
        process=process.name,
        point=point,
        dies=dies,
        landed=landed,
        counts={**counts, "off_balance": off},
        back_after_seconds=None,
        wrong=wrong,
    )
