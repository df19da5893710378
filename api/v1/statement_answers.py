"""What programs read of a customer's statements of account. A promise: fields are added, never changed."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from api.v1.answers import Told
from api.v1.fields import CustomerId, InvoiceId
from domain.statements import Act


class Ages(Told):
    """What is open, by days past due."""

    not_due: int
    days_1_to_30: int
    days_31_to_60: int
    days_61_to_90: int
    over_90_days: int


class OpenInvoice(Told):
    """An invoice of which something was open; `days_late` is null until past due, 0 on the day itself."""

    id: InvoiceId
    number: str
    site: str | None
    issued_on: date
    due_on: date
    days_late: int | None
    total: int
    open: int


class OpenCredit(Told):
    """What was unapplied of a credit or a payment, since when."""

    act: Act
    document: str
    on: date
    left: int


class StatementLine(Told):
    """What happened: what it changed of what is owed and of what is unapplied, and both (`balance`, `left`) after it."""

    on: date
    act: Act
    document: str
    about: list[str]
    owed: int
    unapplied: int
    balance: int
    left: int


class StatementSection(Told):
    """A statement in one currency. `net` is the balance less what is unapplied.

    What is open has `overdue`, `ages`, `invoices` and `credits`; transactions have the opening figures and `lines`.
    """

    currency: str
    balance: int
    unapplied: int
    net: int
    overdue: int | None = None
    ages: Ages | None = None
    invoices: list[OpenInvoice] | None = None
    credits: list[OpenCredit] | None = None
    opening_balance: int | None = None
    opening_unapplied: int | None = None
    lines: list[StatementLine] | None = None


class Statement(Told):
    """A statement of account. `day` is that of `as_of` where the customer is; of now, what is dated ahead counts too."""

    customer_id: CustomerId
    kind: Literal["open", "transactions"]
    as_of: datetime
    day: date
    is_now: bool
    from_on: date | None = Field(description="The first day of a list of transactions.")
    sections: list[StatementSection]
