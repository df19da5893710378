"""The business's own settings, with defaults that are safe for a business that sets nothing (H9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.money import Money, MoneyError

MinimumBasis = Literal["none", "overdue", "due", "total"]
MOST_INVOICES: Final = 200
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COLUMNS: Final = ("number", "issued", "due", "status", "total", "open")
FIXED_COLUMNS: Final = ("number", "open")  # which invoice, and what is left to pay of it
STATEMENT_FORMATS: Final = ("pdf", "xlsx", "csv")
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "link_days": (1, 90),
    "session_hours": (1, 24),
    "reminder_working_days": (1, 30),
    "escalation_working_days": (1, 60),
    "request_expiry_days": (1, 365),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessSettings:
    """One version of every setting. Amounts by currency are minor units: {'USD': 1000000}."""

    business_name: str = "Your supplier"
    accent_colour: str = "#0f5a4a"
    contact_email: str = ""
    time_zone: str = "UTC"  # for customers of whom none is known
    bank_account_holder: str = ""
    bank_account: str = ""  # IBAN, or sort code and number; with it, customers may pay by bank
    show_overdue_balance: bool = True
    show_balance: bool = True
    show_amount_selected: bool = True
    show_invoices_to_pay: bool = True
    exclude_paused: bool = True
    pay_disputed: bool = False
    pay_instalments: bool = False
    partial_payment: bool = True
    minimum_partial: Mapping[str, int] = field(default_factory=dict)
    minimum_payment: MinimumBasis = "none"
    card_limit: Mapping[str, int] = field(default_factory=dict)
    one_time_payment: bool = True
    charge_on_file: bool = True
    show_payments: bool = True
    show_methods: bool = True
    columns: Sequence[str] = field(default_factory=lambda: list(COLUMNS))
    show_contact: bool = True
    requests_credit_notes: bool = True
    requests_prepayments: bool = True
    show_credits: bool = True
    show_statements: bool = True
    statement_formats: Sequence[str] = field(default_factory=lambda: list(STATEMENT_FORMATS))
    approval_limit: Mapping[str, int] = field(default_factory=dict)
    reminder_working_days: int = 2
    escalation_working_days: int = 5
    request_expiry_days: int = 30
    working_week: Sequence[str] = field(default_factory=lambda: list(WEEKDAYS[:5]))
    holidays: Sequence[str] = field(default_factory=list)
    link_days: int = 90
    session_hours: int = 24
    require_second_factor: bool = False

    @property
    def may_pay(self) -> bool:
        """Both switches off: no boxes, no Pay."""
        return self.one_time_payment or self.charge_on_file

    @property
    def may_pay_by_bank(self) -> bool:
        """Customers approve a payment at their bank: it needs an account to go to, and keeps no method."""
        return bool(self.bank_account) and self.one_time_payment


def checked(name: str, value: object) -> object:
    """The value as it is stored, or ValueError with the reason; KeyError for a setting that does not exist."""
    default = {each.name: each for each in fields(BusinessSettings)}[name]
    kind = str(default.type)
    if kind == "bool":
        return _is(value, bool, "true or false")
    if kind == "str":
        return _text(name, str(_is(value, str, "a text")))
    if kind == "int":
        number = _is(value, int, "a whole number")
        low, high = _BOUNDS[name]
        if not low <= int(str(number)) <= high:
            raise ValueError(f"it must lie between {low} and {high}")
        return number
    if kind == "MinimumBasis":
        if value not in get_args(MinimumBasis):
            raise ValueError(f"it is one of {', '.join(get_args(MinimumBasis))}")
        return value
    if kind == "Sequence[str]":
        return _words(name, value)
    return _amounts(value)


def _is(value: object, kind: type, words: str) -> object:
    if type(value) is kind:
        return value
    raise ValueError(f"it must be {words}")


def _words(name: str, value: object) -> object:
    """The working week as three-letter words, the holidays as ISO dates, forms of files; sorted, each once. Columns keep
    their order.
    """
    if type(value) is not list or not all(type(each) is str for each in value):
        raise ValueError("it must be a list of texts")
    if name == "columns":
        return _columns(value)
    if name == "working_week":
        if not value or not set(value) <= set(WEEKDAYS):
            raise ValueError(f"it is one or more of {', '.join(WEEKDAYS)}")
        return [day for day in WEEKDAYS if day in value]
    if name == "statement_formats":
        if not set(value) <= set(STATEMENT_FORMATS):
            raise ValueError(f"it is made of {', '.join(STATEMENT_FORMATS)}")
        return [form for form in STATEMENT_FORMATS if form in value]
    if len(value) > 400:
        raise ValueError("it is too long")
    try:
        return sorted({date.fromisoformat(each).isoformat() for each in value})
    except ValueError:
        raise ValueError("it is written as 2026-12-25") from None


def _columns(value: list[str]) -> list[str]:
    if not set(value) <= set(COLUMNS):
        raise ValueError(f"it is made of {', '.join(COLUMNS)}")
    if len(set(value)) != len(value):
        raise ValueError("it names each column once")
    if not set(FIXED_COLUMNS) <= set(value):
        raise ValueError(f"it has {' and '.join(FIXED_COLUMNS)} in it")
    return list(value)


def _text(name: str, text: str) -> str:
    if len(text) > 200:
        raise ValueError("it is too long")
    if name == "accent_colour" and not _is_colour(text):
        raise ValueError("a colour is written as #0f5a4a")
    if name == "bank_account" and text and not is_bank_account(text):
        raise ValueError("an account is an IBAN whose check digits fit, or a sort code and number such as 20-00-00 55779911")
    if name == "time_zone" and not _is_time_zone(text):
        raise ValueError("a time zone is written as Europe/London")
    return text


def is_bank_account(text: str) -> bool:
    """An IBAN (ISO 13616: its remainder by 97 is 1), or a British sort code with an account number of eight digits."""
    bare = text.replace(" ", "").replace("-", "").upper()
    if bare.isdigit():
        return len(bare) == 14 and bare.isascii()
    if not (15 <= len(bare) <= 34 and bare.isalnum() and bare.isascii() and bare[:2].isalpha() and bare[2:4].isdigit()):
        return False
    return int("".join(str(int(each, 36)) for each in bare[4:] + bare[:4])) % 97 == 1


def _is_time_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_colour(text: str) -> bool:
    return len(text) == 7 and text[0] == "#" and all(c in "0123456789abcdefABCDEF" for c in text[1:])


def _amounts(value: object) -> object:
    words = 'it must be amounts in minor units by currency, such as {"USD": 1000000}'
    if type(value) is not dict:
        raise ValueError(words)
    for currency, minor in value.items():
        try:
            amount = Money.of(minor, currency)
        except MoneyError as unfit:
            raise ValueError(words) from unfit
        if amount.minor < 0:
            raise ValueError(words)
    return dict(value)


def from_rows(rows: Mapping[str, object]) -> BusinessSettings:
    """Settings from the stored values of each name; a name that no longer exists is left out."""
    known = {each.name for each in fields(BusinessSettings)}
    return BusinessSettings(**{name: value for name, value in rows.items() if name in known})  # type: ignore[arg-type]
