"""Reading what changed. The first sweep asks page by page in the order of changes; later ones ask for everything that has
changed since the last one began, which one answer holds, deletions included.

A sweep goes back by an overlap before the last one began, by the far side's clock: a change may appear late with an early
time. What is read again and found the same is left out, which the cursor remembers for that while. Change data capture:
https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

from connectors.erp.ports import Page
from connectors.erp.quickbooks import wire
from connectors.erp.quickbooks.client import ROWS_MAX, QuickBooksClient, after
from connectors.erp.rests import Rest
from connectors.erp.sweeps import digest_of
from connectors.errors import Unavailable

T = TypeVar("T")
Rows = Mapping[str, Sequence[wire.Wire]]
"""Objects by their entity; a deleted one has a status that says so, and little else."""

CAPTURE_MAX: Final = 1000
_CAPTURE_DAYS: Final = timedelta(days=29)
_QUIET: Final = timedelta(days=1)
_SHORTEST: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read continues. `since` is None in the first sweep, which goes on at `low` of the entity numbered `part`;
    `began` is when this sweep began. `told` is what was told of each row that will be read again: its time and digest.
    """

    since: str | None = None
    began: str | None = None
    is_under_way: bool = False
    part: int = 0
    low: str = ""
    skip: int = 0
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
    """What is read: its own entities, others whose changes touch it, and how rows become values by key.

    `read` is given what changed (or a page of the first sweep), and answers only what belongs to this stream.
    """

    client: QuickBooksClient
    entities: Sequence[str]
    touching: Sequence[str]
    read: Callable[[Rows], Awaitable[Mapping[str, T]]]
    overlap: timedelta
    rest: Rest

    async def page(self, cursor: str, *, limit: int) -> Page[T]:
        """Up to so many rows that are new or differ from what was told. Raises ConnectorError."""
        if self.rest.holds(cursor):
            return Page(rows=(), cursor=cursor, more=False)
        page = await self._read_page(cursor, limit)
        if not page.more:
            self.rest.begin(page.cursor)
        return page

    async def _read_page(self, cursor: str, limit: int) -> Page[T]:
        given = Cursor.parsed(cursor)
        if given.began is None or (given.is_under_way and given.since is None):
            return await self._first(given, limit)
        sweep = given if given.is_under_way else self._next(given)
        if sweep.since is None:
            return await self._first(sweep, limit)
        since = sweep.since
        changed, began = await self._changed(moment := wire.moment(since))
        sweep = sweep if sweep.began is not None else replace(sweep, began=wire.told(began))
        found = await self.read(changed)
        fresh = [name for name, row in found.items() if sweep.told.get(name, ("", ""))[1] != digest_of(row)]
        if not fresh and not given.is_under_way and began - moment < _QUIET:
            # Nothing changed: the same cursor, so that asking again and again writes nothing down.
            return Page(rows=(), cursor=cursor, more=False)
        sent = fresh[:limit]
        told = {name: each for name, each in sweep.told.items() if name in found}
        told |= {name: (since, digest_of(found[name])) for name in sent}
        more = len(fresh) > limit
        return Page(
            rows=tuple(found[name] for name in sent),
            cursor=replace(sweep, is_under_way=more, told=told).text(),
            more=more,
        )

    def _next(self, given: Cursor) -> Cursor:
        """The sweep after a finished one; from the beginning where the capture no longer reaches back so far."""
        assert given.began is not None
        since = wire.moment(given.began) - self.overlap
        if datetime.now(UTC) - since > _CAPTURE_DAYS:
            return Cursor()
        return Cursor(since=wire.told(since), told=given.told)

    async def _first(self, given: Cursor, limit: int) -> Page[T]:
        """A page of the first sweep: what a page of QuickBooks's holds beyond the limit is asked for again."""
        began = given.began or wire.told(await self._clock())
        part, low, skip = given.part, given.low, given.skip
        told, rows = dict(given.told), list[T]()
        while part < len(self.entities) and len(rows) < limit:
            entity = self.entities[part]
            page = await self.client.page(entity, low=low, skip=skip)
            last_of = {each["Id"]: str(each["MetaData"]["LastUpdatedTime"]) for each in page}
            found = await self.read({entity: page})
            fresh = [name for name, row in found.items() if told.get(name, ("", ""))[1] != digest_of(row)]
            sent = fresh[: limit - len(rows)]
            rows += [found[name] for name in sent]
            told |= {name: (last_of.get(name.rpartition("-")[2], began), digest_of(found[name])) for name in sent}
            if len(sent) < len(fresh):
                break
            if len(page) < ROWS_MAX:
                part, low, skip = part + 1, "", 0
            else:
                low, skip = after(page, low, skip)
            told = _still_needed(told, low, wire.moment(began) - self.overlap)
        more = part < len(self.entities)
        cursor = Cursor(began=began, is_under_way=more, part=part, low=low, skip=skip, told=told)
        return Page(rows=tuple(rows), cursor=cursor.text(), more=more)

    async def _clock(self) -> datetime:
        return (await self.client.get("/query", query="select * from Preferences maxresults 1")).at()

    async def _changed(self, since: datetime) -> tuple[Rows, datetime]:
        """What changed since a moment, and what time it was. An answer that is full says nothing of what did not fit: the
        changes are then asked for page by page, and deletions by halving the while until an answer is not full.
        """
        names = [*self.entities, *self.touching]
        changed, at = await self._captured(names, since)
        if sum(map(len, changed.values())) < CAPTURE_MAX:
            return changed, at
        condition = f"MetaData.LastUpdatedTime >= '{wire.told(since)}'"
        found: dict[str, list[wire.Wire]] = {name: await self.client.every(name, condition) for name in names}
        while sum(map(len, changed.values())) >= CAPTURE_MAX and at - since > _SHORTEST:
            since += (at - since) / 2
            changed, _ = await self._captured(names, since)
        for name, rows in changed.items():
            found[name] += [each for each in rows if each.get("status") == "Deleted"]
        return found, at

    async def _captured(self, names: Sequence[str], since: datetime) -> tuple[Rows, datetime]:
        answer = await self.client.get("/cdc", entities=",".join(names), changedSince=wire.told(since))
        try:
            responses = answer.body["CDCResponse"][0]["QueryResponse"]
        except (KeyError, IndexError, TypeError) as unreadable:
            raise Unavailable("QuickBooks's answer about changes cannot be read.") from unreadable
        return {name: [row for each in responses for row in each.get(name, ())] for name in names}, answer.at()


def _still_needed(told: Mapping[str, tuple[str, str]], low: str, since: datetime) -> dict[str, tuple[str, str]]:
    """What the next page or the next sweep will read again."""
    floor = min(wire.moment(low), since) if low else since
    return {name: each for name, each in told.items() if wire.moment(each[0]) >= floor}
