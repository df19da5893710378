"""Fault points: what a drill orders happens once, where it was ordered, and is proven; nothing happens otherwise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from store import faults


@pytest.fixture(autouse=True)
def nothing_installed() -> Iterator[None]:
    yield
    faults.install("")


async def test_a_point_is_harmless_until_something_is_ordered() -> None:
    await faults.reach("charge.before")


async def test_a_fault_happens_once_and_leaves_its_proof(tmp_path: Path) -> None:
    faults.install("charge.before:raise", tmp_path / "landed")
    with pytest.raises(faults.FaultInjected):
        await faults.reach("charge.before")
    await faults.reach("charge.before")
    assert (tmp_path / "landed.charge.before").exists()


async def test_what_landed_in_another_process_does_not_land_again(tmp_path: Path) -> None:
    (tmp_path / "landed.charge.before").touch()
    faults.install("charge.before:raise", tmp_path / "landed")
    await faults.reach("charge.before")


async def test_a_fault_for_one_process_lets_the_others_pass() -> None:
    faults.install("charge.before@pay_2:raise")
    with faults.in_hand("payment/pay_1"):
        await faults.reach("charge.before")
    with faults.in_hand("payment/pay_2"), pytest.raises(faults.FaultInjected):
        await faults.reach("charge.before")


async def test_a_later_visit_can_be_chosen() -> None:
    faults.install("charge.before:raise:2")
    await faults.reach("charge.before")
    with pytest.raises(faults.FaultInjected):
        await faults.reach("charge.before")


async def test_a_reply_is_lost_as_a_driver_loses_it() -> None:
    faults.install("post.claim.after_commit:drop_reply")
    with pytest.raises(OperationalError):
        await faults.reach("post.claim.after_commit")


async def test_what_is_passed_is_written_down(tmp_path: Path) -> None:
    faults.install(faults.RECORD, tmp_path / "landed")
    with faults.in_hand("payment/pay_1"):
        await faults.reach("charge.before")
    assert (tmp_path / "landed.passed").read_text().split()[2:] == ["charge.before", "payment/pay_1"]


@pytest.mark.parametrize(
    "specification", ["charge.before:explode", "charge.before:drop_reply", "charge.before:kill=postgres", faults.RECORD]
)
def test_a_specification_that_cannot_be_meant_is_refused(specification: str) -> None:
    """A reply is lost after a commit only; whom to kill, and what was passed, stands beside a marker."""
    if specification == faults.RECORD:
        specification = f"charge.before:raise,{specification}"
    with pytest.raises(ValueError):
        faults.install(specification)
