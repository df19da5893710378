"""Everything that this Adyen keeps, in memory, how money moves through it, and what it tells of that."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from simulators.adyen.instruments import Instrument

Object = dict[str, Any]

DAY: Final = 86_400
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ23456789"


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": status, "errorCode": code, "message": message, "errorType": "validation"}


@dataclass(slots=True, kw_only=True)
class Payment:
    """One payment. `state` is authorised, refused or returned; `refunded`, what refunds have taken of it."""

    psp: str
    reference: str
    amount: Object
    instrument: Instrument
    state: str
    shopper: str | None = None
    keeps: str | None = None
    refunded: int = 0


@dataclass(slots=True, kw_only=True)
class Page:
    """A session or a link. `asking`: the method whose bank asks now."""

    id: str
    is_link: bool
    body: Object
    status: str
    expires_at: int
    asking: str | None = None


@dataclass(slots=True, kw_only=True)
class Token:
    """A stored method."""

    id: str
    shopper: str
    instrument: Instrument
    use: str
    first_psp: str
    origin: str
    made_at: int

    @property
    def told(self) -> Object:
        """What is told of it once, by an answer and by an event."""
        return {
            "tokenization.shopperReference": self.shopper,
            "tokenization.storedPaymentMethodId": self.id,
            "tokenization.store.operationType": "created",
        }


@dataclass(slots=True, kw_only=True)
class Refund:
    """One refund. `state` is received, gone or failed; `takes`, what of the payment it has."""

    psp: str
    reference: str
    payment: Payment
    amount: Object
    state: str = "received"
    takes: int = 0


@dataclass(slots=True)
class World:
    """One merchant account; its own clock; what is yet to happen, and what is yet to be told."""

    account: str
    public_url: str
    offset: int = 0
    payments: dict[str, Payment] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    steps: list[tuple[int, str]] = field(default_factory=list)
    outbox: list[Object] = field(default_factory=list)
    refund_path: str = "succeeds"

    def reset(self) -> None:
        """As on the first day."""
        for kept in (self.payments, self.pages, self.tokens, self.refunds, self.steps, self.outbox):
            kept.clear()
        self.offset, self.refund_path = 0, "succeeds"

    def now(self) -> int:
        """Seconds on this Adyen's clock."""
        return int(time.time()) + self.offset

    def fresh(self, length: int = 16) -> str:
        """A reference that nothing has yet."""
        return "".join(secrets.choice(_LETTERS) for _ in range(length))

    def tell(self, code: str, payment: Payment, *, success: bool = True, reason: str = "", **more: Any) -> None:
        """An event, as one item of a standard notification. `more`: amount, reference, psp, extra."""
        item: Object = {
            "eventCode": code,
            "eventDate": written(self.now()),
            "merchantAccountCode": self.account,
            "merchantReference": more.get("reference", payment.reference),
            "amount": more.get("amount", payment.amount),
            "paymentMethod": payment.instrument.brand,
            "pspReference": more.get("psp", payment.psp),
            "success": "true" if success else "false",
            "reason": reason,
            "additionalData": dict(more.get("extra", {})),
        }
        if "psp" in more:
            item["originalReference"] = payment.psp
        self.outbox.append(item)

    def pay(
        self, use: Instrument, *, reference: str, amount: Object, shopper: str | None = None, keeps: str | None = None
    ) -> Payment:
        """A payment that is authorised, whole or in part. `keeps`: by which name its method is kept for the shopper."""
        taken = {**amount, "value": amount["value"] // 2} if use.takes_part else amount
        made = Payment(
            psp=self.fresh(), reference=reference, amount=taken, instrument=use, state="authorised", shopper=shopper
        )
        self.payments[made.psp] = made
        extra = {}
        if keeps is not None and shopper is not None:
            token = Token(
                id=self.fresh(),
                shopper=shopper,
                instrument=use,
                use=keeps,
                first_psp=made.psp,
                origin=reference,
                made_at=self.now(),
            )
            self.tokens[token.id] = token
            made.keeps = token.id
            extra = token.told
        self.tell("AUTHORISATION", made, reason=f"123456:{use.last4}:08/2031" if use.is_card else "", extra=extra)
        if use.returns_after_days is not None and amount["value"]:
            self.steps.append((self.now() + use.returns_after_days * DAY, made.psp))
        return made

    def refuse(self, use: Instrument, *, reference: str, amount: Object, reason: str) -> Payment:
        """A payment that is refused."""
        made = Payment(psp=self.fresh(), reference=reference, amount=amount, instrument=use, state="refused")
        self.payments[made.psp] = made
        self.tell("AUTHORISATION", made, success=False, reason=reason)
        return made

    def change_mind(self, payment: Payment) -> None:
        """What was refused is authorised after all, under the same name."""
        payment.state = "authorised"
        self.tell("AUTHORISATION", payment)

    def take_back(self, payment: Payment) -> None:
        """The customer's bank takes it back."""
        payment.state = "returned"
        self.tell("CHARGEBACK", payment, psp=self.fresh(), reason="AM04", extra={"chargebackReasonCode": "AM04"})

    def give_back(self, payment: Payment, *, reference: str, amount: Object) -> Refund:
        """A refund that is received; what becomes of it is told."""
        made = Refund(psp=self.fresh(), reference=reference, payment=payment, amount=amount)
        self.refunds[made.psp] = made
        is_left = payment.state == "authorised" and payment.refunded + amount["value"] <= payment.amount["value"]
        if not is_left or self.refund_path == "fails":
            self.end_refund(made, succeeded=False)
        else:
            made.takes = amount["value"]
            payment.refunded += made.takes
            if self.refund_path == "succeeds":
                self.end_refund(made, succeeded=True)
        return made

    def end_refund(self, refund: Refund, *, succeeded: bool) -> None:
        """Tell how it ended; one that had gone comes back."""
        came_back = refund.state == "gone" and not succeeded
        if not succeeded:
            refund.payment.refunded -= refund.takes
            refund.takes = 0
        refund.state = "gone" if succeeded else "failed"
        self.tell(
            "REFUND_FAILED" if came_back else "REFUND",
            refund.payment,
            success=succeeded or came_back,
            reason="" if succeeded else "Insufficient balance on payment",
            reference=refund.reference,
            amount=refund.amount,
            psp=refund.psp,
        )

    def run_due(self) -> None:
        """What was to happen until now, in order."""
        now = self.now()
        due = sorted(step for step in self.steps if step[0] <= now)
        self.steps = [step for step in self.steps if step[0] > now]
        for _, psp in due:
            if self.payments[psp].state == "authorised":
                self.take_back(self.payments[psp])
        for page in self.pages.values():
            if page.status == "active" and page.expires_at <= now:
                page.status = "expired"


def written(seconds: int) -> str:
    """A moment as this Adyen writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
