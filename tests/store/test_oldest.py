"""The oldest invoices that a custom amount can reach: the right ones, and without asking every other for its balance."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, cast

import psycopg
from sqlalchemy.engine import Row

from domain.allocation import oldest_first
from domain.business import MOST_INVOICES, BusinessSettings
from store.database import Database, Transaction, as_driver_takes_it
from store.views.paying import oldest
from tests import machine
from tests.api.accounts import TODAY, Accounts

MANY = """
INSERT INTO invoices (id, connection_id, erp_id, customer_id, number, currency, issued_on, due_on, status,
                      status_word, total, settled, read_seq, changed_at)
SELECT 'inv_' || n, 'demo', n::text, %s, 'INV-' || n, 'GBP', date '2020-01-01' + n / 5, date '2020-02-01' + n / 5, 'open',
       'open', 1000, 0, 1, '2026-11-22' FROM generate_series(1, %s) n"""


async def test_the_oldest_of_a_family_come_in_one_order_and_what_cannot_be_paid_is_passed_over(
    database: machine.Database,
) -> None:
    accounts = Accounts(database.plain_admin_url)
    parent = accounts.customer()
    child = accounts.customer(parent=parent)
    stranger = accounts.customer()
    payable = []
    for age in range(40):
        customer = (parent, child, stranger)[age % 3]
        invoice = accounts.invoice(
            customer, 1000, issued_on=TODAY - timedelta(days=age // 4), settled=1000 if age % 5 == 0 else 0,
            currency="EUR" if age % 7 == 0 else "GBP", status="in_dispute" if age % 11 == 0 else "open",
        )  # fmt: skip
        if age % 5 and age % 7 and age % 11 and customer != stranger:
            payable.append(invoice)
    accounts.hold(payable[0], parent, 1000)
    portal = Database(database.portal_url)
    async with portal.read_as([parent, child], hide_paused=True) as tx:
        found = [each.facts for each in await oldest(tx, [parent, child], "GBP", BusinessSettings())]
    await portal.close()
    assert {each.id for each in found} == set(payable[1:])
    assert found == oldest_first(found)


async def test_no_more_invoices_are_read_than_one_payment_covers_and_a_few(database: machine.Database) -> None:
    accounts = Accounts(database.plain_admin_url)
    customer = accounts.customer()
    accounts.run_unchecked(MANY, [customer, 5000])
    accounts.run("ANALYZE invoices")
    asked = Asked()
    await oldest(cast("Transaction", asked), [customer], "GBP", BusinessSettings())
    with psycopg.connect(database.portal_url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        connection.execute("SELECT set_config('duly.customers', %s, true)", [customer])
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {as_driver_takes_it(asked.statement)}"
        row = connection.execute(explain.encode(), asked.values).fetchone()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    read = [
        each["Actual Rows"] * each["Actual Loops"]
        for each in nodes(plan[0]["Plan"])
        if "invoices" in str(each.get("Relation Name"))
    ]
    assert MOST_INVOICES < max(read) < 2 * MOST_INVOICES
    portal = Database(database.portal_url)
    async with portal.read_as([customer], hide_paused=True) as tx:
        found = [each.facts.id for each in await oldest(tx, [customer], "GBP", BusinessSettings())]
    await portal.close()
    in_order = accounts.rows("SELECT id FROM invoices ORDER BY issued_on, due_on, number, id LIMIT %s", [MOST_INVOICES + 1])
    assert found == [each[0] for each in in_order]


class Asked:
    """Takes a statement instead of a transaction, so that it can be explained."""

    def __init__(self) -> None:
        self.statement = ""
        self.values: dict[str, Any] = {}

    async def rows(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        self.statement, self.values = statement, values
        return []


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", []):
        yield from nodes(each)
