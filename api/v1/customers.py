"""Customers and what they owe."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.v1 import answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import Today, cursors_of, json_answer, page_of
from domain.refusals import Refused
from store.api_keys import KeyHolder, Scope
from store.views import integration
from store.views.integration import CustomerRow

router: Final = APIRouter(tags=["customers"])
Reader = Annotated[KeyHolder, Depends(Needs(Scope.CUSTOMERS_READ))]


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
