"""How amounts and kinds read on a hosted page."""

from __future__ import annotations

from typing import Final

_NO_DECIMALS: Final = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMALS: Final = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_SIGNS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_KINDS: Final = {
    "card": "Card",
    "us_bank_account": "US bank account",
    "sepa_debit": "SEPA debit",
    "bacs_debit": "Bacs debit",
}


def amount_text(minor: int, currency: str) -> str:
    """An amount of minor units, such as '£1,250.00', '¥1,250' or 'CHF 12.00'."""
    places = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    whole, rest = divmod(minor, 10**places)
    number = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    return f"{_SIGNS[currency]}{number}" if currency in _SIGNS else f"{currency} {number}"


def kind_name(kind: str) -> str:
    """What people call a kind."""
    return _KINDS.get(kind, kind)
