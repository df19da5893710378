"""What the pages of the API v2.0 say of its records, as a judge of requests.

Copied field by field from learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/resources/dynamics_
{customer,salesinvoice,salescreditmemo,customerpaymentjournal,customerpayment,journal,journalline,generalledgerentry,account},
for what the connector uses; lengths from the tables behind them; filters from .../use-filter-expressions-in-odata-uris.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

BY_HAND: Final = "by_hand"
SCOPE: Final = "https://api.businesscentral.dynamics.com/.default"
_GUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_COMMON: Final = ("id", "lastModifiedDateTime")
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "companies": frozenset({"id", "name", "displayName"}),
    "customers": frozenset({*_COMMON, "number", "displayName", "email", "country", "currencyCode", "blocked"}),
    "salesInvoices": frozenset(
        {*_COMMON, "number", "status", "customerId", "invoiceDate", "postingDate", "dueDate", "currencyCode"}
        | {"remainingAmount", "totalAmountIncludingTax", "externalDocumentNumber", "customerPurchaseOrderReference"}
    ),
    "salesCreditMemos": frozenset({*_COMMON, "number", "status", "customerId", "creditMemoDate", "invoiceNumber"}),
    "customerPaymentJournals": frozenset({*_COMMON, "code", "displayName", "balancingAccountId"}),
    "customerPayments": frozenset(
        {*_COMMON, "journalId", "lineNumber", "customerId", "customerNumber", "postingDate", "documentNumber"}
        | {"externalDocumentNumber", "amount", "appliesToInvoiceId", "appliesToInvoiceNumber", "description", "comment"}
    ),
    "journals": frozenset({*_COMMON, "code", "displayName", "balancingAccountId"}),
    "journalLines": frozenset(
        {*_COMMON, "journalId", "lineNumber", "accountType", "accountId", "accountNumber", "postingDate"}
        | {"documentNumber", "externalDocumentNumber", "amount", "description", "comment", "balancingAccountId"}
    ),
    "generalLedgerEntries": frozenset(
        {*_COMMON, "entryNumber", "postingDate", "documentNumber", "documentType", "accountId", "accountNumber"}
        | {"description", "debitAmount", "creditAmount"}
    ),
    "accounts": frozenset({*_COMMON, "number", "displayName"}),
}
WRITTEN: Final[Mapping[str, Mapping[str, str]]] = {
    "customerPaymentJournals": {"code": "text10", "displayName": "text100", "balancingAccountId": "guid"},
    "journals": {"code": "text10", "displayName": "text100", "balancingAccountId": "guid"},
    "customerPayments": {
        "lineNumber": "whole",
        "customerId": "guid",
        "postingDate": "day",
        "documentNumber": "text20",
        "externalDocumentNumber": "text35",
        "amount": "amount",
        "appliesToInvoiceId": "guid",
        "description": "text100",
    },
    "journalLines": {
        "lineNumber": "whole",
        "accountType": "account type",
        "accountNumber": "text20",
        "postingDate": "day",
        "documentNumber": "text20",
        "externalDocumentNumber": "text35",
        "amount": "amount",
        "description": "text100",
    },
}
OPTIONAL: Final = frozenset({"appliesToInvoiceId"})
_EXPANDS: Final = {"salesInvoices": "salesInvoiceLines"}
_ACCOUNT_TYPES: Final = {"G/L Account", "Customer", "Vendor", "Bank Account", "Fixed Asset", "IC Partner", "Employee"}


def table_of(request: Mapping[str, Any]) -> str:
    """The last table that a request names, or what it does."""
    if request["path"].endswith("Microsoft.NAV.post"):
        return "post"
    if request["path"].endswith("pdfDocumentContent"):
        return "pdf"
    return re.sub(r"\(.*?\)", "", request["path"].split("/")[-1])


def operation_of(request: Mapping[str, Any]) -> str:
    """What a request does: its method and table."""
    return f"{request['method']} {table_of(request)}"


def is_by_hand(request: Mapping[str, Any]) -> bool:
    """Whether a test sent it itself, in the place of somebody who knows less."""
    return BY_HAND in request["query"]


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty when the pages allow it."""
    return [f"{operation_of(request)}: {fault}" for fault in _faults(request)]


def _faults(request: Mapping[str, Any]) -> Iterator[str]:
    table, method, path = table_of(request), request["method"], request["path"]
    if path == "token":
        return
    inside = re.fullmatch(rf"companies(?:\({_GUID}\)/(?:\w+(?:\({_GUID}\))?)(?:/[\w.]+){{0,2}})?", path)
    if inside is None:
        yield f"no such address: {path}"
    elif table in {"post", "pdf"}:
        if (method == "POST") is not (table == "post") or request["query"] or request["raw"] not in {"", "{}"}:
            yield "an action takes nothing"
    elif table not in FIELDS:
        yield f"there is no {table}"
    elif method == "GET":
        yield from _query(table, request["query"])
    elif method == "POST" and table in WRITTEN:
        yield from _body(table, json.loads(request["raw"], parse_float=Decimal))
    elif method == "DELETE":
        if not str(request["etag"] or "").startswith('W/"'):
            yield "nothing is deleted without If-Match"
    else:
        yield "no such operation"


def _query(table: str, query: Mapping[str, str]) -> Iterator[str]:
    for name, value in query.items():
        match name:
            case "$filter":
                words = re.findall(r"(?:contains\()?(\w+)(?: (?:eq|ne|ge|gt|lt) |,')", value)
                unknown = set(words) - FIELDS[table]
                if unknown or not words:
                    yield f"no filter of {', '.join(sorted(unknown))}: {value}"
            case "$orderby":
                if value not in FIELDS[table]:
                    yield f"no order by {value}"
            case "$select":
                if set(value.split(",")) - FIELDS[table]:
                    yield f"no {value}"
            case "$expand":
                if _EXPANDS.get(table) != value:
                    yield f"it has no {value}"
            case "$top" | "$skiptoken":
                if not value.isdigit():
                    yield f"{name} is {value}"
            case _:
                yield f"no such option {name}"


def _body(table: str, body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        yield "a body is one object"
        return
    missing = set(WRITTEN[table]) - OPTIONAL - set(body)
    if missing:
        yield f"without {', '.join(sorted(missing))}"
    for name, value in body.items():
        kind = WRITTEN[table].get(name)
        if kind is None:
            yield f"no {name}"
        elif not _is(kind, value):
            yield f"{name} is {value!r}"
    if table == "customerPayments" and _is("amount", body.get("amount")) and body["amount"] >= 0:
        yield "a customer's payment is below zero"


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "guid":
            return isinstance(value, str) and re.fullmatch(_GUID, value) is not None
        case "amount":
            return type(value) in {int, Decimal}
        case "whole":
            return type(value) is int
        case "day":
            return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
        case "account type":
            return value in _ACCOUNT_TYPES
        case _:
            return isinstance(value, str) and len(value) <= int(kind.removeprefix("text"))
