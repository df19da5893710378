"""Which setting stands on which page, in which words, and by which kind of field it is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["text", "colour", "switch", "number", "choice", "amounts", "columns", "ticks", "days"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting as it is asked for. `unit` stands behind a number; `empty` says what no value means,
    `ticks` what can be ticked and in which words."""

    name: str
    label: str
    kind: Kind
    hint: str = ""
    unit: str = ""
    empty: str = ""
    ticks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One page. Its parts are headings with the fields below them."""

    slug: str
    title: str
    hint: str
    parts: Sequence[tuple[str, Sequence[Field]]]

    @property
    def fields(self) -> Sequence[Field]:
        """Every field of the page, in its order."""
        return [each for _, fields in self.parts for each in fields]


CHOICES: Final[Mapping[str, str]] = {
    "none": "No minimum",
    "overdue": "Everything that is overdue",
    "due": "Everything that is due today or before",
    "total": "The whole balance",
}
COLUMN_WORDS: Final[Mapping[str, str]] = {
    "number": "Invoice",
    "issued": "Issued",
    "due": "Due",
    "status": "Status",
    "total": "Total",
    "open": "To pay",
}
FORM_WORDS: Final[Mapping[str, str]] = {"pdf": "PDF", "xlsx": "Excel (XLSX)", "csv": "CSV"}
DAY_WORDS: Final[Mapping[str, str]] = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


def _switch(name: str, label: str, hint: str = "") -> Field:
    return Field(name=name, label=label, kind="switch", hint=hint)


def _number(name: str, label: str, unit: str, hint: str = "") -> Field:
    return Field(name=name, label=label, kind="number", unit=unit, hint=hint)


def _amounts(name: str, label: str, hint: str, empty: str) -> Field:
    return Field(name=name, label=label, kind="amounts", hint=hint, empty=empty)


GROUPS: Final[Sequence[Group]] = (
    Group(
        slug="business",
        title="Your business",
        hint="How customers know you, on every page and in every mail.",
        parts=(
            (
                "Your business",
                (
                    Field(name="business_name", label="Name", kind="text"),
                    Field(name="accent_colour", label="Accent colour", kind="colour", hint="Buttons and links."),
                    Field(name="contact_email", label="Contact e-mail", kind="text", empty="No contact is shown"),
                    Field(
                        name="time_zone",
                        label="Time zone",
                        kind="text",
                        hint="For staff, and for customers of whom none is known. Written as Europe/London.",
                    ),
                ),
            ),
        ),
    ),
    Group(
        slug="customers",
        title="What customers see",
        hint="Holds for every customer, from their next page on.",
        parts=(
            (
                "Balances",
                (
                    _switch("show_overdue_balance", "Overdue balance"),
                    _switch("show_balance", "Balance"),
                    _switch("show_amount_selected", "Amount selected"),
                    _switch("show_invoices_to_pay", "How many invoices are selected"),
                ),
            ),
            (
                "Tabs",
                (
                    _switch("show_payments", "Payments"),
                    _switch("show_methods", "Payment methods", "Where customers add and delete what they pay with."),
                    _switch("show_credits", "Credit notes and unapplied payments"),
                    _switch("show_statements", "Statements"),
                    Field(
                        name="statement_formats",
                        label="Statements are given as",
                        kind="ticks",
                        ticks=FORM_WORDS,
                        hint="With none, customers read them on the page.",
                        empty="Only the page",
                    ),
                ),
            ),
            (
                "Invoices",
                (
                    Field(
                        name="columns",
                        label="Columns of the list",
                        kind="columns",
                        hint="In this order on a wide screen. A phone shows what is chosen in two lines.",
                    ),
                    _switch("exclude_paused", "Leave out paused invoices", "From lists, balances and payments."),
                    _switch("show_contact", "Show whom to ask", "On each invoice and payment."),
                ),
            ),
        ),
    ),
    Group(
        slug="paying",
        title="Paying",
        hint="Each rule holds on the portal and for programs alike.",
        parts=(
            (
                "Ways to pay",
                (
                    _switch("one_time_payment", "Once, with a method that is not kept"),
                    _switch("charge_on_file", "With a saved method", "With both off, nobody can pay here."),
                    _amounts(
                        "card_limit",
                        "Largest payment by card",
                        "The limit itself is allowed. Above it customers pay from a bank account.",
                        "No limit",
                    ),
                ),
            ),
            (
                "Payment by bank",
                (
                    Field(
                        name="bank_account",
                        label="Account that it goes to",
                        kind="text",
                        hint="An IBAN, or a sort code and number. With it, customers whose country and currency a connected "
                        "provider serves may pay by bank with one click.",
                        empty="No payments by bank",
                    ),
                    Field(
                        name="bank_account_holder", label="Whose account it is", kind="text", empty="Your business's name"
                    ),
                ),
            ),
            (
                "How much",
                (
                    _switch("partial_payment", "An invoice may be paid in part"),
                    _amounts(
                        "minimum_partial",
                        "Smallest payment in part",
                        "Where less than that is open, the whole balance is the minimum.",
                        "No minimum",
                    ),
                    Field(name="minimum_payment", label="Smallest payment", kind="choice"),
                ),
            ),
            (
                "Which invoices",
                (
                    _switch("pay_disputed", "Invoices in dispute may be paid"),
                    _switch("pay_instalments", "Invoices in instalments may be paid"),
                ),
            ),
        ),
    ),
    Group(
        slug="requests",
        title="Requests",
        hint="What customers may ask you to do. Requests that are already open run on.",
        parts=(
            (
                "Customers may ask to use",
                (
                    _switch("requests_credit_notes", "Credit notes"),
                    _switch(
                        "requests_prepayments",
                        "Prepayments and overpayments",
                        "Both need the tab Credit notes and unapplied payments, under What customers see.",
                    ),
                ),
            ),
        ),
    ),
    Group(
        slug="deciding",
        title="Deciding",
        hint="How staff decide, and what happens while nobody does.",
        parts=(
            (
                "Approval",
                (
                    _amounts(
                        "approval_limit",
                        "A second person above",
                        "Larger approvals and refunds need two people.",
                        "One person decides",
                    ),
                ),
            ),
            (
                "When a request waits",
                (
                    _number("reminder_working_days", "Remind staff after", "working days"),
                    _number("escalation_working_days", "Tell approvers after", "working days"),
                    _number("request_expiry_days", "Expire after", "days"),
                ),
            ),
            (
                "Working days",
                (
                    Field(name="working_week", label="Days on which you work", kind="ticks", ticks=DAY_WORDS),
                    Field(
                        name="holidays",
                        label="Holidays",
                        kind="days",
                        hint="One a line, as 2026-12-25.",
                        empty="No holidays",
                    ),
                ),
            ),
        ),
    ),
    Group(
        slug="links",
        title="Links and sessions",
        hint="How long a customer's way in stays open. Holds for links and sessions that are new.",
        parts=(
            (
                "Links and sessions",
                (
                    _number("link_days", "A portal link works for", "days"),
                    _number("session_hours", "A session lasts", "hours"),
                ),
            ),
            (
                "Staff",
                (
                    _switch(
                        "require_second_factor",
                        "Every member of staff needs a second factor",
                        "Whoever has none can only reach the page that sets it up.",
                    ),
                ),
            ),
        ),
    ),
)
BY_SLUG: Final[Mapping[str, Group]] = {each.slug: each for each in GROUPS}


def page_of(name: str) -> Group | None:
    """The page that a setting stands on."""
    return next((group for group in GROUPS if any(each.name == name for each in group.fields)), None)
