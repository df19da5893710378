"""One running simulated Adyen for the tests of a process; each test finds it as on its first day."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from domain.methods import MethodKind
from tests.connectors.adyen import official
from tests.connectors.adyen.harness import AdyenHarness, AdyenReceiver, start_adyen
from tests.simulators.running import Program


@pytest.fixture(scope="session")
def adyen_program() -> Iterator[Program]:
    """The program."""
    program = start_adyen()
    yield program
    program.stop()


@asynccontextmanager
async def desk_of(url: str) -> AsyncIterator[dict[MethodKind, AdyenHarness]]:
    """A connector to it for each bank debit, and a receiver of what it delivers: made once, for clients are dear."""
    receiver = AdyenReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    kinds = (MethodKind.US_BANK_ACCOUNT, MethodKind.SEPA_DEBIT)
    made = {kind: AdyenHarness(url, receiver, kind) for kind in kinds}
    yield made
    await made[kinds[0]].turn(hook="")
    for each in made.values():
        await each.aclose()
    server.close()


@pytest_asyncio.fixture(scope="session")
async def adyen_desk(adyen_program: Program) -> AsyncIterator[dict[MethodKind, AdyenHarness]]:
    """The desks of a run."""
    async with desk_of(adyen_program.url) as desk:
        yield desk


@asynccontextmanager
async def as_on_its_first_day(harness: AdyenHarness) -> AsyncIterator[AdyenHarness]:
    """Its laboratory. In the end, what was sent is judged."""
    await harness.first_day()
    yield harness
    if official.is_there():
        sent = await harness.requests()
        assert [wrong for request in sent for wrong in official.violations(request)] == []
        assert {wrong for request in sent for wrong in official.strange(request)} == set()


@pytest_asyncio.fixture
async def adyen(adyen_desk: dict[MethodKind, AdyenHarness]) -> AsyncIterator[AdyenHarness]:
    """Adyen as an American account has it."""
    async with as_on_its_first_day(adyen_desk[MethodKind.US_BANK_ACCOUNT]) as harness:
        yield harness


@pytest_asyncio.fixture
async def adyen_in_europe(adyen_desk: dict[MethodKind, AdyenHarness]) -> AsyncIterator[AdyenHarness]:
    """The same, with SEPA debits."""
    async with as_on_its_first_day(adyen_desk[MethodKind.SEPA_DEBIT]) as harness:
        yield harness
