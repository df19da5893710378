"""Charging over a played vendor: a worker is killed at a border, an answer is lost, hangs or lies. Then the charges are
counted at the far side, and the documents in the ERP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from activities.requests import PayRequest
from api.processes import Unanswered
from tests.browser.vendors import Vendor
from tests.processes import vendors
from tests.processes.house import House, until
from tests.processes.vendors import VENDORS, Far

BORDERS: Final = (
    "charge.announce.before_commit",
    "charge.announce.after_commit",
    "charge.before_send",
    "charge.after_answer",
    "charge.after",
    "record_outcome.before_commit",
    "record_outcome.after_commit",
)
LOST: Final = ("answer_lost", "no_answer", "broken_after", "unreadable")
"""It was taken, and nobody could read that: the line was cut at once or after a while, a 500 came, half an answer came."""


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A payment that is ready, and what happens while it is made: a worker dies at `dies`, an answer is `lost`."""

    far: Far
    request: PayRequest
    dies: str = ""
    lost: str = ""


@pytest_asyncio.fixture(params=[pytest.param(each, id=each.name) for each in VENDORS])
async def far(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Far]:
    vendor: Vendor = request.param
    async with vendors.connected(house, [vendor]) as played:
        yield played[vendor.name]


async def storm(house: House, folder: Path, payments: Sequence[Disturbed]) -> None:
    """All are made; each death is proven to have landed; each is charged and posted once."""
    marker = folder / "landed"
    points = [f"{each.dies}@{each.request.payment_id}" for each in payments if each.dies]
    async with house.parts.nursed(fault=",".join(f"{point}:kill9" for point in points), marker=marker):
        # A vendor's next charge is the one that is answered badly: nobody else may pay over it before.
        await asyncio.gather(*(answered_badly(house, each) for each in payments if each.lost))
        async with asyncio.TaskGroup() as pressing:
            for each in payments:
                if not each.lost:
                    pressing.create_task(pressed(house, each))
                    # One after the other: a charge that another's death cut off is found, and never comes to its own.
                    await landed(marker.with_name(f"landed.{each.dies}@{each.request.payment_id}"))
        fars: Mapping[str, Far] = {each.far.connection: each.far for each in payments}
        for far in fars.values():
            await vendors.see_through(house, far, [each.request for each in payments if each.far is far])
    assert [point for point in points if not marker.with_name(f"landed.{point}").exists()] == []
    for each in payments:
        await vendors.charged_once(house, each.far, each.request)
    assert await house.trial_balance() == 0


async def landed(proof: Path) -> None:
    """Somebody has died there."""

    async def is_proven() -> bool:
        return await asyncio.to_thread(proof.exists)

    await until(is_proven, within_seconds=60, what=proof.name)


async def pressed(house: House, payment: Disturbed) -> None:
    """Its process is there; whoever should answer may be dead for now."""
    with suppress(Unanswered):
        await house.processes.start_payment(payment.request)


async def answered_badly(house: House, payment: Disturbed) -> None:
    """Pressed, and the vendor has charged it without a good answer."""
    (await payment.far.desk.post("/_test/set", json={"fault": ["charge", payment.lost]})).raise_for_status()
    await pressed(house, payment)

    async def is_charged() -> bool:
        return await payment.far.moving(f"{payment.request.payment_id}-1") == 1

    await until(is_charged, within_seconds=60, what="the charge whose answer is lost")


@pytest.mark.long
async def test_a_worker_killed_after_the_answer_and_an_answer_that_was_lost_charge_once_at_every_vendor(
    house: House, tmp_path: Path
) -> None:
    async with vendors.connected(house) as played:
        fars = list(played.values())
        made = await asyncio.gather(*(vendors.ready_to_pay(house, each, 2) for each in fars))
        payments = [Disturbed(far, first, dies="charge.after_answer") for far, (first, _) in zip(fars, made, strict=True)]
        payments += [Disturbed(far, second, lost="answer_lost") for far, (_, second) in zip(fars, made, strict=True)]
        await storm(house, tmp_path, payments)


@pytest.mark.long
async def test_workers_killed_at_every_border_of_charging_charge_once(house: House, far: Far, tmp_path: Path) -> None:
    requests = await vendors.ready_to_pay(house, far, len(BORDERS))
    deaths = zip(BORDERS, requests, strict=True)
    await storm(house, tmp_path, [Disturbed(far, request, dies=point) for point, request in deaths])
    await vendors.told_everything(house, far)


@pytest.mark.long
@pytest.mark.parametrize("lost", LOST)
async def test_an_answer_that_could_not_be_read_is_asked_for_and_the_charge_made_once(
    house: House, far: Far, tmp_path: Path, lost: str
) -> None:
    """And a worker dies while it asks."""
    [request] = await vendors.ready_to_pay(house, far, 1)
    await storm(house, tmp_path, [Disturbed(far, request, dies="find_charge.read.after_commit", lost=lost)])
