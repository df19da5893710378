"""Everything that this GoCardless keeps, in memory, and how money moves through it."""

from __future__ import annotations

import copy
import itertools
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Object = dict[str, Any]

DAY: Final = timedelta(days=1)
ROOMS: Final = {
    "billing_requests": "BRQ",
    "billing_request_flows": "BRF",
    "customers": "CU",
    "customer_bank_accounts": "BA",
    "mandates": "MD",
    "payments": "PM",
    "refunds": "RF",
    "events": "EV",
    "creditors": "CR",
}
SCHEMES: Final = {"bacs": "GBP", "sepa_core": "EUR", "ach": "USD"}
_FIRST_BELOW: Final = 9_000_000_000
LINK_NAMES: Final = {
    "payments": "payment",
    "refunds": "refund",
    "mandates": "mandate",
    "billing_requests": "billing_request",
}


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, reason: str, kind: str = "invalid_state", **links: str) -> None:
        super().__init__(reason)
        self.status = status
        first: Object = {"reason": reason, "message": reason.replace("_", " ")}
        if links:
            first["links"] = links
        self.body = {"error": {"type": kind, "code": status, "message": first["message"], "errors": [first]}}


class World:
    """One organisation's resources by id, in the order they were made; its own clock; what is yet to happen."""

    def __init__(self, public_url: str) -> None:
        self.public_url = public_url
        self.numbers = itertools.count(secrets.randbelow(_FIRST_BELOW))  # an id is nobody's twice: after a new start neither
        self.reset()

    def reset(self) -> None:
        """As on the first day."""
        self.offset = timedelta()
        self.things: dict[str, dict[str, Object]] = {room: {} for room in ROOMS}
        self.behaviours: dict[str, str] = {}  # by mandate or billing request
        self.steps: list[tuple[datetime, int, str, str]] = []
        self.refund_path = "succeeds"
        self.outbox: list[Object] = []
        self.make("creditors", name="Test", verification_status="successful")

    def now(self) -> datetime:
        """This GoCardless's clock."""
        return datetime.now(UTC) + self.offset

    def make(self, room: str, **fields: Any) -> Object:
        """A new resource, kept."""
        created = self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        made = {"id": f"{ROOMS[room]}{next(self.numbers):010d}", "created_at": created, **fields}
        self.things[room][made["id"]] = made
        return made

    def get(self, room: str, thing_id: str) -> Object:
        """A resource that must exist. Raises Refused(404)."""
        found = self.things[room].get(thing_id)
        if found is None:
            raise Refused(404, "resource_not_found", "invalid_api_usage")
        return found

    def all(self, room: str) -> list[Object]:
        """Every resource of a room, the newest first."""
        return list(reversed(self.things[room].values()))

    def tell(self, room: str, thing: Object, action: str, **details: Any) -> None:
        """An event, which is also delivered."""
        event = self.make(
            "events",
            resource_type=room,
            action=action,
            links={LINK_NAMES[room]: thing["id"]},
            details={"origin": "gocardless", "cause": f"{LINK_NAMES[room]}_{action}", "description": "", **details},
            metadata={},
            resource_metadata=copy.deepcopy(thing.get("metadata", {})),
        )
        self.outbox.append(event)

    def pay(self, mandate: Object | None, wanted: Object, behaviour: str) -> Object:
        """A payment: a debit takes days, an instant one is confirmed at once."""
        made = self.make(
            "payments",
            amount=wanted["amount"],
            amount_refunded=0,
            currency=wanted["currency"],
            charge_date=(self.now() + 2 * DAY).date().isoformat(),
            description=wanted.get("description"),
            metadata=wanted.get("metadata", {}),
            retry_if_possible=False,
            scheme=mandate["scheme"] if mandate else "faster_payments",
            status="pending_submission",
            links={"mandate": mandate["id"]} if mandate else {},
        )
        self.tell("payments", made, "created")
        if mandate is None:
            self.move("payments", made["id"], "confirmed")
            self._later(2, "paid_out", made)
            return made
        self._later(1, "submitted", made)
        if behaviour == "fails":
            self._later(3, "failed", made)
            return made
        self._later(3, "confirmed", made)
        self._later(5, "paid_out", made)
        if behaviour == "returns":
            self._later(9, "charged_back", made)
        if behaviour == "returns_in_vain":
            self._later(9, "charged_back", made)
            self._later(11, "chargeback_cancelled", made)
        if behaviour == "fails_late":
            self._later(7, "failed", made)
        return made

    def move(self, room: str, thing_id: str, status: str) -> None:
        """A resource goes on, and it is told."""
        thing = self.things[room][thing_id]
        thing["status"] = "paid_out" if status == "chargeback_cancelled" else status
        causes = {"failed": "insufficient_funds", "charged_back": "authorisation_disputed"}
        self.tell(room, thing, status, **({"cause": causes[status]} if status in causes else {}))

    def run_due(self) -> None:
        """What was to happen until now, in order."""
        now = self.now()
        due = sorted(step for step in self.steps if step[0] <= now)
        self.steps = [step for step in self.steps if step[0] > now]
        for _, _, status, payment_id in due:
            if self.things["payments"][payment_id]["status"] != "cancelled":
                self.move("payments", payment_id, status)

    def enter(self, request_id: str, behaviour: str) -> None:
        """The customer fills the page in."""
        request = self.things["billing_requests"].get(request_id)
        if request is None or request["status"] != "pending" or behaviour == "declined":
            return
        links, wanted = request["links"], request.get("mandate_request")
        if "customer" not in links:
            links["customer"] = self.make("customers", given_name="Zoë", family_name="Ångström", metadata={})["id"]
        money = wanted or request["payment_request"]
        account = self.make(
            "customer_bank_accounts",
            account_number_ending=f"{len(self.things['customer_bank_accounts']) + 1:04d}",
            bank_name="BARCLAYS BANK PLC",
            currency=money["currency"],
            enabled=True,
            links={"customer": links["customer"]},
            metadata={},
        )
        request["resources"] = {"customer_bank_account": account}
        if wanted:
            mandate = self.make(
                "mandates",
                scheme=wanted["scheme"],
                status="pending_customer_approval" if behaviour == "verify" else "pending_submission",
                metadata=wanted.get("metadata", {}),
                links={"customer": links["customer"], "customer_bank_account": account["id"]},
            )
            self.behaviours[mandate["id"]] = behaviour
            links["mandate_request_mandate"] = mandate["id"]
        if "payment_request" in request:
            links["payment_request_payment"] = self.pay(None, request["payment_request"], behaviour)["id"]
        request["status"] = "fulfilled"
        self.tell("billing_requests", request, "fulfilled")

    def _later(self, days: int, status: str, payment: Object) -> None:
        self.steps.append((self.now() + days * DAY, next(self.numbers), status, payment["id"]))
