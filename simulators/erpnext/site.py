"""One site: its records by type and name, its clock in its own zone, its knobs, and lists as Frappe answers them.

Shapes from Frappe's REST interface (docs.frappe.io/framework/user/en/api/rest; frappe/api/v1.py): a list is cut to 20 rows
unless `limit_page_length` says otherwise, and `modified` is the site's own time without a zone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

Record = dict[str, Any]
COMPANY: Final = "Northwind"
ABBREVIATION: Final = "NW"
HOME: Final = "EUR"
CURRENCIES: Final = ("EUR", "USD", "GBP", "JPY")
SERIES: Final = {
    "Sales Invoice": "ACC-SINV-2026-",
    "Payment Entry": "ACC-PAY-2026-",
    "Journal Entry": "ACC-JV-2026-",
    "Unreconcile Payment": "UNREC-",
    "Quotation": "SAL-QTN-2026-",
}
SUBMITTABLE: Final = frozenset(SERIES)


class Refused(Exception):
    """An answer of Frappe's that is no success: the name of its exception, and what it says."""

    def __init__(self, kind: str, said: str, *, status: int = 417) -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said
        self.status = status


class Site:
    """Everything of one company on one site."""

    def __init__(self, key: str, secret: str) -> None:
        self.key = key
        self.secret = secret
        self.zone = "Europe/Berlin"  # ERPNext's own times have no zone; this is the one that they are told in
        self.tables: dict[str, dict[str, Record]] = {}
        self.knobs: dict[str, Any] = {}
        self.requests: list[dict[str, Any]] = []
        self.held: list[Callable[[], object]] = []
        self.closed_until: str | None = None
        self.refused: dict[str, str] = {}
        self._last = self.now()
        self._counts: Counter[str] = Counter()
        self._found_company()

    def _found_company(self) -> None:
        self.put(
            "Company", {"name": COMPANY, "default_currency": HOME, "default_receivable_account": account("Debtors", HOME)}
        )
        for currency in CURRENCIES:
            for title, kind in (("Debtors", "Receivable"), ("Duly Clearing", "Bank")):
                row = {"company": COMPANY, "account_type": kind, "account_currency": currency, "is_group": 0}
                self.put("Account", {**row, "name": account(title, currency)})

    # ------------------------------------------------------------ records

    def table(self, doctype: str) -> dict[str, Record]:
        """All records of a type, by name."""
        return self.tables.setdefault(doctype, {})

    def get(self, doctype: str, name: str) -> Record:
        """A record. Raises Refused where there is none."""
        found = self.table(doctype).get(name)
        if found is None:
            raise Refused("DoesNotExistError", f"{doctype} {name} not found", status=404)
        return found

    def put(self, doctype: str, values: Mapping[str, Any]) -> Record:
        """A new record, named by its series where it has no name."""
        self._counts[doctype] += 1
        name = (
            values.get("name") or f"{SERIES.get(doctype, doctype.lower().replace(' ', '-') + '-')}{self._counts[doctype]:05}"
        )
        moment = self.moment()
        made = {"docstatus": 0, "owner": "duly@example.com", **values, "name": name, "creation": moment, "modified": moment}
        self.table(doctype)[name] = made
        return made

    def touch(self, record: Record) -> None:
        """It was changed now."""
        record["modified"] = self.moment()

    def moment(self) -> str:
        """The site's time as its records have it. Knobs let it stand still, or come late with an earlier time."""
        if (fixed := self.knobs.get("moment")) is not None:
            return str(fixed)
        now = self.now()
        self._last = max(now, self._last + timedelta(microseconds=1))
        back = timedelta(seconds=self.knobs.get("committed_late", 0))
        return str(self._last - back)

    def move_to(self, zone: str) -> None:
        """The site is in another zone from now on."""
        self.zone = zone
        self._last = self.now()

    def now(self) -> datetime:
        """The site's own time, without a zone."""
        return datetime.now(UTC).astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    # ------------------------------------------------------------ lists

    def listed(self, doctype: str, query: Mapping[str, Any]) -> list[Record]:
        """What a list answers. Each row of a table is a record of its own type here, with its parent."""
        rows = [row for row in self._rows(doctype) if all(_passes(row, each) for each in query["filters"])]
        for term in reversed(query["order_by"].split(",")):
            column, _, direction = term.strip().partition(" ")
            rows.sort(key=lambda row: str(row.get(column, "")), reverse=direction == "desc")
        start = query["limit_start"]
        return [
            {field: row.get(field) for field in query["fields"]} for row in rows[start : start + query["limit_page_length"]]
        ]

    def _rows(self, doctype: str) -> Sequence[Record]:
        parents = {"Sales Invoice Item": ("Sales Invoice", "items"), "Quotation Item": ("Quotation", "items")}
        parents["Dynamic Link"] = ("Contact", "links")
        if doctype not in parents:
            return list(self.table(doctype).values())
        parent, field = parents[doctype]
        return [
            {**row, "parent": record["name"], "parenttype": parent, "idx": number, "name": f"{record['name']}-{number}"}
            for record in self.table(parent).values()
            for number, row in enumerate(record.get(field, ()), start=1)
        ]


def account(title: str, currency: str) -> str:
    """An account's name: ERPNext ends it with the company's letters."""
    return f"{title} {currency} - {ABBREVIATION}"


def _passes(row: Record, condition: Sequence[Any]) -> bool:
    column, operator, wanted = condition
    value = row.get(column)
    match operator:
        case "=":
            # MariaDB compares text without regard to case.
            return str(value).lower() == str(wanted).lower() if isinstance(wanted, str) else value == wanted
        case "in":
            return value in wanted
        case "like":
            pattern = "".join(".*" if each == "%" else "." if each == "_" else re.escape(each) for each in wanted)
            return re.fullmatch(pattern, str(value or ""), re.DOTALL | re.IGNORECASE) is not None
        case ">":
            return str(value) > str(wanted)
        case ">=":
            return str(value) >= str(wanted)
        case _:
            raise Refused("ValidationError", f"Operator must be one of =, in, like, >, >=, not {operator}")
