"""Credits of customers: what the ERP holds for them, what is left of each, and where it went."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.v1 import credit_answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import cursors_of, json_answer, page_of
from domain.refusals import Refused
from store.api_keys import KeyHolder, Scope
from store.views import credits as views
from store.views import integration
from store.views.integration import CreditRow

router: Final = APIRouter(tags=["credits"])
Reader = Annotated[KeyHolder, Depends(Needs(Scope.CREDITS_READ))]


@router.get("/credits", response_model=credit_answers.Credits)
async def list_credits(given: Given, _: Reader, wanted: Annotated[schemas.OfCustomer, Query()]) -> Response:
    """Credits, the newest first: also those that customers are not shown."""
    cursors = cursors_of(given, "credits", wanted)
    after = cursors.read(wanted.cursor)
    async with given.staff.begin("api.credits") as tx:
        rows = await integration.credits_of(tx, customer_id=wanted.customer_id, after=after, limit=wanted.limit)
    return page_of(
        "credits",
        rows,
        CreditRow._fields,
        limit=wanted.limit,
        cursor=lambda row: cursors.write(row.issued_on.isoformat(), row.id),
    )


@router.get("/credits/{credit_id}", response_model=credit_answers.CreditWithUses)
async def get_credit(given: Given, _: Reader, credit_id: Annotated[fields.CreditId, Path()]) -> Response:
    """One credit, with what it was used for and what is asked of it."""
    async with given.staff.begin("api.credit") as tx:
        found = await views.credit(tx, credit_id)
    if found is None:
        raise Refused("credit_not_found")
    return json_answer(
        {
            **{name: getattr(found, name) for name in CreditRow._fields},
            "applications": [{"number": each.invoice, "amount": each.amount, "on": each.on} for each in found.applications],
            "requests": [each._asdict() for each in found.requests],
        }
    )
