"""What the ERP kit stands on: the far side in the hands of a test, and the documents that it sends."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Mapping
from datetime import date
from typing import Final, Protocol, TypeVar

from connectors.conformance.erp_declared import ErpTrait
from connectors.erp.ports import (
    ApplicationDocument,
    Erp,
    ErpCustomer,
    ErpInvoice,
    PaymentDocument,
    PaymentLine,
    PostsPayments,
    PostsRefunds,
    ReadsReceivables,
    RefundDocument,
    ReversalDocument,
)
from connectors.errors import ConnectorError
from domain import ids
from domain.money import Money

E = TypeVar("E", bound=ConnectorError)

ON: Final = date(2026, 3, 16)
CURRENCIES: Final = ("USD", "EUR", "GBP", "JPY")


class ErpUnderTest(Erp, ReadsReceivables, PostsPayments, Protocol):
    """A connector that reads receivables and posts payments."""


class RefundingErpUnderTest(ErpUnderTest, PostsRefunds, Protocol):
    """A connector that posts refunds too."""


class ErpHarness(Protocol):
    """The far side in the hands of the test: a person at the ERP's desk, its ill health, and its own counting.

    Ids are the ERP's; `status_word` is any of the ERP's own words, one that the connector does not know included. What the
    far side has not is declared in `lacks`; nobody asks a harness for it.
    """

    erp: ErpUnderTest
    lacks: Mapping[ErpTrait, int]

    async def make_customer(self, *, currency: str) -> str:
        """A new customer; answers its id."""
        ...

    async def make_invoice(self, *, customer: str, total: Money) -> str:
        """A new open invoice; answers its id."""
        ...

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        """A person books a payment that Duly knows nothing of."""
        ...

    async def delete_payment(self, *, reference: str) -> None:
        """A person deletes a payment that we posted."""
        ...

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        """A person gives an invoice a status."""
        ...

    async def pause_customer(self, *, customer: str) -> None:
        """A person stops chasing a customer."""
        ...

    async def go_down(self) -> None:
        """From now on the ERP is down, and says so before it does anything."""
        ...

    async def come_back(self) -> None:
        """The ERP is in good health again; every knob is off."""
        ...

    async def lose_next_answer(self) -> None:
        """The next document is written, and the connection closes without an answer; other calls come before it or not."""
        ...

    async def fail_after_next_write(self) -> None:
        """The next write is carried out, and answered with a server error."""
        ...

    async def refuse_customer(self, *, customer: str) -> str:
        """From now on the ERP refuses every document of a customer; answers the words that it will do it in."""
        ...

    async def count_documents(self, *, reference: str) -> int:
        """How many documents bear a reference, counted by the ERP itself."""
        ...


class RefundingErpHarness(ErpHarness, Protocol):
    """A far side whose connector posts refunds too."""

    erp: RefundingErpUnderTest


def fresh_reference() -> str:
    """A reference in the very form that Duly's postings have: the payment's id and what happened to it."""
    return f"{ids.compose('pay', at_ms=time.time_ns() // 10**6, entropy=os.urandom(10))}-captured"


async def raised(kind: type[E], call: Awaitable[object]) -> E:
    """The error that a call raises, which must be of exactly that kind."""
    try:
        answer = await call
    except kind as error:
        return error
    except ConnectorError as error:
        raise AssertionError(f"expected {kind.__name__}, got {type(error).__name__}: {error}") from error
    raise AssertionError(f"expected {kind.__name__}, got the answer {answer!r}")


def payment_of(
    customer: str, lines: Mapping[str, Money], *, unapplied: Money | None = None, reference: str | None = None
) -> PaymentDocument:
    """A payment over some invoices, with a remainder that stays unapplied."""
    first = next(iter(lines.values()), unapplied)
    assert first is not None, "a payment has an amount"
    amount = unapplied if unapplied is not None else Money.zero(first.currency)
    for line in lines.values():
        amount += line
    return PaymentDocument(
        reference=reference or fresh_reference(),
        customer_erp_id=customer,
        amount=amount,
        received_on=ON,
        lines=tuple(PaymentLine(invoice_erp_id=invoice, amount=part) for invoice, part in lines.items()),
        memo="Paid in the customer portal",
        method_label="Visa ending 4242",
    )


def reversal_of(payment: PaymentDocument) -> ReversalDocument:
    """That payment, taken back as a whole."""
    return ReversalDocument(
        reference=fresh_reference(),
        payment_reference=payment.reference,
        customer_erp_id=payment.customer_erp_id,
        amount=payment.amount,
        reversed_on=ON,
        lines=payment.lines,
        memo="The bank returned the debit",
    )


def refund_of(payment: PaymentDocument, lines: Mapping[str, Money], *, unapplied: Money | None = None) -> RefundDocument:
    """A part of that payment, gone back: off these invoices, the rest off what is unapplied."""
    amount = unapplied if unapplied is not None else Money.zero(payment.amount.currency)
    for line in lines.values():
        amount += line
    return RefundDocument(
        reference=fresh_reference(),
        payment_reference=payment.reference,
        customer_erp_id=payment.customer_erp_id,
        amount=amount,
        refunded_on=ON,
        lines=tuple(PaymentLine(invoice_erp_id=invoice, amount=part) for invoice, part in lines.items()),
        memo="Refunded by staff",
    )


def application_of(payment: PaymentDocument, lines: Mapping[str, Money]) -> ApplicationDocument:
    """Unapplied money of that payment, moved on invoices or (negative) off them."""
    return ApplicationDocument(
        reference=fresh_reference(),
        payment_reference=payment.reference,
        customer_erp_id=payment.customer_erp_id,
        lines=tuple(PaymentLine(invoice_erp_id=invoice, amount=part) for invoice, part in lines.items()),
        on=ON,
        memo="Moved by the customer's request",
    )


async def read(harness: ErpHarness, invoice: str) -> ErpInvoice:
    """One invoice as it stands."""
    found = await harness.erp.invoices_by_id([invoice])
    assert len(found) == 1, f"the ERP answers {len(found)} invoices for one id"
    return found[0]


async def every_customer_since(harness: ErpHarness, cursor: str) -> tuple[dict[str, ErpCustomer], str]:
    """Every customer that changed after a cursor, by id, and the cursor after it."""
    found: dict[str, ErpCustomer] = {}
    more = True
    while more:
        page = await harness.erp.customers_since(cursor, limit=50)
        found |= {row.erp_id: row for row in page.rows}
        cursor, more = page.cursor, page.more
    return found, cursor


async def every_invoice_since(harness: ErpHarness, cursor: str, *, limit: int) -> tuple[list[ErpInvoice], str]:
    """Everything that changed after a cursor, page by page, and the cursor after it."""
    found: list[ErpInvoice] = []
    while True:
        page = await harness.erp.invoices_since(cursor, limit=limit)
        found.extend(page.rows)
        cursor = page.cursor
        if not page.more:
            return found, cursor
