"""The payment providers that are connected, by connection, and what each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from temporalio import activity

from connectors.errors import Misconfigured, Unavailable
from connectors.payments.payouts import ListsPayouts
from connectors.payments.ports import (
    Charges,
    KeepsMethods,
    ListsEvents,
    NamesReferences,
    PaymentProvider,
    Refunds,
    SetsUpMethods,
)


def queue_of(base: str, connection_id: str) -> str:
    """The task queue of one connection's calls, beside the queue of everything else."""
    return f"{base}/{connection_id}"


@dataclass(frozen=True, slots=True)
class Providers:
    """Connectors by connection id. A capability that a connector lacks is Misconfigured: nobody should have asked."""

    by_connection: Mapping[str, PaymentProvider]
    rates: Mapping[str, int] = field(default_factory=dict)
    """How many calls a second a connection may make, where that is limited."""

    def get(self, connection_id: str) -> PaymentProvider:
        """The connector of a connection. One that is not here may have been made a moment ago, so it is asked for again."""
        if connection_id not in self.by_connection:
            raise Unavailable(f"no payment provider is connected as {connection_id}")
        return self.by_connection[connection_id]

    def queue_of(self, connection_id: str, *, base: str | None = None) -> str | None:
        """The task queue for calls of a connection whose rate is limited; None for the queue of everything else, which is
        `base`, or the one of the activity that asks.
        """
        if connection_id not in self.rates:
            return None
        return queue_of(base or activity.info().task_queue, connection_id)

    def charges(self, connection_id: str) -> Charges:
        """The same, as one that moves money."""
        provider = self.get(connection_id)
        if not isinstance(provider, Charges):
            raise Misconfigured(f"{provider.name} takes no payments")
        return provider

    def refunds(self, connection_id: str) -> Refunds:
        """The same, as one that gives money back."""
        provider = self.get(connection_id)
        if not isinstance(provider, Refunds):
            raise Misconfigured(f"{provider.name} gives no money back")
        return provider

    def sets_up(self, connection_id: str) -> SetsUpMethods:
        """The same, as one that saves methods."""
        provider = self.get(connection_id)
        if not isinstance(provider, SetsUpMethods):
            raise Misconfigured(f"{provider.name} saves no methods")
        return provider

    def keeps(self, connection_id: str) -> KeepsMethods:
        """The same, as one that keeps and forgets methods."""
        provider = self.get(connection_id)
        if not isinstance(provider, KeepsMethods):
            raise Misconfigured(f"{provider.name} keeps no methods")
        return provider

    def names(self, connection_id: str) -> NamesReferences | None:
        """The same, where it can tell what an id of its own is about; None where it cannot."""
        provider = self.get(connection_id)
        return provider if isinstance(provider, NamesReferences) else None

    def lists_events(self, connection_id: str) -> ListsEvents | None:
        """The same, where it can tell again what it told by webhooks; None where it cannot."""
        provider = self.get(connection_id)
        return provider if isinstance(provider, ListsEvents) else None

    def lists_payouts(self, connection_id: str) -> ListsPayouts | None:
        """The same, where it tells what it paid out; None where it cannot."""
        provider = self.get(connection_id)
        return provider if isinstance(provider, ListsPayouts) else None
