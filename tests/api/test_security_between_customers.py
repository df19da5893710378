"""One customer's documents, asked for by another: the answer is that of a document that never was. Every route with an
id is found in the application, so that a new one is asked too; and no word of one customer's reaches another.

Nobody, and whoever's session is over, is answered 404 too, with the way back in: the same page for every id there is or
is not.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, token_on

OPEN_DOORS = {"/staff/sign-in", "/staff/forgotten", "/staff/set-password/{token}"}
CANARIES = ("Quince & Canary Ltd", "quince@canary.example", "INV-CANARY-77", "PO-CANARY", "77,777.77", "7777777", "9731")


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        yield opened


def belongings(house: House, customer: str) -> dict[str, str]:
    """One of each thing that has an address, by the name of its place in a path."""
    accounts = house.accounts
    invoice = accounts.invoice(customer, 7_777_777, number="INV-CANARY-77", po_number="PO-CANARY")
    return {
        "invoice_id": invoice,
        "payment_id": accounts.payment(customer, {invoice: 7_777_777}, state="captured", by="quince@canary.example"),
        "method_id": accounts.method(customer, last4="9731"),
        "credit_id": accounts.credit(customer, 7_777_777, number="CN-CANARY"),
        "setup_id": accounts.setup(customer, state="redirected", page_url="http://provider.test:9000/pages/canary"),
    }


def missing() -> dict[str, str]:
    """Ids of the same shape that nothing has."""
    prefixes = {"invoice_id": "inv", "payment_id": "pay", "method_id": "pm", "setup_id": "set", "credit_id": "crd"}
    return {place: fresh_id(prefix) for place, prefix in prefixes.items()}


def addressed(house: House, ids: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(method, path of the route, address) of every route of the portal that names a thing of a customer's."""
    found = []
    for method, path in house.routes():
        places = re.findall(r"\{(\w+)[^}]*\}", path)
        if path.startswith(("/staff", "/v1", "/static", "/webhooks")) or not places or not set(places) <= set(ids):
            continue
        address = re.sub(r"\{(\w+)[^}]*\}", lambda place: ids[place[1]], path)
        found.append((method, path, address))
    return found


async def ask(visitor: httpx.AsyncClient, method: str, address: str, token: str | None) -> httpx.Response:
    fields = {"csrf": token} if method not in {"GET", "HEAD"} and token else None
    return await visitor.request(method, address, data=fields)


def body_of(answer: httpx.Response, ids: Mapping[str, str]) -> str:
    """What is said, without the id that was asked for and without what is fresh in every page."""
    text = answer.text
    for each in ids.values():
        text = text.replace(each, "ID").replace(each[-6:].upper(), "NUMBER")
    return re.sub(r'(?:value|nonce|content)="[^"]*[0-9a-f]{32,}[^"]*"', "", text)


async def test_another_customers_things_are_answered_as_things_that_never_were(house: House) -> None:
    owner, other = house.accounts.customer(CANARIES[0], email=CANARIES[1]), house.accounts.customer("Other")
    theirs, nothing = belongings(house, owner), missing()
    visitor = await house.customer_browser(other)
    token = await token_on(visitor, "/")
    routes = addressed(house, theirs)
    assert len({path for _, path, _ in routes}) >= 6, routes
    for (method, path, real), (_, _, unreal) in zip(routes, addressed(house, nothing), strict=True):
        seen, unseen = await ask(visitor, method, real, token), await ask(visitor, method, unreal, token)
        assert seen.status_code == unseen.status_code, (method, path)
        assert seen.status_code in {303, 403, 404, 405, 422}, (method, path, seen.status_code)
        if method == "GET" and "return" not in path:
            assert seen.status_code == 404, path
        assert body_of(seen, theirs) == body_of(unseen, nothing), (method, path)
        for canary in CANARIES:
            assert canary not in seen.text, (path, canary)
    # The owner has all of it: the ids were real.
    mine = await house.customer_browser(owner)
    for method, path, real in routes:
        if method == "GET":
            assert (await mine.get(real)).status_code in {200, 303}, path
    assert house.accounts.rows("SELECT state FROM payment_methods") == [("active",)]


async def test_nobody_and_whoever_came_too_late_learn_nothing_about_any_id(house: House) -> None:
    owner = house.accounts.customer(CANARIES[0], email=CANARIES[1])
    theirs, nothing = belongings(house, owner), missing()
    late = await house.customer_browser(owner)
    house.clock.move(hours=25)
    for visitor in (house.browser(), late):
        for (method, path, real), (_, _, unreal) in zip(addressed(house, theirs), addressed(house, nothing), strict=True):
            seen, unseen = await ask(visitor, method, real, None), await ask(visitor, method, unreal, None)
            assert seen.status_code == unseen.status_code != 200 or "return" in path, (method, path)
            assert method != "GET" or "return" in path or seen.status_code == 404, path
            assert body_of(seen, theirs) == body_of(unseen, nothing), (method, path)
            for canary in CANARIES:
                assert canary not in seen.text, (path, canary)


async def test_no_page_of_one_customers_holds_a_word_of_anothers(house: House) -> None:
    owner, other = house.accounts.customer(CANARIES[0], email=CANARIES[1]), house.accounts.customer("Other")
    belongings(house, owner)
    own = house.accounts.invoice(other, 1_000)
    visitor = await house.customer_browser(other)
    pages = [
        path for method, path in house.routes() if method == "GET" and "{" not in path and not path.startswith("/staff")
    ]
    searches = [
        "/?q=CANARY",
        "/?q=77",
        "/?state=paid",
        "/?select=all",
        "/?sort=-total",
        f"/pay?i={own}",
        "/payments?q=CANARY",
    ]
    for address in [*pages, *searches]:
        text = (await visitor.get(address)).text
        for canary in CANARIES:
            assert canary not in text.replace('value="CANARY"', ""), (address, canary)


async def test_a_customers_session_opens_no_page_of_the_staffs(house: House) -> None:
    owner = house.accounts.customer(CANARIES[0], email=CANARIES[1])
    visitor = await house.customer_browser(owner)
    await house.staff_browser(Role.ADMIN)
    for method, path in house.routes():
        if method == "GET" and path.startswith("/staff") and path not in OPEN_DOORS:
            answer = await visitor.get(re.sub(r"\{[^}]+\}", owner, path))
            assert answer.status_code in {303, 401, 403, 404}, path
            assert CANARIES[0] not in answer.text, path


@pytest.mark.parametrize("ways", [100, pytest.param(1_000, marks=pytest.mark.long)])
async def test_a_thousand_ways_in_at_once_are_a_thousand_sessions_and_one_link(house: House, ways: int) -> None:
    """A link is the customer's own door and opens as often as they come (H2); what it opens is never shared."""
    link = await house.link(house.accounts.customer())
    visitors = [house.browser(address=f"10.{number // 250}.{number % 250}.1") for number in range(ways)]
    # In waves: a thousand requests wait longer for a connection than anybody would.
    for start in range(0, len(visitors), 50):
        answers = await asyncio.gather(*(each.post(f"/l/{link.token}") for each in visitors[start : start + 50]))
        assert {answer.status_code for answer in answers} == {303}
    cookies = {value for each in visitors for name, value in each.cookies.items() if name.startswith("duly_portal")}
    assert len(cookies) == ways
    assert house.accounts.rows("SELECT count(DISTINCT token_hash) FROM sessions") == [(ways,)]
