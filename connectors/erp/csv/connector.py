"""Imported invoices as an ERP that is only written to: what is read of it comes by `duly import`.

It knows what it wrote, and refuses what this makes impossible: a payment taken back twice, money used that is not there.
Whether an invoice can take an amount it cannot know; Duly's own balances say that before anything is queued.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from connectors.erp.csv.days import Days
from connectors.erp.csv.rows import Entry, Written
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
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
)
from connectors.errors import Rejected
from domain.money import Money

_LIFE_SECONDS: Final = 60


class DayBooks:
    """Writes payments and what becomes of them into a folder. Each method raises ConnectorError."""

    name = "csv"
    has_unique_references = True
    only_takes_down = True
    """Nothing can be read of it: there are no balances here to compare with."""

    def __init__(self, days: Days) -> None:
        self._days = days

    @property
    def request_life_seconds(self) -> int:
        """How long a thread of ours may wait for the folder's lock and then still write."""
        return _LIFE_SECONDS

    async def ping(self) -> None:
        """Whether the folder can be written to."""
        await asyncio.to_thread(self._days.ready)

    # ------------------------------------------------------------ reads: none

    async def customers_since(self, cursor: str, *, limit: int) -> Page[ErpCustomer]:  # noqa: ARG002 - the port's
        """Nothing: customers come by import."""
        return Page(rows=(), cursor=cursor, more=False)

    async def invoices_since(self, cursor: str, *, limit: int) -> Page[ErpInvoice]:  # noqa: ARG002 - the port's
        """Nothing: invoices come by import."""
        return Page(rows=(), cursor=cursor, more=False)

    async def invoices_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpInvoice]:  # noqa: ARG002 - the port's
        """Nothing: invoices come by import."""
        return ()

    async def credits_since(self, cursor: str, *, limit: int) -> Page[ErpCredit]:  # noqa: ARG002 - the port's
        """Nothing: credits are not imported."""
        return Page(rows=(), cursor=cursor, more=False)

    async def credits_by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:  # noqa: ARG002 - the port's
        """Nothing: credits are not imported."""
        return ()

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        """What was written with a reference."""
        return [_posted(each) for each in await asyncio.to_thread(self._days.find, reference)]

    # ------------------------------------------------------------ writes

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        """Write a payment with its allocations; the rest stays with the customer."""
        lines = _merged(document.lines)
        rest = _less(document.amount, lines)
        if rest.minor < 0:
            raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
        entry = Entry(
            reference=document.reference,
            kind="payment",
            on=document.received_on,
            customer=document.customer_erp_id,
            lines=lines,
            rest=rest,
            amount=document.amount,
            key=document.reference,
            of="",
            method=document.method_label,
            memo=document.memo,
        )
        return await self._write(entry, lambda: None)

    async def post_reversal(self, document: ReversalDocument) -> PostedDocument:
        """Take a payment back, whole or in part."""
        taken = _negated(_merged(document.lines))
        entry = Entry(
            reference=document.reference,
            kind="reversal",
            on=document.reversed_on,
            customer=document.customer_erp_id,
            lines=taken,
            rest=_less(-document.amount, taken),
            amount=document.amount,
            key=document.payment_reference,
            of="",
            method="",
            memo=document.memo,
        )
        return await self._take_off(entry)

    async def post_refund(self, document: RefundDocument) -> PostedDocument:
        """Write that a part of our payment went back."""
        taken = _negated(_merged(document.lines))
        entry = Entry(
            reference=document.reference,
            kind="refund",
            on=document.refunded_on,
            customer=document.customer_erp_id,
            lines=taken,
            rest=_less(-document.amount, taken),
            amount=document.amount,
            key=document.payment_reference,
            of="",
            method="",
            memo=document.memo,
        )
        return await self._take_off(entry)

    async def post_refund_reversal(self, document: RefundReversalDocument) -> PostedDocument:
        """Write that a refund came back."""
        lines = _merged(document.lines)
        entry = Entry(
            reference=document.reference,
            kind="refund_reversal",
            on=document.reversed_on,
            customer=document.customer_erp_id,
            lines=lines,
            rest=_less(document.amount, lines),
            amount=document.amount,
            key=document.payment_reference,
            of=document.refund_reference,
            method="",
            memo=document.memo,
        )

        def allowed() -> None:
            refunds = [each for each in self._days.find(document.refund_reference) if each.entry.kind == "refund"]
            if not refunds or refunds[0].entry.amount != document.amount:
                raise Rejected("REFUND_NOT_FOUND", f"There is no refund {document.refund_reference} of that amount.")
            if any(each.of == document.refund_reference for each in self._days.of(document.payment_reference)):
                raise Rejected("REFUND_CAME_BACK", f"{document.refund_reference} was taken back before.")

        return await self._write(entry, allowed)

    async def post_application(self, document: ApplicationDocument) -> PostedDocument:
        """Move unapplied money of our payment on or off invoices."""
        lines = _merged(document.lines)
        return await self._take_off(_moved(document.reference, "application", document, lines, document.payment_reference))

    async def post_credit_application(self, document: CreditApplicationDocument) -> PostedDocument:
        """Put a credit of the accounting system on invoices, or take it off them."""
        lines = _merged(document.lines)
        entry = _moved(document.reference, "credit_application", document, lines, document.credit_erp_id)
        return await self._write(entry, lambda: self._comes_off(entry, self._days.of(entry.key)))

    async def _take_off(self, entry: Entry) -> PostedDocument:
        """Write what takes money from where earlier documents put it."""

        def allowed() -> None:
            earlier = self._days.of(entry.key)
            if not any(each.kind == "payment" and each.customer == entry.customer for each in earlier):
                raise Rejected("PAYMENT_NOT_FOUND", f"There is no payment {entry.key} of this customer.")
            self._comes_off(entry, earlier)
            rest = sum(each.rest.minor for each in earlier) + entry.rest.minor
            if rest < 0:
                raise Rejected("NOT_UNAPPLIED", f"{entry.key} does not have that much unapplied money.")

        return await self._write(entry, allowed)

    def _comes_off(self, entry: Entry, earlier: Sequence[Entry]) -> None:
        for invoice, amount in entry.lines:
            there = sum(part.minor for each in earlier for named, part in each.lines if named == invoice)
            if amount.minor < 0 and there + amount.minor < 0:
                raise Rejected("NOT_APPLIED", f"{entry.key} does not have that much on invoice {invoice}.")

    async def _write(self, entry: Entry, allowed: Callable[[], None]) -> PostedDocument:
        return _posted(await asyncio.to_thread(self._days.write, entry, allowed))


def _moved(
    reference: str,
    kind: str,
    document: ApplicationDocument | CreditApplicationDocument,
    lines: tuple[tuple[str, Money], ...],
    key: str,
) -> Entry:
    assert lines, "an application moves at least one amount"
    currency = lines[0][1].currency
    put = sum(amount.minor for _, amount in lines if amount.minor > 0)
    taken = -sum(amount.minor for _, amount in lines if amount.minor < 0)
    return Entry(
        reference=reference,
        kind=kind,
        on=document.on,
        customer=document.customer_erp_id,
        lines=lines,
        rest=_less(Money.zero(currency), lines),
        amount=Money.of(max(put, taken), currency),
        key=key,
        of="",
        method="",
        memo=document.memo,
    )


def _posted(written: Written) -> PostedDocument:
    entry = written.entry
    return PostedDocument(
        erp_id=f"{written.file}:{written.line}",
        number=f"{written.file} line {written.line}",
        amount=entry.amount,
        reference=entry.reference,
        facts={"document": entry.kind, "customer_erp_id": entry.customer},
    )


def _merged(lines: Sequence[PaymentLine]) -> tuple[tuple[str, Money], ...]:
    """Each invoice once."""
    merged: dict[str, Money] = {}
    for line in lines:
        before = merged.get(line.invoice_erp_id, Money.zero(line.amount.currency))
        merged[line.invoice_erp_id] = before + line.amount
    return tuple((invoice, amount) for invoice, amount in merged.items() if amount.minor)


def _negated(lines: tuple[tuple[str, Money], ...]) -> tuple[tuple[str, Money], ...]:
    return tuple((invoice, -amount) for invoice, amount in lines)


def _less(amount: Money, lines: tuple[tuple[str, Money], ...]) -> Money:
    for _, part in lines:
        amount -= part
    return amount
