"""Invoices and credit notes as files (A8): the ERP's own PDF where one is kept of the present version, else Duly's; several
as a ZIP. The ERP is never asked from here: a worker is, after the answer.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.responses import Response

from api.documents import papers
from api.formatting import Writer
from api.portal.applying import may_see
from api.portal.shell import writer
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.ids import is_id
from domain.refusals import Refused
from store import document_files
from store.access import PortalSession
from store.document_files import Kept
from store.views import credits as credit_views
from store.views.credits import CreditLine
from store.views.invoice import InvoicePage, invoice_pages

router: Final = APIRouter(include_in_schema=False)
Session = Annotated[PortalSession, Depends(portal_session)]
Given = Annotated[Services, Depends(given_services)]
MOST: Final = 100
"""Documents in one ZIP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Papers:
    """What was asked for, all of it this customer's, in the order in which it was asked."""

    documents: Sequence[InvoicePage | CreditLine]
    kept: Kept


@router.get("/invoices/{invoice_id}.pdf")
async def give_invoice(request: Request, session: Session, given: Given, invoice_id: str) -> Response:
    """One invoice. A draft, void or paused one, and another customer's, does not exist."""
    return await _one(request, session, given, invoice_id, prefix="inv")


@router.get("/credits/{credit_id}.pdf")
async def give_credit(request: Request, session: Session, given: Given, credit_id: str) -> Response:
    """One credit note."""
    return await _one(request, session, given, credit_id, prefix="crd")


@router.get("/documents.zip")
async def give_several(
    request: Request,
    session: Session,
    given: Given,
    i: Annotated[list[str] | None, Query(max_length=1_000)] = None,
    c: Annotated[list[str] | None, Query(max_length=1_000)] = None,
) -> Response:
    """Invoices (`i`) and credit notes (`c`) as one file, written while it is sent.

    Raises Refused 'no_documents_chosen' for none, 'too_many_documents' above 100 of them, and 'not_found' if one of them
    does not exist: what is asked for is never cut.
    """
    ids = list(dict.fromkeys([*(i or ()), *(c or ())]))
    if not ids:
        raise Refused("no_documents_chosen")
    if len(ids) > MOST:
        raise Refused("too_many_documents", most=MOST, asked=len(ids))
    found = await _found(request, session, given, ids)
    headers = {"Content-Disposition": 'attachment; filename="documents.zip"'}
    return StreamingResponse(
        _zipped(session, given, found, writer(request, session)),
        media_type="application/zip",
        headers=headers,
        background=_wish(given, found),
    )


async def _one(request: Request, session: PortalSession, given: Services, document_id: str, *, prefix: str) -> Response:
    if not is_id(document_id, prefix):
        raise Refused("not_found")
    found = await _found(request, session, given, [document_id])
    (document,) = found.documents
    file = await _file(session, given, found, document, writer(request, session))
    headers = {"Content-Disposition": f'inline; filename="{_name(document)}.pdf"'}
    return Response(file, media_type="application/pdf", headers=headers, background=_wish(given, found))


async def _found(request: Request, session: PortalSession, given: Services, ids: Sequence[str]) -> _Papers:
    invoice_ids = [each for each in ids if is_id(each, "inv")]
    credit_ids = [each for each in ids if is_id(each, "crd")]
    if len(invoice_ids) + len(credit_ids) < len(ids):
        raise Refused("not_found")
    today, known = writer(request, session).today, dict[str, InvoicePage | CreditLine]()
    async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
        if invoice_ids:
            pages = await invoice_pages(tx, invoice_ids, session.settings, today=today)
            known |= {each.id: each for each in pages}
        if credit_ids:
            lines = await credit_views.credits_of(tx, credit_ids, customers=session.family)
            known |= {each.id: each for each in lines if may_see(each, session.settings)}
        kept = await document_files.kept(tx, ids)
    if known.keys() != set(ids):
        raise Refused("not_found")
    return _Papers(documents=[known[each] for each in ids], kept=kept)


async def _file(
    session: PortalSession, given: Services, found: _Papers, document: InvoicePage | CreditLine, write: Writer
) -> bytes:
    if document.id in found.kept.there:
        async with given.portal.read_as(session.family, hide_paused=session.settings.exclude_paused) as tx:
            if (file := await document_files.content(tx, document.id)) is not None:
                return file
    if isinstance(document, InvoicePage):
        return await asyncio.to_thread(papers.invoice_pdf, document, session.settings, write)
    return await asyncio.to_thread(papers.credit_pdf, document, session.settings, write)


def _wish(given: Services, found: _Papers) -> BackgroundTask | None:
    """Once the answer is sent, the ERP is asked for what it was never asked for in this version."""
    unasked = sorted(found.kept.unasked)
    return BackgroundTask(given.processes.fetch_documents, unasked) if unasked else None


async def _zipped(session: PortalSession, given: Services, found: _Papers, write: Writer) -> AsyncIterator[bytes]:
    """One document after the other: never more than one of them is held."""
    out = _Outlet()
    taken: set[str] = set()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for document in found.documents:
            name = next(each for each in _names(document) if each not in taken)
            taken.add(name)
            on = document.issued_on
            about = zipfile.ZipInfo(f"{name}.pdf", date_time=(max(on.year, 1980), on.month, on.day, 0, 0, 0))
            about.compress_type = zipfile.ZIP_STORED  # a PDF is compressed already
            archive.writestr(about, await _file(session, given, found, document, write))
            yield out.taken()
    yield out.taken()


class _Outlet(io.RawIOBase):
    """A file that cannot be sought in: what is written is taken away at once."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: object) -> int:
        before = len(self._written)
        self._written += bytes(part)  # type: ignore[call-overload]
        return len(self._written) - before

    def taken(self) -> bytes:
        """What was written since the last time."""
        part = bytes(self._written)
        self._written.clear()
        return part


def _name(document: InvoicePage | CreditLine) -> str:
    """'invoice-INV-2041': safe in a header and on every disk, whatever the number is."""
    kind = "invoice" if isinstance(document, InvoicePage) else document.kind.value.replace("_", "-")
    plain = "".join(each if each.isascii() and each.isalnum() else "-" for each in document.number).strip("-")[:60]
    return f"{kind}-{plain}" if plain else kind


def _names(document: InvoicePage | CreditLine) -> Iterator[str]:
    """Numbers are not always one's own: the second of a name is told apart by its id."""
    yield _name(document)
    yield f"{_name(document)}-{document.id[-6:]}"
    yield document.id
