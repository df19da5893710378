"""Reading what changed, page by page in the order of changes, ids within a second; nothing is skipped by a row that moves.

A sweep goes back by an overlap before the last one began, by the far side's clock: a change may appear late with an early
time, and the account's zone has an hour every year that comes twice. What is read again and found the same is left out.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from connectors.erp.netsuite import wire
from connectors.erp.netsuite.client import ROWS_MAX, NetSuiteClient
from connectors.erp.ports import Page
from connectors.erp.sweeps import digest_of

T = TypeVar("T")
_QUIET: Final = timedelta(days=1)
_CHUNK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read continues: `since` is where this sweep began to read ('' is the beginning), `began` when it did, `low`
    and `after` the last change that was looked at. `told` is what was told of rows that are read again: time and digest.
    """

    since: str = ""
    began: str = ""
    is_under_way: bool = False
    low: str = ""
    after: int = 0
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: str) -> Cursor:
        """A cursor that we gave out; the empty one begins. Raises ValueError, TypeError."""
        if not text:
            return cls()
        read = json.loads(text)
        return cls(**{**read, "told": {name: (each[0], each[1]) for name, each in read["told"].items()}})

    def text(self) -> str:
        """As text that `parsed` reads."""
        told = {**{name: getattr(self, name) for name in self.__slots__}, "told": dict(sorted(self.told.items()))}
        return json.dumps(told, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[T]):
    """What is read: `changes` are SELECTs of (id, at), the first of them all that there is and the others what touches it
    besides; `read` gives the values of ids by key, gone ones too.
    """

    client: NetSuiteClient
    changes: Sequence[str]
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]
    zone: ZoneInfo
    overlap: timedelta

    async def page(self, cursor: str, *, limit: int) -> Page[T]:
        """Up to so many rows that are new or differ from what was told. Raises ConnectorError."""
        given = Cursor.parsed(cursor)
        sweep = given if given.is_under_way else self._next(given)
        rows: list[T] = []
        told = dict(sweep.told)
        low, after, began, ended = sweep.low, sweep.after, sweep.began, False
        while len(rows) < limit and not ended:
            changes, at = await self._changes(sweep.since, low, after)
            began = began or wire.utc(at)
            ended = len(changes) < ROWS_MAX
            for start in range(0, len(changes), _CHUNK):
                chunk = changes[start : start + _CHUNK]
                found = await self.read([each for each, _ in chunk])
                for each, changed in chunk:
                    if len(rows) == limit:
                        ended = False
                        break
                    low, after = changed, int(each)
                    if each in found and told.get(each, ("", ""))[1] != (said := digest_of(found[each])):
                        told[each] = (changed, said)
                        rows.append(found[each])
                if len(rows) == limit:
                    ended = ended and (chunk[-1][1], int(chunk[-1][0])) == (low, after) and start + _CHUNK >= len(changes)
                    break
        if not rows and ended and not given.is_under_way and given.began and self._is_recent(given.began, began):
            # Nothing changed: the same cursor, so that asking again and again writes nothing down.
            return Page(rows=(), cursor=cursor, more=False)
        floor = wire.local(datetime.fromisoformat(began) - self.overlap, self.zone)
        kept = {name: each for name, each in told.items() if each[0] >= floor}
        after_this = replace(sweep, began=began, is_under_way=not ended, low=low, after=after, told=kept)
        return Page(rows=tuple(rows), cursor=after_this.text(), more=not ended)

    def _next(self, given: Cursor) -> Cursor:
        if not given.began:
            return Cursor()
        since = wire.local(datetime.fromisoformat(given.began) - self.overlap, self.zone)
        return Cursor(since=since, low=since, after=-1, told=given.told)

    def _is_recent(self, before: str, now: str) -> bool:
        return datetime.fromisoformat(now) - datetime.fromisoformat(before) < _QUIET

    async def _changes(self, since: str, low: str, after: int) -> tuple[list[tuple[str, str]], datetime]:
        """Ids and times of the next thousand changes, the last of each id last."""
        selects = self.changes if since else self.changes[:1]
        moment = f"TO_DATE({wire.quoted(low)}, '{wire.MOMENT}')"
        later = f" WHERE (x.at > {moment} OR (x.at = {moment} AND x.id > {after}))" if low else ""
        what = f"x.id, TO_CHAR(x.at, '{wire.MOMENT}') AS at"
        query = f"SELECT {what} FROM ({' UNION '.join(selects)}) x{later} ORDER BY x.at, x.id"  # noqa: S608 - all ours
        rows, at = await self.client.rows_at(query, most=ROWS_MAX)
        return [(str(row["id"]), str(row["at"])) for row in rows], at
