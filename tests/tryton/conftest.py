"""One Tryton for each module of tests, over a copy of the ready company."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from launch import postgres
from tests.tryton import server
from tests.tryton.desk import Desk


@pytest.fixture(scope="session")
def tryton_template(postgres_cluster: postgres.Cluster) -> None:
    """The ready company, restored once for each pytest process."""
    assert server.company_dump().exists(), "Tryton is not set up: run `make tryton`"
    server.restore_company(postgres_cluster)


@pytest.fixture(scope="module")
def tryton(postgres_cluster: postgres.Cluster, tryton_template: None, server_folder: Path) -> Iterator[server.Server]:
    """A running Tryton with a company that only this module's tests know."""
    running = server.serve(postgres_cluster, server.copy_of_template(postgres_cluster), server_folder / "tryton")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def desk(tryton: server.Server) -> Iterator[Desk]:
    """Its accountant."""
    person = tryton.desk()
    yield person
    person.close()
