"""What all connectors to ERPs share: a failure is no proof that nothing happened, and an odd answer is no zero."""

from __future__ import annotations

import httpx
import pytest

from connectors.erp.calls import asked_to_wait, readable, sent_to
from connectors.erp.lines import moved_of, plus, require_lying
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Unavailable
from domain.ids import is_our_reference
from domain.money import Money, MoneyError

PAYMENT = "pay_01jd8m5x3v9w2k7q4r6t8y0zab"


def pounds(minor: int) -> Money:
    return Money.of(minor, "GBP")


@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (httpx.ConnectError("refused"), Unavailable),
        (httpx.ConnectTimeout("nobody"), Unavailable),
        (httpx.PoolTimeout("busy"), Unavailable),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.WriteTimeout("slow"), OutcomeUnknown),
        (httpx.ReadError("reset"), OutcomeUnknown),
        (httpx.WriteError("reset"), OutcomeUnknown),
        (httpx.RemoteProtocolError("cut off"), OutcomeUnknown),
        (httpx.InvalidURL("no"), Misconfigured),
        (httpx.UnsupportedProtocol("ftp"), Misconfigured),
    ],
)
def test_only_what_never_left_is_known_not_to_have_happened(failure: Exception, meaning: type[ConnectorError]) -> None:
    with pytest.raises(ConnectorError) as raised, sent_to("The ERP"):
        raise failure
    assert type(raised.value) is meaning


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("30", 30), (" 7 ", 7), ("", 5), ("²", 5), ("-3", 5), ("1.5", 5), ("Wed, 21 Oct 2026 07:28:00 GMT", 5)],
)
def test_patience_is_taken_in_seconds_or_as_usual(told: str, seconds: int) -> None:
    answer = httpx.Response(429, headers=[(b"Retry-After", told.encode("latin-1"))])
    assert asked_to_wait(answer, otherwise=5) == seconds


@pytest.mark.parametrize("failure", [KeyError("id"), TypeError(), ValueError(), IndexError(), MoneyError("x", "y")])
def test_an_answer_that_cannot_be_read_is_never_an_empty_one(failure: Exception) -> None:
    with pytest.raises(Unavailable, match="cannot be read"), readable("The ERP"):
        raise failure


def test_no_more_is_taken_off_an_invoice_than_lies_on_it() -> None:
    lies = {"a": pounds(100)}
    require_lying(lies, {"a": pounds(100)}, of="P-1")
    for taken in ({"a": pounds(101)}, {"b": pounds(1)}):
        with pytest.raises(Rejected, match="P-1 does not have that much"):
            require_lying(lies, taken, of="P-1")


def test_a_change_moves_what_it_puts_somewhere_or_takes_off() -> None:
    change = {"a": pounds(-100), "b": pounds(60)}
    assert plus({"a": pounds(100), "c": pounds(5)}, change) == {"b": pounds(60), "c": pounds(5)}
    assert (moved_of(change, "GBP"), moved_of({"a": pounds(7)}, "GBP")) == (pounds(100), pounds(7))


def test_what_people_type_is_not_ours() -> None:
    assert is_our_reference(f"{PAYMENT}-captured")
    assert not any(
        map(is_our_reference, (None, "", "pay the rent", "PAY-7Q2M4K", f"x{PAYMENT}", "cus_01jd8m5x3v9w2k7q4r6t8y0zab"))
    )
