"""Customers, what they owe, and their statements of account."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.documents import statements as documents
from api.documents.statements import Asked
from api.formatting import zone
from api.v1 import answers, fields, schemas, statement_answers
from api.v1.door import Given, Needs
from api.v1.listing import Today, cursors_of, json_answer, page_of
from domain.refusals import Refused
from domain.statements import AsOf, Section
from store.api_keys import KeyHolder, Scope
from store.views import integration
from store.views import statements as views
from store.views.integration import CustomerRow

router: Final = APIRouter(tags=["customers"])
Reader = Annotated[KeyHolder, Depends(Needs(Scope.CUSTOMERS_READ))]
InvoiceReader = Annotated[KeyHolder, Depends(Needs(Scope.INVOICES_READ))]


@router.get("/customers", response_model=answers.Customers)
async def list_customers(given: Given, _: Reader, wanted: Annotated[schemas.CustomerFilter, Query()]) -> Response:
    """Every customer that matches, the newest first."""
    cursors = cursors_of(given, "customers", wanted)
    after = cursors.read(wanted.cursor)
    async with given.staff.begin("api.customers") as tx:
        rows = await integration.customers(tx, search=wanted.search, number=wanted.number, after=after, limit=wanted.limit)
    return page_of("customers", rows, CustomerRow._fields, limit=wanted.limit, cursor=lambda row: cursors.write(row.id))


@router.get("/customers/{customer_id}", response_model=answers.CustomerWithBalances)
async def get_customer(given: Given, holder: Reader, customer_id: Annotated[fields.CustomerId, Path()]) -> Response:
    """One customer, and what it owes by currency."""
    async with given.staff.begin("api.customer") as tx:
        row = await integration.customer(tx, customer_id)
        if row is None:
            raise Refused("customer_not_found")
        today = Today(given.clock())(row.time_zone)
        owed = await integration.balances(tx, customer_id, today=today, hide_paused=holder.settings.exclude_paused)
    return json_answer({**row._asdict(), "balances": [each._asdict() for each in owed]})


@router.get("/customers/{customer_id}/statement", response_model=statement_answers.Statement)
async def get_statement(
    given: Given,
    holder: InvoiceReader,
    customer_id: Annotated[fields.CustomerId, Path()],
    wanted: Annotated[schemas.StatementQuery, Query()],
) -> Response:
    """What was open, or what happened, as of any moment: of the customer and its children, as the customer may see it."""
    async with given.staff.begin("api.statement") as tx:
        row = await integration.customer(tx, customer_id)
        family = () if row is None else await integration.family(tx, customer_id)
    if row is None or not family:
        raise Refused("customer_not_found")
    where = zone(row.time_zone)
    now = given.clock()
    if wanted.as_of is None:
        asked = documents.asked(wanted.kind, wanted.currency, wanted.from_on, wanted.as_of_on, now=now, zone=where)
    elif wanted.as_of > now:
        raise Refused("statement_ahead", day=wanted.as_of.isoformat(), today=now.isoformat())
    else:
        as_of = AsOf(wanted.as_of, wanted.as_of.astimezone(where).date(), is_now=False)
        asked = documents.since(wanted.kind, wanted.currency, wanted.from_on, as_of)
    async with given.portal.read_as(family, hide_paused=holder.settings.exclude_paused) as tx:
        told = await views.facts(tx, family, currency=asked.currency, zone=where)
    sections = await asyncio.to_thread(documents.sections_of, told, asked, where)
    return json_answer(
        {
            "customer_id": customer_id,
            "kind": asked.kind,
            "as_of": asked.as_of.at,
            "day": asked.as_of.day,
            "is_now": asked.as_of.is_now,
            "from_on": asked.from_on if asked.kind == "transactions" else None,
            "sections": [_section(each, asked) for each in sections],
        }
    )


def _section(section: Section, asked: Asked) -> dict[str, Any]:
    told: dict[str, Any] = {
        "currency": section.currency,
        "balance": section.owed,
        "unapplied": section.unapplied,
        "net": section.net,
    }
    if asked.kind == "open":
        return {
            **told,
            "overdue": section.overdue,
            "ages": dict(zip(statement_answers.Ages.model_fields, section.ages, strict=True)),
            "invoices": [each._asdict() for each in section.items],
            "credits": [{**each._asdict(), "act": each.act.value} for each in section.credits],
        }
    return {
        **told,
        "opening_balance": section.opening_owed,
        "opening_unapplied": section.opening_unapplied,
        "lines": [{**each._asdict(), "act": each.act.value} for each in section.lines],
    }
