"""Money: integer minor units of one currency. All arithmetic on amounts lives here.

The exponents are ISO 4217's. Providers that scale a currency differently convert at their own edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, NewType

Currency = NewType("Currency", str)

_NO_DECIMALS: Final = frozenset(
    """
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """.split()  # noqa: SIM905 - a table of words reads better than a list of literals
)
_THREE_DECIMALS: Final = frozenset(
    """
    BHD IQD JOD KWD LYD OMR TND
    """.split()  # noqa: SIM905 - a table of words reads better than a list of literals
)
_TWO_DECIMALS: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
    JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
    SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a table of words reads better than a list of literals
)

LARGEST_MINOR: Final = 10**15
"""No single amount reaches this: a larger one is a mistake, and sums stay far inside a bigint."""


class MoneyError(ValueError):
    """An amount that cannot be read or does not fit; the message names the rule and is fit for a person."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule
        self.sentence = sentence


def exponent(currency: str) -> int:
    """Decimal places of an ISO 4217 currency: 0, 2 or 3. Raises MoneyError('currency_unknown')."""
    if currency in _TWO_DECIMALS:
        return 2
    if currency in _NO_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    raise MoneyError("currency_unknown", f"{currency!r} is not a currency that Duly knows.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in minor units (cents, yen, fils) of one currency; negative only where a signature says so."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        exponent(self.currency)
        if type(self.minor) is not int or abs(self.minor) >= LARGEST_MINOR:
            raise MoneyError("amount_out_of_range", "That amount is larger than any that Duly accepts.")

    @classmethod
    def of(cls, minor: int, currency: str) -> Money:
        """Short form of the constructor."""
        return cls(minor=minor, currency=Currency(currency))

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in a currency."""
        return cls.of(0, currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise MoneyError("currency_mismatch", f"{self.currency} and {other.currency} cannot be added or compared.")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(minor=self.minor + other.minor, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(minor=self.minor - other.minor, currency=self.currency)

    def __neg__(self) -> Money:
        return Money(minor=-self.minor, currency=self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        return other < self

    def __ge__(self, other: Money) -> bool:
        return other <= self

    def split(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Share by weight, to the last minor unit; leftovers go to the earliest heaviest shares.

        Raises ValueError for a negative amount, a negative weight or weights without a sum.
        """
        whole = sum(weights)
        if self.minor < 0 or whole <= 0 or min(weights) < 0:
            raise ValueError("only a positive or zero amount is shared, by weights of which one is positive")
        parts = [self.minor * weight // whole for weight in weights]
        leftover = self.minor - sum(parts)
        order = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
        for index in order[:leftover]:
            parts[index] += 1
        return tuple(Money(minor=part, currency=self.currency) for part in parts)

    def plain(self) -> str:
        """The amount with its decimals and a point, no separators: '1250.00', '-0.05', '1250' (JPY)."""
        places = exponent(self.currency)
        sign = "-" if self.minor < 0 else ""
        digits = str(abs(self.minor)).rjust(places + 1, "0")
        return f"{sign}{digits}" if places == 0 else f"{sign}{digits[:-places]}.{digits[-places:]}"

    def as_decimal(self) -> Decimal:
        """The amount as a Decimal, for formatting by a locale only; never for arithmetic."""
        return Decimal(self.plain())


def total(amounts: Iterable[Money], *, currency: str) -> Money:
    """The sum, zero for none; every amount must be in that currency."""
    result = Money.zero(currency)
    for amount in amounts:
        result += amount
    return result


def parse_amount(text: str, currency: str) -> Money:
    """Read what a person typed: '1250', '1,250.00', '1.250,00', '1 250,5'; never guesses.

    Raises MoneyError naming the rule: amount_empty, amount_unreadable, amount_ambiguous, amount_too_precise,
    amount_out_of_range.
    """
    places = exponent(currency)
    cleaned = text.strip().replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace("'", "")
    if not cleaned:
        raise MoneyError("amount_empty", "Enter an amount.")
    if len(cleaned) > 24 or not cleaned.isascii() or cleaned.strip("+-0123456789.,"):
        raise MoneyError("amount_unreadable", f"“{text.strip()[:24]}” is not an amount. Use digits, such as 1250.00.")
    try:
        value = Decimal(_with_one_point(cleaned, places, text))
    except InvalidOperation as unreadable:
        raise MoneyError(
            "amount_unreadable", f"“{text.strip()[:24]}” is not an amount. Use digits, such as 1250.00."
        ) from unreadable
    minor = value.scaleb(places)
    if minor != minor.to_integral_value():
        raise MoneyError("amount_too_precise", f"{currency} has {places} decimal places; that amount has more.")
    return Money.of(int(minor), currency)


def _with_one_point(cleaned: str, places: int, original: str) -> str:
    """Decide which of . and , is the decimal mark; refuse what could be read in two ways."""
    marks = [mark for mark in ".," if mark in cleaned]
    if len(marks) == 2:
        decimal = max(marks, key=cleaned.rindex)
        grouping = "," if decimal == "." else "."
        whole, _, rest = cleaned.rpartition(decimal)
        if decimal in whole or not _is_grouped(whole.split(grouping)):
            raise MoneyError("amount_unreadable", f"“{original.strip()[:24]}” is not an amount.")
        return f"{whole.replace(grouping, '')}.{rest}"
    if not marks:
        return cleaned
    mark = marks[0]
    parts = cleaned.split(mark)
    if len(parts) > 2:
        if not _is_grouped(parts):
            raise MoneyError("amount_unreadable", f"“{original.strip()[:24]}” is not an amount.")
        return "".join(parts)
    if len(parts[1]) == 3 and _is_grouped(parts):
        if places == 0 or (places == 2 and mark == ","):
            return "".join(parts)
        # '1,250' is a thousand and more in one country, one and a quarter in another.
        if places == 2 or mark == ",":
            raise MoneyError(
                "amount_ambiguous", f"“{original.strip()[:24]}” can be read in two ways. Write 1250.00 or 1.25."
            )
    return f"{parts[0]}.{parts[1]}"


def _is_grouped(parts: Sequence[str]) -> bool:
    # Nobody writes a thousand as '0,001': a leading zero says that what follows are decimals.
    first = parts[0].lstrip("+-")
    return 1 <= len(first) <= 3 and first[0] != "0" and all(len(part) == 3 for part in parts[1:])
