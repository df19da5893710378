"""Credits (A6): what is left of each and where it went; and asking that one be applied to invoices (E1).

Three steps that write nothing (choose, check, back), then one that starts the process. The check carries the id that the
request will have, signed, and the fingerprint of what it showed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from activities.requests import ApplyOrder
from api import pages
from api.formatting import places
from api.portal.errors import refuse
from api.portal.request_words import KINDS, badge_of
from api.portal.shell import shell_for, writer
from api.portal.story import for_customers
from api.security.forms import FormSigner
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.allocation import Line
from domain.business import MOST_INVOICES, BusinessSettings
from domain.credits import CreditFacts, offered, plan_application, why_not_requested
from domain.ids import is_id
from domain.money import MoneyError, parse_amount
from domain.preview import application_hash
from domain.receivables import CreditKind
from domain.refusals import Refusal, Refused
from store import erp_credits
from store.access import PortalSession
from store.database import Transaction
from store.identity import fresh_id
from store.views import credits as views
from store.views.credits import CreditLine
from store.views.paying import Payable, chosen, oldest

router: Final = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)
Session = Annotated[PortalSession, Depends(portal_session)]
Given = Annotated[Services, Depends(given_services)]
LISTED_MOST: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An application that is being looked at: what it would put on each invoice (minor units), and what was typed."""

    credit: CreditFacts
    payables: Sequence[Payable]
    amounts: Mapping[str, int]
    typed: Mapping[str, str]
    notice: str = ""

    @property
    def total(self) -> int:
        """What it comes to, in minor units."""
        return sum(self.amounts.values())


@router.get("/credits")
async def show_credits(request: Request, session: Session, given: Given, page: int = 1) -> Response:
    """The list: what has something left first."""
    _shown(session.settings)
    page = min(max(page, 1), 10_000)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        listed = await views.list_credits(tx, customers=session.family, page=page)
    return pages.render(
        request,
        "portal/credits.html",
        shell=shell_for(request, session),
        write=writer(request, session),
        lines=listed[: views.PAGE],
        kinds=KINDS,
        badge_of=badge_of,
        may_ask=lambda kind: why_not_requested(kind, session.settings) is None,
        page=page,
        has_more=len(listed) > views.PAGE,
    )


@router.get("/credits/{credit_id}")
async def show_credit(request: Request, credit_id: str, session: Session, given: Given) -> Response:
    """One credit: where it came from, where it went, what is asked of it. A payment is also on the list of payments."""
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        found = await views.credit(tx, credit_id, customers=session.family) if is_id(credit_id, "crd") else None
    if found is None or not may_see(found, session.settings):
        raise Refused("not_found")
    return pages.render(
        request,
        "portal/credit.html",
        shell=shell_for(request, session),
        write=writer(request, session),
        credit=found,
        home="/payments" if found.kind is CreditKind.PAYMENT and session.settings.show_payments else "/credits",
        kinds=KINDS,
        badge_of=badge_of,
        refusal=why_not_requested(found.kind, session.settings),
    )


@router.get("/credits/{credit_id}/apply")
async def choose(request: Request, credit_id: str, session: Session, given: Given) -> Response:
    """Choose invoices and amounts: the oldest first are offered."""
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        credit = await _credit(tx, credit_id, session)
        payables = await oldest(tx, session.family, credit.currency, _as_if_paying(session.settings))
    lines = {line.invoice_id: line.minor for line in offered(credit, [each.facts for each in payables])}
    listed = [each for each in payables if each.facts.available_minor > 0][:LISTED_MOST]
    lines = {each.facts.id: lines[each.facts.id] for each in listed if each.facts.id in lines}
    return _choose_page(request, session, Draft(credit=credit, payables=listed, amounts=lines, typed={}))


@router.post("/credits/{credit_id}/apply")
async def check(request: Request, credit_id: str, session: Session, given: Given) -> Response:
    """The double-check: before and after, of both sides. What cannot be is told beside what was typed."""
    form = await request.form()
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        credit = await _credit(tx, credit_id, session)
        draft = await _draft_of(form, credit, session, tx)
    refusal = _refusal_of(draft, session.settings)
    if draft.notice or refusal is not None:
        told = draft.notice or (refusal.sentence if refusal is not None else "")
        return _choose_page(request, session, replace(draft, notice=told), status=422)
    signed = FormSigner(given.form_keys).sign(
        fresh_id("req"), customer_id=session.customer.id, session=session.reference, issued_at=given.clock()
    )
    return pages.render(
        request,
        "portal/apply_check.html",
        shell=shell_for(request, session),
        write=writer(request, session),
        draft=draft,
        kinds=KINDS,
        chosen=[each for each in draft.payables if each.facts.id in draft.amounts],
        signed=signed,
        fingerprint=application_hash(credit, [each.facts for each in draft.payables if each.facts.id in draft.amounts]),
    )


@router.post("/requests")
async def send(request: Request, session: Session, given: Given) -> Response:
    """Send the request, once: the row is read first, and whatever goes wrong is answered by the page that reads it."""
    form = await request.form()
    signer = FormSigner(given.form_keys)
    request_id = signer.check(
        str(form.get("request", "")), customer_id=session.customer.id, session=session.reference, at=given.clock()
    )
    if not is_id(request_id, "req"):
        raise Refused("form_expired")
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        known = await views.request_hash_of(tx, request_id)
        credit = await erp_credits.facts(tx, str(form.get("credit", "")), session.family)
        if credit is None:
            raise Refused("credit_not_found")
        draft = await _draft_of(form, credit, session, tx)
    if draft.notice:
        return await refuse(request, Refusal(rule="form_expired"))
    order = _order(request_id, draft, str(form.get("facts_hash", "")), session)
    if known is not None and known != order.request_hash:
        raise Refused("form_used_differently")
    status_page = RedirectResponse(f"/requests/{request_id}", status_code=303)
    if known is not None:
        return status_page
    try:
        await given.processes.request_application(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", request_id, type(error).__name__)
    return status_page


def may_see(credit: CreditLine, settings: BusinessSettings) -> bool:
    """Whether the business shows its customers credits such as this one."""
    return settings.show_credits or (credit.kind is CreditKind.PAYMENT and settings.show_payments)


def _shown(settings: BusinessSettings) -> None:
    if not settings.show_credits:
        raise Refused("not_found")


def _as_if_paying(settings: BusinessSettings) -> BusinessSettings:
    """A credit settles invoices where paying is switched off as well."""
    return replace(settings, one_time_payment=True)


async def _credit(tx: Transaction, credit_id: str, session: PortalSession) -> CreditFacts:
    credit = await erp_credits.facts(tx, credit_id, session.family) if is_id(credit_id, "crd") else None
    if credit is None or credit.deleted:
        raise Refused("credit_not_found")
    refusal = why_not_requested(credit.kind, session.settings)
    if refusal is not None:
        raise Refused(refusal.rule, **refusal.facts)
    if credit.available_minor == 0:
        raise Refused("credit_used_up", number=credit.number)
    return credit


async def _draft_of(form: FormData, credit: CreditFacts, session: PortalSession, tx: Transaction) -> Draft:
    typed = {key: str(value).strip() for key, value in form.multi_items() if is_id(key, "inv")}
    if len(typed) > MOST_INVOICES:
        raise Refused("too_many_invoices", most=MOST_INVOICES, asked=len(typed))
    payables = await chosen(tx, list(typed), (), (), _as_if_paying(session.settings))
    if set(typed) - {each.facts.id for each in payables}:
        raise Refused("invoice_not_found")
    amounts: dict[str, int] = {}
    notice = ""
    for each in payables:
        text = typed[each.facts.id]
        if text in {"", "0"}:
            continue
        try:
            minor = parse_amount(text, credit.currency).minor
        except MoneyError as error:
            notice = f"Invoice {each.facts.number}: {error.sentence}"
            continue
        if minor:
            amounts[each.facts.id] = minor
    return Draft(credit=credit, payables=payables, amounts=amounts, typed=typed, notice=notice)


def _refusal_of(draft: Draft, settings: BusinessSettings) -> Refusal | None:
    lines = [Line(invoice_id=key, minor=minor) for key, minor in draft.amounts.items()]
    decision = plan_application(lines, draft.credit, {each.facts.id: each.facts for each in draft.payables}, settings)
    return for_customers(decision) if isinstance(decision, Refusal) else None


def _order(request_id: str, draft: Draft, fingerprint: str, session: PortalSession) -> ApplyOrder:
    lines = tuple(Line(invoice_id=key, minor=minor) for key, minor in sorted(draft.amounts.items()))
    told = {
        "lines": [[line.invoice_id, line.minor] for line in lines],
        "credit": draft.credit.id,
        "facts": fingerprint,
        "customer": session.customer.id,
    }
    return ApplyOrder(
        request_id=request_id,
        customer_id=session.customer.id,
        customer_ids=session.family,
        credit_id=draft.credit.id,
        lines=lines,
        facts_hash=fingerprint,
        request_hash=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        requested_by=session.person,
    )


def _choose_page(request: Request, session: PortalSession, draft: Draft, *, status: int = 200) -> Response:
    return pages.render(
        request,
        "portal/apply.html",
        status=status,
        shell=shell_for(request, session),
        write=writer(request, session),
        draft=draft,
        kinds=KINDS,
        places=places(draft.credit.currency),
    )
