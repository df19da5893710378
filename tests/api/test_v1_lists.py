"""What programs read: lists that go on where they stopped, single objects, and nothing that a customer may not see."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import BaseModel

from api.v1 import answers
from api.v1.cursors import Cursors
from domain.refusals import Refused
from store.identity import fresh_id
from tests import machine
from tests.api.accounts import NOON, TODAY
from tests.api.house import House, open_house, statements

LISTS = ("customers", "invoices", "payments", "payment-methods", "method-setups", "links")


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        opened.accounts.provider()
        yield opened


async def read(program: httpx.AsyncClient, path: str, shape: type[BaseModel], **query: Any) -> dict[str, Any]:
    """A 200, which has exactly the shape that the description promises."""
    answer = await program.get(path, params=query)
    assert answer.status_code == 200, answer.text
    shape.model_validate_json(answer.content)
    told: dict[str, Any] = answer.json()
    return told


async def every_page(program: httpx.AsyncClient, path: str, *, limit: int, **query: Any) -> list[str]:
    """The ids of a whole list, page by page."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        told = (await program.get(path, params={"limit": limit, **query, **cursor})).json()
        rows = next(value for name, value in told.items() if name != "next_cursor")
        assert len(rows) <= limit
        found += [row["id"] for row in rows]
        if told["next_cursor"] is None:
            return found
        cursor = {"cursor": told["next_cursor"]}


# ---------------------------------------------------------------- customers, invoices


async def test_a_customer_is_told_with_what_it_owes_by_currency(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 10_000, settled=2_500, due_on=TODAY - timedelta(days=1))
    house.accounts.invoice(customer, 700, currency="EUR", due_on=TODAY)
    for hidden in ({"status": "draft"}, {"status": "void"}, {"paused": True}):
        house.accounts.invoice(customer, 99_999, **hidden)
    program = await house.program()
    told = await read(program, f"/customers/{customer}", answers.CustomerWithBalances)
    assert told["balances"] == [
        {"currency": "EUR", "open": 700, "overdue": 0, "invoices": 1},
        {"currency": "GBP", "open": 7_500, "overdue": 7_500, "invoices": 1},
    ]
    house.accounts.setting("exclude_paused", value=False)
    assert (await program.get(f"/customers/{customer}")).json()["balances"][1]["open"] == 107_499
    assert (await program.get(f"/customers/{fresh_id('cus')}")).json()["rule"] == "customer_not_found"


async def test_customers_are_found_by_what_is_written_and_by_no_pattern(house: House) -> None:
    oak, wool = house.accounts.customer("Oakline plc", email="pay@oak.example"), house.accounts.customer("100% Wool")
    program = await house.program()
    for query, found in (
        ({"search": "OAK"}, [oak]), ({"search": "C0001"}, [oak]), ({"search": "pay@"}, [oak]), ({"search": "%"}, [wool]),
        ({"search": "_"}, []), ({"number": "C0002"}, [wool]), ({"number": "C000"}, []), ({}, [wool, oak]),
    ):  # fmt: skip
        told = await read(program, "/customers", answers.Customers, **query)
        assert [each["id"] for each in told["customers"]] == found, query


async def test_an_invoice_is_told_with_its_balance_lines_and_sites(house: House) -> None:
    customer = house.accounts.customer()
    parent = house.accounts.invoice(customer, 0, is_parent=True)
    site = house.accounts.invoice(customer, 5_000, parent=parent, site="Leeds")
    held = house.accounts.invoice(
        customer, 9_000, settled=1_000, due_on=TODAY - timedelta(days=2), po_number="PO-1", terms="30 days",
        lines=[{"description": "Cleaning", "quantity": "1", "unit_price": 9_000,
                "amount": 9_000, "tax_rate": "0%", "tax": 0}],
        settlements=[{"kind": "payment", "document": "P-1", "amount": 1_000, "on": "2026-11-01"}],
    )  # fmt: skip
    house.accounts.hold(held, customer, 3_000)
    program = await house.program()
    told = await read(program, f"/invoices/{held}", answers.InvoiceWithLines)
    assert (told["total"], told["open"], told["held"], told["available"]) == (9_000, 8_000, 3_000, 5_000)
    assert (told["status"], told["is_overdue"], told["customer_id"]) == ("partially_paid", True, customer)
    assert told["lines"][0]["description"] == "Cleaning"
    assert told["settlements"][0] == {
        "kind": "payment", "document": "P-1", "amount": 1_000, "on": "2026-11-01", "payment_id": None,
    }  # fmt: skip
    assert (await read(program, f"/invoices/{parent}", answers.InvoiceWithLines))["sites"] == [site]
    listed = await read(program, "/invoices", answers.Invoices)
    one = next(each for each in listed["invoices"] if each["id"] == held)
    assert one == {name: told[name] for name in one}, "the list and the invoice say the same"


async def test_what_no_customer_may_see_no_program_sees(house: House) -> None:
    """A draft, a void, a deleted and a paused invoice are absent from the list, by their id, and from the filters."""
    customer = house.accounts.customer()
    seen = house.accounts.invoice(customer, 100)
    hidden = [
        house.accounts.invoice(customer, 100, number="HIDDEN", **how)
        for how in ({"status": "draft"}, {"status": "void"}, {"paused": True}, {})
    ]
    house.accounts.run("UPDATE invoices SET deleted = true WHERE id = %s", [hidden[3]])
    program = await house.program()
    assert await every_page(program, "/invoices", limit=1) == [seen]
    assert await every_page(program, "/invoices", limit=1, number="HIDDEN") == []
    for each in hidden:
        assert (await program.get(f"/invoices/{each}")).json()["rule"] == "id_unknown"
    house.accounts.run("UPDATE customers SET deleted = true")
    assert await every_page(program, "/invoices", limit=1) == await every_page(program, "/customers", limit=1) == []
    assert (await program.get(f"/invoices/{seen}")).status_code == 404


async def test_invoices_are_filtered_by_customer_number_and_what_is_owed(house: House) -> None:
    one, two = house.accounts.customer("One"), house.accounts.customer("Two")
    late = house.accounts.invoice(one, 100, due_on=TODAY - timedelta(days=1), number="A-1")
    due = house.accounts.invoice(one, 100, due_on=TODAY)
    paid = house.accounts.invoice(one, 100, settled=100, due_on=TODAY - timedelta(days=9))
    other = house.accounts.invoice(two, 100, due_on=TODAY)
    program = await house.program()
    for query, found in (
        ({"customer_id": one}, {late, due, paid}), ({"customer_id": two}, {other}), ({"number": "A-1"}, {late}),
        ({"owed": "true"}, {late, due, other}), ({"owed": "false"}, {paid}),
        ({"owed": "true", "due_before": TODAY.isoformat()}, {late}),
        ({"customer_id": fresh_id("cus")}, set()),
    ):  # fmt: skip
        assert set(await every_page(program, "/invoices", limit=2, **query)) == found, query


async def test_overdue_follows_the_day_where_the_customer_is(house: House) -> None:
    """Noon in London on the 22nd is the 23rd in Kiritimati; a zone that nobody knows is UTC."""
    far, here = house.accounts.customer(time_zone="Pacific/Kiritimati"), house.accounts.customer(time_zone="Mars/Olympus")
    marks = {house.accounts.invoice(each, 100, due_on=TODAY): each == far for each in (far, here)}
    program = await house.program()
    told = await read(program, "/invoices", answers.Invoices)
    assert {each["id"]: each["is_overdue"] for each in told["invoices"]} == marks
    for invoice, is_overdue in marks.items():
        assert (await program.get(f"/invoices/{invoice}")).json()["is_overdue"] is is_overdue


# ---------------------------------------------------------------- payments, methods, links


async def test_a_payment_is_told_with_its_invoices_and_its_story(house: House) -> None:
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 1_000, number="INV-7")
    payment = house.accounts.payment(
        customer, {invoice: 1_000}, state="awaiting_customer", action_url="http://evil.example/"
    )
    house.accounts.event(payment, customer, "opened", by="A. Cole")
    refused = house.accounts.payment(
        customer, {}, state="refused", refused_rule="invoice_paid", refused_facts='{"number": "INV-7"}'
    )
    program = await house.program()
    told = await read(program, f"/payments/{payment}", answers.Payment)
    assert told["invoices"] == [{"invoice_id": invoice, "number": "INV-7", "asked": 1_000, "covers": 0}]
    assert [each["kind"] for each in told["timeline"]] == ["opened"]
    assert told["page_url"] is None, "a customer is sent to a provider's page and nowhere else"
    house.accounts.run("UPDATE payments SET action_url = 'http://provider.test:9000/p/1' WHERE id = %s", [payment])
    assert (await program.get(f"/payments/{payment}")).json()["page_url"] == "http://provider.test:9000/p/1"
    refusal = (await read(program, f"/payments/{refused}", answers.Payment))["refusal"]
    assert (refusal["rule"], refusal["detail"]) == ("invoice_paid", "Invoice INV-7 is already paid.")
    assert await every_page(program, "/payments", limit=1, state="refused") == [refused]
    assert (await program.get(f"/payments/{fresh_id('pay')}")).json()["rule"] == "id_unknown"


async def test_methods_set_ups_and_links_are_told_without_what_opens_anything(house: House) -> None:
    customer = house.accounts.customer()
    method = house.accounts.method(customer, is_default=True)
    gone = house.accounts.method(customer, state="detached", last4="0000")
    setup = house.accounts.setup(
        customer, state="redirected", page_url="http://provider.test:9000/s/1", session_id="secret-s"
    )
    link = await house.link(customer)
    program = await house.program()
    methods = await read(program, "/payment-methods", answers.PaymentMethods, customer_id=customer)
    assert [each["id"] for each in methods["payment_methods"]] == [method]
    assert (await read(program, f"/payment-methods/{method}", answers.PaymentMethod))["last4"] == "4242"
    assert (await program.get(f"/payment-methods/{gone}")).json()["rule"] == "method_not_found"
    setups = await read(program, "/method-setups", answers.MethodSetups)
    assert setups["method_setups"] == [await read(program, f"/method-setups/{setup}", answers.MethodSetup)]
    assert setups["method_setups"][0]["page_url"] == "http://provider.test:9000/s/1"
    links = await program.get("/links")
    answers.PortalLinks.model_validate_json(links.content)
    assert [each["id"] for each in links.json()["links"]] == [link.id]
    everything = "".join([(await program.get(f"/{each}")).text for each in LISTS])
    assert link.token not in everything
    assert "tok_" not in everything
    assert "secret-s" not in everything


# ---------------------------------------------------------------- pages of lists


async def test_a_list_read_page_by_page_is_the_whole_list_whatever_is_added_meanwhile(house: House) -> None:
    customer = house.accounts.customer()
    for day in range(5):
        for _ in range(3):
            house.accounts.invoice(customer, 100, issued_on=TODAY - timedelta(days=day))
    program = await house.program()
    whole = await every_page(program, "/invoices", limit=200)
    assert len(whole) == 15
    assert await every_page(program, "/invoices", limit=2) == whole
    first = (await program.get("/invoices", params={"limit": 4})).json()
    newer = house.accounts.invoice(customer, 100, issued_on=TODAY + timedelta(days=1))
    older = house.accounts.invoice(customer, 100, issued_on=TODAY - timedelta(days=99))
    rest: list[str] = []
    cursor = first["next_cursor"]
    while cursor is not None:
        page = (await program.get("/invoices", params={"limit": 4, "cursor": cursor})).json()
        rest += [each["id"] for each in page["invoices"]]
        cursor = page["next_cursor"]
    assert [each["id"] for each in first["invoices"]] + rest == [*whole, older]
    assert newer not in rest


async def test_every_list_goes_on_where_it_stopped(house: House) -> None:
    accounts = house.accounts
    customer = accounts.customer()
    for number in range(4):
        accounts.customer(f"Customer {number}")
        invoice = accounts.invoice(customer, 100)
        accounts.payment(customer, {invoice: 100}, state="captured", opened_at=NOON - timedelta(minutes=number // 2))
        accounts.method(customer)
        accounts.setup(customer, state="started")
        await house.link(customer)
    program = await house.program()
    for name in LISTS:
        whole = await every_page(program, f"/{name}", limit=200)
        assert len(whole) >= 4
        for limit in (1, 3):
            assert await every_page(program, f"/{name}", limit=limit) == whole, name


async def test_a_cursor_is_good_for_its_list_and_filter_and_for_nothing_else(house: House) -> None:
    customer = house.accounts.customer()
    for _ in range(3):
        house.accounts.invoice(customer, 100)
        house.accounts.payment(customer, {}, state="refused")
    program = await house.program()
    cursor = (await program.get("/invoices", params={"limit": 1, "owed": "true"})).json()["next_cursor"]
    good = await program.get("/invoices", params={"limit": 2, "owed": "true", "cursor": cursor})
    assert good.status_code == 200, "how many rows a page has may change"
    changed = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    for path, query in (
        ("/payments", {"cursor": cursor}), ("/invoices", {"cursor": cursor}),
        ("/invoices", {"owed": "false", "cursor": cursor}), ("/invoices", {"owed": "true", "cursor": changed}),
        ("/invoices", {"owed": "true", "cursor": ""}), ("/invoices", {"owed": "true", "cursor": "é"}),
        ("/invoices", {"owed": "true", "cursor": "A" * 399}), ("/invoices", {"owed": "true", "cursor": "_" * 43}),
    ):  # fmt: skip
        answer = await program.get(path, params=query)
        assert (answer.status_code, answer.json()["rule"]) == (422, "cursor_unknown"), query


def test_a_cursor_that_an_older_key_signed_still_leads_on() -> None:
    old, new = b"o" * 32, b"n" * 32
    written = Cursors([old], of="invoices", wanted={}).write("2026-11-22", "inv_x")
    assert Cursors([new, old], of="invoices", wanted={}).read(written) == ["2026-11-22", "inv_x"]
    with pytest.raises(Refused, match="does not belong to this list"):
        Cursors([new], of="invoices", wanted={}).read(written)


async def test_a_list_of_ten_or_two_hundred_takes_two_statements(house: House) -> None:
    """One knows the key (with the settings and the connections), one reads the rows."""
    customer = house.accounts.customer()
    for _ in range(10):
        house.accounts.invoice(customer, 100)
    program = await house.program()
    assert (await program.get("/settings")).status_code == 200  # the key's first use of a day is written down
    for name in LISTS:
        for count in (10, 200):
            with statements(house.services.portal, house.services.staff) as seen:
                assert (await program.get(f"/{name}", params={"limit": count})).status_code == 200
            assert len(seen) == 2, seen
