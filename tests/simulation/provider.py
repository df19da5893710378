"""The payment provider of a simulation: the port, and the ledger behind it where 'once' is counted.

It behaves as the sandbox provider does: the same key gives the same answer for a day, a decline on a page leaves the page
open, a bank debit takes its time, and each change is told by an event. It does so in this process and in virtual time.
"""

# ruff: noqa: ARG002 - the port names more than this one needs

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from connectors.errors import ConnectorError, KeyConflict, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.ports import (
    Capability,
    ChargeOrder,
    ChargeStatus,
    ConfigurationProblem,
    Heard,
    HostedPage,
    PageOrder,
    ProviderCharge,
    ProviderRefund,
    ProviderSetup,
    RefundOrder,
    SetupOrder,
    SetupStatus,
)
from domain.methods import MethodDetails, MethodKind
from domain.money import Money
from tests.simulation.refunds import FarRefunds, Refund, shown
from tests.simulation.stage import Stage

T = TypeVar("T")

KEY_LIFE: Final = timedelta(hours=24)
LINGERS: Final = timedelta(minutes=10)
"""How much longer than it said some pages take money: whoever gives up at their end must ask, and wait for the answer."""
EXECUTED_WITHIN: Final = timedelta(seconds=30)
"""A request that timed out here is executed there this much later, or never."""
MOVES_MONEY: Final = frozenset(
    {
        ChargeStatus.PROCESSING,
        ChargeStatus.CAPTURED,
        ChargeStatus.SETTLED,
        ChargeStatus.RETURNED,
        ChargeStatus.DISPUTED,
    }
)
_CLAIMED: Final = frozenset(
    {
        ChargeStatus.CAPTURED,
        ChargeStatus.SETTLED,
        ChargeStatus.RETURNED,
        ChargeStatus.DECLINED,
        ChargeStatus.CANCELED,
        ChargeStatus.EXPIRED,
    }
)
_LEGAL: Final = {
    ChargeStatus.NEEDS_CUSTOMER: frozenset(
        {
            ChargeStatus.PROCESSING,
            ChargeStatus.CAPTURED,
            ChargeStatus.DECLINED,
            ChargeStatus.CANCELED,
            ChargeStatus.EXPIRED,
        }
    ),
    ChargeStatus.PROCESSING: frozenset({ChargeStatus.CAPTURED, ChargeStatus.DECLINED}),
    ChargeStatus.CAPTURED: frozenset({ChargeStatus.SETTLED, ChargeStatus.RETURNED, ChargeStatus.DISPUTED}),
    ChargeStatus.SETTLED: frozenset({ChargeStatus.RETURNED, ChargeStatus.DISPUTED}),
    ChargeStatus.DISPUTED: frozenset({ChargeStatus.RETURNED, ChargeStatus.SETTLED}),
}


@dataclass(slots=True, kw_only=True)
class Charge:
    """One charge or payment page. `is_haunted`: the provider called it over, and money came all the same."""

    id: str
    our_ref: str
    amount: Money
    status: ChargeStatus
    behaviour: str
    is_page: bool = False
    lingers: timedelta = timedelta(0)
    expires_at: datetime | None = None
    failure_code: str | None = None
    return_code: str | None = None
    steps: list[tuple[datetime, ChargeStatus]] = field(default_factory=list)
    is_haunted: bool = False


@dataclass(slots=True, kw_only=True)
class Setup:
    """One hosted page that saves a method."""

    id: str
    our_ref: str
    kind: MethodKind
    status: SetupStatus
    expires_at: datetime
    method: MethodDetails | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event on its way to us. `facts` are for a far side that is believed by its events only."""

    id: str
    our_ref: str
    object_id: str
    kind: str
    claims: ChargeStatus | None
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


class FarProvider:
    """Implements PaymentProvider, SetsUpMethods, Charges, CountsCharges, Refunds and KeepsMethods."""

    name = "sandbox"

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.is_down = False
        self.charges: dict[str, Charge] = {}
        self.setups: dict[str, Setup] = {}
        self.methods: dict[str, tuple[MethodKind, str]] = {}
        self.kept: dict[str, tuple[object, object, datetime]] = {}
        self.late: list[tuple[datetime, Callable[[], object]]] = []
        self.outgoing: list[Told] = []
        self.by_number: dict[str, int] = {}
        self.given_back = FarRefunds(self._tell_of_refund)

    @property
    def search_lag_seconds(self) -> int:
        return 0

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        return Capability.SET_UP | Capability.CHARGE_SAVED | Capability.PAY_ONCE

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        return ()

    # ------------------------------------------------------------ the port

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        return await self._write(key, order, lambda: self._charge(order))

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        return await self._write(key, order, lambda: self._page(order))

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:
        return await self._write(key, provider_id, lambda: self._cancel(provider_id))

    async def find_charge(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderCharge | None:
        return await self._read(lambda: self._find(our_ref, provider_id))

    async def charges_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderCharge]:
        return [self.shown(each) for each in self.charges.values() if each.our_ref == our_ref]

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        def effect() -> ProviderRefund:
            charge = self.charges[order.charge_id]
            return self.given_back.make(order, taken=charge.amount, status=charge.status, at=self.stage.now)

        return await self._write(key, order, effect)

    async def find_refund(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderRefund | None:
        return await self._read(lambda: next((shown(each) for each in self.given_back.of(our_ref)), None))

    async def refunds_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderRefund]:
        return [shown(each) for each in self.given_back.of(our_ref)]

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        return await self._write(key, order, lambda: self._start_setup(order))

    async def find_setup(self, our_ref: str, *, session_id: str | None = None, heard: Heard = ()) -> ProviderSetup | None:
        found = next((each for each in self.setups.values() if each.our_ref == our_ref), None)
        return await self._read(lambda: None if found is None else _setup_shown(found))

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:
        return await self._write(key, session_id, lambda: self._cancel_setup(session_id))

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        return ()

    async def detach_method(self, token: str, *, key: str) -> None:
        await self._write(key, token, lambda: self.methods.pop(token, None) and None)

    # ------------------------------------------------------------ the wire

    async def _read(self, effect: Callable[[], T]) -> T:
        order = await self.stage.stop("leave", "provider.read", writes=False)
        if self.is_down or order in {"lose the request", "lose the answer", "answer 500"}:
            raise Unavailable("the provider did not answer a read")
        if order == "throttle":
            raise Throttled("slowly", retry_after_seconds=2)
        answer = effect()
        await self.stage.stop("answer", "provider.read", writes=False)
        return answer

    async def _write(self, key: str, body: object, effect: Callable[[], T]) -> T:
        order = await self.stage.stop("leave", "provider.write")
        if self.is_down:
            raise Unavailable("connection refused")
        if order == "throttle":
            raise Throttled("slowly", retry_after_seconds=2)
        if order == "lose the request":
            raise OutcomeUnknown("time-out")
        if order in {"execute late", "die, executed late"}:
            due_at = self.stage.now + EXECUTED_WITHIN
            self.late.append((due_at, lambda: self._once(key, body, effect, is_broken=False)))
            if order == "die, executed late":
                await self.stage.die()
            raise OutcomeUnknown("time-out, and it may be executed yet")
        answer = self._once(key, body, effect, is_broken=order == "answer 500")
        if order == "die after sending":
            await self.stage.die()
        if order == "lose the answer":
            raise OutcomeUnknown("connection reset")
        await self.stage.stop("answer", "provider.write")
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    def _once(self, key: str, body: object, effect: Callable[[], T], *, is_broken: bool) -> T | ConnectorError:
        """Executed once under a key; the answer is kept for a day, whatever it was."""
        kept = self.kept.get(key)
        if kept is not None and kept[2] > self.stage.now:
            if kept[0] != body:
                return KeyConflict("this key was used with another body")
            return kept[1]  # type: ignore[return-value]
        answer: T | ConnectorError
        try:
            answer = effect()
        except Rejected as refused:
            answer = refused
        if is_broken:
            answer = OutcomeUnknown("500")
        self.kept[key] = (body, answer, self.stage.now + KEY_LIFE)
        return answer

    # ------------------------------------------------------------ what happens there

    def _id(self, prefix: str) -> str:
        self.by_number[prefix] = self.by_number.get(prefix, 0) + 1
        return f"{prefix}_{self.by_number[prefix]}"

    def _charge(self, order: ChargeOrder) -> ProviderCharge:
        if order.method_token not in self.methods:
            raise Rejected("method_gone", "There is no such method.")
        behaviour = self.methods[order.method_token][1]
        charge = self._new(order.our_ref, order.amount, behaviour)
        if behaviour == "declined":
            charge.failure_code = "declined"
            self.move(charge, ChargeStatus.DECLINED)
        elif behaviour == "takes less":
            charge.amount = Money.of(max(order.amount.minor - 1, 1), order.amount.currency)
            self.accept(charge)
        elif behaviour == "asks":
            charge.expires_at = self.stage.now + timedelta(hours=1)
            self._tell(charge, "charge.requires_action")
        else:
            self.accept(charge)
        return self.shown(charge)

    def _page(self, order: PageOrder) -> ProviderCharge:
        if order.expires_at <= self.stage.now:
            raise Rejected("expires_in_the_past", "The page would have expired before it opened.")
        charge = self._new(order.our_ref, order.amount, "ok")
        charge.is_page, charge.expires_at = True, order.expires_at
        charge.lingers = LINGERS * (len(self.charges) % 2)
        return self.shown(charge)

    def _new(self, our_ref: str, amount: Money, behaviour: str) -> Charge:
        charge = Charge(
            id=self._id("ch"), our_ref=our_ref, amount=amount, status=ChargeStatus.NEEDS_CUSTOMER, behaviour=behaviour
        )
        self.charges[charge.id] = charge
        return charge

    def accept(self, charge: Charge) -> None:
        """The money is on its way: at once for a card, later for a debit."""
        if not charge.behaviour.startswith("debit"):
            self.move(charge, ChargeStatus.CAPTURED)
            return
        if not self.move(charge, ChargeStatus.PROCESSING):
            return
        paid_at = self.stage.now + timedelta(hours=2)
        settled_at, back_at = paid_at + timedelta(hours=8), paid_at + timedelta(hours=20)
        charge.steps = {
            "debit_fails": [(paid_at, ChargeStatus.DECLINED)],
            "debit_returns": [
                (paid_at, ChargeStatus.CAPTURED),
                (settled_at, ChargeStatus.SETTLED),
                (back_at, ChargeStatus.RETURNED),
            ],
            "debit_returns_early": [(paid_at, ChargeStatus.CAPTURED), (settled_at, ChargeStatus.RETURNED)],
        }.get(charge.behaviour, [(paid_at, ChargeStatus.CAPTURED), (settled_at, ChargeStatus.SETTLED)])

    def move(self, charge: Charge, status: ChargeStatus, *, is_haunting: bool = False) -> bool:
        """Change a charge where that is legal there, and tell it."""
        if not is_haunting and status not in _LEGAL.get(charge.status, frozenset()):
            return False
        charge.status = status
        charge.is_haunted = charge.is_haunted or is_haunting
        if status is ChargeStatus.RETURNED:
            charge.return_code = "R01"
        self._tell(charge, f"charge.{status.value}")
        return True

    def _tell(self, charge: Charge, kind: str) -> None:
        claims = charge.status if charge.status in _CLAIMED else None
        told = Told(
            id=self._id("ev"),
            our_ref=charge.our_ref,
            object_id=charge.id,
            kind=kind,
            claims=claims,
            at=self.stage.now,
            facts=_facts_of(charge),
        )
        self.outgoing.append(told)

    def _tell_of_refund(self, our_ref: str, refund_id: str, kind: str) -> None:
        refund = next(each for each in self.given_back.made if each.id == refund_id)
        told = Told(
            id=self._id("ev"),
            our_ref=our_ref,
            object_id=refund_id,
            kind=kind,
            claims=None,
            at=self.stage.now,
            facts=_facts_of(refund),
        )
        self.outgoing.append(told)

    def _cancel(self, provider_id: str) -> ProviderCharge:
        charge = self.charges[provider_id]
        self.move(charge, ChargeStatus.CANCELED)
        return self.shown(charge)

    def _find(self, our_ref: str, provider_id: str | None) -> ProviderCharge | None:
        if provider_id is not None and provider_id in self.charges:
            return self.shown(self.charges[provider_id])
        found = [each for each in self.charges.values() if each.our_ref == our_ref]
        moving = [each for each in found if each.status in MOVES_MONEY]
        return self.shown((moving or found)[0]) if found else None

    def shown(self, charge: Charge) -> ProviderCharge:
        waits = charge.status is ChargeStatus.NEEDS_CUSTOMER
        return ProviderCharge(
            provider_id=charge.id,
            our_ref=charge.our_ref,
            status=charge.status,
            amount=charge.amount,
            action_url=f"https://pages.example/{charge.id}" if waits else None,
            action_expires_at=charge.expires_at if waits else None,
            failure_code=charge.failure_code,
            return_code=charge.return_code,
        )

    def _start_setup(self, order: SetupOrder) -> HostedPage:
        setup = Setup(
            id=self._id("se"),
            our_ref=order.our_ref,
            kind=order.kinds[0],
            status=SetupStatus.OPEN,
            expires_at=self.stage.now + timedelta(minutes=30),
        )
        self.setups[setup.id] = setup
        return HostedPage(session_id=setup.id, url=f"https://pages.example/{setup.id}", expires_at=setup.expires_at)

    def keep_method(self, kind: MethodKind, behaviour: str) -> MethodDetails:
        """A method is saved there."""
        token = self._id("pm")
        self.methods[token] = (kind, behaviour)
        is_card = kind is MethodKind.CARD
        return MethodDetails(
            token=token,
            kind=kind,
            brand="visa" if is_card else "Test Bank",
            last4="4242",
            exp_month=4 if is_card else None,
            exp_year=2031 if is_card else None,
        )

    def _cancel_setup(self, session_id: str) -> ProviderSetup:
        setup = self.setups[session_id]
        if setup.status is SetupStatus.OPEN:
            self.end_setup(setup, SetupStatus.CANCELED)
        return _setup_shown(setup)

    def end_setup(self, setup: Setup, status: SetupStatus) -> None:
        """A set-up's page is done with."""
        setup.status = status
        kind = f"setup.{status.value}"
        told = Told(id=self._id("ev"), our_ref=setup.our_ref, object_id=setup.id, kind=kind, claims=None, at=self.stage.now)
        self.outgoing.append(told)

    # ------------------------------------------------------------ time

    def next_change_at(self) -> datetime | None:
        """When something changes there by itself."""
        moments = [at for each in self.charges.values() for at, _ in each.steps]
        moments += [at for at, _ in self.late]
        moments += [at for at in (self.given_back.next_change_at(),) if at is not None]
        return min(moments, default=None)

    def catch_up(self) -> None:
        """Everything that time has done by now: late executions, steps of debits, pages at their end."""
        now = self.stage.now
        due, self.late = [each for each in self.late if each[0] <= now], [each for each in self.late if each[0] > now]
        for _, effect in due:
            effect()
        for charge in self.charges.values():
            while charge.steps and charge.steps[0][0] <= now:
                _, status = charge.steps.pop(0)
                self.move(charge, status)
            if charge.expires_at is not None and charge.expires_at + charge.lingers <= now:
                self.move(charge, ChargeStatus.EXPIRED)
        self.given_back.catch_up(now)
        for setup in self.setups.values():
            if setup.status is SetupStatus.OPEN and setup.expires_at <= now:
                self.end_setup(setup, SetupStatus.EXPIRED)


def _facts_of(thing: Charge | Refund) -> Mapping[str, str]:
    """How it stands at this moment. That a customer is asked proves nothing of money."""
    facts = {"status": thing.status.value, "minor": str(thing.amount.minor), "currency": str(thing.amount.currency)}
    facts["proves"] = "no" if thing.status is ChargeStatus.NEEDS_CUSTOMER else "yes"
    if isinstance(thing, Refund):
        failure = shown(thing).failure_code
        return {**facts, "charge": thing.charge_id, **({"failure": failure} if failure is not None else {})}
    more = {"failure": thing.failure_code, "return": thing.return_code}
    return {**facts, **{name: code for name, code in more.items() if code is not None}}


def _setup_shown(setup: Setup) -> ProviderSetup:
    return ProviderSetup(session_id=setup.id, our_ref=setup.our_ref, status=setup.status, method=setup.method)
