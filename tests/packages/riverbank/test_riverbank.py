"""Riverbank's connector, found by its entry point, passes Duly's suite against a Riverbank that runs here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from typing import Any

import httpx
import pytest
import pytest_asyncio
from riverbank_far_side import API_KEY, SECRETS, FarSide, sign

from duly.conformance import Delivery, Enters, Fault, Looks, Operation, PaymentConformance, Trait
from duly.payments import ConnectionSettings, MethodKind

STRANGERS_SECRET = "somebody-elses-secret-entirely"
PATIENCE = timedelta(milliseconds=300)


def connected(url: str) -> Any:
    """A connection as Duly makes one: by the entry point, of what staff gave."""
    (found,) = entry_points(group="duly.payments", name="riverbank")
    values = {"api_key": (API_KEY,), "webhook_secret": SECRETS}
    given = ConnectionSettings(values=values, is_live=False, kinds=frozenset({MethodKind.CARD}), base_url=url)
    return found.load().build(given, patience=PATIENCE)


class RiverbankHarness:
    """A far side in the words of the kit."""

    kinds: Mapping[str, MethodKind] = {"EUR": MethodKind.CARD, "GBP": MethodKind.CARD}
    looks = Looks(brand="visa", last4="4242", declined_as="insufficient_funds")
    lacks: Mapping[Trait, int] = {Trait.BANK_QUESTIONS: 4, Trait.VERIFICATION: 1, Trait.REPEATED_ERRORS: 1}
    debit_kind = MethodKind.SEPA_DEBIT  # it knows none
    debit_currency = "EUR"
    leaving_closes = True

    def __init__(self, far_side: FarSide, nowhere: str) -> None:
        self.far_side = far_side
        self.provider, self.unreachable = connected(far_side.url), connected(nowhere)
        self.browser = httpx.AsyncClient(trust_env=False)

    async def aclose(self) -> None:
        """Close what was opened."""
        for each in (self.provider, self.unreachable, self.browser):
            await each.aclose()

    async def enter(self, url: str, what: Enters) -> None:
        """The customer enters a card."""
        (await self.browser.post(url, json={"enter": what.value})).raise_for_status()

    async def leave(self, url: str) -> None:
        """The customer goes away."""
        (await self.browser.post(url, json={"enter": "leave"})).raise_for_status()

    async def answer_bank(self, url: str, *, approve: bool) -> None:
        """No bank asks."""

    async def verify_account(self, url: str) -> None:
        """Nothing must be verified."""

    async def moving(self, our_ref: str) -> int:
        """Payments that took money."""
        return sum(each["reference"] == our_ref and each["state"] == "taken" for each in self.far_side.payments.values())

    async def kept_methods(self, our_ref: str) -> int:
        """Cards that a reference left behind."""
        savings = [each for each in self.far_side.savings.values() if each["reference"] == our_ref]
        return sum(each["card"] is not None and each["card"]["id"] in self.far_side.cards for each in savings)

    async def advance(self, by: timedelta) -> None:
        """Time passes over there."""
        self.far_side.offset += by

    async def break_next(self, operation: Operation, fault: Fault) -> None:
        """The next such call goes wrong."""
        self.far_side.fault = operation.value, fault.value

    async def deliveries(self, our_ref: str, *, at_least: int) -> list[Delivery]:
        """What was delivered about a reference."""
        found = [Delivery(raw=raw, headers=headers) for told, raw, headers in self.far_side.deliveries if told == our_ref]
        assert len(found) >= at_least
        return found

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:
        """Riverbank's own signature."""
        headers: Mapping[str, str] = sign(raw, at, STRANGERS_SECRET if secret is None else SECRETS[secret])
        return headers


@pytest_asyncio.fixture(scope="session")
async def riverbank() -> AsyncIterator[RiverbankHarness]:
    """A Riverbank that runs, and a connection to it."""
    far_side = FarSide()
    server = await asyncio.start_server(far_side.serve, "127.0.0.1", 0)
    far_side.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody is there
        harness = RiverbankHarness(far_side, f"http://127.0.0.1:{unused.getsockname()[1]}")
        yield harness
        await harness.aclose()
    server.close()


class TestRiverbank(PaymentConformance):
    """The whole suite; nothing is given back, so nothing about refunds."""

    @pytest.fixture
    def harness(self, riverbank: RiverbankHarness) -> RiverbankHarness:
        """The one that runs, as on its first day."""
        riverbank.far_side.reset()
        return riverbank
