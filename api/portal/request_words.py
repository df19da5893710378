"""What happened to a request to apply a credit, in the customer's words: what was, what is, what comes next."""

from __future__ import annotations

from typing import Final

from api.formatting import Writer
from api.portal.story import Step, Story
from domain.lifecycles import APPLY_ENDED, APPLY_OPEN, ApplyState
from domain.receivables import CreditKind
from store.views.credits import RequestPage
from store.views.payments import Event

KINDS: Final = {
    CreditKind.CREDIT_NOTE: "Credit note",
    CreditKind.PREPAYMENT: "Prepayment",
    CreditKind.OVERPAYMENT: "Overpayment",
    CreditKind.PAYMENT: "Payment",
}
_BADGES: Final = {
    ApplyState.OPENING: ("Being sent", "state-blue"),
    ApplyState.REFUSED: ("Not sent", "state-grey"),
    ApplyState.SUBMITTED: ("Requested", "state-azure"),
    ApplyState.ASKED: ("A question for you", "state-yellow"),
    ApplyState.SECOND: ("Requested", "state-azure"),
    ApplyState.POSTING: ("Approved", "state-azure"),
    ApplyState.POSTING_FAILED: ("Requested", "state-azure"),
    ApplyState.APPLIED: ("Applied", "state-green"),
    ApplyState.REJECTED: ("Not approved", "state-red"),
    ApplyState.WITHDRAWN: ("Withdrawn", "state-grey"),
    ApplyState.EXPIRED: ("Expired", "state-grey"),
    ApplyState.UNDOING: ("Being taken back", "state-yellow"),
    ApplyState.UNDONE: ("Taken back", "state-grey"),
}


def badge_of(state: str) -> tuple[str, str]:
    """The word and the class of its badge."""
    return _BADGES[ApplyState(state)]


def of_request(page: RequestPage, write: Writer, *, business: str) -> Story:
    """The story of a request."""
    badge, colour = _BADGES[page.state]
    steps = [step for event in page.events if (step := _told(event, page, write, business)) is not None]
    steps += _ahead(page, write, business)
    pace = 2 if page.state in {ApplyState.OPENING, ApplyState.POSTING, ApplyState.UNDOING} else 30
    return Story(badge=badge, colour=colour, steps=tuple(steps), look_again_seconds=0 if page.state in APPLY_ENDED else pace)


def _told(event: Event, page: RequestPage, write: Writer, business: str) -> Step | None:
    """One event as the customer reads it; None for what only staff need."""
    count = len(page.lines)
    what = "1 invoice" if count == 1 else f"{count} invoices"
    partly = any(line.approved is not None and line.approved < line.asked for line in page.lines)
    words = {
        "submitted": (f"You asked to use {page.credit_number} for {what}", "Both are kept for you until it is decided.", ""),
        "asked": (f"{business} asked you something", "", ""),
        "answered": ("You answered", "", ""),
        "approved": (f"{business} approved {'part of it' if partly else 'it'}", "", ""),
        "applied": (f"Entered in the books of {business}", "", ""),
        "rejected": (f"{business} did not approve it", page.reason or "", "went-wrong"),
        "withdrawn": ("You withdrew it", "Everything is as it was.", ""),
        "expired": ("Nobody decided in time", "Everything is as it was. You can ask again.", "went-wrong"),
        "undoing": (f"{business} takes it back", page.reason or "", "went-wrong"),
        "undone": ("Taken back", "The invoices are open again, and the credit is yours to use.", ""),
        "refused": ("Not sent", "Nothing was kept or changed.", "went-wrong"),
    }
    if event.kind not in words:
        return None
    told, more, mood = words[event.kind]
    return Step(told, more, write.moment(event.at), mood)


def _ahead(page: RequestPage, write: Writer, business: str) -> list[Step]:
    if page.state is ApplyState.ASKED:
        return [Step("Waiting for your answer", "", "now", "is-now"), Step("A decision", "", "", "is-next")]
    if page.state in APPLY_OPEN:
        until = f"If nobody decides by {write.moment(page.expires_at)}, it expires." if page.expires_at is not None else ""
        return [Step(f"{business} looks at it", until, "", "is-now"), Step("A decision", "", "", "is-next")]
    if page.state is ApplyState.POSTING:
        more = "You need not wait: it counts from now on."
        return [Step(f"Being entered in the books of {business}", more, "", "is-now")]
    if page.state is ApplyState.UNDOING:
        return [Step(f"Being changed in the books of {business}", "", "", "is-now")]
    return []
