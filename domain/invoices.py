"""Invoices: the status that a person sees, what counts as owed, what may be chosen, and how late it is.

`open` and `available` are computed by the store from the ERP's snapshot and our own rows (the balance rule); here they
are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.business import BusinessSettings


class InvoiceStatus(StrEnum):
    """One at a time, in this order of precedence. Overdue is a mark, not a status."""

    WRITTEN_OFF = "written_off"
    CLOSED = "closed"
    PAID = "paid"
    REQUESTED = "requested"
    PAYMENT_PENDING = "payment_pending"
    IN_DISPUTE = "in_dispute"
    IN_INSTALMENTS = "in_instalments"
    PARTIALLY_PAID = "partially_paid"
    OPEN = "open"


COUNTED = frozenset(
    {
        InvoiceStatus.OPEN,
        InvoiceStatus.PARTIALLY_PAID,
        InvoiceStatus.IN_INSTALMENTS,
        InvoiceStatus.IN_DISPUTE,
        InvoiceStatus.PAYMENT_PENDING,
        InvoiceStatus.REQUESTED,
    }
)
"""What Balance adds up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFacts:
    """What a decision needs to know of one invoice; amounts in minor units of `currency`.

    `erp_status` is the ERP's translated state: draft, open, paid, in_dispute, in_instalments, written_off, closed,
    void or unknown. `open_minor` may be negative when a person paid twice in the ERP. `requested_minor` is the part of
    `held_minor` that open requests hold.
    """

    id: str
    customer_id: str
    number: str
    currency: str
    issued_on: date
    due_on: date
    erp_status: str
    is_parent: bool
    paused: bool
    total_minor: int
    open_minor: int
    held_minor: int
    held_by: str | None = None
    held_since: str | None = None
    requested_minor: int = 0

    @property
    def available_minor(self) -> int:
        """What a new payment may still take: at least zero."""
        return max(max(self.open_minor, 0) - self.held_minor, 0)


def status_of(invoice: InvoiceFacts) -> InvoiceStatus:
    """The status a person sees. The figures win over the ERP's word 'paid': our own returns are in the figures."""
    if invoice.erp_status == "written_off":
        return InvoiceStatus.WRITTEN_OFF
    if invoice.erp_status == "closed":
        return InvoiceStatus.CLOSED
    if invoice.open_minor <= 0:
        return InvoiceStatus.PAID
    if invoice.requested_minor >= invoice.open_minor:
        return InvoiceStatus.REQUESTED
    if invoice.held_minor >= invoice.open_minor:
        return InvoiceStatus.PAYMENT_PENDING
    if invoice.erp_status == "in_dispute":
        return InvoiceStatus.IN_DISPUTE
    if invoice.erp_status == "in_instalments":
        return InvoiceStatus.IN_INSTALMENTS
    # A state of the ERP that we do not know shows as open (and cannot be chosen), whatever was paid of it.
    if invoice.open_minor < invoice.total_minor and invoice.erp_status != "unknown":
        return InvoiceStatus.PARTIALLY_PAID
    return InvoiceStatus.OPEN


def is_visible(invoice: InvoiceFacts, settings: BusinessSettings) -> bool:
    """Drafts, void ones and (while the setting is on) paused ones exist for no customer, by no route."""
    return invoice.erp_status not in {"draft", "void"} and not (invoice.paused and settings.exclude_paused)


def why_not_payable(invoice: InvoiceFacts, settings: BusinessSettings) -> str | None:
    """None when it may be chosen, else the reason in words. 'paid' and 'being paid' have rules of their own."""
    status = status_of(invoice)
    if status in {InvoiceStatus.OPEN, InvoiceStatus.PARTIALLY_PAID}:
        return "its state in our books is being checked" if invoice.erp_status == "unknown" else None
    if status is InvoiceStatus.IN_DISPUTE:
        return None if settings.pay_disputed else "it is in dispute"
    if status is InvoiceStatus.IN_INSTALMENTS:
        return None if settings.pay_instalments else "it is being paid in instalments"
    reasons = {
        InvoiceStatus.WRITTEN_OFF: "it has been written off",
        InvoiceStatus.CLOSED: "it is closed",
        InvoiceStatus.PAID: "it is paid",
        InvoiceStatus.PAYMENT_PENDING: "a payment for it is on its way",
        InvoiceStatus.REQUESTED: "a request to apply a credit to it is open",
    }
    return reasons[status]


def is_overdue(invoice: InvoiceFacts, *, today: date) -> bool:
    """Due before today, in the customer's time zone, and still owed."""
    return status_of(invoice) in COUNTED and invoice.due_on < today


def days_late(*, due_on: date, today: date, paid_on: date | None) -> int | None:
    """Days past due: None until due, 0 on the due day, frozen at the day it was paid."""
    until = min(paid_on, today) if paid_on is not None else today
    days = (until - due_on).days
    return days if days >= 0 else None
