"""What Tryton's answers and silences become, and that amounts are exact. Only what a real server cannot be made to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import pytest

from connectors.conformance.erp_harness import payment_of
from connectors.erp.ports import ErpInvoiceStatus
from connectors.erp.sweeps import Cursor
from connectors.erp.tryton import Tryton, TrytonConfig, build, wire
from connectors.erp.tryton.translate import status
from connectors.errors import Misconfigured, Throttled, Unavailable
from domain.money import Money
from tests.machine import free_port

pytestmark = pytest.mark.long


def connected(url: str) -> Tryton:
    return build(TrytonConfig(base_url=url, database="books", user="duly", password="secret"))


@asynccontextmanager
async def answering(status_line: str, body: bytes) -> AsyncIterator[Tryton]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status_line}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    erp = connected(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    yield erp
    await erp.aclose()
    listening.close()
    await listening.wait_closed()


async def test_a_server_that_is_not_there_is_unavailable_for_reads_and_writes() -> None:
    erp = connected(f"http://127.0.0.1:{free_port()}")
    for call in (erp.ping(), erp.find_document("x"), erp.post_payment(payment_of("1", {}, unapplied=Money.of(1, "EUR")))):
        with pytest.raises(Unavailable):
            await call
    await erp.aclose()


@pytest.mark.parametrize("address", ["not an address", "ftp://127.0.0.1/erp"])
async def test_an_address_that_is_none_is_a_misconfiguration(address: str) -> None:
    erp = connected(address)
    with pytest.raises(Misconfigured):
        await erp.ping()
    await erp.aclose()


@pytest.mark.parametrize("status_line", ["401 No", "403 No", "404 No"])
async def test_who_is_not_let_in_wakes_a_person(status_line: str) -> None:
    async with answering(status_line, b"") as erp:
        with pytest.raises(Misconfigured) as told:
            await erp.ping()
        assert "secret" not in str(told.value)


async def test_too_many_requests_ask_for_patience() -> None:
    async with answering("429 Slow down", b"") as erp:
        with pytest.raises(Throttled):
            await erp.ping()


@pytest.mark.parametrize("body", [b"<html>gateway</html>", b"[]", b'{"id": 1}', b""])
@pytest.mark.parametrize("status_line", ["200 OK", "302 Found", "500 Oops", "502 Bad Gateway"])
async def test_what_cannot_be_read_before_anything_was_written_is_unavailable(status_line: str, body: bytes) -> None:
    async with answering(status_line, body) as erp:
        with pytest.raises(Unavailable):
            await erp.find_document("x")


def test_the_password_is_not_shown_with_the_configuration() -> None:
    assert "secret" not in repr(TrytonConfig(base_url="http://x", database="d", user="u", password="secret"))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("10.00", "EUR", 1000), ("10", "EUR", 1000), ("-0.05", "EUR", -5), ("1E+2", "EUR", 10_000), ("160", "JPY", 160)],
)
def test_an_amount_is_exact_in_its_currency(text: str, currency: str, minor: int) -> None:
    assert wire.amount(text, currency) == Money.of(minor, currency)


@pytest.mark.parametrize(("text", "currency"), [("0.001", "EUR"), ("0.5", "JPY"), ("NaN", "EUR")])
def test_an_amount_with_more_decimals_than_its_currency_is_not_guessed(text: str, currency: str) -> None:
    with pytest.raises(ValueError):
        wire.amount(text, currency)


def test_a_conversion_is_to_the_nearest_minor_unit_on_either_side_of_nothing() -> None:
    half = Fraction(1, 2)
    assert wire.converted(Money.of(3, "USD"), half, "EUR") == Money.of(2, "EUR")
    assert wire.converted(Money.of(-3, "USD"), half, "EUR") == Money.of(-2, "EUR")
    assert wire.converted(Money.of(160, "JPY"), Fraction(1, 160), "EUR") == Money.of(100, "EUR")


def test_every_state_has_one_meaning_and_a_new_one_is_unknown() -> None:
    found = {word: status(word, credited=False) for word in ("draft", "validated", "posted", "paid", "cancelled", "pledged")}
    assert list(found.values()) == [
        ErpInvoiceStatus.DRAFT,
        ErpInvoiceStatus.DRAFT,
        ErpInvoiceStatus.OPEN,
        ErpInvoiceStatus.PAID,
        ErpInvoiceStatus.VOID,
        ErpInvoiceStatus.UNKNOWN,
    ]
    assert status("cancelled", credited=True) is ErpInvoiceStatus.CLOSED


def test_a_cursor_survives_being_text() -> None:
    assert Cursor.parsed("") == Cursor()
    text = '{"since":null,"began":"2026-03-16T10:00:00+00:00","after":[0,7],"told":{"0.7":"ab"}}'
    assert Cursor.parsed(text).text() == text
