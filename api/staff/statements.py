"""A customer's statements for staff: what the customer would read, and in every form of file. Each file is in the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.documents import statements as documents
from api.documents.statements import Statement
from api.formatting import Writer, writer_for
from api.portal.statements import answer, facts_of_page, made
from api.staff.frame import Given, Viewer, note, page
from domain.refusals import Refused
from store.staff_accounts import StaffSession
from store.views import integration
from store.views import staff as views

router: Final = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    customer: views.CustomerFacts
    statement: Statement
    write: Writer


@router.get("/customers/{customer_id}/statement")
async def show_statement(request: Request, session: Viewer, given: Given, customer_id: str) -> Response:
    """The page."""
    found = await _made(request, session, given, customer_id, action="statement_viewed")
    return page(
        request,
        session,
        "statement.html",
        customer=found.customer,
        theirs=found.write,
        **facts_of_page(found.statement),
        forms=tuple(documents.MEDIA_TYPES),
    )


@router.get("/customers/{customer_id}/statement/file")
async def give_statement(
    request: Request,
    session: Viewer,
    given: Given,
    customer_id: str,
    form: Annotated[str, Query(alias="as", max_length=10)] = "pdf",
) -> Response:
    """The file; which forms customers get is no rule for staff."""
    if form not in documents.MEDIA_TYPES:
        raise Refused("not_found")
    found = await _made(request, session, given, customer_id, action="statement_exported", form=form)
    return await answer(found.statement, form, found.write)


async def _made(
    request: Request, session: StaffSession, given: Given, customer_id: str, *, action: str, **facts: str
) -> _Made:
    async with given.staff.begin("staff_statement") as tx:
        customer = await views.customer(tx, customer_id)
        family = () if customer is None else await integration.family(tx, customer_id)
        if customer is None or not family:
            raise Refused("not_found")
        write = writer_for(country=customer.country, time_zone=customer.time_zone, now=given.clock())
        wanted = documents.asked_of(request.query_params, now=write.now, zone=write.time_zone)
        as_of = wanted.as_of.day.isoformat()
        await note(request, tx, session, action, customer_id=customer_id, kind=wanted.kind, as_of=as_of, **facts)
    who = (customer.name, customer.number)
    statement = await made(given, family, who, session.settings, wanted, write.time_zone)
    return _Made(customer=customer, statement=statement, write=write)
