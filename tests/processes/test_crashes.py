"""The short form of the crash drill: each kill is proven, then everything is counted at the far side. The whole drill is
`duly drill crash`, a part of `make test-long`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from launch.drill import weather
from launch.drill.ground import Ground
from launch.drill.keeping import AddMethod
from launch.drill.paying import AnswerLost, SavedCard
from launch.drill.process import Process
from launch.drill.refunding import Refunded
from launch.drill.row import Row
from launch.drill.storm import API, ERP, POSTGRES, REPLY, TEMPORAL, WORKER, Storm, Target, dry_run
from tests.processes.house import House

CHARGED = ("open_payment", "charge", "record_outcome")
SHORT = ("charge.before_send", "charge.after_answer", "record_outcome.before_commit")
POSTED = ("post.claim", "post.before", "post.after", "read_back.take")
"""What `make test` has time for: the poster's rounds die one after the other, so each of their points takes seconds."""
CHARGED_AND_ASIDE: Sequence[str] = ("charge.after_answer", "record_outcome.before_commit", "post.after_answer")


async def storm(ground: Ground, kind: type[Process], dies: str, targets: Sequence[Target]) -> Sequence[Row]:
    rows = await Storm(ground, kind, dies, targets, random.Random(7)).rows()
    assert [row for row in rows if not row.holds] == []
    return rows


def is_a_border(point: str) -> bool:
    """Whether something becomes true there, here or at the far side; the points between are the whole drill's."""
    return point.endswith(("_commit", "_send", "_answer"))


@pytest.mark.parametrize(
    ("part", "must_meet", "least"),
    [
        (SHORT, set(SHORT), 3),
        pytest.param(
            CHARGED,
            {"charge.before_send", "charge.after_answer", "record_outcome.before_commit"},
            8,
            marks=pytest.mark.long,
        ),
        pytest.param(
            POSTED, {"post.claim.after_commit", "post.before_send", "post.after_answer"}, 6, marks=pytest.mark.long
        ),
    ],
    ids=["sent", "charged", "posted"],
)
async def test_payments_survive_the_death_of_their_workers_at_every_point(
    house: House, part: tuple[str, ...], must_meet: set[str], least: int
) -> None:
    """Two workers, a payment for each point and one kill at each: the storm is harder than the kills one by one."""
    passed = await dry_run(house, SavedCard)
    targets = [each for each in passed if not each.in_api and each.point.startswith(part) and is_a_border(each.point)]
    rows = await storm(house, SavedCard, WORKER, targets)
    met = {row.point for row in rows}
    # A dry run that found nothing would prove nothing.
    assert must_meet <= met
    assert len(met) >= least


@pytest.mark.long
async def test_set_ups_survive_the_death_of_their_workers_at_every_point(house: House) -> None:
    passed = await dry_run(house, AddMethod)
    targets = [each for each in passed if not each.in_api and is_a_border(each.point)]
    rows = await storm(house, AddMethod, WORKER, targets)
    assert {"start_setup.before_send", "start_setup.after_answer", "record_setup.after_commit"} <= {
        row.point for row in rows
    }


async def test_a_commit_whose_reply_is_lost_is_done_once(house: House) -> None:
    """The database has committed, and the worker is told of a lost connection: it does the step again."""
    commits = ("open_payment", "charge.announce", "record_outcome", "post.confirm")
    targets = [Target(point=f"{name}.after_commit", bound=True) for name in commits]
    await storm(house, SavedCard, REPLY, targets)


@pytest.mark.parametrize(
    "dies", [POSTGRES, pytest.param(TEMPORAL, marks=pytest.mark.long), pytest.param(API, marks=pytest.mark.long)]
)
async def test_payments_survive_the_death_of_what_they_stand_on(house: House, dies: str) -> None:
    """PostgreSQL, Temporal and the API, each killed when money has moved and nobody has written it down yet."""
    await storm(house, SavedCard, dies, [Target(point=point, bound=True) for point in CHARGED_AND_ASIDE])


@pytest.mark.long
async def test_the_erp_has_one_document_however_it_dies_while_it_is_written(house: House) -> None:
    """Before it was asked, with the answer on its way, and before we wrote the answer down."""
    points = ("post.claim.after_commit", "post.before_send", "post.after_answer", "post.confirm.before_commit")
    await storm(house, SavedCard, ERP, [Target(point=point, bound=True) for point in points])


@pytest.mark.long
async def test_a_worker_that_dies_while_it_asks_what_became_of_a_charge_asks_again(house: House) -> None:
    targets = [Target(point=point, bound=True) for point in ("find_charge.before", "find_charge.read.after_commit")]
    await storm(house, AnswerLost, WORKER, targets)


async def test_an_answer_of_the_provider_that_is_lost_is_asked_for_and_the_charge_made_once(house: House) -> None:
    call = weather.CALLS[0]
    quick = ("drop_after", "status_500_after", "malformed_after", "status_429", "status_401", "refuse")
    rows = await weather.at_the_provider(house, call, quick)
    assert [row for row in rows if not row.holds] == []


async def test_a_set_up_whose_500_is_repeated_for_ever_is_brought_to_its_page(house: House) -> None:
    call = weather.CALLS[2]
    rows = await weather.at_the_provider(house, call, ("status_500_after", "drop_after", "refuse"))
    assert [row for row in rows if not row.holds] == []


async def test_a_charge_that_never_arrived_is_not_believed_so_soon(house: House) -> None:
    """Nothing reached the provider; that is believed only after its quiet time."""
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.provider_fault("charge", "drop_before", our_ref=f"{request.payment_id}-1")
    await asyncio.gather(house.pay(request), return_exceptions=True)
    await house.reaches(request.payment_id, "unknown")
    assert await house.attempts(request.payment_id) == []


@pytest.mark.long
async def test_refunds_survive_the_death_of_their_workers_at_every_border(house: House) -> None:
    passed = await dry_run(house, Refunded)
    targets = [each for each in passed if not each.in_api and is_a_border(each.point)]
    rows = await storm(house, Refunded, WORKER, targets)
    assert {"open_refund.after_commit", "refund.before_send", "refund.after_answer", "record_refund.before_commit"} <= {
        row.point for row in rows
    }
