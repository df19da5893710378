"""'Your account': one's own password, second factor and sessions."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.security import passwords
from api.security.sessions import limit_rate
from api.services import Services
from api.staff.forgotten import LONGEST_PASSWORD, WINDOW, complaint_about
from api.staff.frame import Given, Viewer, note, page
from domain.refusals import Refusal
from store import password_links, staff_accounts, staff_people
from store.staff_accounts import StaffSession

router: Final = APIRouter(prefix="/account")
Password = Annotated[str, Form(max_length=1000)]


@router.get("")
async def show_account(request: Request, session: Viewer, given: Given, done: str = "") -> Response:
    """The page."""
    return await _page(request, session, given, done=done)


@router.post("/password")
async def change_password(
    request: Request,
    session: Viewer,
    given: Given,
    old_password: Password = "",
    new_password: Password = "",
    new_password_again: Password = "",
) -> Response:
    """A new password, for the old one. Every other session ends: whoever knew the old one is out."""
    await limit_rate(request, f"own-password/{session.staff_id}", limit=5, window=WINDOW)
    async with given.staff.begin("staff_by_id") as tx:
        account = await staff_accounts.by_id(tx, session.staff_id)
    stored = None if account is None else account.password_hash
    if not await passwords.belongs(old_password[:LONGEST_PASSWORD], stored):
        return await _page(request, session, given, refusal=Refusal(rule="password_wrong"))
    complaint = complaint_about(new_password, new_password_again)
    if complaint is not None:
        return await _page(request, session, given, refusal=complaint)
    hashed = await passwords.hashed_later(new_password)
    at = given.clock()
    async with given.staff.begin("change_password") as tx:
        await staff_people.set_password(tx, session.staff_id, hashed)
        await password_links.revoke(tx, session.staff_id, at=at)
        await staff_people.end_sessions(tx, session.staff_id, at=at, but=session.reference)
        await note(request, tx, session, "password_changed", object_id=session.staff_id)
    return RedirectResponse("/staff/account?done=password", status_code=303)


@router.post("/sessions/end")
async def end_session(
    request: Request, session: Viewer, given: Given, reference: Annotated[str, Form(max_length=16)] = ""
) -> Response:
    """End one of one's own sessions, or, without its name, every other one."""
    async with given.staff.begin("end_own_sessions") as tx:
        if reference:
            await staff_people.end_one(tx, session.staff_id, reference, at=given.clock())
        else:
            await staff_people.end_sessions(tx, session.staff_id, at=given.clock(), but=session.reference)
        await note(request, tx, session, "sessions_ended", object_id=session.staff_id)
    return RedirectResponse("/staff/account?done=sessions", status_code=303)


async def _page(
    request: Request, session: StaffSession, given: Services, *, refusal: Refusal | None = None, done: str = ""
) -> Response:
    async with given.staff.begin("staff_account") as tx:
        sessions = await staff_people.own_sessions(tx, session.staff_id, at=given.clock())
    return page(
        request,
        session,
        "account.html",
        status=200 if refusal is None else refusal.status,
        email=session.email,
        has_second_factor=session.has_second_factor,
        sessions=sessions,
        here=session.reference,
        least=passwords.LENGTH_MIN,
        refusal=refusal,
        done=done,
    )
