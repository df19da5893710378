"""The way out of 'view as customer'. It belongs to the portal's cookie, so that it works whatever became of the staff's."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.security.cookies import Cookie, Cookies
from api.security.sessions import address_of, agent_of, given_services
from api.services import Services
from store import access_log, tokens, viewing
from store.access_log import Act
from store.database import Transaction
from store.viewing import Ended

router: Final = APIRouter(include_in_schema=False)


@router.post("/viewing/leave")
async def leave(request: Request, given: Annotated[Services, Depends(given_services)]) -> Response:
    """End the view, write down when, and go back to the customer's page."""
    async with given.staff.begin("end_viewing") as tx:
        ended = await end_view(request, given, tx)
    if ended is None:
        return RedirectResponse("/staff/customers", status_code=303)
    response = RedirectResponse(f"/staff/customers/{ended.customer_id}", status_code=303)
    Cookies(given.base_url).forget(response, Cookie.PORTAL)
    return response


async def end_view(request: Request, given: Services, tx: Transaction) -> Ended | None:
    """End the view of this browser, where there is one, and note it in the same transaction."""
    token = Cookies(given.base_url).read(request, Cookie.PORTAL)
    if token is None or not tokens.is_token(token):
        return None
    ended = await viewing.end(tx, token, at=given.clock())
    if ended is not None:
        act = Act(
            actor=ended.viewer_id,
            action="view_ended",
            customer_id=ended.customer_id,
            object_id=ended.reference,
            address=address_of(request),
            agent=agent_of(request),
            facts={"began": ended.started_at.isoformat()},
        )
        await access_log.note(tx, act, at=given.clock())
    return ended
