"""Payments: started through the same process as the portal's, so that a payment is made once whoever asks for it."""

import hashlib
import logging
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from activities.requests import PayRequest
from api import problems
from api.services import Services
from api.v1 import answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import cursors_of, json_answer, page_of
from api.v1.once import IdempotencyKey, Told, Wish, answer_once, pending, sight
from domain.allocation import Line
from domain.business import MOST_INVOICES
from domain.lifecycles import PaymentState
from domain.methods import MethodKind
from domain.refusals import Refusal, Refused
from store import connections, idempotency, methods
from store.access import page_offer_for
from store.api_keys import KeyHolder, Scope
from store.database import Transaction
from store.idempotency import Asked
from store.views import integration, staff_postings
from store.views.integration import PaymentRow
from store.views.payments import PaymentPage, payment_page
from store.views.staff_postings import PostingFacts
from workflows import ids

router: Final = APIRouter(tags=["payments"])
log = logging.getLogger(__name__)
PLACE: Final = "/payments"
Reader = Annotated[KeyHolder, Depends(Needs(Scope.PAYMENTS_READ))]
Writer = Annotated[KeyHolder, Depends(Needs(Scope.PAYMENTS_WRITE))]


@router.get("/payments", response_model=answers.Payments)
async def list_payments(given: Given, _: Reader, wanted: Annotated[schemas.PaymentQuery, Query()]) -> Response:
    """Every payment that matches, whoever asked for it, the newest first."""
    cursors = cursors_of(given, "payments", wanted)
    after = cursors.read(wanted.cursor)
    async with given.staff.begin("api.payments") as tx:
        rows = await integration.payments(
            tx, customer_id=wanted.customer_id, state=wanted.state, after=after, limit=wanted.limit
        )
    return page_of(
        "payments",
        rows,
        PaymentRow._fields,
        limit=wanted.limit,
        cursor=lambda row: cursors.write(row.opened_at.isoformat(), row.id),
    )


@router.get("/payments/{payment_id}", response_model=answers.Payment)
async def get_payment(given: Given, holder: Reader, payment_id: Annotated[fields.PaymentId, Path()]) -> Response:
    """One payment as it is now. One that was asked for and is not written yet is `starting`, with status 202."""
    told = await _payment(given, holder, payment_id)
    if told is not None:
        return json_answer(told)
    async with given.staff.begin("api.payment") as tx:
        if not await idempotency.makes(tx, payment_id):
            raise Refused("id_unknown")
    told_so_far = pending(PLACE, payment_id, await sight(given, ids.payment(payment_id)))
    return Response(told_so_far.body, told_so_far.status, {"Retry-After": "1"}, media_type="application/json")


@router.post("/payments", response_model=answers.Payment, status_code=201)
async def create_payment(
    request: Request, given: Given, holder: Writer, idempotency_key: IdempotencyKey, asked: schemas.NewPayment
) -> Response:
    """Charge a saved method, or open the provider's page for a new one.

    However often this is sent with one Idempotency-Key, from wherever, there is one payment and one charge. 201 says what
    became of it (`declined` and `unknown` are states too); 202 says that nobody answered in time: the payment may be made,
    so repeat this very request or read its `url`. A refusal is kept as well: to ask again, use a new key.
    """
    wish = Wish(
        operation="create_payment",
        asked=asked,
        prefix="pay",
        act="payment_asked_for",
        customer_id=asked.customer_id,
        place=PLACE,
        process=ids.payment,
    )
    return await answer_once(request, given, holder, wish, idempotency_key, partial(_pay, given, holder, asked))


async def _pay(given: Services, holder: KeyHolder, asked: schemas.NewPayment, claimed: Asked) -> Told:
    payment_id = claimed.object_id
    # What is written already is the truth; what was asked for is looked at only while nothing is.
    if (told := await _outcome(given, holder, payment_id)) is not None:
        return told
    async with given.staff.begin("api.order") as tx:
        order = await _order(tx, holder, asked, payment_id, claimed.request_hash)
    try:
        answer = await given.processes.start_payment(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", payment_id, type(error).__name__)
        answer = None
    if (told := await _outcome(given, holder, payment_id)) is not None:
        return told
    if answer is not None and answer.rule is not None:
        raise Refused(answer.rule, **answer.facts)
    return pending(PLACE, payment_id, "starting")


async def _outcome(given: Services, holder: KeyHolder, payment_id: str) -> Told | None:
    """What can be said of a payment for good: None while it is not opened, or is being charged."""
    told = await _payment(given, holder, payment_id)
    if told is None or told["state"] == PaymentState.CHARGING:
        return None
    if told["refusal"] is not None:
        refusal = Refusal(rule=told["refusal"]["rule"], facts=told["refusal"]["facts"])
        return Told.no(refusal, instance=f"{problems.PREFIX}/payments/{payment_id}")
    return Told.of(201, told)


async def _order(
    tx: Transaction, holder: KeyHolder, asked: schemas.NewPayment, payment_id: str, request_hash: str
) -> PayRequest:
    """The request as the process takes it. Raises Refused for what no process is needed to refuse."""
    family = await integration.family(tx, asked.customer_id)
    if not family:
        raise Refused("customer_not_found")
    if len(asked.invoices) > MOST_INVOICES:
        raise Refused("too_many_invoices", most=MOST_INVOICES, asked=len(asked.invoices))
    kind, connection_id, saves, wording = await _way(tx, holder, asked)
    return PayRequest(
        payment_id=payment_id,
        customer_id=asked.customer_id,
        customer_ids=family,
        currency=asked.currency,
        lines=tuple(Line(invoice_id=each.invoice_id, minor=each.amount) for each in asked.invoices),
        kind=kind,
        method_id=asked.method_id,
        save=saves,
        consent_wording=wording,
        connection_id=connection_id,
        request_hash=hashlib.sha256(f"{payment_id}/{request_hash}".encode()).hexdigest(),
        channel="api",
        started_by=holder.label,
    )


async def _way(tx: Transaction, holder: KeyHolder, asked: schemas.NewPayment) -> tuple[MethodKind, str, bool, str | None]:
    """(kind, connection, whether it is kept, the words that were agreed to) of the method that pays."""
    if asked.new_method is None:
        method = await methods.load(tx, asked.method_id or "")
        if method is None or method.customer_id != asked.customer_id:
            raise Refused("method_not_found")
        return method.kind, method.connection_id, False, None
    kind = MethodKind(asked.new_method.kind)
    if not holder.offers:
        raise Refused("no_provider")
    country = await connections.country_of(tx, asked.customer_id)
    offer = page_offer_for(holder.offers, kind, asked.currency, country)
    if offer is None:
        raise Refused("method_kind_not_offered", currency=asked.currency)
    if asked.new_method.save and asked.new_method.consent_wording is None:
        raise Refused("consent_needed")
    return kind, offer.connection_id, asked.new_method.save, asked.new_method.consent_wording


async def _payment(given: Services, holder: KeyHolder, payment_id: str) -> dict[str, Any] | None:
    """A payment as its customer may see it; None while it has no row."""
    async with given.staff.begin("api.payment") as tx:
        owner = await integration.owner_of_payment(tx, payment_id)
        family = () if owner is None else await integration.family(tx, owner) or (owner,)
        posted = await staff_postings.of_payment(tx, payment_id)
    if owner is None:
        return None
    async with given.portal.read_as(family, hide_paused=holder.settings.exclude_paused) as tx:
        page = await payment_page(tx, payment_id)
    return None if page is None else {**_told(given, page, owner), "postings": [_posting(each) for each in posted]}


def _posting(posting: PostingFacts) -> dict[str, Any]:
    same = ("kind", "connection_id", "state", "amount", "erp_id", "erp_number", "attempts", "confirmed_at")
    return {
        **{name: getattr(posting, name) for name in same},
        "reference": posting.id,
        "ignored": posting.ignored_at is not None,
        "error": posting.error_text,
        "next_look_at": posting.look_at,
    }


def _told(given: Services, page: PaymentPage, customer_id: str) -> dict[str, Any]:
    same = (
        "id", "currency", "amount", "state", "method_kind", "method_label", "failure_code", "expected_on", "captured",
        "returned", "refunding", "refunded", "unapplied", "is_posted", "started_by", "opened_at", "changed_at",
        "unknown_since", "next_check_at",
    )  # fmt: skip
    return {
        **{name: getattr(page, name) for name in same},
        "customer_id": customer_id,
        "refusal": refusal_told(page.refused_rule, page.refused_facts),
        "page_url": page.action_url if page.state == "awaiting_customer" and given.may_send_to(page.action_url) else None,
        "invoices": [
            {"invoice_id": each.invoice_id, "number": each.number, "asked": each.asked, "covers": each.covers}
            for each in page.covered
        ],
        "timeline": [{"kind": each.kind, "at": each.at} for each in page.events],
    }


def refusal_told(rule: str | None, facts: Any) -> dict[str, Any] | None:
    """Why the business said no, where it did."""
    if rule is None:
        return None
    return {"rule": rule, "detail": Refusal(rule=rule, facts=facts).sentence, "facts": dict(facts)}
