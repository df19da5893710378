"""What may be asked of Odoo, copied field by field from its own pages and sources, as a judge of what the connector sends.

- the ways in: https://www.odoo.com/documentation/19.0/developer/reference/external_api.html (JSON-2: `ids`, `context` and
  the arguments by name) and external_rpc_api.html (JSON-RPC: `execute_kw`)
- search_read, read, fields_get, create: https://www.odoo.com/documentation/19.0/developer/reference/backend/orm.html
- account.payment, account.move, account.move.line: addons/account/models/ of the branches 17.0 and 19.0 of odoo/odoo
"""

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

_IDS: Final = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
_TEXT: Final = {"type": "string"}
_DAY: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_ID: Final = {"type": "integer", "minimum": 1}
_AMOUNT: Final = {"type": "number", "minimum": 0}
_CONTEXT: Final = {
    "type": "object",
    "properties": {
        "lang": {"const": "en_US"},
        "allowed_company_ids": _IDS,
        "active_test": {"const": False},
        "date": _DAY,
    },
    "required": ["lang"],
    "additionalProperties": False,
}
_LEAF: Final = {
    "type": "array",
    "prefixItems": [
        _TEXT,
        {"enum": ["=", "!=", "in", "not in", ">", ">=", "<", "<=", "=like"]},
        {"type": ["string", "number", "boolean", "array"]},
    ],
    "minItems": 3,
    "maxItems": 3,
}
_DOMAIN: Final = {"type": "array", "items": {"anyOf": [{"enum": ["|", "&", "!"]}, _LEAF]}}
_NAMES: Final = {"type": "array", "items": _TEXT, "minItems": 1}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
        "additionalProperties": False,
    }


_PAYMENT: Final = {
    "payment_type": {"enum": ["inbound", "outbound"]},
    "partner_type": {"const": "customer"},
    "partner_id": _ID,
    "journal_id": _ID,
    "currency_id": _ID,
    "destination_account_id": _ID,
    "amount": {"type": "number", "exclusiveMinimum": 0},
    "date": _DAY,
    "payment_reference": {"type": "string", "minLength": 1},
}
_ENTRY_LINE: Final = _object(
    {
        "name": {"type": "string", "minLength": 1},
        "account_id": _ID,
        "partner_id": _ID,
        "currency_id": _ID,
        "amount_currency": {"type": "number"},
        "debit": _AMOUNT,
        "credit": _AMOUNT,
    }
)
_COMMAND: Final = {"type": "array", "prefixItems": [{"const": 0}, {"const": 0}, _ENTRY_LINE], "minItems": 3, "maxItems": 3}
_ENTRY: Final = {
    "move_type": {"const": "entry"},
    "journal_id": _ID,
    "date": _DAY,
    "ref": {"type": "string", "minLength": 1},
    "line_ids": {"type": "array", "items": _COMMAND, "minItems": 1},
}
_SEARCH: Final = _object({"domain": _DOMAIN, "fields": _NAMES, "order": {"const": "id"}}, {"limit": _ID})
_OF_RECORDS: Final = _object({"ids": _IDS})


def _created(values: Mapping[str, Any]) -> dict[str, Any]:
    return _object({"vals_list": {"type": "array", "items": _object(values), "minItems": 1}})


_READS: Final = {
    "search_read": _SEARCH,
    "read": _object({"ids": _IDS, "fields": _NAMES}),
    "fields_get": _object({"allfields": _NAMES, "attributes": _NAMES}),
    "context_get": _object({}),
    "read_group": _object(
        {"domain": _DOMAIN, "fields": _NAMES, "groupby": {"type": "array", "items": _TEXT}, "lazy": {"const": False}}
    ),
    "formatted_read_group": _object({"domain": _DOMAIN, "groupby": {"type": "array", "items": _TEXT}, "aggregates": _NAMES}),
}
_WRITES: Final = {
    "account.payment.action_post": _OF_RECORDS,
    "account.payment.action_draft": _OF_RECORDS,
    "account.payment.unlink": _OF_RECORDS,
    "account.move.create": _created(_ENTRY),
    "account.move.action_post": _OF_RECORDS,
    "account.move.unlink": _OF_RECORDS,
    "account.move.js_assign_outstanding_line": _object({"ids": {**_IDS, "maxItems": 1}, "line_id": _ID}),
    "account.move.js_remove_outstanding_partial": _object({"ids": {**_IDS, "maxItems": 1}, "partial_id": _ID}),
    "account.move.line.reconcile": _object({"ids": {**_IDS, "minItems": 2}}),
}
WRITES: Final = frozenset({*_WRITES, "account.payment.create"})
NAIVE: Final = "Naive"


def operation(sent: Mapping[str, Any]) -> str:
    """Model and method of a request."""
    return f"{sent['model']}.{sent['method']}"


def arguments(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What a request asks for, by names, whichever way it came in."""
    if sent["way"] == "json2":
        return dict(sent["body"])
    places = sent["places"]
    named = dict(sent["named"])
    if places:
        named["vals_list" if sent["method"] == "create" else "ids"] = places[0]
    return named


def violations(sent: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request of ours, in words; empty when Odoo's pages allow it."""
    headers = sent.get("headers", {})
    if headers.get("user-agent") == NAIVE:
        return []
    asked = arguments(sent)
    schema = _schema(sent, asked)
    name = operation(sent)
    if schema is None:
        return [f"{name} is no call that the pages have"]
    found = [] if sent["way"] == "jsonrpc" or "json" in headers["content-type"] else [f"{name}: {headers['content-type']}"]
    found += [f"{name} context: {error.message[:200]}" for error in _errors(_CONTEXT, asked.pop("context", None))]
    return [*found, *(f"{name} {list(error.absolute_path)}: {error.message[:200]}" for error in _errors(schema, asked))]


def _schema(sent: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any] | None:
    name = operation(sent)
    if name == "account.payment.create":
        # The memo was called ref before 18; JSON-2 is of 19.
        memo = "memo" if sent["way"] == "json2" or "memo" in str(asked) else "ref"
        return _created({**_PAYMENT, memo: {"type": "string", "minLength": 1}})
    return _WRITES.get(name) or _READS.get(sent["method"])


def _errors(schema: Mapping[str, Any], value: Any) -> list[Any]:
    return list(Draft202012Validator(schema).iter_errors(value))
