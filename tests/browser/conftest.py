"""Visitors at a real browser, before the whole running house."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.visiting import PATIENCE_MS, Newcomer, Visit, come_in, move_in
from tests.processes.house import House

expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture
async def visit(house: House, browser: Browser) -> AsyncIterator[Visit]:
    """Open a visitor's own browser: `await visit(customer_id)` is inside that account, `await visit()` is nobody yet.
    More arguments are Playwright's for a context.
    """
    opened: list[BrowserContext] = []

    async def open_one(customer_id: str | None = None, **options: object) -> Page:
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        page = await context.new_page()
        if customer_id is not None:
            await come_in(house, page, customer_id)
        return page

    yield open_one
    for context in opened:
        await context.close()


@pytest_asyncio.fixture(scope="session")
async def newcomers(house: House) -> list[tuple[str, list[str]]]:
    """Customers who moved in together: one sync is waited for instead of thirty."""
    return await move_in(house, 40)


@pytest.fixture
def newcomer(newcomers: list[tuple[str, list[str]]]) -> Newcomer:
    """A customer whom no other test knows, with one open invoice."""
    return newcomers.pop
