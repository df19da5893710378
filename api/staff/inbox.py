"""The inbox (I1): everything that waits for a person in one list, and beside it one thing with what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.services import Services
from api.staff import postings, requests
from api.staff.frame import Agent, Given, Viewer, note, page
from domain.ids import is_id
from domain.refusals import Refusal, Refused
from domain.resolving import Resolution
from store import inbox_owners
from store.database import Transaction
from store.identity import fresh_id
from store.staff_accounts import StaffSession
from store.views import staff_inbox as views
from store.views import staff_postings
from store.views.staff_inbox import Asked, Counts, Show, Waiting
from store.views.staff_reconciliation import evidence as differing_of

router: Final = APIRouter()
Item = Annotated[str, Path(max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page of the list. `query` keeps the list as it is while one looks at something."""

    lines: Sequence[Waiting]
    counts: Counts
    show: Show
    search: str
    query: str
    more: str | None


@router.get("/inbox")
async def show_inbox(
    request: Request,
    session: Viewer,
    given: Given,
    show: Show = "all",
    q: Annotated[str, Query(max_length=200)] = "",
    after: datetime | None = None,
    after_id: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The list, the longest waiting first, fifty at a time."""
    asked = Asked(show=show, search=q, after=None if after is None else (after, after_id))
    async with given.staff.begin("staff_inbox") as tx:
        listed = await _list(tx, session, asked, at=given.clock())
    return page(
        request,
        session,
        "inbox.html",
        block="list",
        listed=listed,
        chosen=None,
        item=None,
        differing=None,
        now=given.clock(),
    )


@router.get("/inbox/{item}")
async def show_item(
    request: Request,
    session: Viewer,
    given: Given,
    item: Item,
    show: Show = "all",
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """One of them, beside the list. One that waits no longer is said to be done."""
    return await _item_page(request, session, given, item, Asked(show=show, search=q))


@router.post("/inbox/{item}/take")
async def take(request: Request, session: Agent, given: Given, item: Item) -> Response:
    """It is mine now: others see whose it is."""
    async with given.staff.begin("inbox_taken") as tx:
        if (waits := await views.one(tx, item, at=given.clock())) is None:
            raise Refused("not_found")
        await inbox_owners.take(tx, item, session.staff_id, at=given.clock())
        await note(request, tx, session, "inbox_taken", customer_id=waits.customer_id, object_id=item)
    return RedirectResponse(f"/staff/inbox/{item}", status_code=303)


@router.post("/inbox/{item}/release")
async def release(request: Request, session: Agent, given: Given, item: Item) -> Response:
    """It is nobody's again."""
    async with given.staff.begin("inbox_released") as tx:
        if await inbox_owners.release(tx, item, session.staff_id):
            await note(request, tx, session, "inbox_released", object_id=item)
    return RedirectResponse(f"/staff/inbox/{item}", status_code=303)


@router.post("/inbox/{item}/again")
async def send_again(
    request: Request,
    session: Agent,
    given: Given,
    item: Item,
    attempts: Annotated[int, Form(ge=0, le=1_000_000)],
    how: Annotated[Resolution, Form()] = Resolution.AGAIN,
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Decide what becomes of what the ERP refused. A time-out is no failure: the page tells what became of it."""
    async with given.staff.begin("inbox_sent_again") as tx:
        seen = await staff_postings.one(tx, item)
    refusal: Refusal | None = Refusal(rule="posting_moved_on")
    if seen is not None:
        refusal = await postings.carry_out(request, session, given, seen, attempts=attempts, how=how, reason=reason)
    if refusal is not None:
        return await _item_page(request, session, given, item, Asked(), refusal=refusal)
    return RedirectResponse(f"/staff/inbox/{item}", status_code=303)


async def _item_page(
    request: Request,
    session: StaffSession,
    given: Services,
    item: str,
    asked: Asked,
    *,
    refusal: Refusal | None = None,
) -> Response:
    async with given.staff.begin("staff_inbox") as tx:
        listed = await _list(tx, session, asked, at=given.clock())
        chosen = await views.one(tx, item, at=given.clock())
        payment_id = None if chosen is not None else await views.payment_of(tx, item)
        evidence = await requests.evidence(tx, item) if is_id(item, "req") else None
        differing = await differing_of(tx, item) if is_id(item, "dif") else None
    if chosen is None and payment_id is None:
        raise Refused("not_found")
    return page(
        request,
        session,
        "inbox.html",
        status=200 if refusal is None else refusal.status,
        block=None,
        listed=listed,
        chosen=chosen,
        item=item,
        payment_id=payment_id,
        evidence=evidence,
        differing=differing,
        **(requests.facts_for(evidence, session) if evidence is not None else {}),
        decision_id=fresh_id("chg"),
        refusal=refusal,
        mine=session.staff_id,
        now=given.clock(),
    )


async def _list(tx: Transaction, session: StaffSession, asked: Asked, *, at: datetime) -> Listed:
    lines = list(await views.waiting(tx, asked, staff_id=session.staff_id, at=at))
    kept = {
        name: value for name, value in (("show", asked.show if asked.show != "all" else ""), ("q", asked.search)) if value
    }
    more = None
    if len(lines) > views.PAGE:
        lines.pop()
        more = urlencode({**kept, "after": lines[-1].since.isoformat(), "after_id": lines[-1].id})
    counts = await views.counts(tx, staff_id=session.staff_id, at=at)
    return Listed(lines=lines, counts=counts, show=asked.show, search=asked.search, query=urlencode(kept), more=more)
