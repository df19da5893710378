"""Far sides for the tests of what they tell: each test finds its own as on its first day, with a receiver of deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from domain.methods import MethodKind
from tests.connectors.adyen.conftest import as_on_its_first_day, desk_of
from tests.connectors.adyen.harness import AdyenHarness, start_adyen
from tests.connectors.gocardless.conftest import connected as connected_to_gocardless
from tests.connectors.gocardless.harness import GoCardlessHarness, start_gocardless
from tests.connectors.sandbox_harness import Receiver, SandboxHarness, receiving, start_sandbox
from tests.connectors.stripe.conftest import connected as connected_to_stripe
from tests.connectors.stripe.harness import StripeHarness, start_stripe
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def stripe_there() -> Iterator[Program]:
    """The program."""
    program = start_stripe()
    yield program
    program.stop()


@pytest.fixture(scope="session")
def gocardless_there() -> Iterator[Program]:
    """The program."""
    program = start_gocardless()
    yield program
    program.stop()


@pytest_asyncio.fixture(scope="session")
async def adyen_there() -> AsyncIterator[dict[MethodKind, AdyenHarness]]:
    """The program, and its desks."""
    program = start_adyen()
    async with desk_of(program.url) as desks:
        yield desks
    program.stop()


class TimedSandbox(SandboxHarness):
    """The sandbox provider's laboratory, with a clock that goes with the provider's."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        super().__init__(url, receiver)
        self.passed = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    async def advance(self, by: timedelta) -> None:
        self.passed += by
        await super().advance(by)


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[TimedSandbox]:
    """A sandbox provider of this test's own."""
    async with receiving() as receiver:
        program = start_sandbox(tmp_path / "sandbox.db", "--webhook-url", receiver.url)
        harness = TimedSandbox(program.url, receiver)
        try:
            yield harness
        finally:
            await harness.aclose()
            program.stop()


@pytest_asyncio.fixture
async def stripe(stripe_there: Program) -> AsyncIterator[StripeHarness]:
    """Its bank debits are American."""
    async with connected_to_stripe(stripe_there.url, MethodKind.US_BANK_ACCOUNT) as harness:
        yield harness


@pytest_asyncio.fixture
async def stripe_in_europe(stripe_there: Program) -> AsyncIterator[StripeHarness]:
    """The same, with SEPA debits."""
    async with connected_to_stripe(stripe_there.url, MethodKind.SEPA_DEBIT) as harness:
        yield harness


@pytest_asyncio.fixture
async def gocardless(gocardless_there: Program) -> AsyncIterator[GoCardlessHarness]:
    """Debits of mandates."""
    async with connected_to_gocardless(gocardless_there.url) as harness:
        yield harness


@pytest_asyncio.fixture
async def adyen(adyen_there: dict[MethodKind, AdyenHarness]) -> AsyncIterator[AdyenHarness]:
    """Its bank debits are American; it has no list of what it told."""
    async with as_on_its_first_day(adyen_there[MethodKind.US_BANK_ACCOUNT]) as harness:
        yield harness


@pytest_asyncio.fixture
async def adyen_in_europe(adyen_there: dict[MethodKind, AdyenHarness]) -> AsyncIterator[AdyenHarness]:
    """The same, with SEPA debits."""
    async with as_on_its_first_day(adyen_there[MethodKind.SEPA_DEBIT]) as harness:
        yield harness
