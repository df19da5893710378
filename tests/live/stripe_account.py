"""A real test account of Stripe's. Money is counted in its own lists, by plain HTTP and not by the connector."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import httpx

from connectors.conformance.payment_harness import Enters, Saved, a_payer
from connectors.conformance.payments import Trait
from connectors.payments.stripe import StripeConfig, StripeProvider, build
from domain.methods import MethodKind
from tests.live.accounts import NO_DELIVERIES, RealAccount
from tests.machine import free_port

_TOKENS: Final[Mapping[Enters, str]] = {
    Enters.GOOD: "pm_card_visa",
    Enters.DECLINED_LATER: "pm_card_chargeCustomerFail",
}
_LISTED: Final = 100


class StripeAccount(RealAccount):
    """Cards only: a bank debit needs a mandate that is given on a page, and days."""

    kinds: Mapping[str, MethodKind] = dict.fromkeys(("USD", "EUR", "GBP", "JPY"), MethodKind.CARD)
    debit_kind = MethodKind.US_BANK_ACCOUNT
    debit_currency = "USD"
    lacks: Mapping[Trait, int] = {
        Trait.CUSTOMER: 26,
        Trait.FAULTS: 15,
        Trait.CLOCK: 3,
        Trait.REFUND_PATHS: 1,
        Trait.DELIVERIES: 12,
        Trait.SMALLEST_AMOUNTS: 2,  # less than half a dollar is refused
        Trait.RACES: 1,  # while one refund is under way the others are told to come again
    }

    def __init__(self, api_key: str, base_url: str = "https://api.stripe.com") -> None:
        config = StripeConfig(base_url=base_url, api_key=api_key, webhook_secrets=NO_DELIVERIES, is_live=False)
        self.provider: StripeProvider = build(config)
        self.unreachable: StripeProvider = build(replace(config, base_url=f"http://127.0.0.1:{free_port()}"))
        self.desk = httpx.AsyncClient(
            base_url=base_url, headers={"Authorization": f"Bearer {api_key}"}, trust_env=False, timeout=30
        )
        self.began_at = 0

    def begins(self) -> None:
        self.began_at = int(time.time()) - 5  # between their clock and ours

    async def aclose(self) -> None:
        for client in (self.provider, self.unreachable, self.desk):
            await client.aclose()

    async def saved(self, what: Enters, currency: str) -> Saved:
        payer = a_payer()
        customer = await self._post("/v1/customers", name=payer.name)
        await self._post(f"/v1/payment_methods/{_TOKENS[what]}/attach", customer=customer["id"])
        (kept,) = await self.provider.list_methods(customer["id"])
        return Saved(payer=replace(payer, provider_ref=customer["id"]), method=kept, currency=currency)

    async def moving(self, our_ref: str) -> int:
        found = await self._mine("/v1/payment_intents", our_ref)
        return sum(each["status"] in {"succeeded", "processing"} for each in found)

    async def given_back(self, our_ref: str) -> int:
        found = await self._mine("/v1/refunds", our_ref)
        return sum(each["amount"] for each in found if each["status"] not in {"failed", "canceled"})

    async def _mine(self, path: str, our_ref: str) -> list[dict[str, Any]]:
        """What bears a reference and was made since this test began."""
        answer = await self.desk.get(path, params={"limit": _LISTED, "created[gte]": self.began_at})
        told = answer.raise_for_status().json()
        assert not told["has_more"], "too much was made meanwhile to count it"
        return [each for each in told["data"] if each["metadata"].get("our_ref") == our_ref]

    async def _post(self, path: str, **fields: str) -> dict[str, Any]:
        answer = await self.desk.post(path, data=fields)
        made: dict[str, Any] = answer.raise_for_status().json()
        return made
