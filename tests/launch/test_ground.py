"""The ground itself: that the servers which other tests borrow are real, separate and locked."""

import psycopg
import pytest
from playwright.async_api import Page
from temporalio.client import Client

from tests.machine import Database, free_port


def test_a_test_has_a_database_of_its_own(database: Database) -> None:
    with psycopg.connect(database.plain_admin_url) as connection:
        row = connection.execute("SELECT current_database(), current_user").fetchone()
    assert row == (database.name, "postgres")


@pytest.mark.parametrize("role", ["duly_portal", "duly_worker", "duly_staff"])
def test_each_role_signs_in_as_itself(database: Database, role: str) -> None:
    url = database.url_of(role).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)


def test_a_role_needs_its_password_even_on_the_socket(database: Database) -> None:
    url = database.cluster.url(role="duly_portal", password="guess", database=database.name, driver="postgresql")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


async def test_the_temporal_server_answers(temporal_client: Client) -> None:
    assert await temporal_client.service_client.check_health()


async def test_the_browser_shows_a_page(page: Page) -> None:
    await page.set_content("<h1>Duly</h1>")
    assert await page.inner_text("h1") == "Duly"


def test_free_ports_differ() -> None:
    assert len({free_port() for _ in range(5)}) > 1
