"""The other kind of far side: it cannot be searched by our reference, and what became of a charge only its events tell.

Charges and refunds are folded from what was heard of them, whatever order that came in; of a page it also knows, by its own
id, whether it is still open. The same key has the first answer for a day, and what was not delivered is delivered again.
"""

# ruff: noqa: ARG002 - the port names more than this one needs

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from connectors.payments.ports import (
    ChargeStatus,
    EventSubject,
    Heard,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    RefundStatus,
)
from domain.money import Money
from tests.simulation.provider import KEY_LIFE, FarProvider, Told
from tests.simulation.stage import Stage

_OF_ITS_OWN: Final = frozenset({ChargeStatus.NEEDS_CUSTOMER, ChargeStatus.EXPIRED, ChargeStatus.CANCELED})
"""What a page itself says; that it was paid says nothing of the money."""


class FarListener(FarProvider):
    """The same provider behind a port that also is LearnsFromEvents."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.withheld: list[tuple[datetime, Told]] = []

    @property
    def keeps_answers_for(self) -> timedelta:
        return KEY_LIFE - timedelta(hours=1)

    async def find_charge(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderCharge | None:
        def told() -> ProviderCharge | None:
            return next(iter(_charges(our_ref, heard)), None) or self._page_of(provider_id)

        return await self._read(told)

    async def charges_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderCharge]:
        return _charges(our_ref, heard)

    async def find_refund(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderRefund | None:
        return await self._read(lambda: next(iter(_refunds(our_ref, heard)), None))

    async def refunds_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderRefund]:
        return _refunds(our_ref, heard)

    def _page_of(self, provider_id: str | None) -> ProviderCharge | None:
        charge = self.charges.get(provider_id or "")
        if charge is None or not charge.is_page:
            return None
        shown = self.shown(charge)
        return shown if shown.status in _OF_ITS_OWN else dataclasses.replace(shown, status=ChargeStatus.PENDING)

    def withhold(self, told: Told, *, until: datetime) -> None:
        """A delivery is lost; it is made again, and not before that."""
        self.outgoing.remove(told)
        self.withheld.append((until, told))

    def next_change_at(self) -> datetime | None:
        moments = [at for at in (super().next_change_at(), *(at for at, _ in self.withheld)) if at is not None]
        return min(moments, default=None)

    def catch_up(self) -> None:
        super().catch_up()
        self.outgoing += [told for at, told in self.withheld if at <= self.stage.now]
        self.withheld = [each for each in self.withheld if each[0] > self.stage.now]


def _newest(heard: Iterable[ProviderEvent], subject: EventSubject) -> Sequence[ProviderEvent]:
    """The last word of each of theirs that the events tell of: they number their events."""
    last: dict[str, ProviderEvent] = {}
    for each in sorted(heard, key=lambda event: int(event.event_id.partition("_")[2])):
        if each.subject is subject and each.provider_id is not None and each.facts.get("proves") == "yes":
            last[each.provider_id] = each
    return list(last.values())


def _charges(our_ref: str, heard: Heard) -> Sequence[ProviderCharge]:
    return [
        ProviderCharge(
            provider_id=each.provider_id or "",
            our_ref=our_ref,
            status=ChargeStatus(each.facts["status"]),
            amount=Money.of(int(each.facts["minor"]), each.facts["currency"]),
            failure_code=each.facts.get("failure"),
            return_code=each.facts.get("return"),
        )
        for each in _newest(heard, EventSubject.CHARGE)
    ]


def _refunds(our_ref: str, heard: Heard) -> Sequence[ProviderRefund]:
    return [
        ProviderRefund(
            provider_id=each.provider_id or "",
            our_ref=our_ref,
            charge_id=each.facts["charge"],
            status=RefundStatus(each.facts["status"]),
            amount=Money.of(int(each.facts["minor"]), each.facts["currency"]),
            failure_code=each.facts.get("failure"),
        )
        for each in _newest(heard, EventSubject.REFUND)
    ]
