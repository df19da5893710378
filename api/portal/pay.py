"""Before money moves: what will be charged, to what, and every balance afterwards. Then the form that moves it.

The preview writes nothing. Its form carries the id that it will create, signed, and the fingerprint of what it showed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from activities.requests import PayRequest
from api import pages
from api.formatting import places
from api.portal.errors import refuse
from api.portal.overview import choice_of
from api.portal.shell import shell_for, writer
from api.portal.story import for_customers
from api.portal.ways import Way, by_bank, consent_wording, ways
from api.security.forms import FormSigner
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.allocation import Line, spread
from domain.business import MOST_INVOICES
from domain.ids import is_id
from domain.methods import MethodKind
from domain.money import Money, MoneyError, parse_amount
from domain.payments import Balances, Wish, plan
from domain.preview import facts_hash
from domain.refusals import Refusal, Refused
from store import invoices, methods
from store.access import PortalSession
from store.database import Transaction
from store.identity import fresh_id
from store.methods import Method
from store.views import payments as payment_views
from store.views.paying import Payable, chosen, oldest

router: Final = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A payment that is being looked at: what it would take of each invoice (minor units), and what is chosen so far."""

    currency: str
    payables: Sequence[Payable]
    amounts: Mapping[str, int]
    balances: Balances
    methods: Sequence[Method]
    typed: Mapping[str, str] = field(default_factory=dict)
    way: str = ""
    save: frozenset[str] = frozenset()
    signed: str | None = None
    notice: str = ""

    @property
    def total(self) -> int:
        """What would be charged, in minor units."""
        return sum(self.amounts.values())


@router.get("/pay")
async def show_pay(
    request: Request,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """The preview of the selected invoices, or of a custom amount, oldest first."""
    if not session.settings.may_pay:
        raise Refused("paying_off")
    custom = request.query_params.get("custom", "").strip()
    currency = request.query_params.get("currency", "") or session.customer.currency
    choice = choice_of(request)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        if custom:
            payables = await oldest(tx, session.family, currency, session.settings)
        else:
            payables = await chosen(tx, choice.ids, choice.parents, choice.dropped_parents, session.settings)
        currency = currency if custom or not payables else payables[0].facts.currency
        balances = await invoices.balances(
            tx,
            session.family,
            currency=currency,
            today=writer(request, session).today,
            hide_paused=session.settings.exclude_paused,
        )
        saved = await methods.of_customer(tx, session.customer.id)
    if custom:
        amounts = _spread(custom, currency, payables)
    else:
        _complain(choice.ids, payables)
        # At least 1, so that what cannot be paid is refused by its own rule and not for an amount of nothing.
        amounts = {each.facts.id: max(each.facts.available_minor, 1) for each in payables}
    taken = [each for each in payables if each.facts.id in amounts]
    draft = Draft(currency=currency, payables=taken, amounts=amounts, balances=balances, methods=saved)
    refusal = _refusal_of(draft, session)
    if refusal is not None:
        return await refuse(request, for_customers(refusal))
    return _page(request, session, given, draft)


@router.post("/payments")
async def start_payment(
    request: Request,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """Start the payment, once: the row is read first, and whatever goes wrong is answered by the page that reads it."""
    form = await request.form()
    signer = FormSigner(given.form_keys)
    signed = str(form.get("payment", ""))
    payment_id = signer.check(signed, customer_id=session.customer.id, session=session.reference, at=given.clock())
    if not is_id(payment_id, "pay"):
        raise Refused("form_expired")
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        known = await payment_views.request_hash_of(tx, payment_id)
        draft = await _draft_of(form, session, request, tx)
    if form.get("act") == "update" or draft.notice:
        return _page(request, session, given, draft, status=422 if draft.notice else 200)
    order = _order(payment_id, draft, form, session)
    if known is not None:
        if known != order.request_hash:
            raise Refused("form_used_differently")
        return RedirectResponse(f"/payments/{payment_id}", status_code=303)
    if str(draft.total) != form.get("shown"):
        told = "The amounts are different now from what the button said. Look at the new total, then confirm."
        return _page(request, session, given, _with_notice(draft, told), status=422)
    return await _start(given, order)


@router.post("/payments/by-bank")
async def pay_account_by_bank(
    request: Request,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """Everything that can be paid in a currency, by one click, approved at the bank: to its page, with the amount set."""
    form = await request.form()
    signed, currency, shown = (*str(form.get("payment", "")).split("/"), "", "")[:3]
    payment_id = FormSigner(given.form_keys).check(
        signed, customer_id=session.customer.id, session=session.reference, at=given.clock()
    )
    if not is_id(payment_id, "pay"):
        raise Refused("form_expired")
    offer = by_bank(session, currency)
    if offer is None:
        raise Refused("pay_by_bank_off")
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        is_known = await payment_views.request_hash_of(tx, payment_id) is not None
        payables = await oldest(tx, session.family, currency, session.settings)
    if is_known:
        return RedirectResponse(f"/payments/{payment_id}", status_code=303)
    _complain((), payables)
    amounts = {each.facts.id: each.facts.available_minor for each in payables}
    if str(sum(amounts.values())) != shown:
        raise Refused("facts_changed", what="what is open on this account")
    lines = tuple(Line(invoice_id=key, minor=minor) for key, minor in sorted(amounts.items()))
    told = {"lines": [[line.invoice_id, line.minor] for line in lines], "by": offer.connection_id, "of": session.customer.id}
    return await _start(
        given,
        PayRequest(
            payment_id=payment_id,
            customer_id=session.customer.id,
            customer_ids=session.family,
            currency=currency,
            lines=lines,
            kind=MethodKind.INSTANT_BANK,
            connection_id=offer.connection_id,
            facts_hash=facts_hash(each.facts for each in payables),
            request_hash=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
            started_by=session.person,
        ),
    )


async def _start(given: Services, order: PayRequest) -> Response:
    """To the provider's page, or to the payment's own, which is true whatever happened here (core.md §5)."""
    status_page = RedirectResponse(f"/payments/{order.payment_id}", status_code=303)
    try:
        answer = await given.processes.start_payment(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", order.payment_id, type(error).__name__)
        return status_page
    if answer.redirect_url is not None and given.may_send_to(answer.redirect_url):
        return RedirectResponse(answer.redirect_url, status_code=303)
    return status_page


def _spread(custom: str, currency: str, payables: Sequence[Payable]) -> Mapping[str, int]:
    try:
        amount = parse_amount(custom, currency)
    except MoneyError as error:
        raise Refused(error.rule) from None
    lines = spread(amount, [each.facts for each in payables])
    if isinstance(lines, Refusal):
        raise Refused(lines.rule, **lines.facts)
    return {line.invoice_id: line.minor for line in lines}


def _complain(asked: Sequence[str], payables: Sequence[Payable]) -> None:
    """Refuse what the plan would not see: nothing, too many, and ids that are not this customer's."""
    if not payables and not asked:
        raise Refused("nothing_selected")
    if len(payables) > MOST_INVOICES:
        raise Refused("too_many_invoices", most=MOST_INVOICES, asked=f"more than {MOST_INVOICES}")
    if set(asked) - {each.facts.id for each in payables}:
        raise Refused("invoice_not_found")


def _refusal_of(draft: Draft, session: PortalSession) -> Refusal | None:
    """What would be refused whichever way it is paid: asked with a way that no rule of its own closes."""
    settings = session.settings
    wish = Wish(
        currency=draft.currency,
        lines=tuple(Line(invoice_id=key, minor=minor) for key, minor in draft.amounts.items()),
        kind=MethodKind.BACS_DEBIT,
        keeps_method=settings.charge_on_file,
    )
    decision = plan(wish, {each.facts.id: each.facts for each in draft.payables}, settings, draft.balances)
    return decision if isinstance(decision, Refusal) else None


def _page(request: Request, session: PortalSession, given: Services, draft: Draft, *, status: int = 200) -> Response:
    write = writer(request, session)
    choices, rules = ways(session, draft.methods, Money.of(draft.total, draft.currency), today=write.today)
    every = [each for each in choices if each.refusal is None]
    open_ways = [each for each in every if each.kind is not MethodKind.INSTANT_BANK]
    picked = next((each.value for each in open_ways if each.value == draft.way), None)
    usual = next((each.value for each in open_ways if each.is_default), open_ways[0].value if open_ways else "")
    signed = draft.signed or FormSigner(given.form_keys).sign(
        fresh_id("pay"), customer_id=session.customer.id, session=session.reference, issued_at=given.clock()
    )
    overdue = {each.facts.id for each in draft.payables if each.facts.due_on < write.today}
    back = "&".join(f"i={each.facts.id}" for each in draft.payables)
    return pages.render(
        request,
        "portal/pay.html",
        status=status,
        shell=shell_for(request, session),
        write=write,
        settings=session.settings,
        draft=draft,
        signed=signed,
        fingerprint=facts_hash(each.facts for each in draft.payables),
        ways=open_ways,
        by_bank=next((each for each in every if each.kind is MethodKind.INSTANT_BANK), None),
        refused=_one_of_each([each.refusal for each in choices if each.refusal is not None] + list(rules)),
        picked=picked or usual,
        overdue=overdue,
        back=f"/?currency={draft.currency}&{back}" if draft.currency != session.customer.currency else f"/?{back}",
        places=places(draft.currency),
        overdue_after=draft.balances.overdue - sum(draft.amounts[key] for key in overdue),
        balance_after=draft.balances.total - draft.total,
        consent=lambda kind: consent_wording(session.settings.business_name, kind),
    )


def _one_of_each(refusals: Sequence[Refusal]) -> list[Refusal]:
    return list({each.sentence: each for each in refusals}.values())


async def _draft_of(form: FormData, session: PortalSession, request: Request, tx: Transaction) -> Draft:
    """The form as it came, with fresh facts. What cannot be read becomes the draft's notice."""
    currency = str(form.get("currency", ""))
    typed = {key: str(value) for key, value in form.multi_items() if is_id(key, "inv")}
    if len(typed) > MOST_INVOICES:
        raise Refused("too_many_invoices", most=MOST_INVOICES, asked=len(typed))
    payables = await chosen(tx, list(typed), (), (), session.settings)
    if not typed:
        raise Refused("nothing_selected")
    if set(typed) - {each.facts.id for each in payables}:
        raise Refused("invoice_not_found")
    balances = await invoices.balances(
        tx,
        session.family,
        currency=currency,
        today=writer(request, session).today,
        hide_paused=session.settings.exclude_paused,
    )
    amounts, notice = _read_amounts(typed, currency, payables)
    return Draft(
        currency=currency,
        payables=payables,
        amounts=amounts,
        balances=balances,
        methods=await methods.of_customer(tx, session.customer.id),
        typed=typed,
        way=str(form.get("by_bank") or form.get("way", "")),
        save=frozenset(str(each) for each in form.getlist("save")),
        signed=str(form.get("payment", "")),
        notice=notice,
    )


def _read_amounts(typed: Mapping[str, str], currency: str, payables: Sequence[Payable]) -> tuple[Mapping[str, int], str]:
    """Amounts in minor units by invoice, and a sentence where one cannot be read (then the whole open amount stands)."""
    amounts: dict[str, int] = {}
    notice = ""
    for each in payables:
        try:
            minor = parse_amount(typed[each.facts.id], currency).minor
        except MoneyError as error:
            if error.rule == "currency_unknown":
                raise Refused("currency_unknown") from None
            notice, minor = f"Invoice {each.facts.number}: {error.sentence}", max(each.facts.available_minor, 1)
        amounts[each.facts.id] = minor
    return amounts, notice


def _with_notice(draft: Draft, notice: str) -> Draft:
    return Draft(
        currency=draft.currency,
        payables=draft.payables,
        amounts=draft.amounts,
        balances=draft.balances,
        methods=draft.methods,
        typed=draft.typed,
        way=draft.way,
        save=draft.save,
        signed=draft.signed,
        notice=notice,
    )


def _order(payment_id: str, draft: Draft, form: FormData, session: PortalSession) -> PayRequest:
    """The request as the process takes it, hashed: the same id with anything else in it is refused.

    The way is checked against what is offered; the amounts are decided under lock by the process.
    """
    way = _way_of(draft, session)
    saves = way.method_id is None and (way.must_save or (way.may_save and way.value in draft.save))
    if way.must_save and way.value not in draft.save:
        raise Refused("one_time_off")
    wording = consent_wording(session.settings.business_name, way.kind) if saves else None
    lines = tuple(Line(invoice_id=key, minor=minor) for key, minor in sorted(draft.amounts.items()))
    fingerprint = str(form.get("facts_hash", ""))
    told = {
        "lines": [[line.invoice_id, line.minor] for line in lines],
        "currency": draft.currency,
        "way": way.value,
        "save": saves,
        "facts": fingerprint,
        "customer": session.customer.id,
    }
    return PayRequest(
        payment_id=payment_id,
        customer_id=session.customer.id,
        customer_ids=session.family,
        currency=draft.currency,
        lines=lines,
        kind=way.kind,
        method_id=way.method_id,
        save=saves,
        consent_wording=wording,
        connection_id=way.connection_id,
        facts_hash=fingerprint,
        request_hash=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        started_by=session.person,
    )


def _way_of(draft: Draft, session: PortalSession) -> Way:
    """The way that the form names. A limit is not checked here: the process refuses it, and keeps the refusal."""
    if not session.settings.may_pay:
        raise Refused("paying_off")
    choices, _ = ways(session, draft.methods, Money.of(1, draft.currency), today=session.started_at.date())
    found = next((each for each in choices if each.value == draft.way), None)
    if found is None:
        rule = "method_kind_not_offered" if draft.way.startswith("new/") else "method_not_found"
        raise Refused(rule, currency=draft.currency)
    return found
