"""What a person can do about a document on its way to an ERP (G5), on the page of what it belongs to."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.requests import SendAgain
from api.processes import Unanswered
from api.services import Services
from api.staff import payments, requests
from api.staff.frame import Agent, Given, note
from domain.refusals import Refusal, Refused
from domain.resolving import ACTS, NEEDS_A_REASON, Resolution
from store.staff_accounts import StaffSession
from store.views import staff_postings as views
from store.views.staff_postings import PostingFacts

router: Final = APIRouter()


@router.post("/postings/{posting_id}")
async def decide(
    request: Request,
    session: Agent,
    given: Given,
    posting_id: Annotated[str, Path(max_length=100)],
    attempts: Annotated[int, Form(ge=0, le=1_000_000)],
    how: Annotated[Resolution, Form()],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Try it now, or decide what becomes of what was refused; back to its page, which tells what became of that."""
    async with given.staff.begin("staff_posting") as tx:
        seen = await views.one(tx, posting_id)
    if seen is None:
        raise Refused("not_found")
    refusal = await carry_out(request, session, given, seen, attempts=attempts, how=how, reason=reason)
    if seen.payment_id is not None:
        if refusal is not None:
            return await payments.drawn(request, session, given, seen.payment_id, refused=refusal)
        return RedirectResponse(f"/staff/payments/{seen.payment_id}#erp", status_code=303)
    if seen.request_id is None:
        raise Refused("not_found")
    if refusal is not None:
        return await requests.drawn(request, session, given, seen.request_id, refusal=refusal)
    return RedirectResponse(f"/staff/requests/{seen.request_id}#erp", status_code=303)


async def carry_out(
    request: Request,
    session: StaffSession,
    given: Services,
    seen: PostingFacts,
    *,
    attempts: int,
    how: Resolution,
    reason: str,
) -> Refusal | None:
    """A person's decision, written down and taken once. None where it was taken, or nobody answered in time: a time-out is
    no failure, and the page tells what became of it.
    """
    reason = reason.strip()
    if how in NEEDS_A_REASON and not reason:
        return Refusal(rule="difference_reason_needed")
    is_as_seen = seen.attempts == attempts and (seen.is_waiting if how is Resolution.NOW else seen.is_refused)
    if not is_as_seen:
        return Refusal(rule="posting_moved_on")
    async with given.staff.begin("staff_posting") as tx:
        await note(request, tx, session, ACTS[how], customer_id=seen.customer_id, object_id=seen.id, how=how.value)
    order = SendAgain(posting_id=seen.id, attempts=attempts, by=session.staff_id, how=how.value, reason=reason)
    try:
        answer = await given.processes.send_again(order)
    except Unanswered:
        return None
    return None if answer.rule is None else Refusal(rule=answer.rule, facts=dict(answer.facts))
