"""Reading what changed, page by page, where times of change may appear late and a change may leave no time at all.

A sweep reads everything that changed since a moment some while before the last sweep began (by the ERP's clock), in the
order of ids. What it reads again and finds the same is left out: the cursor remembers what it told of that time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from connectors.erp.ports import Page

T = TypeVar("T")
Key = tuple[int, int]
"""Which kind of record, and its id: the order of a sweep."""

FIRST: Final[Key] = (-1, 0)
_CHUNK: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read continues: this sweep reads what changed since `since`, the next one what changed since `began`."""

    since: datetime | None = None
    began: datetime | None = None
    after: Key | None = None
    told: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: str) -> Cursor:
        """A cursor that we gave out; the empty one begins. Raises ValueError, KeyError."""
        if not text:
            return cls()
        read = json.loads(text)
        since, began = (datetime.fromisoformat(read[name]) if read[name] else None for name in ("since", "began"))
        return cls(since=since, began=began, after=tuple(read["after"]) if read["after"] else None, told=read["told"])

    def text(self) -> str:
        """As text that `parsed` reads."""
        moments = {"since": self.since, "began": self.began}
        told = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
        return json.dumps({**told, "after": self.after, "told": dict(sorted(self.told.items()))}, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[T]):
    """What is read: the keys after one that changed since a moment (None: all), in order, at most so many; and rows by key,
    without those that are none.
    """

    changed: Callable[[datetime | None, Key, int], Awaitable[Sequence[Key]]]
    read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, T]]]
    clock: Callable[[], Awaitable[datetime]]
    overlap: timedelta

    async def page(self, cursor: str, *, limit: int) -> Page[T]:
        """Up to so many rows that are new or differ from what was told. Raises ConnectorError."""
        given = Cursor.parsed(cursor)
        sweep = given if given.after is not None else await self._next_sweep(given)
        assert sweep.began is not None
        rows: list[T] = []
        told = dict(sweep.told)
        after = sweep.after or FIRST
        ended = False
        while len(rows) < limit and not ended:
            keys = await self.changed(sweep.since, after, _CHUNK)
            found = await self.read(keys) if keys else {}
            ended = len(keys) < _CHUNK
            for key in keys:
                if len(rows) == limit:
                    ended = False
                    break
                after = key
                if key in found and told.get(_name(key)) != (said := digest_of(found[key])):
                    told[_name(key)] = said
                    rows.append(found[key])
        if not rows and ended and given.after is None and given.began is not None:
            # Nothing changed: the same cursor, so that asking again and again writes nothing down.
            return Page(rows=(), cursor=cursor, more=False)
        needed = await self._still_needed(told, sweep.began)
        return Page(
            rows=tuple(rows),
            cursor=replace(sweep, after=None if ended else after, told=needed).text(),
            more=not ended,
        )

    async def _next_sweep(self, given: Cursor) -> Cursor:
        since = None if given.began is None else given.began - self.overlap
        return Cursor(since=since, began=await self.clock(), after=None, told=given.told)

    async def _still_needed(self, told: Mapping[str, str], began: datetime) -> Mapping[str, str]:
        """What the next sweep will read again."""
        again: set[str] = set()
        after, more = FIRST, True
        while more:
            keys = await self.changed(began - self.overlap, after, _CHUNK)
            again.update(_name(key) for key in keys)
            more = len(keys) == _CHUNK
            after = keys[-1] if keys else after
        return {name: digest for name, digest in told.items() if name in again}


def _name(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def digest_of(row: object) -> str:
    """A few letters that tell a row as it is from the same row as it was."""
    return hashlib.blake2b(repr(row).encode(), digest_size=6).hexdigest()
