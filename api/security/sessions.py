"""Who is asking. Pages take one of these as a dependency:

session: Annotated[PortalSession, Depends(portal_session)]
session: Annotated[StaffSession, Depends(staff_may(Role.AGENT))]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from fastapi import HTTPException, Request
from starlette.requests import HTTPConnection

from api.security.cookies import Cookie, Cookies
from api.security.cross_site import READS, form_token
from api.security.paths import safe_path_or
from api.services import Services
from domain.refusals import Refused
from store import access, rate_limits, staff_accounts, tokens
from store.access import PortalSession
from store.staff_accounts import Role, StaffSession


def services(request: HTTPConnection) -> Services:
    """What the doors were given: `app.state.services`, set by the factory of the API."""
    given: Services = request.app.state.services
    return given


async def given_services(request: HTTPConnection) -> Services:
    """The same as a dependency. Asynchronous, for FastAPI sends every other function to a thread and waits for it."""
    return services(request)


def csrf_of(request: HTTPConnection) -> str:
    """The value of the field `csrf` that every form of this page carries, signed in or not."""
    return form_token(request, Cookies(services(request).base_url))


async def portal_session_or_none(request: Request) -> PortalSession | None:
    """The customer's session, or None: for pages that work without one, such as the way back from a provider.

    One SQL statement; asked twice in one request, it reads once.
    """
    if "duly.portal_session" in request.scope:
        known: PortalSession | None = request.scope["duly.portal_session"]
        return known
    given = services(request)
    token = Cookies(given.base_url).read(request, Cookie.PORTAL)
    session = None
    if token is not None and tokens.is_token(token):
        async with given.staff.begin("load_session") as tx:
            session = await access.load_session(tx, token, at=given.clock())
    if session is not None:
        session = replace(session, offers=given.that_start(session.offers))
    request.scope["duly.portal_session"] = session
    return session


async def only_reads_while_viewing(request: Request) -> None:
    """For every route of customers: whoever views as a customer changes nothing. Raises Refused 'viewing_only' (403)."""
    if request.method in READS:
        return
    session = await portal_session_or_none(request)
    if session is not None and session.viewer is not None:
        raise Refused("viewing_only")


async def portal_session(request: Request) -> PortalSession:
    """The customer's session. Without one: Refused 'signed_out' (401), or, where the address names something,
    'not_open_here' (404), which says the same for what exists and for what never was.
    """
    session = await portal_session_or_none(request)
    if session is None:
        raise Refused("not_open_here" if request.path_params else "signed_out")
    return session


async def staff_session_or_none(request: Request) -> StaffSession | None:
    """A member of staff's session, or None: for the way back from a provider, which customers come as well."""
    given = services(request)
    token = Cookies(given.base_url).read(request, Cookie.STAFF)
    if token is None or not tokens.is_token(token):
        return None
    async with given.staff.begin("load_session") as tx:
        session = await staff_accounts.load_session(tx, token, at=given.clock())
    return None if session is None else replace(session, offers=given.that_start(session.offers))


class SignInAgain(Exception):
    """A form of staff met a session that has ended: what was typed comes back after signing in (api/staff/come_back.py)."""


SECOND_FACTOR_PAGES: Final = "/staff/account/second-factor"
"""The beginning of the only paths that are open to staff who must have a second factor and have none."""


async def staff_session(request: Request) -> StaffSession:
    """A member of staff, whatever the role. Without a session: a redirect to the sign-in page, which comes back here.

    Raises SignInAgain where a form was sent from a browser that was signed in.
    """
    session = await staff_session_or_none(request)
    if session is None:
        token = Cookies(services(request).base_url).read(request, Cookie.STAFF)
        if request.method not in READS and token is not None and tokens.is_token(token):
            raise SignInAgain
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        after = safe_path_or(here if request.method == "GET" else None, "/staff")
        raise HTTPException(303, "Sign in first.", {"Location": f"/staff/sign-in?after={quote(after, safe='')}"})
    must_set_up = session.settings.require_second_factor and not session.has_second_factor
    if must_set_up and not request.url.path.startswith(SECOND_FACTOR_PAGES):
        raise HTTPException(303, "Set up a second factor first.", {"Location": SECOND_FACTOR_PAGES})
    return session


def staff_may(least: Role) -> Callable[[Request], Awaitable[StaffSession]]:
    """A dependency: a member of staff of at least that role. Raises Refused 'not_allowed' (403) for a lesser one."""

    async def check(request: Request) -> StaffSession:
        session = await staff_session(request)
        if session.role < least:
            raise Refused("not_allowed")
        return session

    return check


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from, for the access log and the counters. A proxy's word is the server's business."""
    return "unknown" if request.client is None else request.client.host


def agent_of(request: HTTPConnection) -> str:
    """What the browser calls itself, for the access log."""
    return request.headers.get("user-agent", "")[:200]


async def limit_rate(request: HTTPConnection, subject: str, *, limit: int, window: timedelta) -> None:
    """Count a hit of a subject, in a transaction of its own. Raises Refused 'too_many_requests' (429) above the limit."""
    given = services(request)
    async with given.staff.begin("count_hit") as tx:
        wait_seconds = await rate_limits.hit(tx, subject, limit=limit, window=window, at=given.clock())
    if wait_seconds is not None:
        raise Refused("too_many_requests", seconds=wait_seconds)
