"""The operations of Xero's Accounting API that Duly's connector knows, and those that a naive client would use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from simulators.xero import shapes
from simulators.xero.books import SOURCES, Books, Refused, Row

_CLAUSE: Final = re.compile(r'(\w+)(?:==(?:guid\("([^"]*)"\)|"([^"]*)")|\.(StartsWith|EndsWith)\("([^"]*)"\))')
_MOST: Final = 1000
ACCOUNTS: Final = (
    {"AccountID": "a1", "Code": "090", "Name": "Payments", "Type": "BANK", "Status": "ACTIVE"},
    {"AccountID": "a2", "Code": "610", "Name": "Debtors", "Type": "CURRENT", "SystemAccount": "DEBTORS"},
    {"AccountID": "a3", "Code": "200", "Name": "Sales", "Type": "REVENUE", "Status": "ACTIVE"},
)


class Unknown(Exception):
    """404."""


def act(books: Books, method: str, path: str, query: Mapping[str, str], since: datetime | None, body: Any) -> Row:
    """One call's answer, as an object. Raises Refused, Unknown."""
    parts = path.strip("/").split("/")
    match method, parts:
        case "GET", ["Organisation"]:
            return {"Organisations": [{"Name": "Test", "BaseCurrency": books.base_currency, "CountryCode": "GB"}]}
        case "GET", ["Accounts"]:
            return {"Accounts": list(ACCOUNTS)}
        case "GET", [room] if room in books.rooms:
            return _listed(books, room, query, since)
        case "PUT", ["BankTransactions"]:
            return {
                "BankTransactions": [shapes.transaction(books, books.receive(_received(_only(body, "BankTransactions"))))]
            }
        case "POST", ["BankTransactions", row_id]:
            return _changed_transaction(books, row_id, _only(body, "BankTransactions"))
        case "PUT", ["CreditNotes"]:
            return {"CreditNotes": [shapes.source(books, "CreditNotes", _noted(books, _only(body, "CreditNotes")))]}
        case "POST", ["CreditNotes"]:
            return {"CreditNotes": [shapes.source(books, "CreditNotes", _overwritten(books, _only(body, "CreditNotes")))]}
        case "POST", ["CreditNotes", row_id]:
            return _changed_note(books, row_id, _only(body, "CreditNotes"))
        case "PUT", [room, row_id, "Allocations"] if room in SOURCES:
            wanted = [
                (each["Invoice"]["InvoiceID"], Decimal(str(each["Amount"])), date.fromisoformat(each["Date"]))
                for each in body["Allocations"]
            ]
            made = books.allocate(room, books.get(room, row_id), wanted)
            return {"Allocations": [shapes.allocation(books, each) for each in made]}
        case "DELETE", [room, row_id, "Allocations", allocation_id] if room in SOURCES:
            books.unallocate(books.get(room, row_id), allocation_id)
            return {"AllocationId": allocation_id, "IsDeleted": True}
        case "PUT", ["Payments"]:
            return {"Payments": [shapes.payment(books, books.pay(_paid(_only(body, "Payments"))))]}
        case "POST", ["Payments", row_id]:
            payment = books.get("Payments", row_id)
            books.delete_payment(payment)
            return {"Payments": [shapes.payment(books, payment)]}
        case _:
            raise Unknown


def _only(body: Any, room: str) -> Row:
    (row,) = body[room]
    return dict(row)


def _received(given: Row) -> Row:
    (line,) = given["LineItems"]
    return {
        "type": given["Type"],
        "contact": given["Contact"]["ContactID"],
        "on": date.fromisoformat(given["Date"]),
        "reference": given.get("Reference", ""),
        "currency": given["CurrencyCode"],
        "total": Decimal(str(line["UnitAmount"])) * Decimal(str(line["Quantity"])),
        "said": [line["Description"]],
    }


def _changed_transaction(books: Books, row_id: str, given: Row) -> Row:
    row = books.get("BankTransactions", row_id)
    before = row["reference"]
    row["reference"] = given.get("Reference", before)
    try:
        if given.get("Status") == "DELETED":
            books.delete_transaction(row)
    except Refused:
        row["reference"] = before
        raise
    return {"BankTransactions": [shapes.transaction(books, row)]}


def _noted(books: Books, given: Row) -> Row:
    books.contact(given["Contact"]["ContactID"])
    on = date.fromisoformat(given["Date"])
    if given["Status"] != "DRAFT":
        books.check_date(on)
    total = sum(
        (Decimal(str(each.get("UnitAmount", 0))) * Decimal(str(each.get("Quantity", 1))) for each in given["LineItems"]),
        Decimal(0),
    )
    return books.make(
        "CreditNotes",
        "CreditNoteID",
        number=books.next_number("CN"),
        type=given["Type"],
        contact=given["Contact"]["ContactID"],
        on=on,
        reference=given.get("Reference", ""),
        currency=given.get("CurrencyCode", books.base_currency),
        total=total,
        status=given["Status"],
        said=[each["Description"] for each in given["LineItems"]],
        allocations=[],
    )


def _overwritten(books: Books, given: Row) -> Row:
    """POST creates, or writes over what bears that number (https://github.com/freakboy3742/pyxero/issues/328)."""
    for each in books.rooms["CreditNotes"].values():
        if each["number"] == given.get("CreditNoteNumber"):
            each |= {"reference": given.get("Reference", ""), "said": [line["Description"] for line in given["LineItems"]]}
            books.touch(each)
            return each
    return _noted(books, given)


def _changed_note(books: Books, row_id: str, given: Row) -> Row:
    row = books.get("CreditNotes", row_id)
    if given.get("Status") == "DELETED" and row["status"] not in {"DRAFT", "SUBMITTED"}:
        raise Refused("Credit note not of valid status for modification")
    row["status"] = given.get("Status", row["status"])
    row["reference"] = given.get("Reference", row["reference"])
    books.touch(row)
    return {"CreditNotes": [shapes.source(books, "CreditNotes", row)]}


def _paid(given: Row) -> Row:
    row: Row = {
        "on": date.fromisoformat(given["Date"]),
        "amount": Decimal(str(given["Amount"])),
        "reference": given.get("Reference", ""),
    }
    if "Invoice" in given:
        row["invoice"] = given["Invoice"]["InvoiceID"]
    for room, id_field in SOURCES.items():
        if (told := given.get(shapes.SINGULAR[room])) is not None:
            row[id_field] = told[id_field]
    return row


# ---------------------------------------------------------------- lists


def _shape(room: str) -> Callable[[Books, Row], Row]:
    shown: dict[str, Callable[[Books, Row], Row]] = {
        "Contacts": shapes.contact,
        "Invoices": shapes.invoice,
        "Payments": shapes.payment,
        "BankTransactions": shapes.transaction,
        "Quotes": shapes.quote,
        "RepeatingInvoices": shapes.template,
    }
    return shown.get(room) or (lambda books, row: shapes.source(books, room, row))


def _listed(books: Books, room: str, query: Mapping[str, str], since: datetime | None) -> Row:
    """What changed since, through a filter, in order, a page of it: 100 rows where no size is asked for.

    Repeating invoices have neither pages nor times (getRepeatingInvoices).
    """
    rows = list(books.rooms[room].values())
    if since is not None:
        rows = [each for each in rows if each["updated"] >= since]
    if room == "Contacts" and query.get("includeArchived") != "true":
        rows = [each for each in rows if each["status"] == "ACTIVE"]
    if query.get("order", "").startswith("UpdatedDateUTC"):
        rows.sort(key=lambda each: each["updated"])
    shown = [_shape(room)(books, each) for each in rows]
    if "IDs" in query:
        wanted = set(query["IDs"].split(","))
        shown = [each for each in shown if wanted & {str(value) for value in each.values() if isinstance(value, str)}]
    if "where" in query:
        shown = [each for each in shown if lets_through(query["where"], each)]
    if room == "RepeatingInvoices":
        return {room: shown}
    if query.get("summaryOnly") == "true":
        shown = [{name: value for name, value in each.items() if not isinstance(value, list)} for each in shown]
    size, page = min(int(query.get("pageSize", "100")), _MOST), int(query.get("page", "1"))
    pages = {"page": page, "pageSize": size, "itemCount": len(shown), "pageCount": -(-len(shown) // size)}
    return {"pagination": pages, room: shown[(page - 1) * size : page * size]}


def lets_through(where: str, row: Row) -> bool:
    """A filter of clauses that are all joined by OR, or all by AND."""
    if " OR " in where:
        return any(_holds(each, row) for each in where.split(" OR "))
    return all(_holds(each, row) for each in where.split(" AND "))


def _holds(clause: str, row: Row) -> bool:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        raise Refused(f"The filter {clause} cannot be read")
    name, guid, text, how, part = found.groups()
    value = str(row.get(name) or "")
    if how is not None:
        return value.startswith(part) if how == "StartsWith" else value.endswith(part)
    return value == (guid if guid is not None else text)


def asked_since(header: str | None) -> datetime | None:
    """If-Modified-Since, to the second, UTC."""
    return None if header is None else datetime.fromisoformat(header).replace(tzinfo=UTC)
