"""'View as customer' (B7): from a customer's page into the portal as that customer sees it, to look and nothing else."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.security.cookies import Cookie, Cookies
from api.staff.frame import Agent, Given, note
from store import access, tokens, viewing

router: Final = APIRouter()


@router.post("/customers/{customer_id}/view")
async def begin_viewing(request: Request, session: Agent, given: Given, customer_id: str) -> Response:
    """Open the portal in this browser, for half an hour at most."""
    at = given.clock()
    cookies = Cookies(given.base_url)
    async with given.staff.begin("begin_viewing") as tx:
        token = await viewing.open_view(tx, customer_id, viewer_id=session.staff_id, email=session.email, at=at)
        before = cookies.read(request, Cookie.PORTAL)
        if before is not None and tokens.is_token(before):
            await access.end_session(tx, before, at=at)
        await note(
            request,
            tx,
            session,
            "view_began",
            customer_id=customer_id,
            object_id=viewing.reference_of(token),
            until=(at + viewing.AT_MOST).isoformat(),
        )
    response = RedirectResponse("/", status_code=303)
    cookies.write(response, Cookie.PORTAL, token, seconds=int(viewing.AT_MOST.total_seconds()))
    return response
