"""Reconciliation as staff see it, the button that lets it run now, and the end of a difference that needs a person."""

from __future__ import annotations

import contextlib
from typing import Annotated, Final

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.requests import CloseOrder
from api.processes import Unanswered
from api.services import Services
from api.staff.frame import Agent, Given, Viewer, note, page
from domain.refusals import Refused
from store import connections, managed
from store.views import staff_reconciliation as views

router: Final = APIRouter()


@router.get("/reconciliation")
async def show(request: Request, session: Viewer, given: Given) -> Response:
    """Whether all is equal, what was compared, what differs, and how the last differences ended."""
    at = given.clock()
    async with given.staff.begin("reconciliation") as tx:
        runs = await views.runs(tx)
        since = await views.equal_since(tx)
        lines = list(await views.still_open(tx, at=at))
        over = await views.over(tx, at=at)
        names = {each.id: each.title for each in await managed.every(tx)} | {
            each.id: each.connector for each in await connections.announced(tx)
        }
    is_longer = len(lines) > views.SHOWN
    return page(
        request,
        session,
        "reconciliation.html",
        block="comparison",
        runs=runs,
        last=next((each for each in runs if each.finished_at is not None), None),
        running=next((each for each in runs[:1] if each.finished_at is None), None),
        since=since,
        lines=lines[: views.SHOWN],
        is_longer=is_longer,
        over=over,
        names=names,
        now=at,
    )


@router.post("/reconciliation")
async def compare_now(request: Request, session: Agent, given: Given) -> Response:
    """Let it run; one that runs goes on. That nobody answered is no failure: the page tells what became of it."""
    async with given.staff.begin("comparison_asked") as tx:
        await note(request, tx, session, "comparison_asked")
    try:
        await given.processes.reconcile()
    except Unanswered:
        return RedirectResponse("/staff/reconciliation?asked=unanswered", status_code=303)
    return RedirectResponse("/staff/reconciliation?asked=yes", status_code=303)


@router.post("/inbox/{item}/take-back")
async def take_back(
    request: Request,
    session: Agent,
    given: Given,
    item: Annotated[str, Path(max_length=100)],
    surplus: Annotated[str, Form(min_length=1, max_length=200)],
) -> Response:
    """Have the second of two documents of a payment taken back at the ERP; the next comparison ends the difference."""
    async with given.staff.begin("surplus_taken_back") as tx:
        if await views.evidence(tx, item) is None:
            raise Refused("not_found")
        await note(request, tx, session, "surplus_taken_back", object_id=item, document=surplus)
    return await _decided(given, CloseOrder(difference_id=item, reason="", by=session.staff_id, take_back=surplus))


@router.post("/inbox/{item}/close")
async def close(
    request: Request,
    session: Agent,
    given: Given,
    item: Annotated[str, Path(max_length=100)],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Close a difference for a reason, which stands in its history and in the access log."""
    reason = reason.strip()
    if not reason:
        raise Refused("difference_reason_needed")
    async with given.staff.begin("difference_closed") as tx:
        if await views.evidence(tx, item) is None:
            raise Refused("not_found")
        await note(request, tx, session, "difference_closed", object_id=item)
    return await _decided(given, CloseOrder(difference_id=item, reason=reason, by=session.staff_id))


async def _decided(given: Services, order: CloseOrder) -> Response:
    """Back to the difference, which tells what became of it, also where nobody answered in time."""
    with contextlib.suppress(Unanswered):
        answer = await given.processes.close_difference(order)
        if answer.rule is not None:
            raise Refused(answer.rule)
    return RedirectResponse(f"/staff/inbox/{order.difference_id}", status_code=303)
