"""Test methods and what becomes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One test method; what is None does not happen."""

    kind: str = "card"
    last4: str = "4242"
    declined_on_page: bool = False
    declined_later: bool = False
    asks: bool = False  # the bank asks each time
    debit: str | None = None  # settles, fails or returns
    verifies: bool = False  # small deposits first

    def details(self) -> dict[str, Any]:
        """What a payment method of it shows."""
        if self.kind == "card":
            return {"brand": "visa", "last4": self.last4, "exp_month": 8, "exp_year": 2031, "funding": "credit"}
        if self.kind == "us_bank_account":
            return {"bank_name": "STRIPE TEST BANK", "last4": self.last4, "account_type": "checking"}
        return {"bank_code": "37040044", "country": "DE", "last4": self.last4}


INSTRUMENTS: Final = {
    "card_ok": Instrument(),
    "card_declined": Instrument(last4="0002", declined_on_page=True),
    "card_charge_declined": Instrument(last4="0341", declined_later=True),
    "card_asks": Instrument(last4="3184", asks=True),
    "ach_ok": Instrument(kind="us_bank_account", last4="6789", debit="settles"),
    "ach_fails": Instrument(kind="us_bank_account", last4="2227", debit="fails"),
    "ach_returns": Instrument(kind="us_bank_account", last4="3335", debit="returns"),
    "ach_verify": Instrument(kind="us_bank_account", last4="1116", debit="settles", verifies=True),
    "sepa_ok": Instrument(kind="sepa_debit", last4="3000", debit="settles"),
    "sepa_fails": Instrument(kind="sepa_debit", last4="3001", debit="fails"),
    "sepa_returns": Instrument(kind="sepa_debit", last4="3002", debit="returns"),
}

TOKENS: Final = {"pm_card_visa": "card_ok", "pm_card_chargeCustomerFail": "card_charge_declined"}
"""What a test token of theirs stands for."""
