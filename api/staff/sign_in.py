"""Signing in and out. The same answer, after the same work, whether the address is unknown or the password wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.pages import render
from api.security import passwords
from api.security.cookies import Cookie, Cookies
from api.security.paths import safe_path_or
from api.security.sessions import address_of, agent_of, csrf_of, limit_rate
from api.staff.frame import Given, StaffShell
from domain.business import BusinessSettings
from domain.refusals import Refusal
from store import access, access_log, staff_accounts, tokens
from store.access_log import Act

router: Final = APIRouter()
_WINDOW: Final = timedelta(minutes=10)
_LONGEST_PASSWORD: Final = 200  # hashing is slow on purpose; nobody makes it slower


@router.get("/sign-in")
async def show_sign_in(request: Request, after: str = "/staff") -> Response:
    """The form; `after` is where one wanted to go."""
    return _page(request, after=safe_path_or(after, "/staff"))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    given: Given,
    email: Annotated[str, Form(max_length=1000)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    after: Annotated[str, Form(max_length=1000)] = "/staff",
) -> Response:
    """Check the password and open a fresh session."""
    email = email.strip().lower()[:254]
    await limit_rate(request, f"sign-in/address/{address_of(request)}", limit=20, window=_WINDOW)
    await limit_rate(request, f"sign-in/email/{email}", limit=5, window=_WINDOW)
    async with given.staff.begin("staff_by_email") as tx:
        account = await staff_accounts.by_email(tx, email)
    stored = None if account is None else account.password_hash
    genuine = await passwords.belongs(password[:_LONGEST_PASSWORD], stored)
    act = Act(
        actor="unknown" if account is None else account.id,
        action="signed_in" if genuine else "sign_in_failed",
        address=address_of(request),
        agent=agent_of(request),
    )
    token = None
    cookies = Cookies(given.base_url)
    async with given.staff.begin("sign_in") as tx:
        await access_log.note(tx, act, at=given.clock())
        if genuine and account is not None:
            token = await staff_accounts.open_session(tx, account, at=given.clock())
            before = cookies.read(request, Cookie.STAFF)
            if before is not None and tokens.is_token(before):
                await access.end_session(tx, before, at=given.clock())
    if token is None:
        return _page(request, after=safe_path_or(after, "/staff"), refusal=Refusal(rule="sign_in_failed"), email=email)
    response = RedirectResponse(safe_path_or(after, "/staff"), status_code=303)
    cookies.write(response, Cookie.STAFF, token)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, given: Given) -> Response:
    """End the session of this browser, awake or idle."""
    cookies = Cookies(given.base_url)
    token = cookies.read(request, Cookie.STAFF)
    if token is not None and tokens.is_token(token):
        async with given.staff.begin("end_session") as tx:
            await access.end_session(tx, token, at=given.clock())
    response = RedirectResponse("/staff/sign-in", status_code=303)
    cookies.forget(response, Cookie.STAFF)
    return response


def _page(request: Request, *, after: str, refusal: Refusal | None = None, email: str = "") -> Response:
    defaults = BusinessSettings()
    shell = StaffShell(business_name="Duly", accent_colour=defaults.accent_colour, csrf=csrf_of(request))
    status = 200 if refusal is None else refusal.status
    return render(request, "staff/sign_in.html", status=status, shell=shell, after=after, refusal=refusal, email=email)
