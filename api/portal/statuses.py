"""The words and colours of an invoice's status, and why one cannot be chosen."""

from __future__ import annotations

from datetime import date
from typing import Final

from domain.business import BusinessSettings
from domain.invoices import COUNTED, InvoiceStatus, days_late

TAGS: Final = {
    InvoiceStatus.OPEN: ("Open", "state-blue"),
    InvoiceStatus.PARTIALLY_PAID: ("Partially paid", "state-yellow"),
    InvoiceStatus.REQUESTED: ("Requested", "state-azure"),
    InvoiceStatus.PAYMENT_PENDING: ("Payment pending", "state-azure"),
    InvoiceStatus.IN_DISPUTE: ("In dispute", "state-purple"),
    InvoiceStatus.IN_INSTALMENTS: ("In instalments", "state-indigo"),
    InvoiceStatus.PAID: ("Paid", "state-green"),
    InvoiceStatus.CLOSED: ("Closed", "state-grey"),
    InvoiceStatus.WRITTEN_OFF: ("Written off", "state-grey"),
}


def tag(shown: str, *, is_overdue: bool) -> tuple[str, str]:
    """The word and the class of its badge. Overdue is a mark: it takes the badge of an invoice that is merely open."""
    if is_overdue and shown == InvoiceStatus.OPEN:
        return "Overdue", "state-red"
    return TAGS[InvoiceStatus(shown)]


def lateness(shown: str, *, due_on: date, paid_on: date | None, today: date) -> tuple[str, bool]:
    """'41 days late' and whether that is a reproach; '' until it is due. Frozen once paid."""
    is_owed = InvoiceStatus(shown) in COUNTED
    if not is_owed and paid_on is None:
        return "", False
    days = days_late(due_on=due_on, today=today, paid_on=None if is_owed else paid_on)
    if days is None:
        return "", False
    if days == 0:
        return ("due today", False) if is_owed else ("", False)
    words = f"{days} day{'' if days == 1 else 's'} late"
    return (words, True) if is_owed else (f"paid {words}", False)


def obstacle(shown: str, erp_status: str, settings: BusinessSettings) -> str:
    """Why an invoice that is owed cannot be chosen, in a few words; '' when it can or when its badge says it."""
    if not settings.may_pay:
        return ""
    if shown in {InvoiceStatus.OPEN, InvoiceStatus.PARTIALLY_PAID} and erp_status == "unknown":
        return "its state is being checked"
    if shown == InvoiceStatus.IN_DISPUTE and not settings.pay_disputed:
        return "not payable here while in dispute"
    if shown == InvoiceStatus.IN_INSTALMENTS and not settings.pay_instalments:
        return "paid by its instalments"
    return ""
