"""Plain words for what timelines, states and logs say. A word that is not known here is shown as it is, never hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from api.staff.differences import SENTENCES
from domain.business import BusinessSettings
from domain.differences import CLASSES, DifferenceKind
from domain.methods import MethodKind
from store.access import PaymentOffer

_EVENTS: Final[Mapping[str, str]] = {
    "opened": "Opened",
    "held": "Invoices reserved",
    "redirected": "Sent to the provider's page",
    "processing": "Accepted; the bank confirms in some days",
    "unknown": "No answer: it may have happened",
    "still_unknown": "Asked again, still no answer",
    "captured": "Money taken",
    "settled": "Settled by the bank",
    "declined": "Declined",
    "failed": "Failed",
    "canceled": "Cancelled",
    "expired": "Page expired",
    "returned": "Taken back by the bank: invoices are open again",
    "disputed": "Disputed: the bank asks for the money back",
    "dispute_won": "Dispute won: the money stays, the invoices stay paid",
    "dispute_lost": "Dispute lost: invoices are open again",
    "refused": "Refused by a rule of ours",
    "adopted": "Money found at the provider and taken in",
    "refund_requested": "Refund asked for",
    "refund_approved": "Refund approved by a second person",
    "refund_rejected": "Refund rejected",
    "refund_sent": "Refund sent to the provider",
    "refunded": "Refunded: what it takes off invoices is open again",
    "refund_failed": "Refund failed: nothing has changed",
    "refund_came_back": "The refund came back after it had succeeded: booked back",
    "posting_sent": "Sent to the ERP",
    "posting_confirmed": "Confirmed by the ERP",
    "posting_refused": "Refused by the ERP",
    "posting_sent_again": "Sent to the ERP again by a person",
    "surplus_taken_back": "The ERP had it twice: one is taken back, by a person's decision",
    "posting_on_account": "To be entered in the ERP without its invoices, by a person's decision",
    "posting_ignored": "Not to be sent to the ERP, by a person's decision",
    "receipt_queued": "Receipt on its way",
    "verifying": "The bank account is being verified",
    "completed": "Method saved",
    "default_changed": "Made the default",
    "removed": "Removed",
    "remove_refused": "The provider refused to remove it",
    "submitted": "Asked for",
    "approved_first": "Approved by the first of two people",
    "approved": "Approved",
    "decided": "Decided",
    "answered": "The customer answered",
    "asked": "The customer was asked",
    "rejected": "Rejected",
    "withdrawn": "Withdrawn by the customer",
    "applied": "Applied in the ERP",
    "erp_said_no": "Refused by the ERP: with staff again",
    "reminded": "Staff were reminded",
    "escalated": "Approvers were told",
    "undoing": "Being taken off its invoices",
    "undone": "Taken off its invoices",
}
_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "charging": ("Being charged", "azure"),
    "awaiting_customer": ("Waits for the customer", "azure"),
    "processing": ("Processing", "azure"),
    "unknown": ("Outcome unknown", "orange"),
    "captured": ("Paid", "green"),
    "settled": ("Settled", "green"),
    "refused": ("Refused", "secondary"),
    "declined": ("Declined", "red"),
    "failed": ("Failed", "red"),
    "canceled": ("Cancelled", "secondary"),
    "expired": ("Expired", "secondary"),
    "returned": ("Returned", "red"),
    "disputed": ("Disputed", "red"),
    "requested": ("About to be sent", "azure"),
    "awaiting_second": ("Waits for a second person", "orange"),
    "refunded": ("Refunded", "green"),
    "partly_refunded": ("Partly refunded", "green"),
    "rejected": ("Rejected", "secondary"),
    "on_its_way": ("On its way", "azure"),
    "started": ("Starting", "azure"),
    "redirected": ("On the provider's page", "azure"),
    "verifying": ("Being verified", "azure"),
    "completed": ("Saved", "green"),
    "active": ("Active", "green"),
    "inactive": ("Inactive", "secondary"),
    "detaching": ("Being removed", "secondary"),
    "queued": ("Queued", "azure"),
    "asked": ("Being written", "azure"),
    "sent": ("Sent", "green"),
    "confirmed": ("Confirmed", "green"),
    "no_address": ("No address", "orange"),
    "open": ("Open", "azure"),
    "partially_paid": ("Partially paid", "azure"),
    "paid": ("Paid", "green"),
    "payment_pending": ("Payment pending", "azure"),
    "in_dispute": ("In dispute", "orange"),
    "in_instalments": ("In instalments", "azure"),
    "written_off": ("Written off", "secondary"),
    "closed": ("Closed", "secondary"),
}
_DELIVERY: Final[Mapping[str, str]] = {
    "received": "received, not yet looked at",
    "delivered": "woke the process",
    "handled": "handled",
    "stale": "stale: told nothing new",
    "duplicate": "duplicate: changed nothing",
    "refused": "refused: not believed",
    "parked": "parked: nobody knows its reference",
}
_ACTS: Final[Mapping[str, str]] = {
    "session_opened": "Opened the account by link",
    "link_created": "Created a portal link",
    "link_sent": "Sent a portal link",
    "links_revoked": "Revoked all portal links",
    "setup_started": "Started the set-up of a payment method",
    "payment_asked_for": "Asked for a payment through the API",
    "setup_asked_for": "Asked for the set-up of a payment method through the API",
    "connection_made": "Connected a payment provider",
    "connection_changed": "Changed a connection to a payment provider",
    "connection_secret_added": "Gave a connection a new key or secret",
    "connection_secret_ended": "Ended an older secret of a connection",
    "connection_consent_asked": "Went to a vendor to give a connection consent",
    "connection_consented": "Gave a connection consent",
    "connection_chosen": "Chose what a connection works with",
    "connection_checked": "Checked a connection to a payment provider",
    "connection_on": "Switched a connection on",
    "connection_off": "Switched a connection off",
    "method_default": "Made a payment method the default through the API",
    "method_removal": "Asked to remove a payment method through the API",
    "customer_viewed": "Looked at the customer",
    "payment_viewed": "Looked at a payment",
    "payout_viewed": "Looked at a payout",
    "signed_in": "Signed in",
    "sign_in_failed": "Failed to sign in",
    "code_refused": "Gave a wrong code after the right password",
    "password_link_asked": "Asked for a link to set a password",
    "password_set": "Set a password by a link",
    "password_changed": "Changed the own password",
    "sessions_ended": "Ended own sessions",
    "second_factor_on": "Switched the second factor on",
    "second_factor_off": "Switched the second factor off",
    "recovery_codes_renewed": "Made new recovery codes",
    "second_factor_reset": "Reset a colleague's second factor",
    "staff_added": "Added a member of staff",
    "staff_invited_again": "Invited a member of staff again",
    "staff_role_changed": "Changed a role",
    "staff_deactivated": "Deactivated a member of staff",
    "staff_reactivated": "Reactivated a member of staff",
    "view_began": "Began to view as the customer",
    "view_ended": "Stopped viewing as the customer",
    "log_viewed": "Looked at the access log",
    "log_exported": "Exported the access log",
    "export_downloaded": "Downloaded payments to be booked",
    "timeline_exported": "Exported a timeline",
    "statement_viewed": "Looked at a statement",
    "statement_exported": "Exported a statement",
    "document_exported": "Exported an invoice or a credit note",
    "refund_asked_for": "Asked for a refund",
    "refund_decided": "Decided about a refund",
    "inbox_taken": "Took up what waits in the inbox",
    "inbox_released": "Gave back what waits in the inbox",
    "difference_closed": "Closed a difference",
    "comparison_asked": "Let providers, books and ERPs be compared",
    "reading_asked": "Let an ERP be read now",
    "surplus_taken_back": "Had a document that was there twice taken back in the ERP",
    "posting_tried_now": "Asked for a document to be tried at the ERP at once",
    "posting_sent_again": "Sent to the ERP again what it had refused",
    "posting_on_account": "Put on account what the ERP had refused",
    "posting_ignored": "Decided that what the ERP refused is not sent again",
    "request_asked_for": "Asked for a credit to be applied through the API",
    "request_withdraw": "Withdrew a request to apply a credit through the API",
    "request_answer": "Answered about a request through the API",
    "request_approve": "Approved a request to apply a credit",
    "request_reject": "Rejected a request to apply a credit",
    "request_ask": "Asked the customer about a request",
    "request_undo": "Took an applied credit off its invoices",
    "setting_changed": "Changed a setting",
}
_WAITS: Final[Mapping[str, tuple[str, str]]] = {
    "unknown_outcome": ("Unknown outcome", "state-blue"),
    "erp_refused": ("ERP refused", "state-red"),
    "payment_disputed": ("Disputed", "state-red"),
    "payment_returned": ("Returned", "state-red"),
    "event_parked": ("Unmatched event", "state-grey"),
    "difference": ("Difference", "state-yellow"),
    "apply_request": ("Apply request", "state-azure"),
    "apply_failed": ("ERP refused", "state-red"),
    "refund_to_approve": ("Refund to approve", "state-yellow"),
    "refund_unknown": ("Unknown refund", "state-blue"),
}
KINDS: Final[Mapping[MethodKind, str]] = {
    MethodKind.CARD: "Card",
    MethodKind.US_BANK_ACCOUNT: "US bank account (ACH)",
    MethodKind.SEPA_DEBIT: "SEPA direct debit",
    MethodKind.BACS_DEBIT: "Bacs direct debit",
    MethodKind.INSTANT_BANK: "Payment approved at the bank",
}


_STREAMS: Final[Mapping[str, str]] = {
    "customers": "Customers",
    "invoices": "Invoices",
    "credits": "Credits",
    "payments": "Payments in its books",
    "quotes": "Quotes",
    "recurring": "Recurring invoices",
}


_PAYOUTS: Final[Mapping[str, tuple[str, str]]] = {
    "pending": ("On its way", "state-azure"),
    "paid": ("Paid", "state-green"),
    "failed": ("Sent back", "state-red"),
}
_PARTS: Final[Mapping[str, str]] = {
    "charge": "Charge",
    "refund": "Refund",
    "fee": "Fee",
    "dispute": "Taken back",
    "adjustment": "Adjustment",
}


def event(kind: str) -> str:
    """A timeline's event."""
    return _EVENTS.get(kind, kind.replace("_", " "))


def state(name: str) -> str:
    """A state of anything."""
    return _STATES.get(name, (name.replace("_", " "), ""))[0]


def colour(name: str) -> str:
    """The class of a state's badge, written out so that the style sheet keeps it."""
    return {
        "green": "state-green",
        "azure": "state-azure",
        "orange": "state-yellow",
        "red": "state-red",
    }.get(_STATES.get(name, ("", ""))[1], "state-grey")


def waits(kind: str) -> str:
    """A kind of what waits for a person."""
    return _WAITS.get(kind, (kind.replace("_", " ").capitalize(), ""))[0]


def waits_colour(kind: str) -> str:
    """The class of its badge."""
    return _WAITS.get(kind, ("", "state-grey"))[1]


def difference(kind: str) -> str:
    """What two sides disagree about."""
    return SENTENCES[DifferenceKind(kind)].what


def proposal(kind: str) -> str:
    """What a person can do about it."""
    return SENTENCES[DifferenceKind(kind)].do


def difference_class(kind: str) -> str:
    """Its class, as reports name it: 'D05'."""
    return CLASSES[DifferenceKind(kind)].code


def mends_itself(kind: str) -> bool:
    """Whether it ends only by both sides agreeing again."""
    return CLASSES[DifferenceKind(kind)].mends_itself


def payout_state(state: str) -> str:
    """A payout's state."""
    return _PAYOUTS[state][0]


def payout_colour(state: str) -> str:
    """The class of its badge."""
    return _PAYOUTS[state][1]


def payout_part(kind: str) -> str:
    """What a part of a payout is."""
    return _PARTS[kind]


def stream(name: str) -> str:
    """What an ERP is read for."""
    return _STREAMS.get(name, name)


def age(since: datetime, now: datetime) -> str:
    """How long something waits: '4 min', '5 h', '2 d'."""
    minutes = max(int((now - since).total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def act(action: str) -> str:
    """An act of the access log."""
    return _ACTS.get(action, action.replace("_", " "))


def kind(name: str) -> str:
    """A kind of payment method."""
    return {each.value: word for each, word in KINDS.items()}.get(name, name)


def delivery(name: str, deliveries: int) -> str:
    """What became of a provider's event; repeated deliveries are marked as duplicates."""
    told = _DELIVERY.get(name, name)
    if deliveries == 2:
        return f"{told}; 1 duplicate, which changed nothing"
    if deliveries > 2:
        return f"{told}; {deliveries - 1} duplicates, which changed nothing"
    return told


def facts(told: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """An event's facts as pairs for a list of evidence; empty ones, and what is not so, are left out."""
    return [
        (name.replace("_", " "), "yes" if value is True else str(value))
        for name, value in told.items()
        if value is not False and value not in (None, "", [], {})
    ]


def offered(offers: Sequence[PaymentOffer], currency: str) -> list[tuple[PaymentOffer, MethodKind]]:
    """What can be set up for a currency: connection and kind."""
    return [(offer, each) for offer in offers for each in MethodKind if offer.serves(each, currency)]


def why_not(offers: Sequence[PaymentOffer], currency: str, settings: BusinessSettings) -> str | None:
    """Why customers of that currency see no Pay or no Add, in a sentence for staff; None when they do."""
    if not settings.may_pay:
        return "One-time payment and charge on file are both switched off in the settings: customers see no Pay."
    if not offers:
        return "No payment provider is connected and enabled, so customers see neither Pay nor Add."
    if not offered(offers, currency):
        names = ", ".join(each.connection_id for each in offers)
        return f"None of the connected providers ({names}) takes {currency}, so this customer sees neither Pay nor Add."
    if not settings.charge_on_file:
        return "Charge on file is switched off in the settings: this customer can pay once, but saves no method."
    return None
