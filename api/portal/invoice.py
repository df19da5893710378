"""One invoice (A15): what it is for, what has been paid and credited, what is open, whom to ask. Its figures are the
ERP's.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api import pages
from api.documents.papers import SETTLED
from api.portal.overview import person
from api.portal.shell import shell_for, writer
from api.portal.statuses import lateness, obstacle, tag
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.ids import is_id
from domain.invoices import COUNTED, InvoiceStatus
from domain.refusals import Refused
from store.access import PortalSession
from store.views.invoice import InvoicePage, invoice_page

router: Final = APIRouter(include_in_schema=False)


@router.get("/invoices/{invoice_id}")
async def show_invoice(
    request: Request,
    invoice_id: str,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """The page of an invoice. Drafts, void and paused ones and other customers' do not exist."""
    if not is_id(invoice_id, "inv"):
        raise Refused("not_found")
    settings = session.settings
    write = writer(request, session)
    async with given.portal.read_as(session.family, hide_paused=settings.exclude_paused) as tx:
        invoice = await invoice_page(tx, invoice_id, settings, today=write.today)
    if invoice is None:
        raise Refused("not_found")
    is_overdue = _is_overdue(invoice, write.today)
    label, colour = tag(invoice.shown, is_overdue=is_overdue)
    late, is_late = lateness(invoice.shown, due_on=invoice.due_on, paid_on=invoice.paid_on, today=write.today)
    return pages.render(
        request,
        "portal/invoice.html",
        shell=shell_for(request, session),
        write=write,
        settings=settings,
        invoice=invoice,
        label=label,
        colour=colour,
        late=late,
        is_late=is_late,
        obstacle=obstacle(invoice.shown, invoice.status, settings) if invoice.open > 0 else "",
        holder=person(invoice.held_by),
        contact=(invoice.contact_email or settings.contact_email) if settings.show_contact else "",
        kinds=SETTLED,
        sites=[(each, *tag(each.shown, is_overdue=each.is_overdue)) for each in invoice.sites],
    )


def _is_overdue(invoice: InvoicePage, today: date) -> bool:
    return InvoiceStatus(invoice.shown) in COUNTED and invoice.due_on < today
