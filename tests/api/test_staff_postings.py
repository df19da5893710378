"""What staff see of a document on its way to an ERP, on its payment's page, and what they can do about it there (G5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, token_on
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        opened.accounts.run(
            """INSERT INTO connections (id, role, connector, mode, title, changed_at)
               VALUES ('books', 'erp', 'demo', 'test', 'Books of the north', %s)""",
            [opened.clock()],
        )
        yield opened


def posting(house: House, payment: str, *, name: str = "captured", kind: str = "payment", **facts: Any) -> str:
    """A document of a payment, at the ERP that is called 'Books of the north'."""
    customer = house.accounts.rows("SELECT customer_id FROM payments WHERE id = %s", [payment])[0][0]
    values = {
        "id": f"{payment}-{name}", "connection_id": "books", "kind": kind, "payment_id": payment, "customer_id": customer,
        "docs": [payment], "amount": 231_000, "queued_at": house.clock(), **facts,
    }  # fmt: skip
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    house.accounts.run(f"INSERT INTO postings ({columns}) VALUES ({marks})", list(values.values()))
    return str(values["id"])


def paid(house: House) -> str:
    customer = house.accounts.customer("Brightwater")
    return house.accounts.payment(customer, {house.accounts.invoice(customer, 231_000): 231_000}, state="captured")


async def press(visitor: httpx.AsyncClient, payment: str, item: str, **fields: str) -> httpx.Response:
    token = await token_on(visitor, f"/staff/payments/{payment}")
    return await visitor.post(f"/staff/postings/{item}", data={"csrf": token, **fields})


async def test_a_payments_page_tells_of_each_document_where_it_is_and_when_it_is_tried_next(house: House) -> None:
    payment = paid(house)
    posting(
        house, payment, state="confirmed", attempts=1, erp_id="77", erp_number="PAY-0042", confirmed_seq=5,
        confirmed_at=house.clock(),
    )  # fmt: skip
    posting(
        house, payment, name="refunded-1", kind="refund", state="refused", attempts=2, error_code="PERIOD_CLOSED",
        error_text="October is closed.",
    )  # fmt: skip
    posting(house, payment, name="refunded-2", kind="refund")
    page = (await (await house.staff_browser(Role.VIEWER)).get(f"/staff/payments/{payment}")).text
    for words in (
        "Books of the north", "PAY-0042", "77", f"{payment}-captured", "October is closed.", "PERIOD_CLOSED", "2 sent",
        "A person decides", "Once an earlier document that shares an invoice with it is through.",
    ):  # fmt: skip
        assert words in page, words
    assert "Try now" not in page, "who may only look is offered nothing"
    own = (await (await house.staff_browser(Role.AGENT)).get(f"/staff/payments/{payment}")).text
    assert own.count("Try now") == 1, "one is through, one waits behind the other"


@pytest.mark.parametrize(
    ("facts", "how", "reason", "answer"),
    [
        ({"state": "unknown", "attempts": 1}, "now", "", 303),
        ({"state": "queued", "attempts": 1}, "now", "", 303),
        ({"state": "refused", "attempts": 1}, "again", "", 303),
        ({"state": "refused", "attempts": 1}, "ignore", "entered by hand", 303),
        ({"state": "refused", "attempts": 1}, "ignore", " ", 422),
        ({"state": "refused", "attempts": 1}, "now", "", 409),
        ({"state": "unknown", "attempts": 1}, "ignore", "entered by hand", 409),
        ({"state": "refused", "attempts": 2}, "again", "", 409),
    ],
)
async def test_what_may_be_done_about_a_document_is_done_once_it_is_as_it_was_seen(
    house: House, temporal_client: Client, facts: dict[str, Any], how: str, reason: str, answer: int
) -> None:
    payment = paid(house)
    item = posting(house, payment, look_at=house.clock() + timedelta(minutes=5), **facts)
    agent = await house.staff_browser(Role.AGENT)
    told = await press(agent, payment, item, attempts="1", how=how, reason=reason)
    assert told.status_code == answer
    handle = temporal_client.get_workflow_handle(ids.posting_again(item, 1, how))
    noted = house.accounts.rows("SELECT action FROM access_log WHERE object_id = %s", [item])
    if answer == 303:
        assert told.headers["location"] == f"/staff/payments/{payment}#erp"
        assert (await handle.describe()).workflow_type == "SendPostingAgain"
        assert len(noted) == 1
    else:
        assert 'role="alert"' in told.text
        assert noted == []
        with pytest.raises(RPCError):
            await handle.describe()


async def test_a_document_that_nobody_knows_is_a_404(house: House) -> None:
    payment = paid(house)
    agent = await house.staff_browser(Role.AGENT)
    assert (await press(agent, payment, "pay_nothing-captured", attempts="1", how="now")).status_code == 404
