"""How others talked to their provider and ERP, as incidents tell it: each a small change of what stands at the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from connectors.erp.ports import PostedDocument
from connectors.errors import ConnectorError, KeyConflict, Unavailable
from connectors.payments.ports import ChargeOrder, ChargeStatus, ProviderCharge
from domain.money import Money
from tests.simulation.ledger import FarErp
from tests.simulation.provider import Charge, FarProvider
from tests.simulation.stage import Stage

T = TypeVar("T")


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


class AsksWithTheKey(FarProvider):
    """What became of a charge is asked by sending it again, under a key that repeats its 500 for a day."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.sent: dict[str, tuple[ChargeOrder, str]] = {}

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        self.sent[order.our_ref] = (order, key)
        return await super().charge(order, key=key)

    async def find_charge(self, our_ref: str, **known: Any) -> ProviderCharge | None:
        if our_ref not in self.sent:
            return await super().find_charge(our_ref, **known)
        order, key = self.sent[our_ref]
        return await super().charge(order, key=key)


class KeyOfTheMethod(FarProvider):
    """The key, and what is sent under it, are made of the method and the amount: a new attempt repeats an old decline."""

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:  # noqa: ARG002 - that is the mistake
        same = replace(order, our_ref="an order", description="", return_url="https://shop.example")
        told = await super().charge(same, key=f"{order.method_token}/{order.amount}")
        return replace(told, provider_id=f"{told.provider_id} of {order.our_ref}")  # nor does it look at the charge's id


class ComparesNothing(FarProvider):
    """A far side whose keys answer with what they have made, whatever is asked now (GoCardless's 409). Each key has been
    used before, for a little less: the invoice was another then.
    """

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        less = replace(order, amount=Money.of(order.amount.minor - 1, order.amount.currency))
        if key not in self.kept:
            self._once(key, less, lambda: self._charge(less), is_broken=False)
        return await super().charge(order, key=key)

    def _once(self, key: str, body: object, effect: Callable[[], T], *, is_broken: bool) -> T | ConnectorError:
        answer = super()._once(key, body, effect, is_broken=is_broken)
        return self.kept[key][1] if isinstance(answer, KeyConflict) else answer  # type: ignore[return-value]


class TrustsTheKey(ComparesNothing):
    """Whatever a key answers with is what was asked for."""

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        return replace(await super().charge(order, key=key), amount=order.amount)


class AcceptedIsPaid(FarProvider):
    """A bank debit that the provider has accepted is paid (invoiceninja 11686; Adyen's AUTHORISATION of a debit)."""

    def shown(self, charge: Charge) -> ProviderCharge:
        told = super().shown(charge)
        return replace(told, status=ChargeStatus.CAPTURED) if told.status is ChargeStatus.PROCESSING else told


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
