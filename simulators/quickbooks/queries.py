"""The query language: `select * from X where A = 'b' and C in ('d') orderby E startposition 1 maxresults 1000`.

https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries
Without maxresults an answer stops at 100 objects; with it, at 1,000.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

Row = dict[str, Any]

_QUERY: Final = re.compile(
    r"select \* from (?P<entity>\w+)(?: where (?P<where>.+?))?(?: orderby (?P<order>[\w.]+)(?: asc)?)?"
    r"(?: startposition (?P<start>\d+))?(?: maxresults (?P<most>\d+))?",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION: Final = re.compile(
    r"([\w.]+) (=|>=|<=|>|<|in) (\((?:'(?:[^'\\]|\\.)*',?)+\)|\((?:(?:true|false),?)+\)|'(?:[^'\\]|\\.)*')", re.IGNORECASE
)
PACIFIC: Final = timezone(timedelta(hours=-8))
_DEFAULT: Final = 100
_MOST: Final = 1000
_NUMBERS: Final = {"Balance", "TotalAmt"}


class Unreadable(Exception):
    """A query that is none."""


def moment(text: str) -> datetime:
    """A time; one without an offset is read in the company's own zone."""
    told = datetime.fromisoformat(text)
    return told if told.tzinfo is not None else told.replace(tzinfo=PACIFIC)


def answered(text: str, rows: Callable[[str], list[Row]]) -> Row:
    """The QueryResponse of a query over views of entities."""
    found = _QUERY.fullmatch(text.strip())
    if found is None:
        raise Unreadable(text)
    entity, where = found["entity"], found["where"]
    wanted = rows(entity)
    conditions = _conditions(where) if where else []
    if not any(field == "Active" for field, *_ in conditions):
        wanted = [row for row in wanted if row.get("Active", True)]
    for field, operator, value in conditions:
        wanted = [row for row in wanted if _holds(row, field, operator, value)]
    if found["order"]:
        wanted.sort(key=lambda row: _comparable(found["order"], _value(row, found["order"])))
    start, most = int(found["start"] or 1), min(int(found["most"] or _DEFAULT), _MOST)
    page = wanted[start - 1 : start - 1 + most]
    return {entity: page, "startPosition": start, "maxResults": len(page)} if page else {}


def _conditions(where: str) -> list[tuple[str, str, str]]:
    found = [(each[1], each[2].lower(), each[3]) for each in _CONDITION.finditer(where)]
    if re.sub(r"\s+and\s+", "", _CONDITION.sub("", where), flags=re.IGNORECASE).strip():
        raise Unreadable(where)
    return found


def _holds(row: Mapping[str, Any], field: str, operator: str, value: str) -> bool:
    told = _value(row, field)
    if operator == "in" and "'" not in value:
        return str(told).lower() in value.strip("()").split(",")
    if operator == "in":
        return told in {_plain(each) for each in re.findall(r"'((?:[^'\\]|\\.)*)'", value)}
    if told is None:
        return False
    left, right = _comparable(field, told), _comparable(field, _plain(value.strip("'")))
    return bool(
        {"=": left == right, ">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right}[operator]
    )


def _value(row: Mapping[str, Any], field: str) -> Any:
    found: Any = row
    for name in field.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found["value"] if isinstance(found, dict) and "value" in found else found


def _comparable(field: str, value: Any) -> Any:
    if field.startswith("MetaData."):
        return moment(value)
    if field in _NUMBERS:
        return Decimal(str(value))
    return int(value) if field == "Id" else value


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
