"""The access log (H5), for approvers and administrators: a page with a filter, and the same as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from api.documents.cells import csv_line
from api.security.sessions import staff_may
from api.services import Services
from api.staff.frame import Given, note, page
from api.v1.cursors import LONGEST, Cursors
from store.staff_accounts import Role, StaffSession
from store.views import staff_log as views
from store.views.staff_log import Filter, LogLine

router: Final = APIRouter()
Approver = Annotated[StaffSession, Depends(staff_may(Role.APPROVER))]
Wanted = Annotated[str, Query(max_length=100)]
_AT_ONCE: Final = 1000
_COLUMNS: Final = (
    "when", "who", "who_id", "action", "customer", "customer_id", "object", "ip", "agent", "request", "facts",
)  # fmt: skip


@router.get("/log")
async def show_log(
    request: Request,
    session: Approver,
    given: Given,
    person: Wanted = "",
    customer: Wanted = "",
    action: Wanted = "",
    after: Annotated[str | None, Query(max_length=LONGEST)] = None,
) -> Response:
    """Fifty acts, the newest first. Looking at the log is an act as well, but not one for each page of it."""
    wanted = _filter(person, customer, action)
    query = _query(wanted)
    cursors = Cursors(given.form_keys, of="staff/log", wanted=query)
    place = cursors.read(after)
    async with given.staff.begin("staff_log") as tx:
        lines = list(await views.lines(tx, wanted, before=None if place is None else int(place[0])))
        actors, actions = await views.actors(tx), await views.actions(tx)
        if after is None:
            await note(request, tx, session, "log_viewed", filter=urlencode(query))
    more = None
    if len(lines) > views.PAGE:
        lines.pop()
        more = urlencode({**query, "after": cursors.write(str(lines[-1].seq))})
    facts: dict[str, Any] = {
        "lines": lines,
        "wanted": wanted,
        "actors": actors,
        "actions": actions,
        "query": urlencode(query),
    }
    return page(request, session, "log.html", more=more, **facts)


@router.get("/log.csv")
async def export_log(
    request: Request, session: Approver, given: Given, person: Wanted = "", customer: Wanted = "", action: Wanted = ""
) -> Response:
    """Every act that the filter lets through, as it was at this moment."""
    wanted = _filter(person, customer, action)
    async with given.staff.begin("export_log") as tx:
        await note(request, tx, session, "log_exported", filter=urlencode(_query(wanted)))
    headers = {"Content-Disposition": 'attachment; filename="access-log.csv"'}
    return StreamingResponse(_rows(given, wanted), media_type="text/csv; charset=utf-8", headers=headers)


async def _rows(given: Services, wanted: Filter) -> AsyncIterator[str]:
    """A thousand at a time, each in a transaction of its own: a long log holds up nobody."""
    yield csv_line(_COLUMNS)
    before: int | None = None
    while True:
        async with given.staff.begin("export_log_part") as tx:
            lines = await views.lines(tx, wanted, before=before, limit=_AT_ONCE)
        for each in lines:
            yield csv_line(_cells(each))
        if len(lines) < _AT_ONCE:
            return
        before = lines[-1].seq


def _cells(each: LogLine) -> tuple[str, ...]:
    told = "; ".join(f"{name}={value}" for name, value in each.facts.items())
    return (
        each.at.isoformat(), each.actor_name, each.actor, each.action, each.customer_name or "", each.customer_id or "",
        each.object_id or "", each.address or "", each.agent or "", each.request_id, told,
    )  # fmt: skip


def _filter(person: str, customer: str, action: str) -> Filter:
    return Filter(person=_plain(person), customer=_plain(customer), action=_plain(action))


def _plain(text: str) -> str:
    return text.strip().replace("\x00", "")


def _query(wanted: Filter) -> dict[str, str]:
    named = {"person": wanted.person, "customer": wanted.customer, "action": wanted.action}
    return {name: value for name, value in named.items() if value}
