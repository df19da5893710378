"""The demo ERP as a connector: reads receivables, posts payments, finds documents by our reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

from connectors.erp.demo import translate
from connectors.erp.demo.client import DemoErpClient, DemoErpConfig
from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    ErpCredit,
    ErpCustomer,
    ErpDeposit,
    ErpInvoice,
    ErpOpenTotal,
    ErpPayment,
    ErpQuote,
    ErpRecurring,
    Page,
    PaymentDocument,
    PostedDocument,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
    SurplusDocument,
)
from connectors.errors import ConnectorError, OutcomeUnknown, Rejected, Unavailable
from domain.money import Money, MoneyError

T = TypeVar("T")

LOOKUP_BATCH: Final = 200
_MALFORMED: Final = (KeyError, TypeError, ValueError, MoneyError)


class DemoErp:
    """Every capability of the ERP ports. Each method raises ConnectorError."""

    def __init__(self, config: DemoErpConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = DemoErpClient(config)

    @property
    def has_unique_references(self) -> bool:
        """As configured: whether this ERP refuses a second document with one reference."""
        return self._config.has_unique_references

    @property
    def request_life_seconds(self) -> int:
        """As configured; search has no lag here."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """A cheap authenticated read."""
        await self._client.read("/ping")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Customers changed after a cursor."""
        return await self._page("/customers", cursor, limit, translate.customer)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices changed after a cursor, settlements included."""
        return await self._page("/invoices", cursor, limit, translate.invoice)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices, in as few requests as the ERP allows; each answer is of one moment."""
        wanted = list(dict.fromkeys(erp_ids))
        found: list[ErpInvoice] = []
        for start in range(0, len(wanted), LOOKUP_BATCH):
            batch = wanted[start : start + LOOKUP_BATCH]
            answer = await self._client.read("/invoices/lookup", body={"ids": batch})
            found.extend(_translated(answer, translate.invoice))
        return found

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credits changed after a cursor: one page of documents, of which some are none."""
        answer = await self._client.read("/documents", query={"since": cursor or "0", "limit": limit})
        rows = _translated({"rows": [row for row in _rows(answer) if translate.is_credit(row)]}, translate.credit)
        return Page(rows=rows, cursor=str(answer.get("next", cursor)), more=bool(answer.get("more", False)))

    async def payments_since(self, cursor: str, *, limit: int) -> Page[ErpPayment]:
        """Payment documents changed after a cursor, whoever wrote them; deleted ones are among them."""
        return await self._page("/payments", cursor, limit, translate.payment)

    async def quotes_since(self, cursor: str, *, limit: int) -> Page[ErpQuote]:
        """Quotes changed after a cursor; deleted ones are among them."""
        return await self._page("/quotes", cursor, limit, translate.quote)

    async def recurring_since(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Templates changed after a cursor; deleted ones are among them."""
        return await self._page("/templates", cursor, limit, translate.recurring)

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes, so many customers after one."""
        answer = await self._client.read("/totals", query={"after": cursor, "limit": limit})
        rows = _translated(answer, translate.open_total)
        return Page(rows=rows, cursor=str(answer.get("next", cursor)), more=bool(answer.get("more", False)))

    async def receivable_balances(self) -> Sequence[Money]:
        """The receivables account of its general ledger, by currency."""
        return _translated(await self._client.read("/ledger/receivables"), translate.balance)

    async def deposits_of(self, references: Sequence[str]) -> Sequence[ErpDeposit]:
        """The deposits that bear those references, in as few requests as the ERP allows."""
        wanted = list(dict.fromkeys(references))
        found: list[ErpDeposit] = []
        for start in range(0, len(wanted), LOOKUP_BATCH):
            answer = await self._client.read("/deposits/lookup", body={"ids": wanted[start : start + LOOKUP_BATCH]})
            found.extend(_translated(answer, translate.deposit))
        return found

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credits, in as few requests as the ERP allows."""
        wanted = list(dict.fromkeys(erp_ids))
        found: list[ErpCredit] = []
        for start in range(0, len(wanted), LOOKUP_BATCH):
            batch = wanted[start : start + LOOKUP_BATCH]
            answer = await self._client.read("/documents/lookup", body={"ids": batch})
            found.extend(_translated(answer, translate.credit))
        return found

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations."""
        return await self._post("/payments", translate.payment_body(document), document.reference)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back."""
        return await self._post("/reversals", translate.reversal_body(document), document.reference)

    async def post_surplus_reversal(self, document: SurplusDocument) -> PostedDocument:
        """Take back one of several documents that bear one reference."""
        return await self._post("/reversals", translate.surplus_body(document), document.reference)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""
        return await self._post("/refunds", translate.refund_body(document), document.reference)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back."""
        return await self._post("/refund-reversals", translate.refund_reversal_body(document), document.reference)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        return await self._post("/applications", translate.application_body(document), document.reference)

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Apply a document of the ERP's own, or take it off again."""
        return await self._post("/applications", translate.credit_application_body(document), document.reference)

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference; one that a person deleted is among them, its state in `facts`."""
        answer = await self._client.read("/documents", query={"reference": reference})
        return _translated(answer, translate.posted)

    async def invoice_pdf(self, erp_id: str) -> bytes:
        """The demo ERP's own print of an invoice."""
        return await self._client.read_file(f"/invoices/{quote(erp_id, safe='')}/pdf")

    async def credit_note_pdf(self, erp_id: str) -> bytes:
        """The demo ERP's own print of a credit note."""
        return await self._client.read_file(f"/documents/{quote(erp_id, safe='')}/pdf")

    async def _page(self, path: str, cursor: str, limit: int, translated: Callable[[Mapping[str, Any]], T]) -> Page[T]:
        answer = await self._client.read(path, query={"since": cursor or "0", "limit": limit})
        rows = _translated(answer, translated)
        total = answer.get("total")
        return Page(
            rows=rows,
            cursor=str(answer.get("next", cursor)),
            more=bool(answer.get("more", False)),
            total=total if isinstance(total, int) else None,
        )

    async def _post(self, path: str, body: Mapping[str, object], reference: str) -> PostedDocument:
        try:
            answer = await self._client.write(path, body)
        except Rejected as refused:
            if refused.code != "DUPLICATE_REFERENCE":
                raise
            return await self._already_there(reference, body, refused)
        try:
            return translate.posted(answer)
        except _MALFORMED as malformed:
            raise OutcomeUnknown("The demo ERP's answer to a write cannot be read.") from malformed

    async def _already_there(self, reference: str, body: Mapping[str, object], refused: Rejected) -> PostedDocument:
        """A unique reference makes a repeat safe: the document of the first try is the answer, if it is the same."""
        try:
            found = await self.find_document(reference)
        except ConnectorError as silent:
            raise OutcomeUnknown("The demo ERP has that reference, but did not show its document.") from silent
        for document in found:
            is_same_customer = document.facts["customer_erp_id"] == body["customer_id"]
            if is_same_customer and body.get("amount", document.amount.minor) == document.amount.minor:
                return document
        raise refused


def _rows(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rows = answer.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "kind" in row for row in rows):
        raise Unavailable("The demo ERP's answer to a read cannot be read.")
    return rows


def _translated(answer: Mapping[str, Any], translated: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    """The rows of an answer; an answer that cannot be read is Unavailable, never 'nothing there'."""
    try:
        return tuple(translated(row) for row in answer["rows"])
    except _MALFORMED as malformed:
        raise Unavailable("The demo ERP's answer to a read cannot be read.") from malformed
