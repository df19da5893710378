"""Tokens of a consent: renewed once by one of many, asked for again where Xero ended it, and never shown."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.consenting import StoredTokens, packed
from connectors.declaring import TokenPair
from connectors.erp.xero import consent
from connectors.errors import ConsentGone, Misconfigured, OutcomeUnknown, Unavailable
from store import consents
from store.database import Database
from store.envelopes import Envelopes
from tests import machine
from tests.connectors.traps import Trap, trap
from tests.connectors.xero.harness import XeroHarness
from tests.machine import free_port

KEYS = Envelopes([("test", bytes(range(32)))])


@pytest_asyncio.fixture
async def processes(database: machine.Database) -> AsyncIterator[list[Database]]:
    """A worker's and the staff's door's connections to one database, which has the connection."""
    opened = [Database(database.worker_url), Database(database.staff_url)]
    async with opened[1].begin("test") as tx:
        await tx.run(
            """INSERT INTO connections (id, role, connector, mode, is_managed, changed_at, offers)
               VALUES ('books', 'erp', 'xero', 'sandbox', true, :at, '{}')""",
            at=datetime.now(UTC),
        )
    yield opened
    for each in opened:
        await each.close()


async def grants(harness: XeroHarness) -> list[dict[str, Any]]:
    """Every consent at the far side: how often it was renewed, and whether it still stands."""
    found: list[dict[str, Any]] = (await harness.browser.get(f"{harness.url}/_test/grants")).json()
    return found


async def current(harness: XeroHarness) -> TokenPair:
    assert harness.config.tokens is not None
    return await harness.config.tokens.current()


@trap(Trap.PARALLEL_RENEWAL)
async def test_two_processes_whose_tokens_are_over_renew_them_once(harness: XeroHarness, processes: list[Database]) -> None:
    pair = await current(harness)
    await harness.browser.post(f"{harness.url}/_test/expire")
    naive = await asyncio.gather(
        *(consent.renewed(harness.config.keys, pair) for _ in range(2)), return_exceptions=True
    )  # fmt: skip
    assert sum(isinstance(each, ConsentGone) for each in naive) == 1
    assert not (await grants(harness))[-1]["open"], "and the one that was renewed is thrown out as well"
    founded = (await harness.browser.post(f"{harness.url}/_test/organisations", json={})).json()
    over = TokenPair(access="over", refresh=founded["refresh"], expires_at=datetime.now(UTC))
    async with processes[1].begin("test") as tx:
        await consents.keep(tx, KEYS, "books", packed(over), choices={}, by="ann", at=datetime.now(UTC))
    both = [
        harness.another(organisation=founded["tenant"], tokens=StoredTokens(each, KEYS, "books", lambda: datetime.now(UTC)))
        for each in processes
    ]
    await asyncio.gather(*(each.ping() for each in both))
    assert (await grants(harness))[-1] == {"renewals": 1, "open": True}


async def test_a_token_that_xero_ended_early_is_renewed_and_the_call_made_again(harness: XeroHarness) -> None:
    await harness.browser.post(f"{harness.url}/_test/expire")
    await harness.erp.ping()
    assert (await grants(harness))[-1]["renewals"] == 1


async def test_a_consent_that_is_gone_is_told_apart_from_keys_that_are_wrong_and_from_silence(harness: XeroHarness) -> None:
    pair, keys = await current(harness), harness.config.keys
    with pytest.raises(ConsentGone):
        await consent.renewed(keys, replace(pair, refresh="never-heard-of"))
    with pytest.raises(Misconfigured, match="client ID and secret") as wrong:
        await consent.renewed(replace(keys, client_secret="wrong"), pair)
    assert not isinstance(wrong.value, ConsentGone)
    with pytest.raises(Unavailable):
        await consent.renewed(replace(keys, identity_url=f"http://127.0.0.1:{free_port()}"), pair)


async def test_a_sign_in_that_does_not_answer_is_unknown(harness: XeroHarness) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    keys = replace(harness.config.keys, identity_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(OutcomeUnknown):
        await consent.renewed(keys, await current(harness))
    server.close()


async def test_a_code_is_good_once_and_tells_which_organisations_it_is_for(harness: XeroHarness) -> None:
    keys, way_back = harness.config.keys, "https://duly.example/back"
    page = consent.address(keys, "a-state", way_back) + f"&tenants={harness.tenant}"
    came = await harness.browser.get(page)
    returned = httpx.URL(came.headers["location"])
    assert (returned.host, returned.params["state"]) == ("duly.example", "a-state")
    consented = await consent.exchanged(keys, returned.params["code"], way_back)
    ((value, _),) = consented.learnt[0].choices
    assert value == harness.tenant
    with pytest.raises(Misconfigured, match="begin again"):
        await consent.exchanged(keys, returned.params["code"], way_back)


async def test_no_secret_is_shown_with_the_configuration(harness: XeroHarness) -> None:
    shown = repr(harness.config) + repr(await current(harness))
    assert harness.config.keys.client_secret not in shown
    assert (await current(harness)).refresh not in shown
