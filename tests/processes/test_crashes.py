"""kill -9 of the worker before and after each side effect, and answers that are lost. Each case proves that its kill
landed, then counts at the far side: one charge, one payment, one ERP document, trial balance zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from activities.requests import PayRequest, SetupRequest
from domain.methods import MethodKind
from store.identity import fresh_id
from tests.processes.house import House, until

PAYMENT_POINTS = (
    "open_payment.before_commit",
    "open_payment.after_commit",
    "charge.before",
    "charge.announce.after_commit",
    "charge.before_send",
    "charge.after_answer",
    "charge.after",
    "record_outcome.before_commit",
    "record_outcome.after_commit",
    "post_round.before",
    "post.claim.before_commit",
    "post.claim.after_commit",
    "post.before_send",
    "post.after_answer",
    "post.confirm.before_commit",
    "post.confirm.after_commit",
    "read_back.start.after_commit",
    "read_back.take.before_commit",
    "post_round.after",
)
SETUP_POINTS = (
    "open_setup.before_commit",
    "open_setup.after_commit",
    "start_setup.before_send",
    "start_setup.after_answer",
    "record_setup.before_commit",
    "record_setup.after_commit",
    "find_setup.before",
    "find_setup.after",
)


async def _start(house: House, request: PayRequest | SetupRequest) -> None:
    """Ask; nobody may be there to answer in time, which is no failure."""
    start = house.processes.start_payment if isinstance(request, PayRequest) else house.processes.start_setup
    try:
        await start(request)  # type: ignore[arg-type]
    except Exception as silence:  # whatever it was, the rows say what happened
        print(f"no first answer: {type(silence).__name__}")


async def _proves_exactly_once(house: House, payment_id: str) -> None:
    await house.reaches(payment_id, "captured", within_seconds=90)
    await house.is_posted(payment_id, within_seconds=90)
    assert len(await house.charges(payment_id)) == 1
    assert len(await house.documents(f"{payment_id}-captured")) == 1
    assert await house.trial_balance() == 0
    row = await house.one(
        """SELECT (SELECT count(*) FROM holds WHERE holder_id = :id) AS holds,
                  (SELECT count(*) FROM postings WHERE payment_id = :id) AS postings,
                  (SELECT coalesce(sum(amount), 0) FROM allocations WHERE payment_id = :id) AS allocated,
                  (SELECT count(*) FROM outbox WHERE process_id = :id AND template = 'receipt') AS receipts""",
        id=payment_id,
    )
    assert (row.holds, row.postings, row.allocated, row.receipts) == (0, 1, 10_000, 1)


async def _landed(folder: Path, points: Sequence[str]) -> None:
    """Every kill happened: each left its marker."""

    def missing() -> list[str]:
        return [point for point in points if not (folder / f"landed.{point}").exists()]

    async def all_of_them() -> bool:
        return not missing()

    try:
        await until(all_of_them, within_seconds=120, what="every kill")
    except AssertionError:
        raise AssertionError(f"these kills did not land: {missing()}") from None


async def test_payments_survive_the_death_of_their_workers_at_every_point(house: House, tmp_path: Path) -> None:
    """Two workers, a payment for each point and one kill at each: the storm is harder than the kills one by one."""

    async def a_request() -> PayRequest:
        customer_id, (invoice_id,) = await house.customer()
        method_id = await house.saved_method(customer_id)
        return house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)

    requests = await asyncio.gather(*(a_request() for _ in PAYMENT_POINTS))
    fault = ",".join(f"{point}:kill9" for point in PAYMENT_POINTS)

    with house.nursed_workers(fault=fault, marker=tmp_path / "landed"):
        await asyncio.gather(*(_start(house, request) for request in requests))
        await _landed(tmp_path, PAYMENT_POINTS)
        for request in requests:
            await _proves_exactly_once(house, request.payment_id)


@pytest.mark.parametrize("kind", ["drop_after", "status_500_after", "drop_before", "malformed_after"])
async def test_a_charge_whose_answer_is_lost_is_asked_for_and_made_once(house: House, kind: str) -> None:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.provider_fault("charge", kind, our_ref=f"{request.payment_id}-1")

    await _start(house, request)

    if kind == "drop_before":
        # Nothing reached the provider; that is believed only after its quiet time, and then nothing was charged.
        await house.reaches(request.payment_id, "unknown")
        assert await house.attempts(request.payment_id) == []
    else:
        await _proves_exactly_once(house, request.payment_id)


async def test_set_ups_survive_the_death_of_their_workers_at_every_point(house: House, tmp_path: Path) -> None:
    customers = await asyncio.gather(*(house.customer() for _ in SETUP_POINTS))
    requests = [_setup_of(customer_id) for customer_id, _ in customers]
    fault = ",".join(f"{point}:kill9" for point in SETUP_POINTS)

    with house.nursed_workers(fault=fault, marker=tmp_path / "landed"):
        await asyncio.gather(*(_start(house, request) for request in requests))
        await asyncio.gather(*(_complete(house, request.setup_id) for request in requests))
        await _landed(tmp_path, SETUP_POINTS)
    for request in requests:
        ledger = (await house.provider.get("/v1/test/ledger", params={"our_ref": request.setup_id})).json()
        kept = await house.rows("SELECT is_default FROM payment_methods WHERE customer_id = :id", id=request.customer_id)
        assert (len(ledger["setups"]), len(ledger["methods"]), ledger["moving"], len(kept)) == (1, 1, 0, 1)
        assert kept[0].is_default


def _setup_of(customer_id: str) -> SetupRequest:
    setup_id = fresh_id("set")
    return SetupRequest(
        setup_id=setup_id,
        customer_id=customer_id,
        kind=MethodKind.CARD,
        currency="USD",
        consent_wording="Keep it.",
        return_path="/methods",
        request_hash=setup_id,
    )


async def _complete(house: House, setup_id: str) -> None:
    """The customer fills in the provider's page as soon as there is one, and comes back."""

    async def has_page() -> str | None:
        rows = await house.rows("SELECT page_url FROM method_setups WHERE id = :id", id=setup_id)
        return rows[0].page_url if rows else None

    async def is_completed() -> bool:
        await house.processes.hint(f"setup/{setup_id}", "return")
        rows = await house.rows("SELECT state FROM method_setups WHERE id = :id", id=setup_id)
        return bool(rows) and rows[0].state == "completed"

    await house.fill_in(await until(has_page, within_seconds=90, what="the provider's page"), "card_ok")
    await until(is_completed, within_seconds=90, what="the set-up's completion")
