"""A world for refunds: one payment that covers an invoice and leaves a rest, staff who give it back and move it, a
provider that is slow, forgets to answer and changes its mind, a second payer, and a bank that takes the payment back.

`RefundRules()` is the rule of the house; every other value is a broken relative. What may go back is decided by
`domain/refunds.py` itself. The provider refuses nothing: whatever is kept within bounds is kept by us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from domain import refunds as rules_of_refunds
from domain.allocation import Line
from domain.lifecycles import PaymentState
from domain.money import Money
from domain.refunds import OnInvoice, Refundable

CAPTURED: Final = 120
TOTAL: Final = 100
SHAPES: Final = {"all": (120, 100), "most": (80, 80), "rest": (20, 0)}
"""Of each kind of refund: its amount, and how much of it comes off the invoice."""
MOST_REFUNDS: Final = 3

State = Literal["requested", "sent", "unknown", "refunded", "failed"]
OPEN: Final = frozenset({"requested", "sent", "unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRules:
    """When invoices reopen, what counts as gone, and whose word is believed. The defaults are right."""

    reopens: Literal["at success", "at request"] = "at success"
    capacity: Literal["all but failed", "only succeeded"] = "all but failed"
    silence_is_failure: bool = False
    new_key_after_silence: bool = False
    comes_back: Literal["what fits", "in full"] = "what fits"
    moves_see_refunds: bool = True
    believes: Literal["fetched", "events"] = "fetched"
    returns: Literal["what is left", "in full"] = "what is left"


@dataclass(slots=True)
class AtProvider:
    """A refund as the provider has it."""

    key: str
    amount: int
    state: Literal["pending", "succeeded", "failed"] = "pending"


@dataclass(slots=True)
class Ours:
    """A refund as we have it. `booked` is what its success took off the invoice."""

    amount: int
    line: int
    key: str
    state: State = "requested"
    booked: int | None = None
    events: list[str] = field(default_factory=list)


Step = tuple[str, ...]


class RefundWorld:
    """Staff, provider, second payer and bank, interleaved at will."""

    def __init__(self, rules: RefundRules) -> None:
        self.rules = rules
        self.allocated = {"first": TOTAL, "second": 0}
        self.refunded = 0
        self.returned: int | None = None
        self.debt = 0
        self.refunds: dict[str, Ours] = {}
        self.provider: dict[str, list[AtProvider]] = {}
        self.found_no_money = False
        self._kinds: dict[str, tuple[Callable[[], list[Step]], Callable[..., None]]] = {
            "request": (self._may_request, self._request),
            "send": (lambda: self._in("requested"), self._send),
            "send, answer lost": (lambda: self._in("requested"), self._send_unheard),
            "send, request lost": (lambda: self._in("requested"), self._lost_on_the_way),
            "send again": (self._may_send_again, self._send_again),
            "give up": (self._may_give_up, self._give_up),
            "provider pays": (lambda: self._at_provider("pending"), lambda each: self._moves(each, "succeeded")),
            "provider fails": (
                lambda: self._at_provider("pending") + self._at_provider("succeeded"),
                lambda each: self._moves(each, "failed"),
            ),
            "fetch": (lambda: [(each,) for each in self.provider], self._fetch),
            "event": (self._may_hear, self._hear),
            "second payer pays": (lambda: [()] if self.open > 0 else [], self._second_pays),
            "un-apply": (self._may_unapply, self._unapply),
            "apply": (self._may_apply, self._apply),
            "bank takes back": (lambda: [()] if self.returned is None else [], self._taken_back),
        }

    def possible(self) -> dict[str, list[Step]]:
        """Every kind of step that is possible now, with its arguments."""
        return {kind: choices for kind, (may, _) in self._kinds.items() if (choices := may())}

    def choices(self, kind: str) -> list[Step]:
        """Arguments with which a step of that kind is possible now."""
        return self._kinds[kind][0]()

    def perform(self, kind: str, *arguments: str) -> None:
        """Let it happen."""
        self._kinds[kind][1](*arguments)

    # ------------------------------------------------------------ sums

    @property
    def open(self) -> int:
        return TOTAL - sum(self.allocated.values())

    @property
    def unapplied(self) -> int:
        return CAPTURED - (self.returned or 0) - self.refunded - self.allocated["first"]

    @property
    def under_way(self) -> list[Ours]:
        return [each for each in self.refunds.values() if each.state in OPEN and each.booked is None]

    def facts(self, *, blind: bool = False) -> Refundable:
        """What `domain/refunds.py` is told."""
        waiting = [] if blind else self.under_way
        line = self.allocated["first"] - sum(each.line for each in waiting)
        return Refundable(
            payment_id="pay_1",
            state=PaymentState.CAPTURED if self.returned is None else PaymentState.RETURNED,
            currency="USD",
            captured=CAPTURED,
            left=CAPTURED - (self.returned or 0) - self.refunded - sum(each.amount for each in waiting),
            unapplied=self.unapplied - sum(each.amount - each.line for each in waiting),
            on_invoices=(OnInvoice(invoice_id="inv_1", number="1", left=max(line, 0), open=self.open),),
        )

    # ------------------------------------------------------------ what may happen, and what does

    def _in(self, state: State) -> list[Step]:
        return [(name,) for name, each in self.refunds.items() if each.state == state]

    def _at_provider(self, state: str) -> list[Step]:
        return [(name,) for name, all_of in self.provider.items() if any(each.state == state for each in all_of)]

    def _may_request(self) -> list[Step]:
        if len(self.refunds) == MOST_REFUNDS:
            return []
        facts = self.facts(blind=self.rules.capacity == "only succeeded")
        return [(shape,) for shape, (amount, line) in SHAPES.items() if _is_granted(amount, line, facts)]

    def _request(self, shape: str) -> None:
        amount, line = SHAPES[shape]
        name = f"rfd_{len(self.refunds) + 1}"
        self.refunds[name] = Ours(amount=amount, line=line, key=name)
        if self.rules.reopens == "at request":
            self._book(self.refunds[name])

    def _send(self, name: str) -> None:
        self._arrives(name)
        self.refunds[name].state = "sent"

    def _send_unheard(self, name: str) -> None:
        self._arrives(name)
        self.refunds[name].state = "unknown"

    def _lost_on_the_way(self, name: str) -> None:
        self.refunds[name].state = "unknown"

    def _arrives(self, name: str) -> None:
        ours, known = self.refunds[name], self.provider.setdefault(name, [])
        if all(each.key != ours.key for each in known):
            known.append(AtProvider(key=ours.key, amount=ours.amount))

    def _may_send_again(self) -> list[Step]:
        if self.rules.new_key_after_silence:
            return self._in("unknown")
        return [(name,) for (name,) in self._in("unknown") if not self.provider.get(name)]

    def _send_again(self, name: str) -> None:
        ours = self.refunds[name]
        if self.rules.new_key_after_silence:
            ours.key = f"{ours.key}'"
        self._arrives(name)

    def _may_give_up(self) -> list[Step]:
        return self._in("unknown") if self.rules.silence_is_failure else []

    def _give_up(self, name: str) -> None:
        self.refunds[name].state = "failed"

    def _moves(self, name: str, state: Literal["succeeded", "failed"]) -> None:
        legal = {"pending"} if state == "succeeded" else {"pending", "succeeded"}
        object_ = next(each for each in self.provider[name] if each.state in legal)
        object_.state = state
        self.refunds[name].events.append(state)

    def _fetch(self, name: str) -> None:
        self._record(name, self.provider[name][0].state)

    def _may_hear(self) -> list[Step]:
        return [
            (name, str(place)) for name, each in self.refunds.items() for place in range(len(each.events))
        ]  # in whatever order

    def _hear(self, name: str, place: str) -> None:
        told = self.refunds[name].events.pop(int(place))
        if self.rules.believes == "events":
            self._record(name, told, by_event=True)
        else:
            self._fetch(name)

    def _record(self, name: str, told: str, *, by_event: bool = False) -> None:
        ours = self.refunds[name]
        if told == "succeeded" and (ours.state in OPEN - {"requested"} or by_event):
            if ours.booked is None:
                self._book(ours)
            ours.state = "refunded"
        elif told == "failed" and ours.state != "failed":
            if ours.booked is not None:
                self._comes_back(ours)
            ours.state = "failed"

    def _book(self, ours: Ours) -> None:
        taken = min(ours.line, self.allocated["first"])
        if self.returned is None and (taken < ours.line or self.unapplied < ours.amount - taken):
            self.found_no_money = True
        if self.returned is not None:
            self.debt += ours.amount
        self.allocated["first"] -= taken
        self.refunded += ours.amount
        ours.booked = taken

    def _comes_back(self, ours: Ours) -> None:
        taken = ours.booked or 0
        lines = [Line(invoice_id="inv_1", minor=taken)] if taken else []
        room = TOTAL if self.rules.comes_back == "in full" else max(self.open, 0)
        back = () if self.returned is not None else rules_of_refunds.put_back(lines, {"inv_1": room})
        self.allocated["first"] += sum(line.minor for line in back)
        self.refunded -= ours.amount
        self.debt -= min(self.debt, ours.amount)
        ours.booked = None

    def _second_pays(self) -> None:
        self.allocated["second"] += self.open

    def _may_unapply(self) -> list[Step]:
        line = self.facts(blind=not self.rules.moves_see_refunds).on_invoices[0].left
        return [()] if self.returned is None and line > 0 else []

    def _unapply(self) -> None:
        self.allocated["first"] -= self.facts(blind=not self.rules.moves_see_refunds).on_invoices[0].left

    def _may_apply(self) -> list[Step]:
        free = self.facts(blind=not self.rules.moves_see_refunds).unapplied
        return [()] if self.returned is None and min(free, self.open) > 0 else []

    def _apply(self) -> None:
        self.allocated["first"] += min(self.facts(blind=not self.rules.moves_see_refunds).unapplied, self.open)

    def _taken_back(self) -> None:
        for name, each in list(self.refunds.items()):
            if each.state == "requested" and each.booked is None:
                self.refunds[name] = replace(each, state="failed")
        self.returned = CAPTURED - (self.refunded if self.rules.returns == "what is left" else 0)
        self.allocated["first"] = 0

    # ------------------------------------------------------------ promises

    def broken(self) -> str | None:
        """The first promise that is not kept, or None."""
        paid = [each for all_of in self.provider.values() for each in all_of if each.state == "succeeded"]
        if any(sum(each.state != "failed" for each in all_of) > 1 for all_of in self.provider.values()):
            return "two provider refunds of one"
        if sum(each.amount for each in paid) > CAPTURED:
            return "more goes back than was captured"
        if any(each.booked is not None and each.state in OPEN for each in self.refunds.values()):
            return "shown open although no money left"
        if self.open < 0:
            return "the invoice is paid twice"
        if self.found_no_money:
            return "a refund finds no money"
        if (self.returned or 0) + self.refunded > CAPTURED + self.debt:
            return "refunded money is booked back twice"
        return self._believed_too_long()

    def _believed_too_long(self) -> str | None:
        for name, each in self.refunds.items():
            if each.state == "refunded" and not each.events and self.provider[name][0].state != "succeeded":
                return "booked as refunded, and it failed"
        return None


def _is_granted(amount: int, line: int, facts: Refundable) -> bool:
    lines = [Line(invoice_id="inv_1", minor=line)] if line else []
    return rules_of_refunds.check(Money.of(amount, "USD"), lines, "a reason", facts) is None
