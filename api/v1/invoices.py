"""Invoices: what the ERP says of them, and what is open, held and available by Duly's own books."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.v1 import answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import Today, cursors_of, json_answer, page_of
from domain.refusals import Refused
from store.api_keys import KeyHolder, Scope
from store.views import integration
from store.views.integration import InvoiceFilter, InvoiceRow
from store.views.invoice import InvoicePage, invoice_page

router: Final = APIRouter(tags=["invoices"])
Reader = Annotated[KeyHolder, Depends(Needs(Scope.INVOICES_READ))]


@router.get("/invoices", response_model=answers.Invoices)
async def list_invoices(given: Given, holder: Reader, wanted: Annotated[schemas.InvoiceQuery, Query()]) -> Response:
    """Every invoice that matches and that its customer may see, the newest first."""
    cursors = cursors_of(given, "invoices", wanted)
    after, today = cursors.read(wanted.cursor), Today(given.clock())
    asked = InvoiceFilter(
        customer_id=wanted.customer_id,
        number=wanted.number,
        owed=wanted.owed,
        due_before=wanted.due_before,
        hide_paused=holder.settings.exclude_paused,
    )
    async with given.staff.begin("api.invoices") as tx:
        rows = await integration.invoices(tx, asked, after=after, limit=wanted.limit)

    def with_mark(told: dict[str, Any]) -> dict[str, Any]:
        is_owed, time_zone = told.pop("counted"), told.pop("time_zone")
        told["is_overdue"] = is_owed and told["due_on"] < today(time_zone)
        return told

    return page_of(
        "invoices",
        rows,
        InvoiceRow._fields,
        limit=wanted.limit,
        cursor=lambda row: cursors.write(row.issued_on.isoformat(), row.id),
        change=with_mark,
    )


@router.get("/invoices/{invoice_id}", response_model=answers.InvoiceWithLines)
async def get_invoice(given: Given, holder: Reader, invoice_id: Annotated[fields.InvoiceId, Path()]) -> Response:
    """One invoice, with its lines and what settled it. A draft, a void one or a paused one does not exist here either."""
    hide_paused = holder.settings.exclude_paused
    async with given.staff.begin("api.invoice") as tx:
        owner = await integration.owner_of_invoice(tx, invoice_id, hide_paused=hide_paused)
        customer = None if owner is None else await integration.customer(tx, owner)
        family = () if customer is None else await integration.family(tx, customer.id)
    if customer is None:
        raise Refused("id_unknown")
    today = Today(given.clock())(customer.time_zone)
    async with given.portal.read_as(family, hide_paused=hide_paused) as tx:
        page = await invoice_page(tx, invoice_id, holder.settings, today=today)
    if page is None:
        raise Refused("id_unknown")
    is_owed = page.open > 0 and page.shown not in {"written_off", "closed"}
    return json_answer(_told(page, customer.id, is_overdue=is_owed and not page.is_parent and page.due_on < today))


def _told(page: InvoicePage, customer_id: str, *, is_overdue: bool) -> dict[str, Any]:
    same = (
        "id", "number", "site", "po_number", "currency", "issued_on", "due_on", "paid_on", "is_parent", "parent_id", "total",
        "open", "held", "available", "terms", "discount",
    )  # fmt: skip
    return {
        **{name: getattr(page, name) for name in same},
        "customer_id": customer_id,
        "status": page.shown,
        "is_overdue": is_overdue,
        "lines": [each._asdict() for each in page.lines],
        "settlements": [each._asdict() for each in page.settlements],
        "sites": [each.id for each in page.sites],
    }
