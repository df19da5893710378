"""Refunds: parts of a charge that go back. What becomes of one is a knob of the laboratory's."""

from __future__ import annotations

from typing import Final

from simulators.sandbox_provider.charges import Charges
from simulators.sandbox_provider.clock import Clock, iso, wall_ms
from simulators.sandbox_provider.events import REFUND_EVENTS, Outbox
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.settings import Knobs
from simulators.sandbox_provider.storage import Json, Row, Storage, fresh_id

_LEGAL: Final = {"pending": frozenset({"succeeded", "failed"}), "succeeded": frozenset({"failed"})}
_GIVES_BACK: Final = frozenset({"succeeded", "settled"})
"""A charge with one of these holds money that can go back."""
_FAILURE: Final = "account_closed"


class Refunds:
    """Makes and moves refunds, inside the caller's transaction."""

    def __init__(self, storage: Storage, clock: Clock, knobs: Knobs, outbox: Outbox, charges: Charges) -> None:
        self._storage = storage
        self._clock = clock
        self._knobs = knobs
        self._outbox = outbox
        self._charges = charges

    def make(self, *, our_ref: str, charge_id: str, minor: int, currency: str) -> Row:
        """Give back a part of a charge. Raises Refusal: never more than was captured, all refunds together."""
        charge = self._charges.get(charge_id)
        if charge["status"] not in _GIVES_BACK:
            raise Refusal(400, "charge_not_refundable", f"This charge is {charge['status']} and cannot be refunded.")
        if charge["currency"] != currency:
            raise Refusal(400, "currency_differs", f"This charge was taken in {charge['currency']}.")
        left = charge["amount_minor"] - self._given_back(charge_id)
        if minor > left:
            raise Refusal(400, "refund_too_large", f"Of this charge {left} (minor units) can still be refunded.")
        refund_id, now_ms = fresh_id("sbr"), self._clock.now_ms()
        self._storage.insert(
            "refunds",
            id=refund_id,
            our_ref=our_ref,
            charge_id=charge_id,
            amount_minor=minor,
            currency=currency,
            status="pending",
            created_ms=now_ms,
            created_wall_ms=wall_ms(),
        )
        path = self._knobs.refund_path
        if path == "stays_pending":
            self._tell(refund_id)
        elif path == "fails":
            self.move(refund_id, "failed")
        else:
            self.move(refund_id, "succeeded")
        if path == "fails_after_success":
            self._storage.update("refunds", refund_id, fails_ms=now_ms + 1000 * self._knobs.debit_seconds[2])
        return self.get(refund_id)

    def move(self, refund_id: str, status: str) -> bool:
        """Change the status where that is legal, and tell it. False when it is not, and nothing changed."""
        if status not in _LEGAL.get(self.get(refund_id)["status"], frozenset()):
            return False
        code = _FAILURE if status == "failed" else None
        self._storage.update("refunds", refund_id, status=status, failure_code=code, fails_ms=None)
        self._tell(refund_id)
        return True

    def move_by_reference(self, our_ref: str, status: str) -> int:
        """What the bank says of every refund with a reference; how many moved."""
        rows = self._storage.all("SELECT id FROM refunds WHERE our_ref = ?", our_ref)
        return sum(self.move(row["id"], status) for row in rows)

    def run_due(self, now_ms: int) -> None:
        """Those that fail after success, once their time has come."""
        for row in self._storage.all("SELECT id FROM refunds WHERE fails_ms <= ?", now_ms):
            self.move(row["id"], "failed")

    def get(self, refund_id: str) -> Row:
        """A refund. Raises Refusal(404)."""
        row = self._storage.one("SELECT * FROM refunds WHERE id = ?", refund_id)
        if row is None:
            raise Refusal(404, "refund_not_found", "There is no such refund.")
        return row

    def shown(self, refund: Row) -> dict[str, Json]:
        """A refund as the API writes it."""
        return {
            "id": refund["id"],
            "our_ref": refund["our_ref"],
            "charge": refund["charge_id"],
            "status": refund["status"],
            "amount": {"minor": refund["amount_minor"], "currency": refund["currency"]},
            "failure_code": refund["failure_code"],
            "created_at": iso(refund["created_ms"]),
        }

    def _given_back(self, charge_id: str) -> int:
        row = self._storage.one(
            "SELECT coalesce(sum(amount_minor), 0) AS minor FROM refunds WHERE charge_id = ? AND status <> 'failed'",
            charge_id,
        )
        return 0 if row is None else int(row["minor"])

    def _tell(self, refund_id: str) -> None:
        refund = self.get(refund_id)
        self._outbox.record(
            REFUND_EVENTS[refund["status"]], subject="refund", object_id=refund_id, our_ref=refund["our_ref"]
        )
