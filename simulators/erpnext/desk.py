"""What people do at a site, and what the tests turn and count: no fault touches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from simulators.erpnext import books
from simulators.erpnext.site import COMPANY, Record, Site, account

Given = dict[str, Any]


def _customer(site: Site, given: Given) -> str:
    number = len(site.table("Customer")) + 1
    name = f"Customer {number}"
    row = {"customer_name": name, "default_currency": given["currency"], "email_id": f"office{number}@example.com"}
    site.put("Customer", {**row, "name": name, "disabled": 0})
    links = [{"link_doctype": "Customer", "link_name": name}]
    contact = {"full_name": f"Office {number}", "email_id": f"office{number}@example.com", "links": links}
    site.put("Contact", {**contact, "name": f"Office {number}"})
    return name


def _invoice(site: Site, given: Given) -> str:
    """A submitted invoice over one line; below zero it is a credit note."""
    total, currency = Decimal(given["total"]), given["currency"]
    is_return = int(total < 0)
    line = {"item_name": "Consulting", "description": "Consulting", "qty": Decimal(1 - 2 * is_return)}
    made = site.put(
        books.INVOICE,
        {
            "company": COMPANY,
            "customer": given["customer"],
            "posting_date": given["on"],
            "due_date": given["due"],
            "currency": currency,
            "party_account_currency": given.get("kept_in", currency),
            "debit_to": account("Debtors", currency),
            "grand_total": total,
            "rounded_total": total,
            "disable_rounded_total": 0,
            "total_taxes_and_charges": Decimal(0),
            "outstanding_amount": total,
            "status": "Return" if is_return else "Unpaid",
            "is_return": is_return,
            "return_against": None,
            "po_no": None,
            "payment_terms_template": None,
            "contact_email": None,
            "items": [{**line, "net_rate": abs(total), "net_amount": total}],
        },
    )
    books.submit(site, books.INVOICE, made)
    return str(made["name"])


def _receive(site: Site, given: Given) -> str:
    """A person enters money of a customer, for an invoice or for none."""
    amount, currency = Decimal(given["amount"]), given["currency"]
    references = []
    if given.get("invoice"):
        row = {"reference_doctype": books.INVOICE, "reference_name": given["invoice"], "allocated_amount": amount}
        references.append(row)
    values = {
        "payment_type": "Receive",
        "company": COMPANY,
        "posting_date": given["on"],
        "party_type": "Customer",
        "party": given["customer"],
        "paid_from": account("Debtors", currency),
        "paid_to": account("Duly Clearing", currency),
        "paid_amount": amount,
        "received_amount": amount,
        "reference_no": given.get("reference", "Bank transfer"),
        "reference_date": given["on"],
        "references": references,
        "owner": "person@example.com",
    }
    made = books.made(site, books.PAYMENT, values)
    books.submit(site, books.PAYMENT, made)
    return str(made["name"])


def _payment_by(site: Site, reference: str) -> Record:
    rows = site.table(books.PAYMENT).values()
    return next(row for row in rows if row.get("reference_no") == reference)


def _cancel(site: Site, given: Given) -> str:
    found = site.get(given["doctype"], given["name"]) if "name" in given else _payment_by(site, given["reference"])
    books.cancel(site, given.get("doctype", books.PAYMENT), found)
    site.touch(found)
    return str(found["name"])


def _count(site: Site, given: Given) -> int:
    reference = given["reference"]
    columns = {books.PAYMENT: "reference_no", books.JOURNAL: "cheque_no"}
    found = sum(row.get(column) == reference for kind, column in columns.items() for row in site.table(kind).values())
    tasks = sum(f"({reference})" in str(row["description"]) for row in site.table("ToDo").values())
    return int(found + tasks)


def _rows(site: Site, given: Given) -> list[Record]:
    return list(site.table(given["doctype"]).values())


def _turn(site: Site, given: Given) -> None:
    for name, value in given.items():
        if name == "zone":
            site.move_to(value)
        elif name in {"closed_until", "refused"}:
            setattr(site, name, value)
        elif value is None:
            site.knobs.pop(name, None)
        else:
            site.knobs[name] = value


def _reset(site: Site, _: Given) -> None:
    site.knobs.clear()
    site.refused.clear()
    site.closed_until = None


def _release(site: Site, _: Given) -> int:
    """What was held back takes effect now."""
    held, site.held = site.held, []
    for act in held:
        act()
    return len(held)


def _change(site: Site, given: Given) -> str:
    """A person changes a record by hand."""
    record = site.get(given["doctype"], given["name"])
    record.update(given["values"])
    site.touch(record)
    return str(record["modified"])


def _remove(site: Site, given: Given) -> str:
    """A person deletes a record that was never submitted: no list knows of it any more."""
    return str(site.table(given["doctype"]).pop(given["name"])["name"])


def edit_newest(site: Site, doctype: str, values: Given) -> None:
    """A person changes what was just made, before whoever made it goes on."""
    newest = list(site.table(doctype).values())[-1]
    newest.update(values)
    site.touch(newest)


def _owed(site: Site, given: Given) -> str:
    """What a customer owes by the ledger."""
    rows = (row for row in site.table(books.LEDGER).values() if row["party"] == given["customer"] and not row["delinked"])
    return str(sum((row["amount_in_account_currency"] for row in rows), start=Decimal(0)))


def _open(site: Site, given: Given) -> str:
    return str(books.open_of(site, given.get("doctype", books.INVOICE), given["name"]))


def _put(site: Site, given: Given) -> str:
    return str(site.put(given["doctype"], given["values"])["name"])


def _requests(site: Site, _: Given) -> list[Given]:
    return site.requests


ACTS: Final[Mapping[str, Callable[[Site, Given], Any]]] = {
    "customer": _customer,
    "invoice": _invoice,
    "receive": _receive,
    "cancel": _cancel,
    "count": _count,
    "rows": _rows,
    "turn": _turn,
    "reset": _reset,
    "release": _release,
    "change": _change,
    "remove": _remove,
    "owed": _owed,
    "open": _open,
    "put": _put,
    "requests": _requests,
}
