"""What people do in Xero itself, in the words of the tests; and what the tests count there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from simulators.xero.books import SOURCES, Books, Refused


def make_contact(books: Books, currency: str, *, supplies: bool = False) -> str:
    """A new contact."""
    number = len(books.rooms["Contacts"]) + 1
    made = books.make(
        "Contacts",
        "ContactID",
        name=f"Customer {number}",
        email=f"office{number}@example.com",
        currency=currency,
        status="ACTIVE",
        supplies=supplies,
        buys=not supplies,
    )
    return str(made["ContactID"])


def make_invoice(books: Books, contact: str, currency: str, total: str, *, on: str, status: str = "AUTHORISED") -> str:
    """An invoice, due in thirty days."""
    day = date.fromisoformat(on)
    made = books.make(
        "Invoices",
        "InvoiceID",
        number=books.next_number("INV"),
        reference="",
        contact=contact,
        currency=currency,
        total=Decimal(total),
        on=day,
        due=day + timedelta(days=30),
        status=status,
    )
    return str(made["InvoiceID"])


def make_invoices(books: Books, contact: str, currency: str, count: int, *, on: str) -> list[str]:
    """So many invoices over 10.00."""
    return [make_invoice(books, contact, currency, "10.00", on=on) for _ in range(count)]


def make_source(books: Books, room: str, contact: str, currency: str, total: str, *, on: str) -> str:
    """A credit note, overpayment or prepayment that a person enters."""
    given: dict[str, Any] = {
        "contact": contact,
        "currency": currency,
        "total": Decimal(total),
        "on": date.fromisoformat(on),
        "reference": "By hand",
    }
    if room == "CreditNotes":
        more = {"number": books.next_number("CN"), "type": "ACCRECCREDIT", "status": "AUTHORISED", "allocations": []}
        return str(books.make(room, SOURCES[room], **given, **more, said=["Returned"])["CreditNoteID"])
    kind = "RECEIVE-OVERPAYMENT" if room == "Overpayments" else "RECEIVE-PREPAYMENT"
    return str(books.receive({**given, "type": kind, "said": ["Bank transfer"]})[SOURCES[room]])


def pay(books: Books, invoice: str, amount: str, *, on: str) -> str:
    """A payment by hand."""
    made = books.pay(
        {"invoice": invoice, "amount": Decimal(amount), "on": date.fromisoformat(on), "reference": "Bank transfer"}
    )
    return str(made["PaymentID"])


def unpay(books: Books, payment: str) -> None:
    """A person deletes a payment that somebody put on an invoice."""
    books.delete_payment(books.get("Payments", payment))


def make_quote(books: Books, contact: str, currency: str, total: str, *, on: str) -> str:
    """A quote that was sent, good for thirty days."""
    day = date.fromisoformat(on)
    made = books.make(
        "Quotes",
        "QuoteID",
        number=books.next_number("QU"),
        contact=contact,
        currency=currency,
        total=Decimal(total),
        on=day,
        until=day + timedelta(days=30),
        status="SENT",
    )
    return str(made["QuoteID"])


def make_template(books: Books, contact: str, currency: str, total: str, *, on: str, kind: str = "ACCREC") -> str:
    """A repeating invoice, every two months, without an end; `kind` ACCPAY is a bill."""
    day = date.fromisoformat(on)
    made = books.make(
        "RepeatingInvoices",
        "RepeatingInvoiceID",
        type=kind,
        reference="Support",
        contact=contact,
        currency=currency,
        total=Decimal(total),
        on=day,
        next=day + timedelta(days=60),
        until=None,
        status="AUTHORISED",
    )
    return str(made["RepeatingInvoiceID"])


def set_status(books: Books, room: str, row: str, *, status: str) -> None:
    """A person decides on a quote, or deletes it."""
    found = books.get(room, row)
    found["status"] = status
    books.touch(found)


def end_template(books: Books, template: str) -> None:
    """A person gives a repeating invoice an end before its next day."""
    found = books.get("RepeatingInvoices", template)
    found["until"] = found["next"] - timedelta(days=1)


def delete_template(books: Books, template: str) -> None:
    """A person deletes a repeating invoice: it is listed no more."""
    del books.rooms["RepeatingInvoices"][template]


def apply(books: Books, room: str, source: str, invoice: str, amount: str, *, on: str) -> None:
    """A person puts a credit on an invoice."""
    books.allocate(room, books.get(room, source), [(invoice, Decimal(amount), date.fromisoformat(on))])


def remove_payment(books: Books, reference: str) -> None:
    """A person takes a payment of ours out: off its invoices first, then its bank transaction."""
    for each in list(books.rooms["BankTransactions"].values()):
        if each["reference"] == reference:
            source = books.get("Overpayments", each["OverpaymentID"])
            for part in list(source["allocations"]):
                books.unallocate(source, part["AllocationID"])
            books.delete_transaction(each)


def unapply(books: Books, reference: str) -> None:
    """A person takes a payment of ours off its invoices."""
    for each in books.rooms["Overpayments"].values():
        if each["reference"] == reference:
            for part in list(each["allocations"]):
                books.unallocate(each, part["AllocationID"])


def archive(books: Books, contact: str) -> None:
    """A contact that nothing is entered for any more."""
    row = books.get("Contacts", contact)
    row["status"] = "ARCHIVED"
    books.touch(row)


def edit(books: Books, invoice: str) -> None:
    """A person changes something about an invoice."""
    row = books.get("Invoices", invoice)
    row["reference"] = f"{row['reference']}+"
    books.touch(row)


def void(books: Books, invoice: str) -> None:
    """An invoice that never was."""
    row = books.get("Invoices", invoice)
    if books.due(row) != row["total"]:
        raise Refused("It has payments")
    row["status"] = "VOIDED"
    books.touch(row)


def date_back(books: Books, room: str, row: str, *, seconds: int = 0, at_ms: int | None = None) -> None:
    """A row that appears late, with an early time; or one of the same millisecond as another."""
    found = books.get(room, row)
    found["updated"] -= timedelta(seconds=seconds)
    if at_ms is not None:
        found["updated"] = found["updated"].replace(microsecond=at_ms * 1000)


def reconcile(books: Books) -> None:
    """The bank knows everything that is there."""
    for room in ("BankTransactions", "Payments"):
        for each in books.rooms[room].values():
            each["reconciled"] = True


def settle(books: Books, *, lock_date: str | None = None, touches_invoices: bool = True) -> None:
    """How the organisation is set up."""
    books.lock_date = None if lock_date is None else date.fromisoformat(lock_date)
    books.touches_invoices = touches_invoices


def count(books: Books, reference: str) -> dict[str, int]:
    """What bears a reference: documents (money that came in, plans of ours that were not withdrawn), and payments out."""
    came = [
        each
        for each in books.rooms["BankTransactions"].values()
        if reference in each["reference"].split("/")[-1:] and each["type"].startswith("RECEIVE")
    ]
    notes = [each for each in books.rooms["CreditNotes"].values() if each["reference"] == reference]
    out = [
        each
        for each in books.rooms["Payments"].values()
        if each["reference"] == reference and each["status"] == "AUTHORISED"
    ]
    drafts = [each for each in notes if each["status"] == "DRAFT"]
    return {"documents": len(came) + len(notes), "out": len(out), "drafts": len(drafts)}


def owed(books: Books, contact: str) -> str:
    """What a customer owes by the ledger: open invoices, less what is left of every credit."""
    open_ = sum(
        (
            books.due(each)
            for each in books.rooms["Invoices"].values()
            if each["contact"] == contact and each["status"] != "VOIDED"
        ),
        Decimal(0),
    )
    left = sum(
        (
            books.left(room, each)
            for room in SOURCES
            for each in books.rooms[room].values()
            if each["contact"] == contact and each["status"] == "AUTHORISED"
        ),
        Decimal(0),
    )
    return str(open_ - left)


DEEDS: Final[Mapping[str, Callable[..., Any]]] = {
    each.__name__: each
    for each in (
        make_contact,
        make_invoice,
        make_invoices,
        make_source,
        pay,
        unpay,
        make_quote,
        make_template,
        set_status,
        end_template,
        delete_template,
        apply,
        remove_payment,
        unapply,
        archive,
        edit,
        void,
        date_back,
        reconcile,
        settle,
        count,
        owed,
    )
}
