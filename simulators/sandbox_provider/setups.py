"""Set-ups: a hosted page that saves a payment method, and the small deposits that prove a bank account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulators.sandbox_provider.charges import check_currency
from simulators.sandbox_provider.clock import Clock, iso, wall_ms
from simulators.sandbox_provider.events import SETUP_EVENTS, Outbox
from simulators.sandbox_provider.instruments import MICRO_DEPOSITS
from simulators.sandbox_provider.methods import Entry, Methods, shown
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.storage import Json, Row, Storage, Value, fresh_id

_LASTS_MS: Final = 24 * 3_600_000
_VERIFICATION_LASTS_MS: Final = 10 * _LASTS_MS
_DEPOSIT_TRIES: Final = 3

_LEGAL: Final = {
    "open": frozenset({"verifying", "completed", "canceled", "expired"}),
    "verifying": frozenset({"completed", "failed", "canceled"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSetup:
    """What a set-up is asked with."""

    our_ref: str
    payer_id: str
    kinds: tuple[str, ...]
    currency: str
    return_url: str
    cancel_url: str


class Setups:
    """Makes and moves set-ups, inside the caller's transaction."""

    def __init__(self, storage: Storage, clock: Clock, outbox: Outbox, methods: Methods, public_url: str) -> None:
        self._storage = storage
        self._clock = clock
        self._outbox = outbox
        self._methods = methods
        self._public_url = public_url

    def open(self, order: NewSetup) -> Row:
        """Open a hosted set-up page. Raises Refusal."""
        check_currency(order.kinds, order.currency)
        setup_id = fresh_id("sbs")
        self._storage.insert(
            "setups",
            id=setup_id,
            token=fresh_id("page"),
            our_ref=order.our_ref,
            payer_id=order.payer_id,
            kinds=json.dumps(order.kinds),
            currency=order.currency,
            return_url=order.return_url,
            cancel_url=order.cancel_url,
            status="open",
            expires_ms=self._clock.now_ms() + _LASTS_MS,
            created_wall_ms=wall_ms(),
        )
        return self.get(setup_id)

    def complete(self, setup_id: str, entry: Entry) -> None:
        """The method is accepted: usable at once, or once its small deposits are confirmed."""
        setup = self.get(setup_id)
        waits = entry.instrument.needs_micro_deposits
        status = "verifying" if waits else "completed"
        if setup["status"] != "open":
            return
        method_id = self._methods.keep(
            entry,
            payer_id=setup["payer_id"],
            origin_ref=setup["our_ref"],
            status="pending" if waits else "active",
        )
        changes: dict[str, Value] = {"method_id": method_id, "waiting": None, "failure_code": None, "tries": 0}
        if waits:
            changes["expires_ms"] = self._clock.now_ms() + _VERIFICATION_LASTS_MS
        self.move(setup_id, status, changes=changes)

    def confirm_deposits(self, setup_id: str, first: int, second: int) -> bool:
        """Whether the two small deposits are right; the third wrong answer ends the set-up."""
        setup = self.get(setup_id)
        if setup["status"] != "verifying":
            return bool(setup["status"] == "completed")
        if sorted((first, second)) == sorted(MICRO_DEPOSITS):
            self._methods.activate(setup["method_id"])
            self.move(setup_id, "completed", changes={"failure_code": None})
            return True
        tries = setup["tries"] + 1
        self._storage.update("setups", setup_id, tries=tries, failure_code="amounts_do_not_match")
        if tries >= _DEPOSIT_TRIES:
            self.move(setup_id, "failed", changes={"failure_code": "verification_failed"})
        return False

    def move(
        self, setup_id: str, status: str, *, at_ms: int | None = None, changes: Mapping[str, Value] | None = None
    ) -> bool:
        """Change the status where that is legal, and tell it. False when it is not, and nothing changed."""
        setup = self.get(setup_id)
        if status not in _LEGAL.get(setup["status"], frozenset()):
            return False
        self._storage.update("setups", setup_id, status=status, **(changes or {}))
        if status in {"failed", "canceled"} and setup["method_id"] is not None:
            self._methods.detach(setup["method_id"])
        self._outbox.record(SETUP_EVENTS[status], subject="setup", object_id=setup_id, our_ref=setup["our_ref"], at_ms=at_ms)
        return True

    def note_attempt(self, setup_id: str, failure_code: str) -> None:
        """A try on the hosted page failed; the page stays open for another method."""
        self._storage.run(
            "UPDATE setups SET tries = tries + 1, failure_code = ?, waiting = NULL WHERE id = ?", failure_code, setup_id
        )

    def get(self, setup_id: str) -> Row:
        """A set-up. Raises Refusal(404)."""
        row = self._storage.one("SELECT * FROM setups WHERE id = ?", setup_id)
        if row is None:
            raise Refusal(404, "setup_not_found", "There is no such set-up.")
        return row

    def by_token(self, token: str) -> Row | None:
        """The set-up behind a hosted page's address."""
        return self._storage.one("SELECT * FROM setups WHERE token = ?", token)

    def shown(self, setup: Row) -> dict[str, Json]:
        """A set-up as the API writes it."""
        kept = setup["status"] in {"verifying", "completed"} and setup["method_id"] is not None
        method = self._methods.find(setup["method_id"]) if kept else None
        return {
            "id": setup["id"],
            "our_ref": setup["our_ref"],
            "status": setup["status"],
            "payer": setup["payer_id"],
            "url": f"{self._public_url}/pages/setup/{setup['token']}",
            "expires_at": iso(setup["expires_ms"]),
            "method": None if method is None else shown(method),
            "failure_code": setup["failure_code"],
        }
