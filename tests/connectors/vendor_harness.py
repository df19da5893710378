"""What the harnesses of vendors that are played have in common: a laboratory over HTTP, a browser, a clock, a receiver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.conformance.payments import Delivery, Fault, Operation, RefundPath
from tests.connectors.sandbox_harness import Receiver


class VendorHarness:
    """The laboratory of a running simulator. A vendor's own harness adds its connector (`provider`, `unreachable`), how it
    names our reference, and what happens on its pages.
    """

    provider: Any
    unreachable: Any
    leaving_closes = False

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.receiver = receiver
        self.passed = timedelta()
        # Over plain HTTP: whom to trust need not be read for each test, which takes longer than most of them.
        self.browser = httpx.AsyncClient(trust_env=False, timeout=10, verify=False)
        self.desk = httpx.AsyncClient(base_url=url, trust_env=False, timeout=10, verify=False)

    def now(self) -> datetime:
        """The connector's clock, which goes with the provider's."""
        return datetime.now(UTC) + self.passed

    async def aclose(self) -> None:
        for client in (self.provider, self.unreachable, self.browser, self.desk):
            await client.aclose()

    def named(self, our_ref: str) -> str:
        """Our reference as the vendor was told it."""
        return our_ref

    async def turn(self, **knobs: Any) -> None:
        """Turn the knobs of the laboratory."""
        (await self.desk.post("/_test/set", json=knobs)).raise_for_status()

    async def requests(self) -> list[dict[str, Any]]:
        """Every request that the connector sent since the last reset."""
        sent: list[dict[str, Any]] = (await self.desk.get("/_test/requests")).json()
        return sent

    async def ledger(self, our_ref: str, figure: str) -> int:
        """What the vendor counts for a reference."""
        answer = await self.desk.get("/_test/ledger", params={"our_ref": self.named(our_ref)})
        counted: int = answer.raise_for_status().json()[figure]
        return counted

    async def leave(self, url: str) -> None:
        """Going back tells the vendor nothing."""

    async def moving(self, our_ref: str) -> int:
        return await self.ledger(our_ref, "moving")

    async def kept_methods(self, our_ref: str) -> int:
        return await self.ledger(our_ref, "kept")

    async def given_back(self, our_ref: str) -> int:
        return await self.ledger(our_ref, "given_back")

    async def refund_path(self, path: RefundPath) -> None:
        await self.turn(refund_path=path.value)

    async def advance(self, by: timedelta) -> None:
        self.passed += by
        await self.turn(advance=by // timedelta(seconds=1))

    async def pay_out(self) -> None:
        (await self.desk.post("/_test/payouts", json={})).raise_for_status()
        await self.advance(timedelta(days=1))

    async def break_next(self, operation: Operation, fault: Fault) -> None:
        await self.turn(fault=[operation.value, fault.value])

    async def deliveries(self, our_ref: str, *, at_least: int) -> list[Delivery]:
        found: list[Delivery] = await self.receiver.wait_for(our_ref, at_least=at_least)
        return found
