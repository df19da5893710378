"""Payers and their saved methods. Of a card or account only brand, last four, expiry and behaviour are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.sandbox_provider.clock import Clock
from simulators.sandbox_provider.events import Outbox
from simulators.sandbox_provider.instruments import Instrument
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.storage import Json, Row, Storage, fresh_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a customer entered on a hosted page, once recognised as a test number."""

    instrument: Instrument
    exp_month: int | None = None
    exp_year: int | None = None

    def stored(self) -> dict[str, str | int | None]:
        """As it waits in a row while the bank asks the customer."""
        return {"behaviour": self.instrument.behaviour, "exp_month": self.exp_month, "exp_year": self.exp_year}

    def masked(self) -> dict[str, str | int | None]:
        """What may be shown of it."""
        return {
            "kind": self.instrument.kind,
            "brand": self.instrument.brand,
            "last4": self.instrument.last4,
            "exp_month": self.exp_month,
            "exp_year": self.exp_year,
        }


def shown(method: Row) -> dict[str, Json]:
    """A method as the API writes it."""
    return {
        "id": method["id"],
        "kind": method["kind"],
        "brand": method["brand"],
        "last4": method["last4"],
        "exp_month": method["exp_month"],
        "exp_year": method["exp_year"],
        "status": method["status"],
    }


class Methods:
    """Keeps payers and methods; every call is inside the caller's transaction."""

    def __init__(self, storage: Storage, clock: Clock, outbox: Outbox) -> None:
        self._storage = storage
        self._clock = clock
        self._outbox = outbox

    def payer(self, *, payer_id: str | None, customer_id: str, name: str, email: str | None) -> str:
        """The id of a payer: the one named, else the one of this customer, made when new. Raises Refusal."""
        if payer_id is not None:
            if self._storage.one("SELECT 1 FROM payers WHERE id = ?", payer_id) is None:
                raise Refusal(400, "payer_not_found", "There is no such payer.")
            return payer_id
        known = self._storage.one("SELECT id FROM payers WHERE customer_id = ?", customer_id)
        if known is not None:
            return str(known["id"])
        new_id = fresh_id("sbp")
        self._storage.insert("payers", id=new_id, customer_id=customer_id, name=name, email=email)
        return new_id

    def keep(self, entry: Entry, *, payer_id: str, origin_ref: str, status: str = "active") -> str:
        """Save a method for a payer; its id."""
        method_id = fresh_id("sbm")
        self._storage.insert(
            "methods",
            id=method_id,
            payer_id=payer_id,
            origin_ref=origin_ref,
            kind=entry.instrument.kind,
            brand=entry.instrument.brand,
            last4=entry.instrument.last4,
            exp_month=entry.exp_month,
            exp_year=entry.exp_year,
            behaviour=entry.instrument.behaviour,
            status=status,
            created_ms=self._clock.now_ms(),
        )
        return method_id

    def find(self, method_id: str) -> Row | None:
        """A method, detached ones included."""
        return self._storage.one("SELECT * FROM methods WHERE id = ?", method_id)

    def usable(self, method_id: str, payer_id: str | None) -> Row:
        """A method that may be charged. Raises Refusal."""
        method = self.find(method_id)
        if method is None or (payer_id is not None and method["payer_id"] != payer_id):
            raise Refusal(400, "method_not_found", "This payer has no such payment method.")
        if method["status"] == "detached":
            raise Refusal(400, "method_detached", "This payment method was removed.")
        if method["status"] != "active":
            raise Refusal(400, "method_not_verified", "This bank account is not verified yet.")
        return method

    def of_payer(self, payer_id: str) -> Sequence[Row]:
        """The methods kept for a payer, oldest first."""
        return self._storage.all(
            "SELECT * FROM methods WHERE payer_id = ? AND status <> 'detached' ORDER BY created_ms, id", payer_id
        )

    def activate(self, method_id: str) -> None:
        """A method became usable."""
        self._storage.update("methods", method_id, status="active")

    def detach(self, method_id: str) -> None:
        """Forget a method. Raises Refusal(404) when there is none or it is gone already."""
        method = self.find(method_id)
        if method is None or method["status"] == "detached":
            raise Refusal(404, "method_not_found", "There is no such payment method.")
        self._storage.update("methods", method_id, status="detached")
        self._outbox.record("method.detached", subject="method", object_id=method_id, our_ref=method["origin_ref"])
