"""Every request of every method is one that Stripe's official description allows; a wrong one would be seen."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import pytest

from connectors.conformance.payment_harness import Enters, PaymentSuite, Saved, fresh_ref
from connectors.payments.ports import ProviderCharge, RefundOrder
from domain.money import Money
from tests.connectors.stripe import official
from tests.connectors.stripe.harness import StripeHarness

pytestmark = [
    pytest.mark.may_skip("Stripe's description is not in this repository"),
    pytest.mark.skipif(not official.is_there(), reason="Stripe's official description is not beside this repository"),
]

SESSIONS: Final = "/v1/checkout/sessions"
INTENTS: Final = "/v1/payment_intents"
OPERATIONS: Final = {
    "check_configuration": {"GET /v1/account", "GET /v1/webhook_endpoints"},
    "start_setup": {"POST /v1/customers", f"POST {SESSIONS}"},
    "find_setup": {f"GET {SESSIONS}", f"GET {SESSIONS}/{{session}}"},
    "cancel_setup": {f"POST {SESSIONS}/{{session}}/expire", f"GET {SESSIONS}/{{session}}"},
    "charge": {f"POST {INTENTS}", f"POST {INTENTS}/{{intent}}/confirm"},
    "open_payment_page": {f"POST {SESSIONS}"},
    "find_charge": {f"GET {SESSIONS}", f"GET {INTENTS}", f"GET {INTENTS}/search", f"GET {INTENTS}/{{intent}}"},
    "charges_of": {f"GET {SESSIONS}", f"GET {INTENTS}", f"GET {INTENTS}/search", "GET /v1/disputes"},
    "cancel_charge": {f"POST {INTENTS}/{{intent}}/cancel", f"POST {SESSIONS}/{{session}}/expire"},
    "refund": {"POST /v1/refunds"},
    "find_refund": {"GET /v1/refunds", "GET /v1/refunds/{refund}"},
    "refunds_of": {"GET /v1/refunds"},
    "list_methods": {"GET /v1/customers/{customer}/payment_methods"},
    "detach_method": {"POST /v1/payment_methods/{payment_method}/detach", "GET /v1/payment_methods/{payment_method}"},
    "events_after": {"GET /v1/events"},
    "reference_of": {f"GET {INTENTS}/{{intent}}"},
    "payouts_after": {"GET /v1/payouts"},
    "find_payout": {"GET /v1/payouts/{payout}"},
    "payout_items": {"GET /v1/balance_transactions", f"GET {INTENTS}/{{intent}}"},
}
SENDS_NOTHING: Final = {
    "aclose", "capabilities", "read_webhook", "name", "page_origins", "search_lag_seconds", "pays_out_within",
}  # fmt: skip


class Calls:
    """Each method of the connector, as Duly calls it."""

    def __init__(self, harness: StripeHarness, saved: Saved, asked: Saved, paid: ProviderCharge) -> None:
        self.harness = harness
        self.provider = harness.provider
        self.suite = PaymentSuite()
        self.saved, self.asked, self.paid = saved, asked, paid

    async def check_configuration(self) -> None:
        assert await self.provider.check_configuration() == ()

    async def start_setup(self) -> None:
        await self.start_setup_of(fresh_ref("set"))

    async def start_setup_of(self, our_ref: str) -> str:
        return (await self.suite.start_setup(self.harness, our_ref, kind=self.harness.debit_kind)).session_id

    async def find_setup(self) -> None:
        our_ref = fresh_ref("set")
        session_id = await self.start_setup_of(our_ref)
        assert await self.provider.find_setup(our_ref)
        assert await self.provider.find_setup(our_ref, session_id=session_id)

    async def cancel_setup(self) -> None:
        await self.provider.cancel_setup(await self.start_setup_of(fresh_ref("set")), key="cancel")

    async def charge(self) -> None:
        await self.suite.charge(self.harness, self.saved, fresh_ref("pay"))
        await self.suite.charge(self.harness, self.asked, fresh_ref("pay"))

    async def open_payment_page(self) -> None:
        for saves in (True, False):
            await self.suite.open_page(self.harness, fresh_ref("pay"), save=saves)
            await self.suite.open_page(self.harness, fresh_ref("pay"), save=saves, payer=self.saved.payer)
        await self.suite.open_page(
            self.harness, fresh_ref("pay"), lasts=timedelta(minutes=29), amount=Money.of(123_400, "JPY")
        )

    async def find_charge(self) -> None:
        assert await self.provider.find_charge(self.paid.our_ref)
        assert await self.provider.find_charge(self.paid.our_ref, provider_id=self.paid.provider_id)

    async def charges_of(self) -> None:
        our_ref, debit = fresh_ref("pay"), Enters.RETURNING_DEBIT
        currency = self.harness.debit_currency
        saved = await self.suite.saved(self.harness, debit)
        await self.suite.charge(self.harness, saved, our_ref, Money.of(7, currency))
        await self.harness.advance(timedelta(days=10))
        assert await self.provider.charges_of(our_ref)

    async def cancel_charge(self) -> None:
        waits = await self.suite.charge(self.harness, self.asked, fresh_ref("pay"))
        page = await self.suite.open_page(self.harness, fresh_ref("pay"))
        await self.provider.cancel_charge(waits.provider_id, key="cancel 1")
        await self.provider.cancel_charge(page.provider_id, key="cancel 2")

    async def refund(self) -> None:
        await self.refund_of(fresh_ref("rfd"))

    async def refund_of(self, our_ref: str) -> str:
        order = RefundOrder(our_ref=our_ref, charge_id=self.paid.provider_id, amount=Money.of(5, "USD"))
        return (await self.provider.refund(order, key=our_ref)).provider_id

    async def find_refund(self) -> None:
        our_ref = fresh_ref("rfd")
        refund_id = await self.refund_of(our_ref)
        assert await self.provider.find_refund(our_ref)
        assert await self.provider.find_refund(our_ref, provider_id=refund_id)

    async def refunds_of(self) -> None:
        await self.provider.refunds_of(fresh_ref("rfd"))

    async def list_methods(self) -> None:
        await self.provider.list_methods(self.saved.payer.provider_ref or "")

    async def detach_method(self) -> None:
        for each in (1, 2):
            await self.provider.detach_method(self.saved.method.token, key=f"detach {each}")

    async def events_after(self) -> None:
        assert (await self.provider.events_after(None, since=self.harness.now() - timedelta(days=1))).events

    async def reference_of(self) -> None:
        assert await self.provider.reference_of(self.paid.provider_id) == self.paid.our_ref

    async def payouts_after(self) -> None:
        since = self.harness.now() - timedelta(minutes=1)
        before = await self.provider.payouts_after(None, since=since)
        await self.harness.pay_out()
        again = await self.provider.payouts_after(before.cursor, since=since)
        assert (await self.provider.payouts_after(again.cursor, since=since)).payouts == ()

    async def find_payout(self) -> None:
        assert await self.provider.find_payout("po_never_was") is None
        assert await self.provider.find_payout(await self.made_payout())

    async def payout_items(self) -> None:
        await self.harness.dispute(self.paid.our_ref, "needs_response")
        assert await self.provider.payout_items(await self.made_payout())

    async def made_payout(self) -> str:
        """The newest payout's id, in the currency of what was paid."""
        since = self.harness.now() - timedelta(minutes=1)
        await self.harness.pay_out()
        made = (await self.provider.payouts_after(None, since=since)).payouts
        return [each for each in made if each.amount.currency == self.paid.amount.currency][-1].provider_id


async def _ready(harness: StripeHarness) -> Calls:
    suite = PaymentSuite()
    saved = await suite.saved(harness, Enters.GOOD)
    asked = await suite.saved(harness, Enters.BANK_ASKS)
    return Calls(harness, saved, asked, await suite.charge(harness, saved, fresh_ref("pay")))


def test_no_method_is_left_out(stripe: StripeHarness) -> None:
    public = {name for name in dir(stripe.provider) if not name.startswith("_")}
    assert public - SENDS_NOTHING == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_method_sends_requests_that_stripe_describes(stripe: StripeHarness, name: str) -> None:
    calls = await _ready(stripe)
    before = len(await stripe.requests())
    call: Callable[[], Awaitable[None]] = getattr(calls, name)
    await call()
    sent = await stripe.requests()
    assert [wrong for request in sent for wrong in official.violations(request)] == []
    assert {official.operation_of(request) for request in sent[before:]} >= OPERATIONS[name]


def _changed(request: dict[str, Any], **fields: str | None) -> dict[str, Any]:
    """The same request with values of its form changed, added, or (None) left out."""
    form = dict(parse_qsl(request["encoded"], keep_blank_values=True))
    form.update({name: value for name, value in fields.items() if value is not None})
    kept = {name: value for name, value in form.items() if name not in fields or fields[name] is not None}
    return {**request, "encoded": urlencode(kept)}


async def test_a_wrong_request_is_seen(stripe: StripeHarness) -> None:
    """Each of these is a slip that a connector could make; the judge must know it."""
    calls = await _ready(stripe)
    await calls.refund()
    await calls.open_payment_page()
    pages = await stripe.requests()
    await calls.charges_of()
    sent = {official.operation_of(request): request for request in [*await stripe.requests(), *pages]}
    charge, session, refund = sent[f"POST {INTENTS}"], sent[f"POST {SESSIONS}"], sent["POST /v1/refunds"]
    item = "line_items[0][price_data]"
    slips = {
        "amount left out": _changed(charge, amount=None),
        "amount with a point": _changed(charge, amount="12.50"),
        "amount in words": _changed(charge, amount="twelve"),
        "unknown name": _changed(charge, our_ref="pay_1"),
        "yes for true": _changed(charge, off_session="yes"),
        "a kind as text": _changed(charge, payment_method_types="card"),
        "metadata as text": _changed(charge, metadata="pay_1"),
        "unknown mode": _changed(session, mode="save"),
        "no currency of the price": _changed(session, **{f"{item}[currency]": None}),
        "a point in the price": _changed(session, **{f"{item}[unit_amount]": "1.5"}),
        "unknown name deep inside": _changed(session, **{f"{item}[product_data][title]": "x"}),
        "unknown name in the intent's data": _changed(session, **{"payment_intent_data[off_session]": "true"}),
        "when it ends as text": _changed(session, expires_at="2026-01-01T00:00:00Z"),
        "refund of a point": _changed(refund, amount="0.5"),
        "unknown reason": _changed(refund, reason="because"),
        "search without a query": _changed(sent[f"GET {INTENTS}/search"], query=None),
        "unknown filter": _changed(sent[f"GET {INTENTS}"], metadata="x"),
        "a limit in words": _changed(sent[f"GET {INTENTS}"], limit="all"),
        "no key": {**charge, "key": None},
        "another version": {**charge, "version": "2020-08-27"},
        "no operation": {**charge, "path": "/v1/payment_intent"},
    }
    assert [name for name, request in slips.items() if not official.violations(request)] == []
    assert [name for name, request in sent.items() if official.violations(request)] == []
