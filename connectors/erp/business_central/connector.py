"""Business Central as a connector: reads receivables, posts payments and takes them back, finds by our reference.

What its standard API cannot do is refused with a code that leads to a person: booked money can be applied, or taken off an
invoice, by hand only (Customer Ledger Entries → Apply Entries, Unapply Entries).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from connectors.erp.business_central import wire
from connectors.erp.business_central.books import (
    PAYMENTS,
    REVERSALS,
    Books,
    Journal,
    Posted,
    Said,
    number_of,
    total,
)
from connectors.erp.business_central.client import VENDOR, BusinessCentralClient, BusinessCentralConfig
from connectors.erp.business_central.posting import Posting, on_account
from connectors.erp.business_central.reading import CUSTOMERS, INVOICES, MEMOS, Reading, is_id
from connectors.erp.calls import readable
from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    Page,
    PaymentDocument,
    PaymentLine,
    PostedDocument,
    ReversalDocument,
)
from connectors.errors import Rejected
from domain.money import Money

NEEDS_A_PERSON: Final = "NEEDS_A_PERSON"
_BY_HAND: Final = (
    "Business Central's API cannot move money that is booked: do it there, in Customer Ledger Entries by Apply Entries or"
    " Unapply Entries."
)


class BusinessCentral:
    """What the standard API v2.0 allows of the ERP ports. Each method raises ConnectorError."""

    has_unique_references = False  # a document number may be there twice; what we wrote is looked up before we write

    def __init__(self, config: BusinessCentralConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = BusinessCentralClient(config)
        self._books = Books(self._client)
        overlap = timedelta(seconds=config.overlap_seconds)
        self._reading = Reading(self._client, self._books, time_zone=config.time_zone, overlap=overlap)
        self._posting = Posting(self._client, self._books, balancing_account=config.balancing_account)

    @property
    def request_life_seconds(self) -> int:
        """As configured: a request ends over there after ten minutes."""
        return self._config.request_life_seconds

    async def ping(self) -> None:
        """That the company and the account are there for us; else Misconfigured."""
        with readable(VENDOR):
            await self._client.clock()
            await self._posting.ready()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # ------------------------------------------------------------ reads

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:
        """Customers changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.customers.page(cursor, limit=limit)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:
        """Invoices changed after a cursor, and those whose rest changed, which leaves no time."""
        with readable(VENDOR):
            return await self._reading.invoices.page(cursor, limit=limit)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices as they stand now."""
        with readable(VENDOR):
            return await self._reading.invoices_by_id(erp_ids)

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:
        """Credit memos changed after a cursor."""
        with readable(VENDOR):
            return await self._reading.credits.page(cursor, limit=limit)

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credit memos as they stand now."""
        with readable(VENDOR):
            return await self._reading.credits_by_id(erp_ids)

    async def invoice_pdf(self, erp_id: str) -> bytes:
        """The PDF of an invoice."""
        return await self._pdf(INVOICES, erp_id)

    async def credit_note_pdf(self, erp_id: str) -> bytes:
        """The PDF of a credit memo."""
        return await self._pdf(MEMOS, erp_id)

    async def _pdf(self, table: str, erp_id: str) -> bytes:
        if not is_id(erp_id):
            raise Rejected("NO_PDF", f"Business Central has no document {erp_id}.")
        return await self._client.pdf(f"{table}({erp_id})/pdfDocument/pdfDocumentContent")

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """Every document that bears a reference: posted, reversed by a person, or waiting in its journal."""
        with readable(VENDOR):
            posted = await self._books.posted(reference)
            if posted is not None:
                return [_posted(posted)]
            for kind in (PAYMENTS, REVERSALS):
                journal = await self._books.journal(kind, reference)
                if journal is not None and journal.lines:
                    return [_waiting(journal, reference)]
            return []

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment: a line for each invoice, one for what is left on account, all under one document number."""

        async def written() -> Posted:
            earlier = await self._books.posted(document.reference)
            if earlier is not None:
                _same(earlier, document.amount)
                return earlier
            customer = await self._customer(document.customer_erp_id, document.amount.currency)
            said = await self._lines(document.reference, document.customer_erp_id, document.amount, document.lines)
            return await self._posting.post(PAYMENTS, document.reference, customer, document.received_on, said)

        return await self._one_at_a_time(written)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back by the opposite line. Its invoices stay as they are until a person un-applies them there."""

        async def written() -> Posted:
            earlier = await self._books.posted(document.reference)
            if earlier is not None:
                return earlier
            payment = await self._books.posted(document.payment_reference)
            if payment is None or not payment.stands:
                said = f"There is no standing payment with reference {document.payment_reference}."
                raise Rejected("PAYMENT_NOT_FOUND", said)
            customer = await self._customer(document.customer_erp_id, document.amount.currency)
            left = payment.amount
            for each in await self._books.about([payment.number]):
                left += each.amount if each.stands else Money.zero(left.currency)
            if document.amount > left:
                raise Rejected("TOO_LARGE", f"{payment.number} has {left.plain()} left to take back.")
            opposite = Said(reference=document.reference, amount=-document.amount, about=payment.number)
            lines = [(opposite, None)]
            return await self._posting.post(REVERSALS, document.reference, customer, document.reversed_on, lines)

        return await self._one_at_a_time(written)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:  # noqa: ARG002 - the port's
        """Raises Rejected: a person must do it."""
        raise Rejected(NEEDS_A_PERSON, _BY_HAND)

    async def post_credit_application(
        self,
        document: CreditApplicationDocument,  # noqa: ARG002 - the port's
    ) -> PostedDocument:
        """Raises Rejected: a person must do it."""
        raise Rejected(NEEDS_A_PERSON, _BY_HAND)

    # ------------------------------------------------------------ parts of them

    async def _customer(self, customer: str, currency: str) -> Mapping[str, Any]:
        rows = await self._reading.rows(CUSTOMERS, [customer])
        if not rows:
            raise Rejected("CUSTOMER_NOT_FOUND", f"Business Central has no customer {customer}.")
        if rows[0]["currencyCode"] != currency:
            # A journal line has the customer's own currency, and the API takes no other.
            raise Rejected("OTHER_CURRENCY", f"Customer {rows[0]['number']} pays in {rows[0]['currencyCode']}.")
        return rows[0]

    async def _lines(
        self, reference: str, customer: str, amount: Money, lines: Sequence[PaymentLine]
    ) -> list[tuple[Said, str | None]]:
        onto: dict[str, Money] = {}
        for line in lines:
            onto[line.invoice_erp_id] = onto.get(line.invoice_erp_id, Money.zero(amount.currency)) + line.amount
        onto = {each: part for each, part in onto.items() if part.minor}
        invoices = {str(row["id"]): row for row in await self._reading.rows(INVOICES, list(onto))}
        said: list[tuple[Said, str | None]] = []
        rest = amount
        for each, part in onto.items():
            number = _takes(invoices.get(each), each, customer, part)
            said.append((Said(reference=reference, amount=part, about=number), each))
            rest -= part
        if rest.minor < 0:
            raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
        if rest.minor:
            said.append((on_account(reference, rest), None))
        return said

    async def _one_at_a_time(self, written: Callable[[], Awaitable[Posted]]) -> PostedDocument:
        async with self._posting.one_at_a_time:
            with readable(VENDOR):
                return _posted(await written())


def _takes(row: Mapping[str, Any] | None, invoice: str, customer: str, part: Money) -> str:
    """The number of an invoice that can take so much. Raises Rejected."""
    if row is None or row["status"] not in ("Open", "Paid"):
        raise Rejected("INVOICE_NOT_FOUND", f"Business Central has no open invoice {invoice}.")
    if row["customerId"] != customer:
        raise Rejected("OTHER_CUSTOMER", f"Invoice {row['number']} belongs to another customer.")
    if row["currencyCode"] != part.currency:
        raise Rejected("OTHER_CURRENCY", f"Invoice {row['number']} is in {row['currencyCode']}.")
    left = wire.amount(row["remainingAmount"], part.currency)
    if part > left or part.minor < 0:
        raise Rejected("OVER_APPLIED", f"Invoice {row['number']} has {left.plain()} open, less than {part.plain()}.")
    return str(row["number"])


def _same(earlier: Posted, amount: Money) -> None:
    if earlier.amount != amount:
        raise Rejected("REFERENCE_CONFLICT", f"{earlier.number} bears our reference, and is another payment.")


def _posted(found: Posted) -> PostedDocument:
    amount = found.amount
    return PostedDocument(
        erp_id=found.number,
        number=found.number,
        amount=amount if amount.minor > 0 else -amount,
        reference=found.reference,
        stands=found.stands,
        facts={"state": "posted" if found.stands else "reversed"},
    )


def _waiting(journal: Journal, reference: str) -> PostedDocument:
    said = [each for line in journal.lines if (each := Said.read(line["description"])) is not None]
    amount = total(said)
    return PostedDocument(
        erp_id=number_of(reference),
        number=number_of(reference),
        amount=amount if amount.minor > 0 else -amount,
        reference=reference,
        is_finished=False,
        facts={"state": "waiting"},
    )
