"""Who may open which door of the staff's: every route stands in one table, and a new one without an entry fails."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, token_on

ANYBODY: Final = {
    "GET /staff/sign-in",
    "POST /staff/sign-in",
    "POST /staff/sign-in/code",
    "POST /staff/sign-out",
    "GET /staff/forgotten",
    "POST /staff/forgotten",
    "GET /staff/set-password/{token}",
    "POST /staff/set-password/{token}",
}
"""The doors before the door."""

LEAST: Final = {
    "GET /staff/inbox": Role.VIEWER,
    "GET /staff/inbox/{item}": Role.VIEWER,
    "POST /staff/inbox/{item}/take": Role.AGENT,
    "POST /staff/inbox/{item}/release": Role.AGENT,
    "POST /staff/inbox/{item}/again": Role.AGENT,
    "POST /staff/inbox/{item}/close": Role.AGENT,
    "POST /staff/inbox/{item}/take-back": Role.AGENT,
    "POST /staff/postings/{posting_id}": Role.AGENT,
    "GET /staff/reconciliation": Role.VIEWER,
    "POST /staff/reconciliation": Role.AGENT,
    "GET /staff/payouts": Role.VIEWER,
    "GET /staff/payouts/{connection_id}/{payout_id}": Role.VIEWER,
    "GET /staff/customers": Role.VIEWER,
    "GET /staff/customers/{customer_id}": Role.VIEWER,
    "GET /staff/customers/{customer_id}/statement": Role.VIEWER,
    "GET /staff/customers/{customer_id}/statement/file": Role.VIEWER,
    "POST /staff/customers/{customer_id}/links": Role.AGENT,
    "POST /staff/customers/{customer_id}/links/revoke": Role.AGENT,
    "POST /staff/customers/{customer_id}/links/send": Role.AGENT,
    "POST /staff/customers/{customer_id}/view": Role.AGENT,
    "GET /staff/payments/{payment_id}/refund": Role.AGENT,
    "POST /staff/payments/{payment_id}/refund": Role.AGENT,
    "POST /staff/refunds/{refund_id}/decide": Role.APPROVER,
    "GET /staff/requests/{request_id}": Role.VIEWER,
    "POST /staff/requests/{request_id}/decide": Role.AGENT,
    "GET /staff/settings": Role.ADMIN,
    "GET /staff/settings/{slug}": Role.ADMIN,
    "POST /staff/settings/{slug}": Role.ADMIN,
    "POST /staff/settings/{slug}/back": Role.ADMIN,
    "GET /staff/connections": Role.ADMIN,
    "GET /staff/connections/new/{name}": Role.ADMIN,
    "POST /staff/connections/new/{name}": Role.ADMIN,
    "GET /staff/connections/erps/new/{name}": Role.ADMIN,
    "POST /staff/connections/erps/new/{name}": Role.ADMIN,
    "GET /staff/connections/{connection_id}": Role.ADMIN,
    "POST /staff/connections/{connection_id}": Role.ADMIN,
    "POST /staff/connections/{connection_id}/secrets": Role.ADMIN,
    "POST /staff/connections/{connection_id}/secrets/end": Role.ADMIN,
    "POST /staff/connections/{connection_id}/check": Role.ADMIN,
    "POST /staff/connections/{connection_id}/switch": Role.ADMIN,
    "GET /staff/connections/{connection_id}/reading": Role.VIEWER,
    "POST /staff/connections/{connection_id}/reading": Role.AGENT,
    "POST /staff/connections/{connection_id}/consent": Role.ADMIN,
    "POST /staff/connections/{connection_id}/consent/choice": Role.ADMIN,
    "GET /staff/connections/erps/consent": Role.ADMIN,
    "GET /staff/exports": Role.ADMIN,
    "GET /staff/exports/{name}": Role.ADMIN,
    "POST /staff/sends": Role.AGENT,
    "GET /staff/sends/{batch_id}": Role.VIEWER,
    "POST /staff/sends/{batch_id}/again": Role.AGENT,
    "GET /staff/payments/{payment_id}": Role.VIEWER,
    "GET /staff/customers/{customer_id}/methods/new": Role.AGENT,
    "POST /staff/customers/{customer_id}/methods": Role.AGENT,
    "GET /staff/setups/{setup_id}": Role.VIEWER,
    "GET /staff/account": Role.VIEWER,
    "POST /staff/account/password": Role.VIEWER,
    "POST /staff/account/sessions/end": Role.VIEWER,
    "GET /staff/account/second-factor": Role.VIEWER,
    "POST /staff/account/second-factor/begin": Role.VIEWER,
    "POST /staff/account/second-factor/confirm": Role.VIEWER,
    "POST /staff/account/second-factor/codes": Role.VIEWER,
    "POST /staff/account/second-factor/off": Role.VIEWER,
    "GET /staff/timeline/{process_id}": Role.VIEWER,
    "GET /staff/timeline/{process_id}.json": Role.VIEWER,
    "GET /staff/timeline/{process_id}.pdf": Role.VIEWER,
    "GET /staff/log": Role.APPROVER,
    "GET /staff/log.csv": Role.APPROVER,
    "GET /staff/people": Role.ADMIN,
    "POST /staff/people": Role.ADMIN,
    "POST /staff/people/{staff_id}/invite": Role.ADMIN,
    "POST /staff/people/{staff_id}/role": Role.ADMIN,
    "POST /staff/people/{staff_id}/deactivate": Role.ADMIN,
    "POST /staff/people/{staff_id}/reactivate": Role.ADMIN,
    "POST /staff/people/{staff_id}/second-factor/reset": Role.ADMIN,
}
"""The least role of each route. What changes something for others is an agent's at least."""


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        yield opened


def doors(house: House) -> set[str]:
    """'GET /staff/inbox' for every route of staff, but the redirect from /staff, which says nothing."""
    return {
        f"{method} {path}" for method, path in house.routes() if path.startswith("/staff/") and method != "HEAD"
    }  # fmt: skip


async def knock(visitor: httpx.AsyncClient, door: str, token: str) -> httpx.Response:
    """Ask for what does not exist: whoever is let in is told so, and nothing is changed."""
    method, path = door.split(" ")
    address = re.sub(r"\{[^}]+\}", "x1", path)
    return await visitor.request(method, address, data={"csrf": token} if method == "POST" else None)


async def test_every_staff_route_stands_in_the_table(house: House) -> None:
    assert doors(house) == ANYBODY | set(LEAST)
    assert not ANYBODY & set(LEAST)


async def test_each_role_opens_what_is_its_own_and_no_more(house: House) -> None:
    for role in Role:
        visitor = await house.staff_browser(role)
        token = await token_on(visitor, "/staff/customers")
        for door, least in LEAST.items():
            answer = await knock(visitor, door, token)
            is_refused = (answer.status_code, answer.headers.get("x-refusal")) == (403, "not_allowed")
            assert is_refused == (role < least), (role.word, door, answer.status_code)
            assert answer.headers.get("x-refusal") != "cross_site", (role.word, door)
            assert not answer.headers.get("location", "").startswith("/staff/sign-in"), (role.word, door)
    assert house.accounts.rows("SELECT 1 FROM portal_links") == []


async def test_without_a_session_every_door_leads_to_the_sign_in_page(house: House) -> None:
    nobody = house.browser()
    token = await token_on(nobody, "/staff/sign-in")
    for door in LEAST:
        answer = await knock(nobody, door, token)
        assert answer.status_code == 303, door
        assert answer.headers["location"].startswith("/staff/sign-in"), door
