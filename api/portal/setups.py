"""The set-up of a payment method: its live page, and the way back from the provider's."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api import pages
from api.portal.payments import come_back, sight_of, status_of
from api.portal.shell import shell_for, writer
from api.portal.story import of_setup, refusal_of
from api.security.paths import safe_path_or
from api.security.sessions import given_services, portal_session, portal_session_or_none, staff_session_or_none
from api.services import Services
from domain.ids import is_id
from domain.refusals import Refused
from store.access import PortalSession
from store.views import staff_payments as evidence
from store.views.payments import setup_page
from workflows import ids

router: Final = APIRouter(include_in_schema=False)


@router.get("/methods/setups/{setup_id}")
async def show_setup(
    request: Request,
    setup_id: str,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """One set-up's page: from its row; without a row, what its process says."""
    if not is_id(setup_id, "set"):
        raise Refused("not_found")
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        setup = await setup_page(tx, setup_id)
    sight = "" if setup is not None else await sight_of(given, setup_id, ids.method_setup(setup_id), session.family)
    write = writer(request, session)
    return pages.render(
        request,
        "portal/setup.html",
        block="live",
        status=status_of(request, sight),
        shell=shell_for(request, session),
        setup=setup,
        story=None if setup is None else of_setup(setup, write),
        sight=sight,
        here=f"/methods/setups/{setup_id}",
        refusal=refusal_of(setup.refused_rule, setup.refused_facts) if setup and setup.refused_rule else None,
        page_url=setup.page_url if setup and setup.state == "redirected" and given.may_send_to(setup.page_url) else None,
        back=safe_path_or(setup.return_path if setup else None, "/methods"),
    )


@router.get("/methods/setups/{setup_id}/return")
async def return_from_provider(
    request: Request,
    setup_id: str,
    session: Annotated[PortalSession | None, Depends(portal_session_or_none)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """The way back from the provider's page; what the address says beyond the id is not read."""
    if not is_id(setup_id, "set"):
        raise Refused("not_found")
    answer = await come_back(request, given, session, ids.method_setup(setup_id), f"/methods/setups/{setup_id}")
    if await _is_of_staff(request, given, setup_id):
        return RedirectResponse(f"/staff/setups/{setup_id}", status_code=303)
    return answer


async def _is_of_staff(request: Request, given: Services, setup_id: str) -> bool:
    """Whether a member of staff comes back from a set-up that staff started: theirs is another page than the customer's."""
    if await staff_session_or_none(request) is None:
        return False
    async with given.staff.begin("staff_setup") as tx:
        known = await evidence.setup(tx, setup_id)
    return known is not None and known.channel == "staff"
