"""Charges: of a saved method, or by a hosted page. What becomes of one is decided by its test number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulators.sandbox_provider.clock import Clock, iso, wall_ms
from simulators.sandbox_provider.events import CHARGE_EVENTS, Outbox
from simulators.sandbox_provider.instruments import (
    BY_BEHAVIOUR,
    CURRENCY_OF_KIND,
    Challenge,
    DebitPath,
    Instrument,
)
from simulators.sandbox_provider.methods import Entry, Methods, shown
from simulators.sandbox_provider.refusals import Refusal
from simulators.sandbox_provider.settings import Knobs
from simulators.sandbox_provider.storage import Json, Row, Storage, Value, fresh_id

MOVES_MONEY: Final = frozenset({"pending", "succeeded", "settled", "returned", "disputed"})
"""A charge with one of these took money, will take it, or took it and gave it back: what 'exactly once' counts."""

_LEGAL: Final = {
    "requires_action": frozenset({"pending", "succeeded", "failed", "canceled", "expired"}),
    "pending": frozenset({"succeeded", "failed"}),
    "succeeded": frozenset({"settled", "returned", "disputed"}),
    "settled": frozenset({"returned", "disputed"}),
    "disputed": frozenset({"settled", "returned"}),
}
_CHALLENGE_LASTS_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharge:
    """What both kinds of charge are asked with; amounts in minor units."""

    our_ref: str
    payer_id: str | None
    kinds: tuple[str, ...]
    amount_minor: int
    currency: str
    description: str
    return_url: str
    cancel_url: str


class Charges:
    """Makes and moves charges, inside the caller's transaction."""

    def __init__(
        self, storage: Storage, clock: Clock, knobs: Knobs, outbox: Outbox, methods: Methods, public_url: str
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._knobs = knobs
        self._outbox = outbox
        self._methods = methods
        self._public_url = public_url

    def charge_saved(self, order: NewCharge, *, method_id: str) -> Row:
        """Charge a saved method without the customer. Raises Refusal; a decline is a charge with status 'failed'."""
        method = self._methods.usable(method_id, order.payer_id)
        check_currency((method["kind"],), order.currency)
        instrument = BY_BEHAVIOUR[method["behaviour"]]
        entry = Entry(instrument=instrument, exp_month=method["exp_month"], exp_year=method["exp_year"])
        self._storage.run("UPDATE methods SET charges_tried = charges_tried + 1 WHERE id = ?", method_id)
        charge_id = self._insert(order, is_page=False, save_method=False, method_id=method_id, entry=entry)
        first_time = method["charges_tried"] == 0
        if instrument.charge_decline is not None and (first_time or not instrument.charge_decline_once):
            self.move(charge_id, "failed", changes={"failure_code": instrument.charge_decline})
        elif instrument.challenge is Challenge.ALWAYS:
            self._storage.update("charges", charge_id, expires_ms=self._clock.now_ms() + _CHALLENGE_LASTS_MS)
            self._tell(charge_id, "requires_action")
        else:
            self.accept(charge_id, entry)
        return self.get(charge_id)

    def open_page(self, order: NewCharge, *, save_method: bool, expires_ms: int) -> Row:
        """Open a hosted page that takes one payment. Raises Refusal."""
        check_currency(order.kinds, order.currency)
        if expires_ms <= self._clock.now_ms():
            raise Refusal(400, "expires_in_the_past", "The page would have expired before it opened.")
        charge_id = self._insert(order, is_page=True, save_method=save_method)
        self._storage.update("charges", charge_id, expires_ms=expires_ms)
        return self.get(charge_id)

    def accept(self, charge_id: str, entry: Entry) -> None:
        """The charge goes through: at once for a card, over days for a bank debit."""
        instrument = entry.instrument
        charge = self.get(charge_id)
        if charge["status"] != "requires_action":
            return
        changes: dict[str, Value] = {"paid_with": json.dumps(entry.masked()), "waiting": None, "failure_code": None}
        if charge["save_method"] and charge["payer_id"] is not None:
            changes["saved_method_id"] = self._methods.keep(entry, payer_id=charge["payer_id"], origin_ref=charge["our_ref"])
        if instrument.debit is None:
            self.move(charge_id, "succeeded", changes=changes)
            return
        now_ms = self._clock.now_ms()
        succeed, settle, come_back = (now_ms + 1000 * seconds for seconds in self._knobs.debit_seconds)
        self.move(charge_id, "pending", changes={**changes, "settles_ms": settle})
        for at_ms, status, code in _days_of(instrument, succeed, settle, come_back):
            self._storage.insert("steps", charge_id=charge_id, at_ms=at_ms, status=status, code=code)

    def move(
        self, charge_id: str, status: str, *, at_ms: int | None = None, changes: Mapping[str, Value] | None = None
    ) -> bool:
        """Change the status where that is legal, and tell it. False when it is not, and nothing changed."""
        if status not in _LEGAL.get(self.get(charge_id)["status"], frozenset()):
            return False
        finished: dict[str, Value] = {"waiting": None} if status in {"canceled", "expired"} else {}
        self._storage.update("charges", charge_id, status=status, **finished, **(changes or {}))
        self._tell(charge_id, status, at_ms=at_ms)
        return True

    def move_by_reference(self, our_ref: str, status: str) -> int:
        """What the bank says of every charge with a reference; how many moved."""
        rows = self._storage.all("SELECT id FROM charges WHERE our_ref = ?", our_ref)
        changes = {"return_code": "disputed"} if status == "returned" else {}
        return sum(self.move(row["id"], status, changes=changes) for row in rows)

    def note_attempt(self, charge_id: str, failure_code: str) -> None:
        """A try on the hosted page failed; the page stays open for another card."""
        self._storage.run(
            "UPDATE charges SET tries = tries + 1, failure_code = ?, waiting = NULL WHERE id = ?",
            failure_code,
            charge_id,
        )
        charge = self.get(charge_id)
        self._outbox.record(
            "charge.attempt_failed",
            subject="charge",
            object_id=charge_id,
            our_ref=charge["our_ref"],
            amount_minor=charge["amount_minor"],
        )

    def get(self, charge_id: str) -> Row:
        """A charge. Raises Refusal(404)."""
        row = self._storage.one("SELECT * FROM charges WHERE id = ?", charge_id)
        if row is None:
            raise Refusal(404, "charge_not_found", "There is no such charge.")
        return row

    def by_token(self, token: str, *, is_page: bool) -> Row | None:
        """The charge behind a hosted page's address."""
        return self._storage.one("SELECT * FROM charges WHERE token = ? AND is_page = ?", token, int(is_page))

    def shown(self, charge: Row) -> dict[str, Json]:
        """A charge as the API writes it."""
        saved = self._methods.find(charge["saved_method_id"]) if charge["saved_method_id"] else None
        waits = charge["status"] == "requires_action"
        settles_ms = charge["settles_ms"]
        return {
            "id": charge["id"],
            "our_ref": charge["our_ref"],
            "status": charge["status"],
            "amount": {"minor": charge["amount_minor"], "currency": charge["currency"]},
            "payer": charge["payer_id"],
            "method": charge["method_id"],
            "action_url": self.page_url(charge) if waits else None,
            "action_expires_at": iso(charge["expires_ms"]) if waits and charge["expires_ms"] else None,
            "failure_code": charge["failure_code"],
            "return_code": charge["return_code"],
            "paid_with": json.loads(charge["paid_with"]) if charge["paid_with"] else None,
            "saved_method": None if saved is None else shown(saved),
            "expected_on": None if settles_ms is None else iso(settles_ms)[:10],
            "created_at": iso(charge["created_ms"]),
        }

    def page_url(self, charge: Row) -> str:
        """Where the customer is sent: the payment page, or the bank's question about a saved card."""
        return f"{self._public_url}/pages/{'pay' if charge['is_page'] else 'challenge'}/{charge['token']}"

    def _insert(
        self,
        order: NewCharge,
        *,
        is_page: bool,
        save_method: bool,
        method_id: str | None = None,
        entry: Entry | None = None,
    ) -> str:
        charge_id = fresh_id("sbc")
        self._storage.insert(
            "charges",
            id=charge_id,
            token=fresh_id("page"),
            our_ref=order.our_ref,
            is_page=int(is_page),
            payer_id=order.payer_id,
            method_id=method_id,
            kinds=json.dumps(order.kinds),
            amount_minor=order.amount_minor,
            currency=order.currency,
            description=order.description,
            return_url=order.return_url,
            cancel_url=order.cancel_url,
            save_method=int(save_method),
            status="requires_action",
            paid_with=None if entry is None else json.dumps(entry.masked()),
            waiting=None if entry is None else json.dumps(entry.stored()),
            created_ms=self._clock.now_ms(),
            created_wall_ms=wall_ms(),
        )
        return charge_id

    def _tell(self, charge_id: str, status: str, *, at_ms: int | None = None) -> None:
        charge = self.get(charge_id)
        self._outbox.record(
            CHARGE_EVENTS[status],
            subject="charge",
            object_id=charge_id,
            our_ref=charge["our_ref"],
            at_ms=at_ms,
            amount_minor=charge["amount_minor"],
        )


def check_currency(kinds: tuple[str, ...], currency: str) -> None:
    """Each kind must be able to move that currency. Raises Refusal."""
    for kind in kinds:
        only = CURRENCY_OF_KIND.get(kind, "")
        if only == "":
            raise Refusal(400, "kind_unknown", f"There is no kind of payment method called {kind!r}.")
        if only is not None and only != currency:
            raise Refusal(400, "currency_not_supported", f"{kind} moves {only} only.")


def _days_of(instrument: Instrument, succeed: int, settle: int, come_back: int) -> tuple[tuple[int, str, str | None], ...]:
    """The steps of a debit after its acceptance: when, what, with which code."""
    code = instrument.debit_code
    match instrument.debit:
        case DebitPath.SETTLES | None:
            return ((succeed, "succeeded", None), (settle, "settled", None))
        case DebitPath.FAILS:
            return ((succeed, "failed", code),)
        case DebitPath.RETURNS_AFTER_SETTLEMENT:
            return ((succeed, "succeeded", None), (settle, "settled", None), (come_back, "returned", code))
        case DebitPath.RETURNS_BEFORE_SETTLEMENT:
            return ((succeed, "succeeded", None), ((succeed + settle) // 2, "returned", code))
