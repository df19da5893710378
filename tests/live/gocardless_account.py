"""A real sandbox account of GoCardless's. Money is counted in its own lists, by plain HTTP and not by the connector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from connectors.conformance.payment_harness import Enters, Saved, a_payer
from connectors.conformance.payments import Looks, Trait
from connectors.payments.gocardless import GoCardlessConfig, GoCardlessProvider, build
from connectors.payments.gocardless.client import VERSION
from domain.methods import MethodKind
from tests.live.accounts import NO_DELIVERIES, RealAccount
from tests.machine import free_port

_ADDRESS: Final = {"address_line1": "27 Acer Road", "city": "London", "postal_code": "E8 3GX", "country_code": "GB"}
_ACCOUNT: Final = {"branch_code": "200000", "account_number": "55779911", "country_code": "GB"}  # their own example
_LISTED: Final = 500
_SCENARIOS: Final[Mapping[Enters, str]] = {Enters.GOOD: "payment_confirmed", Enters.DECLINED_LATER: "payment_failed"}


class GoCardlessAccount(RealAccount):
    """Bacs mandates, whose payments move on by GoCardless's own scenarios. Refunds are not asked: they take days."""

    kinds: Mapping[str, MethodKind] = {"GBP": MethodKind.BACS_DEBIT}
    looks = Looks(brand="", last4="", declined_as="insufficient_funds")
    debit_kind = MethodKind.BACS_DEBIT
    debit_currency = "GBP"
    lacks: Mapping[Trait, int] = {
        Trait.CUSTOMER: 26,
        Trait.FAULTS: 10,
        Trait.CLOCK: 3,
        Trait.DELIVERIES: 11,
        Trait.SMALLEST_AMOUNTS: 2,
        Trait.MASKED_CHARGES: 1,
    }

    def __init__(self, access_token: str, base_url: str = "https://api-sandbox.gocardless.com") -> None:
        config = GoCardlessConfig(
            base_url=base_url,
            access_token=access_token,
            webhook_secrets=NO_DELIVERIES,
            is_live=False,
            kinds=frozenset({MethodKind.BACS_DEBIT}),
        )
        self.provider: GoCardlessProvider = build(config)
        self.unreachable: GoCardlessProvider = build(replace(config, base_url=f"http://127.0.0.1:{free_port()}"))
        headers = {"Authorization": f"Bearer {access_token}", "GoCardless-Version": VERSION}
        self.desk = httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False, timeout=30)
        self.began_at = datetime.min.replace(tzinfo=UTC)
        self.scenarios: dict[str, str] = {}  # of a mandate's payments

    def begins(self) -> None:
        self.began_at = datetime.now(UTC) - timedelta(seconds=5)  # between their clock and ours
        self.scenarios.clear()

    async def aclose(self) -> None:
        for client in (self.provider, self.unreachable, self.desk):
            await client.aclose()

    async def saved(self, what: Enters, currency: str) -> Saved:
        payer = a_payer()
        customer = await self._make("customers", given_name="Test", family_name="Payer", email=payer.email, **_ADDRESS)
        links = {"customer": customer["id"]}
        account = await self._make("customer_bank_accounts", account_holder_name="Test Payer", links=links, **_ACCOUNT)
        mandate = await self._make("mandates", scheme="bacs", links={"customer_bank_account": account["id"]})
        await self._play("mandate_activated", mandate["id"])
        self.scenarios[mandate["id"]] = _SCENARIOS[what]
        (kept,) = await self.provider.list_methods(customer["id"])
        return Saved(payer=replace(payer, provider_ref=customer["id"]), method=kept, currency=currency)

    async def advance(self, by: timedelta) -> None:  # noqa: ARG002
        """The days pass at once: every payment that waits goes to the end of its scenario."""
        for mandate, scenario in self.scenarios.items():
            for payment in await self._listed("payments", mandate=mandate, status="pending_submission"):
                await self._play(scenario, payment["id"])

    async def moving(self, our_ref: str) -> int:
        found = await self._listed("payments", **{"created_at[gte]": self.began_at.isoformat().replace("+00:00", "Z")})
        lost = {"failed", "cancelled", "charged_back", "customer_approval_denied"}
        return sum(each["metadata"].get("our_ref") == our_ref and each["status"] not in lost for each in found)

    async def _make(self, room: str, **fields: Any) -> dict[str, Any]:
        answer = await self.desk.post(f"/{room}", json={room: fields})
        made: dict[str, Any] = answer.raise_for_status().json()[room]
        return made

    async def _play(self, scenario: str, resource: str) -> None:
        path = f"/scenario_simulators/{scenario}/actions/run"
        (await self.desk.post(path, json={"data": {"links": {"resource": resource}}})).raise_for_status()

    async def _listed(self, room: str, **query: str) -> list[dict[str, Any]]:
        answer = await self.desk.get(f"/{room}", params={"limit": str(_LISTED), **query})
        told = answer.raise_for_status().json()
        assert told["meta"]["cursors"]["after"] is None, "too much was made meanwhile to count it"
        found: list[dict[str, Any]] = told[room]
        return found
