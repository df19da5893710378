"""A person at the desk of a company, and what the tests may turn and count there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from simulators.quickbooks.books import Books, Row


def act(books: Books, name: str, given: Row) -> Any:
    """One act by its name; answers what it made."""
    return _ACTS[name](books, given)


def _at(given: Row) -> datetime | None:
    if "at" in given:
        return datetime.fromisoformat(given["at"])
    ago = given.get("seconds_ago")
    return datetime.now(UTC) - timedelta(seconds=ago) if ago is not None else None


def _customer(books: Books, given: Row) -> str:
    row: Row = {
        "DisplayName": f"Customer {books.number + 1}",
        "Active": True,
        "CurrencyRef": {"value": given["currency"]},
        "PrimaryEmailAddr": {"Address": f"office{books.number + 1}@example.com"},
    }
    if "parent" in given:
        row |= {
            "Job": True,
            "ParentRef": {"value": given["parent"]},
            "BillWithParent": given.get("billed_with_parent", True),
        }
    return str(books.make("Customer", row)["Id"])


def _sold(amount: str) -> list[Row]:
    detail = {"Qty": 1, "UnitPrice": Decimal(amount), "ItemRef": {"value": "1", "name": "Services"}}
    return [{"Amount": Decimal(amount), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}]


def _document(entity: str) -> Callable[[Books, Row], Any]:
    def write(books: Books, given: Row) -> list[str]:
        customer = books.get("Customer", given["customer"])
        made = []
        for _ in range(given.get("count", 1)):
            row = {
                "CustomerRef": {"value": customer["Id"]},
                "CurrencyRef": customer["CurrencyRef"],
                "TxnDate": given["on"],
                "DueDate": given.get("due", given["on"]),
                "DocNumber": str(1000 + books.number),
                "TotalAmt": Decimal(given["total"]),
                "Line": _sold(given["total"]),
                **given.get("fields", {}),
            }
            made.append(str(books.make(entity, row, at=_at(given))["Id"]))
        return made

    return write


def _pay(books: Books, given: Row) -> str:
    """A person's payment: over an invoice, or on account."""
    customer = given.get("customer") or books.get("Invoice", given["invoice"])["CustomerRef"]["value"]
    currency = books.get("Customer", customer)["CurrencyRef"]
    applied = Decimal(str(given.get("applied", given["amount"] if "invoice" in given else "0")))
    lines = [{"Amount": applied, "LinkedTxn": [{"TxnId": given["invoice"], "TxnType": "Invoice"}]}] if applied else []
    body = {
        "CustomerRef": {"value": customer},
        "CurrencyRef": currency,
        "TxnDate": given["on"],
        "TotalAmt": Decimal(given["amount"]),
        "PrivateNote": given.get("note", "Bank transfer"),
        "PaymentRefNum": given.get("number", "BT-1"),
        "Line": lines,
    }
    return str(books.write("Payment", body)["Id"])


def _ours(books: Books, reference: str) -> Row:
    return next(each for each in books.payments() if _head(each) == reference)


def _head(row: Row) -> str:
    """The reference on the first line of a note."""
    words = str(row.get("PrivateNote", "")).split("\n", 1)[0].removeprefix("Voided ").split(" ")
    return words[1] if words[0] == "Duly" and len(words) > 1 else ""


def _key(row: Row) -> Row:
    return {"Id": row["Id"], "SyncToken": row["SyncToken"]}


def _delete(books: Books, given: Row) -> None:
    row = _ours(books, given["reference"]) if "reference" in given else books.get(given["entity"], given["id"])
    books.delete(given.get("entity", "Payment"), _key(row))


def _void(books: Books, given: Row) -> None:
    books.void(_key(_ours(books, given["reference"])))


def _edit(books: Books, given: Row) -> None:
    row = _ours(books, given["reference"]) if "reference" in given else books.get(given["entity"], given["id"])
    books.write(given.get("entity", "Payment"), {**_key(row), "sparse": True, **given["fields"]})


def _note(books: Books, given: Row) -> None:
    """A person writes something below what is there."""
    row = books.get("Payment", given["id"])
    note = f"{row.get('PrivateNote', '')}\n{given['words']}"
    books.write("Payment", {**_key(row), "sparse": True, "PrivateNote": note})


def _link(books: Books, given: Row) -> None:
    """A person changes what a payment lies on: amounts by invoice, all of them."""
    row = _ours(books, given["reference"]) if "reference" in given else books.get("Payment", given["id"])
    lines = [
        {"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": each, "TxnType": "Invoice"}]}
        for each, amount in given["lines"].items()
    ]
    books.write("Payment", {**_key(row), "sparse": True, "Line": lines})


def _deposit(books: Books, given: Row) -> None:
    books.deposited.add(_ours(books, given["reference"])["Id"])


def _template(books: Books, given: Row) -> str:
    customer = books.get("Customer", given["customer"])
    books.number += 1
    schedule = {"StartDate": given["starts"], "NextDate": given["next"], "IntervalType": "Monthly", "NumInterval": 1}
    info = {"Name": given["title"], "RecurType": "Automated", "Active": True, "ScheduleInfo": schedule}
    row = {"Id": str(books.number), "CustomerRef": {"value": given["customer"]}, "RecurringInfo": info}
    books.templates.append(
        {"Invoice": {**row, "TotalAmt": Decimal(given["amount"]), "CurrencyRef": customer["CurrencyRef"]}}
    )
    return str(books.number)


def _stop_template(books: Books, given: Row) -> None:
    for each in books.templates:
        if each["Invoice"]["Id"] == given["id"]:
            each["Invoice"]["RecurringInfo"]["Active"] = False


def _delete_template(books: Books, given: Row) -> None:
    books.templates = [each for each in books.templates if each["Invoice"]["Id"] != given["id"]]


def _show_all(books: Books, _: Row) -> None:
    books.hidden.clear()


def counted(books: Books, reference: str) -> int:
    """How many documents that are not gone bear a reference."""
    rows = [*books.rows["Payment"].values(), *books.rows["JournalEntry"].values()]
    return sum(_head(each) == reference for each in rows)


_ACTS: dict[str, Callable[[Books, Row], Any]] = {
    "customer": _customer,
    "invoice": _document("Invoice"),
    "memo": _document("CreditMemo"),
    "estimate": _document("Estimate"),
    "pay": _pay,
    "delete": _delete,
    "void": _void,
    "edit": _edit,
    "note": _note,
    "link": _link,
    "deposit": _deposit,
    "template": _template,
    "stop_template": _stop_template,
    "delete_template": _delete_template,
    "show_all": _show_all,
}
