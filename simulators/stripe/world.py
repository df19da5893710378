"""Everything that this Stripe keeps, in memory, and how money moves through it."""

from __future__ import annotations

import copy
import secrets
import time
from typing import Any, Final

from simulators.stripe.instruments import INSTRUMENTS, Instrument

Object = dict[str, Any]

DAY: Final = 86_400
KINDS: Final = {
    "cus": "customer",
    "pm": "payment_method",
    "cs": "checkout.session",
    "seti": "setup_intent",
    "pi": "payment_intent",
    "ch": "charge",
    "txn": "balance_transaction",
    "re": "refund",
    "dp": "dispute",
    "po": "payout",
    "evt": "event",
}

_WITHOUT_MODE: Final = frozenset({"re", "txn"})


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        kind = more.pop("type", "card_error" if status == 402 else "invalid_request_error")
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message, **more}}


class World:
    """One account's objects by id, in the order they were made; its own clock; what is yet to happen."""

    def __init__(self, public_url: str) -> None:
        self.public_url = public_url
        self.reset()

    def reset(self) -> None:
        """As on the first day."""
        self.offset = 0
        self.objects: dict[str, Object] = {}
        self.instruments: dict[str, Instrument] = {}  # by payment method
        self.returns: dict[str, str | None] = {}  # payment intent → where the bank sends the customer back to
        self.origins: dict[str, str] = {}  # payment method → our_ref that it was kept for
        self.wanted: dict[str, Object] = {}  # what a page's payment intent will be
        self.steps: list[tuple[int, str, str]] = []
        self.refund_path = "succeeds"
        self.paid_in: dict[str, str] = {}  # balance transaction → the payout that it is in
        self.outbox: list[Object] = []

    def now(self) -> int:
        """Seconds on this Stripe's clock."""
        return int(time.time()) + self.offset

    def make(self, prefix: str, **fields: Any) -> Object:
        """A new object, kept."""
        marked = f"{prefix}_test" if prefix == "cs" else prefix
        made = {
            "id": f"{marked}_{secrets.token_hex(12)}",
            "object": KINDS[prefix],
            "created": self.now(),
            **({} if prefix in _WITHOUT_MODE else {"livemode": False}),
            **fields,
        }
        self.objects[made["id"]] = made
        return made

    def get(self, object_id: str, prefix: str) -> Object:
        """An object that must exist. Raises Refused(404)."""
        found = self.objects.get(object_id)
        if found is None or found["object"] != KINDS[prefix]:
            raise Refused(404, "resource_missing", f"No such {KINDS[prefix]}: '{object_id}'")
        return found

    def all(self, prefix: str) -> list[Object]:
        """Every object of a kind, the newest first."""
        return [each for each in reversed(self.objects.values()) if each["object"] == KINDS[prefix]]

    def shown(self, thing: Object, expand: list[str]) -> Object:
        """A copy as the API writes it, with what was asked for whole."""
        copied = copy.deepcopy(thing)
        for path in expand:
            self._expand(copied, path.split("."))
        return copied

    def _expand(self, at: Any, path: list[str]) -> None:
        if isinstance(at, list):
            for each in at:
                self._expand(each, path)
            return
        if not path or not isinstance(at, dict):
            return
        value = at.get(path[0])
        if isinstance(value, str) and value in self.objects:
            at[path[0]] = copy.deepcopy(self.objects[value])
        self._expand(at.get(path[0]), path[1:])

    def tell(self, kind: str, about: Object) -> None:
        """An event, which is also delivered."""
        data = {"object": copy.deepcopy(about)}
        event = self.make("evt", type=kind, data=data, api_version="2026-05-27.dahlia", pending_webhooks=1, request=None)
        self.outbox.append(event)

    def new_method(self, use: str, kinds: list[str]) -> Object | None:
        """What the customer entered; None where the page does not take that kind."""
        instrument = INSTRUMENTS.get(use)
        if instrument is None or instrument.kind not in kinds:
            return None
        made = self.make("pm", type=instrument.kind, customer=None, metadata={}, billing_details={})
        made[instrument.kind] = instrument.details()
        self.instruments[made["id"]] = instrument
        return made

    def new_intent(self, **fields: Any) -> Object:
        """A payment intent that waits for a method."""
        given: Object = {"setup_future_usage": None, **fields}
        return self.make(
            "pi",
            status="requires_payment_method",
            amount_received=0,
            payment_method=None,
            latest_charge=None,
            last_payment_error=None,
            next_action=None,
            **given,
        )

    def attach(self, method: Object, customer: str, origin: str) -> None:
        """Keep a method for a customer."""
        method["customer"] = customer
        self.origins[method["id"]] = origin

    def take(self, intent: Object, method: Object) -> None:
        """The payment goes through: at once for a card, over days for a bank debit."""
        instrument = self.instruments[method["id"]]
        txn = self.make("txn", amount=intent["amount"], currency=intent["currency"], status="pending", type="charge")
        charge = self.make(
            "ch",
            amount=intent["amount"],
            currency=intent["currency"],
            balance_transaction=txn["id"],
            disputed=False,
            metadata=intent["metadata"],
            payment_intent=intent["id"],
            payment_method_details={"type": instrument.kind, instrument.kind: instrument.details()},
        )
        intent.update(latest_charge=charge["id"], payment_method=method["id"], next_action=None, last_payment_error=None)
        now = self.now()
        if instrument.debit is None:
            self._succeed(intent)
            self.steps.append((now + 2 * DAY, "available", intent["id"]))
            return
        intent["status"] = "processing"
        self.tell("payment_intent.processing", intent)
        if instrument.debit == "fails":
            self.steps.append((now + 4 * DAY, "fail", intent["id"]))
            return
        self.steps += [(now + 4 * DAY, "succeed", intent["id"]), (now + 6 * DAY, "available", intent["id"])]
        if instrument.debit == "returns":
            self.steps.append((now + 9 * DAY, "return", intent["id"]))

    def decline(self, intent: Object, method: Object, code: str, decline_code: str | None = None) -> None:
        """The payment was refused; another method may follow."""
        error = {"type": "card_error", "code": code, "message": "Declined.", "payment_method": copy.deepcopy(method)}
        if decline_code is not None:
            error["decline_code"] = decline_code
        intent.update(status="requires_payment_method", last_payment_error=error, payment_method=None, next_action=None)
        self.tell("payment_intent.payment_failed", intent)

    def ask(self, intent: Object, method: Object, *, return_url: str | None = None) -> None:
        """The bank wants the customer."""
        url = f"{self.public_url}/bank/{intent['id']}"
        action = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url}}
        intent.update(status="requires_action", next_action=action, payment_method=method["id"], last_payment_error=None)
        self.tell("payment_intent.requires_action", intent)

    def run_due(self) -> None:
        """What was to happen until now, in order."""
        now = self.now()
        due = sorted(step for step in self.steps if step[0] <= now)
        self.steps = [step for step in self.steps if step[0] > now]
        for _, what, intent_id in due:
            self._step(what, self.objects[intent_id])
        for payout in self.all("po"):
            if payout["status"] == "in_transit" and payout["arrival_date"] <= now:
                payout["status"] = "paid"
        for session in self.all("cs"):
            if session["status"] == "open" and session["expires_at"] <= now:
                session.update(status="expired", url=None)
                self.tell("checkout.session.expired", session)

    def _step(self, what: str, intent: Object) -> None:
        charge = self.objects[intent["latest_charge"]]
        if what == "succeed":
            self._succeed(intent)
        elif what == "available":
            self.objects[charge["balance_transaction"]]["status"] = "available"
        elif what == "fail":
            method = self.objects[intent["payment_method"]]
            self.decline(intent, method, "insufficient_funds")
        else:
            self.dispute(intent, "insufficient_funds", "lost")

    def dispute(self, intent: Object, reason: str, status: str, amount: int | None = None) -> Object:
        """The bank takes money back, or asks for it; a bank debit's is lost from the beginning."""
        charge = self.objects[intent["latest_charge"]]
        charge["disputed"] = True
        made = self.make(
            "dp",
            amount=intent["amount"] if amount is None else amount,
            currency=intent["currency"],
            charge=charge["id"],
            payment_intent=intent["id"],
            reason=reason,
            status=status,
            metadata={},
        )
        self.tell("charge.dispute.created", made)
        return made

    def decide(self, dispute: Object, status: str) -> None:
        """A dispute goes on; won or lost, it is closed."""
        dispute["status"] = status
        self.tell(f"charge.dispute.{'closed' if status in {'won', 'lost'} else 'updated'}", dispute)

    def _succeed(self, intent: Object) -> None:
        intent.update(status="succeeded", amount_received=intent["amount"])
        self.tell("payment_intent.succeeded", intent)
