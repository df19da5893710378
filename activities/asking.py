"""Asking a provider what became of something, in one place: the payment's process, a late event, the sweep and the checks.

A provider that cannot be searched by our reference is asked together with what its verified deliveries told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.providers import Providers
from connectors.payments.ports import (
    ChargeStatus,
    CountsCharges,
    EventSubject,
    LearnsFromEvents,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    ProviderSetup,
)
from domain.ids import attempt_of
from store import inbox
from store.database import Database
from store.inbox import InboxEvent


class Asking:
    """Asks by our reference, and by the provider's own id where that is known."""

    def __init__(self, database: Database, providers: Providers) -> None:
        self._database = database
        self._providers = providers

    def answers_again(self, connection_id: str, *, first_sent_at: datetime, at: datetime) -> bool:
        """Whether what was sent then is asked about by sending it again under its key: nothing can be searched, and the key
        still has the first answer.
        """
        life = self.key_life(connection_id)
        return life is not None and at - first_sent_at < life

    def key_life(self, connection_id: str) -> timedelta | None:
        """How long a provider that cannot be searched keeps its answers; None for one that can be."""
        provider = self._providers.get(connection_id)
        return provider.keeps_answers_for if isinstance(provider, LearnsFromEvents) else None

    async def charge_of(self, connection_id: str, our_ref: str, *, provider_id: str | None) -> ProviderCharge | None:
        """The charge as it stands now; None when the provider shows none. Raises ConnectorError."""
        heard = await self._heard(connection_id, our_ref, provider_id)
        return await self._providers.charges(connection_id).find_charge(our_ref, provider_id=provider_id, heard=heard)

    async def charges_of(self, connection_id: str, our_ref: str) -> Sequence[ProviderCharge]:
        """Every charge of a reference. A provider that cannot count shows what it finds. Raises ConnectorError."""
        provider = self._providers.charges(connection_id)
        if isinstance(provider, CountsCharges):
            return await provider.charges_of(our_ref, heard=await self._heard(connection_id, our_ref, None))
        one = await self.charge_of(connection_id, our_ref, provider_id=None)
        return () if one is None else (one,)

    async def every_charge_of(self, connection_id: str, payment_id: str, attempts: int) -> Sequence[ProviderCharge]:
        """Everything that the provider shows for all attempts of a payment. Raises ConnectorError."""
        found: list[ProviderCharge] = []
        for attempt in range(1, attempts + 1):
            found += await self.charges_of(connection_id, attempt_of(payment_id, attempt))
        return found

    async def refund_of(self, connection_id: str, our_ref: str, *, provider_id: str | None) -> ProviderRefund | None:
        """The refund as it stands now; None when the provider shows none. Raises ConnectorError."""
        heard = await self._heard(connection_id, our_ref, provider_id)
        return await self._providers.refunds(connection_id).find_refund(our_ref, provider_id=provider_id, heard=heard)

    async def refunds_of(self, connection_id: str, our_ref: str) -> Sequence[ProviderRefund]:
        """Every refund of a reference. Raises ConnectorError."""
        heard = await self._heard(connection_id, our_ref, None)
        return await self._providers.refunds(connection_id).refunds_of(our_ref, heard=heard)

    async def setup_of(self, connection_id: str, our_ref: str, *, session_id: str | None = None) -> ProviderSetup | None:
        """The set-up as it stands now; None when the provider shows none. Raises ConnectorError."""
        heard = await self._heard(connection_id, our_ref, session_id)
        return await self._providers.sets_up(connection_id).find_setup(our_ref, session_id=session_id, heard=heard)

    async def _heard(self, connection_id: str, our_ref: str, provider_id: str | None) -> Sequence[ProviderEvent]:
        """What verified deliveries told, for a provider that wants it."""
        if self.key_life(connection_id) is None:
            return ()
        async with self._database.begin("asking.heard") as tx:
            events = await inbox.about(tx, connection_id, our_ref, provider_id=provider_id)
        return [_as_told(each) for each in events]


def _as_told(event: InboxEvent) -> ProviderEvent:
    """The event as the connector read it from its delivery, and when that came."""
    return ProviderEvent(
        event_id=event.event_id,
        dedupe_key=event.dedupe_key,
        kind=event.kind,
        subject=EventSubject(event.subject),
        our_ref=event.our_ref,
        provider_id=event.provider_id,
        occurred_at=event.occurred_at or event.received_at,
        claims=None if event.claims is None else ChargeStatus(event.claims),
        facts=event.facts,
        received_at=event.received_at,
    )
