"""What people do in a company, and what the tests turn and count: no fault touches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from simulators.business_central import books
from simulators.business_central.company import Company, Record

Given = dict[str, Any]


def _customer(company: Company, given: Given) -> str:
    number = company.number()
    facts = {"type": "Company", "email": f"office{number}@example.com", "country": "GB", "blocked": " "}
    row = {"number": number, "displayName": f"Customer {number}", "currencyCode": given["currency"], **facts}
    return str(company.put("customers", row)["id"])


def _invoice(company: Company, given: Given) -> str:
    """A posted invoice over one line; below zero it is a credit memo."""
    total = Decimal(given["total"])
    facts = {
        "customerId": given["customer"],
        "currencyCode": given["currency"],
        "postingDate": given["on"],
        "externalDocumentNumber": "",
        "email": "",
        "totalAmountIncludingTax": abs(total),
        "status": "Open",
        "number": company.number(),
    }
    if total < 0:
        return str(company.put("salesCreditMemos", {**facts, "creditMemoDate": given["on"], "invoiceNumber": ""})["id"])
    line = {
        "sequence": 10_000,
        "lineType": "Account",
        "description": "Consulting",
        "quantity": Decimal(1),
        "unitPrice": total,
        "amountExcludingTax": total,
        "taxPercent": Decimal(0),
        "totalTaxAmount": Decimal(0),
    }
    dates = {"invoiceDate": given["on"], "dueDate": given["due"], "customerPurchaseOrderReference": ""}
    row = {**facts, **dates, "remainingAmount": total, "salesInvoiceLines": [line]}
    return str(company.put("salesInvoices", row)["id"])


def _pay(company: Company, given: Given) -> None:
    """A person posts money of a customer for an invoice."""
    invoice = company.tables["salesInvoices"][given["invoice"]]
    amount = Decimal(given["amount"])
    line: Record = {
        "customer": invoice["customerId"],
        "amount": -amount,
        "appliesToInvoiceId": invoice["id"],
        "documentNumber": company.number(),
        "postingDate": given["on"],
        "description": "Bank transfer",
    }
    company.entries.append({"line": line, "amount": -amount, "is_reversed": False})
    facts = {"postingDate": given["on"], "documentNumber": line["documentNumber"], "documentType": "Payment"}
    books.write(company, {**facts, "description": line["description"]}, -amount)
    books.take(company, invoice, amount)


def _reverse(company: Company, given: Given) -> None:
    books.reverse(company, given["number"])


def _count(company: Company, given: Given) -> int:
    """How many documents bear a number: those that are posted, and one whose lines wait."""
    number = given["number"]
    posted: dict[str, int] = {}
    for entry in company.entries:
        line = entry["line"]
        if line["documentNumber"] == number:
            posted[line["description"]] = posted.get(line["description"], 0) + 1
    waiting = any(line["documentNumber"] == number for line in company.lines.values())
    return max(posted.values(), default=0) + int(waiting)


def _turn(company: Company, given: Given) -> None:
    for name, value in given.items():
        if name in {"closed_until", "refused"}:
            setattr(company, name, value)
        elif value is None:
            company.knobs.pop(name, None)
        else:
            company.knobs[name] = value


def _reset(company: Company, _: Given) -> None:
    company.knobs.clear()
    company.refused.clear()
    company.closed_until = None


def _release(company: Company, _: Given) -> int:
    """What was held back takes effect now."""
    held, company.held = company.held, []
    for act in held:
        act()
    return len(held)


def edit_newest(company: Company, values: Given) -> None:
    """A person changes a line that was just made."""
    newest = list(company.lines.values())[-1]
    newest.update(values)
    company.touch(newest)


def _change(company: Company, given: Given) -> str:
    record = company.tables[given["table"]][given["id"]]
    record.update(given["values"])
    company.touch(record)
    return str(record["lastModifiedDateTime"])


def _record(company: Company, given: Given) -> Record:
    return company.tables[given["table"]][given["id"]]


def _owed(company: Company, given: Given) -> str:
    return str(books.owed(company, given["customer"]))


def _requests(company: Company, _: Given) -> list[Given]:
    return company.requests


def _forget_tokens(company: Company, _: Given) -> None:
    company.tokens.clear()


ACTS: Final[Mapping[str, Callable[[Company, Given], Any]]] = {
    "customer": _customer,
    "invoice": _invoice,
    "pay": _pay,
    "reverse": _reverse,
    "count": _count,
    "turn": _turn,
    "reset": _reset,
    "release": _release,
    "change": _change,
    "record": _record,
    "owed": _owed,
    "requests": _requests,
    "forget_tokens": _forget_tokens,
}
