"""The methods of models that this Odoo lets itself be called with, by their names and arguments.

JSON-2 takes arguments by name only, with `ids` for the records (its own page: external_api.html, 19.0); a name that a method
does not have is refused. JSON-RPC takes them by place or name (external_rpc_api.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from simulators.odoo.ledger import Ledger
from simulators.odoo.records import Record, Refused

Given = Mapping[str, Any]
Call = Callable[[Ledger, str, Sequence[int], Given], Any]
READS: Final = frozenset({"search_read", "read", "fields_get", "context_get", "read_group", "formatted_read_group"})


def _search_read(ledger: Ledger, model: str, _: Sequence[int], given: Given) -> list[Record]:
    records = ledger.records
    domain = list(given.get("domain") or [])
    names = {leaf[0] for leaf in domain if isinstance(leaf, list)}
    if "active" in records.known(model) and "active" not in names and given["context"].get("active_test", True):
        domain = [["active", "=", True], *domain]
    found = records.search(model, domain)
    if given.get("order") not in {None, "id", "id asc"}:
        raise Refused("builtins.ValueError", f"order {given['order']!r} is not played", status=500)
    start = given.get("offset") or 0
    limit = given.get("limit")
    found = found[start : None if limit is None else start + limit]
    return [records.shown(model, each, given.get("fields") or sorted(records.known(model))) for each in found]


def _read(ledger: Ledger, model: str, ids: Sequence[int], given: Given) -> list[Record]:
    return [ledger.records.shown(model, ledger.records.get(model, each), given["fields"]) for each in ids]


def _fields_get(ledger: Ledger, model: str, _: Sequence[int], given: Given) -> dict[str, Any]:
    known = ledger.records.known(model)
    return {name: {"type": "char"} for name in given.get("allfields") or sorted(known) if name in known}


def _context_get(_: Ledger, __: str, ___: Sequence[int], ____: Given) -> dict[str, Any]:
    return {"lang": "en_US", "tz": "Europe/Berlin", "uid": 1}


def _grouped(
    ledger: Ledger, model: str, domain: list[Any], by: Sequence[str], summed: str
) -> list[tuple[Record, int, float]]:
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for each in ledger.records.search(model, domain):
        groups.setdefault(tuple(ledger.records.value(model, each, name) for name in by), []).append(each)
    told = []
    for found in groups.values():
        amount = sum((Decimal(ledger.records.value(model, each, summed)) for each in found), start=Decimal(0))
        told.append((ledger.records.shown(model, found[0], by), len(found), float(amount)))
    return told


def _read_group(ledger: Ledger, model: str, _: Sequence[int], given: Given) -> list[Record]:
    (asked,) = given["fields"]
    summed = asked.partition(":")[0]
    by = given["groupby"]
    return [
        {**{name: shown[name] for name in by}, "__count": count, summed: amount}
        for shown, count, amount in _grouped(ledger, model, given["domain"], by, summed)
    ]


def _formatted_read_group(ledger: Ledger, model: str, _: Sequence[int], given: Given) -> list[Record]:
    asked = next(each for each in given["aggregates"] if each != "__count")
    by = given.get("groupby") or []
    return [
        {**{name: shown[name] for name in by}, "__extra_domain": [], "__count": count, asked: amount}
        for shown, count, amount in _grouped(ledger, model, given["domain"], by, asked.partition(":")[0])
    ]


def _create_payments(ledger: Ledger, _: str, __: Sequence[int], given: Given) -> list[int]:
    return [ledger.pay(values)["id"] for values in given["vals_list"]]


def _create_moves(ledger: Ledger, _: str, __: Sequence[int], given: Given) -> list[int]:
    made = []
    for values in given["vals_list"]:
        lines = [command[2] for command in values.get("line_ids", []) if command[0] == 0]
        made.append(ledger.enter({name: value for name, value in values.items() if name != "line_ids"}, lines)["id"])
    return made


def _each(model: str, act: Callable[[Ledger, Record], None]) -> Call:
    def call(ledger: Ledger, _: str, ids: Sequence[int], __: Given) -> bool:
        for each in ids:
            act(ledger, ledger.records.get(model, each))
        return True

    return call


def _assign(ledger: Ledger, _: str, ids: Sequence[int], given: Given) -> None:
    (move,) = ids
    ledger.assign(move, given["line_id"])


def _unassign(ledger: Ledger, _: str, ids: Sequence[int], given: Given) -> bool:
    (move,) = ids
    ledger.unassign(move, given["partial_id"])
    return True


def _reconcile(ledger: Ledger, _: str, ids: Sequence[int], __: Given) -> None:
    ledger.reconcile(ids)


_OF_ALL: Final[Mapping[str, tuple[Call, frozenset[str]]]] = {
    "search_read": (_search_read, frozenset({"domain", "fields", "offset", "limit", "order"})),
    "read": (_read, frozenset({"fields", "load"})),
    "fields_get": (_fields_get, frozenset({"allfields", "attributes"})),
}
_OF_MODELS: Final[Mapping[tuple[str, str], tuple[Call, frozenset[str]]]] = {
    ("res.users", "context_get"): (_context_get, frozenset()),
    ("account.payment", "create"): (_create_payments, frozenset({"vals_list"})),
    ("account.payment", "action_post"): (_each("account.payment", Ledger.post_payment), frozenset()),
    ("account.payment", "action_draft"): (_each("account.payment", Ledger.payment_to_draft), frozenset()),
    ("account.payment", "action_cancel"): (_each("account.payment", Ledger.cancel_payment), frozenset()),
    ("account.payment", "unlink"): (_each("account.payment", Ledger.remove_payment), frozenset()),
    ("account.move", "create"): (_create_moves, frozenset({"vals_list"})),
    ("account.move", "action_post"): (_each("account.move", Ledger.post), frozenset()),
    ("account.move", "button_draft"): (_each("account.move", Ledger.to_draft), frozenset()),
    ("account.move", "unlink"): (_each("account.move", Ledger.remove), frozenset()),
    ("account.move", "js_assign_outstanding_line"): (_assign, frozenset({"line_id"})),
    ("account.move", "js_remove_outstanding_partial"): (_unassign, frozenset({"partial_id"})),
    ("account.move.line", "reconcile"): (_reconcile, frozenset()),
}
_GROUPING: Final[Mapping[str, tuple[Call, frozenset[str]]]] = {
    "read_group": (_read_group, frozenset({"domain", "fields", "groupby", "offset", "limit", "orderby", "lazy"})),
    "formatted_read_group": (
        _formatted_read_group,
        frozenset({"domain", "groupby", "aggregates", "having", "offset", "limit", "order"}),
    ),
}
FORMATTED_SINCE: Final = 19


def call(ledger: Ledger, model: str, method: str, ids: Sequence[int], given: Mapping[str, Any]) -> Any:
    """Do it. Raises Refused; then nothing of it must stay."""
    ledger.records.known(model)
    found = _OF_MODELS.get((model, method)) or _OF_ALL.get(method)
    if found is None and method in _GROUPING and (method == "read_group" or ledger.series >= FORMATTED_SINCE):
        found = _GROUPING[method]
    if found is None:
        raise Refused("werkzeug.exceptions.NotFound", f"The method '{model}.{method}' does not exist", status=404)
    act, names = found
    strange = sorted(given.keys() - names - {"context"})
    if strange:
        sentence = f"got an unexpected keyword argument {strange[0]!r}"
        raise Refused("werkzeug.exceptions.UnprocessableEntity", sentence)
    return act(ledger, model, ids, {"context": {}, **given})
