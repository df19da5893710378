"""A document on its way to an ERP in words: what it is, and when it is tried next."""

from __future__ import annotations

from typing import Final

from api.formatting import Writer
from store.views.staff_postings import PostingFacts

_KINDS: Final = {
    "payment": "Payment",
    "reversal": "Reversal of the payment",
    "refund": "Refund",
    "refund_reversal": "Reversal of a refund",
    "surplus": "Reversal of a document that is there twice",
    "application": "Unapplied money moved",
}


def kind(posting: PostingFacts) -> str:
    """What the document is, for a list."""
    return _KINDS.get(posting.kind, posting.kind.replace("_", " ").capitalize())


def next_try(posting: PostingFacts, write: Writer) -> str:
    """When it is tried next, in a sentence; empty for what is through."""
    if posting.state in {"confirmed", "canceled"}:
        return ""
    if posting.ignored_at is not None:
        return f"Never: a person decided so {write.moment(posting.ignored_at)}."
    if posting.state == "refused":
        return "Not by itself: the ERP said no. A person decides."
    if posting.behind is not None:
        return "Once an earlier document that shares an invoice with it is through."
    if posting.state in {"sent", "unknown"}:
        when = "In a moment" if posting.look_at is None else write.moment(posting.look_at)
        return f"{when}. Duly asks the ERP whether it has it, and sends it again only if it has not."
    if posting.error_text:
        return "As soon as the ERP answers. Duly asks whether it does, every five minutes at the latest."
    return "In a moment."
