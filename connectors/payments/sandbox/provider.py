"""The sandbox provider behind our protocols: what is asked in our words, sent in its words, answered in ours."""

# ruff: noqa: ARG002 - the port names more than this one needs

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from connectors.errors import Misconfigured, OutcomeUnknown, Unavailable
from connectors.payments.payouts import PayoutItem, PayoutPage, ProviderPayout
from connectors.payments.ports import (
    Capability,
    ChargeOrder,
    ConfigurationProblem,
    EventPage,
    Heard,
    HostedPage,
    PageOrder,
    Payer,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    ProviderSetup,
    RefundOrder,
    SetupOrder,
)
from connectors.payments.sandbox import translate, webhooks
from connectors.payments.sandbox.client import SandboxClient, SandboxConfig
from connectors.payments.sandbox.payouts import PAYS_OUT_WITHIN, Payouts
from domain.methods import MethodDetails, MethodKind
from domain.money import Money, MoneyError, exponent

Translated = TypeVar("Translated")

_CARD: Final = (
    Capability.SET_UP | Capability.CHARGE_SAVED | Capability.PAY_ONCE | Capability.PAY_ONCE_AND_SAVE | Capability.REFUND
)
_DEBIT: Final = _CARD | Capability.SETTLES_LATER | Capability.CAN_RETURN
_EVENT_PAGES: Final = 10
_EVENTS_ON_A_PAGE: Final = 100
_DEBIT_CURRENCY: Final[Mapping[MethodKind, str]] = {
    MethodKind.US_BANK_ACCOUNT: "USD",
    MethodKind.SEPA_DEBIT: "EUR",
    MethodKind.BACS_DEBIT: "GBP",
}


def build(config: SandboxConfig) -> SandboxProvider:
    """A connection to the sandbox provider; `aclose` it when done."""
    return SandboxProvider(config)


class SandboxProvider:
    """Implements PaymentProvider, SetsUpMethods, Charges, CountsCharges, Refunds, KeepsMethods, SignsWebhooks, HasPages,
    ListsEvents and ListsPayouts.
    """

    name = "sandbox"

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._client = SandboxClient(config)
        self._payouts = Payouts(self._client)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def search_lag_seconds(self) -> int:
        """Seconds after a send before a `find_…` that found nothing is believed."""
        return self._config.search_lag_seconds

    @property
    def page_origins(self) -> frozenset[str]:
        """Its pages live where it does."""
        address = urlsplit(self._config.base_url)
        return frozenset({f"{address.scheme}://{address.netloc}"})

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        """Cards in every currency that Duly knows; each bank debit in its own."""
        try:
            exponent(currency)
        except MoneyError:
            return Capability.NONE
        if kind is MethodKind.CARD:
            return _CARD
        return _DEBIT if _DEBIT_CURRENCY.get(kind) == currency else Capability.NONE

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        """Whether our key is accepted and somebody is told of events. Raises Unavailable."""
        try:
            reply = await self._client.get("/v1/account")
        except Misconfigured as refused:
            return (ConfigurationProblem(code="api_key", sentence=str(refused), is_fatal=True),)
        if reply.body.get("mode") != "test":
            return (ConfigurationProblem(code="mode", sentence="This is not a sandbox provider.", is_fatal=True),)
        if not reply.body.get("webhook_url"):
            sentence = "The sandbox provider knows no address to deliver events to; Duly will only learn by asking."
            return (ConfigurationProblem(code="webhook_url", sentence=sentence),)
        return ()

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        """Open a hosted set-up page. Raises ConnectorError."""
        body = {
            "our_ref": order.our_ref,
            "payer": _payer(order.payer),
            "kinds": [kind.value for kind in order.kinds],
            "currency": order.currency,
            "return_url": order.return_url,
            "cancel_url": order.cancel_url,
        }
        return translate.hosted_page((await self._client.post("/v1/setups", body, key=key)).body)

    async def find_setup(self, our_ref: str, *, session_id: str | None = None, heard: Heard = ()) -> ProviderSetup | None:
        """The set-up as it stands now; None when none is known. Raises ConnectorError."""
        found = await self._find("setups", our_ref, session_id)
        return None if found is None else _as_read(lambda: translate.setup(found))

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:
        """Close the page; the answer is the state afterwards. Raises ConnectorError."""
        return translate.setup((await self._client.post(f"/v1/setups/{_in_path(session_id)}/cancel", {}, key=key)).body)

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        """Charge a saved method; a decline is an answer. Raises ConnectorError."""
        body = {
            "our_ref": order.our_ref,
            "payer": order.payer.provider_ref,
            "method": order.method_token,
            "amount": _amount(order.amount),
            "description": order.description,
            "return_url": order.return_url,
        }
        reply = await self._client.post("/v1/charges", body, key=key, accepts=(402,))
        made = reply.body.get("charge", {}) if reply.status == 402 else reply.body
        return translate.charge(made)

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        """Open a hosted page for one payment. Raises ConnectorError."""
        body = {
            "our_ref": order.our_ref,
            "payer": _payer(order.payer),
            "kinds": [kind.value for kind in order.kinds],
            "amount": _amount(order.amount),
            "description": order.description,
            "return_url": order.return_url,
            "cancel_url": order.cancel_url,
            "save_method": order.save_method,
            "expires_at": order.expires_at.isoformat(),
        }
        return translate.charge((await self._client.post("/v1/payment_pages", body, key=key)).body)

    async def find_charge(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderCharge | None:
        """The charge as it stands now; of several, the one that moved money. None: none is known. Raises ConnectorError."""
        found = await self._find("charges", our_ref, provider_id)
        return None if found is None else _as_read(lambda: translate.charge(found))

    async def charges_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderCharge]:
        """Every charge with that reference. Raises ConnectorError."""
        reply = await self._client.get("/v1/charges", query={"our_ref": our_ref})
        return _as_read(lambda: translate.charges(reply.body))

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:
        """Cancel what waits for the customer; the answer is the state afterwards. Raises ConnectorError."""
        path = f"/v1/charges/{_in_path(provider_id)}/cancel"
        return translate.charge((await self._client.post(path, {}, key=key)).body)

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        """Give back a part of a charge, or all of it. Raises ConnectorError."""
        body = {"our_ref": order.our_ref, "charge": order.charge_id, "amount": _amount(order.amount)}
        return translate.refund((await self._client.post("/v1/refunds", body, key=key)).body)

    async def find_refund(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderRefund | None:
        """The refund as it stands now; None when none is known. Raises ConnectorError."""
        found = await self._find("refunds", our_ref, provider_id)
        return None if found is None else _as_read(lambda: translate.refund(found))

    async def refunds_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderRefund]:
        """Every refund with that reference. Raises ConnectorError."""
        reply = await self._client.get("/v1/refunds", query={"our_ref": our_ref})
        return _as_read(lambda: translate.refunds(reply.body))

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        """What is kept for a payer, masked. Raises ConnectorError."""
        reply = await self._client.get(f"/v1/payers/{_in_path(payer_ref)}/methods")
        return _as_read(lambda: translate.methods(reply.body))

    async def detach_method(self, token: str, *, key: str) -> None:
        """Forget a method; already gone is success. Raises ConnectorError."""
        await self._client.post(f"/v1/methods/{_in_path(token)}/detach", {}, key=key, accepts=(404,))

    def read_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[ProviderEvent]:
        """Verify the raw body, then its events. Raises WebhookRejected and nothing else."""
        return webhooks.read(raw, headers, secrets=self._config.webhook_secrets, now=now)

    async def events_after(self, cursor: str | None, *, since: datetime) -> EventPage:
        """Events after the one named by `cursor`, or since a moment, oldest first. Raises ConnectorError."""
        events: list[ProviderEvent] = []
        after = cursor
        for _ in range(_EVENT_PAGES):
            query = {"limit": str(_EVENTS_ON_A_PAGE), **({} if after is None else {"after": after})}
            found = _as_read(partial(translate.events, (await self._client.get("/v1/events", query=query)).body))
            events += found
            after = found[-1].event_id if found else after
            if len(found) < _EVENTS_ON_A_PAGE:
                break
        wanted = events if cursor is not None else [each for each in events if each.occurred_at >= since]
        return EventPage(events=tuple(wanted), cursor=after, has_more=len(events) == _EVENT_PAGES * _EVENTS_ON_A_PAGE)

    @property
    def pays_out_within(self) -> timedelta:
        """How long after its success a payment is in a payout."""
        return PAYS_OUT_WITHIN

    async def payouts_after(self, cursor: str | None, *, since: datetime) -> PayoutPage:
        """Payouts after the one named by `cursor`, or since a moment, oldest first. Raises ConnectorError."""
        return await self._payouts.after(cursor, since=since)

    async def find_payout(self, provider_id: str) -> ProviderPayout | None:
        """A payout as it stands now; None when none is known. Raises ConnectorError."""
        return await self._payouts.find(provider_id)

    async def payout_items(self, provider_id: str) -> Sequence[PayoutItem]:
        """All of a payout's parts. Raises ConnectorError."""
        return await self._payouts.items(provider_id)

    async def _find(self, table: str, our_ref: str, known_id: str | None) -> Mapping[str, Any] | None:
        """By the provider's own id where we have it, which sees at once what a search does not see yet."""
        if known_id is not None:
            reply = await self._client.get(f"/v1/{table}/{_in_path(known_id)}")
            if reply.status != 404:
                return reply.body
        reply = await self._client.get(f"/v1/{table}", query={"our_ref": our_ref})
        return _as_read(lambda: translate.first_of(reply.body, table)) if reply.status != 404 else None


def _as_read(translated: Callable[[], Translated]) -> Translated:
    """A read that cannot be understood changed nothing over there: it may be made again."""
    try:
        return translated()
    except OutcomeUnknown as unreadable:
        raise Unavailable(str(unreadable)) from unreadable


def _amount(amount: Money) -> dict[str, Any]:
    return {"minor": amount.minor, "currency": amount.currency}


def _payer(payer: Payer) -> dict[str, Any]:
    return {"id": payer.provider_ref, "customer_id": payer.customer_id, "name": payer.name, "email": payer.email}


def _in_path(part: str) -> str:
    """Safe as one part of a path, whatever it holds."""
    return quote(part, safe="")
