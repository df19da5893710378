"""The account's page by the tutorial: a dictionary for each row, babel for each cell, `r.name` in the template."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader

from bench.naive.models import Invoice

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_PLACES: Final = {"JPY": 0, "KWD": 3}


def rendered(found: Sequence[Invoice], *, frame: str) -> str:
    """The page; what stands around its rows is given, so that only rows are compared."""
    today = datetime.now(ZoneInfo("Europe/London")).date()
    before, after = _frame(frame)
    return before + _ENVIRONMENT.get_template("rows.html").render(rows=_rows(found, today)) + after


@lru_cache(maxsize=1)
def _frame(folder: str) -> tuple[str, str]:
    return Path(folder, "before.html").read_text(), Path(folder, "after.html").read_text()


def _rows(found: Sequence[Invoice], today: date) -> list[dict[str, Any]]:
    sites: dict[str, list[Invoice]] = {}
    for each in found:
        if each.parent_id is not None and each.counted:
            sites.setdefault(each.parent_id, []).append(each)
    parents = [each for each in found if each.is_parent and each.id in sites]
    rows = []
    for parent in sorted(parents, key=lambda each: (each.issued_on, each.due_on, each.number))[:50]:
        under = sorted(sites[parent.id], key=lambda each: each.number)
        total, owed = sum(each.total for each in under), sum(each.open for each in under)
        rows.append(_row(parent, today, total=total, owed=owed, leaves=len(under)))
        rows += [_row(each, today, total=each.total, owed=each.open, leaves=0) for each in under]
    return rows


def _row(invoice: Invoice, today: date, *, total: int, owed: int, leaves: int) -> dict[str, Any]:
    late = (today - invoice.due_on).days
    return {
        "id": invoice.id,
        "group": invoice.parent_id,
        "leaves": leaves,
        "number": invoice.number,
        "beside": " · ".join(part for part in (invoice.site, invoice.po_number) if part),
        "issued": _day(invoice.issued_on, today),
        "due": _day(invoice.due_on, today),
        "late": f"{late} day{'' if late == 1 else 's'} late" if late > 0 else "due today" if late == 0 else "",
        "is_late": late > 0,
        "label": "Overdue" if late > 0 else "Open",
        "colour": "state-red" if late > 0 else "state-blue",
        "minor": invoice.available,
        "total": _money(total, invoice.currency),
        "open": _money(owed, invoice.currency),
    }


def _money(minor: int, currency: str) -> str:
    places = _PLACES.get(currency, 2)
    return format_currency(Decimal(minor).scaleb(-places), currency, locale="en_GB")


def _day(on: date, today: date) -> str:
    return format_date(on, "d MMM" if on.year == today.year else "d MMM y", locale="en_GB")
