"""What surrounds every staff page, and how each act of staff is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from api.formatting import Writer, writer_for
from api.pages import render
from api.portal.shell import initials
from api.security.sessions import address_of, agent_of, csrf_of, given_services, services, staff_may
from api.services import Services
from api.staff import words
from store import access_log
from store.access_log import Act
from store.database import Transaction
from store.staff_accounts import Role, StaffSession
from store.views.erps_away import ErpAway

Given = Annotated[Services, Depends(given_services)]
Viewer = Annotated[StaffSession, Depends(staff_may(Role.VIEWER))]
Agent = Annotated[StaffSession, Depends(staff_may(Role.AGENT))]
Admin = Annotated[StaffSession, Depends(staff_may(Role.ADMIN))]
Approver = Annotated[StaffSession, Depends(staff_may(Role.APPROVER))]
_MENU: Final = (
    ("Inbox", "/staff/inbox"),
    ("Customers", "/staff/customers"),
    ("Reconciliation", "/staff/reconciliation"),
)
_MENU_OF_SOME: Final = (
    ("Access log", "/staff/log", Role.APPROVER),
    ("People", "/staff/people", Role.ADMIN),
    ("Connections", "/staff/connections", Role.ADMIN),
    ("Settings", "/staff/settings", Role.ADMIN),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffShell:
    """The frame of a staff page. `may_act` says whether to draw what only agents and above may do,
    `may_approve` what approvers and admins may."""

    business_name: str
    accent_colour: str
    csrf: str
    lang: str = "en-GB"
    name: str = ""
    role: str = ""
    initials: str = ""
    may_act: bool = False
    may_approve: bool = False
    menu: tuple[tuple[str, str, bool], ...] = ()
    waiting: int = 0
    erps_away: tuple[ErpAway, ...] = ()
    temporal_ui_url: str | None = None


def shell_for(request: Request, session: StaffSession) -> StaffShell:
    """The frame for a member of staff."""
    here = request.url.path
    return StaffShell(
        business_name=session.settings.business_name,
        accent_colour=session.settings.accent_colour,
        csrf=csrf_of(request),
        name=session.name,
        role=session.role.word,
        initials=initials(session.name),
        may_act=session.role >= Role.AGENT,
        may_approve=session.role >= Role.APPROVER,
        waiting=session.waiting,
        erps_away=session.erps_away,
        menu=tuple((label, href, here.startswith(href)) for label, href in (*_MENU, *_menu_of(session.role))),
        temporal_ui_url=services(request).temporal_ui_url,
    )


def _menu_of(role: Role) -> list[tuple[str, str]]:
    return [(label, href) for label, href, least in _MENU_OF_SOME if role >= least]


def writer(request: Request, session: StaffSession) -> Writer:
    """Writes amounts and moments in the business's own time zone."""
    return writer_for(country=None, time_zone=session.settings.time_zone, now=services(request).clock())


def page(
    request: Request, session: StaffSession, template: str, *, status: int = 200, block: str | None = None, **facts: object
) -> HTMLResponse:
    """A staff page; templates get `shell`, `write` (the Writer) and `words` besides the facts."""
    return render(
        request,
        f"staff/{template}",
        status=status,
        block=block,
        headers=None,
        shell=shell_for(request, session),
        write=writer(request, session),
        words=words,
        **facts,
    )


async def note(
    request: Request,
    tx: Transaction,
    session: StaffSession,
    action: str,
    *,
    customer_id: str | None = None,
    object_id: str | None = None,
    **facts: str | int,
) -> None:
    """Write an act into the access log, in the transaction of the act itself."""
    act = Act(
        actor=session.staff_id,
        action=action,
        customer_id=customer_id,
        object_id=object_id,
        address=address_of(request),
        agent=agent_of(request),
        facts=facts,
    )
    await access_log.note(tx, act, at=services(request).clock())
