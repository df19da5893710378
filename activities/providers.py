"""The payment providers that are connected, by connection, and what each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.errors import Misconfigured
from connectors.payments.ports import Charges, KeepsMethods, PaymentProvider, Refunds, SetsUpMethods


@dataclass(frozen=True, slots=True)
class Providers:
    """Connectors by connection id. A capability that a connector lacks is Misconfigured: nobody should have asked."""

    by_connection: Mapping[str, PaymentProvider]

    def get(self, connection_id: str) -> PaymentProvider:
        """The connector of a connection."""
        if connection_id not in self.by_connection:
            raise Misconfigured(f"no payment provider is connected as {connection_id}")
        return self.by_connection[connection_id]

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
