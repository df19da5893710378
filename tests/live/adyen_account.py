"""A real test account of Adyen's. It cannot be searched, so what is counted is what it answered, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import httpx

from connectors.conformance.payment_harness import RETURN_URL, Enters, Saved, a_payer, fresh_ref
from connectors.conformance.payments import Looks, Trait
from connectors.payments.adyen import AdyenConfig, AdyenProvider, build
from connectors.payments.adyen.client import PAGE_ORIGINS, VERSION
from connectors.payments.ports import ChargeStatus, ProviderCharge, ProviderRefund, RefundStatus
from domain.methods import MethodDetails, MethodKind
from tests.live.accounts import RealAccount
from tests.machine import free_port

_NO_DELIVERIES: Final = ("d0" * 32,)
_CARD: Final = {
    "type": "scheme",
    "encryptedCardNumber": "test_4111111111111111",
    "encryptedExpiryMonth": "test_03",
    "encryptedExpiryYear": "test_2030",
    "encryptedSecurityCode": "test_737",
}
"""Adyen's own example. What begins with `test_` is taken without a form by test accounts, and by no other."""
_LISTED_WITHIN_SECONDS: Final = 15
_MOVING: Final = frozenset({ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.PROCESSING})


class AdyenAccount(RealAccount):
    """Cards only: a bank debit is saved on a page, and its money comes after days."""

    kinds: Mapping[str, MethodKind] = dict.fromkeys(("USD", "EUR", "GBP", "JPY"), MethodKind.CARD)
    looks = Looks(brand="visa", last4="1111")
    debit_kind = MethodKind.US_BANK_ACCOUNT
    debit_currency = "USD"
    lacks: Mapping[Trait, int] = {
        Trait.CUSTOMER: 15,
        Trait.FAULTS: 9,
        Trait.CLOCK: 2,
        Trait.DELIVERIES: 8,
        Trait.MASKED_CHARGES: 1,
        Trait.LATER_DECLINES: 1,  # who wants a refusal asks for it in the charge itself
    }

    def __init__(self, api_key: str, merchant_account: str, base_url: str | None = None) -> None:
        self.config = AdyenConfig(
            base_url=base_url,
            api_key=api_key,
            merchant_account=merchant_account,
            hmac_keys=_NO_DELIVERIES,
            is_live=False,
            kinds=frozenset({MethodKind.CARD}),
            page_origins=PAGE_ORIGINS if base_url is None else frozenset({base_url}),
        )
        self.provider: AdyenProvider = build(self.config)
        self.unreachable: AdyenProvider = build(replace(self.config, base_url=f"http://127.0.0.1:{free_port()}"))
        self.desk = httpx.AsyncClient(
            base_url=f"{self.config.url}/{VERSION}", headers={"X-API-Key": api_key}, trust_env=False, timeout=30
        )
        self.charged: list[ProviderCharge] = []
        self.refunded: list[ProviderRefund] = []

    def begins(self) -> None:
        self.charged.clear()
        self.refunded.clear()

    async def aclose(self) -> None:
        for client in (self.provider, self.unreachable, self.desk):
            await client.aclose()

    @asynccontextmanager
    async def elsewhere(self, **changes: Any) -> AsyncIterator[AdyenProvider]:
        """A connector that was given something else."""
        provider = build(replace(self.config, **changes))
        yield provider
        await provider.aclose()

    async def saved(self, what: Enters, currency: str) -> Saved:
        assert what is Enters.GOOD
        payer = a_payer()
        await self.store(payer.customer_id, currency)
        (kept,) = await self.listed(payer.customer_id)
        return Saved(payer=replace(payer, provider_ref=payer.customer_id), method=kept, currency=currency)

    async def listed(self, shopper: str) -> Sequence[MethodDetails]:
        """What is kept for a shopper, once something is: that it was stored is answered before it is listed."""
        for _ in range(_LISTED_WITHIN_SECONDS * 2):
            if kept := await self.provider.list_methods(shopper):
                return kept
            await asyncio.sleep(0.5)
        raise AssertionError("what was stored is not listed")

    async def store(self, shopper: str, currency: str) -> dict[str, Any]:
        """A payment of nothing that keeps the card, as Adyen answers it."""
        answer = await self.pay(
            {"value": 0, "currency": currency},
            shopperReference=shopper,
            storePaymentMethod=True,
            recurringProcessingModel="UnscheduledCardOnFile",
        )
        assert answer["resultCode"] == "Authorised", answer
        return answer

    async def pay(self, amount: Mapping[str, Any], *, holder: str = "Test Payer", **more: Any) -> dict[str, Any]:
        """A payment with the example card, by plain HTTP. Some names of a holder ask for a refusal."""
        our_ref = fresh_ref("set")
        body = {
            "merchantAccount": self.config.merchant_account,
            "amount": amount,
            "reference": our_ref,
            "paymentMethod": {**_CARD, "holderName": holder},
            "shopperInteraction": "Ecommerce",
            "authenticationData": {"attemptAuthentication": "never"},
            "returnUrl": RETURN_URL,
            **more,
        }
        answer = await self.desk.post("/payments", json=body, headers={"Idempotency-Key": our_ref})
        made: dict[str, Any] = answer.raise_for_status().json()
        return made

    async def stored(self, shopper: str) -> list[dict[str, Any]]:
        """What Adyen lists for a shopper, in its own words."""
        query = {"merchantAccount": self.config.merchant_account, "shopperReference": shopper}
        answer = await self.desk.get("/storedPaymentMethods", params=query)
        listed: list[dict[str, Any]] = answer.raise_for_status().json().get("storedPaymentMethods", [])
        return listed

    async def moving(self, our_ref: str) -> int:
        return len({each.provider_id for each in self.charged if each.our_ref == our_ref and each.status in _MOVING})

    async def given_back(self, our_ref: str) -> int:
        mine = {each.provider_id: each for each in self.refunded if each.our_ref == our_ref}
        return sum(each.amount.minor for each in mine.values() if each.status is not RefundStatus.FAILED)
