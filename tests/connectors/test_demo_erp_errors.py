"""What the demo ERP's answers and silences become: sorted by what the caller may do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date

import pytest

from connectors.conformance.erp_harness import fresh_reference
from connectors.erp.demo import DemoErp, DemoErpConfig, build
from connectors.erp.demo.connector import LOOKUP_BATCH
from connectors.erp.demo.translate import status
from connectors.erp.ports import ApplicationDocument, ErpInvoiceStatus, PaymentDocument, PaymentLine
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money
from tests.machine import free_port
from tests.simulators.running import DemoErpProgram, start_demo_erp

CUSTOMER = "cust-a"
INVOICE = "inv-a"


@pytest.fixture(scope="module")
def far_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoErpProgram]:
    running = start_demo_erp(tmp_path_factory.mktemp("erp") / "books.sqlite")
    customer = {"id": CUSTOMER, "number": "C-1", "name": "A", "currency": "GBP"}
    invoice = {
        "id": INVOICE,
        "number": "INV-1",
        "customer_id": CUSTOMER,
        "currency": "GBP",
        "total": 1_000_000,
        "issued_on": "2026-01-01",
        "due_on": "2026-02-01",
    }
    running.answer("POST", "/bulk", json={"customers": [customer], "invoices": [invoice]})
    yield running
    running.program.stop()


@pytest.fixture
async def erp(far_side: DemoErpProgram) -> AsyncIterator[DemoErp]:
    far_side.knobs(reset=True)
    connector = build(DemoErpConfig(base_url=far_side.url, api_key=far_side.api_key, request_timeout_seconds=1))
    yield connector
    await connector.aclose()
    far_side.knobs(reset=True)


def a_payment(minor: int = 100) -> PaymentDocument:
    return PaymentDocument(
        reference=fresh_reference(),
        customer_erp_id=CUSTOMER,
        amount=Money.of(minor, "GBP"),
        received_on=date(2026, 3, 1),
        lines=(PaymentLine(invoice_erp_id=INVOICE, amount=Money.of(minor, "GBP")),),
        memo="",
        method_label="Visa",
    )


def count(far_side: DemoErpProgram, payment: PaymentDocument) -> int:
    found: int = far_side.answer("GET", "/test/documents", params={"reference": payment.reference})["count"]
    return found


async def test_a_refused_connection_is_unavailable_because_nothing_left() -> None:
    erp = build(DemoErpConfig(base_url=f"http://127.0.0.1:{free_port()}", api_key="k"))
    with pytest.raises(Unavailable):
        await erp.post_payment(a_payment())
    with pytest.raises(Unavailable):
        await erp.ping()
    await erp.aclose()


@pytest.mark.parametrize("knob", [{"drop_before": 1}, {"drop_after": 1}, {"error_after_success": 1}])
async def test_a_write_without_a_clear_answer_is_unknown_whether_or_not_it_happened(
    far_side: DemoErpProgram, erp: DemoErp, knob: dict[str, int]
) -> None:
    payment = a_payment()
    far_side.knobs(**knob)
    with pytest.raises(OutcomeUnknown):
        await erp.post_payment(payment)
    assert count(far_side, payment) == (0 if "drop_before" in knob else 1)


async def test_a_write_that_times_out_is_unknown_and_may_still_land_later(far_side: DemoErpProgram, erp: DemoErp) -> None:
    payment = a_payment()
    far_side.knobs(hang=True)
    with pytest.raises(OutcomeUnknown):
        await erp.post_payment(payment)
    assert count(far_side, payment) == 0
    far_side.knobs(hang=False)
    for _ in range(100):
        if count(far_side, payment):
            break
        await asyncio.sleep(0.02)
    assert count(far_side, payment) == 1, "the request outlived its caller"


async def test_a_read_that_times_out_is_unavailable(far_side: DemoErpProgram, erp: DemoErp) -> None:
    far_side.knobs(hang=True)
    with pytest.raises(Unavailable):
        await erp.find_document(fresh_reference())


async def test_too_many_requests_say_how_long_to_wait_and_write_nothing(far_side: DemoErpProgram, erp: DemoErp) -> None:
    payment = a_payment()
    far_side.knobs(throttle=1)
    with pytest.raises(Throttled) as throttled:
        await erp.post_payment(payment)
    assert throttled.value.retry_after_seconds == 2
    assert count(far_side, payment) == 0


async def test_a_wrong_key_is_a_misconfiguration_for_reads_and_writes(far_side: DemoErpProgram) -> None:
    erp = build(DemoErpConfig(base_url=far_side.url, api_key="wrong"))
    for call in (erp.ping(), erp.post_payment(a_payment()), erp.find_document("x")):
        with pytest.raises(Misconfigured) as misconfigured:
            await call
        assert "wrong" not in str(misconfigured.value)
    await erp.aclose()


@pytest.mark.parametrize("address", ["not an address", "ftp://127.0.0.1/erp"])
async def test_an_address_that_is_none_is_a_misconfiguration(address: str) -> None:
    erp = build(DemoErpConfig(base_url=address, api_key="k"))
    with pytest.raises(Misconfigured):
        await erp.ping()
    with pytest.raises(Misconfigured):
        await erp.post_payment(a_payment())
    await erp.aclose()


async def test_a_closed_period_is_a_refusal_in_the_erps_words(far_side: DemoErpProgram, erp: DemoErp) -> None:
    far_side.knobs(closed_through="2026-03-01")
    with pytest.raises(Rejected) as refused:
        await erp.post_payment(a_payment())
    assert refused.value.code == "PERIOD_CLOSED"
    assert refused.value.sentence == "The books are closed up to 2026-03-01."


@pytest.mark.parametrize("body", [b"<html>gateway</html>", b"[]", b'{"id": 1}', b""])
@pytest.mark.parametrize("status_line", [b"200 OK", b"302 Found", b"500 Oops", b"502 Bad Gateway"])
async def test_what_cannot_be_read_is_unknown_for_a_write_and_unavailable_for_a_read(
    body: bytes, status_line: bytes
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (status_line, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    erp = build(DemoErpConfig(base_url=f"http://127.0.0.1:{port}", api_key="k"))
    calls: list[tuple[type[ConnectorError], object]] = [
        (OutcomeUnknown, erp.post_payment(a_payment())),
        (Unavailable, erp.invoices_since("", limit=1)),
        (Unavailable, erp.find_document("x")),
    ]
    for kind, call in calls:
        with pytest.raises(kind):
            await call  # type: ignore[misc]
    await erp.aclose()
    server.close()
    await server.wait_closed()


async def test_a_reference_used_for_something_else_is_a_refusal_and_not_the_other_document(
    far_side: DemoErpProgram, erp: DemoErp
) -> None:
    far_side.knobs(unique_references=True)
    payment = a_payment(100)
    await erp.post_payment(payment)
    other = PaymentDocument(
        reference=payment.reference,
        customer_erp_id=CUSTOMER,
        amount=Money.of(101, "GBP"),
        received_on=payment.received_on,
        lines=(),
        memo="",
        method_label="",
    )
    with pytest.raises(Rejected) as refused:
        await erp.post_payment(other)
    assert refused.value.code == "DUPLICATE_REFERENCE"
    assert count(far_side, payment) == 1


async def test_many_ids_are_read_in_batches(far_side: DemoErpProgram, erp: DemoErp) -> None:
    far_side.answer("DELETE", "/test/requests")
    ids = [f"unknown-{number}" for number in range(LOOKUP_BATCH * 2)]
    found = await erp.invoices_by_id([*ids, INVOICE])
    assert [invoice.erp_id for invoice in found] == [INVOICE]
    assert far_side.answer("GET", "/test/requests") == {"POST /invoices/lookup": 3}


async def test_a_reference_that_a_person_typed_is_not_taken_for_ours(far_side: DemoErpProgram, erp: DemoErp) -> None:
    far_side.act("pay_by_hand", invoice_id=INVOICE, amount=1, reference="cheque 1207")
    invoice = (await erp.invoices_by_id([INVOICE]))[0]
    typed = [settlement for settlement in invoice.settlements if settlement.amount.minor == 1]
    assert [settlement.reference for settlement in typed] == [None]


async def test_an_application_without_lines_is_a_mistake_of_ours(erp: DemoErp) -> None:
    empty = ApplicationDocument(
        reference="r", payment_reference="p", customer_erp_id=CUSTOMER, lines=(), on=date(2026, 3, 1), memo=""
    )
    with pytest.raises(ValueError, match="at least one amount"):
        await erp.post_application(empty)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Draft", ErpInvoiceStatus.DRAFT),
        ("Posted", ErpInvoiceStatus.OPEN),
        ("Paid", ErpInvoiceStatus.PAID),
        ("Disputed", ErpInvoiceStatus.IN_DISPUTE),
        ("Instalment plan", ErpInvoiceStatus.IN_INSTALMENTS),
        ("Bad debt", ErpInvoiceStatus.WRITTEN_OFF),
        ("Closed", ErpInvoiceStatus.CLOSED),
        ("Voided", ErpInvoiceStatus.VOID),
        ("In mediation", ErpInvoiceStatus.UNKNOWN),
        ("posted", ErpInvoiceStatus.UNKNOWN),
        ("", ErpInvoiceStatus.UNKNOWN),
    ],
)
def test_every_word_has_one_meaning_and_a_new_one_is_unknown(word: str, expected: ErpInvoiceStatus) -> None:
    assert status(word) is expected


def test_every_status_of_ours_is_a_word_of_theirs() -> None:
    words = ["Draft", "Posted", "Paid", "Disputed", "Instalment plan", "Bad debt", "Closed", "Voided", "?"]
    assert {status(word) for word in words} == set(ErpInvoiceStatus)
