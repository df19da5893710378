"""Signing in and out. The same answer, after the same work, whether the address is unknown or the password wrong.

Whoever has a second factor is asked for a code next; until it is right, the cookie opens the page that asks and no other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.access.viewing import end_view
from api.pages import render
from api.security import passwords
from api.security.cookies import Cookie, Cookies
from api.security.paths import safe_path_or
from api.security.sessions import address_of, agent_of, csrf_of, limit_rate
from api.services import Services
from api.staff import factors
from api.staff.come_back import LONGEST, Kept, come_back_page, kept, kept_of
from api.staff.frame import Given, StaffShell
from domain.business import BusinessSettings
from domain.refusals import Refusal
from store import access, access_log, staff_accounts, tokens
from store.access_log import Act
from store.database import Transaction
from store.staff_accounts import Account

router: Final = APIRouter()
_WINDOW: Final = timedelta(minutes=10)
_LONGEST_PASSWORD: Final = 200  # hashing is slow on purpose; nobody makes it slower
After = Annotated[str, Form(max_length=1000)]
Action = Annotated[str, Form(max_length=500)]
Typed = Annotated[str, Form(max_length=LONGEST)]


@router.get("/sign-in")
async def show_sign_in(request: Request, after: str = "/staff", done: str = "") -> Response:
    """The form; `after` is where one wanted to go."""
    return _page(request, after=safe_path_or(after, "/staff"), done=done == "password")


@router.post("/sign-in")
async def sign_in(
    request: Request,
    given: Given,
    email: Annotated[str, Form(max_length=1000)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    after: After = "/staff",
    action: Action = "",
    typed: Typed = "",
) -> Response:
    """Check the password and open a fresh session, or ask for the code."""
    email = email.strip().lower()[:254]
    await limit_rate(request, f"sign-in/address/{address_of(request)}", limit=20, window=_WINDOW)
    await limit_rate(request, f"sign-in/email/{email}", limit=5, window=_WINDOW)
    async with given.staff.begin("staff_by_email") as tx:
        account = await staff_accounts.by_email(tx, email)
    # Who was invited and has set no password costs what nobody costs.
    stored = None if account is None else account.password_hash or None
    genuine = await passwords.belongs(password[:_LONGEST_PASSWORD], stored)
    after, form = safe_path_or(after, "/staff"), kept(action, typed)
    if account is None or not genuine:
        await _note(request, given, "unknown" if account is None else account.id, "sign_in_failed")
        return _page(request, after=after, refusal=Refusal(rule="sign_in_failed"), email=email, form=form)
    if not account.has_second_factor:
        return await _enter(request, given, account, after=after, form=form)
    async with given.staff.begin("ask_for_code") as tx:
        half = await staff_accounts.open_half(tx, account, at=given.clock())
        await _end_this_browsers(request, given, tx)
    response = _code_page(request, after=after, form=form, csrf=tokens.form_token(half))
    Cookies(given.base_url).write(response, Cookie.STAFF, half)
    return response


@router.post("/sign-in/code")
async def give_code(
    request: Request,
    given: Given,
    code: Annotated[str, Form(max_length=100)] = "",
    after: After = "/staff",
    action: Action = "",
    typed: Typed = "",
) -> Response:
    """Check the code, each of which is accepted once, and open a fresh session."""
    after, form = safe_path_or(after, "/staff"), kept(action, typed)
    token = Cookies(given.base_url).read(request, Cookie.STAFF)
    account = None
    if token is not None and tokens.is_token(token):
        async with given.staff.begin("half_open") as tx:
            account = await staff_accounts.half_open(tx, token, at=given.clock())
    if account is None:
        return _page(request, after=after, refusal=Refusal(rule="signed_out"), form=form)
    await factors.limit_guesses(request, account.id)
    async with given.staff.begin("use_code") as tx:
        used = await factors.accept(tx, given, account.id, code)
    if used is None:
        await _note(request, given, account.id, "code_refused")
        return _code_page(request, after=after, form=form, refusal=Refusal(rule="code_wrong"))
    return await _enter(request, given, account, after=after, form=form, factor=used)


@router.post("/sign-out")
async def sign_out(request: Request, given: Given) -> Response:
    """End the session of this browser, awake or idle."""
    async with given.staff.begin("end_session") as tx:
        await _end_this_browsers(request, given, tx)
        await end_view(request, given, tx)
    response = RedirectResponse("/staff/sign-in", status_code=303)
    Cookies(given.base_url).forget(response, Cookie.STAFF)
    return response


async def on_sign_in_again(request: Request, error: Exception) -> Response:  # noqa: ARG001 a handler is given both
    """For `app.add_exception_handler(SignInAgain, …)`: the sign-in page, which carries what was typed."""
    return _page(request, after="/staff", refusal=Refusal(rule="signed_out"), form=kept_of(request))


async def _enter(
    request: Request, given: Services, account: Account, *, after: str, form: Kept, factor: str = "password"
) -> Response:
    at = given.clock()
    async with given.staff.begin("sign_in") as tx:
        token = await staff_accounts.open_session(tx, account, at=at, address=address_of(request), agent=agent_of(request))
        await _end_this_browsers(request, given, tx)
        act = Act(
            actor=account.id,
            action="signed_in",
            address=address_of(request),
            agent=agent_of(request),
            facts={"by": factor},
        )
        await access_log.note(tx, act, at=at)
    response: Response = RedirectResponse(after, status_code=303)
    if form:
        response = come_back_page(request, _shell(request, csrf=tokens.form_token(token)), form)
    Cookies(given.base_url).write(response, Cookie.STAFF, token)
    return response


async def _end_this_browsers(request: Request, given: Services, tx: Transaction) -> None:
    before = Cookies(given.base_url).read(request, Cookie.STAFF)
    if before is not None and tokens.is_token(before):
        await access.end_session(tx, before, at=given.clock())


async def _note(request: Request, given: Services, actor: str, action: str) -> None:
    act = Act(actor=actor, action=action, address=address_of(request), agent=agent_of(request))
    async with given.staff.begin("note") as tx:
        await access_log.note(tx, act, at=given.clock())


def _shell(request: Request, *, csrf: str | None = None) -> StaffShell:
    """Nobody's frame. A cookie that this answer brings has a form token of its own."""
    colour = BusinessSettings().accent_colour
    return StaffShell(business_name="Duly", accent_colour=colour, csrf=csrf_of(request) if csrf is None else csrf)


def _page(
    request: Request,
    *,
    after: str,
    refusal: Refusal | None = None,
    email: str = "",
    form: Kept | None = None,
    done: bool = False,
) -> Response:
    status = 200 if refusal is None else refusal.status
    facts: dict[str, Any] = {"after": after, "refusal": refusal, "email": email, "form": form or Kept(), "done": done}
    return render(request, "staff/sign_in.html", status=status, shell=_shell(request), **facts)


def _code_page(
    request: Request, *, after: str, form: Kept, refusal: Refusal | None = None, csrf: str | None = None
) -> Response:
    status = 200 if refusal is None else refusal.status
    facts: dict[str, Any] = {
        "after": after,
        "refusal": refusal,
        "form": form,
        "minutes": int(staff_accounts.CODE_WITHIN.total_seconds()) // 60,
    }
    return render(request, "staff/sign_in_code.html", status=status, shell=_shell(request, csrf=csrf), **facts)
