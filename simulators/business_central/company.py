"""One company: its tables, its clock, its knobs, and lists as the API answers them.

Shapes from learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/resources (customer, salesInvoice,
salesCreditMemo, customerPaymentJournal, customerPayment, journal, journalLine, generalLedgerEntry, account); pages end with
`@odata.nextLink`, records carry `@odata.etag`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

Record = dict[str, Any]
NAME: Final = "Northwind"
RECEIVABLES: Final = "2310"
BANK: Final = "2920"
TABLES: Final = (
    *("customers", "salesInvoices", "salesCreditMemos", "customerPaymentJournals", "journals", "generalLedgerEntries"),
    "accounts",
)
PAGE_MAX: Final = 20_000


class Refused(Exception):
    """An answer of the API that is no success."""

    def __init__(self, code: str, said: str, *, status: int = 400) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.status = status


class Company:
    """Everything of one company, and the client that may see it."""

    def __init__(self, client: str, secret: str) -> None:
        self.client = client
        self.secret = secret
        self.id = str(uuid.uuid4())
        self.tokens: set[str] = set()
        self.tables: dict[str, dict[str, Record]] = {name: {} for name in TABLES}
        self.lines: dict[str, Record] = {}
        self.entries: list[Record] = []
        self.knobs: dict[str, Any] = {}
        self.requests: list[Record] = []
        self.held: list[Callable[[], object]] = []
        self.closed_until: str | None = None
        self.refused: dict[str, str] = {}
        self._last = datetime.now(UTC)
        self._numbers = 100_000
        for number in (RECEIVABLES, BANK):
            self.put("accounts", {"number": number, "displayName": number})

    def number(self) -> str:
        """The next number of any series."""
        self._numbers += 1
        return str(self._numbers)

    def put(self, table: str, values: Mapping[str, Any]) -> Record:
        """A new record."""
        made = {"id": str(uuid.uuid4()), **values}
        self.touch(made)
        self.tables[table][made["id"]] = made
        return made

    def touch(self, record: Record) -> None:
        """It was changed now; its etag is another."""
        moment = self.moment()
        record["lastModifiedDateTime"] = moment
        record["@odata.etag"] = f'W/"{uuid.uuid4().hex[:12]}"'

    def moment(self) -> str:
        """Their time, to the millisecond. Knobs let it stand still, or come late with an earlier time."""
        if (fixed := self.knobs.get("moment")) is not None:
            return str(fixed)
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        at = self._last - timedelta(seconds=self.knobs.get("committed_late", 0))
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def get(self, table: str, key: str) -> Record:
        """A record. Raises Refused where there is none."""
        found = self.tables[table].get(key)
        if found is None:
            raise Refused("BadRequest_ResourceNotFound", "Not found", status=404)
        return found

    def listed(self, rows: list[Record], query: Mapping[str, str]) -> list[Record]:
        """Rows that pass the filter, in order."""
        test = _compiled(query.get("$filter", ""))
        found = [row for row in rows if test(row)]
        if (order := query.get("$orderby")) is not None:
            found.sort(key=lambda row: str(row[order]))
        return found


def _compiled(condition: str) -> Callable[[Record], bool]:
    """The few shapes of a filter: comparisons and contains, joined by and, or and brackets."""
    if not condition:
        return lambda _: True
    words = re.findall(r"contains\(\w+,'(?:[^']|'')*'\)|'(?:[^']|'')*'|[()]|[^\s()]+", condition)
    test, rest = _either(words)
    if rest:
        raise Refused("BadRequest", f"Syntax error at '{rest[0]}' in '{condition}'.")
    return test


def _either(words: list[str]) -> tuple[Callable[[Record], bool], list[str]]:
    left, rest = _both(words)
    while rest and rest[0] == "or":
        right, rest = _both(rest[1:])
        left = (lambda one, other: lambda row: one(row) or other(row))(left, right)
    return left, rest


def _both(words: list[str]) -> tuple[Callable[[Record], bool], list[str]]:
    left, rest = _one(words)
    while rest and rest[0] == "and":
        right, rest = _one(rest[1:])
        left = (lambda one, other: lambda row: one(row) and other(row))(left, right)
    return left, rest


def _one(words: list[str]) -> tuple[Callable[[Record], bool], list[str]]:
    if words[0] == "(":
        inside, rest = _either(words[1:])
        return inside, rest[1:]
    if (found := re.fullmatch(r"contains\((\w+),'(.*)'\)", words[0])) is not None:
        return (lambda row: found[2] in str(row[found[1]])), words[1:]
    column, operator, text = words[:3]
    wanted = text[1:-1].replace("''", "'") if text.startswith("'") else text
    tests: dict[str, Callable[[str], bool]] = {
        "eq": lambda value: value == wanted,
        "ne": lambda value: value != wanted,
        "ge": lambda value: value >= wanted,
        "gt": lambda value: value > wanted,
        "lt": lambda value: value < wanted,
    }
    if operator not in tests:
        raise Refused("BadRequest", f"Syntax error at '{operator}'.")
    return (lambda row: tests[operator](str(row[column]))), words[3:]


def number_of(value: object) -> Decimal:
    """An amount of a body."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("BadRequest", "Cannot convert a primitive value to the expected type 'Edm.Decimal'.")
    return Decimal(value)
