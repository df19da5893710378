"""Workflow ids are business keys, built in one place. Opaque ids only: they are not encrypted."""

from __future__ import annotations


def payment(payment_id: str) -> str:
    """The process that owns a payment until it is captured or ended."""
    return f"payment/{payment_id}"


def refund(refund_id: str) -> str:
    """The process that owns a refund until it is over."""
    return f"refund/{refund_id}"


def method_setup(setup_id: str) -> str:
    """The process that owns the set-up of a payment method."""
    return f"setup/{setup_id}"


def method_change(method_id: str, change_id: str) -> str:
    """One change of a saved method: make it the default, or remove it."""
    return f"method/{method_id}/{change_id}"


def posting_again(posting_id: str, attempts: int, how: str = "again") -> str:
    """The decision about a refused posting: one of each kind for each time that it was refused."""
    return f"again/{posting_id}/{attempts}" if how == "again" else f"again/{posting_id}/{attempts}/{how}"


def apply_request(request_id: str) -> str:
    """The process that owns a request to apply a credit until it has ended."""
    return f"apply/{request_id}"


def undo_application(request_id: str, decision_id: str) -> str:
    """One decision to take an applied credit off again."""
    return f"undo/{request_id}/{decision_id}"


def poster(connection_id: str) -> str:
    """The one process that writes to an ERP."""
    return f"post/{connection_id}"


def late_event(event_id: str) -> str:
    """What a provider's event does to a process that is no longer open. `event_id` is the inbox row's id."""
    return f"late/{event_id}"


def mailer() -> str:
    """The one process that hands mail to the mail server."""
    return "mail/outgoing"


def send_links(batch_id: str) -> str:
    """One batch of portal links to be mailed."""
    return f"links/{batch_id}"


def sync(connection_id: str) -> str:
    """The Schedule that reads an ERP, and the prefix of its runs."""
    return f"sync/{connection_id}"


def catch_up(connection_id: str) -> str:
    """The Schedule that asks a provider for its events, and the prefix of its runs."""
    return f"events/{connection_id}"


def reconcile() -> str:
    """The Schedule that compares providers, books and ERPs, and the prefix of its runs."""
    return "reconcile"


def difference(difference_id: str, decision: str) -> str:
    """The decision of a person to close a difference: `decision` tells it from another person's, or for another reason."""
    return f"difference/{difference_id}/{decision}"


def sweep() -> str:
    """The Schedule that finds what a crash left between a commit and a start."""
    return "sweep"


def documents(digest: str) -> str:
    """One wish for the ERP's PDFs of some documents; `digest` is theirs."""
    return f"documents/{digest}"
