"""Rows as Xero tells them (schemas Contact, Invoice, Overpayment, CreditNote, Payment of xero_accounting.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from simulators.xero.books import SOURCES, Books, Row

SINGULAR: Final = {"Overpayments": "Overpayment", "Prepayments": "Prepayment", "CreditNotes": "CreditNote"}


def moment(at: datetime) -> str:
    """/Date(1541176290160+0000)/"""
    return f"/Date({int(at.timestamp() * 1000)}+0000)/"


def day(on: date) -> str:
    """The same of a day."""
    return moment(datetime(on.year, on.month, on.day, tzinfo=UTC))


def number(amount: Decimal) -> float:
    """As JSON has it."""
    return float(amount)


def contact(_: Books, row: Row) -> Row:
    return {
        "ContactID": row["ContactID"],
        "ContactStatus": row["status"],
        "Name": row["name"],
        "EmailAddress": row["email"],
        "Addresses": [{"AddressType": "POBOX", "City": "Leeds", "Country": "GB"}],
        "IsSupplier": row["supplies"],
        "IsCustomer": row["buys"],
        "DefaultCurrency": row["currency"],
        "ContactPersons": [],
        "UpdatedDateUTC": moment(row["updated"]),
    }


def invoice(books: Books, row: Row) -> Row:
    """With its payments; what else settled it comes with its id and no allocations (XeroAPI/xero-python#183)."""
    told: Row = {
        "Type": "ACCREC",
        "InvoiceID": row["InvoiceID"],
        "InvoiceNumber": row["number"],
        "Reference": row["reference"],
        "Contact": {"ContactID": row["contact"], "Name": books.rooms["Contacts"][row["contact"]]["name"]},
        "Date": day(row["on"]),
        "DueDate": day(row["due"]),
        "Status": books.status_of_invoice(row),
        "CurrencyCode": row["currency"],
        "LineAmountTypes": "NoTax",
        "LineItems": [
            {"Description": "Consulting", "Quantity": 1.0, "UnitAmount": number(row["total"]), "TaxAmount": 0.0,
             "LineAmount": number(row["total"]), "AccountCode": "200"}
        ],
        "SubTotal": number(row["total"]),
        "TotalTax": 0.0,
        "Total": number(row["total"]),
        "AmountDue": number(books.due(row)),
        "AmountPaid": number(books.paid(row)),
        "AmountCredited": number(books.credited(row)),
        "SentToContact": False,
        "Payments": [
            {"PaymentID": each["PaymentID"], "Date": day(each["on"]), "Amount": number(each["amount"]),
             "Reference": each["reference"]}
            for each in books.payments_on("invoice", row["InvoiceID"])
        ],
        "UpdatedDateUTC": moment(row["updated"]),
    }  # fmt: skip
    for room, id_field in SOURCES.items():
        told[room] = [
            {id_field: source[id_field], "AppliedAmount": number(part["amount"])}
            for there, source, part in books.allocations_on(row["InvoiceID"])
            if there == room
        ]
    if told["Status"] == "PAID":
        days = [each["on"] for each in books.payments_on("invoice", row["InvoiceID"])]
        days += [part["on"] for _, _, part in books.allocations_on(row["InvoiceID"])]
        told["FullyPaidOnDate"] = day(max(days))
    return told


def source(books: Books, room: str, row: Row) -> Row:
    """An overpayment, prepayment or credit note, with its allocations."""
    id_field = SOURCES[room]
    left = books.left(room, row)
    status = "PAID" if row["status"] == "AUTHORISED" and left == 0 and row["total"] else row["status"]
    told = {
        id_field: row[id_field],
        "Type": row["type"],
        "Reference": row["reference"],
        "Contact": {"ContactID": row["contact"], "Name": books.rooms["Contacts"][row["contact"]]["name"]},
        "Date": day(row["on"]),
        "Status": status,
        "CurrencyCode": row["currency"],
        "LineAmountTypes": "NoTax",
        "LineItems": [{"Description": each} for each in row["said"]],
        "SubTotal": number(row["total"]),
        "TotalTax": 0.0,
        "Total": number(row["total"]),
        "RemainingCredit": number(left),
        "Allocations": [allocation(books, each) for each in row["allocations"]],
        "Payments": [
            {"PaymentID": each["PaymentID"], "Date": day(each["on"]), "Amount": number(each["amount"]),
             "Reference": each["reference"]}
            for each in books.payments_on(id_field, row[id_field])
        ],
        "UpdatedDateUTC": moment(row["updated"]),
    }  # fmt: skip
    if room == "CreditNotes":
        told["CreditNoteNumber"] = row["number"]
    return told


def allocation(books: Books, row: Mapping[str, Any]) -> Row:
    return {
        "AllocationID": row["AllocationID"],
        "Amount": number(row["amount"]),
        "Date": day(row["on"]),
        "Invoice": {"InvoiceID": row["invoice"], "InvoiceNumber": books.rooms["Invoices"][row["invoice"]]["number"]},
    }


def payment(books: Books, row: Row) -> Row:
    told: Row = {
        "PaymentID": row["PaymentID"],
        "Date": day(row["on"]),
        "Amount": number(row["amount"]),
        "BankAmount": number(row["amount"]),
        "Reference": row["reference"],
        "PaymentType": "ACCRECPAYMENT" if "invoice" in row else "AROVERPAYMENTPAYMENT",
        "Status": row["status"],
        "IsReconciled": row["reconciled"],
        "UpdatedDateUTC": moment(row["updated"]),
    }
    if "invoice" in row:
        about = books.rooms["Invoices"][row["invoice"]]
        told["Invoice"] = {
            "Type": "ACCREC",
            "InvoiceID": row["invoice"],
            "InvoiceNumber": about["number"],
            "Contact": {"ContactID": about["contact"], "Name": books.rooms["Contacts"][about["contact"]]["name"]},
            "CurrencyCode": about["currency"],
        }
    for room, id_field in SOURCES.items():
        if id_field in row:
            told[SINGULAR[room]] = {id_field: row[id_field]}
    return told


def quote(books: Books, row: Row) -> Row:
    """Schema Quote; the list's own example has days and moments without an offset."""
    return {
        "QuoteID": row["QuoteID"],
        "QuoteNumber": row["number"],
        "Contact": {"ContactID": row["contact"], "Name": books.rooms["Contacts"][row["contact"]]["name"]},
        "LineItems": [
            {"Description": "Consulting", "Quantity": 1.0, "UnitAmount": number(row["total"]), "TaxAmount": 0.0,
             "LineAmount": number(row["total"])}
        ],
        "Date": day(row["on"]).replace("+0000", ""),
        "ExpiryDate": day(row["until"]).replace("+0000", ""),
        "Status": row["status"],
        "CurrencyCode": row["currency"],
        "SubTotal": number(row["total"]),
        "TotalTax": 0.0,
        "Total": number(row["total"]),
        "UpdatedDateUTC": moment(row["updated"]).replace("+0000", ""),
        "LineAmountTypes": "NOTAX",
    }  # fmt: skip


def template(books: Books, row: Row) -> Row:
    """Schema RepeatingInvoice: it says neither when it changed nor that it ended, but for its next day."""
    schedule = {"Period": 2, "Unit": "MONTHLY", "DueDate": 14, "DueDateType": "DAYSAFTERBILLDATE"}
    days = {"StartDate": row["on"], "NextScheduledDate": row["next"], "EndDate": row["until"]}
    return {
        "RepeatingInvoiceID": row["RepeatingInvoiceID"],
        "ID": row["RepeatingInvoiceID"],
        "Type": row["type"],
        "Reference": row["reference"],
        "Contact": {"ContactID": row["contact"], "Name": books.rooms["Contacts"][row["contact"]]["name"]},
        "Schedule": {**schedule, **{name: day(each) for name, each in days.items() if each is not None}},
        "Status": row["status"],
        "LineAmountTypes": "NoTax",
        "LineItems": [{"Description": "Support", "UnitAmount": number(row["total"]), "Quantity": 1.0}],
        "SubTotal": number(row["total"]),
        "TotalTax": 0.0,
        "Total": number(row["total"]),
        "CurrencyCode": row["currency"],
    }


def transaction(books: Books, row: Row) -> Row:
    told = {
        "BankTransactionID": row["BankTransactionID"],
        "Type": row["type"],
        "Contact": {"ContactID": row["contact"], "Name": books.rooms["Contacts"][row["contact"]]["name"]},
        "Reference": row["reference"],
        "IsReconciled": row["reconciled"],
        "Date": day(row["on"]),
        "Status": row["status"],
        "CurrencyCode": row["currency"],
        "Total": number(row["total"]),
        "UpdatedDateUTC": moment(row["updated"]),
    }
    return told | {id_field: row[id_field] for id_field in SOURCES.values() if id_field in row}
