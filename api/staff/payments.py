"""A payment's evidence (I2): its timeline in order, and what the provider, the ERP, the ledger and the mail know of it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.services import Services
from api.staff import posting_words
from api.staff.frame import Given, Viewer, note, page
from domain.refunds import REFUNDABLE
from domain.refusals import Refusal, Refused
from store.staff_accounts import StaffSession
from store.views import staff_payments as views
from store.views import staff_refunds
from workflows import ids

router: Final = APIRouter()


@router.get("/payments/{payment_id}")
async def show_payment(request: Request, session: Viewer, given: Given, payment_id: str) -> Response:
    """One payment with everything that is known of it. Raises Refused 'not_found'."""
    return await drawn(request, session, given, payment_id)


async def drawn(
    request: Request, session: StaffSession, given: Services, payment_id: str, *, refused: Refusal | None = None
) -> Response:
    """Its page; `refused` is why what somebody asked for on it was not done. Raises Refused 'not_found'."""
    async with given.staff.begin("staff_payment") as tx:
        evidence = await views.payment(tx, payment_id)
        if evidence is None:
            raise Refused("not_found")
        paid = evidence.payment
        given_back = await staff_refunds.of_payment(tx, payment_id)
        await note(request, tx, session, "payment_viewed", customer_id=paid.customer_id, object_id=payment_id)
    refusal = None
    if paid.refused_rule is not None:
        refusal = Refusal(rule=paid.refused_rule, facts=dict(paid.refused_facts))
    return page(
        request,
        session,
        "payment.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        postings=posting_words,
        evidence=evidence,
        paid=paid,
        refunds=given_back,
        may_refund=paid.state in REFUNDABLE and paid.captured > paid.returned + paid.refunded + paid.refunding,
        mine=session.staff_id,
        refusal=refusal,
        workflow_id=ids.payment(payment_id),
    )
