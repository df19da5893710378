"""One organisation's books: what is open follows from payments and allocations, and is never set.

Words and rules as in Xero's specification (XeroAPI/Xero-OpenAPI, xero_accounting.yaml, 2026-07-13).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

Row = dict[str, Any]
SOURCES: Final = {"Overpayments": "OverpaymentID", "Prepayments": "PrepaymentID", "CreditNotes": "CreditNoteID"}
ROOMS: Final = ("Contacts", "Invoices", "Payments", "BankTransactions", "Quotes", "RepeatingInvoices", *SOURCES)
ZERO: Final = Decimal(0)
LOCKED: Final = "The document cannot be created or updated because its date is before the period lock date."
RECONCILED: Final = "This transaction cannot be deleted because it has been reconciled with a bank statement line."


class Refused(Exception):
    """A ValidationException, in Xero's words."""


class Books:
    """Rows by room and id, in the order they were made."""

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, Row]] = {room: {} for room in ROOMS}
        self.base_currency = "EUR"
        self.lock_date: date | None = None
        self.touches_invoices = True
        self._number = 0
        self._last = datetime.now(UTC)

    # ------------------------------------------------------------ rows

    def now(self) -> datetime:
        """Never the same moment twice."""
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last

    def make(self, room: str, id_field: str, **fields: Any) -> Row:
        """A new row, kept."""
        row: Row = {id_field: str(uuid.uuid4()), **fields, "updated": self.now()}
        self.rooms[room][row[id_field]] = row
        return row

    def get(self, room: str, row_id: str) -> Row:
        """One row. Raises Refused."""
        if row_id not in self.rooms[room]:
            raise Refused(f"{room} {row_id} could not be found")
        return self.rooms[room][row_id]

    def next_number(self, prefix: str) -> str:
        """INV-0001."""
        self._number += 1
        return f"{prefix}-{self._number:04}"

    def touch(self, row: Row) -> None:
        """It changed now."""
        row["updated"] = self.now()

    def allocations_on(self, invoice_id: str) -> Iterator[tuple[str, Row, Row]]:
        """(room, source, allocation) of everything that lies on an invoice."""
        for room in SOURCES:
            for each in self.rooms[room].values():
                for part in each["allocations"]:
                    if part["invoice"] == invoice_id:
                        yield room, each, part

    def payments_on(self, field: str, row_id: str) -> list[Row]:
        """Payments that stand, on an invoice or off a source."""
        return [
            each for each in self.rooms["Payments"].values() if each.get(field) == row_id and each["status"] == "AUTHORISED"
        ]

    def paid(self, invoice: Row) -> Decimal:
        return sum((each["amount"] for each in self.payments_on("invoice", invoice["InvoiceID"])), ZERO)

    def credited(self, invoice: Row) -> Decimal:
        return sum((part["amount"] for _, _, part in self.allocations_on(invoice["InvoiceID"])), ZERO)

    def due(self, invoice: Row) -> Decimal:
        """What is open of it."""
        return Decimal(invoice["total"] - self.paid(invoice) - self.credited(invoice))

    def left(self, room: str, source: Row) -> Decimal:
        """What is left of a source."""
        out = sum((each["amount"] for each in self.payments_on(SOURCES[room], source[SOURCES[room]])), ZERO)
        return Decimal(source["total"] - sum((part["amount"] for part in source["allocations"]), ZERO) - out)

    def status_of_invoice(self, invoice: Row) -> str:
        """What was said of it, or PAID once nothing is open."""
        if invoice["status"] == "AUTHORISED" and self.due(invoice) == 0:
            return "PAID"
        return str(invoice["status"])

    # ------------------------------------------------------------ what is done

    def check_date(self, on: date) -> None:
        if self.lock_date is not None and on <= self.lock_date:
            raise Refused(LOCKED)

    def contact(self, contact_id: str) -> Row:
        """Whose document it is. Raises Refused where that contact is archived."""
        row = self.get("Contacts", contact_id)
        if row["status"] != "ACTIVE":
            raise Refused(archived(row))
        return row

    def receive(self, given: Row) -> Row:
        """A bank transaction; an overpayment or prepayment comes with it."""
        self.contact(given["contact"])
        self.check_date(given["on"])
        room = "Overpayments" if given["type"].endswith("OVERPAYMENT") else "Prepayments"
        source = self.make(room, SOURCES[room], **given, status="AUTHORISED", allocations=[])
        made = self.make("BankTransactions", "BankTransactionID", **given, status="AUTHORISED", reconciled=False)
        made[SOURCES[room]] = source[SOURCES[room]]
        source["transaction"] = made["BankTransactionID"]
        return made

    def delete_transaction(self, transaction: Row) -> None:
        """Out again, unless the bank knows it or something was done with it."""
        for room, id_field in SOURCES.items():
            if id_field in transaction:
                source = self.get(room, transaction[id_field])
                if transaction["reconciled"]:
                    raise Refused(RECONCILED)
                if self.left(room, source) != source["total"]:
                    raise Refused("This document cannot be edited as it has a payment or credit note allocated to it.")
                source["status"] = "VOIDED"
                source["reference"] = transaction["reference"]
                self.touch(source)
        transaction["status"] = "DELETED"
        self.touch(transaction)

    def allocate(self, room: str, source: Row, wanted: list[tuple[str, Decimal, date]]) -> list[Row]:
        """All of them or none."""
        invoices = []
        for invoice_id, amount, on in wanted:
            invoice = self.get("Invoices", invoice_id)
            self.check_date(on)
            self.contact(source["contact"])
            if invoice["contact"] != source["contact"] or invoice["currency"] != source["currency"]:
                raise Refused("The contact and the currency of the allocation do not match those of the invoice")
            if invoice["status"] != "AUTHORISED" or amount > self.due(invoice) or amount <= 0:
                raise Refused("The amount of the allocation exceeds the amount outstanding on the document")
            invoices.append(invoice)
        if sum((amount for _, amount, _ in wanted), ZERO) > self.left(room, source):
            raise Refused("The amount of the allocation exceeds the remaining credit")
        made = []
        for invoice, (invoice_id, amount, on) in zip(invoices, wanted, strict=True):
            part = {"AllocationID": str(uuid.uuid4()), "invoice": invoice_id, "amount": amount, "on": on}
            source["allocations"].append(part)
            made.append(part)
            self._touched_by_allocation(invoice)
        self.touch(source)
        return made

    def unallocate(self, source: Row, allocation_id: str) -> Row:
        """Off its invoice."""
        found = next((each for each in source["allocations"] if each["AllocationID"] == allocation_id), None)
        if found is None:
            raise Refused("The allocation could not be found")
        self.check_date(found["on"])
        source["allocations"].remove(found)
        self._touched_by_allocation(self.get("Invoices", found["invoice"]))
        self.touch(source)
        return dict(found)

    def pay(self, given: Row) -> Row:
        """A payment onto an invoice, or off a source."""
        self.check_date(given["on"])
        if "invoice" in given:
            invoice = self.get("Invoices", given["invoice"])
            self.contact(invoice["contact"])
            if given["amount"] > self.due(invoice):
                raise Refused("Payment amount exceeds the amount outstanding on this document")
            self.touch(invoice)
        for room, id_field in SOURCES.items():
            if id_field in given:
                source = self.get(room, given[id_field])
                self.contact(source["contact"])
                if given["amount"] > self.left(room, source):
                    raise Refused("Payment amount exceeds the amount outstanding on this document")
                self.touch(source)
        return self.make("Payments", "PaymentID", **given, status="AUTHORISED", reconciled=False)

    def delete_payment(self, payment: Row) -> None:
        """A payment that never was, unless the bank knows it."""
        if payment["reconciled"]:
            raise Refused(RECONCILED)
        payment["status"] = "DELETED"
        self.touch(payment)
        if "invoice" in payment:
            self.touch(self.get("Invoices", payment["invoice"]))

    def _touched_by_allocation(self, invoice: Row) -> None:
        if self.touches_invoices:
            self.touch(invoice)


def archived(contact: Row) -> str:
    """What is said of everything for an archived contact."""
    return f"The Contact {contact['name']} has been archived. The Contact must be un-archived before creating new documents."
