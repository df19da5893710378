"""Who works here, for administrators: invite, change a role, let go, reset a second factor. Every act is written down."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.security.sessions import staff_may
from api.services import Services
from api.staff.frame import Given, note, page
from domain.refusals import Refusal, Refused
from store import outbox, password_links, second_factors, staff_accounts, staff_people
from store.database import Transaction
from store.identity import fresh_id
from store.staff_accounts import Role, StaffSession

router: Final = APIRouter(prefix="/people")
Admin = Annotated[StaffSession, Depends(staff_may(Role.ADMIN))]
StaffId = Annotated[str, Path(max_length=40)]
Word = Annotated[str, Form(max_length=300)]


@router.get("")
async def show_people(request: Request, session: Admin, given: Given, done: str = "") -> Response:
    """Everybody, and the form that adds somebody."""
    return await _page(request, session, given, done=done)


@router.post("")
async def invite(
    request: Request, session: Admin, given: Given, email: Word = "", name: Word = "", role: Word = "viewer"
) -> Response:
    """Add somebody, who sets a password by the link in a mail."""
    email, name = email.strip().lower(), name.strip()
    typed = {"email": email, "name": name, "role": role}
    refusal = _complaint(email, name, role)
    if refusal is not None:
        return await _page(request, session, given, refusal=refusal, typed=typed)
    at = given.clock()
    async with given.staff.begin("invite_staff") as tx:
        # No password is '' when it is hashed: nobody signs in until the link was used.
        staff_id = await staff_accounts.add(tx, email=email, name=name, role=Role.named(role), password_hash="", at=at)
        if staff_id is not None:
            await note(request, tx, session, "staff_added", object_id=staff_id, role=role)
            await _queue_invitation(tx, given, staff_id, email)
    if staff_id is None:
        known = Refusal(rule="staff_known", facts={"email": email})
        return await _page(request, session, given, refusal=known, typed=typed)
    await given.processes.send_mail()
    return _done("invited")


@router.post("/{staff_id}/invite")
async def invite_again(request: Request, session: Admin, given: Given, staff_id: StaffId) -> Response:
    """Another invitation to who has set no password yet; the ones before open nothing any more."""
    async with given.staff.begin("invite_staff_again") as tx:
        found = await staff_people.people(tx, staff_id=staff_id)
        if not found or not found[0].is_invited or not found[0].active:
            raise Refused("not_found")
        await password_links.revoke(tx, staff_id, at=given.clock())
        await _queue_invitation(tx, given, staff_id, found[0].email)
        await note(request, tx, session, "staff_invited_again", object_id=staff_id)
    await given.processes.send_mail()
    return _done("invited")


@router.post("/{staff_id}/role")
async def change_role(request: Request, session: Admin, given: Given, staff_id: StaffId, role: Word = "") -> Response:
    """Another role, from the person's next request on."""
    if role not in _ROLES:
        raise Refused("role_unknown")
    try:
        async with given.staff.begin("change_role") as tx:
            await staff_people.change_role(tx, staff_id, Role.named(role))
            await note(request, tx, session, "staff_role_changed", object_id=staff_id, role=role)
    except Refused as refused:
        return await _page(request, session, given, refusal=refused.refusal)
    return _done("changed")


@router.post("/{staff_id}/deactivate")
async def deactivate(request: Request, session: Admin, given: Given, staff_id: StaffId) -> Response:
    """Let somebody go: out at their next request, wherever they are signed in."""
    at = given.clock()
    try:
        async with given.staff.begin("deactivate_staff") as tx:
            await staff_people.deactivate(tx, staff_id, at=at)
            await password_links.revoke(tx, staff_id, at=at)
            await note(request, tx, session, "staff_deactivated", object_id=staff_id)
    except Refused as refused:
        return await _page(request, session, given, refusal=refused.refusal)
    return _done("deactivated")


@router.post("/{staff_id}/reactivate")
async def reactivate(request: Request, session: Admin, given: Given, staff_id: StaffId) -> Response:
    """Let somebody in again."""
    async with given.staff.begin("reactivate_staff") as tx:
        await staff_people.reactivate(tx, staff_id)
        await note(request, tx, session, "staff_reactivated", object_id=staff_id)
    return _done("changed")


@router.post("/{staff_id}/second-factor/reset")
async def reset_second_factor(request: Request, session: Admin, given: Given, staff_id: StaffId) -> Response:
    """For who lost the telephone and the recovery codes: the password alone opens again, and every session ends."""
    at = given.clock()
    async with given.staff.begin("reset_second_factor") as tx:
        if not await second_factors.remove(tx, staff_id):
            raise Refused("not_found")
        if staff_id != session.staff_id:
            await staff_people.end_sessions(tx, staff_id, at=at)
        await note(request, tx, session, "second_factor_reset", object_id=staff_id)
    return _done("changed")


_ROLES: Final = tuple(each.word for each in Role)


def _complaint(email: str, name: str, role: str) -> Refusal | None:
    local, at, domain = email.partition("@")
    if not (local and at and domain) or len(email) > 254 or any(each.isspace() or not each.isprintable() for each in email):
        return Refusal(rule="email_unreadable")
    if not name or not name.isprintable():
        return Refusal(rule="name_needed")
    return None if role in _ROLES else Refusal(rule="role_unknown")


async def _queue_invitation(tx: Transaction, given: Services, staff_id: str, email: str) -> None:
    await outbox.queue(
        tx,
        template="staff_invited",
        to_address=email,
        at=given.clock(),
        process_id=staff_id,
        facts={"purpose": "invitation"},
        once=fresh_id("mal"),
    )


def _done(what: str) -> Response:
    return RedirectResponse(f"/staff/people?done={what}", status_code=303)


async def _page(
    request: Request,
    session: StaffSession,
    given: Services,
    *,
    refusal: Refusal | None = None,
    typed: dict[str, str] | None = None,
    done: str = "",
) -> Response:
    async with given.staff.begin("staff_people") as tx:
        people = await staff_people.people(tx)
    return page(
        request,
        session,
        "people.html",
        status=200 if refusal is None else refusal.status,
        people=people,
        roles=_ROLES,
        me=session.staff_id,
        typed=typed or {"email": "", "name": "", "role": "viewer"},
        refusal=refusal,
        done=done,
    )
