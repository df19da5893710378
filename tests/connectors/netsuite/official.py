"""What NetSuite's own pages say of requests, copied field by field.

Customer payment: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/article_0224093711.html. Upsert by external
id: …/section_156335203191.html. Lists keyed by `doc`: …/article_0830101547.html. SuiteQL: …/section_157909186990.html.
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


_REF: Final = _object("id", id={"type": "string", "pattern": r"^\d+$"})
_AMOUNT: Final[Schema] = {"type": "number", "exclusiveMinimum": 0}
_DAY: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_MEMO: Final[Schema] = {"type": "string", "maxLength": 999}
_TICKED: Final = _object("doc apply amount", doc=_REF, apply={"const": True}, amount=_AMOUNT)
_UNTICKED: Final = _object("doc apply", doc=_REF, apply={"const": False})
_LIST: Final = _object("items", items={"type": "array", "items": {"anyOf": [_TICKED, _UNTICKED]}})
_SIDES: Final = [
    _object("account debit", account=_REF, debit=_AMOUNT, entity=_REF),
    _object("account credit", account=_REF, credit=_AMOUNT, entity=_REF),
]

BODIES: Final[Mapping[str, Schema]] = {
    "PUT customerPayment": _object(
        "customer payment currency account apply tranDate",
        customer=_REF,
        currency=_REF,
        payment=_AMOUNT,
        tranDate=_DAY,
        memo=_MEMO,
        account=_REF,
        autoApply={"type": "boolean"},
        apply=_object("items", items={"type": "array", "items": _TICKED}),
    ),
    "PATCH customerPayment": _object("apply", memo=_MEMO, apply=_LIST, credit=_LIST),
    "PATCH creditMemo": _object("memo apply", memo=_MEMO, apply=_LIST),
    "PUT journalEntry": _object(
        "line currency tranDate",
        tranDate=_DAY,
        currency=_REF,
        memo=_MEMO,
        line=_object("items", items={"type": "array", "minItems": 2, "items": {"anyOf": _SIDES}}),
    ),
}
_EID: Final = r"eid:[A-Za-z0-9_.\-]{1,255}"
_WRITES: Final = re.compile(
    rf"record/v1/(?:(customerPayment|journalEntry)/{_EID}|(customerPayment|creditMemo|journalEntry)/\d+)"
)
_READS: Final = re.compile(
    rf"record/v1/(?:customerPayment|creditMemo|journalEntry)/(?:\d+(?:/(?:apply|credit|line))?|{_EID})"
)
_TABLES: Final = {
    "transactionaccountingline",
    "account",
    "transaction",
    "transactionline",
    "nexttransactionlinelink",
    "customer",
    "currency",
    "deletedrecord",
}


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty where the pages allow it."""
    path, query, method = request["path"], request["query"], request["method"]
    if path == "query/v1/suiteql":
        return _of_query(json.loads(request["text"]), query)
    if method == "GET":
        return [] if _READS.fullmatch(path) else [f"no such read: {path}"]
    found = _WRITES.fullmatch(path)
    if found is None:
        return [f"no such write: {method} {path}"]
    kind = found[1] or found[2]
    if method == "DELETE":
        return []
    schema = BODIES.get(f"{method} {kind}")
    if schema is None or (method == "PUT") is not bool(found[1]):
        return [f"no such write: {method} {path}"]
    return [
        f"{method} {kind} {'.'.join(map(str, each.absolute_path))}: {each.message[:200]}"
        for each in Draft202012Validator(schema).iter_errors(json.loads(request["text"]))
    ]


def _of_query(body: Mapping[str, Any], query: Mapping[str, str]) -> list[str]:
    """The limit is a thousand, an order makes pages be of one list, and a time is made text by its own words."""
    text = body.get("q", "")
    found = []
    if set(body) != {"q"} or not 1 <= int(query.get("limit", "0")) <= 1000:
        found.append("a query has q and a limit of 1000 at most")
    if " ORDER BY " not in text:
        found.append(f"a query without an order: {text}")
    if tables := set(re.findall(r"(?:FROM|JOIN) (\w+)", text)) - _TABLES:
        found.append(f"no such table: {tables}")
    shown = text.split(" FROM ", 1)[0]
    if re.search(r"(?<!\()\b\w\.(?:trandate|duedate|lastmodifieddate)\b(?!,? ')", shown):
        found.append(f"a date that is not made text: {shown}")
    return found
