"""The test numbers. Nothing else is accepted on a hosted page, so that a real number can never be kept here.

Card numbers and the first accounts of each scheme are those that developers know from Stripe's test mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Challenge(StrEnum):
    """When the bank wants to see the customer (3-D Secure)."""

    NEVER = "never"
    ONCE = "once"  # when the card is first used here; not when it is charged later
    ALWAYS = "always"


class DebitPath(StrEnum):
    """What becomes of a bank debit in the days after it was accepted."""

    SETTLES = "settles"
    FAILS = "fails"
    RETURNS_AFTER_SETTLEMENT = "returns_after_settlement"
    RETURNS_BEFORE_SETTLEMENT = "returns_before_settlement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One test number and how it behaves. `behaviour` is the only thing about it that is stored, with its mask."""

    behaviour: str
    number: str  # card number, account number or IBAN, without spaces
    meaning: str  # what a person reads beside the number
    kind: str = "card"
    brand: str = "visa"
    bank_code: str = ""  # routing number or sort code
    page_decline: str | None = None  # refused when entered on a hosted page
    page_decline_once: bool = False  # … the first time only
    charge_decline: str | None = None  # refused when charged later
    charge_decline_once: bool = False
    challenge: Challenge = Challenge.NEVER
    decline_after_challenge: str | None = None
    debit: DebitPath | None = None
    debit_code: str | None = None
    needs_micro_deposits: bool = False

    @property
    def last4(self) -> str:
        """What may be shown of the number."""
        return self.number[-4:]

    @property
    def shown(self) -> str:
        """The number in groups, as people read it."""
        if self.kind in {"card", "sepa_debit"}:
            return " ".join(self.number[start : start + 4] for start in range(0, len(self.number), 4))
        return f"{self.bank_code} / {self.number}"


def _bank(
    kind: str,
    bank_code: str,
    number: str,
    meaning: str,
    path: DebitPath,
    code: str | None = None,
    *,
    needs_micro_deposits: bool = False,
) -> Instrument:
    brands = {
        "us_bank_account": "Test Bank US",
        "sepa_debit": "Test Bank DE",
        "bacs_debit": "Test Bank UK",
    }
    behaviour = f"{kind}_{number[-4:]}"
    return Instrument(
        behaviour=behaviour,
        kind=kind,
        number=number,
        brand=brands[kind],
        meaning=meaning,
        bank_code=bank_code,
        debit=path,
        debit_code=code,
        needs_micro_deposits=needs_micro_deposits,
    )


_ALL: Final = (
    Instrument(behaviour="card_ok", number="4242424242424242", meaning="works"),
    Instrument(behaviour="mastercard_ok", number="5555555555554444", brand="mastercard", meaning="works"),
    Instrument(behaviour="card_declined", number="4000000000000002", meaning="is declined", page_decline="declined"),
    Instrument(
        behaviour="card_insufficient",
        number="4000000000009995",
        meaning="has not enough money",
        page_decline="insufficient_funds",
    ),
    Instrument(behaviour="card_expired", number="4000000000000069", meaning="has expired", page_decline="card_expired"),
    Instrument(
        behaviour="card_processing_error",
        number="4000000000000119",
        meaning="fails once, then works",
        page_decline="processing_error",
        page_decline_once=True,
        charge_decline="processing_error",
        charge_decline_once=True,
    ),
    Instrument(
        behaviour="card_charge_declined",
        number="4000000000000341",
        meaning="saves, then is declined",
        charge_decline="declined",
    ),
    Instrument(
        behaviour="card_challenge_once", number="4000002500003155", meaning="asks the bank once", challenge=Challenge.ONCE
    ),
    Instrument(
        behaviour="card_challenge_always",
        number="4000002760003184",
        meaning="asks the bank every time",
        challenge=Challenge.ALWAYS,
    ),
    Instrument(
        behaviour="card_challenge_declined",
        number="4000008260003178",
        meaning="asks the bank, then is declined",
        challenge=Challenge.ALWAYS,
        decline_after_challenge="insufficient_funds",
    ),
    _bank("us_bank_account", "110000000", "000123456789", "is paid and settles", DebitPath.SETTLES),
    _bank("us_bank_account", "110000000", "000111111113", "fails after days", DebitPath.FAILS, "R02"),
    _bank(
        "us_bank_account",
        "110000000",
        "000222222227",
        "settles, then comes back (R01)",
        DebitPath.RETURNS_AFTER_SETTLEMENT,
        "R01",
    ),
    _bank(
        "us_bank_account",
        "110000000",
        "000333333335",
        "is paid, then comes back (R29)",
        DebitPath.RETURNS_BEFORE_SETTLEMENT,
        "R29",
    ),
    _bank(
        "us_bank_account",
        "110000000",
        "000888888885",
        "needs two small deposits first",
        DebitPath.SETTLES,
        needs_micro_deposits=True,
    ),
    _bank("sepa_debit", "", "DE89370400440532013000", "is paid and settles", DebitPath.SETTLES),
    _bank("sepa_debit", "", "DE62370400440532013001", "fails after days", DebitPath.FAILS, "AM04"),
    _bank(
        "sepa_debit",
        "",
        "DE35370400440532013002",
        "settles, then comes back (MD06)",
        DebitPath.RETURNS_AFTER_SETTLEMENT,
        "MD06",
    ),
    _bank("bacs_debit", "108800", "00012345", "is paid and settles", DebitPath.SETTLES),
    _bank("bacs_debit", "108800", "11111113", "fails after days", DebitPath.FAILS, "B"),
    _bank(
        "bacs_debit",
        "108800",
        "22222227",
        "settles, then comes back",
        DebitPath.RETURNS_AFTER_SETTLEMENT,
        "0",
    ),
)

BY_BEHAVIOUR: Final[Mapping[str, Instrument]] = {instrument.behaviour: instrument for instrument in _ALL}
CURRENCY_OF_KIND: Final[Mapping[str, str | None]] = {
    "card": None,
    "us_bank_account": "USD",
    "sepa_debit": "EUR",
    "bacs_debit": "GBP",
}
MICRO_DEPOSITS: Final = (32, 45)


def of_kind(kind: str) -> tuple[Instrument, ...]:
    """The test numbers of a kind, in the order a page lists them."""
    return tuple(instrument for instrument in _ALL if instrument.kind == kind)


def recognise(kind: str, number: str, bank_code: str = "") -> Instrument | None:
    """The instrument a person typed, or None: only test numbers are accepted."""
    typed = "".join(number.split()).replace("-", "").upper()
    code = "".join(bank_code.split()).replace("-", "")
    for instrument in of_kind(kind):
        if instrument.number == typed and instrument.bank_code == code:
            return instrument
    return None
