"""What QuickBooks's own pages say of requests, copied field by field: there is no description that a program could read.

Payment (create, full update, delete): https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/payment.
Journal entry, credit memo: …/all-entities/journalentry, …/all-entities/creditmemo. Queries, capture of changes, versions,
request id: …/docs/learn/explore-the-quickbooks-online-api/{data-queries,change-data-capture,minor-versions},
…/docs/learn/rest-api-features.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

Schema = dict[str, Any]


def _object(required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


_TEXT: Final[Schema] = {"type": "string"}
_ID: Final[Schema] = {"type": "string", "pattern": r"^\d+$"}
_DAY: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_AMOUNT: Final[Schema] = {"type": "number", "minimum": 0}
_REF: Final = _object("value", value=_TEXT, name=_TEXT)
_NOTE: Final[Schema] = {"type": "string", "maxLength": 4000}
_NUMBER: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 21}
_KINDS: Final = ["Invoice", "CreditMemo", "JournalEntry", "Expense", "Check", "CreditCardCredit"]
_LINKED: Final = _object("TxnId TxnType", TxnId=_ID, TxnType={"enum": _KINDS}, TxnLineId=_TEXT)
_LINE: Final = _object(
    "Amount LinkedTxn",
    Amount={"type": "number", "exclusiveMinimum": 0},
    LinkedTxn={"type": "array", "items": _LINKED, "minItems": 1, "maxItems": 1},
    LineEx={"type": "object"},
)
_PAYMENT: Final = {
    "CustomerRef": _REF,
    "CurrencyRef": _REF,
    "ExchangeRate": _AMOUNT,
    "TotalAmt": _AMOUNT,
    "TxnDate": _DAY,
    "PaymentRefNum": _NUMBER,
    "PrivateNote": _NOTE,
    "DepositToAccountRef": _REF,
    "PaymentMethodRef": _REF,
    "ProcessPayment": {"type": "boolean"},
    "Line": {"type": "array", "items": _LINE},
}
_DETAIL: Final = _object(
    "PostingType AccountRef",
    PostingType={"enum": ["Debit", "Credit"]},
    AccountRef=_REF,
    Entity=_object("Type EntityRef", Type={"enum": ["Customer", "Vendor", "Employee"]}, EntityRef=_REF),
)
_ENTRY_LINE: Final = _object(
    "DetailType Amount JournalEntryLineDetail",
    DetailType={"const": "JournalEntryLineDetail"},
    Amount=_AMOUNT,
    Description=_NOTE,
    JournalEntryLineDetail=_DETAIL,
)
_KEY: Final = {"Id": _ID, "SyncToken": _ID}
_FULL: Final[Schema] = {"const": False}
_SPARSE: Final[Schema] = {"const": True}
_DELETE: Final = _object("Id SyncToken", **_KEY)

BODIES: Final[Mapping[str, Schema]] = {
    "create payment": _object("CustomerRef TotalAmt", **_PAYMENT),
    "update payment": _object("Id SyncToken sparse CustomerRef TotalAmt TxnDate Line", **_PAYMENT, **_KEY, sparse=_FULL),
    "delete payment": _DELETE,
    "create journalentry": _object(
        "Line DocNumber",
        DocNumber=_NUMBER,
        TxnDate=_DAY,
        PrivateNote=_NOTE,
        CurrencyRef=_REF,
        Line={"type": "array", "items": _ENTRY_LINE, "minItems": 2},
    ),
    "delete journalentry": _DELETE,
    "update creditmemo": _object("Id SyncToken sparse PrivateNote", **_KEY, sparse=_SPARSE, PrivateNote=_NOTE),
}

_ENTITY: Final = r"(Customer|Invoice|CreditMemo|Payment|JournalEntry|Estimate|Account|Term|Preferences|RecurringTransaction)"
_FIELD: Final = r"(Id|Name|AccountType|PaymentRefNum|DocNumber|CustomerRef|Balance|MetaData\.LastUpdatedTime)"
_VALUE: Final = r"'(?:[^'\\]|\\.)*'"
_CONDITION: Final = rf"(?:Active in \(true,false\)|{_FIELD} (?:(?:=|>|>=) {_VALUE}|in \({_VALUE}(?:,{_VALUE})*\)))"
_QUERY: Final = re.compile(
    rf"select \* from {_ENTITY}(?: where {_CONDITION}(?: and {_CONDITION})*)?"
    r"(?: orderby (?:Id|MetaData\.LastUpdatedTime))?(?: startposition [1-9]\d*)? maxresults (?:[1-9]\d{0,2}|1000)"
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
_READS: Final = re.compile(
    r"companyinfo/\d+|(?:payment|invoice|creditmemo|journalentry|customer|term)/\d+|(?:invoice|creditmemo)/\d+/pdf"
)
_WRITES: Final = re.compile(r"payment|journalentry|creditmemo")


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty where the pages allow it."""
    path, query = request["path"], request["query"]
    if query.get("minorversion") != "75":
        return [f"{path}: minor version {query.get('minorversion')}"]
    if request["method"] == "POST":
        return _of_write(path, query, request["text"])
    if path == "query":
        return [] if _QUERY.fullmatch(query["query"]) else [f"no query that the page describes: {query['query']}"]
    if path == "cdc":
        return [] if _TIME.fullmatch(query["changedSince"]) else [f"a time without its offset: {query['changedSince']}"]
    return [] if _READS.fullmatch(path) else [f"no such read: {path}"]


def _of_write(path: str, query: Mapping[str, str], text: str) -> list[str]:
    if not _WRITES.fullmatch(path):
        return [f"no such write: {path}"]
    if not 1 <= len(query.get("requestid", "")) <= 50:
        return [f"{path}: a request's id has at most 50 characters"]
    body = json.loads(text)
    kind = "delete" if query.get("operation") == "delete" else "update" if "Id" in body else "create"
    schema = BODIES.get(f"{kind} {path}")
    if schema is None:
        return [f"no such write: {kind} {path}"]
    return [
        f"{kind} {path} {'.'.join(map(str, each.absolute_path))}: {each.message[:200]}"
        for each in Draft202012Validator(schema).iter_errors(body)
    ]
