"""Requests to apply a credit, as staff decide them: the evidence beside the decision, with every balance afterwards.

The form names the version that it was drawn from and the fingerprint of the figures that it showed: a decision about what is
no longer so is refused, and the page shows what is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from activities.requests import Decision
from api.portal.request_words import KINDS, badge_of
from api.processes import Unanswered
from api.services import Services
from api.staff import posting_words
from api.staff.frame import Agent, Given, Viewer, note, page
from domain import deciding
from domain.allocation import Line
from domain.credits import CreditFacts
from domain.ids import is_id
from domain.invoices import InvoiceFacts
from domain.lifecycles import APPLY_OPEN, ApplyState
from domain.money import Money, MoneyError, parse_amount
from domain.preview import application_hash
from domain.refusals import Refusal, Refused
from store import apply_requests
from store.database import Transaction
from store.identity import fresh_id
from store.staff_accounts import Role, StaffSession
from store.views import credits as views
from store.views import staff_postings
from store.views.credits import RequestPage

router: Final = APIRouter()
log = logging.getLogger(__name__)
RequestId = Annotated[str, Path(max_length=100)]
Action = Literal["approve", "reject", "ask", "undo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A request with both sides as they are now; `fingerprint` stands for these figures. `most` is what may be approved of
    each invoice, in minor units.
    """

    request: RequestPage
    credit: CreditFacts | None
    invoices: Mapping[str, InvoiceFacts]
    fingerprint: str
    most: Mapping[str, int]

    @property
    def total(self) -> int:
        """What approving all of it would apply, in minor units."""
        return sum(self.most.values())


async def evidence(tx: Transaction, request_id: str) -> Evidence | None:
    """Everything that a decision needs to see; None for a request that does not exist."""
    found = await views.request(tx, request_id)
    if found is None:
        return None
    credit, invoices = await apply_requests.both_sides(
        tx, request_id, found.credit_id, [line.invoice_id for line in found.lines]
    )
    return Evidence(
        request=found,
        credit=credit,
        invoices=invoices,
        fingerprint="" if credit is None else application_hash(credit, invoices.values()),
        most={line.invoice_id: line.asked if line.approved is None else line.approved for line in found.lines},
    )


@router.get("/requests/{request_id}")
async def show_request(request: Request, session: Viewer, given: Given, request_id: RequestId) -> Response:
    """A request's own page: it stays true after the decision."""
    return await drawn(request, session, given, request_id)


@router.post("/requests/{request_id}/decide")
async def decide(
    request: Request,
    session: Agent,
    given: Given,
    request_id: RequestId,
    action: Annotated[Action, Form()],
    version: Annotated[int, Form(ge=0, le=1_000_000)],
    decision_id: Annotated[str, Form(max_length=100)],
    text: Annotated[str, Form(max_length=10_000)] = "",
    facts_hash: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Approve, reject, ask or undo. Pressed twice it is one decision; a time-out is no failure: the page tells."""
    form = await request.form()
    async with given.staff.begin("request_seen") as tx:
        seen = await evidence(tx, request_id) if is_id(request_id, "req") else None
        if seen is None or not is_id(decision_id, "chg"):
            raise Refused("not_found")
        lines = _lines(form, seen) if action == "approve" else ()
        if not isinstance(lines, Refusal):
            await note(
                request,
                tx,
                session,
                f"request_{action}",
                customer_id=seen.request.customer_id,
                object_id=request_id,
                version=version,
            )
    if isinstance(lines, Refusal):
        return await drawn(request, session, given, request_id, refusal=lines, text=text)
    decision = Decision(
        decision_id=decision_id,
        request_id=request_id,
        action=action,
        by=session.staff_id,
        version=version,
        lines=lines,
        text=text,
        facts_hash=facts_hash if action == "approve" else "",
    )
    try:
        undoes = action == "undo"
        told = await (given.processes.undo_application(decision) if undoes else given.processes.decide(decision))
    except Unanswered as error:
        log.warning("nobody said what became of a decision: %s", error)
        async with given.staff.begin("request_seen") as tx:
            now = await evidence(tx, request_id)
        if now is not None and now.request.version == version:
            return RedirectResponse(f"/staff/requests/{request_id}", status_code=303)
        return await drawn(request, session, given, request_id, refusal=Refusal(rule="request_moved_on"), text=text)
    if told.rule is not None:
        refusal = Refusal(rule=told.rule, facts=dict(told.facts))
        return await drawn(request, session, given, request_id, refusal=refusal, text=text)
    return RedirectResponse(f"/staff/requests/{request_id}", status_code=303)


def _lines(form: FormData, seen: Evidence) -> tuple[Line, ...] | Refusal:
    """What is approved of each invoice: all of it where the form says nothing."""
    lines: list[Line] = []
    for invoice_id, most in seen.most.items():
        typed = str(form.get(invoice_id, "")).strip()
        if not typed:
            lines.append(Line(invoice_id=invoice_id, minor=most))
            continue
        try:
            minor = 0 if typed == "0" else parse_amount(typed, seen.request.currency).minor
        except MoneyError as error:
            return Refusal(rule=error.rule)
        if minor:
            lines.append(Line(invoice_id=invoice_id, minor=minor))
    return tuple(lines) if lines else Refusal(rule="nothing_selected")


async def drawn(
    request: Request,
    session: StaffSession,
    given: Services,
    request_id: str,
    *,
    refusal: Refusal | None = None,
    text: str = "",
) -> Response:
    """A request's page; `refusal` is why what was asked for on it was not done. Raises Refused 'not_found'."""
    async with given.staff.begin("staff_request") as tx:
        seen = await evidence(tx, request_id) if is_id(request_id, "req") else None
        posted = () if seen is None else await staff_postings.of_request(tx, request_id)
    if seen is None:
        raise Refused("not_found")
    return page(
        request,
        session,
        "request.html",
        status=200 if refusal is None else refusal.status,
        evidence=seen,
        posted=posted,
        postings=posting_words,
        refusal=refusal,
        text=text,
        decision_id=fresh_id("chg"),
        **facts_for(seen, session),
    )


def facts_for(seen: Evidence, session: StaffSession) -> dict[str, Any]:
    """What the template of a decision needs besides the evidence."""
    total = Money.of(seen.total, seen.request.currency)
    second = deciding.needs_second(total, session.settings.approval_limit)
    return {
        "kinds": KINDS,
        "badge": badge_of(seen.request.state),
        "is_open": seen.request.state in APPLY_OPEN,
        "may_undo": seen.request.state is ApplyState.APPLIED,
        "second_needed": second,
        "why_not": deciding.refuse_decider(
            total,
            session.settings.approval_limit,
            deciding.Decider(id=session.staff_id, is_approver=session.role >= Role.APPROVER),
            first_by=seen.request.first_by,
        ),
    }
