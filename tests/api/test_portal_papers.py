"""Invoices and credit notes as files: Duly's own until the ERP's is kept, several as a ZIP, and nobody else's."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from pypdf import PdfReader

from store import document_files
from store.database import Database, Transaction
from store.identity import fresh_id
from tests import machine
from tests.api.house import House, absent_temporal, open_house, statements

LINE = {
    "description": "Window cleaning",
    "quantity": "2",
    "unit_price": 5_000,
    "amount": 10_000,
    "tax_rate": "20 %",
    "tax": 2_000,
}


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database, await absent_temporal()) as opened:
        opened.accounts.provider()
        yield opened


def read(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text[:200]
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)


async def test_an_invoice_and_a_credit_note_are_typeset_with_everything_that_their_pages_say(house: House) -> None:
    customer = house.accounts.customer()
    paid = {"kind": "payment", "document": "BANK-7", "amount": 2_000, "on": "2026-11-10", "reference": None}
    invoice = house.accounts.invoice(
        customer, 12_000, number="INV-7", settled=2_000, settlements=[paid], lines=[LINE], po_number="PO-1", terms="30 days"
    )
    credit = house.accounts.credit(customer, 2_500, used=1_000, number="CN-5")
    visitor = await house.customer_browser(customer)
    printed = read(await visitor.get(f"/invoices/{invoice}.pdf"))
    for said in ("Invoice INV-7", "Window cleaning", "20 %", "£100.00", "£20.00", "BANK-7", "-£20.00", "£120.00", "PO-1"):
        assert said in printed, said
    assert read(await visitor.get(f"/credits/{credit}.pdf")).count("£15.00") == 1
    assert f'href="/invoices/{invoice}.pdf"' in (await visitor.get(f"/invoices/{invoice}")).text
    house.accounts.setting("show_credits", False)
    assert (await visitor.get(f"/credits/{credit}.pdf")).status_code == 404


async def test_what_is_not_to_be_seen_is_in_no_file_alone_or_among_others(house: House) -> None:
    customer, other = house.accounts.customer(), house.accounts.customer("Other")
    mine = house.accounts.invoice(customer, 12_000)
    hidden = [
        house.accounts.invoice(customer, 1_000, status="draft"),
        house.accounts.invoice(customer, 1_000, status="void"),
        house.accounts.invoice(customer, 1_000, paused=True),
        house.accounts.invoice(other, 1_000),
        fresh_id("inv"),
        "inv_x",
    ]
    theirs = house.accounts.credit(other, 1_000)
    visitor = await house.customer_browser(customer)
    for each in hidden:
        for address in (f"/invoices/{each}.pdf", f"/documents.zip?i={each}", f"/documents.zip?i={mine}&i={each}"):
            answer = await visitor.get(address)
            assert (answer.status_code, answer.headers["x-refusal"]) == (404, "not_found"), address
    for address in (
        f"/credits/{theirs}.pdf",
        f"/documents.zip?i={mine}&c={theirs}",
        f"/credits/{mine}.pdf",
    ):
        assert (await visitor.get(address)).status_code == 404, address
    assert (await visitor.get("/documents.zip")).headers["x-refusal"] == "no_documents_chosen"


async def test_several_come_as_one_file_in_their_order_and_more_than_a_hundred_are_refused(house: House) -> None:
    customer = house.accounts.customer()
    invoices = [
        house.accounts.invoice(customer, 1_000 + n, number=number) for n, number in enumerate(("A/1", "A-1", "../B"))
    ]
    credit = house.accounts.credit(customer, 500, number="CN-5")
    visitor = await house.customer_browser(customer)
    with statements(house.services.portal, house.services.staff) as seen:
        answer = await visitor.get("/documents.zip", params={"i": invoices, "c": [credit]})
    assert len(seen) == 4  # the session, the invoices, the credits, what is kept: however many they are
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.namelist() == [
        "invoice-A-1.pdf", f"invoice-A-1-{invoices[1][-6:]}.pdf", "invoice-B.pdf", "credit-note-CN-5.pdf",
    ]  # fmt: skip
    assert all(archive.read(name).startswith(b"%PDF-") for name in archive.namelist())
    many = [fresh_id("inv") for _ in range(101)]
    answer = await visitor.get("/documents.zip", params={"i": many})
    assert (answer.status_code, answer.headers["x-refusal"]) == (422, "too_many_documents")
    assert (await visitor.get("/documents.zip", params={"i": many[:100]})).status_code == 404


async def test_the_erps_own_file_is_given_of_the_version_that_it_is_of_and_of_no_other(house: House) -> None:
    customer, other = house.accounts.customer(), house.accounts.customer("Other")
    invoice = house.accounts.invoice(customer, 12_000, number="INV-7")
    await kept(house, invoice, customer, b"%PDF-1.4 the ERP's own")
    visitor, stranger = await house.customer_browser(customer), await house.customer_browser(other)
    assert (await visitor.get(f"/invoices/{invoice}.pdf")).content == b"%PDF-1.4 the ERP's own"
    assert b"the ERP's own" in (await visitor.get(f"/documents.zip?i={invoice}")).content
    assert (await stranger.get(f"/invoices/{invoice}.pdf")).status_code == 404
    # The invoice was read again: its old picture is no picture of it.
    house.accounts.run("UPDATE invoices SET read_seq = 2")
    assert "Invoice INV-7" in read(await visitor.get(f"/invoices/{invoice}.pdf"))
    # What is not what was written down is not given to anybody.
    house.accounts.run("UPDATE invoices SET read_seq = 1")
    house.accounts.run("UPDATE erp_documents SET content = 'tampered', size = 8")
    assert "Invoice INV-7" in read(await visitor.get(f"/invoices/{invoice}.pdf"))


@pytest.mark.parametrize("file", [b"<html>Sign in</html>", b"%PDF-" + bytes(document_files.LARGEST_BYTES)])
async def test_what_is_no_pdf_or_too_large_is_not_kept_and_an_older_version_replaces_none(house: House, file: bytes) -> None:
    customer = house.accounts.customer()
    invoice = house.accounts.invoice(customer, 12_000)
    await kept(house, invoice, customer, file)
    assert house.accounts.rows("SELECT state, size, content FROM erp_documents") == [("none", 0, None)]
    await kept(house, invoice, customer, b"%PDF-1.4 older", version=0)
    assert house.accounts.rows("SELECT state, version FROM erp_documents") == [("none", 1)]
    await kept(house, invoice, customer, b"%PDF-1.4 newer", version=2)
    assert house.accounts.rows("SELECT state, version, size FROM erp_documents") == [("kept", 2, 14)]


@asynccontextmanager
async def writing(house: House) -> AsyncIterator[Transaction]:
    admin = Database(house.accounts.url.replace("postgresql://", "postgresql+psycopg://"), pool_size=1)
    try:
        async with admin.begin("test") as tx:
            yield tx
    finally:
        await admin.close()


async def kept(house: House, invoice: str, customer: str, file: bytes, *, version: int = 1) -> None:
    """As the activity keeps it."""
    wanted = document_files.Wanted(
        id=invoice, customer_id=customer, connection_id="demo", erp_id=invoice, version=version, kind="invoice"
    )
    async with writing(house) as tx:
        await document_files.keep(tx, wanted, file, at=datetime(2026, 11, 22, tzinfo=UTC))
