"""Every method of the connector sends what Adyen's official description allows, and the judge knows a slip."""

import copy
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from connectors.conformance.payment_harness import RETURN_URL, Enters, Saved, a_payer, fresh_ref
from connectors.errors import OutcomeUnknown
from connectors.payments.ports import PageOrder, ProviderCharge
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.adyen import official
from tests.connectors.adyen.harness import AdyenHarness
from tests.connectors.adyen.test_adyen_conformance import ByEvents

pytestmark = pytest.mark.skipif(not official.is_there(), reason="Adyen's description is not here")

LINKS: Final = "/paymentLinks"
OPERATIONS: Final[dict[str, set[str]]] = {
    "check_configuration": {"POST /paymentMethods"},
    "start_setup": {"POST /sessions"},
    "find_setup": {"GET /storedPaymentMethods"},
    "charge": {"POST /payments", f"POST {LINKS}"},
    "open_payment_page": {f"POST {LINKS}"},
    "find_charge": {f"GET {LINKS}/{{linkId}}", "GET /storedPaymentMethods"},
    "cancel_charge": {f"PATCH {LINKS}/{{linkId}}", f"GET {LINKS}/{{linkId}}"},
    "refund": {"POST /payments/{paymentPspReference}/refunds"},
    "list_methods": {"GET /storedPaymentMethods"},
    "detach_method": {"DELETE /storedPaymentMethods/{storedPaymentMethodId}"},
}
SENDS_NOTHING: Final = {
    *("aclose", "capabilities", "keeps_answers_for", "name", "page_origins", "read_webhook", "search_lag_seconds"),
    *("charges_of", "find_refund", "refunds_of"),  # events tell all that there is
    "cancel_setup",  # Adyen closes a session by itself
}


class Calls:
    """Each method, called as the product calls it, in its variants."""

    def __init__(self, harness: AdyenHarness, kit: ByEvents, saved: Saved, asked: Saved, paid: ProviderCharge) -> None:
        self.harness, self.kit, self.saved, self.asked, self.paid = harness, kit, saved, asked, paid
        self.provider = harness.provider

    async def check_configuration(self) -> None:
        assert list(await self.provider.check_configuration()) == []

    async def start_setup(self) -> None:
        for kind in (MethodKind.CARD, self.harness.debit_kind):
            await self.kit.start_setup(self.harness, fresh_ref("set"), kind=kind)

    async def find_setup(self) -> None:
        our_ref = fresh_ref("set")
        page = await self.kit.start_setup(self.harness, our_ref)
        await self.harness.enter(page.url, Enters.GOOD)
        assert (await self.kit.setup_now(self.harness, our_ref)).method is not None

    async def charge(self) -> None:
        await self.kit.charge(self.harness, self.asked, fresh_ref("pay"))
        debit = await self.kit.saved(self.harness, Enters.GOOD_DEBIT)
        await self.kit.charge(self.harness, debit, fresh_ref("pay"), Money.of(5, self.harness.debit_currency))

    async def open_payment_page(self) -> None:
        for save, kind in ((True, MethodKind.CARD), (False, self.harness.debit_kind)):
            order = PageOrder(
                our_ref=fresh_ref("pay"),
                payer=a_payer(),
                kinds=(kind,),
                amount=Money.of(100, self.harness.debit_currency),
                description="Invoices INV-1 and INV-2",
                return_url=RETURN_URL,
                cancel_url=RETURN_URL,
                save_method=save,
                expires_at=self.harness.now() + timedelta(minutes=30, microseconds=7),
            )
            await self.provider.open_payment_page(order, key="a key that is longer than Adyen takes: " + order.our_ref)

    async def find_charge(self) -> None:
        our_ref = fresh_ref("pay")
        page = await self.kit.open_page(self.harness, our_ref, save=True)
        assert await self.kit.charge_now(self.harness, our_ref) == page
        await self.harness.enter(page.action_url or "", Enters.GOOD)
        assert (await self.kit.charge_now(self.harness, our_ref)).saved_method is not None

    async def cancel_charge(self) -> None:
        page = await self.kit.open_page(self.harness, fresh_ref("pay"))
        for _ in range(2):
            await self.provider.cancel_charge(page.provider_id, key="cancel")

    async def refund(self) -> None:
        await self.kit.refund(self.harness, self.paid, fresh_ref("rfd"), 5)

    async def list_methods(self) -> None:
        assert await self.provider.list_methods(self.saved.payer.customer_id)

    async def detach_method(self) -> None:
        for each in (1, 2):
            await self.provider.detach_method(self.saved.method.token, key=f"detach {each}")


async def _ready(harness: AdyenHarness) -> Calls:
    kit = ByEvents()
    kit.known = {}
    saved, asked = await kit.saved(harness, Enters.GOOD), await kit.saved(harness, Enters.BANK_ASKS)
    return Calls(harness, kit, saved, asked, await kit.charge(harness, saved, fresh_ref("pay")))


async def test_no_method_is_left_out(adyen: AdyenHarness) -> None:
    public = {name for name in dir(adyen.provider) if not name.startswith("_")}
    assert public - SENDS_NOTHING == set(OPERATIONS)
    before = len(await adyen.requests())
    await adyen.provider.charges_of("pay_1-1")
    await adyen.provider.refunds_of("rfd_1")
    await adyen.provider.find_refund("rfd_1", provider_id="PSP")
    with pytest.raises(OutcomeUnknown):
        await adyen.provider.cancel_setup("CS1~cus_1~1", key="cancel")
    assert len(await adyen.requests()) == before


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_method_sends_requests_that_adyen_describes(adyen: AdyenHarness, name: str) -> None:
    calls = await _ready(adyen)
    before = len(await adyen.requests())
    call: Callable[[], Awaitable[None]] = getattr(calls, name)
    await call()
    sent = await adyen.requests()
    assert [wrong for request in sent for wrong in official.violations(request)] == []
    assert {official.operation_of(request) for request in sent[before:]} >= OPERATIONS[name]


def _changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same request with one value of its body changed, added, or (None) left out."""
    made = copy.deepcopy(request)
    *rooms, last = path.split(".")
    at = made["given"]
    for each in rooms:
        at = at[each]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return made


async def test_a_wrong_request_is_seen(adyen: AdyenHarness) -> None:
    """Each of these is a slip that a connector could make; the judge must know it."""
    calls = await _ready(adyen)
    for call in (calls.open_payment_page, calls.refund, calls.cancel_charge, calls.list_methods, calls.detach_method):
        await call()
    sent = {official.operation_of(request): request for request in await adyen.requests()}
    charge, session, link = sent["POST /payments"], sent["POST /sessions"], sent[f"POST {LINKS}"]
    refund, close = sent["POST /payments/{paymentPspReference}/refunds"], sent[f"PATCH {LINKS}/{{linkId}}"]
    listing, deletion = sent["GET /storedPaymentMethods"], sent["DELETE /storedPaymentMethods/{storedPaymentMethodId}"]
    slips = {
        "no amount": _changed(charge, "amount", None),
        "an amount in words": _changed(charge, "amount.value", "12.50"),
        "an amount with a point": _changed(charge, "amount.value", 12.5),
        "a currency that is too long": _changed(charge, "amount.currency", "EURO"),
        "no reference": _changed(charge, "reference", None),
        "a reference that is too long": _changed(charge, "reference", "x" * 81),
        "no merchant account": _changed(charge, "merchantAccount", None),
        "an unknown name": _changed(charge, "ourRef", "pay_1"),
        "an unknown interaction": _changed(charge, "shopperInteraction", "Offline"),
        "an unknown model": _changed(charge, "recurringProcessingModel", "Whenever"),
        "a shopper that is too short": _changed(charge, "shopperReference", "c"),
        "an unknown way to authenticate": _changed(charge, "authenticationData.attemptAuthentication", "sometimes"),
        "an unknown kind of method": _changed(charge, "paymentMethod.type", "cheque"),
        "no way back": _changed(session, "returnUrl", None),
        "an unknown mode": _changed(session, "mode", "popup"),
        "methods as text": _changed(session, "allowedPaymentMethods", "scheme"),
        "keeping in an unknown way": _changed(link, "storePaymentMethodMode", "always"),
        "reusable in words": _changed(link, "reusable", "no"),
        "a refund of nothing": _changed(refund, "amount", None),
        "a refund with a method": _changed(refund, "paymentMethod", {"type": "scheme"}),
        "closed in another word": _changed(close, "status", "closed"),
        "a list of nobody": _changed(listing, "shopperReference", None),
        "an unknown query": _changed(listing, "limit", "10"),
        "forgetting for nobody": _changed(deletion, "shopperReference", None),
        "no key": {**charge, "key": None},
        "no key of a page": {**link, "key": None},
        "a key that is too long": {**charge, "key": "k" * 65},
        "another version": {**charge, "path": "/v71/payments"},
        "no operation": {**charge, "path": "/v72/payment"},
    }
    assert [name for name, request in slips.items() if not official.violations(request)] == []
    assert [name for name, request in sent.items() if official.violations(request)] == []
