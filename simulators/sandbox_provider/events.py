"""What happened here, and the deliveries that tell it: rows first, so that a killed process tells it after its restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from simulators.sandbox_provider.clock import Clock, iso, wall_ms
from simulators.sandbox_provider.settings import Knobs
from simulators.sandbox_provider.storage import Json, Row, Storage, fresh_id

CHARGE_EVENTS: Final[Mapping[str, str]] = {
    "requires_action": "charge.requires_action",
    "pending": "charge.processing",
    "succeeded": "charge.captured",
    "settled": "charge.settled",
    "failed": "charge.failed",
    "returned": "charge.returned",
    "disputed": "charge.disputed",
    "canceled": "charge.canceled",
    "expired": "charge.expired",
}
REFUND_EVENTS: Final[Mapping[str, str]] = {
    "pending": "refund.pending",
    "succeeded": "refund.succeeded",
    "failed": "refund.failed",
}
SETUP_EVENTS: Final[Mapping[str, str]] = {
    "verifying": "setup.verifying",
    "completed": "setup.completed",
    "failed": "setup.failed",
    "canceled": "setup.canceled",
    "expired": "setup.expired",
}

_LATE_MS: Final = 400
_MAGIC_DUPLICATES, _MAGIC_DISORDER, _MAGIC_SILENCE, _MAGIC_BAD_SIGNATURE = 9007, 9008, 9009, 9012


class Outbox:
    """Records events. `wake` is called for each, and must only set a flag: the transaction may still roll back."""

    def __init__(self, storage: Storage, clock: Clock, knobs: Knobs, wake: Callable[[], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._knobs = knobs
        self._wake = wake

    def record(
        self, kind: str, *, subject: str, object_id: str, our_ref: str, at_ms: int | None = None, amount_minor: int = 0
    ) -> str:
        """Store an event and its deliveries, in the caller's transaction. The event's id."""
        event_id = fresh_id("sbe")
        body = {
            "id": event_id,
            "type": kind,
            "mode": "test",
            "created_at": iso(self._clock.now_ms() if at_ms is None else at_ms),
            "our_ref": our_ref,
            "object": {"type": subject, "id": object_id},
        }
        self._storage.insert("events", id=event_id, type=kind, our_ref=our_ref, object_id=object_id, body=json.dumps(body))
        magic = amount_minor % 10_000 if self._knobs.magic_amounts else 0
        self._plan(event_id, kind=kind, object_id=object_id, magic=magic)
        if magic == _MAGIC_DISORDER and kind == "charge.captured" and not self._is_debit(object_id):
            late = self.record("charge.processing", subject=subject, object_id=object_id, our_ref=our_ref)
            self._storage.run(
                "UPDATE deliveries SET state = 'queued', due_ms = ? WHERE event_id = ?", wall_ms() + _LATE_MS, late
            )
        self._wake()
        return event_id

    def resend(self, event_id: str, times: int) -> bool:
        """Deliver an event again; False when there is no such event."""
        if self._storage.one("SELECT 1 FROM events WHERE id = ?", event_id) is None:
            return False
        for _ in range(times):
            self._queue(event_id, due_ms=wall_ms())
        self._wake()
        return True

    def release(self, *, newest_first: bool) -> int:
        """Let held deliveries go, in the order of their events or against it; how many there were."""
        order = "DESC" if newest_first else "ASC"
        held = self._storage.all(f"SELECT id FROM deliveries WHERE state = 'held' ORDER BY id {order}")
        start = wall_ms()
        for place, row in enumerate(held):
            # A small distance keeps the order on the wire.
            self._storage.run(
                "UPDATE deliveries SET state = 'queued', due_ms = ? WHERE id = ?", start + 25 * place, row["id"]
            )
        self._wake()
        return len(held)

    def _plan(self, event_id: str, *, kind: str, object_id: str, magic: int) -> None:
        mode = self._storage.knob("webhook_mode", "deliver")
        if mode == "drop" or magic == _MAGIC_SILENCE:
            self._queue(event_id, due_ms=wall_ms(), state="dropped")
            return
        state = "held" if mode == "hold" else "queued"
        due_ms = wall_ms()
        if self._storage.knob("webhook_reorder", False) is True and self._count_events() % 2 == 1:
            due_ms += _LATE_MS
        if magic == _MAGIC_DISORDER:
            if kind == "charge.processing" and state == "queued":
                self._queue(event_id, due_ms=due_ms, state="waiting")
                return
            self._storage.run(
                "UPDATE deliveries SET state = 'queued', due_ms = ? WHERE state = 'waiting' "
                "AND event_id IN (SELECT id FROM events WHERE object_id = ?)",
                due_ms + _LATE_MS,
                object_id,
            )
        if self._storage.knob("webhook_bad_signature_first", False) is True or magic == _MAGIC_BAD_SIGNATURE:
            self._queue(event_id, due_ms=due_ms, state=state, bad_signature=True)
            due_ms += _LATE_MS
        copies = 3 if magic == _MAGIC_DUPLICATES else 1 + self._storage.number("webhook_duplicates", 0)
        for _ in range(copies):
            self._queue(event_id, due_ms=due_ms, state=state)

    def _queue(self, event_id: str, *, due_ms: int, state: str = "queued", bad_signature: bool = False) -> None:
        self._storage.insert("deliveries", event_id=event_id, due_ms=due_ms, state=state, bad_signature=int(bad_signature))

    def _count_events(self) -> int:
        row = self._storage.one("SELECT max(sequence) AS last FROM events")
        return 0 if row is None or row["last"] is None else int(row["last"])

    def _is_debit(self, charge_id: str) -> bool:
        return self._storage.one("SELECT 1 FROM steps WHERE charge_id = ?", charge_id) is not None


def list_events(storage: Storage, *, after: str | None, limit: int) -> list[Json]:
    """Events in the order they happened, for catching up; after the one named."""
    start = storage.one("SELECT sequence FROM events WHERE id = ?", after) if after else None
    rows = storage.all(
        "SELECT body FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
        0 if start is None else start["sequence"],
        limit,
    )
    return [json.loads(row["body"]) for row in rows]


def deliveries_of(storage: Storage) -> list[Json]:
    """Every delivery with its event, for tests: state, attempts and what the receiver answered last."""
    rows: list[Row] = list(
        storage.all(
            "SELECT d.id, d.event_id, e.type, e.our_ref, d.state, d.attempts, d.last_status, d.bad_signature "
            "FROM deliveries d JOIN events e ON e.id = d.event_id ORDER BY d.id"
        )
    )
    return [{name: row[name] for name in row.keys()} for row in rows]  # noqa: SIM118 - a Row iterates its values
