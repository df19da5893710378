"""What happened to a payment or a set-up, in the customer's words: what was, what is, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from api.formatting import Writer
from api.portal.overview import person
from domain.lifecycles import IN_FLIGHT, WITHOUT_MONEY, PaymentState, SetupState
from domain.refusals import RULES, Refusal
from store.views.payments import Event, PaymentPage, SetupPage

_REASONS: Final = {
    "insufficient_funds": "the account does not hold enough",
    "card_expired": "the card has expired",
    "card_declined": "the bank said no and gave no reason",
    "declined": "the bank said no and gave no reason",
    "processing_error": "the bank could not process it",
    "authentication_failed": "the bank's check was not passed",
    "account_closed": "the account is closed",
    "no_account": "there is no such account",
    "debit_not_authorized": "the account's holder did not allow it",
    "canceled": "it was stopped on the provider's page",
}


class Step(NamedTuple):
    """One line of the story; `mood` is '', 'is-now', 'is-next' or 'went-wrong'."""

    words: str
    more: str
    when: str
    mood: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A page's badge, its steps, and how often the page should look again (seconds; 0 for never)."""

    badge: str
    colour: str
    steps: tuple[Step, ...]
    look_again_seconds: int = 0


def reason(code: str | None) -> str:
    """Why a bank said no, in words; a code that we do not know is not shown."""
    return _REASONS.get(code or "", "the bank said no and gave no reason")


def refusal_of(rule: str | None, facts: object) -> Refusal:
    """The refusal that is stored with a process."""
    known = rule if rule is not None and rule in RULES else "not_found"
    return for_customers(Refusal(rule=known, facts=dict(facts) if isinstance(facts, dict) else {}))


def for_customers(refusal: Refusal) -> Refusal:
    """The refusal with who pays named as one may name them to a colleague."""
    if "by" not in refusal.facts:
        return refusal
    return Refusal(rule=refusal.rule, facts={**refusal.facts, "by": person(str(refusal.facts["by"]))})


def of_payment(payment: PaymentPage, write: Writer, *, business: str, email: str | None) -> Story:
    """The story of a payment."""
    steps = [step for event in payment.events if (step := _told(event, payment, write, business, email)) is not None]
    steps += _ahead(payment, write, business)
    badge, colour = _badge(payment, write)
    return Story(badge=badge, colour=colour, steps=tuple(steps), look_again_seconds=_pace(payment))


def _pace(payment: PaymentPage) -> int:
    if payment.state is PaymentState.PROCESSING:
        return 30
    if payment.state in IN_FLIGHT:
        return 2
    return 5 if payment.state is PaymentState.CAPTURED and not payment.is_posted else 0


def _badge(payment: PaymentPage, write: Writer) -> tuple[str, str]:
    words = {
        PaymentState.CHARGING: ("In progress", "state-blue"),
        PaymentState.AWAITING_CUSTOMER: ("Waiting for you", "state-yellow"),
        PaymentState.PROCESSING: ("On its way", "state-azure"),
        PaymentState.UNKNOWN: ("We don't know yet", "state-yellow"),
        PaymentState.CAPTURED: ("Paid", "state-green"),
        PaymentState.SETTLED: ("Paid and settled", "state-green"),
        PaymentState.REFUSED: ("Not started", "state-grey"),
        PaymentState.DECLINED: ("Declined", "state-red"),
        PaymentState.FAILED: ("Failed", "state-red"),
        PaymentState.CANCELED: ("Cancelled", "state-grey"),
        PaymentState.EXPIRED: ("Expired", "state-grey"),
        PaymentState.RETURNED: ("Returned", "state-red"),
        PaymentState.DISPUTED: ("Questioned by the bank", "state-purple"),
    }
    label, colour = words[payment.state]
    if payment.state in _HERE and (told := refund_badge(payment.captured, payment.refunding, payment.refunded)):
        return told
    if payment.state is PaymentState.PROCESSING and payment.expected_on is not None:
        began = payment.opened_at.astimezone(write.time_zone).date()
        day, days = (write.today - began).days + 1, (payment.expected_on - began).days + 1
        if 1 <= day <= days:
            label = f"On its way · day {day} of {days}"
    return label, colour


_HERE: Final = frozenset({PaymentState.CAPTURED, PaymentState.SETTLED})


def refund_badge(captured: int, refunding: int, refunded: int) -> tuple[str, str] | None:
    """What a payment's badge says of its refunds; None where nothing went back and nothing is on its way."""
    if refunding:
        return "Refund on its way", "state-azure"
    if refunded:
        return ("Refunded", "state-grey") if refunded == captured else ("Partly refunded", "state-green")
    return None


def badge_of(state: str, *, captured: int = 0, refunding: int = 0, refunded: int = 0) -> tuple[str, str]:
    """The badge of a payment in a list."""
    if state in _HERE and (told := refund_badge(captured, refunding, refunded)):
        return told
    labels = {
        "charging": ("In progress", "state-blue"),
        "awaiting_customer": ("Waiting for you", "state-yellow"),
        "processing": ("On its way", "state-azure"),
        "unknown": ("We don't know yet", "state-yellow"),
        "captured": ("Paid", "state-green"),
        "settled": ("Paid", "state-green"),
        "refused": ("Not started", "state-grey"),
        "declined": ("Declined", "state-red"),
        "failed": ("Failed", "state-red"),
        "canceled": ("Cancelled", "state-grey"),
        "expired": ("Expired", "state-grey"),
        "returned": ("Returned", "state-red"),
        "disputed": ("Questioned by the bank", "state-purple"),
    }
    return labels[state]


def _told(event: Event, payment: PaymentPage, write: Writer, business: str, email: str | None) -> Step | None:
    """One event as the customer reads it; None for what only staff need."""
    count = len(payment.covered)
    what = "1 invoice" if count == 1 else f"{count} invoices"
    why = reason(event.facts.get("code"))
    mail = f"A receipt goes to {email}." if email else ""
    is_card = payment.method_kind.is_card
    words = {
        "opened": (f"You asked to pay {what}", "", ""),
        "held": ("Kept for you: nobody else can pay them meanwhile", "", ""),
        "redirected": ("You were sent to the payment provider's page", "", ""),
        "processing": ("Your bank accepted the payment" if is_card else "Your bank accepted the debit", "", ""),
        "unknown": ("The payment provider did not answer in time", "It may have gone through, or not.", "went-wrong"),
        "captured": ("Payment received", mail, ""),
        "settled": ("Settled", "", ""),
        "posting_confirmed": (f"Entered in the books of {business}", _number(event), ""),
        "declined": (f"Declined: {why}", "Nothing was charged. The invoices are open again.", "went-wrong"),
        "failed": (f"Failed: {why}", "Nothing was charged. The invoices are open again.", "went-wrong"),
        "canceled": ("Cancelled before anything was charged", "The invoices are open again.", "went-wrong"),
        "expired": ("Not completed in time", "Nothing was charged. The invoices are open again.", "went-wrong"),
        "returned": (f"Your bank took the money back: {why}", "The invoices are open again.", "went-wrong"),
        "refund_sent": ("A refund is on its way to you", "No balance changes before it has left.", ""),
        "refunded": (f"Refunded: {_back(event, payment, write)}", "What it takes off an invoice is open again.", ""),
        "refund_failed": ("The refund did not go through", "Nothing has changed.", "went-wrong"),
        "refund_came_back": ("Your bank did not take the refund", f"The money is with {business} again.", "went-wrong"),
        "disputed": ("Your bank has asked about this payment", f"{business} answers the bank.", "went-wrong"),
        "dispute_won": ("Your bank has decided: the payment stands", "The invoices stay paid.", ""),
        "dispute_lost": (f"Your bank took the money back: {why}", "The invoices are open again.", "went-wrong"),
        "refused": ("Not started", "Nothing was charged.", "went-wrong"),
        "adopted": (f"It came later than expected; {business} keeps what is left over for you", "", ""),
        "applied": ("Money that was kept for you went to an invoice", "", ""),
        "posting_on_account": ("Taken off its invoices", f"{business} keeps the money for you.", ""),
    }
    if event.kind not in words or event.facts.get("posting") == "surplus":  # between the business and its books
        return None
    told, more, mood = words[event.kind]
    return Step(told, more, write.moment(event.at), mood)


def _back(event: Event, payment: PaymentPage, write: Writer) -> str:
    return write.money(int(event.facts.get("minor", 0)), payment.currency)


def _number(event: Event) -> str:
    number = event.facts.get("number")
    return f"As {number}." if number and event.facts.get("posting", "payment") == "payment" else ""


def _ahead(payment: PaymentPage, write: Writer, business: str) -> list[Step]:
    """What is going on now, and what comes after it."""
    if payment.state is PaymentState.CHARGING:
        return [Step("Asking the payment provider to take the payment", "", "now", "is-now"), _next("Paid")]
    if payment.state is PaymentState.AWAITING_CUSTOMER:
        more = "You can go on there, or close this page: we look again by ourselves."
        return [Step("Waiting for you on the provider's page", more, "now", "is-now"), _next("Paid")]
    if payment.state is PaymentState.PROCESSING:
        expected = f"expected {write.weekday(payment.expected_on)}" if payment.expected_on else ""
        more = "If it is returned, the invoices open again and we tell you the same day."
        return [Step("Waiting for your bank to send the money", more, expected, "is-now"), _next("Settled")]
    if payment.state is PaymentState.UNKNOWN:
        return [_asking(payment, write), _next("Paid, or open again")]
    if payment.state is PaymentState.CAPTURED and not payment.is_posted:
        more = "You need not wait: your payment counts from now on."
        return [Step(f"Being entered in the books of {business}", more, "", "is-now")]
    return []


def _next(words: str) -> Step:
    return Step(words, "", "", "is-next")


def _asking(payment: PaymentPage, write: Writer) -> Step:
    """C9: when it was asked last, when next, and that nothing is charged twice meanwhile."""
    last = f"Last asked at {_exact(payment.last_checked_at, write)}. " if payment.last_checked_at else ""
    safe = "Your invoices stay kept, so nothing can be charged twice. If it lasts, our staff are told and ask by hand."
    if payment.next_check_at is None:
        return Step("We don't know yet: asking the provider", last + safe, "now", "is-now")
    told = f"We don't know yet: asking again at {_exact(payment.next_check_at, write)}"
    return Step(told, last + safe, "", "is-now")


def _exact(at: datetime, write: Writer) -> str:
    return write.moment(at)


def is_over_without_money(payment: PaymentPage) -> bool:
    """Ended, and nothing was taken: the page offers to try again."""
    return payment.state in WITHOUT_MONEY or payment.state in {PaymentState.REFUSED, PaymentState.RETURNED}


def of_setup(setup: SetupPage, write: Writer) -> Story:
    """The story of a method's set-up."""
    what = "card" if setup.kind.is_card else "bank account"
    why = reason(setup.failure_code)
    told = {
        "opened": (f"You asked to save a {what}", "", ""),
        "redirected": ("You were sent to the payment provider's page", "", ""),
        "verifying": ("Your bank is asked to confirm the account", "", ""),
        "completed": (f"Your {what} is saved", "You can pay with it now.", ""),
        "canceled": ("Cancelled before anything was saved", "", "went-wrong"),
        "expired": ("Not completed in time", "Nothing was saved.", "went-wrong"),
        "failed": (f"Not saved: {why}", "", "went-wrong"),
        "refused": ("Not started", "", "went-wrong"),
    }
    steps = [
        Step(told[event.kind][0], told[event.kind][1], write.moment(event.at), told[event.kind][2])
        for event in setup.events
        if event.kind in told
    ]
    badge, colour, ahead, seconds = _setup_now(setup)
    return Story(badge=badge, colour=colour, steps=(*steps, *ahead), look_again_seconds=seconds)


def _setup_now(setup: SetupPage) -> tuple[str, str, list[Step], int]:
    if setup.state is SetupState.STARTED:
        return "In progress", "state-blue", [Step("Opening the payment provider's page", "", "now", "is-now")], 2
    if setup.state is SetupState.REDIRECTED:
        more = "You can go on there, or close this page: we look again by ourselves."
        ahead = [Step("Waiting for you on the provider's page", more, "now", "is-now"), _next("Saved")]
        return "Waiting for you", "state-yellow", ahead, 2
    if setup.state is SetupState.VERIFYING:
        more = "This takes one to three working days. It cannot be used until then."
        return "Being confirmed", "state-azure", [Step("Waiting for your bank", more, "", "is-now"), _next("Saved")], 30
    ends = {
        SetupState.COMPLETED: ("Saved", "state-green"),
        SetupState.CANCELED: ("Cancelled", "state-grey"),
        SetupState.EXPIRED: ("Expired", "state-grey"),
        SetupState.FAILED: ("Not saved", "state-red"),
        SetupState.REFUSED: ("Not started", "state-grey"),
    }
    return (*ends[setup.state], [], 0)
