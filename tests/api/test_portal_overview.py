"""The account overview: one filter for the list and its totals, leaves counted and never parents, three statements."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from domain.business import BusinessSettings
from domain.invoices import InvoiceStatus, why_not_payable
from store import invoices
from store.views.portal import Choice, Filter, OverviewRow, overview
from tests import machine
from tests.api.accounts import TODAY, Accounts
from tests.api.house import House, open_house, statements

MANY = """INSERT INTO invoices (id, connection_id, erp_id, customer_id, number, site, currency, issued_on, due_on, status,
    status_word, total, settled, read_seq, changed_at)
    SELECT 'inv_' || lpad(to_hex(%s + g), 26, '0'), 'demo', 'm' || (%s + g), %s, 'M-' || g, 'Site ' || (g %% 40), 'GBP',
           date '2026-01-01' + (g %% 300)::int, date '2026-02-01' + (g %% 300)::int, 'open', 'open', 1000 + g, 0, 1, now()
    FROM generate_series(1, %s) g"""


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


def figure(page: str, name: str) -> str:
    """What a tile says."""
    found = re.search(rf'tile-name">{name}</span>\s*<strong[^>]*>(.*?)</strong>', page, re.DOTALL)
    assert found is not None, f"there is no tile called {name}"
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def boxes(page: str) -> dict[str, tuple[bool, bool]]:
    """(ticked, may be ticked) of every invoice's box, by id."""
    found = re.findall(r'<input type="checkbox"[^>]*name="(?:i|p)" value="(inv_\w+)"([^>]*)>', page)
    return {invoice: ("checked" in rest, "disabled" not in rest) for invoice, rest in found}


def family(accounts: Accounts, customer: str) -> tuple[str, str, str, str, str]:
    """A parent with a paid, a pending and two open sites; the parent's id first."""
    parent = accounts.invoice(customer, 400, number="P-1", is_parent=True)
    paid = accounts.invoice(customer, 100, settled=100, parent=parent, paid_on=TODAY)
    pending = accounts.invoice(customer, 100, parent=parent)
    accounts.hold(pending, customer, 100)
    return parent, paid, pending, *(accounts.invoice(customer, 100, parent=parent) for _ in range(2))  # type: ignore[return-value]


async def test_totals_are_what_the_list_adds_up_to_and_parents_are_never_counted(house: House) -> None:
    customer = house.accounts.customer()
    family(house.accounts, customer)
    house.accounts.invoice(customer, 5000, due_on=TODAY - timedelta(days=3), number="LATE-1")
    visitor = await house.customer_browser(customer)
    page = (await visitor.get("/")).text
    assert figure(page, "Balance") == "£53.00"
    assert figure(page, "Overdue balance") == "£50.00"
    overdue = (await visitor.get("/?state=overdue")).text
    assert figure(overdue, "Balance") == "£50.00"
    assert "of £53.00 in all" in overdue
    assert "P-1" not in overdue
    multi = (await visitor.get("/?sites=multi")).text
    assert figure(multi, "Balance") == "£3.00"
    assert "LATE-1" not in multi
    found = (await visitor.get("/?q=late")).text
    assert figure(found, "Balance") == "£50.00"
    assert "LATE-1" in found


async def test_each_balance_has_its_own_switch(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 100)
    visitor = await house.customer_browser(customer)
    for name, tile in (
        ("show_overdue_balance", "Overdue balance"),
        ("show_balance", "Balance"),
        ("show_amount_selected", "Amount selected"),
        ("show_invoices_to_pay", "Invoices to pay"),
    ):
        assert f">{tile}</span>" in (await visitor.get("/")).text
        house.accounts.setting(name, False)
        assert f">{tile}</span>" not in (await visitor.get("/")).text


async def test_without_a_script_a_parents_box_selects_drops_and_leaves_alone(house: House) -> None:
    customer = house.accounts.customer()
    parent, paid, pending, one, two = family(house.accounts, customer)
    visitor = await house.customer_browser(customer)

    ticked = (await visitor.get(f"/?p={parent}")).text
    assert boxes(ticked) == {
        parent: (True, True), paid: (False, False), pending: (False, False), one: (True, True), two: (True, True),
    }  # fmt: skip
    assert figure(ticked, "Invoices to pay").startswith("2 ")
    assert figure(ticked, "Amount selected") == "£2.00"
    assert f'name="was" value="{parent}"' in ticked

    # Still ticked as it was drawn: the sites' own boxes decide. One of them was unticked.
    partly = (await visitor.get(f"/?p={parent}&was={parent}&i={one}")).text
    assert boxes(partly)[parent] == (False, True)
    assert "is-partly" in partly
    assert figure(partly, "Amount selected") == "£1.00"

    # Unticked by hand: none, although the sites' boxes were sent along.
    none = (await visitor.get(f"/?was={parent}&i={one}&i={two}")).text
    assert figure(none, "Invoices to pay").startswith("0 ")


async def test_paid_and_pending_ones_are_not_selected_by_naming_them(house: House) -> None:
    customer = house.accounts.customer()
    _, paid, pending, one, _ = family(house.accounts, customer)
    page = (await (await house.customer_browser(customer)).get(f"/?i={paid}&i={pending}&i={one}")).text
    assert figure(page, "Amount selected") == "£1.00"
    assert "being paid by A. Cole since 11:57" in page


async def test_select_all_of_450_takes_the_200_oldest_and_says_so(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.run(MANY, [0, 0, customer, 450])
    visitor = await house.customer_browser(customer)
    page = (await visitor.get("/?select=all")).text
    assert "200 of 450: one payment covers at most 200" in page
    assert figure(page, "Invoices to pay") == "200 of 200"
    listed = re.findall(r'name="i" value="(inv_\w+)"[^>]*(?:data-carried|checked)', page)
    oldest = house.accounts.rows("SELECT id FROM invoices ORDER BY issued_on, due_on, number, id LIMIT 200")
    assert sorted(listed) == sorted(each[0] for each in oldest)


async def test_a_parent_with_more_sites_than_fit_selects_none_and_says_why(house: House) -> None:
    customer = house.accounts.customer()
    parent = house.accounts.invoice(customer, 1, is_parent=True)
    single = house.accounts.invoice(customer, 700)
    house.accounts.run(MANY, [0, 0, customer, 201])
    house.accounts.run("UPDATE invoices SET parent_id = %s WHERE erp_id LIKE 'm%%'", [parent])
    page = (await (await house.customer_browser(customer)).get(f"/?p={parent}&i={single}")).text
    assert figure(page, "Amount selected") == "£7.00"
    assert "more than fit" in page


async def test_201_ids_are_refused_and_never_cut(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.run(MANY, [0, 0, customer, 201])
    ids = [each[0] for each in house.accounts.rows("SELECT id FROM invoices")]
    visitor = await house.customer_browser(customer)
    for path in ("/", "/pay"):
        answer = await visitor.get(path, params=[("i", each) for each in ids])
        assert answer.status_code == 422
        assert "at most 200 invoices; this one names 201" in answer.text


async def test_what_may_be_selected_in_sql_is_what_the_domain_says(house: House) -> None:
    customer = house.accounts.customer()
    known = ("open", "paid", "in_dispute", "in_instalments", "written_off", "closed", "unknown")
    for status in known:
        for settled in (0, 40, 100):
            invoice = house.accounts.invoice(customer, 100, status=status, settled=settled)
            if settled == 40 and status in {"open", "unknown", "in_dispute"}:
                house.accounts.hold(invoice, customer, 60)
    for switches in (
        {},
        {"pay_disputed": True},
        {"pay_instalments": True},
        {"one_time_payment": False, "charge_on_file": False},
    ):
        settings = replace(BusinessSettings(), **switches)  # type: ignore[arg-type]
        async with house.services.portal.read_as([customer], hide_paused=True) as tx:
            facts = await invoices.facts(
                tx, [each[0] for each in house.accounts.rows("SELECT id FROM invoices")], [customer]
            )
            listed: list[OverviewRow] = []
            for state in ("open", "paid"):
                seen = await overview(tx, Filter(home="GBP", state=state), Choice(), settings, today=TODAY)
                listed += seen.rows
        assert len(listed) == len(facts) == len(known) * 3
        for row in listed:
            assert row.shown in set(InvoiceStatus)
            expected = settings.may_pay and why_not_payable(facts[row.id], settings) is None
            assert row.selectable == expected, (row.status, row.shown, switches)


async def test_what_must_not_be_seen_is_in_no_list_total_or_selection(house: House) -> None:
    customer, other = house.accounts.customer(), house.accounts.customer("Somebody Else")
    hidden = [
        house.accounts.invoice(customer, 100, status="draft"),
        house.accounts.invoice(customer, 100, status="void"),
        house.accounts.invoice(customer, 100, paused=True),
        house.accounts.invoice(other, 100),
    ]
    house.accounts.invoice(customer, 700)
    visitor = await house.customer_browser(customer)
    page = (await visitor.get("/", params=[("select", "all"), *(("i", each) for each in hidden)])).text
    assert figure(page, "Balance") == "£7.00"
    assert figure(page, "Amount selected") == "£7.00"
    answers = [await visitor.get(f"/invoices/{each}") for each in (*hidden, "inv_00000000000000000000000000", "nonsense")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    for each in hidden:
        assert (await visitor.get(f"/pay?i={each}")).status_code == 404


async def test_several_currencies_have_a_tab_each_and_are_never_added_up(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 100)
    house.accounts.invoice(customer, 500, currency="JPY")
    visitor = await house.customer_browser(customer)
    assert figure((await visitor.get("/")).text, "Balance") == "£1.00"
    assert figure((await visitor.get("/?currency=JPY")).text, "Balance") == "JP¥500"


async def test_an_address_that_no_page_of_ours_would_write_is_a_list_all_the_same(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.invoice(customer, 100)
    visitor = await house.customer_browser(customer)
    odd = ("page=9999999999999", "sort=nonsense", "state=x&sites=y", "q=%25%00'\"", "i=inv_x", "currency=XX", "page=²")
    for query in odd:
        assert (await visitor.get(f"/?{query}")).status_code == 200, query


async def test_a_part_for_htmx_says_what_the_whole_page_says(house: House) -> None:
    customer = house.accounts.customer()
    family(house.accounts, customer)
    visitor = await house.customer_browser(customer)
    whole = await visitor.get("/")
    part = await visitor.get("/", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert part.text.strip() in whole.text
    assert part.headers["vary"].startswith("HX-Request")


async def _counted(house: House, visitor: httpx.AsyncClient, path: str) -> int:
    with statements(house.services.portal, house.services.staff) as seen:
        assert (await visitor.get(path)).status_code == 200
    return len(seen)


@pytest.mark.long
async def test_ten_invoices_and_ten_thousand_of_a_million_take_the_same_three_statements_at_most(house: House) -> None:
    small, large = house.accounts.customer("Ten"), house.accounts.customer("Ten Thousand")
    house.accounts.run(MANY, [0, 0, small, 10])
    house.accounts.run(MANY, [100_000, 100_000, large, 10_000])
    house.accounts.run_unchecked(MANY, [1_000_000, 1_000_000, house.accounts.customer("The Others"), 989_990])
    house.accounts.run("ANALYZE invoices")
    few, many = await house.customer_browser(small), await house.customer_browser(large)
    for path in ("/", "/?select=all", "/?state=overdue&sort=-total&page=3", "/?q=M-77"):
        counts = await _counted(house, few, path), await _counted(house, many, path)
        assert counts[0] == counts[1] <= 3, (path, counts)


async def test_the_first_page_is_below_100_kilobytes_compressed(house: House) -> None:
    customer = house.accounts.customer()
    house.accounts.run(MANY, [0, 0, customer, 450])
    visitor = await house.customer_browser(customer)
    page = (await visitor.get("/")).text
    assets = re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js)[^"]*)"', page)
    assert len(assets) >= 4
    weight = 0
    for address in ("/", *assets):
        answer = await visitor.get(address, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, address
        weight += answer.num_bytes_downloaded
    assert weight < 100_000, weight


async def test_the_list_has_the_columns_that_staff_chose_in_their_order_at_the_next_page(house: House) -> None:
    customer = house.accounts.customer()
    family(house.accounts, customer)
    house.accounts.invoice(customer, 5000, number="ALONE-1")
    visitor = await house.customer_browser(customer)
    for columns in (["number", "issued", "due", "status", "total", "open"], ["open", "number", "due"], ["number", "open"]):
        house.accounts.setting("columns", columns)
        page = (await visitor.get("/")).text
        classes = [f"c-{'name' if each == 'number' else each}" for each in columns]
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
        assert len(rows) > 4
        for row in rows:
            assert re.findall(r'<t[hd][^>]*class="(c-\w+)"', row) == ["c-box", *classes]
