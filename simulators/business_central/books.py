"""The small ledger behind a company: journals, what posting does with their lines, and what a person takes back.

Written from the pages of the API v2.0 and the public source of its pages (APIV2CustomerPayments, APIV2Journals of
microsoft/ALAppExtensions); sentences are Business Central's own.
"""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, Final

from simulators.business_central.company import BANK, RECEIVABLES, Company, Record, Refused, number_of

NOTHING: Final = Decimal(0)
PARTS: Final = {"customerPaymentJournals": "customerPayments", "journals": "journalLines"}


def add_journal(company: Company, table: str, values: Record) -> Record:
    """A new journal; a code is there once."""
    code = str(values["code"])
    if len(code) > 10:
        raise Refused("Application_StringExceededLength", f"The length of the string is {len(code)}, but it must be <= 10.")
    if any(row["code"] == code for row in company.tables[table].values()):
        said = f"The record in table Gen. Journal Batch already exists. Identification fields: Name='{code}'"
        raise Refused("Internal_EntityWithSameKeyExists", said)
    company.get("accounts", str(values["balancingAccountId"]))
    return company.put(table, {"displayName": "", **values})


def add_line(company: Company, table: str, journal_id: str, values: Record) -> Record:
    """A line that waits. One number is there once in a journal."""
    journal = company.get(table, journal_id)
    number = values.get("lineNumber") or 10_000 * (len(lines_of(company, journal_id)) + 1)
    if any(line["lineNumber"] == number for line in lines_of(company, journal_id)):
        raise Refused("Internal_EntityWithSameKeyExists", "The record in table Gen. Journal Line already exists.")
    if len(str(values["documentNumber"])) > 20 or len(str(values.get("description", ""))) > 100:
        raise Refused("Application_StringExceededLength", "The length of the string is too long for the field.")
    if table == "journals":
        rows = company.tables["customers"].values()
        customer = next((row for row in rows if row["number"] == values["accountNumber"]), None)
    else:
        customer = company.tables["customers"].get(str(values.get("customerId")))
    if customer is None:
        raise Refused("Application_DialogException", 'The "customerId" does not match to a Customer.')
    invoice = company.tables["salesInvoices"].get(str(values.get("appliesToInvoiceId")))
    if values.get("appliesToInvoiceId") and invoice is None:
        said = 'The "appliesToInvoiceId" should be the ID of an Open, Paid, Corrective, or Canceled Invoice.'
        raise Refused("Application_DialogException", said)
    line = {
        "id": str(uuid.uuid4()),
        "journalId": journal_id,
        "table": table,
        **values,
        "lineNumber": number,
        "amount": number_of(values["amount"]),
        "customer": customer["id"],
        "appliesToInvoiceId": invoice["id"] if invoice is not None else None,
        "appliesToInvoiceNumber": invoice["number"] if invoice is not None else "",
    }
    company.touch(line)
    company.touch(journal)
    company.lines[line["id"]] = line
    return line


def lines_of(company: Company, journal_id: str) -> list[Record]:
    """What waits in a journal."""
    return [line for line in company.lines.values() if line["journalId"] == journal_id]


def post(company: Company, journal_id: str) -> None:
    """All lines of a journal, or none."""
    lines = sorted(lines_of(company, journal_id), key=lambda line: int(line["lineNumber"]))
    if not lines:
        raise Refused("Application_DialogException", "There is nothing to post.")
    asked: dict[str, Decimal] = {}
    for line in lines:
        _check(company, line)
        if line["appliesToInvoiceId"] is not None:
            key = line["appliesToInvoiceId"]
            asked[key] = asked.get(key, NOTHING) - line["amount"]
    for key, amount in asked.items():
        if amount > company.tables["salesInvoices"][key]["remainingAmount"]:
            raise Refused("Application_DialogException", "The amount must not be larger than the remaining amount.")
    for line in lines:
        _book(company, line)
        del company.lines[line["id"]]


def _check(company: Company, line: Record) -> None:
    customer = company.tables["customers"][line["customer"]]
    if (said := company.refused.get(customer["id"])) is not None:
        raise Refused("Application_DialogException", said)
    if company.closed_until is not None and line["postingDate"] <= company.closed_until:
        said = "Posting Date is not within your range of allowed posting dates in Gen. Journal Line."
        raise Refused("Application_DialogException", said)
    if line["table"] == "customerPaymentJournals" and line["amount"] > 0:
        raise Refused("Application_FieldValidationException", "Amount must be negative in Gen. Journal Line.")
    if line["appliesToInvoiceId"] is not None:
        invoice = company.tables["salesInvoices"][line["appliesToInvoiceId"]]
        if invoice["customerId"] != customer["id"]:
            raise Refused("Application_DialogException", "You can only apply entries of the same customer.")


def _book(company: Company, line: Record) -> None:
    amount: Decimal = line["amount"]
    facts = {"postingDate": line["postingDate"], "documentNumber": line["documentNumber"]}
    facts |= {"documentType": "Payment" if amount < 0 else " ", "description": line["description"]}
    write(company, facts, amount)
    entry = {"line": line, "amount": amount, "is_reversed": False}
    company.entries.append(entry)
    if line["appliesToInvoiceId"] is not None:
        take(company, company.tables["salesInvoices"][line["appliesToInvoiceId"]], -amount)


def write(company: Company, facts: Record, amount: Decimal) -> None:
    """Two rows of the general ledger: what the customer owes, and the other side."""
    for account, value in ((RECEIVABLES, amount), (BANK, -amount)):
        debit, credit = max(value, NOTHING), max(-value, NOTHING)
        rows = company.tables["generalLedgerEntries"]
        values = {**facts, "entryNumber": len(rows) + 1, "accountNumber": account}
        company.put("generalLedgerEntries", {**values, "debitAmount": debit, "creditAmount": credit})


def take(company: Company, invoice: Record, amount: Decimal) -> None:
    """Money on an invoice, or off it. What is left is computed when it is read: only its state is written, and its time
    changes with that alone.
    """
    invoice["remainingAmount"] -= amount
    status = "Paid" if invoice["remainingAmount"] == 0 else "Open"
    if status != invoice["status"]:
        invoice["status"] = status
        company.touch(invoice)


def reverse(company: Company, number: str) -> None:
    """A person takes a posted document back: un-applied, and reversed in the ledger under its own number."""
    for entry in company.entries:
        line = entry["line"]
        if line["documentNumber"] != number or entry["is_reversed"]:
            continue
        entry["is_reversed"] = True
        if line["appliesToInvoiceId"] is not None:
            take(company, company.tables["salesInvoices"][line["appliesToInvoiceId"]], entry["amount"])
        facts = {"postingDate": line["postingDate"], "documentNumber": line["documentNumber"], "documentType": " "}
        write(company, {**facts, "description": line["description"]}, -entry["amount"])


def owed(company: Company, customer: str) -> Decimal:
    """What a customer owes by the ledger."""
    invoices = sum(
        (
            row["totalAmountIncludingTax"]
            for row in company.tables["salesInvoices"].values()
            if row["customerId"] == customer and row["status"] not in {"Draft", "Canceled"}
        ),
        start=NOTHING,
    )
    entries = (
        entry["amount"] for entry in company.entries if entry["line"]["customer"] == customer and not entry["is_reversed"]
    )
    return sum(entries, start=invoices)


def shown(record: Record, hidden: tuple[str, ...] = ("table", "customer")) -> dict[str, Any]:
    """A record as the API tells it."""
    return {name: value for name, value in record.items() if name not in hidden}
