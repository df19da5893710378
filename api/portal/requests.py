"""The page of a request to apply a credit: it stays true for weeks. Withdrawing it, and answering what staff asked."""

from __future__ import annotations

import logging
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.requests import Decision
from api import pages
from api.portal.payments import sight_of, status_of
from api.portal.request_words import KINDS, of_request
from api.portal.shell import shell_for, writer
from api.portal.story import refusal_of
from api.processes import Unanswered
from api.security.forms import FormSigner
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.ids import is_id
from domain.lifecycles import APPLY_OPEN, ApplyState
from domain.refusals import Refusal, Refused
from store.access import PortalSession
from store.identity import fresh_id
from store.views import credits as views
from workflows import ids

router: Final = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)
Session = Annotated[PortalSession, Depends(portal_session)]
Given = Annotated[Services, Depends(given_services)]


@router.get("/requests/{request_id}")
async def show_request(request: Request, request_id: str, session: Session, given: Given) -> Response:
    """One request's page: from its row; without a row, what its process says."""
    return await _page(request, request_id, session, given)


@router.post("/requests/{request_id}/withdraw")
async def withdraw(
    request: Request, request_id: str, session: Session, given: Given, decision: Annotated[str, Form()] = ""
) -> Response:
    """Take it back while nobody has decided: everything is as it was."""
    return await _decide(request, request_id, session, given, "withdraw", decision, "")


@router.post("/requests/{request_id}/answer")
async def answer(
    request: Request,
    request_id: str,
    session: Session,
    given: Given,
    decision: Annotated[str, Form()] = "",
    text: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Answer what staff asked."""
    return await _decide(request, request_id, session, given, "answer", decision, text)


async def _decide(
    request: Request, request_id: str, session: PortalSession, given: Services, action: str, signed: str, text: str
) -> Response:
    decision_id = FormSigner(given.form_keys).check(
        signed, customer_id=session.customer.id, session=session.reference, at=given.clock()
    )
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        found = await views.request(tx, request_id) if is_id(request_id, "req") else None
    if found is None or not is_id(decision_id, "chg"):
        raise Refused("not_found")
    if found.state not in APPLY_OPEN:
        return await _page(request, request_id, session, given, refusal=Refusal(rule="request_moved_on"), text=text)
    decision = Decision(
        decision_id=decision_id,
        request_id=request_id,
        action=action,
        by=session.person,
        version=found.version,
        text=text,
        customer_ids=session.family,
    )
    try:
        told = await given.processes.decide(decision)
    except Unanswered as error:
        log.warning("nobody said what became of a decision: %s", error)
        return RedirectResponse(f"/requests/{request_id}", status_code=303)
    if told.rule is not None:
        refusal = Refusal(rule=told.rule, facts=dict(told.facts))
        return await _page(request, request_id, session, given, refusal=refusal, text=text)
    return RedirectResponse(f"/requests/{request_id}", status_code=303)


async def _page(
    request: Request,
    request_id: str,
    session: PortalSession,
    given: Services,
    *,
    refusal: Refusal | None = None,
    text: str = "",
) -> Response:
    if not is_id(request_id, "req"):
        raise Refused("not_found")
    write = writer(request, session)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        found = await views.request(tx, request_id)
    shell = shell_for(request, session)
    if found is None:
        sight = await sight_of(given, request_id, ids.apply_request(request_id), session.family)
        return pages.render(
            request,
            "portal/payment_unborn.html",
            block="live",
            status=status_of(request, sight),
            shell=shell,
            here=f"/requests/{request_id}",
            sight=sight,
            short="",
        )
    sign = FormSigner(given.form_keys).sign
    if refusal is None and found.refused_rule is not None:
        refusal = refusal_of(found.refused_rule, found.refused_facts)
    return pages.render(
        request,
        "portal/request.html",
        block="live",
        status=200 if refusal is None or found.refused_rule is not None else refusal.status,
        shell=shell,
        write=write,
        page=found,
        kinds=KINDS,
        story=of_request(found, write, business=session.settings.business_name),
        here=f"/requests/{request_id}",
        refusal=refusal,
        text=text,
        is_open=found.state in APPLY_OPEN,
        is_asked=found.state is ApplyState.ASKED,
        signed=sign(fresh_id("chg"), customer_id=session.customer.id, session=session.reference, issued_at=given.clock()),
    )
