"""Statements as customers, staff and programs get them: on the page, as files in the forms that the business gives, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import date

import pytest_asyncio
from openpyxl import load_workbook
from pypdf import PdfReader

from api.v1.answers import Problem
from api.v1.statement_answers import Statement
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, statements

SOME = "/statements/file?kind=open&as="


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        opened.accounts.provider()
        yield opened


def account(house: House) -> str:
    """Two open invoices, one paid in the ERP by a transfer, and a credit note with something left; Sterling and euros."""
    accounts = house.accounts
    customer = accounts.customer()
    paid = {"kind": "payment", "document": "BANK-7", "amount": 500_000, "on": "2026-11-10", "reference": None}
    accounts.invoice(customer, 500_000, number="INV-1", settled=500_000, settlements=[paid], issued_on=date(2026, 9, 1))
    accounts.invoice(customer, 123_456, number="=INV-2", site="-Leeds", issued_on=date(2026, 9, 20))
    accounts.invoice(customer, 7_000, number="INV-3", currency="EUR", issued_on=date(2026, 11, 1))
    accounts.invoice(customer, 999_900, number="DRAFT-9", status="draft")
    accounts.invoice(customer, 888_800, number="PAUSED-8", paused=True)
    accounts.credit(customer, 2_500, number="CN-5", issued_on=date(2026, 10, 1))
    return customer


async def test_the_page_says_what_is_open_and_every_balance_of_a_period_in_three_statements(house: House) -> None:
    visitor = await house.customer_browser(account(house))
    with statements(house.services.portal, house.services.staff) as seen:
        text = (await visitor.get("/statements")).text
    assert len(seen) <= 3
    for said in ("=INV-2", "33 days late", "£1,234.56", "€70.00", "CN-5", "£1,209.56"):
        assert said in text, said
    for unseen in ("INV-1<", "DRAFT-9", "PAUSED-8"):
        assert unseen not in text, unseen
    text = (await visitor.get("/statements?kind=transactions&from=2026-11-01&currency=GBP")).text
    for said in ("Opening balance", "£6,234.56", "BANK-7 for INV-1", "-£5,000.00", "£1,234.56"):
        assert said in text, said
    assert "€70.00" not in text
    # As of a day before the transfer it was open.
    assert "INV-1<" in (await visitor.get("/statements?to=2026-11-09")).text


async def test_a_day_that_has_not_come_and_a_period_backwards_are_refused_by_their_rules(house: House) -> None:
    visitor = await house.customer_browser(account(house))
    for query, rule in (
        ("to=2026-11-23", "statement_ahead"),
        ("kind=transactions&from=2026-11-02&to=2026-11-01", "statement_backwards"),
    ):
        for page in ("/statements?", "/statements/file?as=csv&"):
            answer = await visitor.get(f"{page}{query}")
            assert (answer.status_code, answer.headers["x-refusal"]) == (422, rule)
    for nonsense in ("to=yesterday", "kind=secret", "from=2026-02-30", "currency=%00%00%00", "to=9999999999"):
        assert (await visitor.get(f"/statements?{nonsense}")).status_code == 200, nonsense


async def test_the_three_files_say_the_same_and_no_cell_is_a_formula(house: House) -> None:
    visitor = await house.customer_browser(account(house))
    files = {form: await visitor.get(f"{SOME}{form}") for form in ("pdf", "xlsx", "csv")}
    assert {each.status_code for each in files.values()} == {200}
    assert files["pdf"].headers["content-disposition"] == 'attachment; filename="statement-open-C0001-2026-11-22.pdf"'
    printed = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(files["pdf"].content)).pages)
    for said in ("Brightwater Facilities Ltd (C0001)", "=INV-2 · -Leeds", "£1,234.56", "€70.00", "CN-5", "page 1 of 1"):
        assert said in printed, said
    book = load_workbook(io.BytesIO(files["xlsx"].content))
    assert book.sheetnames == ["EUR", "GBP"]
    cells = [cell for row in book["GBP"].iter_rows() for cell in row if cell.value is not None]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert {"=INV-2 · -Leeds", "CN-5"} <= {cell.value for cell in cells if cell.data_type == "s"}
    assert [cell.value for cell in cells if cell.data_type == "n"].count(1234.56) == 3
    rows = list(csv.DictReader(io.StringIO(files["csv"].text)))
    assert [(row["currency"], row["document"], row["site"], row["open"], row["unapplied"]) for row in rows] == [
        ("EUR", "INV-3", "", "70.00", ""),
        ("GBP", "'=INV-2", "'-Leeds", "1234.56", ""),
        ("GBP", "CN-5", "", "", "25.00"),
    ]
    moved = await visitor.get("/statements/file?kind=transactions&from=2020-01-01&as=csv&currency=GBP")
    lines = list(csv.DictReader(io.StringIO(moved.text)))
    assert [(each["kind"], each["change"], each["balance"], each["unapplied"]) for each in lines] == [
        ("opening", "", "0.00", "0.00"),
        ("invoice", "5000.00", "5000.00", "0.00"),
        ("invoice", "1234.56", "6234.56", "0.00"),
        ("credit_note", "0.00", "6234.56", "25.00"),
        ("payment", "-5000.00", "1234.56", "25.00"),
        ("closing", "", "1234.56", "25.00"),
    ]
    again = await visitor.get(f"{SOME}pdf")
    assert again.content == files["pdf"].content


async def test_customers_get_the_forms_that_staff_chose_and_staff_get_all(house: House) -> None:
    customer = account(house)
    house.accounts.setting("statement_formats", ["csv"])
    visitor, staff = await house.customer_browser(customer), await house.staff_browser(Role.VIEWER)
    text = (await visitor.get("/statements")).text
    assert 'value="csv"' in text
    assert 'value="pdf"' not in text
    for form in ("pdf", "xlsx", "exe"):
        answer = await visitor.get(f"{SOME}{form}")
        assert (answer.status_code, answer.headers["x-refusal"]) == (422, "statement_format_off"), form
    assert (await visitor.get(f"{SOME}csv")).status_code == 200
    for form in ("pdf", "xlsx", "csv"):
        assert (await staff.get(f"/staff/customers/{customer}/statement/file?as={form}")).status_code == 200, form
    assert (await staff.get(f"/staff/customers/{customer}/statement/file?as=exe")).status_code == 404
    assert "=INV-2" in (await staff.get(f"/staff/customers/{customer}/statement")).text
    acts = house.accounts.rows(
        "SELECT action, customer_id, facts ->> 'form' FROM access_log WHERE action LIKE 'statement%%'"
    )
    assert acts == [
        *[("statement_exported", customer, form) for form in ("pdf", "xlsx", "csv")],
        ("statement_viewed", customer, None),
    ]
    house.accounts.setting("show_statements", False)
    for address in ("/statements", f"{SOME}csv"):
        assert (await visitor.get(address)).status_code == 404
    assert 'href="/statements"' not in (await visitor.get("/")).text


async def test_a_program_reads_the_same_as_of_a_day_or_a_moment(house: House) -> None:
    customer = account(house)
    program = await house.program()
    address = f"customers/{customer}/statement"
    told = Statement.model_validate_json((await program.get(address)).text)
    assert [(each.currency, each.balance, each.unapplied, each.net, each.overdue) for each in told.sections] == [
        ("EUR", 7_000, 0, 7_000, 0),
        ("GBP", 123_456, 2_500, 120_956, 123_456),
    ]
    owed = {each["currency"]: each["open"] for each in (await program.get(f"customers/{customer}")).json()["balances"]}
    assert owed == {each.currency: each.balance for each in told.sections}
    moved = await program.get(address, params={"kind": "transactions", "from_on": "2026-11-05", "currency": "GBP"})
    (section,) = Statement.model_validate_json(moved.text).sections
    assert section.lines is not None
    assert (section.opening_balance, section.balance, [each.owed for each in section.lines]) == (
        623_456,
        123_456,
        [-500_000],
    )
    for asked in ({"as_of_on": "2026-11-09"}, {"as_of": "2026-11-09T23:59:59Z"}):
        was = Statement.model_validate_json((await program.get(address, params=asked)).text)
        assert [each.balance for each in was.sections] == [7_000, 623_456], asked
        assert not was.is_now
    for wrong, rule in (
        ({"as_of_on": "2026-11-23"}, "statement_ahead"),
        ({"as_of": "2026-11-22T12:00:01Z"}, "statement_ahead"),
        ({"kind": "transactions", "from_on": "2026-11-23"}, "statement_backwards"),
        ({"as_of_on": "2026-11-01", "as_of": "2026-11-01T00:00:00Z"}, "request_invalid"),
        ({"as_of": "yesterday"}, "request_invalid"),
    ):
        refused = await program.get(address, params=wrong)
        assert refused.status_code == 422, wrong
        assert Problem.model_validate_json(refused.text).rule == rule, wrong
