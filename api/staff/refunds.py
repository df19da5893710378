"""Refunds by staff: a form that says what every balance will be, committed only if that is still so; the second person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.requests import RefundDecision, RefundRequest
from api.processes import Unanswered
from api.security.forms import FormSigner
from api.services import Services
from api.staff.frame import Agent, Approver, Given, note, page
from domain import refunds as rules
from domain.allocation import Line
from domain.money import Money, MoneyError, parse_amount
from domain.refunds import Refundable
from domain.refusals import Refusal, Refused
from store import refunds
from store.identity import fresh_id
from store.staff_accounts import StaffSession
from store.views import staff_payments, staff_refunds

router: Final = APIRouter()
REASONS: Final = ("Goods or services not delivered", "Paid twice", "Wrong amount", "Agreed with the customer", "Other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was typed so far. `wanted` are the amounts by invoice, as typed; empty: what is offered."""

    amount: str = ""
    wanted: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    note: str = ""


@router.get("/payments/{payment_id}/refund")
async def draw(request: Request, session: Agent, given: Given, payment_id: str, amount: str = "") -> Response:
    """The form: how much, which invoices reopen (the newest first), and every balance afterwards. Writes nothing."""
    return await _form(request, session, given, payment_id, Draft(amount=amount[:40]))


@router.post("/payments/{payment_id}/refund")
async def ask(request: Request, session: Agent, given: Given, payment_id: str) -> Response:
    """Look again at what was typed, or ask for the refund; either way nothing moves before the provider says so."""
    form = await request.form()
    typed = {name: str(value)[:300] for name, value in form.multi_items() if isinstance(value, str)}
    draft = Draft(
        amount=typed.get("amount", ""),
        wanted={name.removeprefix("line-"): value for name, value in typed.items() if name.startswith("line-")},
        reason=typed.get("reason", ""),
        note=typed.get("note", ""),
    )
    if typed.get("act") != "commit":
        return await _form(request, session, given, payment_id, draft)
    facts, customer_id = await _facts(given, payment_id)
    refund_id = FormSigner(given.form_keys).check(
        typed.get("signed", ""), customer_id=customer_id, session=session.reference, at=given.clock()
    )
    try:
        amount, lines = _read(draft, facts)
    except MoneyError as unreadable:
        return await _form(request, session, given, payment_id, draft, refusal=_of_money(unreadable))
    asked = RefundRequest(
        refund_id=refund_id,
        payment_id=payment_id,
        minor=amount.minor,
        currency=amount.currency,
        lines=lines,
        reason=draft.reason,
        note=draft.note,
        by=session.staff_id,
        facts_hash=typed.get("facts", "") or "nothing",
        request_hash=_hash(refund_id, payment_id, amount, lines, draft, session.staff_id),
    )
    async with given.staff.begin("refund_asked_for") as tx:
        await note(
            request, tx, session, "refund_asked_for", customer_id=customer_id, object_id=refund_id, minor=amount.minor
        )
    try:
        answer = await given.processes.start_refund(asked)
    except Unanswered:
        return RedirectResponse(f"/staff/payments/{payment_id}#refunds", status_code=303)
    if answer.rule is not None:
        refusal = Refusal(rule=answer.rule, facts=dict(answer.facts))
        return await _form(request, session, given, payment_id, draft, refusal=refusal, before=typed)
    return RedirectResponse(f"/staff/payments/{payment_id}#refunds", status_code=303)


@router.post("/refunds/{refund_id}/decide")
async def decide(
    request: Request,
    session: Approver,
    given: Given,
    refund_id: str,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    agrees: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """The second person's word about the version that they saw. A time-out is no failure: the page tells."""
    async with given.staff.begin("refund_decided") as tx:
        known = await staff_refunds.one(tx, refund_id)
        if known is None:
            raise Refused("not_found")
        facts: dict[str, str | int] = {"agrees": agrees, "version": version}
        await note(request, tx, session, "refund_decided", customer_id=known.customer_id, object_id=refund_id, **facts)
    decision = RefundDecision(refund_id=refund_id, version=version, agrees=agrees == "yes", by=session.staff_id)
    try:
        answer = await given.processes.decide_refund(decision)
    except Unanswered:
        return RedirectResponse(f"/staff/payments/{known.payment_id}#refunds", status_code=303)
    if answer.rule is not None:
        raise Refused(answer.rule, **dict(answer.facts))
    return RedirectResponse(f"/staff/payments/{known.payment_id}#refunds", status_code=303)


async def _facts(given: Services, payment_id: str) -> tuple[Refundable, str]:
    async with given.staff.begin("staff_refund") as tx:
        facts = await refunds.refundable(tx, payment_id)
        paid = await staff_payments.customer_of(tx, payment_id)
    if facts is None or paid is None:
        raise Refused("not_found")
    return facts, paid


async def _form(
    request: Request,
    session: StaffSession,
    given: Services,
    payment_id: str,
    draft: Draft,
    *,
    refusal: Refusal | None = None,
    before: Mapping[str, str] | None = None,
) -> Response:
    facts, customer_id = await _facts(given, payment_id)
    lines: Sequence[Line] = ()
    amount = Money.zero(facts.currency)
    try:
        amount, lines = _read(draft, facts)
        if refusal is None and draft.amount:
            refusal = rules.check(amount, lines, draft.reason or "—", facts)
    except MoneyError as unreadable:
        refusal = refusal or _of_money(unreadable)
    signed = FormSigner(given.form_keys).sign(
        fresh_id("rfd"), customer_id=customer_id, session=session.reference, issued_at=given.clock()
    )
    taken = {line.invoice_id: line.minor for line in lines}
    return page(
        request,
        session,
        "refund.html",
        status=200 if refusal is None else refusal.status,
        facts=facts,
        draft=draft,
        amount=amount.minor,
        typed={each.invoice_id: _plain(taken.get(each.invoice_id, 0), facts.currency) for each in facts.on_invoices},
        rest=amount.minor - sum(taken.values()),
        after=rules.afterwards(lines, facts),
        was=_shown_before(before, facts),
        facts_hash=rules.facts_hash(facts),
        second=rules.needs_second(amount, session.settings),
        reasons=REASONS,
        signed=signed,
        refusal=refusal,
        payment_id=payment_id,
    )


def _read(draft: Draft, facts: Refundable) -> tuple[Money, tuple[Line, ...]]:
    """What was typed, as amounts; without lines of their own, the invoices that are offered. Raises MoneyError."""
    if not draft.amount:
        return Money.zero(facts.currency), ()
    amount = parse_amount(draft.amount, facts.currency)
    if not draft.wanted:
        return amount, rules.offered(amount.minor, facts)
    lines = []
    for invoice_id, text in draft.wanted.items():
        minor = parse_amount(text, facts.currency).minor if text.strip() else 0
        if minor:
            lines.append(Line(invoice_id=invoice_id, minor=minor))
    return amount, tuple(lines)


def _shown_before(before: Mapping[str, str] | None, facts: Refundable) -> dict[str, int]:
    """The balances that the person had seen, where they differ now: the difference is shown."""
    seen = {name.removeprefix("seen-"): value for name, value in (before or {}).items() if name.startswith("seen-")}
    now = {each.invoice_id: max(each.open, 0) for each in facts.on_invoices}
    return {
        each: int(value)
        for each, value in seen.items()
        if each in now and value.isascii() and value.isdigit() and int(value) != now[each]
    }


def _of_money(unreadable: MoneyError) -> Refusal:
    return Refusal(rule=unreadable.rule)


def _plain(minor: int, currency: str) -> str:
    return Money.of(minor, currency).plain() if minor else ""


def _hash(refund_id: str, payment_id: str, amount: Money, lines: Sequence[Line], draft: Draft, by: str) -> str:
    parts = [refund_id, payment_id, str(amount.minor), amount.currency, draft.reason, draft.note, by]
    parts += [f"{line.invoice_id} {line.minor}" for line in sorted(lines, key=lambda each: each.invoice_id)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
