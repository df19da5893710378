"""Payments: the list, and the page of one that stays true for days. Whatever happens to a payment, this page says it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response
from temporalio.service import RPCError

from api import pages
from api.portal.shell import shell_for, shell_for_nobody, writer
from api.portal.story import badge_of, is_over_without_money, of_payment, refusal_of
from api.processes import Sight
from api.security.sessions import address_of, given_services, limit_rate, portal_session, portal_session_or_none
from api.services import Services
from domain.ids import is_id, shown_number
from domain.refusals import Refused
from store.access import PortalSession
from store.views.payments import PAGE, ListedPayment, PaymentPage, is_somebodys, list_payments, payment_page
from workflows import ids

router: Final = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)
RETURNS_MOST: Final = 120


@router.get("/payments")
async def show_payments(
    request: Request,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
    page: int = 1,
) -> Response:
    """The list of payments, the newest first."""
    if not session.settings.show_payments:
        raise Refused("not_found")
    page = min(max(page, 1), 10_000)
    write = writer(request, session)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        listed = await list_payments(tx, page=page)
    rows = [(each, *_badge_of(each)) for each in listed[:PAGE]]
    return pages.render(
        request,
        "portal/payments.html",
        shell=shell_for(request, session),
        write=write,
        rows=rows,
        page=page,
        has_more=len(listed) > PAGE,
    )


def _badge_of(each: ListedPayment) -> tuple[str, str]:
    if each.number is not None:
        return ("Paid", "state-green") if each.captured >= each.amount else ("Partly used", "state-yellow")
    return badge_of(each.state, captured=each.captured, refunding=each.refunding, refunded=each.refunded)


@router.get("/payments/{payment_id}")
async def show_payment(
    request: Request,
    payment_id: str,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """One payment's page: from its row; without a row, what its process says."""
    if not is_id(payment_id, "pay"):
        raise Refused("not_found")
    write = writer(request, session)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        payment = await payment_page(tx, payment_id)
    shell = shell_for(request, session)
    if payment is None:
        sight = await sight_of(given, payment_id, ids.payment(payment_id), session.family)
        return pages.render(
            request,
            "portal/payment_unborn.html",
            block="live",
            status=status_of(request, sight),
            shell=shell,
            here=f"/payments/{payment_id}",
            sight=sight,
            short=shown_number(payment_id),
        )
    story = of_payment(payment, write, business=session.settings.business_name, email=session.customer.email)
    return pages.render(
        request,
        "portal/payment.html",
        block="live",
        shell=shell,
        write=write,
        payment=payment,
        story=story,
        here=f"/payments/{payment_id}",
        short=shown_number(payment_id),
        refusal=refusal_of(payment.refused_rule, payment.refused_facts) if payment.refused_rule else None,
        action_url=payment.action_url if given.may_send_to(payment.action_url) else None,
        try_again=_selection(payment) if is_over_without_money(payment) else "",
    )


@router.get("/payments/{payment_id}/return")
async def return_from_provider(
    request: Request,
    payment_id: str,
    session: Annotated[PortalSession | None, Depends(portal_session_or_none)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """The way back from a provider's page. What the address says beyond the id is not read: the process asks for itself."""
    if not is_id(payment_id, "pay"):
        raise Refused("not_found")
    return await come_back(request, given, session, ids.payment(payment_id), f"/payments/{payment_id}")


def _selection(payment: PaymentPage) -> str:
    return "&".join(f"i={each.invoice_id}" for each in payment.covered if each.number is not None)


async def come_back(
    request: Request, given: Services, session: PortalSession | None, workflow_id: str, page: str
) -> Response:
    """Wake the process, then its page; or, for who has no session here, a page that says nothing about anybody."""
    await limit_rate(request, f"return/{address_of(request)}", limit=RETURNS_MOST, window=timedelta(minutes=1))
    try:
        await given.processes.hint(workflow_id, "return")
    except (RPCError, RuntimeError, OSError) as error:
        log.warning("the hint for %s was lost: %s", workflow_id, type(error).__name__)
    if session is not None:
        return RedirectResponse(page, status_code=303)
    return pages.render(request, "portal/come_back.html", shell=shell_for_nobody(request))


async def sight_of(given: Services, process_id: str, workflow_id: str, family: Sequence[str]) -> str:
    """'starting', 'nothing' or 'unclear' for a process that has no row of this customer's.

    Somebody else's is 'nothing', as one that never was: the two must not be told apart (A3).
    """
    async with given.staff.begin("look_for_process") as tx:
        if await is_somebodys(tx, process_id, but=family):
            return "nothing"
    try:
        sight = await given.processes.describe(workflow_id)
    except (RPCError, RuntimeError, OSError):
        return "unclear"
    # A process that has ended wrote its row, perhaps since we looked: the next look shows it.
    return "nothing" if sight is Sight.MISSING else "starting"


def status_of(request: Request, sight: str) -> int:
    """404 for what does not exist. A page that asks again by itself shows only what comes with a 200."""
    return 404 if sight == "nothing" and not pages.is_fragment(request) else 200
