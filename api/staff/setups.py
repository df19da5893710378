"""Staff start the set-up of a payment method for a customer (B7): now, on the provider's page, or by sending a link."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.requests import SetupRequest
from api.security.forms import FormSigner
from api.services import Services
from api.staff import words
from api.staff.frame import Agent, Given, Viewer, note, page
from domain.methods import MethodKind
from domain.refusals import Refusal, Refused
from store.access import PaymentOffer
from store.identity import fresh_id
from store.staff_accounts import StaffSession
from store.views import staff as views
from store.views import staff_payments as evidence
from workflows import ids

router: Final = APIRouter()
WORDING: Final = "The customer agreed that this payment method is saved and used for their invoices."


@router.get("/customers/{customer_id}/methods/new")
async def choose_kind(request: Request, session: Agent, given: Given, customer_id: str) -> Response:
    """What can be set up, how, and why not where it cannot. The form carries the set-up that it will create."""
    async with given.staff.begin("staff_customer") as tx:
        chosen = await views.customer(tx, customer_id)
        contacts = await views.contacts(tx, customer_id)
    if chosen is None:
        raise Refused("not_found")
    signed = FormSigner(given.form_keys).sign(
        fresh_id("set"), customer_id=customer_id, session=session.reference, issued_at=given.clock()
    )
    return page(
        request,
        session,
        "new_method.html",
        chosen=chosen,
        contacts=contacts,
        signed=signed,
        wording=WORDING,
        offered=words.offered(session.offers, chosen.currency) if session.settings.charge_on_file else [],
        why_not=words.why_not(session.offers, chosen.currency, session.settings),
    )


@router.post("/customers/{customer_id}/methods")
async def start_setup(
    request: Request,
    session: Agent,
    given: Given,
    customer_id: str,
    signed: Annotated[str, Form(max_length=300)] = "",
    offer: Annotated[str, Form(max_length=100)] = "",
    agreed: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Start it and go to the provider's page; whatever happens on the way, the set-up's own page tells the truth."""
    setup_id = FormSigner(given.form_keys).check(
        signed, customer_id=customer_id, session=session.reference, at=given.clock()
    )
    async with given.staff.begin("staff_customer") as tx:
        chosen = await views.customer(tx, customer_id)
        known = await evidence.setup(tx, setup_id)
    if chosen is None:
        raise Refused("not_found")
    if known is None:
        connection, kind = _chosen(session, chosen.currency, offer, agreed)
        request_hash = hashlib.sha256(
            "\n".join((setup_id, customer_id, connection.connection_id, kind, chosen.currency, WORDING)).encode()
        ).hexdigest()
        asked = SetupRequest(
            setup_id=setup_id,
            customer_id=customer_id,
            kind=kind,
            currency=chosen.currency,
            consent_wording=WORDING,
            return_path=f"/staff/customers/{customer_id}",
            connection_id=connection.connection_id,
            request_hash=request_hash,
            channel="staff",
            started_by=session.staff_id,
        )
        async with given.staff.begin("setup_started") as tx:
            await note(request, tx, session, "setup_started", customer_id=customer_id, object_id=setup_id, kind=kind.value)
        redirect = await _first_redirect(given, asked)
        if redirect is not None:
            return RedirectResponse(redirect, status_code=303)
    return RedirectResponse(f"/staff/setups/{setup_id}", status_code=303)


@router.get("/setups/{setup_id}")
async def show_setup(request: Request, session: Viewer, given: Given, setup_id: str) -> Response:
    """A set-up as it stands; before its row exists, that it is being started."""
    async with given.staff.begin("staff_setup") as tx:
        known = await evidence.setup(tx, setup_id)
        events = await evidence.timeline(tx, setup_id)
        received = await evidence.provider_events(tx, setup_id, provider_ref=None if known is None else known.session_id)
    refusal = None
    if known is not None and known.refused_rule is not None:
        refusal = Refusal(rule=known.refused_rule, facts=dict(known.refused_facts))
    page_url = known.page_url if known is not None and known.state == "redirected" else None
    return page(
        request,
        session,
        "setup.html",
        block="status",
        setup_id=setup_id,
        known=known,
        events=events,
        received=received,
        refusal=refusal,
        page_url=page_url if given.may_send_to(page_url) else None,
        workflow_id=ids.method_setup(setup_id),
    )


def _chosen(session: StaffSession, currency: str, offer: str, agreed: str) -> tuple[PaymentOffer, MethodKind]:
    """The connection and kind of 'connection/kind'. Raises Refused for what is not offered or not agreed to."""
    if not session.settings.charge_on_file:
        raise Refused("saved_methods_off")
    connection_id, _, kind = offer.partition("/")
    for each, served in words.offered(session.offers, currency):
        if each.connection_id == connection_id and served.value == kind:
            if agreed != "yes":
                raise Refused("consent_needed")
            return each, served
    raise Refused("method_kind_not_offered", currency=currency)


async def _first_redirect(given: Services, asked: SetupRequest) -> str | None:
    """Where the provider wants the browser, when that is known in time. A time-out is no failure: the page tells."""
    try:
        answer = await given.processes.start_setup(asked)
    except Exception:
        # Whatever it was, the set-up may exist: its page reads the row (core.md §5).
        return None
    return answer.redirect_url if given.may_send_to(answer.redirect_url) else None
