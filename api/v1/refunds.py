"""Refunds: asked for through the same process as the staff's, under the same rules. The second person is staff, no key."""

import hashlib
import logging
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from activities.requests import RefundRequest
from api import problems
from api.services import Services
from api.v1 import answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import json_answer
from api.v1.once import IdempotencyKey, Told, Wish, answer_once, pending, sight
from api.v1.payments import refusal_told
from domain.allocation import Line
from domain.lifecycles import RefundState
from domain.refusals import Refusal, Refused
from store import idempotency, refunds
from store.api_keys import KeyHolder, Scope
from store.database import Transaction
from store.idempotency import Asked
from store.views import integration, staff_refunds
from store.views.staff_refunds import RefundFacts
from workflows import ids

router: Final = APIRouter(tags=["refunds"])
log = logging.getLogger(__name__)
PLACE: Final = "/refunds"
Reader = Annotated[KeyHolder, Depends(Needs(Scope.REFUNDS_READ))]
Writer = Annotated[KeyHolder, Depends(Needs(Scope.REFUNDS_WRITE))]
PaymentId = Annotated[fields.PaymentId, Path()]


@router.get("/payments/{payment_id}/refunds", response_model=answers.Refunds)
async def list_refunds(given: Given, _: Reader, payment_id: PaymentId) -> Response:
    """Every refund of a payment that was granted, whoever asked for it, the newest first."""
    async with given.staff.begin("api.refunds") as tx:
        if await integration.owner_of_payment(tx, payment_id) is None:
            raise Refused("payment_not_found")
        told = [await _told(tx, each) for each in await staff_refunds.of_payment(tx, payment_id)]
    return json_answer({"refunds": told})


@router.get("/refunds/{refund_id}", response_model=answers.Refund)
async def get_refund(given: Given, _: Reader, refund_id: Annotated[fields.RefundId, Path()]) -> Response:
    """One refund as it is now. One that was asked for and is not written yet is `starting`, with status 202."""
    async with given.staff.begin("api.refund") as tx:
        known = await staff_refunds.one(tx, refund_id)
        if known is not None:
            return json_answer(await _told(tx, known))
        if not await idempotency.makes(tx, refund_id):
            raise Refused("refund_not_found")
    told_so_far = pending(PLACE, refund_id, await sight(given, ids.refund(refund_id)))
    return Response(told_so_far.body, told_so_far.status, {"Retry-After": "1"}, media_type="application/json")


@router.post("/payments/{payment_id}/refunds", response_model=answers.Refund, status_code=201)
async def create_refund(
    request: Request,
    given: Given,
    holder: Writer,
    idempotency_key: IdempotencyKey,
    payment_id: PaymentId,
    asked: schemas.NewRefund,
) -> Response:
    """Give back a part of a payment, or all of it.

    However often this is sent with one Idempotency-Key, there is one refund. 201 says what became of it: above the limit of
    the business it is `awaiting_second`, and a member of staff decides; balances change only when it is `refunded`. 202 says
    that nobody answered in time: repeat this very request or read its `url`.
    """
    async with given.staff.begin("api.refund_of") as tx:
        owner = await integration.owner_of_payment(tx, payment_id)
    if owner is None:
        raise Refused("payment_not_found")
    wish = Wish(
        operation=f"create_refund {payment_id}",
        asked=asked,
        prefix="rfd",
        act="refund_asked_for",
        customer_id=owner,
        place=PLACE,
        process=ids.refund,
    )
    return await answer_once(request, given, holder, wish, idempotency_key, partial(_ask, given, holder, payment_id, asked))


async def _ask(given: Services, holder: KeyHolder, payment_id: str, asked: schemas.NewRefund, claimed: Asked) -> Told:
    refund_id = claimed.object_id
    if (told := await _outcome(given, refund_id)) is not None:
        return told
    order = RefundRequest(
        refund_id=refund_id,
        payment_id=payment_id,
        minor=asked.amount,
        currency=asked.currency,
        lines=tuple(Line(invoice_id=each.invoice_id, minor=each.amount) for each in asked.invoices),
        reason=asked.reason,
        note=asked.note,
        by=holder.id,
        request_hash=hashlib.sha256(f"{refund_id}/{claimed.request_hash}".encode()).hexdigest(),
    )
    try:
        answer = await given.processes.start_refund(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", refund_id, type(error).__name__)
        answer = None
    if (told := await _outcome(given, refund_id)) is not None:
        return told
    if answer is not None and answer.rule is not None:
        raise Refused(answer.rule, **answer.facts)
    return pending(PLACE, refund_id, "starting")


async def _outcome(given: Services, refund_id: str) -> Told | None:
    """What can be said of a refund for good: None while it is not asked for, or about to be sent."""
    async with given.staff.begin("api.refund") as tx:
        known = await staff_refunds.one(tx, refund_id)
        if known is None or known.state in {RefundState.REQUESTED, RefundState.SENT}:
            return None
        if known.refused_rule is not None:
            refusal = Refusal(rule=known.refused_rule, facts=known.refused_facts)
            return Told.no(refusal, instance=f"{problems.PREFIX}{PLACE}/{refund_id}")
        return Told.of(201, await _told(tx, known))


async def _told(tx: Transaction, known: RefundFacts) -> dict[str, Any]:
    same = (
        "id", "payment_id", "customer_id", "amount", "currency", "state", "reason", "note", "needs_second", "failure_code",
        "requested_at", "changed_at", "unknown_since", "next_check_at",
    )  # fmt: skip
    lines = await refunds.lines(tx, known.id)
    return {
        **{name: getattr(known, name) for name in same},
        "requested_by": known.requested_name or known.requested_by,
        "second_by": known.second_name,
        "refusal": refusal_told(known.refused_rule, known.refused_facts),
        "invoices": [{"invoice_id": line.invoice_id, "amount": line.minor} for line in lines],
    }
