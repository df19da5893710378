"""Kinds of payment methods and what may be shown of one. Never a card or account number: the provider's token only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MethodKind(StrEnum):
    """What moves the money. A provider's capabilities are asked by kind and currency."""

    CARD = "card"
    US_BANK_ACCOUNT = "us_bank_account"
    SEPA_DEBIT = "sepa_debit"
    BACS_DEBIT = "bacs_debit"
    INSTANT_BANK = "instant_bank"  # one payment that the customer approves at the bank; nothing is kept

    @property
    def is_card(self) -> bool:
        """Card limits apply to these."""
        return self is MethodKind.CARD

    @property
    def currency(self) -> str | None:
        """The one currency of a bank debit; None for what takes many."""
        return {"us_bank_account": "USD", "sepa_debit": "EUR", "bacs_debit": "GBP"}.get(self.value)

    @property
    def takes_days(self) -> bool:
        """Bank debits are confirmed days after they were accepted, and can come back."""
        return self not in {MethodKind.CARD, MethodKind.INSTANT_BANK}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDetails:
    """A saved method as the provider describes it, masked. `token` is the provider's own id of it."""

    token: str
    kind: MethodKind
    brand: str  # 'visa', 'mastercard', or the bank's name
    last4: str
    exp_month: int | None = None
    exp_year: int | None = None
