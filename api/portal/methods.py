"""Payment methods: the list, adding one by redirect, making one the default, deleting one truthfully."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.requests import MethodChange, SetupRequest
from api import pages
from api.portal.shell import shell_for, writer
from api.portal.story import refusal_of
from api.portal.ways import KIND_WORDS, consent_wording, expiry, picture_of
from api.security.forms import FormSigner
from api.security.paths import safe_path
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.ids import is_id
from domain.methods import MethodKind
from domain.refusals import Refusal, Refused
from store import methods
from store.access import PaymentOffer, PortalSession, offer_for
from store.identity import fresh_id
from store.views import payments as payment_views

router: Final = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)


async def shown_session(session: Annotated[PortalSession, Depends(portal_session)]) -> PortalSession:
    """The customer's session, where the business shows this page; Refused 'not_found' where it does not.

    The pages of a set-up that was begun elsewhere stay: they say what became of it.
    """
    if not session.settings.show_methods:
        raise Refused("not_found")
    return session


Shown = Annotated[PortalSession, Depends(shown_session)]


def offered_kinds(session: PortalSession, currency: str) -> Sequence[tuple[MethodKind, PaymentOffer]]:
    """The kinds that a connected provider can save in a currency, each with the connection that does."""
    if not session.settings.charge_on_file:
        return []
    found = []
    for kind in MethodKind:
        offer = offer_for(session.offers, kind, currency)
        if offer is not None:
            found.append((kind, offer))
    return found


@router.get("/methods")
async def show_methods(
    request: Request,
    session: Shown,
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """The list; what staff see is the same."""
    write = writer(request, session)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        saved = await methods.of_customer(tx, session.customer.id)
    return pages.render(
        request,
        "portal/methods.html",
        shell=shell_for(request, session),
        rows=[(each, *expiry(each, today=write.today), picture_of(each.brand)) for each in saved],
        may_add=bool(offered_kinds(session, session.customer.currency)),
    )


@router.get("/methods/new")
async def show_kinds(
    request: Request,
    session: Shown,
    given: Annotated[Services, Depends(given_services)],
    back: str = "/methods",
) -> Response:
    """The choice of a kind, with what one agrees to."""
    kinds = offered_kinds(session, session.customer.currency)
    signed = FormSigner(given.form_keys).sign(
        fresh_id("set"), customer_id=session.customer.id, session=session.reference, issued_at=given.clock()
    )
    return pages.render(
        request,
        "portal/method_new.html",
        shell=shell_for(request, session),
        kinds=[(kind, *KIND_WORDS[kind], consent_wording(session.settings.business_name, kind)) for kind, _ in kinds],
        signed=signed,
        back=safe_path(back),
        refusal=None if kinds else Refusal(rule="no_provider" if session.settings.charge_on_file else "saved_methods_off"),
    )


@router.post("/methods")
async def start_setup(
    request: Request,
    session: Shown,
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """Start the set-up, once, then the provider's page. The process exists before the redirect (B4)."""
    form = await request.form()
    setup_id = FormSigner(given.form_keys).check(
        str(form.get("setup", "")), customer_id=session.customer.id, session=session.reference, at=given.clock()
    )
    if not is_id(setup_id, "set"):
        raise Refused("form_expired")
    order = _order(setup_id, str(form.get("kind", "")), safe_path(str(form.get("back", "/methods"))), session)
    status_page = RedirectResponse(f"/methods/setups/{setup_id}", status_code=303)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        known = await payment_views.setup_hash_of(tx, setup_id)
    if known is not None:
        if known != order.request_hash:
            raise Refused("form_used_differently")
        return status_page
    try:
        answer = await given.processes.start_setup(order)
    except Exception as error:
        # Not a failure: the process may run although nobody answered in time.
        log.warning("the first answer of %s did not come: %s", setup_id, type(error).__name__)
        return status_page
    if answer.redirect_url is not None and given.may_send_to(answer.redirect_url):
        return RedirectResponse(answer.redirect_url, status_code=303)
    return status_page


def _order(setup_id: str, kind_word: str, back: str, session: PortalSession) -> SetupRequest:
    currency = session.customer.currency
    offer = next((offer for kind, offer in offered_kinds(session, currency) if kind.value == kind_word), None)
    if offer is None:
        raise Refused("method_kind_not_offered", currency=currency)
    kind = MethodKind(kind_word)
    told = {"kind": kind.value, "currency": currency, "back": back, "customer": session.customer.id}
    return SetupRequest(
        setup_id=setup_id,
        customer_id=session.customer.id,
        kind=kind,
        currency=currency,
        consent_wording=consent_wording(session.settings.business_name, kind),
        return_path=back,
        connection_id=offer.connection_id,
        request_hash=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        started_by=session.person,
    )


@router.get("/methods/{method_id}")
async def show_method(
    request: Request,
    method_id: str,
    session: Shown,
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """One method: make it the default, delete it."""
    return await _method_page(request, method_id, session, given)


@router.post("/methods/{method_id}/default")
async def make_default(
    request: Request,
    method_id: str,
    session: Shown,
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """Make it the default, and no other."""
    return await _change(request, method_id, session, given, action="default")


@router.post("/methods/{method_id}/delete")
async def delete_method(
    request: Request,
    method_id: str,
    session: Shown,
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """Delete it here and at the provider; what the provider answers is what the page says."""
    return await _change(request, method_id, session, given, action="remove")


async def _change(request: Request, method_id: str, session: PortalSession, given: Services, *, action: str) -> Response:
    if not is_id(method_id, "pm"):
        raise Refused("not_found")
    form = await request.form()
    change_id = FormSigner(given.form_keys).check(
        str(form.get("change", "")), customer_id=session.customer.id, session=session.reference, at=given.clock()
    )
    change = MethodChange(
        change_id=change_id,
        method_id=method_id,
        customer_id=session.customer.id,
        action=action,
        next_default_id=str(form.get("next_default", "")) or None,
        by=session.person,
    )
    try:
        answer = await given.processes.change_method(change)
    except Exception as error:
        # Not a failure: the change may be made although nobody answered in time. The page reads the row.
        log.warning("the first answer of %s did not come: %s", change_id, type(error).__name__)
        return RedirectResponse(f"/methods/{method_id}?asked={action}", status_code=303)
    if answer.rule is not None:
        refusal = refusal_of(answer.rule, dict(answer.facts))
        return await _method_page(request, method_id, session, given, refusal=refusal)
    if answer.state == "removed":
        return RedirectResponse("/methods", status_code=303)
    return RedirectResponse(f"/methods/{method_id}", status_code=303)


async def _method_page(
    request: Request, method_id: str, session: PortalSession, given: Services, *, refusal: Refusal | None = None
) -> Response:
    write = writer(request, session)
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        saved = await methods.of_customer(tx, session.customer.id)
        is_used = await methods.is_used(tx, method_id)
        kept_because = await payment_views.detach_error_of(tx, method_id)
    method = next((each for each in saved if each.id == method_id), None)
    if method is None and request.query_params.get("asked") == "remove":
        return RedirectResponse("/methods", status_code=303)
    if method is None:
        raise Refused("not_found")
    others = [each for each in saved if each.id != method_id and each.state == "active"]
    words, is_soon = expiry(method, today=write.today)
    return pages.render(
        request,
        "portal/method.html",
        status=200 if refusal is None else refusal.status,
        shell=shell_for(request, session),
        method=method,
        kind_words=KIND_WORDS[method.kind][0],
        expiry=words,
        expires_soon=is_soon,
        picture=picture_of(method.brand),
        others=others,
        must_choose=method.is_default and bool(others),
        is_used=is_used,
        kept_because=kept_because,
        is_asked=request.query_params.get("asked", "") in {"default", "remove"},
        signed=FormSigner(given.form_keys).sign(
            fresh_id("chg"), customer_id=session.customer.id, session=session.reference, issued_at=given.clock()
        ),
        refusal=refusal,
    )
