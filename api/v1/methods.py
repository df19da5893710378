"""Payment methods and their set-ups. A card or account number never comes here: customers enter it at the provider."""

import logging
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from activities.requests import FirstAnswer, MethodChange, SetupRequest
from api import problems
from api.services import Services
from api.v1 import answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import cursors_of, json_answer, page_of
from api.v1.once import IdempotencyKey, Told, Wish, act_of, answer_once, pending, sight
from api.v1.payments import refusal_told
from domain.lifecycles import SetupState
from domain.methods import MethodKind
from domain.refusals import Refusal, Refused
from store import access_log, idempotency
from store.access import offer_for
from store.api_keys import KeyHolder, Scope
from store.database import Transaction
from store.idempotency import Asked
from store.identity import fresh_id
from store.views import integration
from store.views import payments as payment_views
from store.views.integration import MethodRow, SetupRow
from workflows import ids

router: Final = APIRouter(tags=["payment methods"])
log = logging.getLogger(__name__)
Reader = Annotated[KeyHolder, Depends(Needs(Scope.METHODS_READ))]
Writer = Annotated[KeyHolder, Depends(Needs(Scope.METHODS_WRITE))]
MethodInPath = Annotated[fields.MethodId, Path()]
METHODS: Final = "/payment-methods"
SETUPS: Final = "/method-setups"


@router.get("/payment-methods", response_model=answers.PaymentMethods)
async def list_payment_methods(given: Given, _: Reader, wanted: Annotated[schemas.OfCustomer, Query()]) -> Response:
    """Saved methods, the newest first; the same that the customer sees."""
    cursors = cursors_of(given, "methods", wanted)
    after = cursors.read(wanted.cursor)
    async with given.staff.begin("api.methods") as tx:
        rows = await integration.methods(tx, customer_id=wanted.customer_id, after=after, limit=wanted.limit)
    return page_of("payment_methods", rows, MethodRow._fields, limit=wanted.limit, cursor=lambda row: cursors.write(row.id))


@router.get("/payment-methods/{method_id}", response_model=answers.PaymentMethod)
async def get_payment_method(given: Given, _: Reader, method_id: MethodInPath) -> Response:
    """One saved method."""
    return json_answer((await _method(given, method_id))._asdict())


@router.post("/payment-methods/{method_id}/default", response_model=answers.PaymentMethod)
async def make_default(
    request: Request, given: Given, holder: Writer, method_id: MethodInPath, idempotency_key: IdempotencyKey
) -> Response:
    """Make it the customer's default, and no other."""
    method = await _method(given, method_id)
    wish = Wish(
        operation="make_default",
        asked={"method": method_id},
        prefix="chg",
        act="method_default",
        customer_id=method.customer_id,
    )

    async def change(claimed: Asked) -> Told:
        answer = await _change(given, holder, method, claimed.object_id, action="default")
        if answer is None:
            return pending(METHODS, method_id, method.state)
        if answer.rule is not None:
            raise Refused(answer.rule, **answer.facts)
        return Told.of(200, (await _method(given, method_id))._asdict())

    return await answer_once(request, given, holder, wish, idempotency_key, change)


@router.delete("/payment-methods/{method_id}", status_code=204)
async def remove_payment_method(
    request: Request, given: Given, holder: Writer, method_id: MethodInPath, wanted: Annotated[schemas.Removal, Query()]
) -> Response:
    """Remove it here and at the provider; what the provider answers is what is answered here.

    Removing it twice is removing it once: the second time it is not there any more (404).
    """
    method = await _method(given, method_id)
    async with given.staff.begin("api.removal") as tx:
        act = act_of(request, holder, "method_removal", method.customer_id, method_id)
        await access_log.note(tx, act, at=given.clock())
    answer = await _change(given, holder, method, fresh_id("chg"), action="remove", next_default_id=wanted.next_default_id)
    if answer is None:
        told = pending(METHODS, method_id, method.state)
        return Response(told.body, told.status, {"Retry-After": "1"}, media_type="application/json")
    if answer.rule is not None:
        raise Refused(answer.rule, **answer.facts)
    if answer.state != "removed":
        async with given.staff.begin("api.kept") as tx:
            reason = await payment_views.detach_error_of(tx, method_id)
        raise Refused("method_kept", label=f"{method.brand} ending {method.last4}", reason=(reason or "nothing").rstrip("."))
    return Response(status_code=204)


@router.get("/method-setups", response_model=answers.MethodSetups)
async def list_method_setups(given: Given, _: Reader, wanted: Annotated[schemas.OfCustomer, Query()]) -> Response:
    """Set-ups of methods, the newest first."""
    cursors = cursors_of(given, "setups", wanted)
    after = cursors.read(wanted.cursor)
    async with given.staff.begin("api.setups") as tx:
        rows = await integration.setups(tx, customer_id=wanted.customer_id, after=after, limit=wanted.limit)
    return page_of(
        "method_setups",
        rows,
        SetupRow._fields,
        limit=wanted.limit,
        cursor=lambda row: cursors.write(row.id),
        change=partial(_setup_told, given),
    )


@router.get("/method-setups/{setup_id}", response_model=answers.MethodSetup)
async def get_method_setup(given: Given, _: Reader, setup_id: Annotated[fields.SetupId, Path()]) -> Response:
    """One set-up as it is now. One that was asked for and is not written yet is `starting`, with status 202."""
    async with given.staff.begin("api.setup") as tx:
        row = await integration.setup(tx, setup_id)
        if row is None and not await idempotency.makes(tx, setup_id):
            raise Refused("id_unknown")
    if row is not None:
        return json_answer(_setup_told(given, row._asdict()))
    told = pending(SETUPS, setup_id, await sight(given, ids.method_setup(setup_id)))
    return Response(told.body, told.status, {"Retry-After": "1"}, media_type="application/json")


@router.post("/method-setups", response_model=answers.MethodSetup, status_code=201)
async def create_method_setup(
    request: Request, given: Given, holder: Writer, idempotency_key: IdempotencyKey, asked: schemas.NewSetup
) -> Response:
    """Open the provider's page on which a customer saves a method: send the customer to `page_url`.

    The set-up exists before the customer leaves, so whatever happens on the way, its state here is true.
    """
    wish = Wish(
        operation="create_method_setup",
        asked=asked,
        prefix="set",
        act="setup_asked_for",
        customer_id=asked.customer_id,
        place=SETUPS,
        process=ids.method_setup,
    )
    return await answer_once(request, given, holder, wish, idempotency_key, partial(_set_up, given, holder, asked))


async def _set_up(given: Services, holder: KeyHolder, asked: schemas.NewSetup, claimed: Asked) -> Told:
    setup_id = claimed.object_id
    if (told := await _outcome(given, setup_id)) is not None:
        return told
    async with given.staff.begin("api.order") as tx:
        order = await _order(tx, holder, asked, setup_id, claimed.request_hash)
    try:
        answer = await given.processes.start_setup(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", setup_id, type(error).__name__)
        answer = None
    if (told := await _outcome(given, setup_id)) is not None:
        return told
    if answer is not None and answer.rule is not None:
        raise Refused(answer.rule, **answer.facts)
    return pending(SETUPS, setup_id, "starting")


async def _outcome(given: Services, setup_id: str) -> Told | None:
    """What can be said of a set-up for good: None while its page is not open yet."""
    async with given.staff.begin("api.setup") as tx:
        row = await integration.setup(tx, setup_id)
    if row is None or row.state == SetupState.STARTED:
        return None
    if row.refused_rule is not None:
        refusal = Refusal(rule=row.refused_rule, facts=row.refused_facts)
        return Told.no(refusal, instance=f"{problems.PREFIX}{SETUPS}/{setup_id}")
    return Told.of(201, _setup_told(given, row._asdict()))


async def _order(
    tx: Transaction, holder: KeyHolder, asked: schemas.NewSetup, setup_id: str, request_hash: str
) -> SetupRequest:
    customer = await integration.customer(tx, asked.customer_id)
    if customer is None:
        raise Refused("customer_not_found")
    if not holder.settings.charge_on_file:
        raise Refused("saved_methods_off")
    if not holder.offers:
        raise Refused("no_provider")
    kind, currency = MethodKind(asked.kind), asked.currency or customer.currency
    offer = offer_for(holder.offers, kind, currency)
    if offer is None:
        raise Refused("method_kind_not_offered", currency=currency)
    return SetupRequest(
        setup_id=setup_id,
        customer_id=customer.id,
        kind=kind,
        currency=currency,
        consent_wording=asked.consent_wording,
        return_path="/methods",
        connection_id=offer.connection_id,
        request_hash=request_hash,
        channel="api",
        started_by=holder.label,
    )


async def _method(given: Services, method_id: str) -> MethodRow:
    async with given.staff.begin("api.method") as tx:
        row = await integration.method(tx, method_id)
    if row is None:
        raise Refused("method_not_found")
    return row


async def _change(
    given: Services,
    holder: KeyHolder,
    method: MethodRow,
    change_id: str,
    *,
    action: str,
    next_default_id: str | None = None,
) -> FirstAnswer | None:
    """What became of a change; None when nobody said in time."""
    change = MethodChange(
        change_id=change_id,
        method_id=method.id,
        customer_id=method.customer_id,
        action=action,
        next_default_id=next_default_id,
        by=holder.label,
    )
    try:
        return await given.processes.change_method(change)
    except Exception as error:
        # Not a failure: the change may be made although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", change_id, type(error).__name__)
        return None


def _setup_told(given: Services, row: dict[str, Any]) -> dict[str, Any]:
    """A set-up's row as it is told; its page only where customers may be sent."""
    row["refusal"] = refusal_told(row.pop("refused_rule"), row.pop("refused_facts"))
    if row["state"] != "redirected" or not given.may_send_to(row["page_url"]):
        row["page_url"] = None
    return row
