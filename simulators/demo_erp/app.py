"""The HTTP surface: the API behind its key, the tests' desk, and a page to look at the books."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from simulators.demo_erp import acts, banking, entering, ledger, pages, postings, printing, receivables, refunds, selling
from simulators.demo_erp.behaviour import Knobs, Misbehaving
from simulators.demo_erp.books import Books
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import (
    ActBody,
    ApplicationBody,
    BulkBody,
    DepositBody,
    KnobsBody,
    LookupBody,
    PaymentBody,
    RefundBody,
    RefundReversalBody,
    ReversalBody,
)

Since = Annotated[int, Query(ge=0)]
BEARER = HTTPBearer(auto_error=False)
Limit = Annotated[int, Query(ge=1, le=500)]


def create(books: Books, *, api_key: str) -> Misbehaving:
    """The application over some books, wrapped in its knobs."""
    app = FastAPI(title="Demo ERP", docs_url=None, redoc_url=None, openapi_url=None)
    knobs = Knobs()
    outermost = Misbehaving(app, knobs)
    locked = [Depends(_key_check(api_key))]
    app.include_router(_reading(books), dependencies=locked)
    app.include_router(_banking(books), dependencies=locked)
    app.include_router(_writing(books, knobs), dependencies=locked)
    app.include_router(_desk(books, outermost), dependencies=locked)
    app.include_router(pages.router(books))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "program": "demo-erp"}

    return outermost


def _key_check(api_key: str) -> Any:
    async def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> None:
        if given is None or not secrets.compare_digest(given.credentials.encode(), api_key.encode()):
            raise Refused("UNAUTHORIZED", "The API key is missing or wrong.", status=401)

    return check


async def _refused(_: Request, refused: Exception) -> JSONResponse:
    assert isinstance(refused, Refused)
    return JSONResponse({"error": {"code": refused.code, "message": refused.sentence}}, status_code=refused.status)


async def _unreadable(_: Request, broken: Exception) -> JSONResponse:
    assert isinstance(broken, RequestValidationError)
    first = broken.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"error": {"code": "INVALID_BODY", "message": f"{where}: {first['msg']}"}}, status_code=422)


def _file(kind: str, found: list[dict[str, Any]]) -> Response:
    if not found or (kind != "Invoice" and found[0]["kind"] != "credit_note"):
        raise Refused("NO_PRINT", "There is no such document, or none that is printed.", status=404)
    return Response(printing.printed(kind, found[0]), media_type="application/pdf")


def _reading(books: Books) -> APIRouter:
    router = APIRouter()

    @router.get("/ping")
    async def ping() -> dict[str, str]:
        return {"company": "Northwind Services"}

    @router.get("/customers")
    async def customers(since: Since = 0, limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            return receivables.page_of_customers(connection, since=since, limit=limit)

    @router.get("/invoices")
    async def invoices(since: Since = 0, limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            return receivables.page_of_invoices(connection, since=since, limit=limit)

    @router.post("/invoices/lookup")
    async def lookup(body: LookupBody) -> dict[str, Any]:
        with books.reading() as connection:
            return {"rows": receivables.invoices_by_id(connection, body.ids)}

    @router.get("/invoices/{invoice_id}/pdf")
    async def invoice_pdf(invoice_id: str) -> Response:
        with books.reading() as connection:
            return _file("Invoice", receivables.invoices_by_id(connection, [invoice_id]))

    @router.get("/documents/{document_id}/pdf")
    async def document_pdf(document_id: str) -> Response:
        with books.reading() as connection:
            return _file("Credit note", receivables.documents_by_id(connection, [document_id]))

    @router.post("/documents/lookup")
    async def lookup_documents(body: LookupBody) -> dict[str, Any]:
        with books.reading() as connection:
            return {"rows": receivables.documents_by_id(connection, body.ids)}

    @router.get("/documents")
    async def documents(reference: str | None = None, since: Since = 0, limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            if reference is not None:
                return {"rows": receivables.documents_by_reference(connection, reference)}
            return receivables.page_of_documents(connection, since=since, limit=limit)

    @router.get("/payments")
    async def payments(since: Since = 0, limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            return receivables.page_of_payments(connection, since=since, limit=limit)

    @router.get("/quotes")
    async def quotes(since: Since = 0, limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            return selling.page(connection, "quotes", since=since, limit=limit)

    @router.get("/templates")
    async def templates(since: Since = 0, limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            return selling.page(connection, "templates", since=since, limit=limit)

    @router.get("/totals")
    async def totals(after: str = "", limit: Limit = 200) -> dict[str, Any]:
        with books.reading() as connection:
            return ledger.open_totals(connection, after=after, limit=limit)

    @router.get("/ledger/receivables")
    async def receivables_account() -> dict[str, Any]:
        with books.reading() as connection:
            return {"rows": ledger.balances(connection)}

    return router


def _banking(books: Books) -> APIRouter:
    router = APIRouter()

    @router.post("/deposits/lookup")
    async def lookup_deposits(body: LookupBody) -> dict[str, Any]:
        with books.reading() as connection:
            return banking.deposits(connection, body.ids)

    return router


def _writing(books: Books, knobs: Knobs) -> APIRouter:
    router = APIRouter()

    def answered(connection: Any, document_id: str) -> dict[str, Any]:
        row = connection.execute("SELECT * FROM documents WHERE id = ?", (document_id,)).fetchone()
        return receivables.documents_as_answers(connection, [row])[0]

    @router.post("/payments", status_code=201)
    async def payment(body: PaymentBody) -> dict[str, Any]:
        with books.writing() as connection:
            return answered(connection, postings.post_payment(connection, body, knobs.rules()))

    @router.post("/reversals", status_code=201)
    async def reversal(body: ReversalBody) -> dict[str, Any]:
        with books.writing() as connection:
            return answered(connection, postings.post_reversal(connection, body, knobs.rules()))

    @router.post("/refunds", status_code=201)
    async def refund(body: RefundBody) -> dict[str, Any]:
        with books.writing() as connection:
            return answered(connection, refunds.post_refund(connection, body, knobs.rules()))

    @router.post("/refund-reversals", status_code=201)
    async def refund_reversal(body: RefundReversalBody) -> dict[str, Any]:
        with books.writing() as connection:
            return answered(connection, refunds.post_refund_reversal(connection, body, knobs.rules()))

    @router.post("/applications", status_code=201)
    async def application(body: ApplicationBody) -> dict[str, Any]:
        with books.writing() as connection:
            return answered(connection, postings.post_application(connection, body, knobs.rules()))

    @router.post("/bulk", status_code=201)
    async def bulk(body: BulkBody) -> dict[str, list[str]]:
        with books.writing() as connection:
            return entering.enter(connection, body)

    return router


def _desk(books: Books, outermost: Misbehaving) -> APIRouter:
    """What tests and drills use: a person's acts, the knobs, the counting. The knobs do not touch it."""
    router = APIRouter(prefix="/test")

    @router.post("/act")
    async def act(body: ActBody) -> dict[str, str]:
        with books.writing() as connection:
            return {"touched": acts.perform(connection, body)}

    @router.post("/deposits")
    async def deposit(body: DepositBody) -> dict[str, Any]:
        with books.writing() as connection:
            if body.deleted:
                return {"deleted": banking.delete(connection, body.reference)}
            made = banking.enter(
                connection,
                reference=body.reference,
                amount=body.amount,
                currency=body.currency,
                booked_on=body.booked_on.isoformat(),
            )
            return {"id": made}

    @router.post("/knobs")
    async def turn(body: KnobsBody) -> dict[str, Any]:
        outermost.turn(body)
        return outermost.knobs.shown()

    @router.get("/knobs")
    async def knobs() -> dict[str, Any]:
        return outermost.knobs.shown()

    @router.get("/documents")
    async def documents(reference: str | None = None) -> dict[str, Any]:
        """Documents with a reference, or every one that came through the API when none is named."""
        with books.reading() as connection:
            if reference is None:
                rows = connection.execute("SELECT * FROM documents WHERE author = 'API' ORDER BY change").fetchall()
                found = receivables.documents_as_answers(connection, rows)
            else:
                found = receivables.documents_by_reference(connection, reference)
        return {"count": len(found), "documents": found}

    @router.get("/requests")
    async def requests() -> dict[str, int]:
        return dict(outermost.requests)

    @router.delete("/requests", status_code=204)
    async def forget_requests() -> None:
        outermost.requests.clear()

    return router
