"""What a real test account of Adyen's is asked: the kit where it applies, and what only its answers can show."""

from __future__ import annotations

import pytest

from connectors.conformance.payment_harness import (
    AMOUNTS,
    Enters,
    ProviderHarness,
    RefundHarness,
    Saved,
    fresh_ref,
    now,
    origin_of,
)
from connectors.conformance.payments import RefundConformance
from connectors.errors import Misconfigured, Unavailable
from connectors.payments.adyen import translate
from connectors.payments.ports import ChargeStatus, ProviderCharge, ProviderRefund, RefundOrder, RefundStatus, SetupStatus
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.adyen.test_adyen_conformance import where_alike
from tests.live.accounts import ByToken
from tests.live.adyen_account import AdyenAccount


class ByAnswers(ByToken, RefundConformance):
    """The suite where nothing can be looked up over there: what is answered is noted, and counted."""

    async def charge(
        self, harness: ProviderHarness, saved: Saved, our_ref: str, amount: Money | None = None
    ) -> ProviderCharge:
        answered = await super().charge(harness, saved, our_ref, amount)
        assert isinstance(harness, AdyenAccount)
        harness.charged.append(answered)
        return answered

    async def refund(
        self, harness: RefundHarness, charge: ProviderCharge, our_ref: str, minor: int | None = None
    ) -> ProviderRefund:
        answered = await super().refund(harness, charge, our_ref, minor)
        assert isinstance(harness, AdyenAccount)
        harness.refunded.append(answered)
        return answered


@where_alike
class AskedOfAdyen(ByAnswers):
    """The kit, without what Adyen does in another way, and that other way as far as it is answered."""

    async def test_the_account_takes_cards(self, harness: AdyenAccount) -> None:
        assert list(await harness.provider.check_configuration()) == []

    async def test_a_wrong_key_is_misconfigured(self, harness: AdyenAccount) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        async with harness.elsewhere(api_key="AQE-nobody-has-this-key") as stranger:
            assert [(each.code, each.is_fatal) for each in await stranger.check_configuration()] == [("api_key", True)]
            with pytest.raises(Misconfigured):
                await stranger.charge(self.charge_order(saved, our_ref), key=f"charge:{our_ref}")

    async def test_another_merchant_account_is_misconfigured(self, harness: AdyenAccount) -> None:
        async with harness.elsewhere(merchant_account="NobodyHasThisAccount") as stranger:
            assert [each.is_fatal for each in await stranger.check_configuration()] == [True]

    async def test_with_nobody_listening_money_is_unavailable(self, harness: AdyenAccount) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        with pytest.raises(Unavailable):
            await harness.unreachable.charge(self.charge_order(saved, our_ref), key=f"charge:{our_ref}")
        charge = await self.charge(harness, saved, our_ref)
        order = RefundOrder(our_ref=fresh_ref("rfd"), charge_id=charge.provider_id, amount=charge.amount)
        with pytest.raises(Unavailable):
            await harness.unreachable.refund(order, key=f"refund:{order.our_ref}")

    async def test_a_stored_card_names_the_payment_that_stored_it(self, harness: AdyenAccount) -> None:
        """By this a page that saves finds its method (`firstPspReference`)."""
        shopper = fresh_ref("cus")
        made = await harness.store(shopper, "EUR")
        await harness.listed(shopper)
        assert [each["firstPspReference"] for each in await harness.stored(shopper)] == [made["pspReference"]]

    @pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: amount.currency)
    async def test_a_card_is_captured_for_the_amount_asked(self, harness: AdyenAccount, amount: Money) -> None:
        saved, our_ref = await self.saved(harness, Enters.GOOD, str(amount.currency)), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref, amount)
        assert (charge.status, charge.amount, charge.our_ref) == (ChargeStatus.CAPTURED, amount, our_ref)
        assert await self.charge(harness, saved, our_ref, amount) == charge
        assert await harness.moving(our_ref) == 1

    @pytest.mark.parametrize(
        ("holder", "code"),
        [("DECLINED", "declined"), ("NOT_ENOUGH_BALANCE", "insufficient_funds"), ("CARD_EXPIRED", "card_expired")],
    )
    async def test_a_refusal_is_a_decline_with_its_reason(self, harness: AdyenAccount, holder: str, code: str) -> None:
        asked = Money.of(12_345, "EUR")
        answer = await harness.pay({"value": asked.minor, "currency": "EUR"}, holder=holder)
        told = translate.payment(
            answer, our_ref=answer["merchantReference"], kind=MethodKind.CARD, asked=asked, now=now(), days=7
        )
        assert (told.status, told.failure_code, told.amount) == (ChargeStatus.DECLINED, code, asked)
        assert told.provider_id == answer["pspReference"]

    async def test_a_payment_link_is_opened_once_read_and_closed(self, harness: AdyenAccount) -> None:
        our_ref = fresh_ref("pay")
        page = await self.open_page(harness, our_ref)
        assert (page.status, page.amount) == (ChargeStatus.NEEDS_CUSTOMER, Money.of(12_345, "USD"))
        assert origin_of(page.action_url) in harness.provider.page_origins
        assert await self.open_page(harness, our_ref) == page
        assert await harness.provider.find_charge(our_ref, provider_id=page.provider_id) == page
        closed = await harness.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}")
        again = await harness.provider.cancel_charge(page.provider_id, key=f"cancel:{our_ref}:2")
        assert closed.status is ChargeStatus.CANCELED
        assert again.status in {ChargeStatus.CANCELED, ChargeStatus.EXPIRED}
        found = await harness.provider.find_charge(our_ref, provider_id=page.provider_id)
        assert found is not None
        assert (found.status, found.action_url) == (ChargeStatus.EXPIRED, None)

    async def test_a_payment_link_that_nobody_opened_is_none(self, harness: AdyenAccount) -> None:
        assert await harness.provider.find_charge(fresh_ref("pay"), provider_id="PLNEVERWASHERE00") is None

    async def test_a_set_up_page_opens_and_is_open(self, harness: AdyenAccount) -> None:
        our_ref = fresh_ref("set")
        page = await self.start_setup(harness, our_ref)
        assert origin_of(page.url) in harness.provider.page_origins
        found = await harness.provider.find_setup(our_ref, session_id=page.session_id)
        assert found is not None
        assert (found.status, found.method) == (SetupStatus.OPEN, None)

    async def test_a_refund_is_taken_first_and_told_later(self, harness: AdyenAccount) -> None:
        charge, our_ref = await self.captured(harness), fresh_ref("rfd")
        refund = await self.refund(harness, charge, our_ref, 345)
        assert (refund.status, refund.amount.minor, refund.our_ref) == (RefundStatus.PROCESSING, 345, our_ref)
        assert refund.charge_id == charge.provider_id
        assert await harness.provider.find_refund(our_ref, provider_id=refund.provider_id) is None

    async def test_a_refund_above_what_is_left_is_taken_too(self, harness: AdyenAccount) -> None:
        charge = await self.captured(harness)
        refund = await self.refund(harness, charge, fresh_ref("rfd"), charge.amount.minor + 1)
        assert refund.status is RefundStatus.PROCESSING
