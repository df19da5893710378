"""Requests to apply a credit: opened and decided through the same process as the pages', under the same rules.

A decision names the version that was read. It is taken once however often it is sent: its id is its Idempotency-Key's.
"""

import hashlib
import logging
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from activities.requests import ApplyOrder, Decision
from api import problems
from api.processes import Unanswered
from api.services import Services
from api.v1 import credit_answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import cursors_of, json_answer, page_of
from api.v1.once import IdempotencyKey, Told, Wish, answer_once, pending, sight
from api.v1.payments import refusal_told
from domain.allocation import Line
from domain.business import MOST_INVOICES
from domain.lifecycles import APPLY_OPEN, ApplyState
from domain.preview import application_hash
from domain.refusals import Refusal, Refused
from store import apply_requests, idempotency
from store.api_keys import KeyHolder, Scope
from store.database import Transaction
from store.idempotency import Asked
from store.views import credits as views
from store.views import integration
from store.views.credits import RequestPage
from store.views.integration import ApplyRow
from workflows import ids

router: Final = APIRouter(tags=["apply requests"])
log = logging.getLogger(__name__)
PLACE: Final = "/apply-requests"
Reader = Annotated[KeyHolder, Depends(Needs(Scope.REQUESTS_READ))]
Writer = Annotated[KeyHolder, Depends(Needs(Scope.REQUESTS_WRITE))]
Judge = Annotated[KeyHolder, Depends(Needs(Scope.REQUESTS_DECIDE))]
RequestId = Annotated[fields.RequestId, Path()]


@router.get("/apply-requests", response_model=credit_answers.ApplyRequests)
async def list_apply_requests(given: Given, _: Reader, wanted: Annotated[schemas.ApplyQuery, Query()]) -> Response:
    """Requests, the newest first: of a customer or of all, in a state or all that wait for a person (`open`)."""
    cursors = cursors_of(given, "apply_requests", wanted)
    after = cursors.read(wanted.cursor)
    states = None if wanted.state is None else [wanted.state]
    async with given.staff.begin("api.apply_requests") as tx:
        rows = await integration.apply_requests(
            tx,
            customer_id=wanted.customer_id,
            states=[each.value for each in APPLY_OPEN] if wanted.state == "open" else states,
            after=after,
            limit=wanted.limit,
        )
    return page_of(
        "apply_requests",
        rows,
        ApplyRow._fields,
        limit=wanted.limit,
        cursor=lambda row: cursors.write(row.opened_at.isoformat(), row.id),
    )


@router.get("/apply-requests/{request_id}", response_model=credit_answers.ApplyRequest)
async def get_apply_request(given: Given, _: Reader, request_id: RequestId) -> Response:
    """One request as it is now. One that was asked for and is not written yet is `starting`, with status 202."""
    async with given.staff.begin("api.apply_request") as tx:
        found = await views.request(tx, request_id)
        if found is not None:
            return json_answer(await _told(tx, found))
        if not await idempotency.makes(tx, request_id):
            raise Refused("request_not_found")
    so_far = pending(PLACE, request_id, await sight(given, ids.apply_request(request_id)))
    return Response(so_far.body, so_far.status, {"Retry-After": "1"}, media_type="application/json")


@router.post("/apply-requests", response_model=credit_answers.ApplyRequest, status_code=201)
async def create_apply_request(
    request: Request, given: Given, holder: Writer, idempotency_key: IdempotencyKey, asked: schemas.NewApplyRequest
) -> Response:
    """Ask for a credit to be put on invoices, in a customer's name. Staff, or a key with `requests:decide`, decide.

    However often this is sent with one Idempotency-Key, there is one request. 202 says that nobody answered in time: repeat
    this very request or read its `url`.
    """
    wish = Wish(
        operation="create_apply_request",
        asked=asked,
        prefix="req",
        act="request_asked_for",
        customer_id=asked.customer_id,
        place=PLACE,
        process=ids.apply_request,
    )
    return await answer_once(request, given, holder, wish, idempotency_key, partial(_ask_for, given, holder, asked))


@router.post("/apply-requests/{request_id}/withdraw", response_model=credit_answers.ApplyRequest)
async def withdraw_apply_request(
    request: Request, given: Given, holder: Writer, request_id: RequestId, idempotency_key: IdempotencyKey
) -> Response:
    """Take it back in the customer's name while nobody has decided: nothing stays held."""
    return await _decide(request, given, holder, idempotency_key, _decision(request_id, holder, "withdraw"))


@router.post("/apply-requests/{request_id}/approve", response_model=credit_answers.ApplyRequest)
async def approve_apply_request(
    request: Request,
    given: Given,
    holder: Judge,
    request_id: RequestId,
    idempotency_key: IdempotencyKey,
    asked: schemas.Approval,
) -> Response:
    """Approve it, whole or by line: both sides are looked at again, and the ERP is told.

    Above the business's limit two must approve; the second one is somebody else with the approver's role, or another key
    that has the scope `requests:approve` at that moment.
    """
    lines = tuple(Line(invoice_id=each.invoice_id, minor=each.amount) for each in asked.invoices or ())
    decision = _decision(
        request_id, holder, "approve", version=asked.version, lines=lines, facts_hash=asked.fingerprint
    )  # fmt: skip
    return await _decide(request, given, holder, idempotency_key, decision)


@router.post("/apply-requests/{request_id}/reject", response_model=credit_answers.ApplyRequest)
async def reject_apply_request(
    request: Request,
    given: Given,
    holder: Judge,
    request_id: RequestId,
    idempotency_key: IdempotencyKey,
    asked: schemas.Reasoned,
) -> Response:
    """Say no, and why."""
    decision = _decision(request_id, holder, "reject", version=asked.version, text=asked.reason)
    return await _decide(request, given, holder, idempotency_key, decision)


@router.post("/apply-requests/{request_id}/ask", response_model=credit_answers.ApplyRequest)
async def ask_about_apply_request(
    request: Request,
    given: Given,
    holder: Judge,
    request_id: RequestId,
    idempotency_key: IdempotencyKey,
    asked: schemas.Question,
) -> Response:
    """Ask the customer something before it is decided."""
    decision = _decision(request_id, holder, "ask", version=asked.version, text=asked.question)
    return await _decide(request, given, holder, idempotency_key, decision)


@router.post("/apply-requests/{request_id}/answer", response_model=credit_answers.ApplyRequest)
async def answer_about_apply_request(
    request: Request,
    given: Given,
    holder: Writer,
    request_id: RequestId,
    idempotency_key: IdempotencyKey,
    asked: schemas.Reply,
) -> Response:
    """Answer, in the customer's name, the question that was read: the request is with staff again."""
    decision = _decision(request_id, holder, "answer", version=asked.version, text=asked.answer)
    return await _decide(request, given, holder, idempotency_key, decision)


@router.post("/apply-requests/{request_id}/undo", response_model=credit_answers.ApplyRequest)
async def undo_apply_request(
    request: Request,
    given: Given,
    holder: Judge,
    request_id: RequestId,
    idempotency_key: IdempotencyKey,
    asked: schemas.Reasoned,
) -> Response:
    """Take an applied credit off its invoices again, and say why."""
    decision = _decision(request_id, holder, "undo", version=asked.version, text=asked.reason)
    return await _decide(request, given, holder, idempotency_key, decision)


async def _ask_for(given: Services, holder: KeyHolder, asked: schemas.NewApplyRequest, claimed: Asked) -> Told:
    request_id = claimed.object_id
    # What is written already is the truth; what was asked for is looked at only while nothing is.
    if (told := await _outcome(given, request_id)) is not None:
        return told
    async with given.staff.begin("api.order") as tx:
        family = await integration.family(tx, asked.customer_id)
    if not family:
        raise Refused("customer_not_found")
    if len(asked.invoices) > MOST_INVOICES:
        raise Refused("too_many_invoices", most=MOST_INVOICES, asked=len(asked.invoices))
    order = ApplyOrder(
        request_id=request_id,
        customer_id=asked.customer_id,
        customer_ids=family,
        credit_id=asked.credit_id,
        lines=tuple(Line(invoice_id=each.invoice_id, minor=each.amount) for each in asked.invoices),
        request_hash=hashlib.sha256(f"{request_id}/{claimed.request_hash}".encode()).hexdigest(),
        channel="api",
        requested_by=holder.label,
    )
    try:
        answer = await given.processes.request_application(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", request_id, type(error).__name__)
        answer = None
    if (told := await _outcome(given, request_id)) is not None:
        return told
    if answer is not None and answer.rule is not None:
        raise Refused(answer.rule, **answer.facts)
    return pending(PLACE, request_id, "starting")


async def _outcome(given: Services, request_id: str) -> Told | None:
    """What can be said of a request for good: None while it is not opened."""
    async with given.staff.begin("api.apply_request") as tx:
        found = await views.request(tx, request_id)
        if found is None or found.state is ApplyState.OPENING:
            return None
        if found.refused_rule is not None:
            refusal = Refusal(rule=found.refused_rule, facts=found.refused_facts)
            return Told.no(refusal, instance=f"{problems.PREFIX}{PLACE}/{request_id}")
        return Told.of(201, await _told(tx, found))


def _decision(request_id: str, holder: KeyHolder, action: str, **what: Any) -> Decision:
    """Its own id is given when its Idempotency-Key is claimed."""
    return Decision(decision_id="", request_id=request_id, action=action, by=holder.id, **what)


async def _decide(
    request: Request, given: Services, holder: KeyHolder, idempotency_key: str, decision: Decision
) -> Response:
    async with given.staff.begin("api.apply_request") as tx:
        found = await views.request(tx, decision.request_id)
    if found is None:
        raise Refused("request_not_found")
    wish = Wish(
        operation=f"{decision.action} {decision.request_id}",
        asked={
            "version": decision.version,
            "lines": [[line.invoice_id, line.minor] for line in decision.lines],
            "text": decision.text,
            "fingerprint": decision.facts_hash,
        },
        prefix="chg",
        act=f"request_{decision.action}",
        customer_id=found.customer_id,
    )

    async def carry_out(claimed: Asked) -> Told:
        return await _taken_or_not(given, replace(decision, decision_id=claimed.object_id))

    return await answer_once(request, given, holder, wish, idempotency_key, carry_out)


async def _taken_or_not(given: Services, decision: Decision) -> Told:
    """Decide, or read what became of this very decision: whatever was written counts, whoever heard of it."""
    undoes = decision.action == "undo"
    now, told = await _look(given, decision)
    if told is not None:
        return told
    # A request that has ended has no process that could say so.
    if now.state not in ({ApplyState.APPLIED} if undoes else APPLY_OPEN):
        raise Refused("request_moved_on")
    try:
        answer = await (given.processes.undo_application if undoes else given.processes.decide)(decision)
    except Unanswered as error:
        log.warning("nobody said what became of a decision: %s", error)
        answer = None
    if answer is not None and answer.rule is not None:
        raise Refused(answer.rule, **answer.facts)
    now, told = await _look(given, decision)
    if told is not None:
        return told
    is_late = now.state not in APPLY_OPEN if decision.action == "withdraw" else now.version != decision.version
    if is_late:
        raise Refused("request_moved_on")
    return pending(PLACE, decision.request_id, now.state.value)


async def _look(given: Services, decision: Decision) -> tuple[RequestPage, Told | None]:
    """The request, and the answer where this decision was taken. The state is read first: a decision that is taken between
    the two is found, and never mistaken for somebody else's.
    """
    async with given.staff.begin("api.decision") as tx:
        found = await views.request(tx, decision.request_id)
        assert found is not None
        if not await apply_requests.was_taken(tx, found.id, decision.decision_id):
            return found, None
        now = await views.request(tx, decision.request_id)
        assert now is not None
        return now, Told.of(200, await _told(tx, now))


async def _told(tx: Transaction, found: RequestPage) -> dict[str, Any]:
    same = (
        "id", "customer_id", "credit_id", "credit_number", "currency", "amount", "state", "version", "requested_by",
        "needs_second", "first_by", "second_by", "ended_by", "reason", "question", "answer", "erp_words", "opened_at",
        "expires_at",
    )  # fmt: skip
    invoice_ids = [line.invoice_id for line in found.lines]
    credit, invoices = await apply_requests.both_sides(tx, found.id, found.credit_id, invoice_ids)
    return {
        **{name: getattr(found, name) for name in same},
        "fingerprint": "" if credit is None else application_hash(credit, invoices.values()),
        "refusal": refusal_told(found.refused_rule, found.refused_facts),
        "invoices": [
            {"invoice_id": each.invoice_id, "number": each.number, "asked": each.asked, "approved": each.approved}
            for each in found.lines
        ],
        "timeline": [{"kind": each.kind, "at": each.at} for each in found.events],
    }
