"""Pages of lists as JSON: straight from the rows, without a model for each (the models are what tests compare with)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from pydantic_core import to_json
from starlette.responses import Response

from api.formatting import zone
from api.services import Services
from api.v1.cursors import Cursors
from api.v1.schemas import Page

Row = TypeVar("Row", bound=tuple[Any, ...])


def json_answer(told: Mapping[str, Any], *, status: int = 200) -> Response:
    """A JSON object; dates and times are written as RFC 3339 has them."""
    return Response(to_json(told), status, media_type="application/json")


def cursors_of(given: Services, of: str, wanted: Page) -> Cursors:
    """The cursors of a list with this filter; how many rows a page has may change on the way."""
    return Cursors(given.form_keys, of=of, wanted=wanted.model_dump(exclude={"cursor", "limit"}, exclude_none=True))


def page_of(
    name: str,
    rows: Sequence[Row],
    fields: Sequence[str],
    *,
    limit: int,
    cursor: Callable[[Row], str],
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda told: told,
) -> Response:
    """The rows under their name, and the cursor of the next page. One row more than `limit` says that there is one."""
    shown = rows[:limit]
    told = [change(dict(zip(fields, row, strict=True))) for row in shown]
    return json_answer({name: told, "next_cursor": cursor(shown[-1]) if len(rows) > limit else None})


class Today:
    """Which day it is in a customer's time zone, looked up once for each zone."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._days: dict[str, date] = {}

    def __call__(self, time_zone: str) -> date:
        if time_zone not in self._days:
            self._days[time_zone] = self._now.astimezone(zone(time_zone)).date()
        return self._days[time_zone]
