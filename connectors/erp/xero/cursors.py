"""Reading what changed: by the time of the change, with an overlap, and without pages that shift while they are read.

A list is asked for what changed since a second, in order; what follows is asked for from the last row's own second on, never
by a page's number, so that a row which moves to the end takes no other one's place. What comes again and is the same is left
out: the cursor remembers what it told. The next sweep goes on from when the last began, by Xero's clock, and a while before.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from connectors.erp.ports import Page
from connectors.erp.rests import Rest
from connectors.erp.sweeps import digest_of
from connectors.erp.xero import wire
from connectors.erp.xero.client import PAGE, XeroClient

T = TypeVar("T")
Told = Mapping[str, tuple[str, str]]
"""What was told of each row: a digest, and when its list said that it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class List(Generic[T]):
    """One of Xero's lists, and the rows of ours that its rows lead to, by id. An unfinished first read skips those that only
    lead elsewhere (`is_derived`): all that they lead to is read anyway. One that is not `is_sized` has pages of Xero's size.
    """

    room: str
    where: str | None
    rows: Callable[[Sequence[Mapping[str, Any]]], Awaitable[Sequence[tuple[str, T, datetime]]]]
    is_derived: bool = False
    is_sized: bool = True
    query: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read continues: `at` is the second that the list `index` is read from, None between two sweeps."""

    since: datetime | None = None
    began: datetime | None = None
    index: int = 0
    at: datetime | None = None
    told: Told = field(default_factory=dict)

    @property
    def is_between(self) -> bool:
        """Whether the last sweep came to its end, or none began."""
        return self.at is None

    @classmethod
    def parsed(cls, text: str) -> Cursor:
        """A cursor that we gave out; the empty one begins. Raises ValueError, KeyError."""
        if not text:
            return cls()
        read = json.loads(text)
        since, began, at = (datetime.fromisoformat(read[name]) if read[name] else None for name in ("since", "began", "at"))
        told = {name: (digest, changed) for name, (digest, changed) in read["told"].items()}
        return cls(since=since, began=began, index=read["index"], at=at, told=told)

    def text(self) -> str:
        """As text that `parsed` reads."""
        moments = {"since": self.since, "began": self.began, "at": self.at}
        told = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
        known = {name: list(each) for name, each in sorted(self.told.items())}
        return json.dumps({**told, "index": self.index, "told": known}, separators=(",", ":"))


_CHUNK: Final = 20
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Stream(Generic[T]):
    """What is read, list after list. `every_seconds`: what was just read to its end is not asked for again before."""

    def __init__(self, client: XeroClient, lists: Sequence[List[T]], *, overlap: timedelta, every_seconds: int) -> None:
        self._client = client
        self._lists = lists
        self._overlap = overlap
        self._rest = Rest(every_seconds)

    async def page(self, cursor: str, *, limit: int) -> Page[T]:
        """Up to so many rows that are new or differ from what was told. Raises ConnectorError."""
        if self._rest.holds(cursor):
            return Page(rows=(), cursor=cursor, more=False)
        given = Cursor.parsed(cursor)
        state = given if not given.is_between else self._next_sweep(given)
        rows: list[T] = []
        while len(rows) < limit and state.at is not None:
            state = await self._step(state, rows, limit)
        if state.at is None:
            if not rows and given.is_between and given.began is not None:
                # Nothing changed: the same cursor, so that asking again and again writes nothing down.
                self._rest.begin(cursor)
                return Page(rows=(), cursor=cursor, more=False)
            self._rest.begin(state.text())
        return Page(rows=tuple(rows), cursor=state.text(), more=state.at is not None)

    def _next_sweep(self, given: Cursor) -> Cursor:
        since = None if given.began is None else given.began - self._overlap
        return Cursor(since=since, began=None, index=0, at=since or _BEGINNING, told=given.told)

    async def _step(self, state: Cursor, rows: list[T], limit: int) -> Cursor:
        """One page of a list from `state.at` on; what is found goes to `rows`. The state after it."""
        if state.index == len(self._lists):
            return self._at_end(state)
        each, at = self._lists[state.index], state.at
        assert at is not None
        if each.is_derived and state.since is None:
            return replace(state, index=state.index + 1)
        found, began = await self._read(each, at)
        state = replace(state, began=state.began or began)
        told = dict(state.told)
        for start in range(0, len(found), _CHUNK):
            some = found[start : start + _CHUNK]
            for name, row, changed_at in await each.rows(some):
                if len(rows) == limit:
                    return replace(state, told=told, at=max(at, _second(_changed_at(some[0]))))
                known, said = told.get(name), digest_of(row)
                told[name] = (said, max(changed_at.isoformat(), known[1] if known else ""))
                if known is None or known[0] != said:
                    rows.append(row)
        if len(found) % PAGE or not found:
            return replace(state, told=told, index=state.index + 1, at=state.since or _BEGINNING)
        return replace(state, told=told, at=_second(_changed_at(found[-1])))

    async def _read(self, each: List[T], at: datetime) -> tuple[list[wire.Wire], datetime]:
        """Rows changed from a second on: a page, or several where one holds nothing but that one second."""
        found: list[wire.Wire] = []
        began, number = None, 1
        while True:
            query: dict[str, str | int] = {**each.query, "order": "UpdatedDateUTC ASC", "page": number}
            if each.is_sized:
                query["pageSize"] = PAGE
            if each.where is not None:
                query["where"] = each.where
            told, now = await self._client.read_at(f"/{each.room}", since=at, **query)
            found += told[each.room]
            began, number = began or now, number + 1
            is_full = len(told[each.room]) >= PAGE
            if not is_full or _second(_changed_at(found[-1])) > at:
                return found, began

    def _at_end(self, state: Cursor) -> Cursor:
        assert state.began is not None
        again = (state.began - self._overlap).isoformat()
        told = {name: each for name, each in state.told.items() if each[1] >= again}
        return Cursor(since=state.since, began=state.began, index=0, at=None, told=told)


def _changed_at(listed: Mapping[str, Any]) -> datetime:
    return wire.moment(listed["UpdatedDateUTC"])


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
