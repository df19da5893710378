"""Reading what changed, page by page, where a payment does not touch the time of the invoice that it pays.

A sweep reads what was modified since some while before the last one began (by their clock), then every row that is open, and
then those that were open when last seen and now are not. What it finds as it was told is left out.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from connectors.erp.ports import Page
from connectors.erp.sweeps import digest_of

T = TypeVar("T")
_CHANGED: Final = 0
_OPEN: Final = 1
_VANISHED: Final = 2
_ENDED: Final = 3
_CHUNK: Final = 50
Position = tuple[int, str, str]
Told = tuple[str, str, str]
"""When a row changed last, its digest, and which sweep saw it open, if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Generic[T]):
    """A row with what orders it; `number` orders those that are open."""

    id: str
    modified: str
    number: str
    is_open: bool
    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read continues: this sweep reads what changed since `since`, the next one what changed since `began`."""

    since: str = ""
    began: str = ""
    sweep: int = 0  # their clock tells seconds, and two sweeps may begin in one
    after: Position | None = None
    told: Mapping[str, Told] = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: str) -> Cursor:
        """A cursor that we gave out; the empty one begins. Raises ValueError, KeyError."""
        if not text:
            return cls()
        read = json.loads(text)
        told = {name: tuple(each) for name, each in read["told"].items()}
        after = tuple(read["after"]) if read["after"] else None
        return cls(since=read["since"], began=read["began"], sweep=read["sweep"], after=after, told=told)

    def text(self) -> str:
        """As text that `parsed` reads."""
        told = dict(sorted(self.told.items()))
        moments = {"since": self.since, "began": self.began, "sweep": self.sweep}
        values = {**moments, "after": self.after, "told": told}
        return json.dumps(values, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[T]):
    """What is read: rows by a filter in an order, at most so many; and rows by their ids. `has_open` says whether any can
    change without a time.
    """

    listed: Callable[[str, str, int], Awaitable[Sequence[Row[T]]]]
    by_id: Callable[[Sequence[str]], Awaitable[Sequence[Row[T]]]]
    clock: Callable[[], Awaitable[datetime]]
    overlap: timedelta
    open_filter: str | None = None

    async def page(self, cursor: str, *, limit: int) -> Page[T]:
        """Up to so many rows that are new or differ from what was told. Raises ConnectorError."""
        given = Cursor.parsed(cursor)
        sweep = given if given.after is not None else await self._next_sweep(given)
        rows: list[T] = []
        told = dict(sweep.told)
        after = sweep.after or (_CHANGED, "", "")
        while len(rows) < limit and after[0] != _ENDED:
            found, following = await self._next(sweep, after, told)
            for row in found:
                digest = digest_of(row.value)
                is_told = told.get(row.id, ("", "", ""))[1] == digest
                told[row.id] = (row.modified, digest, str(sweep.sweep) if row.is_open else "")
                after = (after[0], row.number if after[0] == _OPEN else row.modified, row.id)
                if not is_told:
                    rows.append(row.value)
                    if len(rows) == limit and row is not found[-1]:
                        break
            else:
                after = following
        has_ended = after[0] == _ENDED
        if not rows and has_ended and given.after is None and given.began:
            # Nothing changed: the same cursor, so that asking again and again writes nothing down.
            return Page(rows=(), cursor=cursor, more=False)
        oldest = _earlier(sweep.began, self.overlap)
        kept = {name: each for name, each in told.items() if each[2] or each[0] >= oldest}
        following_cursor = replace(sweep, after=None if has_ended else after, told=kept)
        return Page(rows=tuple(rows), cursor=following_cursor.text(), more=not has_ended)

    async def _next_sweep(self, given: Cursor) -> Cursor:
        began = _text(await self.clock())
        since = _earlier(given.began, self.overlap) if given.began else ""
        return Cursor(since=since, began=began, sweep=given.sweep + 1, after=None, told=given.told)

    async def _next(self, sweep: Cursor, after: Position, told: Mapping[str, Told]) -> tuple[Sequence[Row[T]], Position]:
        """The next rows behind a position, and where to go on when all of them are told."""
        phase, text, last = after
        if phase == _CHANGED:
            rows = await self._behind(text or sweep.since, (text, last) if text else None)
            follows: Position = (phase, rows[-1].modified, rows[-1].id) if len(rows) == _CHUNK else (_OPEN, "", "")
            return rows, follows
        if phase == _OPEN and self.open_filter is not None and sweep.since:
            behind = f" and number gt '{text}'" if text else ""
            found = await self.listed(f"{self.open_filter}{behind}", "number", _CHUNK)
            follows = (phase, found[-1].number, found[-1].id) if len(found) == _CHUNK else (_VANISHED, "", "")
            return found, follows
        if phase == _OPEN:
            return (), (_VANISHED, "", "")
        seen = str(sweep.sweep)
        gone = [name for name, each in told.items() if each[2] and each[2] != seen] if sweep.since else []
        return await self.by_id(gone), (_ENDED, "", "")

    async def _behind(self, since: str, last: tuple[str, str] | None) -> list[Row[T]]:
        """Rows in the order of change, those of the very moment where the last page ended included."""
        wanted = _CHUNK
        while True:
            condition = f"lastModifiedDateTime ge {since}" if since else ""
            rows = await self.listed(condition, "lastModifiedDateTime", wanted)
            behind = sorted(rows, key=lambda row: (row.modified, row.id))
            if last is not None:
                behind = [row for row in behind if (row.modified, row.id) > last]
            if len(rows) < wanted:
                return behind[:_CHUNK]
            # The last moment may be cut in the middle: only whole moments are in order.
            whole = [row for row in behind if row.modified < rows[-1].modified]
            if len(whole) >= _CHUNK or wanted > 100 * _CHUNK:
                return (whole or behind)[:_CHUNK]
            wanted *= 2


def _earlier(moment: str, by: timedelta) -> str:
    return _text(datetime.fromisoformat(moment) - by)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
