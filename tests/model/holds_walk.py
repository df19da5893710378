"""A world for holds: payers, the provider's pages, lost answers, deadlines, staff, late money and what it wanted.

`HoldRules()` is the rule of the house; every other value is a broken relative. The balance rule is taken as given: an
invoice's open amount here is its total less our allocations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from domain.allocation import Adoption, Line, adopt

WISHES: Final[Mapping[str, Mapping[str, int]]] = {
    "pay_1": {"inv_1": 100},
    "pay_2": {"inv_1": 60, "inv_2": 60},
    "pay_3": {"inv_1": 40},
}
TOTALS: Final = {"inv_1": 100, "inv_2": 60}
MOST_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRules:
    """What ends a hold, and what happens with money that comes late. The defaults are right."""

    expires_by_the_clock: bool = False
    ends_at_a_decline: bool = False
    ends_at_an_unanswered_cancel: bool = False
    next_attempt_after_a_decline: bool = False
    adopts: Literal["what fits", "all or nothing"] = "what fits"
    respects_other_holds: bool = True
    remembers: bool = True
    serves: frozenset[str] = frozenset({"freed", "raised", "returned"})
    bounded_by_unapplied: bool = True


@dataclass(slots=True)
class Page:
    """An attempt at the provider. The truth is there; we only fetch it."""

    state: Literal["payable", "succeeded", "dead"] = "payable"
    was_declined: bool = False
    is_recorded: bool = False


@dataclass(slots=True)
class Payment:
    """A payment as we know it; `pages` is what the provider knows."""

    wish: Mapping[str, int]
    state: Literal["live", "ended", "overridden", "captured", "returned"] = "live"
    pages: list[Page] = field(default_factory=lambda: [Page()])
    is_past_deadline: bool = False
    captured: int = 0
    refunded: int = 0
    returned: int = 0

    @property
    def amount(self) -> int:
        return sum(self.wish.values())

    @property
    def exposed(self) -> int:
        """How many more times the whole amount may be taken, or was taken without our knowing."""
        return sum(not each.is_recorded and each.state != "dead" for each in self.pages)


Step = tuple[str, ...]


class HoldWorld:
    """Payers, provider, clock and staff, interleaved at will."""

    def __init__(self, rules: HoldRules) -> None:
        self.rules = rules
        self.totals = dict(TOTALS)
        self.payments: dict[str, Payment] = {}
        self.holds: dict[tuple[str, str], int] = {}
        self.allocations: dict[tuple[str, str], int] = {}
        self.wanted: dict[tuple[str, str], int] = {}
        self._kinds: dict[str, tuple[Callable[[], list[Step]], Callable[..., None]]] = {
            "open": (self._may_open, self._open),
            "card declined": (self._payable, self._card_declined),
            "card succeeds": (self._payable, self._card_succeeds),
            "page dies": (self._payable, self._page_dies),
            "hear decline": (self._may_hear_decline, self._hear_decline),
            "fetch": (lambda: [(each,) for each in self.payments], self._fetch),
            "deadline": (self._may_end, self._deadline),
            "cancel works": (self._payable, self._cancel_works),
            "cancel lost": (self._may_end, self._cancel_lost),
            "next attempt": (self._may_try_again, self._next_attempt),
            "staff free": (self._may_end, self._staff_free),
            "staff raise total": (self._may_raise, self._staff_raise_total),
            "money returned": (self._captured, self._money_returned),
            "refund unapplied": (self._may_refund, self._refund_unapplied),
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

    def allocated(self, invoice_id: str) -> int:
        return sum(minor for (_, each), minor in self.allocations.items() if each == invoice_id)

    def open(self, invoice_id: str) -> int:
        return self.totals[invoice_id] - self.allocated(invoice_id)

    def held(self, invoice_id: str, *, but: str = "") -> int:
        """What is held, by any payment but one."""
        return sum(minor for (who, each), minor in self.holds.items() if each == invoice_id and who != but)

    def available(self, invoice_id: str) -> int:
        live = self.held(invoice_id)
        if self.rules.expires_by_the_clock:
            late = [who for who, payment in self.payments.items() if payment.is_past_deadline]
            live -= sum(self.holds.get((who, invoice_id), 0) for who in late)
        return self.open(invoice_id) - live

    def unapplied(self, payment_id: str) -> int:
        payment = self.payments[payment_id]
        applied = sum(minor for (who, _), minor in self.allocations.items() if who == payment_id)
        return payment.captured - payment.refunded - payment.returned - applied

    # ------------------------------------------------------------ what must hold

    def broken(self) -> str | None:
        """The first promise that is broken now, or None."""
        for invoice_id in self.totals:
            at_stake = sum(
                payment.exposed * payment.wish.get(invoice_id, 0)
                for payment in self.payments.values()
                if payment.state != "overridden"
            )
            if at_stake > self.open(invoice_id):
                return f"chargeable: {at_stake} for {self.open(invoice_id)} open of {invoice_id}"
            if self.held(invoice_id) > self.open(invoice_id):
                return f"held: {self.held(invoice_id)} for {self.open(invoice_id)} open of {invoice_id}"
            if self.open(invoice_id) < 0:
                return f"over-allocated: {invoice_id}"
        for payment_id, payment in self.payments.items():
            if self.unapplied(payment_id) < 0:
                return f"spent twice: {payment_id}"
            if sum(page.state == "succeeded" for page in payment.pages) > 1:
                return f"charged twice: {payment_id}"
            for invoice_id, wish in payment.wish.items():
                misses = wish - self.allocations.get((payment_id, invoice_id), 0)
                if payment.captured and misses > 0 < self.unapplied(payment_id) and self.available(invoice_id) > 0:
                    return f"payable again: {invoice_id}, while money of {payment_id} for it lies unapplied"
        return None

    # ------------------------------------------------------------ payers and the provider

    def _may_open(self) -> list[Step]:
        return [
            (payment_id,)
            for payment_id, wish in WISHES.items()
            if payment_id not in self.payments
            and all(minor <= self.available(invoice_id) for invoice_id, minor in wish.items())
        ]

    def _open(self, payment_id: str) -> None:
        self.payments[payment_id] = Payment(WISHES[payment_id])
        for invoice_id, minor in WISHES[payment_id].items():
            self.holds[payment_id, invoice_id] = minor

    def _payable(self) -> list[Step]:
        return [(who,) for who, each in self.payments.items() if any(page.state == "payable" for page in each.pages)]

    def _page(self, payment_id: str) -> Page:
        return next(page for page in self.payments[payment_id].pages if page.state == "payable")

    def _card_declined(self, payment_id: str) -> None:
        # The page lets the payer try another card: this is no end.
        self._page(payment_id).was_declined = True

    def _card_succeeds(self, payment_id: str) -> None:
        self._page(payment_id).state = "succeeded"

    def _page_dies(self, payment_id: str) -> None:
        self._page(payment_id).state = "dead"

    # ------------------------------------------------------------ our workflow

    def _may_hear_decline(self) -> list[Step]:
        return [
            (who,)
            for who, each in self.payments.items()
            if each.state == "live" and any(page.was_declined for page in each.pages)
        ]

    def _hear_decline(self, payment_id: str) -> None:
        if self.rules.ends_at_a_decline:
            self._free(payment_id, "ended")

    def _fetch(self, payment_id: str) -> None:
        """Ask the provider: record what succeeded; end what is dead on every page."""
        payment = self.payments[payment_id]
        proven = [page for page in payment.pages if page.state == "succeeded" and not page.is_recorded]
        for page in proven:
            page.is_recorded = True
            self._record_capture(payment_id)
        if payment.state == "live" and all(page.state == "dead" for page in payment.pages):
            self._free(payment_id, "ended")

    def _may_end(self) -> list[Step]:
        return [(who,) for who, each in self.payments.items() if each.state == "live"]

    def _deadline(self, payment_id: str) -> None:
        self.payments[payment_id].is_past_deadline = True

    def _cancel_works(self, payment_id: str) -> None:
        self._page(payment_id).state = "dead"
        self._fetch(payment_id)

    def _cancel_lost(self, payment_id: str) -> None:
        # The call timed out and did nothing; whether it did something is not ours to know.
        if self.rules.ends_at_an_unanswered_cancel:
            self._free(payment_id, "ended")

    def _may_try_again(self) -> list[Step]:
        return [
            (who,)
            for who, each in self.payments.items()
            if each.state == "live"
            and len(each.pages) < MOST_ATTEMPTS
            and (each.pages[-1].state == "dead" or (self.rules.next_attempt_after_a_decline and each.pages[-1].was_declined))
        ]

    def _next_attempt(self, payment_id: str) -> None:
        self.payments[payment_id].pages.append(Page())

    def _record_capture(self, payment_id: str) -> None:
        payment = self.payments[payment_id]
        payment.captured += payment.amount
        held = {each: self.holds.pop((payment_id, each)) for each in payment.wish if (payment_id, each) in self.holds}
        late = [
            Line(invoice_id=each, minor=minor - held.get(each, 0))
            for each, minor in payment.wish.items()
            if minor > held.get(each, 0)
        ]
        if payment.state != "captured":
            payment.state = "captured"
            adoption = self._adopted(payment_id, late)
            for line in adoption.lines:
                held[line.invoice_id] = held.get(line.invoice_id, 0) + line.minor
            for invoice_id, minor in held.items():
                self.allocations[payment_id, invoice_id] = minor
            if self.rules.remembers:
                self.wanted.update({(payment_id, line.invoice_id): line.minor for line in adoption.wanted})

    def _adopted(self, payment_id: str, late: list[Line]) -> Adoption:
        room = {
            line.invoice_id: self.open(line.invoice_id)
            - (self.held(line.invoice_id, but=payment_id) if self.rules.respects_other_holds else 0)
            for line in late
        }
        if self.rules.adopts == "all or nothing" and any(line.minor > room[line.invoice_id] for line in late):
            return Adoption(lines=(), wanted=tuple(late))
        return adopt(late, room)

    # ------------------------------------------------------------ staff, returns, refunds

    def _staff_free(self, payment_id: str) -> None:
        self._free(payment_id, "overridden")

    def _free(self, payment_id: str, state: Literal["ended", "overridden"]) -> None:
        payment = self.payments[payment_id]
        payment.state = state
        for invoice_id in payment.wish:
            self.holds.pop((payment_id, invoice_id), None)
        self._room_appeared("freed")

    def _may_raise(self) -> list[Step]:
        return [(each,) for each, total in self.totals.items() if total < TOTALS[each] + 100]

    def _staff_raise_total(self, invoice_id: str) -> None:
        self.totals[invoice_id] += 50
        self._room_appeared("raised")

    def _captured(self) -> list[Step]:
        return [(who,) for who, each in self.payments.items() if each.state == "captured"]

    def _money_returned(self, payment_id: str) -> None:
        payment = self.payments[payment_id]
        payment.state = "returned"
        payment.returned = payment.captured - payment.refunded
        for invoice_id in payment.wish:
            self.allocations.pop((payment_id, invoice_id), None)
            self.wanted.pop((payment_id, invoice_id), None)
        self._room_appeared("returned")

    def _may_refund(self) -> list[Step]:
        parts = ("half", "all")
        return [(who, part) for who in self.payments for part in parts if self.unapplied(who) > 1]

    def _refund_unapplied(self, payment_id: str, part: str) -> None:
        minor = self.unapplied(payment_id)
        self.payments[payment_id].refunded += minor if part == "all" else minor // 2

    def _room_appeared(self, reason: str) -> None:
        """Room is offered to those who wait for it, oldest first, before anyone can take a new hold."""
        if reason not in self.rules.serves:
            return
        for (payment_id, invoice_id), wish in list(self.wanted.items()):
            room = self.open(invoice_id) - self.held(invoice_id)
            free = self.unapplied(payment_id) if self.rules.bounded_by_unapplied else wish
            taken = min(wish, max(room, 0), free)
            self.wanted[payment_id, invoice_id] = wish - taken
            key = payment_id, invoice_id
            self.allocations[key] = self.allocations.get(key, 0) + taken
