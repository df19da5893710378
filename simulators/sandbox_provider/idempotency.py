"""The same key gives the same answer for 24 hours of the provider's clock, whatever that answer was (500 and 402 too)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from simulators.sandbox_provider.clock import Clock
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.storage import Json, Storage

_KEPT_MS: Final = 24 * 3_600_000
_LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer as it is stored and sent."""

    status: int
    body: dict[str, Json]


class Idempotency:
    """Keys and their stored answers. A key under way is held in memory: a killed process leaves none stuck."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._under_way: set[str] = set()

    def begin(self, key: str | None, fingerprint: str) -> Answer | None:
        """The stored answer, or None: go ahead and `finish`. Raises Refusal."""
        if not key or len(key) > _LONGEST_KEY:
            raise Refusal(400, "idempotency_key_missing", "Send an Idempotency-Key of at most 255 characters.")
        if key in self._under_way:
            raise Refusal(409, "idempotency_key_in_use", "A request with this key is under way.")
        self._storage.run("DELETE FROM idempotency WHERE expires_ms <= ?", self._clock.now_ms())
        row = self._storage.one("SELECT * FROM idempotency WHERE key = ?", key)
        if row is None:
            self._under_way.add(key)
            return None
        if row["fingerprint"] != fingerprint:
            raise Refusal(
                400, "idempotency_mismatch", "This key was used for another request; use it with the same body only."
            )
        return Answer(status=row["status"], body=json.loads(row["body"]))

    def keep(self, key: str, fingerprint: str, answer: Answer) -> None:
        """Store the answer, in the transaction of what it tells."""
        self._storage.insert(
            "idempotency",
            key=key,
            fingerprint=fingerprint,
            status=answer.status,
            body=json.dumps(answer.body),
            expires_ms=self._clock.now_ms() + _KEPT_MS,
        )

    def end(self, key: str) -> None:
        """The request is over, answered or not."""
        self._under_way.discard(key)


def fingerprint_of(method: str, path: str, raw: bytes) -> str:
    """What must be equal for a key to be replayed."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), raw))).hexdigest()
