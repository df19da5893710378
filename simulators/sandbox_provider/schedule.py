"""What comes due on the provider's clock: steps of bank debits, pages and set-ups that expire, refunds that fail late, and a
payout a day.
"""

from __future__ import annotations

from simulators.sandbox_provider.charges import Charges
from simulators.sandbox_provider.clock import Clock
from simulators.sandbox_provider.payouts import Payouts
from simulators.sandbox_provider.refunds import Refunds
from simulators.sandbox_provider.setups import Setups
from simulators.sandbox_provider.storage import Storage


class Schedule:
    """Runs what is due, each at the moment it was due, in order."""

    def __init__(
        self, storage: Storage, clock: Clock, charges: Charges, setups: Setups, refunds: Refunds, payouts: Payouts
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._charges = charges
        self._setups = setups
        self._refunds = refunds
        self._payouts = payouts

    def run_due(self) -> None:
        """Everything up to now, in one transaction."""
        now_ms = self._clock.now_ms()
        with self._storage.transaction():
            self._expire(now_ms)
            self._refunds.run_due(now_ms)
            for step in self._storage.all("SELECT * FROM steps WHERE at_ms <= ? ORDER BY at_ms, id", now_ms):
                self._storage.run("DELETE FROM steps WHERE id = ?", step["id"])
                column = "return_code" if step["status"] == "returned" else "failure_code"
                self._charges.move(step["charge_id"], step["status"], at_ms=step["at_ms"], changes={column: step["code"]})
            self._payouts.run_due(now_ms)

    def _expire(self, now_ms: int) -> None:
        for row in self._storage.all(
            "SELECT id, expires_ms FROM charges WHERE status = 'requires_action' AND expires_ms <= ?", now_ms
        ):
            self._charges.move(row["id"], "expired", at_ms=row["expires_ms"])
        for row in self._storage.all(
            "SELECT id, status, expires_ms FROM setups WHERE status IN ('open', 'verifying') AND expires_ms <= ?",
            now_ms,
        ):
            if row["status"] == "open":
                self._setups.move(row["id"], "expired", at_ms=row["expires_ms"])
            else:
                self._setups.move(
                    row["id"], "failed", at_ms=row["expires_ms"], changes={"failure_code": "verification_timed_out"}
                )
