"""Charged once, counted at an emulator that others wrote: whatever became of the answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from connectors.conformance.payment_harness import a_payer, fresh_ref
from connectors.errors import KeyConflict, OutcomeUnknown, Rejected
from connectors.payments.ports import ChargeOrder, ChargeStatus, RefundOrder, RefundStatus
from connectors.payments.stripe import StripeConfig, StripeProvider, build
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.stripe import official
from tests.connectors.stripe.harness import READ_TIMEOUT, SECRETS
from tests.connectors.stripe.shim import KEY, Shim, localstripe


class Elsewhere:
    """A connector, the shim before the emulator, and a card that the emulator keeps."""

    def __init__(self, provider: StripeProvider, shim: Shim, customer: str, token: str) -> None:
        self.provider, self.shim, self.customer, self.token = provider, shim, customer, token

    def order(self, our_ref: str, minor: int = 12_345) -> ChargeOrder:
        return ChargeOrder(
            our_ref=our_ref,
            payer=a_payer(self.customer),
            method_token=self.token,
            kind=MethodKind.CARD,
            amount=Money.of(minor, "USD"),
            description="Payment",
            return_url="http://127.0.0.1:9/back",
        )


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with localstripe(tmp_path_factory.mktemp("localstripe")) as url:
        yield url


async def _card(shim: Shim, number: str) -> tuple[str, str]:
    customer = (await shim.far("POST", "/v1/customers", data={"name": "Zoë"}))["id"]
    card = {"number": number, "exp_month": "12", "exp_year": "2031", "cvc": "123"}
    form: dict[str, Any] = {"type": "card", **{f"card[{name}]": value for name, value in card.items()}}
    token = (await shim.far("POST", "/v1/payment_methods", data=form))["id"]
    await shim.far("POST", f"/v1/payment_methods/{token}/attach", data={"customer": customer})
    return customer, token


@pytest_asyncio.fixture
async def elsewhere(emulator: str) -> AsyncIterator[Elsewhere]:
    shim = Shim(emulator)
    listening = await asyncio.start_server(shim.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    config = StripeConfig(api_key=KEY, webhook_secrets=SECRETS, is_live=False, base_url=url, read_timeout=READ_TIMEOUT)
    provider = build(config)
    try:
        yield Elsewhere(provider, shim, *await _card(shim, "4242424242424242"))
        if official.is_there():
            assert [wrong for request in shim.requests for wrong in official.violations(request)] == []
    finally:
        await provider.aclose()
        listening.close()
        await shim.aclose()


@pytest.mark.parametrize("fault", ["refuse_before", "drop_after", "hang_after", "broken_after"])
async def test_a_charge_whose_answer_was_lost_is_one_charge_there(elsewhere: Elsewhere, fault: str) -> None:
    our_ref, before = fresh_ref("pay"), await elsewhere.shim.charges()
    elsewhere.shim.fault = fault
    with pytest.raises(OutcomeUnknown):
        await elsewhere.provider.charge(elsewhere.order(our_ref), key=our_ref)
    found = await elsewhere.provider.find_charge(our_ref)
    assert (found is None) is (fault == "refuse_before")
    if found is None:
        found = await elsewhere.provider.charge(elsewhere.order(our_ref), key=our_ref)
    assert (found.status, found.amount) == (ChargeStatus.CAPTURED, Money.of(12_345, "USD"))
    assert await elsewhere.shim.charges() - before == 1


async def test_the_same_attempt_five_times_is_one_charge_there(elsewhere: Elsewhere) -> None:
    our_ref, before = fresh_ref("pay"), await elsewhere.shim.charges()
    answers = [await elsewhere.provider.charge(elsewhere.order(our_ref), key=our_ref) for _ in range(5)]
    assert len({each.provider_id for each in answers}) == 1
    with pytest.raises(KeyConflict):
        await elsewhere.provider.charge(elsewhere.order(our_ref, 12_346), key=our_ref)
    assert await elsewhere.shim.charges() - before == 1


async def test_a_key_that_changes_with_each_try_would_be_seen_there(elsewhere: Elsewhere) -> None:
    """The count is no ornament: whoever makes a new key for a time-out charges twice."""
    our_ref, before = fresh_ref("pay"), await elsewhere.shim.charges()
    for attempt in (1, 2):
        await elsewhere.provider.charge(elsewhere.order(our_ref), key=f"{our_ref}/{attempt}")
    assert await elsewhere.shim.charges() - before == 2
    assert len(await elsewhere.provider.charges_of(our_ref)) == 2


async def test_a_declined_card_is_declined_there_too(elsewhere: Elsewhere) -> None:
    """It tells a decline without the payment intent, which Stripe's own carry: what became of it is looked up."""
    customer, token = await _card(elsewhere.shim, "4000000000000341")
    order = replace(elsewhere.order(fresh_ref("pay")), payer=a_payer(customer), method_token=token)
    with pytest.raises(Rejected, match="card_declined"):
        await elsewhere.provider.charge(order, key=order.our_ref)
    found = await elsewhere.provider.find_charge(order.our_ref)
    assert found is not None
    assert found.status is ChargeStatus.DECLINED


async def test_a_refund_is_given_back_once_there(elsewhere: Elsewhere) -> None:
    our_ref, refund_ref = fresh_ref("pay"), fresh_ref("rfd")
    charge = await elsewhere.provider.charge(elsewhere.order(our_ref), key=our_ref)
    order = RefundOrder(our_ref=refund_ref, charge_id=charge.provider_id, amount=Money.of(345, "USD"))
    elsewhere.shim.fault = "drop_after"
    with pytest.raises(OutcomeUnknown):
        await elsewhere.provider.refund(order, key=refund_ref)
    again = await elsewhere.provider.refund(order, key=refund_ref)
    assert (again.status, again.amount) == (RefundStatus.SUCCEEDED, order.amount)
    assert await elsewhere.provider.find_refund(refund_ref) == again
    assert len((await elsewhere.shim.far("GET", "/v1/refunds", params={"payment_intent": charge.provider_id}))["data"]) == 1
