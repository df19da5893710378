"""How others talked to their provider and ERP, as incidents tell it: each a small change of what stands at the wire."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.erp.ports import PostedDocument
from connectors.errors import Unavailable
from connectors.payments.ports import ChargeOrder, ProviderCharge
from tests.simulation.ledger import FarErp
from tests.simulation.provider import FarProvider


class KeyOfEachRequest(FarProvider):
    """The key is made for the request, not for the payment (woocommerce-gateway-stripe 2474, 3638)."""

    requests = 0

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        self.requests += 1
        return await super().charge(order, key=f"{key}/{self.requests}")


class SilenceIsNo(FarProvider):
    """What the provider does not show yet was never sent: no quiet time (woocommerce-gateway-stripe 5691)."""

    @property
    def search_lag_seconds(self) -> int:
        return -3600


class NeverLooks(FarErp):
    """A document without an answer is sent again (QuickBooks-V3-DotNET-SDK 352, python-quickbooks 292)."""

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        found = await super().find_document(reference)
        return () if self.stage.is_played else found


class FailureIsAbsence(FarErp):
    """A read that failed is read as 'not there' (carbon 1308)."""

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        try:
            return await super().find_document(reference)
        except Unavailable:
            return ()
