"""Writing into Xero: money that comes in is one overpayment that bears our reference, and lies on invoices by allocations.

So the bank side of a payment is one line, for however many invoices, and what is later moved, taken off or given back leaves
it alone: it can be done also once the bank's line is reconciled, when Xero lets no payment be deleted any more.

Everything that moves money already there is first written down as a plan, in a draft credit note over nothing that bears our
reference; then it is carried out, and the draft is deleted. Who comes after a crash finds the draft, and goes on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connectors.erp.ports import PostedDocument
from connectors.erp.xero import wire
from connectors.erp.xero.client import XeroClient
from connectors.erp.xero.documents import GONE, WITHDRAWN, Documents, Kind, Source, SourceKey, bears, quoted
from connectors.erp.xero.plans import Place, Plan
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money

_INVOICES: Final = re.compile(r"\((\d+) invoices?[;)]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Money that came in: `reference` as it is written there, `own` the document's; `onto` the invoices it goes on."""

    reference: str
    own: str
    customer: str
    amount: Money
    on: date
    onto: Mapping[str, Money]
    memo: str
    takes_back: str | None = None

    @property
    def said(self) -> str:
        """What its line says: how many invoices it is for, so that a half one is known."""
        count = f"{len(self.onto)} invoice{'' if len(self.onto) == 1 else 's'}"
        back = f"; takes back {self.takes_back}" if self.takes_back else ""
        return f"{self.memo} ({count}{back})"


class Posting:
    """One writer of one organisation: two documents at once would read each other's half."""

    def __init__(self, client: XeroClient, documents: Documents, *, deposit_account: str) -> None:
        self._client = client
        self._documents = documents
        self._deposit_account = deposit_account
        self._receivable: str | None = None
        self.one_at_a_time = asyncio.Lock()

    async def ready(self) -> None:
        """Raises Misconfigured where there is no such bank account, or nothing that customers owe on."""
        code = self._deposit_account
        accounts = (await self._client.read("/Accounts"))["Accounts"]
        if not any(each.get("Code") == code and each.get("Type") == "BANK" for each in accounts):
            raise Misconfigured(f"Xero has no bank account with the code {code}.")
        debtors = [each for each in accounts if each.get("SystemAccount") == "DEBTORS"]
        if not debtors:
            raise Misconfigured("Xero has no account that customers owe on.")
        self._receivable = debtors[0]["Code"]

    # ------------------------------------------------------------ money that came in

    async def receive(self, receipt: Receipt) -> PostedDocument:
        """Write it, or finish or find what an earlier try wrote. Raises Rejected when nothing is there of it."""
        earlier = [each for each in await self._documents.named(Kind.OVERPAYMENT, receipt.own) if bears(each, receipt.own)]
        for each in earlier:
            if each.total != receipt.amount or each.customer != receipt.customer:
                raise Rejected("REFERENCE_TAKEN", f"{each.number} bears this reference and is another document.")
            if not each.stands or is_whole(each):
                return received(each, receipt.own)
            with _begun():
                if self._receivable is None:
                    await self.ready()
                return await self._allocated_or_withdrawn(each.key, receipt)
        await self._takes(receipt.onto, receipt.customer, receipt.amount.currency)
        if self._receivable is None:
            await self.ready()
        told = await self._client.write("PUT", "/BankTransactions", self._transaction(receipt), step=receipt.own)
        with _begun():
            key = SourceKey(kind=Kind.OVERPAYMENT, id=_one(told, "BankTransactions")["OverpaymentID"])
            return await self._allocated_or_withdrawn(key, receipt)

    async def _allocated_or_withdrawn(self, key: SourceKey, receipt: Receipt) -> PostedDocument:
        """Where somebody was faster on an invoice, nothing lies on any yet: the money is taken out again."""
        try:
            return await self._allocated(key, receipt)
        except Rejected:
            with _or_unknown():
                named = await self._client.rows("BankTransactions", f"Reference=={quoted(receipt.reference)}")
                for each in named:
                    if each.get("OverpaymentID") == key.id:
                        await self._withdraw(each["BankTransactionID"], receipt)
            raise

    async def _withdraw(self, transaction: str, receipt: Receipt) -> None:
        """Deleted, and no longer named by our reference: it may be written anew."""
        (row,) = self._transaction(receipt)["BankTransactions"]
        gone = {
            **row,
            "BankTransactionID": transaction,
            "Status": "DELETED",
            "Reference": f"{WITHDRAWN}{receipt.reference}",
        }
        body = {"BankTransactions": [gone]}
        await self._client.write("POST", f"/BankTransactions/{transaction}", body, step=transaction)

    async def _allocated(self, key: SourceKey, receipt: Receipt) -> PostedDocument:
        """All at once, or none: one call."""
        places = [
            Place(source=key, invoice=invoice, before=Money.zero(amount.currency), after=amount)
            for invoice, amount in receipt.onto.items()
        ]
        if places:
            await self._put(key, places, receipt.on, step=key.id)
        written = (await self._documents.sources([key])).get(key)
        if written is None or not written.stands:
            raise OutcomeUnknown("Xero wrote a document and does not show it.")
        return received(written, receipt.own)

    def _transaction(self, receipt: Receipt) -> wire.Wire:
        line = {"Description": receipt.said, "Quantity": 1, "UnitAmount": receipt.amount, "AccountCode": self._receivable}
        return {
            "BankTransactions": [
                {
                    "Type": "RECEIVE-OVERPAYMENT",
                    "Contact": {"ContactID": receipt.customer},
                    "BankAccount": {"Code": self._deposit_account},
                    "Date": receipt.on,
                    "Reference": receipt.reference,
                    "CurrencyCode": receipt.amount.currency,
                    "LineAmountTypes": "NoTax",
                    "LineItems": [line],
                }
            ]
        }

    # ------------------------------------------------------------ money that is moved

    async def move(self, reference: str, customer: str, planned: Callable[[], Awaitable[Plan]]) -> PostedDocument:
        """Carry out a plan, or go on with the one that an earlier try wrote down. Raises Rejected when nothing was moved."""
        for each in await self._documents.named(Kind.CREDIT_NOTE, reference):
            if each.reference != reference:
                continue
            if each.customer != customer:
                raise Rejected("REFERENCE_TAKEN", f"{each.number} bears this reference and is another document.")
            if each.status not in GONE:
                with _begun():
                    await self._carry_out(each.key.id, Plan.read(reference, each.said))
            return moved(each, is_finished=True)
        plan = await planned()
        rising: dict[str, Money] = {}
        for place in plan.places:
            delta = place.after - place.before
            rising[place.invoice] = rising.get(place.invoice, Money.zero(delta.currency)) + delta
        await self._takes({each: by for each, by in rising.items() if by.minor > 0}, customer, plan.amount.currency)
        told = await self._client.write("PUT", "/CreditNotes", _draft(plan, customer), step=reference)
        with _begun():
            draft = SourceKey(kind=Kind.CREDIT_NOTE, id=_one(told, "CreditNotes")["CreditNoteID"])
            written = (await self._documents.sources([draft])).get(draft)
            if written is None or written.status in GONE:
                raise OutcomeUnknown("Xero answered for an earlier draft of ours, which is gone.")
            await self._carry_out(draft.id, plan)
            return moved(written, is_finished=True)

    async def _carry_out(self, draft: str, plan: Plan) -> None:
        try:
            await self._bring_about(plan, step=draft)
        except Rejected:
            with _or_unknown():
                await self._bring_about(plan.undone(), step=f"{draft} undone")
                await self._end(draft, reference=f"{WITHDRAWN}{plan.reference}")
            raise
        await self._end(draft, reference=plan.reference)

    async def _bring_about(self, plan: Plan, *, step: str) -> None:
        """What is too much comes off first, so that there is something to put elsewhere; what is paid out goes last. `step`
        is of this try alone: a key of Xero's answers what another one did, and does nothing.
        """
        keys = {*(each.source for each in plan.places), *(each.source for each in plan.outs)}
        sources = await self._documents.sources(keys)
        if len(sources) != len(keys):
            raise Rejected("NOT_FOUND", "What was to be moved is not in Xero any more.")
        missing: dict[SourceKey, list[Place]] = {}
        for place in plan.places:
            there = sources[place.source].on_invoice(place.invoice)
            if there > place.after:
                await self._take(sources[place.source], place.invoice)
                there = Money.zero(there.currency)
            if there < place.after:
                missing.setdefault(place.source, []).append(_still(place, there))
        for key, places in missing.items():
            await self._put(key, places, plan.on, step=step)
        if not await self._is_so(plan):
            raise OutcomeUnknown("Xero does not show money where we put it.")
        for out in plan.outs:
            await self._pay_out(out.source, out.amount, plan, step=step)

    async def _is_so(self, plan: Plan) -> bool:
        """Whether Xero shows it: that a write was answered is not enough."""
        sources = await self._documents.sources(each.source for each in plan.places)
        return all(sources[each.source].on_invoice(each.invoice) == each.after for each in plan.places)

    async def _take(self, found: Source, invoice: str) -> None:
        for each in found.allocations:
            if each.invoice == invoice:
                path = f"/{found.key.kind.room}/{found.key.id}/Allocations/{each.id}"
                await self._client.write("DELETE", path, step=each.id)

    async def _put(self, key: SourceKey, places: Sequence[Place], on: date, *, step: str) -> None:
        """Only what is missing is sent: allocations that are sent again are added again."""
        rows = [{"Invoice": {"InvoiceID": each.invoice}, "Amount": each.after, "Date": on} for each in places]
        await self._client.write("PUT", f"/{key.kind.room}/{key.id}/Allocations", {"Allocations": rows}, step=step)

    async def _pay_out(self, key: SourceKey, amount: Money, plan: Plan, *, step: str) -> None:
        """A payment off the overpayment, which bears our reference too: there is one of each plan and source at most."""
        paid = [each.get(key.kind.value, {}).get(key.kind.id_field) for each in await self._paid(plan.reference)]
        if key.id in paid:
            return
        payment = {
            key.kind.value: {key.kind.id_field: key.id},
            "Account": {"Code": self._deposit_account},
            "Date": plan.on,
            "Amount": amount,
            "Reference": plan.reference,
        }
        await self._client.write("PUT", "/Payments", {"Payments": [payment]}, step=step)

    async def _paid(self, reference: str) -> list[wire.Wire]:
        return await self._client.rows("Payments", f'Reference=={quoted(reference)} AND Status=="AUTHORISED"')

    async def _end(self, draft: str, *, reference: str) -> None:
        body = {"CreditNotes": [{"CreditNoteID": draft, "Reference": reference, "Status": "DELETED"}]}
        await self._client.write("POST", f"/CreditNotes/{draft}", body, step=draft)

    async def _takes(self, onto: Mapping[str, Money], customer: str, currency: str) -> None:
        """Whether the invoices can take that: Xero would say so only after something is written."""
        found = await self._documents.invoices(onto)
        for each, amount in onto.items():
            invoice = found.get(each)
            if invoice is None:
                raise Rejected("INVOICE_NOT_FOUND", f"Xero has no invoice {each}.")
            number = invoice.get("InvoiceNumber") or each
            if invoice["Contact"]["ContactID"] != customer:
                raise Rejected("OTHER_CUSTOMER", f"Invoice {number} belongs to another customer.")
            if invoice["CurrencyCode"] != currency:
                raise Rejected("OTHER_CURRENCY", f"Invoice {number} is in {invoice['CurrencyCode']}.")
            due = wire.amount(invoice["AmountDue"], currency)
            if invoice["Status"] != "AUTHORISED" or amount > due:
                raise Rejected("OVER_APPLIED", f"Invoice {number} has {due.plain()} open, less than {amount.plain()}.")


def is_whole(found: Source) -> bool:
    """Whether its allocations were made: all of them by one call. What lies nowhere and was never used was not."""
    planned = _INVOICES.search(found.said)
    is_untouched = found.left == found.total and not found.allocations and not found.has_payments
    return planned is None or planned[1] == "0" or not is_untouched


def received(found: Source, reference: str) -> PostedDocument:
    """Money that came in, as the port has it."""
    return PostedDocument(
        erp_id=found.key.id,
        number=found.number,
        amount=found.total,
        reference=reference,
        stands=found.stands,
        is_finished=is_whole(found),
        facts={"state": found.status, "customer_erp_id": found.customer},
    )


def moved(found: Source, *, is_finished: bool) -> PostedDocument:
    """A plan that was carried out (or is being), as the port has it. Raises ValueError, KeyError."""
    return PostedDocument(
        erp_id=found.key.id,
        number=found.number,
        amount=Plan.read(found.reference, found.said).amount,
        reference=found.reference,
        is_finished=is_finished,
        facts={"state": "done" if is_finished else "begun", "customer_erp_id": found.customer},
    )


@contextmanager
def _begun() -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true."""
    try:
        yield
    except (Unavailable, Throttled, Misconfigured, KeyError, TypeError, ValueError, IndexError) as silent:
        raise OutcomeUnknown("Xero stopped answering in the middle of a document.") from silent


@contextmanager
def _or_unknown() -> Iterator[None]:
    """What cannot be taken back is there, at least in part."""
    try:
        yield
    except ConnectorError as failed:
        raise OutcomeUnknown("Xero keeps a part of a document that it refused.") from failed


def _draft(plan: Plan, customer: str) -> wire.Wire:
    lines = [{"Description": each} for each in plan.lines()]
    note = {
        "Type": "ACCRECCREDIT",
        "Status": "DRAFT",
        "Contact": {"ContactID": customer},
        "Date": plan.on,
        "Reference": plan.reference,
        "CurrencyCode": plan.amount.currency,
        "LineItems": lines,
    }
    return {"CreditNotes": [note]}


def _still(place: Place, there: Money) -> Place:
    return Place(source=place.source, invoice=place.invoice, before=there, after=place.after - there)


def _one(told: wire.Wire, room: str) -> Any:
    (row,) = told[room]
    return row
