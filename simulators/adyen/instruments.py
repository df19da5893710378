"""Test methods and what becomes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One test method; what is not said does not happen."""

    label: str
    type: str = "scheme"
    brand: str = "visa"
    last4: str = "4242"
    declined_on_page: bool = False
    declined_later: str | None = None  # refusal reason code of a charge
    asks: bool = False  # the bank asks each time
    takes_part: bool = False  # half of it is authorised
    returns_after_days: int | None = None

    @property
    def is_card(self) -> bool:
        """Whether its money comes at once."""
        return self.type == "scheme"


INSTRUMENTS: Final = {
    "card_ok": Instrument(label="Visa that works"),
    "card_declined": Instrument(label="Visa that is declined here", last4="0002", declined_on_page=True),
    "card_charge_declined": Instrument(label="Visa that is declined when charged", last4="0341", declined_later="2"),
    "card_broke": Instrument(label="Visa without enough balance", last4="9995", declined_later="12"),
    "card_asks": Instrument(label="Visa whose bank asks you", last4="3184", asks=True),
    "card_part": Instrument(label="Visa that pays a half only", last4="0093", takes_part=True),
    "ach_ok": Instrument(label="US account that works", type="ach", brand="ach", last4="6789"),
    "ach_fails": Instrument(label="US account without balance", type="ach", brand="ach", last4="2227", returns_after_days=3),
    "ach_returns": Instrument(
        label="US account that takes back", type="ach", brand="ach", last4="3335", returns_after_days=16
    ),
    "sepa_ok": Instrument(label="IBAN that works", type="sepadirectdebit", brand="sepadirectdebit", last4="3000"),
    "sepa_fails": Instrument(
        label="IBAN without balance", type="sepadirectdebit", brand="sepadirectdebit", last4="3001", returns_after_days=3
    ),
    "sepa_returns": Instrument(
        label="IBAN that takes back", type="sepadirectdebit", brand="sepadirectdebit", last4="3002", returns_after_days=16
    ),
}

WRITTEN: Final = {"test_4111111111111111": Instrument(label="Visa of Adyen's own examples", last4="1111")}
"""Cards that a merchant without a form may write in a request, by their number in its test form."""

REFUSED_AS: Final = {"DECLINED": "2", "CARD_EXPIRED": "6", "NOT_ENOUGH_BALANCE": "12"}
"""Names of a holder that ask for a refusal, and its reason code."""
