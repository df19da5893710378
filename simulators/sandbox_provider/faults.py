"""Faults on request: what a test ordered for the next calls, and what an amount asks for by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from simulators.sandbox_provider.settings import Knobs
from simulators.sandbox_provider.storage import Json, Storage


class FaultKind(StrEnum):
    """What goes wrong. *before*: nothing is executed; *after*: it is executed and kept, the answer suffers."""

    DROP_BEFORE = "drop_before"  # the connection is cut
    DROP_AFTER = "drop_after"
    HANG_BEFORE = "hang_before"  # silence for `seconds`, then the connection is cut
    HANG_AFTER = "hang_after"
    SLOW = "slow"  # silence for `seconds`, then executed: later than an impatient caller thinks
    STATUS_500_BEFORE = "status_500_before"
    STATUS_500_AFTER = "status_500_after"  # the key replays the 500
    STATUS_429 = "status_429"
    STATUS_409 = "status_409"
    STATUS_401 = "status_401"
    STATUS_403 = "status_403"
    REFUSE = "refuse"  # understood and refused: 400
    MALFORMED_AFTER = "malformed_after"  # half a JSON document
    UNKNOWN_STATUS = "unknown_status"  # a status that no document mentions
    EVENT_FIRST = "event_first"  # the webhook goes out, the answer follows `seconds` later


_MAGIC: Final = {
    9001: FaultKind.HANG_AFTER,
    9002: FaultKind.HANG_BEFORE,
    9003: FaultKind.STATUS_500_AFTER,
    9004: FaultKind.STATUS_429,
    9005: FaultKind.STATUS_409,
    9006: FaultKind.EVENT_FIRST,
    9010: FaultKind.MALFORMED_AFTER,
}
_MAGIC_HANG_SECONDS: Final = 15
_MAGIC_EVENT_LEAD_SECONDS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault to apply now."""

    kind: FaultKind
    seconds: int


class Faults:
    """Ordered faults live in the file, so that a restart keeps them."""

    def __init__(self, storage: Storage, knobs: Knobs) -> None:
        self._storage = storage
        self._knobs = knobs

    def order(self, *, op: str, kind: FaultKind, our_ref: str | None, seconds: int, skip: int, times: int) -> None:
        """Let the next `times` calls of an operation ('*': any) go wrong, after `skip` good ones."""
        self._storage.insert("faults", op=op, kind=kind, our_ref=our_ref, seconds=seconds, skip=skip, times=times)

    def clear(self) -> None:
        """No more faults."""
        self._storage.run("DELETE FROM faults")

    def listed(self) -> list[Json]:
        """The faults still to come."""
        rows = self._storage.all("SELECT op, kind, our_ref, seconds, skip, times FROM faults ORDER BY id")
        return [dict(zip(row.keys(), tuple(row), strict=True)) for row in rows]

    def take(self, op: str, our_ref: str | None) -> Fault | None:
        """The fault for this call, used up by it; None: all goes well."""
        row = self._storage.one(
            "SELECT * FROM faults WHERE op IN (?, '*') AND (our_ref IS NULL OR our_ref = ?) ORDER BY id LIMIT 1",
            op,
            our_ref,
        )
        if row is None:
            return None
        if row["skip"] > 0:
            self._storage.run("UPDATE faults SET skip = skip - 1 WHERE id = ?", row["id"])
            return None
        if row["times"] <= 1:
            self._storage.run("DELETE FROM faults WHERE id = ?", row["id"])
        else:
            self._storage.run("UPDATE faults SET times = times - 1 WHERE id = ?", row["id"])
        return Fault(kind=FaultKind(row["kind"]), seconds=row["seconds"])

    def magic(self, *, amount_minor: int, key: str | None) -> Fault | None:
        """The fault an amount asks for: the first time a key is seen, so that a retry can find out what happened."""
        kind = _MAGIC.get(amount_minor % 10_000)
        if kind is None or key is None or not self._knobs.magic_amounts:
            return None
        if self._storage.run("INSERT OR IGNORE INTO magic_spent (key) VALUES (?)", key) == 0:
            return None
        seconds = _MAGIC_EVENT_LEAD_SECONDS if kind is FaultKind.EVENT_FIRST else _MAGIC_HANG_SECONDS
        return Fault(kind=kind, seconds=seconds)
