"""Payouts on the staff's pages: the sums that a payout consists of, each part with what is ours of it, what differs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, absent_temporal, open_house, statements


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        opened.accounts.provider()
        yield opened


def paid_out(house: House) -> str:
    """A payout of 100.00 less 1.70 and 0.25 of fees and a refund of 3.45, in which a stranger's 9.00 is too; its payment."""
    customer = house.accounts.customer("Marlow & Sons")
    invoice = house.accounts.invoice(customer, 10_000)
    payment = house.accounts.payment(customer, {invoice: 10_000}, state="captured")
    at = house.clock()
    house.accounts.run(
        """INSERT INTO payouts (connection_id, provider_id, amount, currency, state, made_at, arrives_on, is_itemised,
               first_read_at, read_at) VALUES ('sandbox', 'po_1', 10360, 'EUR', 'paid', %s, %s, true, %s, %s)""",
        [at, at.date(), at, at],
    )
    for item, kind, gross, fee, payment_id in (
        ("b1", "charge", 10_000, 170, payment), ("b2", "refund", -345, 0, None), ("b3", "fee", -25, 0, None),
        ("b4", "charge", 900, 0, None),
    ):  # fmt: skip
        house.accounts.run(
            """INSERT INTO payout_items (connection_id, provider_id, payout_id, kind, gross, fee, net, currency, taken,
                   taken_currency, payment_id) VALUES ('sandbox', %s, 'po_1', %s, %s, %s, %s, 'EUR', %s, 'EUR', %s)""",
            [item, kind, gross, fee, gross - fee, gross, payment_id],
        )
    house.accounts.run(
        """INSERT INTO differences (id, kind, item, connection_id, amount, currency, facts, opened_at)
           VALUES ('dif_1', 'payout_of_strangers', 'po_1', 'sandbox', 900, 'EUR', '{"payout": "po_1"}', %s)""",
        [at],
    )
    return payment


async def test_a_payout_is_shown_with_the_sums_it_consists_of_and_what_is_ours_of_each_part(house: House) -> None:
    payment = paid_out(house)
    visitor = await house.staff_browser(Role.VIEWER)
    listed = (await visitor.get("/staff/payouts")).text
    assert "/staff/payouts/sandbox/po_1" in listed
    assert "Differs" in listed
    with statements(house.services.staff) as asked:
        page = (await visitor.get("/staff/payouts/sandbox/po_1")).text
    assert len(asked) <= 9, asked
    for figure in ("€109.00", "-€3.45", "-€1.95", "€103.60"):
        assert figure in page, figure
    assert f"/staff/payments/{payment}" in page
    assert "Marlow &amp; Sons" in page
    assert "not ours" in page
    assert "Not told yet" not in page
    assert house.accounts.rows("SELECT object_id FROM access_log WHERE action = 'payout_viewed'") == [("po_1",)]
    house.accounts.run("UPDATE payouts SET amount = 10400 WHERE provider_id = 'po_1'")
    assert "Not told yet" in (await visitor.get("/staff/payouts/sandbox/po_1")).text
    assert (await visitor.get("/staff/payouts/sandbox/po_2")).status_code == 404
