"""Portal links (H2). A GET shows a page and changes nothing, so a mail scanner may look as often as it likes; a person's
'Continue' opens a session. Whoever has an old link asks for a new one, which goes to the address on record only.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.background import BackgroundTask
from starlette.responses import Response

from activities.requests import SendLinks
from api.pages import render
from api.portal.shell import Shell, shell_for_nobody
from api.security.cookies import Cookie, Cookies
from api.security.sessions import (
    address_of,
    agent_of,
    given_services,
    limit_rate,
    only_reads_while_viewing,
    portal_session_or_none,
    services,
)
from api.services import Services
from store import access, access_log, business, tokens
from store.access import PortalSession
from store.access_log import Act
from store.identity import fresh_id

router: Final = APIRouter(include_in_schema=False, dependencies=[Depends(only_reads_while_viewing)])
_LONGEST_ADDRESS: Final = 254
_WINDOW: Final = timedelta(minutes=10)


@router.api_route("/l/{token}", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def show_link(request: Request, token: str, given: Annotated[Services, Depends(given_services)]) -> Response:
    """The page with 'Continue', or 'link expired'. Reads only."""
    async with given.staff.begin("preview_link") as tx:
        preview = await access.preview_link(tx, token, at=given.clock())
    if not preview.opens:
        return await expired_page(request)
    shell = shell_for_nobody(request, preview.settings)
    return render(request, "access/continue.html", shell=shell, token=token)


@router.post("/l/{token}")
async def follow_link(request: Request, token: str, given: Annotated[Services, Depends(given_services)]) -> Response:
    """Open a session, always a fresh one, and go on at an address without the token."""
    await limit_rate(request, f"link/{address_of(request)}", limit=100, window=_WINDOW)
    at = given.clock()
    cookies = Cookies(given.base_url)
    async with given.staff.begin("open_session") as tx:
        opened = await access.open_session(tx, token, at=at)
        if opened is not None:
            before = cookies.read(request, Cookie.PORTAL)
            if before is not None and tokens.is_token(before):
                await access.end_session(tx, before, at=at)
            act = Act(
                actor=f"portal/{opened.link_id}",
                action="session_opened",
                customer_id=opened.customer_id,
                object_id=opened.link_id,
                address=address_of(request),
                agent=agent_of(request),
            )
            await access_log.note(tx, act, at=at)
    if opened is None:
        return await expired_page(request)
    response = RedirectResponse("/" if opened.invoice_id is None else f"/invoices/{opened.invoice_id}", status_code=303)
    cookies.write(response, Cookie.PORTAL, opened.token, seconds=int((opened.expires_at - at).total_seconds()))
    return response


@router.get("/link-expired", response_class=HTMLResponse)
async def show_expired(request: Request) -> Response:
    """The same page by its own address, for who comes without a session."""
    return await expired_page(request, status=200)


@router.post("/link-expired", response_class=HTMLResponse)
async def ask_for_link(
    request: Request,
    given: Annotated[Services, Depends(given_services)],
    email: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """The same answer for any address, at once; what there is to do is done after it was given."""
    asked = email.strip()[:_LONGEST_ADDRESS]
    await limit_rate(request, f"link-expired/address/{address_of(request)}", limit=5, window=_WINDOW)
    await limit_rate(request, f"link-expired/email/{asked.lower()}", limit=5, window=_WINDOW)
    response = render(request, "access/link_on_its_way.html", shell=await _shell(request))
    response.background = BackgroundTask(_send_to, given, asked)
    return response


@router.post("/sign-out")
async def sign_out(
    request: Request,
    given: Annotated[Services, Depends(given_services)],
    session: Annotated[PortalSession | None, Depends(portal_session_or_none)],
) -> Response:
    """End this browser's session; the link itself stays good."""
    cookies = Cookies(given.base_url)
    token = cookies.read(request, Cookie.PORTAL)
    if session is not None and token is not None:
        async with given.staff.begin("end_session") as tx:
            await access.end_session(tx, token, at=given.clock())
    response = RedirectResponse("/link-expired", status_code=303)
    cookies.forget(response, Cookie.PORTAL)
    return response


async def expired_page(request: Request, *, status: int = 410) -> HTMLResponse:
    """'Link expired', with one form: an e-mail address."""
    return render(request, "access/link_expired.html", status=status, shell=await _shell(request))


async def _shell(request: Request) -> Shell:
    async with services(request).staff.begin("load_settings") as tx:
        settings = await business.load(tx)
    return shell_for_nobody(request, settings)


async def _send_to(given: Services, email: str) -> None:
    async with given.staff.begin("find_contacts") as tx:
        contacts = await access.contacts_with_email(tx, email)
    if contacts:
        await given.processes.send_links(SendLinks(batch_id=fresh_id("bat"), contacts=tuple(contacts), by="portal"))
