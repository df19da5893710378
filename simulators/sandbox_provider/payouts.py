"""Payouts: once a day, for each currency, what was taken since the last one less refunds, returns and fees."""

from __future__ import annotations

from typing import Final

from simulators.sandbox_provider.clock import Clock, iso
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.storage import Json, Row, Storage, fresh_id

_DAY_MS: Final = 86_400_000
_FEE_OF_A_PAYOUT: Final = 25

# What happened since the last payout, once each: a charge that succeeded, a refund that did, a charge that came back, a
# refund that failed after it had gone out. 1.5 percent and 20 minor units of each charge are the fee.
_TAKEN: Final = """
INSERT INTO balance (id, kind, source_id, our_ref, gross_minor, fee_minor, currency)
SELECT 'sbb_' || lower(hex(randomblob(12))), 'charge', c.id, c.our_ref, c.amount_minor,
       min(c.amount_minor, c.amount_minor * 15 / 1000 + 20), c.currency
FROM charges c WHERE c.status IN ('succeeded', 'settled', 'returned', 'disputed')
  AND NOT EXISTS (SELECT 1 FROM balance b WHERE b.kind = 'charge' AND b.source_id = c.id) ORDER BY c.rowid"""
_GIVEN_BACK: Final = """
INSERT INTO balance (id, kind, source_id, our_ref, gross_minor, fee_minor, currency)
SELECT 'sbb_' || lower(hex(randomblob(12))), 'refund', r.id, r.our_ref, -r.amount_minor, 0, r.currency
FROM refunds r WHERE r.status = 'succeeded'
  AND NOT EXISTS (SELECT 1 FROM balance b WHERE b.kind = 'refund' AND b.source_id = r.id) ORDER BY r.rowid"""
_CAME_BACK: Final = """
INSERT INTO balance (id, kind, source_id, our_ref, gross_minor, fee_minor, currency)
SELECT 'sbb_' || lower(hex(randomblob(12))), 'dispute', c.id, c.our_ref, -c.amount_minor, 0, c.currency
FROM charges c JOIN balance t ON t.kind = 'charge' AND t.source_id = c.id
WHERE c.status IN ('returned', 'disputed')
  AND coalesce((SELECT sum(b.gross_minor) FROM balance b WHERE b.kind = 'dispute' AND b.source_id = c.id), 0) = 0
ORDER BY c.rowid"""
_WON_BACK: Final = """
INSERT INTO balance (id, kind, source_id, our_ref, gross_minor, fee_minor, currency)
SELECT 'sbb_' || lower(hex(randomblob(12))), 'dispute', c.id, c.our_ref, c.amount_minor, 0, c.currency
FROM charges c WHERE c.status = 'settled'
  AND (SELECT sum(b.gross_minor) FROM balance b WHERE b.kind = 'dispute' AND b.source_id = c.id) < 0 ORDER BY c.rowid"""
_NOT_TAKEN: Final = """
INSERT INTO balance (id, kind, source_id, our_ref, gross_minor, fee_minor, currency)
SELECT 'sbb_' || lower(hex(randomblob(12))), 'adjustment', r.id, r.our_ref, r.amount_minor, 0, r.currency
FROM refunds r JOIN balance t ON t.kind = 'refund' AND t.source_id = r.id
WHERE r.status = 'failed' AND NOT EXISTS (SELECT 1 FROM balance b WHERE b.kind = 'adjustment' AND b.source_id = r.id)"""


class Payouts:
    """Makes and shows payouts, inside the caller's transaction."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def run_due(self, now_ms: int) -> None:
        """Pay out at the first look of each day; the first day of all only begins to count."""
        today = now_ms // _DAY_MS
        last = self._storage.number("paid_out_on_day", -1)
        if today == last:
            return
        self._storage.set_knob("paid_out_on_day", today)
        if last >= 0:
            self.pay_out(now_ms)

    def pay_out(self, now_ms: int, *, off_by: int = 0) -> list[Json]:
        """One payout for each currency in which something happened, arriving a day later; their ids."""
        for statement in (_TAKEN, _GIVEN_BACK, _CAME_BACK, _WON_BACK, _NOT_TAKEN):
            self._storage.run(statement)
        made: list[Json] = []
        waiting = self._storage.all("SELECT DISTINCT currency FROM balance WHERE payout_id IS NULL ORDER BY currency")
        for currency in [row["currency"] for row in waiting]:
            payout_id = fresh_id("sbp")
            self.add("fee", gross=-_FEE_OF_A_PAYOUT, currency=currency)
            self._storage.run(
                "UPDATE balance SET payout_id = ? WHERE payout_id IS NULL AND currency = ?", payout_id, currency
            )
            row = self._storage.one(
                "SELECT sum(gross_minor - fee_minor) AS minor FROM balance WHERE payout_id = ?", payout_id
            )
            assert row is not None
            self._storage.insert(
                "payouts",
                id=payout_id,
                amount_minor=int(row["minor"]) + off_by,
                currency=currency,
                created_ms=now_ms,
                arrives_ms=now_ms + _DAY_MS,
            )
            made.append(payout_id)
        return made

    def add(
        self,
        kind: str,
        *,
        gross: int,
        currency: str,
        fee: int = 0,
        source: str | None = None,
        our_ref: str | None = None,
    ) -> str:
        """Something that the next payout of its currency holds; its id."""
        item_id = fresh_id("sbb")
        self._storage.insert(
            "balance",
            id=item_id,
            kind=kind,
            source_id=source,
            our_ref=our_ref,
            gross_minor=gross,
            fee_minor=fee,
            currency=currency,
        )
        return item_id

    def fail(self, payout_id: str) -> int:
        """The bank sent it back: what it was is in the next one again. How many there were."""
        payout = self.get(payout_id)
        moved = self._storage.run("UPDATE payouts SET failed = 1 WHERE id = ? AND failed = 0", payout_id)
        if moved:
            self.add("adjustment", gross=payout["amount_minor"], currency=payout["currency"], source=payout_id)
        return moved

    def listed(self, *, after: str | None, limit: int) -> list[Json]:
        """Payouts in the order they were made, after the one named."""
        start = self._storage.one("SELECT sequence FROM payouts WHERE id = ?", after) if after else None
        rows = self._storage.all(
            "SELECT * FROM payouts WHERE sequence > ? ORDER BY sequence LIMIT ?", 0 if start is None else start[0], limit
        )
        return [self.shown(row) for row in rows]

    def items(self, payout_id: str, *, after: str | None, limit: int) -> list[Json]:
        """A payout's parts, after the one named. Raises Refusal(404)."""
        self.get(payout_id)
        start = self._storage.one("SELECT sequence FROM balance WHERE id = ?", after) if after else None
        rows = self._storage.all(
            "SELECT * FROM balance WHERE payout_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            payout_id,
            0 if start is None else start[0],
            limit,
        )
        return [
            {
                "id": row["id"],
                "kind": row["kind"],
                "source": row["source_id"],
                "our_ref": row["our_ref"],
                "gross": row["gross_minor"],
                "fee": row["fee_minor"],
                "net": row["gross_minor"] - row["fee_minor"],
                "currency": row["currency"],
            }
            for row in rows
        ]

    def get(self, payout_id: str) -> Row:
        """A payout. Raises Refusal(404)."""
        row = self._storage.one("SELECT * FROM payouts WHERE id = ?", payout_id)
        if row is None:
            raise Refusal(404, "payout_not_found", "There is no such payout.")
        return row

    def shown(self, payout: Row) -> dict[str, Json]:
        """A payout as the API writes it."""
        has_arrived = self._clock.now_ms() >= payout["arrives_ms"]
        return {
            "id": payout["id"],
            "amount": {"minor": payout["amount_minor"], "currency": payout["currency"]},
            "status": "failed" if payout["failed"] else "paid" if has_arrived else "in_transit",
            "created_at": iso(payout["created_ms"]),
            "arrives_on": iso(payout["arrives_ms"])[:10],
        }
