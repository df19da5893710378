"""A timeline as a file: everything that was told, in JSON and as a PDF that a program can read again."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pypdf
import pytest
import pytest_asyncio

from api.staff import words
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house

HOSTILE = {
    "markup": "<b>Bold & <font size=90>huge</font></b> <para> </i> &amp; Sons",
    "steering": "Ltd\x07\x1b[31m \u202egnirts\u202c\u200b\nof\ttwo\r lines \x7f",
    "alphabets": "Ελλάδα Київ Łódź שלום مرحبا 東京 \U0001f600",
    "long": "N" * 4_000,
    "long words": "word " * 800,
    "nothing to see": "\u200b\u202e",
}


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


def text_of(file: bytes) -> tuple[str, int]:
    """What the PDF says, with the ends of lines as spaces, and how many pages it has."""
    read = pypdf.PdfReader(io.BytesIO(file))
    return " ".join(" ".join(page.extract_text() for page in read.pages).split()), len(read.pages)


def paid(house: House, customer: str) -> str:
    payment = house.accounts.payment(customer, {house.accounts.invoice(customer, 9_050): 9_050}, state="captured")
    ((staff, _),) = house.accounts.rows("SELECT id, name FROM staff")
    for minutes, kind in enumerate(("opened", "held", "unknown", "captured")):
        house.accounts.event(payment, customer, kind, minutes=minutes, by=staff if minutes == 0 else None, invoices=1)
    return payment


async def test_the_json_is_the_rows_in_their_order_and_names_the_customer_by_id_alone(house: House) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    customer = house.accounts.customer("Secret Name Ltd")
    payment = paid(house, customer)
    answer = await viewer.get(f"/staff/timeline/{payment}.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["content-disposition"] == f'attachment; filename="{payment}.json"'
    told = answer.json()
    rows = house.accounts.rows("SELECT kind, at, facts FROM timeline WHERE process_id = %s ORDER BY at, seq", [payment])
    assert [(each["kind"], each["actor"]) for each in told["events"]] == [(kind, facts["by"]) for kind, _, facts in rows]
    assert [each["words"] for each in told["events"]] == [words.event(kind) for kind, _, _ in rows]
    assert [each["facts"] for each in told["events"]] == [{"invoices": 1}] * 4
    assert told["events"][0]["actor_name"] == "Viewer"
    assert all(each["at"].endswith("+00:00") for each in told["events"])
    assert told["process"] == {
        "id": payment, "kind": "Payment", "state": "captured", "amount": 9_050, "currency": "GBP",
    }  # fmt: skip
    assert told["customer_id"] == customer
    assert "Secret" not in answer.text


async def test_the_page_tells_the_same_with_names_and_leads_to_the_files(house: House) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    payment = paid(house, house.accounts.customer("Ångström & Søn <ApS>"))
    shown = (await viewer.get(f"/staff/timeline/{payment}")).text
    assert [shown.count(words.event(kind)) > 0 for kind in ("opened", "held", "unknown", "captured")] == [True] * 4
    assert "Ångström &amp; Søn &lt;ApS&gt;" in shown
    assert "Viewer" in shown
    assert f'href="/staff/timeline/{payment}.pdf"' in shown
    assert (await viewer.get("/staff/timeline/pay_01jd0000000000000000000000")).status_code == 404


async def test_the_pdf_holds_every_event_whose_it_is_who_made_it_and_numbered_pages(house: House) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    customer = house.accounts.customer("Ångström & Søn <ApS>")
    payment = paid(house, customer)
    for minutes in range(90):
        house.accounts.event(payment, customer, "still_unknown", minutes=10 + minutes)
    answer = await viewer.get(f"/staff/timeline/{payment}.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    text, pages = text_of(answer.content)
    for kind in ("opened", "held", "unknown", "captured"):
        assert words.event(kind) in text, kind
    assert text.count("Asked again, still no answer") == 90
    for expected in ("Payment of £90.50", "Ångström & Søn <ApS>", "Viewer", "made at 2026-11-22 12:00:00", payment):
        assert expected in text, expected
    assert pages > 1
    assert all(f"page {number} of {pages}" in text for number in range(1, pages + 1))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
async def test_no_name_breaks_the_pdf_or_steers_it(house: House, name: str) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    customer = house.accounts.customer(name)
    house.accounts.setting("business_name", name[:100])
    payment = paid(house, customer)
    house.accounts.event(payment, customer, "posting_refused", minutes=30, words=name, by=name)
    answer = await viewer.get(f"/staff/timeline/{payment}.pdf")
    assert answer.status_code == 200, answer.text
    text, pages = text_of(answer.content)
    assert words.event("captured") in text
    assert pages < 10
    if name == HOSTILE["markup"]:
        assert "<b>Bold & <font size=90>huge</font></b>" in text
    if name == HOSTILE["alphabets"]:
        assert "Ελλάδα Київ Łódź" in text
    assert not {"\x07", "\x1b", "\u202e", "\u200b"} & set(text)


async def test_a_refund_has_its_own_part_of_its_payments_story(house: House) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    customer = house.accounts.customer()
    payment, refund = paid(house, customer), fresh_id("rfd")
    house.accounts.run(
        "INSERT INTO refunds (id, payment_id, customer_id, run_id, refund_key, currency, amount, reason, note, state,"
        " requested_by, request_hash, needs_second, requested_at, changed_at)"
        " VALUES (%s, %s, %s, 'run', 'key', 'GBP', 2000, 'Other', '', 'refunded', 'Ann', 'hash', false, now(), now())",
        [refund, payment, customer],
    )
    house.accounts.run(
        "INSERT INTO timeline (id, process_id, customer_id, kind, facts, at)"
        " VALUES (%s, %s, %s, 'refunded', '{\"minor\": 2000}', now())",
        [f"{payment}/refunded/{refund}", payment, customer],
    )
    told = (await viewer.get(f"/staff/timeline/{refund}.json")).json()
    assert [each["kind"] for each in told["events"]] == ["refunded"]
    assert (told["process"]["kind"], told["process"]["amount"]) == ("Refund", 2_000)
    text, _ = text_of((await viewer.get(f"/staff/timeline/{refund}.pdf")).content)
    assert "Refund of £20.00" in text
    assert "amount: £20.00" in text


async def test_every_kind_of_process_has_an_export_and_pages_lead_to_it(house: House) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    customer = house.accounts.customer()
    request = house.accounts.apply_request(
        customer, house.accounts.credit(customer, 5_000), {house.accounts.invoice(customer, 9_000): 4_000}
    )
    setup, method = house.accounts.setup(customer, state="completed"), house.accounts.method(customer)
    payment = paid(house, customer)
    for process in (payment, request, setup, method):
        house.accounts.event(process, customer, "opened", by="Ann")
        for form in ("json", "pdf"):
            assert (await viewer.get(f"/staff/timeline/{process}.{form}")).status_code == 200, (process, form)
    told = (await viewer.get(f"/staff/customers/{customer}")).text
    for process in (payment, request, setup, method):
        assert told.count(f">{process}<") >= 1, process
    for page, process in ((f"payments/{payment}", payment), (f"requests/{request}", request), (f"setups/{setup}", setup)):
        shown = (await viewer.get(f"/staff/{page}")).text
        assert f"/staff/timeline/{process}.pdf" in shown
        assert f"/staff/timeline/{process}.json" in shown


@pytest.mark.parametrize("form", ["json", "pdf"])
async def test_each_export_is_in_the_access_log_and_an_unknown_id_is_nothing(house: House, form: str) -> None:
    viewer = await house.staff_browser(Role.VIEWER)
    customer = house.accounts.customer()
    payment = paid(house, customer)
    for unknown in (fresh_id("pay"), fresh_id("rfd"), fresh_id("inv"), "x1", "pay_%00"):
        assert (await viewer.get(f"/staff/timeline/{unknown}.{form}")).status_code == 404, unknown
    acts = "SELECT object_id, customer_id, facts ->> 'form' FROM access_log WHERE action = 'timeline_exported'"
    assert house.accounts.rows(acts) == []
    await viewer.get(f"/staff/timeline/{payment}.{form}")
    assert house.accounts.rows(acts) == [(payment, customer, form)]
