"""One Tryton for all tests of a process, over the ready company; each test has customers of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from connectors.erp.tryton import TrytonConfig
from launch import postgres
from tests.tryton import server
from tests.tryton.desk import Desk
from tests.tryton.faults import Proxy
from tests.tryton.harness import TrytonHarness


@pytest.fixture(scope="session")
def tryton_template(postgres_cluster: postgres.Cluster) -> None:
    """The ready company, restored once for each pytest process."""
    assert server.company_dump().exists(), "Tryton is not set up: run `make tryton`"
    server.restore_company(postgres_cluster)


@pytest.fixture(scope="session")
def tryton(postgres_cluster: postgres.Cluster, tryton_template: None, server_folder: Path) -> Iterator[server.Server]:
    """A running Tryton with a company of its own."""
    running = server.serve(postgres_cluster, server.copy_of_template(postgres_cluster), server_folder / "tryton")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def desk(tryton: server.Server) -> Iterator[Desk]:
    """Its accountant."""
    person = tryton.desk()
    yield person
    person.close()


@pytest.fixture
async def harness(tryton: server.Server, desk: Desk) -> AsyncIterator[TrytonHarness]:
    """The connector over a line that can break, with the accountant beside it."""
    proxy = Proxy(tryton.address)
    await proxy.start()
    config = TrytonConfig(base_url=proxy.url, database=tryton.database, user=server.DULY, password=server.DULY_PASSWORD)
    harness = TrytonHarness(desk, proxy, config)
    yield harness
    harness.open_again()
    await harness.erp.aclose()
    await proxy.aclose()
