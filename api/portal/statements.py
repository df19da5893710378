"""Statements of account (A7, A14): what is open or what happened, as of any day, on the page and as a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import pages
from api.documents import statements as documents
from api.documents.statements import Asked, Statement
from api.formatting import Writer
from api.portal.shell import shell_for, writer
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.business import BusinessSettings
from domain.refusals import Refused
from store.access import PortalSession
from store.views import statements as views

router: Final = APIRouter(include_in_schema=False)
Session = Annotated[PortalSession, Depends(portal_session)]
Given = Annotated[Services, Depends(given_services)]


@router.get("/statements")
async def show_statement(request: Request, session: Session, given: Given) -> Response:
    """The form, and below it what it asks for. Three statements with the session's."""
    if not session.settings.show_statements:
        raise Refused("not_found")
    write = writer(request, session)
    wanted = documents.asked_of(request.query_params, now=write.now, zone=write.time_zone)
    found = await _made(session, given, wanted, write.time_zone)
    return pages.render(
        request,
        "portal/statements.html",
        shell=shell_for(request, session),
        write=write,
        **facts_of_page(found),
        forms=session.settings.statement_formats,
    )


@router.get("/statements/file")
async def give_statement(
    request: Request, session: Session, given: Given, form: Annotated[str, Query(alias="as", max_length=10)] = "pdf"
) -> Response:
    """The same as a file, in a form that the business gives."""
    offered = session.settings.statement_formats
    if not session.settings.show_statements:
        raise Refused("not_found")
    if form not in offered:
        raise Refused("statement_format_off", offered=", ".join(offered) or "a page", asked=form)
    write = writer(request, session)
    wanted = documents.asked_of(request.query_params, now=write.now, zone=write.time_zone)
    found = await _made(session, given, wanted, write.time_zone)
    return await answer(found, form, write)


async def _made(session: PortalSession, given: Services, wanted: Asked, zone: ZoneInfo) -> Statement:
    customer = session.customer
    return await made(given, session.family, (customer.name, customer.number), session.settings, wanted, zone)


async def made(
    given: Services,
    family: Sequence[str],
    who: tuple[str, str],
    settings: BusinessSettings,
    wanted: Asked,
    zone: ZoneInfo,
) -> Statement:
    """A statement of a customer and its children, read as the customer, whoever asks for it. `who`: name and number."""
    async with given.portal.read_as(family, hide_paused=settings.exclude_paused) as tx:
        told = await views.facts(tx, family, currency=wanted.currency, zone=zone)
    return Statement(
        asked=wanted,
        customer_name=who[0],
        customer_number=who[1],
        business_name=settings.business_name,
        sections=await asyncio.to_thread(documents.sections_of, told, wanted, zone),
    )


def facts_of_page(found: Statement) -> dict[str, Any]:
    """What the page's template and the staff's are given."""
    wanted = found.asked
    fields = {"kind": wanted.kind, "from": wanted.from_on.isoformat(), "to": wanted.as_of.day.isoformat()}
    return {
        "statement": found,
        "acts": documents.ACTS,
        "ages": documents.AGES,
        "titles": documents.TITLES,
        "about": documents.about,
        "nothing": documents.nothing(wanted),
        "query": urlencode(fields | ({"currency": wanted.currency} if wanted.currency else {})),
    }


async def answer(found: Statement, form: str, write: Writer) -> Response:
    """The file, made beside the other requests."""
    made = await asyncio.to_thread(documents.file_of, found, form, write)
    headers = {"Content-Disposition": f'attachment; filename="{documents.name_of(found, form)}"'}
    return Response(made, media_type=documents.MEDIA_TYPES[form], headers=headers)
