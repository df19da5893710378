"""Portal links for customers: create one to copy, mail them (H8), revoke all of a customer's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError

from activities.requests import SendLinks
from api.services import Services
from api.staff.customers import customer_page
from api.staff.frame import Agent, Given, Viewer, note, page
from domain.ids import is_id
from domain.refusals import Refused
from store import access
from store.database import Transaction
from store.identity import fresh_id
from store.staff_accounts import StaffSession
from store.views import staff as views
from store.views import staff_sends as sends
from store.views.staff_sends import Recipient

router: Final = APIRouter()
_FINAL: Final = frozenset({"sent", "refused", "no_address"})
_SELECTED_MOST: Final = 200


@router.post("/customers/{customer_id}/links")
async def create_link(request: Request, session: Agent, given: Given, customer_id: str) -> Response:
    """A new link, shown this once to be copied."""
    async with given.staff.begin("create_link") as tx:
        link = await access.create_link(tx, customer_id, by=session.email, at=given.clock(), days=session.settings.link_days)
        await note(request, tx, session, "link_created", customer_id=customer_id, object_id=link.id)
    return await customer_page(request, session, given, customer_id, new_link=link)


@router.post("/customers/{customer_id}/links/revoke")
async def revoke_links(request: Request, session: Agent, given: Given, customer_id: str) -> Response:
    """Revoke every link of a customer: whoever came in by one is out at the next request."""
    async with given.staff.begin("revoke_links") as tx:
        if await views.customer(tx, customer_id) is None:
            raise Refused("not_found")
        revoked = await access.revoke_links(tx, customer_id, at=given.clock())
        await note(request, tx, session, "links_revoked", customer_id=customer_id, revoked=revoked)
    return RedirectResponse(f"/staff/customers/{customer_id}", status_code=303)


@router.post("/customers/{customer_id}/links/send")
async def send_to_contacts(
    request: Request,
    session: Agent,
    given: Given,
    customer_id: str,
    contact: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """One mail to each chosen contact of one customer."""
    chosen = set(contact or ())
    async with given.staff.begin("staff_contacts") as tx:
        if await views.customer(tx, customer_id) is None:
            raise Refused("not_found")
        known = await views.contacts(tx, customer_id)
    recipients = [
        Recipient(customer_id=customer_id, contact_id=each.id, address=each.email) for each in known if each.id in chosen
    ]
    if not recipients or len(recipients) != len(chosen):
        refused = Refused("not_found" if known and chosen else "no_contact")
        return await customer_page(request, session, given, customer_id, refusal=refused)
    return await _send(request, session, given, recipients)


@router.post("/sends")
async def send_to_customers(
    request: Request, session: Agent, given: Given, customer: Annotated[list[str] | None, Form()] = None
) -> Response:
    """One mail to each of many customers."""
    ids = list(dict.fromkeys(customer or ()))
    if not ids or len(ids) > _SELECTED_MOST or not all(is_id(each, "cus") for each in ids):
        raise Refused("not_found")
    async with given.staff.begin("staff_recipients") as tx:
        recipients = await sends.recipients(tx, ids)
    if len(recipients) != len(ids):
        raise Refused("not_found")
    return await _send(request, session, given, recipients)


@router.get("/sends/{batch_id}")
async def show_batch(request: Request, session: Viewer, given: Given, batch_id: str) -> Response:
    """How far a batch has come, address by address."""
    async with given.staff.begin("staff_batch") as tx:
        lines = await sends.batch(tx, batch_id)
    if not lines:
        raise Refused("not_found")
    done = sum(1 for each in lines if each.state in _FINAL)
    return page(
        request,
        session,
        "batch.html",
        block="progress",
        batch_id=batch_id,
        lines=lines,
        done=done,
        is_finished=done == len(lines),
        is_late=any(each.state == "asked" and _is_late(each.asked_at, given.clock()) for each in lines),
    )


@router.post("/sends/{batch_id}/again")
async def start_again(request: Request, session: Agent, given: Given, batch_id: str) -> Response:
    """Start a batch that nobody took up. It has one process however often it is started: no address gets two mails."""
    async with given.staff.begin("staff_batch") as tx:
        lines = await sends.batch(tx, batch_id)
        if not lines:
            raise Refused("not_found")
        await note(request, tx, session, "links_started_again", object_id=batch_id)
    await _start(given, batch_id, [(each.customer_id, each.contact_id) for each in lines if each.address], session.email)
    return RedirectResponse(f"/staff/sends/{batch_id}", status_code=303)


async def _send(request: Request, session: StaffSession, given: Services, recipients: Sequence[Recipient]) -> Response:
    batch_id = fresh_id("bat")
    async with given.staff.begin("send_links") as tx:
        await _note_all(request, tx, session, batch_id, recipients)
    pairs = [(each.customer_id, each.contact_id) for each in recipients if each.address]
    await _start(given, batch_id, pairs, session.email)
    return RedirectResponse(f"/staff/sends/{batch_id}", status_code=303)


async def _note_all(
    request: Request, tx: Transaction, session: StaffSession, batch_id: str, recipients: Sequence[Recipient]
) -> None:
    """The access log is also what the batch's page reads: who was meant is known before anything is started."""
    for each in recipients:
        await note(
            request,
            tx,
            session,
            "link_sent",
            customer_id=each.customer_id,
            object_id=batch_id,
            address=each.address,
            contact=each.contact_id,
        )


async def _start(given: Services, batch_id: str, pairs: Sequence[tuple[str, str]], by: str) -> None:
    if not pairs:
        return
    try:
        await given.processes.send_links(SendLinks(batch_id=batch_id, contacts=tuple(pairs), by=by))
    except (RPCError, TemporalError, TimeoutError):
        # It may have been started although nobody answered. The batch's page tells, and offers to start it again.
        return


def _is_late(asked_at: datetime, now: datetime) -> bool:
    return (now - asked_at).total_seconds() > 20
