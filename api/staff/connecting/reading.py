"""How the reading of an ERP is getting on, and the button that lets it be read now."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.processes import Unanswered
from api.staff.frame import Agent, Given, Viewer, note, page
from domain.refusals import Refused
from store import streams
from store.views import staff_reading as views

router: Final = APIRouter(prefix="/connections")
ConnectionId = Annotated[str, Path(max_length=40)]


@router.get("/{connection_id}/reading")
async def show_reading(request: Request, session: Viewer, given: Given, connection_id: ConnectionId) -> Response:
    """Each stream: last run, last success, last error in plain words, next try, rows."""
    async with given.staff.begin("reading") as tx:
        erp = await views.erp(tx, connection_id)
        lines = await views.streams(tx, connection_id)
    if erp is None:
        raise Refused("not_found")
    return page(
        request,
        session,
        "reading.html",
        block="streams",
        erp=erp,
        lines=lines,
        asked=request.query_params.get("asked", ""),
        is_loading=erp.enabled and any(each.loaded_at is None and each.last_error is None for each in lines),
    )


@router.post("/{connection_id}/reading")
async def read_now(request: Request, session: Agent, given: Given, connection_id: ConnectionId) -> Response:
    """No stream waits any longer after a failure, and the reader runs now; one that runs goes on. That nobody answered is
    no failure: the page tells what was read.
    """
    async with given.staff.begin("reading_asked") as tx:
        if await views.erp(tx, connection_id) is None:
            raise Refused("not_found")
        await streams.hasten(tx, connection_id)
        await note(request, tx, session, "reading_asked", object_id=connection_id)
    try:
        await given.processes.read_erp(connection_id)
    except Unanswered:
        return RedirectResponse(f"/staff/connections/{connection_id}/reading?asked=unanswered", status_code=303)
    return RedirectResponse(f"/staff/connections/{connection_id}/reading?asked=yes", status_code=303)
