"""A forgotten password: the same answer for any address, a link by mail, one use of it. A GET consumes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask
from starlette.responses import Response

from api.pages import render
from api.security import passwords
from api.security.sessions import address_of, agent_of, csrf_of, limit_rate
from api.services import Services
from api.staff.frame import Given, StaffShell
from domain.business import BusinessSettings
from domain.refusals import Refusal
from store import access_log, outbox, password_links, staff_accounts
from store.access_log import Act
from store.identity import fresh_id

router: Final = APIRouter()
WINDOW: Final = timedelta(minutes=10)
LONGEST_PASSWORD: Final = 200
Token = Annotated[str, Path(max_length=100)]
Password = Annotated[str, Form(max_length=1000)]


def complaint_about(new: str, again: str) -> Refusal | None:
    """What is wrong with a password that somebody chose, typed twice."""
    if not passwords.LENGTH_MIN <= len(new) <= LONGEST_PASSWORD:
        return Refusal(rule="password_too_short", facts={"least": passwords.LENGTH_MIN})
    return None if new == again else Refusal(rule="passwords_differ")


@router.get("/forgotten")
async def show_forgotten(request: Request) -> Response:
    """Asks for the address."""
    return _page(request, "forgotten.html", is_asked=False)


@router.post("/forgotten")
async def ask_for_link(request: Request, given: Given, email: Annotated[str, Form(max_length=1000)] = "") -> Response:
    """The same answer for any address, at once; what there is to do is done after it was given."""
    asked = email.strip().lower()[:254]
    await limit_rate(request, f"forgotten/address/{address_of(request)}", limit=20, window=WINDOW)
    await limit_rate(request, f"forgotten/email/{asked}", limit=5, window=WINDOW)
    response = _page(request, "forgotten.html", is_asked=True)
    act = Act(actor="unknown", action="password_link_asked", address=address_of(request), agent=agent_of(request))
    response.background = BackgroundTask(_send_to, given, asked, act)
    return response


@router.get("/set-password/{token}")
async def show_set_password(request: Request, given: Given, token: Token) -> Response:
    """The form, while the link works. Reads only."""
    async with given.staff.begin("password_link") as tx:
        opens = await password_links.opens(tx, token, at=given.clock())
    return _page(request, "set_password.html", status=200 if opens else 410, opens=opens)


@router.post("/set-password/{token}")
async def set_password(
    request: Request, given: Given, token: Token, new_password: Password = "", new_password_again: Password = ""
) -> Response:
    """Set it, once; every session of that person ends, and one signs in with the new one."""
    await limit_rate(request, f"set-password/{address_of(request)}", limit=20, window=WINDOW)
    complaint = complaint_about(new_password, new_password_again)
    if complaint is not None:
        async with given.staff.begin("password_link") as tx:
            opens = await password_links.opens(tx, token, at=given.clock())
        return _page(request, "set_password.html", status=complaint.status, opens=opens, refusal=complaint)
    hashed = await passwords.hashed_later(new_password)
    at = given.clock()
    async with given.staff.begin("set_password") as tx:
        staff_id = await password_links.use(tx, token, password_hash=hashed, at=at)
        if staff_id is not None:
            act = Act(
                actor=staff_id,
                action="password_set",
                object_id=staff_id,
                address=address_of(request),
                agent=agent_of(request),
            )
            await access_log.note(tx, act, at=at)
    if staff_id is None:
        return _page(request, "set_password.html", status=410, opens=False)
    return RedirectResponse("/staff/sign-in?done=password", status_code=303)


async def _send_to(given: Services, email: str, act: Act) -> None:
    at = given.clock()
    async with given.staff.begin("send_password_link") as tx:
        account = await staff_accounts.by_email(tx, email)
        await access_log.note(tx, act, at=at)
        if account is None:
            return
        await outbox.queue(
            tx,
            template="password_reset",
            to_address=account.email,
            at=at,
            process_id=account.id,
            facts={"purpose": "reset"},
            once=fresh_id("mal"),
        )
    await given.processes.send_mail()


def _page(
    request: Request, template: str, *, status: int = 200, refusal: Refusal | None = None, **facts: object
) -> Response:
    colour = BusinessSettings().accent_colour
    shell = StaffShell(business_name="Duly", accent_colour=colour, csrf=csrf_of(request))
    told: dict[str, Any] = {"refusal": refusal, "least": passwords.LENGTH_MIN, **facts}
    return render(request, f"staff/{template}", status=status, shell=shell, **told)
