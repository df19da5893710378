"""One's own second factor: set up by a QR code, confirmed by a first code, switched off by another."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.security import one_time_codes
from api.security.sealing import Sealer
from api.services import Services
from api.staff import factors
from api.staff.frame import Given, Viewer, note, page
from domain.refusals import Refusal, Refused
from store import second_factors
from store.second_factors import SecondFactor
from store.staff_accounts import StaffSession

router: Final = APIRouter(prefix="/account/second-factor")
Code = Annotated[str, Form(max_length=100)]


@router.get("")
async def show(request: Request, session: Viewer, given: Given) -> Response:
    """Whether there is one, and how to switch it on or off. The secret is not shown here again."""
    return await _page(request, session, given)


@router.post("/begin")
async def begin(request: Request, session: Viewer, given: Given) -> Response:
    """A fresh secret, shown this once. Nothing is asked for until it is confirmed."""
    secret = one_time_codes.fresh_secret()
    sealed = Sealer(given.sealing_keys).seal(secret, owner=session.staff_id)
    async with given.staff.begin("begin_second_factor") as tx:
        begun = await second_factors.start(tx, session.staff_id, sealed, at=given.clock())
    if not begun:
        raise Refused("second_factor_moved_on")
    return await _page(request, session, given, secret=secret)


@router.post("/confirm")
async def confirm(request: Request, session: Viewer, given: Given, code: Code = "") -> Response:
    """The first code proves that the app has the secret; the recovery codes are shown this once."""
    await factors.limit_guesses(request, session.staff_id)
    async with given.staff.begin("second_factor") as tx:
        factor = await second_factors.of(tx, session.staff_id)
    if factor is None or factor.is_confirmed:
        raise Refused("second_factor_moved_on")
    secret = Sealer(given.sealing_keys).open(factor.sealed, owner=session.staff_id)
    at = given.clock()
    step = one_time_codes.step_of(code, secret, at=at)
    if step is None:
        return await _page(request, session, given, secret=secret, refusal=Refusal(rule="code_wrong"))
    codes = one_time_codes.fresh_recovery_codes()
    async with given.staff.begin("confirm_second_factor") as tx:
        if not await second_factors.confirm(tx, session.staff_id, sealed=factor.sealed, step=step, at=at):
            raise Refused("second_factor_moved_on")
        await second_factors.replace_recovery_codes(tx, session.staff_id, codes)
        await note(request, tx, session, "second_factor_on", object_id=session.staff_id)
    return await _page(request, session, given, codes=codes)


@router.post("/codes")
async def renew_codes(request: Request, session: Viewer, given: Given, code: Code = "") -> Response:
    """Eight new recovery codes, for a code; the old ones open nothing any more."""
    await factors.limit_guesses(request, session.staff_id)
    codes = one_time_codes.fresh_recovery_codes()
    async with given.staff.begin("renew_recovery_codes") as tx:
        used = await factors.accept(tx, given, session.staff_id, code)
        if used is not None:
            await second_factors.replace_recovery_codes(tx, session.staff_id, codes)
            await note(request, tx, session, "recovery_codes_renewed", object_id=session.staff_id)
    if used is None:
        return await _page(request, session, given, refusal=Refusal(rule="code_wrong"))
    return await _page(request, session, given, codes=codes)


@router.post("/off")
async def switch_off(request: Request, session: Viewer, given: Given, code: Code = "") -> Response:
    """Switch it off, for a code: an open session alone is not enough."""
    if session.settings.require_second_factor:
        return await _page(request, session, given, refusal=Refusal(rule="second_factor_required"))
    await factors.limit_guesses(request, session.staff_id)
    async with given.staff.begin("remove_second_factor") as tx:
        used = await factors.accept(tx, given, session.staff_id, code)
        if used is not None:
            await second_factors.remove(tx, session.staff_id)
            await note(request, tx, session, "second_factor_off", object_id=session.staff_id)
    if used is None:
        return await _page(request, session, given, refusal=Refusal(rule="code_wrong"))
    return RedirectResponse("/staff/account", status_code=303)


async def _page(
    request: Request,
    session: StaffSession,
    given: Services,
    *,
    secret: str | None = None,
    codes: list[str] | None = None,
    refusal: Refusal | None = None,
) -> Response:
    async with given.staff.begin("second_factor") as tx:
        factor: SecondFactor | None = await second_factors.of(tx, session.staff_id)
        left = await second_factors.codes_left(tx, session.staff_id)
    issuer = f"Duly at {session.settings.business_name}"
    return page(
        request,
        session,
        "second_factor.html",
        status=200 if refusal is None else refusal.status,
        is_on=factor is not None and factor.is_confirmed,
        is_required=session.settings.require_second_factor,
        qr=None if secret is None else one_time_codes.qr_code(secret, email=session.email, issuer=issuer),
        secret=None if secret is None else one_time_codes.in_groups(secret),
        codes=codes,
        codes_left=left,
        refusal=refusal,
    )
