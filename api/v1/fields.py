"""What the fields of the JSON API are made of: ids, amounts, days and words, each with its form.

Amounts are whole numbers of the currency's minor unit (12500 is £125.00); times are UTC, dates plain days.
"""

import re
from datetime import date, datetime
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from domain.money import LARGEST_MINOR

MethodKind: TypeAlias = Literal["card", "us_bank_account", "sepa_debit", "bacs_debit", "instant_bank"]
PaymentState: TypeAlias = Literal[
    "charging", "awaiting_customer", "processing", "unknown", "captured", "settled", "refused", "declined", "failed",
    "canceled", "expired", "returned", "disputed",
]  # fmt: skip
ApplyState: TypeAlias = Literal[
    "opening", "refused", "submitted", "asked", "second", "posting", "posting_failed", "applied", "rejected", "withdrawn",
    "expired", "undoing", "undone",
]  # fmt: skip
CreditKind: TypeAlias = Literal["credit_note", "prepayment", "overpayment", "payment"]
RefundState: TypeAlias = Literal[
    "requested", "awaiting_second", "sent", "processing", "unknown", "refunded", "failed", "refused", "rejected"
]
SetupState: TypeAlias = Literal[
    "started", "redirected", "verifying", "completed", "refused", "canceled", "expired", "failed"
]
InvoiceStatus: TypeAlias = Literal[
    "written_off", "closed", "paid", "requested", "payment_pending", "in_dispute", "in_instalments", "partially_paid", "open"
]


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def _day(told: object) -> object:
    """A day as it is written here, and in no other way that could be read as one."""
    if not isinstance(told, str) or _DAY.fullmatch(told) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    return date.fromisoformat(told)


def _moment(told: object) -> object:
    """A moment in UTC to the second, and in no other way that could be read as one."""
    if not isinstance(told, str) or _MOMENT.fullmatch(told) is None or told < "19":
        raise ValueError("a moment is written YYYY-MM-DDTHH:MM:SSZ, and not before 1900")
    return datetime.fromisoformat(told)


def _switch(told: object) -> object:
    if told not in {"true", "false"}:
        raise ValueError("write true or false")
    return told == "true"


def _count(told: object) -> object:
    if not isinstance(told, str) or not told.isascii() or not told.isdigit() or len(told) > 3:
        raise ValueError("write a whole number of at most three digits")
    return int(told)


_TEXT: Final = r"^[^\x00-\x1f\x7f]*$"
ID_FORM: Final = "[0-9a-hjkmnp-tv-z]{26}"
Text: TypeAlias = Annotated[str, Field(pattern=_TEXT)]
Minor: TypeAlias = Annotated[int, Field(ge=1, lt=LARGEST_MINOR, description="In minor units of the currency.")]
CustomerId: TypeAlias = Annotated[str, Field(pattern=f"^cus_{ID_FORM}$", examples=["cus_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
ContactId: TypeAlias = Annotated[str, Field(pattern=f"^con_{ID_FORM}$", examples=["con_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
InvoiceId: TypeAlias = Annotated[str, Field(pattern=f"^inv_{ID_FORM}$", examples=["inv_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
PaymentId: TypeAlias = Annotated[str, Field(pattern=f"^pay_{ID_FORM}$", examples=["pay_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
RefundId: TypeAlias = Annotated[str, Field(pattern=f"^rfd_{ID_FORM}$", examples=["rfd_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
CreditId: TypeAlias = Annotated[str, Field(pattern=f"^crd_{ID_FORM}$", examples=["crd_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
RequestId: TypeAlias = Annotated[str, Field(pattern=f"^req_{ID_FORM}$", examples=["req_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
MethodId: TypeAlias = Annotated[str, Field(pattern=f"^pm_{ID_FORM}$", examples=["pm_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
SetupId: TypeAlias = Annotated[str, Field(pattern=f"^set_{ID_FORM}$", examples=["set_01kb8g3h5m7n9p1q3r5s7t9v1w"])]
CurrencyCode: TypeAlias = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["GBP"], description="ISO 4217.")]
Day: TypeAlias = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-22"]})
]
Moment: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T12:00:00Z"]}),
]
Switch: TypeAlias = Annotated[bool, BeforeValidator(_switch), WithJsonSchema({"type": "boolean"})]
Limit: TypeAlias = Annotated[
    int,
    Field(ge=1, le=200, description="How many rows at most."),
    BeforeValidator(_count),
]
Cursor: TypeAlias = Annotated[
    str | None, Field(max_length=400, description="`next_cursor` of the page before; the same filter goes with it.")
]
