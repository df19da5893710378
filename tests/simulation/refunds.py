"""Refunds at a simulation's provider: taken from what a charge has left, slow or quick, and now and then failing late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.errors import Rejected
from connectors.payments.ports import ChargeStatus, ProviderRefund, RefundOrder, RefundStatus
from domain.money import Money

Path = tuple[tuple[timedelta, RefundStatus], ...]

PATHS: Final[tuple[Path, ...]] = (
    ((timedelta(0), RefundStatus.SUCCEEDED),),
    ((timedelta(hours=3), RefundStatus.SUCCEEDED),),
    ((timedelta(0), RefundStatus.SUCCEEDED), (timedelta(hours=9), RefundStatus.FAILED)),
    ((timedelta(minutes=5), RefundStatus.PROCESSING), (timedelta(hours=5), RefundStatus.FAILED)),
    ((timedelta(0), RefundStatus.FAILED),),
)
GIVES_BACK: Final = frozenset({ChargeStatus.CAPTURED, ChargeStatus.SETTLED})
_LEGAL: Final = {
    RefundStatus.PENDING: frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED, RefundStatus.FAILED}),
    RefundStatus.PROCESSING: frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED}),
    RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
}


@dataclass(slots=True, kw_only=True)
class Refund:
    """One refund there; `steps` is what will become of it by itself."""

    id: str
    our_ref: str
    charge_id: str
    amount: Money
    status: RefundStatus = RefundStatus.PENDING
    steps: list[tuple[datetime, RefundStatus]] = field(default_factory=list)

    def is_moving(self) -> bool:
        """Whether its money is gone, or may go."""
        return self.status is not RefundStatus.FAILED


class FarRefunds:
    """All of them. `tell` sends an event: the refund's reference, its id and the event's kind."""

    def __init__(self, tell: Callable[[str, str, str], None]) -> None:
        self.made: list[Refund] = []
        self._tell = tell

    def make(self, order: RefundOrder, *, taken: Money, status: ChargeStatus, at: datetime) -> ProviderRefund:
        """Give back a part of a charge of `taken`. Raises Rejected when there is not so much left of it."""
        gone = sum(each.amount.minor for each in self.made if each.charge_id == order.charge_id and each.is_moving())
        if status not in GIVES_BACK or gone + order.amount.minor > taken.minor:
            raise Rejected("refund_too_large", "There is not that much left of the charge.")
        refund = Refund(id=f"re_{len(self.made) + 1}", our_ref=order.our_ref, charge_id=order.charge_id, amount=order.amount)
        refund.steps = [(at + after, step) for after, step in PATHS[len(self.made) % len(PATHS)]]
        self.made.append(refund)
        self.catch_up(at)
        return shown(refund)

    def of(self, our_ref: str) -> list[Refund]:
        """Those with our reference."""
        return [each for each in self.made if each.our_ref == our_ref]

    def move(self, refund: Refund, status: RefundStatus) -> bool:
        """Change one where that is legal there, and tell it."""
        if status not in _LEGAL.get(refund.status, frozenset()):
            return False
        refund.status = status
        self._tell(refund.our_ref, refund.id, f"refund.{status.value}")
        return True

    def next_change_at(self) -> datetime | None:
        """When one changes by itself."""
        return min((at for each in self.made for at, _ in each.steps), default=None)

    def catch_up(self, now: datetime) -> None:
        """Everything that time has done by now."""
        for refund in self.made:
            while refund.steps and refund.steps[0][0] <= now:
                self.move(refund, refund.steps.pop(0)[1])


def shown(refund: Refund) -> ProviderRefund:
    """As the port tells it."""
    return ProviderRefund(
        provider_id=refund.id,
        our_ref=refund.our_ref,
        charge_id=refund.charge_id,
        status=refund.status,
        amount=refund.amount,
        failure_code="account_closed" if refund.status is RefundStatus.FAILED else None,
    )
