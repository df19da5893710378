"""One running simulated Stripe for the tests of a process; each test finds it as on its first day."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from domain.methods import MethodKind
from tests.connectors.stripe import official
from tests.connectors.stripe.harness import StripeHarness, StripeReceiver, start_stripe
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def stripe_program() -> Iterator[Program]:
    """The program."""
    program = start_stripe()
    yield program
    program.stop()


@asynccontextmanager
async def connected(url: str, kind: MethodKind) -> AsyncIterator[StripeHarness]:
    """A connector to it, and a receiver of what it delivers. In the end, what was sent is judged."""
    receiver = StripeReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    harness = StripeHarness(url, receiver, kind)
    try:
        await harness.turn(reset=True, hook=receiver.url)
        yield harness
        if official.is_there():
            sent = await harness.requests()
            assert [wrong for request in sent for wrong in official.violations(request)] == []
            assert {wrong for request in sent for wrong in official.strange(request)} == set()
    finally:
        await harness.turn(hook="")
        await harness.aclose()
        server.close()


@pytest_asyncio.fixture
async def stripe(stripe_program: Program) -> AsyncIterator[StripeHarness]:
    """Its laboratory, a connector to it, and a receiver of what it delivers; its bank debits are American."""
    async with connected(stripe_program.url, MethodKind.US_BANK_ACCOUNT) as harness:
        yield harness


@pytest_asyncio.fixture
async def stripe_in_europe(stripe_program: Program) -> AsyncIterator[StripeHarness]:
    """The same, with SEPA debits."""
    async with connected(stripe_program.url, MethodKind.SEPA_DEBIT) as harness:
        yield harness
