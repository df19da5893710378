"""Reading what changed, page by page, where a time of change may appear late and belong to another record.

A sweep goes through its sources one after another, each in the order of (modified, name), from some while before the last
sweep began (by the site's own clock, in the site's own zone). What it reads again and finds the same is left out: the cursor
remembers what it told of that time.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from connectors.erp.erpnext.client import ErpNextClient, SiteTime
from connectors.erp.ports import Page
from connectors.erp.sweeps import digest_of

T = TypeVar("T")
Key = tuple[str, str]
"""The kind of a record, and its name."""

Position = tuple[int, str, str]
"""Which source, and the time and name of the last row that was read there."""

FIRST: Final[Position] = (0, "", "")
_CHUNK: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a change shows: a list with its filter, and which records a row of it is about. One that is not `is_main` tells
    of changes only, and is not read from the beginning.
    """

    doctype: str
    filters: Sequence[object]
    fields: Sequence[str]
    about: Callable[[Mapping[str, Any]], Awaitable[Sequence[Key]]]
    is_main: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read continues: this sweep reads what changed since `since`, the next one what changed since `began`."""

    since: datetime | None = None
    began: datetime | None = None
    after: Position | None = None
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: str) -> Cursor:
        """A cursor that we gave out; the empty one begins. Raises ValueError, KeyError."""
        if not text:
            return cls()
        read = json.loads(text)
        since, began = (datetime.fromisoformat(read[name]) if read[name] else None for name in ("since", "began"))
        told = {name: (moment, digest) for name, (moment, digest) in read["told"].items()}
        return cls(since=since, began=began, after=tuple(read["after"]) if read["after"] else None, told=told)

    def text(self) -> str:
        """As text that `parsed` reads."""
        moments = {"since": self.since, "began": self.began}
        shown = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
        return json.dumps({**shown, "after": self.after, "told": dict(sorted(self.told.items()))}, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[T]):
    """What is read: its sources, and rows by key without those that are none."""

    client: ErpNextClient
    sources: Sequence[Source]
    read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, T]]]
    clock: Callable[[], Awaitable[SiteTime]]
    overlap: timedelta

    async def page(self, cursor: str, *, limit: int) -> Page[T]:
        """Up to so many rows that are new or differ from what was told. Raises ConnectorError."""
        given = Cursor.parsed(cursor)
        sweep = given if given.after is not None else await self._next_sweep(given)
        assert sweep.began is not None
        rows: list[T] = []
        told = dict(sweep.told)
        after, ended = sweep.after or FIRST, False
        while len(rows) < limit and not ended:
            changes, position = await self._changes(sweep.since, after)
            found = await self.read([key for _, keys in changes for key in keys])
            is_cut = False
            for at, keys in changes:
                fresh = {key: found[key] for key in keys if key in found and _differs(told, key, found[key])}
                for key, row in list(fresh.items())[: limit - len(rows)]:
                    rows.append(row)
                    told[_name(key)] = (at[1], digest_of(row))
                    del fresh[key]
                if fresh:
                    # The page is full: the next one begins with this row again, and leaves out what is told of it.
                    is_cut = True
                    break
                after = at
                if len(rows) >= limit:
                    is_cut = at != changes[-1][0]
                    break
            if not is_cut:
                after, ended = position, position[0] >= len(self.sources)
        if not rows and ended and given.after is None and given.began is not None:
            # Nothing changed: the same cursor, so that asking again and again writes nothing down.
            return Page(rows=(), cursor=cursor, more=False)
        # What this sweep may still come by, or the next one will.
        oldest = _text(sweep.began - self.overlap if ended or sweep.since is None else sweep.since)
        kept = {name: each for name, each in told.items() if each[0] >= oldest}
        return Page(
            rows=tuple(rows), cursor=replace(sweep, after=None if ended else after, told=kept).text(), more=not ended
        )

    async def _next_sweep(self, given: Cursor) -> Cursor:
        since = None if given.began is None else given.began - self.overlap
        return Cursor(since=since, began=(await self.clock()).now, after=None, told=given.told)

    async def _changes(
        self, since: datetime | None, after: Position
    ) -> tuple[list[tuple[Position, Sequence[Key]]], Position]:
        """The next rows behind a position, and where to go on when they are read."""
        number = after[0]
        source = self.sources[number]
        if since is None and not source.is_main:
            return [], (number + 1, "", "")
        rows = await self._rows(source, since, after)
        changes = [((number, _moment(row), str(row["name"])), await source.about(row)) for row in rows]
        return changes, changes[-1][0] if len(rows) == _CHUNK else (number + 1, "", "")

    async def _rows(self, source: Source, since: datetime | None, after: Position) -> list[Mapping[str, Any]]:
        """Rows in order, those of the very moment where the last page ended included: several may share it."""
        _, moment, name = after
        first = moment or (_text(since) if since is not None else "")
        behind = [["modified", ">=", first]] if first else []
        fields = tuple(dict.fromkeys(("name", "modified", *source.fields)))
        found: list[Mapping[str, Any]] = []
        start = 0
        while len(found) < _CHUNK:
            rows = await self.client.page(
                source.doctype,
                [*source.filters, *behind],
                fields,
                order="modified asc, name asc",
                start=start,
                limit=_CHUNK,
            )
            found += [row for row in rows if not moment or (_moment(row), str(row["name"])) > (moment, name)]
            if len(rows) < _CHUNK:
                break
            start += _CHUNK
        return found[:_CHUNK]


def _moment(row: Mapping[str, Any]) -> str:
    return str(row["modified"])


def _text(moment: datetime) -> str:
    return moment.isoformat(sep=" ")


def _name(key: Key) -> str:
    return f"{key[0]}/{key[1]}"


def _differs(told: Mapping[str, tuple[str, str]], key: Key, row: object) -> bool:
    return told.get(_name(key), ("", ""))[1] != digest_of(row)
