"""Files as accounting systems write them, for the tests of `duly import`."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import openpyxl

_XERO = (
    "ContactName,EmailAddress,POAddressLine1,POCity,POCountry,InvoiceNumber,Reference,InvoiceDate,DueDate,PlannedDate,"
    "Total,TaxTotal,InvoiceAmountPaid,InvoiceAmountDue,InventoryItemCode,Description,Quantity,UnitAmount,Discount,"
    "LineAmount,AccountCode,TaxType,TaxAmount,TrackingName1,TrackingOption1,Currency,Type,Sent,Status"
)
XERO = tuple(_XERO.split(","))

QUICKBOOKS_REPORT = """Northwind Services,,,,,,,
Invoice List,,,,,,,
"January - March, 2026",,,,,,,
,,,,,,,
Date,Transaction Type,Num,Name,Memo/Description,Due Date,Amount,Open Balance
01/15/2026,Invoice,1001,Acme Corp,Website,02/14/2026,"1,250.00","1,250.00"
01/20/2026,Credit Memo,1002,Acme Corp,Sorry,01/20/2026,-100.00,0.00
02/01/2026,Invoice,1003,Beta LLC,,03/03/2026,"$2,000.50",500.50
,,,,,,,
TOTAL,,,,,,"3,150.50","1,750.50"
"Accrual Basis Wednesday, April 1, 2026 01:27 AM GMT-05:00",,,,,,,
"""

OWN = ("invoice_number", "customer_number", "customer_name", "currency", "issued_on", "due_on", "total", "paid", "status")


def xero_row(**facts: str) -> list[str]:
    """One line of an invoice; what is not said is an ordinary invoice of Acme's."""
    usual = {
        "ContactName": "Acme Ltd",
        "EmailAddress": "accounts@acme.example",
        "InvoiceNumber": "INV-1",
        "InvoiceDate": "16/03/2026",
        "DueDate": "30/04/2026",
        "Total": "120.00",
        "InvoiceAmountPaid": "0.00",
        "InvoiceAmountDue": "120.00",
        "Description": "Cleaning",
        "Quantity": "2.0000",
        "UnitAmount": "50.0000",
        "LineAmount": "100.00",
        "TaxType": "20% (VAT on Income)",
        "TaxAmount": "20.00",
        "Currency": "GBP",
        "Type": "Sales invoice",
        "Status": "Awaiting Payment",
    }
    return [{**usual, **facts}.get(heading, "") for heading in XERO]


def own_row(number: str = "N-1", **facts: str) -> list[str]:
    """One row in Duly's own columns."""
    usual = {
        "invoice_number": number,
        "customer_number": "C-1",
        "customer_name": "Acme",
        "currency": "USD",
        "issued_on": "2026-03-16",
        "due_on": "2026-04-15",
        "total": "100.00",
    }
    return [{**usual, **facts}.get(heading, "") for heading in OWN]


def as_csv(rows: Sequence[Sequence[str]], *, separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue()


def write(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    """A file of that text; its name says nothing about what is in it."""
    path = folder / "export"
    path.write_bytes(text.encode(encoding))
    return path


def own_file(folder: Path, *rows: Sequence[str]) -> Path:
    """A CSV in Duly's own columns."""
    return write(folder, as_csv([OWN, *rows]))


def workbook(folder: Path, rows: Sequence[Sequence[object]], *, named: Mapping[str, object] | None = None) -> Path:
    """An XLSX with these rows in its first sheet; `named` sets single cells by their address."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    for address, value in (named or {}).items():
        sheet[address].value = value
    path = folder / "export.xlsx"
    book.save(path)
    return path


BROKEN: Sequence[tuple[str, Mapping[str, str]]] = (
    ("amount_unreadable", {"total": "a lot"}),
    ("date_unreadable", {"issued_on": "2026-13-01"}),
    ("currency_unknown", {"currency": "XXQ"}),
    ("balance_impossible", {"paid": "100.01"}),
    ("formula", {"customer_name": "=1+1"}),
)


def large(folder: Path, shape: str, rows: int) -> tuple[Path, list[tuple[int, str]]]:
    """A file of that many invoices as 'csv', 'xlsx' or 'json', one of a hundred broken: it, and those' (line, rule)."""
    cells, broken = [], []
    first = 1 if shape == "json" else 2  # the line of the first: a table has its headings above it
    for number in range(rows):
        rule, facts = BROKEN[number // 100 % len(BROKEN)] if number % 100 == 57 else ("", {})
        if rule:
            broken.append((number + first, rule))
        cells.append(own_row(f"N-{number}", **{"customer_number": f"C-{number % 997}", **facts}))
    path = folder / f"large.{shape}"
    if shape == "csv":
        path.write_text(as_csv([OWN, *cells]))
    elif shape == "json":
        path.write_text("".join(f"{json.dumps(dict(zip(OWN, row, strict=True)))}\n" for row in cells))
    else:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        for row in (list(OWN), *cells):
            sheet.append(row)
        book.save(path)
    return path, broken
