"""Stripe behind our protocols: what is asked in our words, sent in its words, answered in ours."""

# ruff: noqa: ARG002 - the port names more than this one needs

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from connectors.errors import OutcomeUnknown, Rejected, Unavailable, WebhookRejected
from connectors.payments.payouts import PayoutItem, PayoutPage, ProviderPayout
from connectors.payments.ports import (
    Capability,
    ChargeOrder,
    ChargeStatus,
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
    SetupStatus,
)
from connectors.payments.stripe import account, finding, translate, webhooks
from connectors.payments.stripe.client import Client, StripeConfig
from connectors.payments.stripe.finding import Finder, in_path
from connectors.payments.stripe.money import is_served, to_stripe
from connectors.payments.stripe.payouts import PAYS_OUT_WITHIN, Payouts
from domain.methods import MethodDetails, MethodKind

Translated = TypeVar("Translated")
Body = Mapping[str, Any]

_CARD: Final = (
    Capability.SET_UP | Capability.CHARGE_SAVED | Capability.PAY_ONCE | Capability.PAY_ONCE_AND_SAVE | Capability.REFUND
)
_DEBIT: Final = _CARD | Capability.SETTLES_LATER | Capability.CAN_RETURN
_DEBIT_CURRENCY: Final[Mapping[MethodKind, str]] = {
    MethodKind.US_BANK_ACCOUNT: "USD",
    MethodKind.SEPA_DEBIT: "EUR",
    MethodKind.BACS_DEBIT: "GBP",
}
_NO_WALLET: Final = {"link": {"display": "never"}}
"""A method that Stripe keeps in a wallet of its own is none that Duly could show, charge or forget."""
_SHORTEST_PAGE: Final = timedelta(minutes=30)
_SHORT_PAGE: Final = timedelta(minutes=31)
_MONEY_FIRST: Final = (
    *(ChargeStatus.RETURNED, ChargeStatus.DISPUTED, ChargeStatus.SETTLED, ChargeStatus.CAPTURED),
    *(ChargeStatus.PROCESSING, ChargeStatus.PENDING, ChargeStatus.NEEDS_CUSTOMER),
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def build(config: StripeConfig, *, clock: Callable[[], datetime] = _utc_now) -> StripeProvider:
    """A connection to Stripe; `aclose` it when done."""
    return StripeProvider(config, clock)


class StripeProvider:
    """Implements PaymentProvider, SetsUpMethods, Charges, CountsCharges, Refunds, KeepsMethods, SignsWebhooks, HasPages,
    ListsEvents, NamesReferences and ListsPayouts. A page is known by its session, a charge of a saved method by its payment
    intent.
    """

    name = "stripe"

    def __init__(self, config: StripeConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._client = Client(config)
        self._finder = Finder(self._client, clock)
        self._payouts = Payouts(self._finder, self.reference_of)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def search_lag_seconds(self) -> int:
        """Seconds after a send before a `find_…` that found nothing is believed."""
        return self._config.search_lag_seconds

    @property
    def page_origins(self) -> frozenset[str]:
        """Where Stripe's pages live."""
        return self._config.page_origins

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        """Of the kinds that this connection has: cards in every currency both know, each bank debit in its own."""
        if kind not in self._config.kinds or not is_served(currency):
            return Capability.NONE
        if kind is MethodKind.CARD:
            return _CARD
        return _DEBIT if _DEBIT_CURRENCY.get(kind) == currency else Capability.NONE

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        """Whether our key is accepted, the account may take money, and events are told. Raises Unavailable."""
        return await account.problems(self._client, self._config)

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        """Open a hosted set-up page. Raises ConnectorError."""
        body: dict[str, Any] = {
            "mode": "setup",
            "customer": await self._customer(order.payer, key),
            "payment_method_types": [kind.value for kind in order.kinds],
            "success_url": order.return_url,
            "cancel_url": order.cancel_url,
            "client_reference_id": order.our_ref,
            "metadata": {translate.OUR_REF: order.our_ref},
            "setup_intent_data": {"metadata": {translate.OUR_REF: order.our_ref}},
            "wallet_options": _NO_WALLET,
        }
        return translate.hosted_page((await self._client.post("/v1/checkout/sessions", body, key=key)).body)

    async def find_setup(self, our_ref: str, *, session_id: str | None = None, heard: Heard = ()) -> ProviderSetup | None:
        """The set-up as it stands now; None when none is known. Raises ConnectorError."""
        session = None
        if session_id is not None and session_id.startswith("cs_"):
            session = await self._finder.session(session_id, finding.SETUP)
        if session is None:
            found = await self._finder.setups(our_ref)
            session = next((each for each in found if each.get("status") == "complete"), found[0] if found else None)
        return None if session is None else self._setup(session)

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:
        """Close the page; the answer is the state afterwards. Raises ConnectorError."""
        path = f"/v1/checkout/sessions/{in_path(session_id)}/expire"
        try:
            await self._client.post(path, {}, key=key)
        except Rejected as refused:
            return await self._setup_after(session_id, refused)
        return await self._setup_after(session_id, None)

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        """Charge a saved method; a decline is an answer. Raises ConnectorError.

        Where the bank wants the customer, a second request asks for its page: it can only follow that first answer.
        """
        body = {
            "amount": to_stripe(order.amount),
            "currency": order.amount.currency.lower(),
            "customer": _known(order.payer),
            "payment_method": order.method_token,
            "payment_method_types": [order.kind.value],
            "off_session": True,
            "confirm": True,
            "description": order.description,
            "metadata": {translate.OUR_REF: order.our_ref},
            "expand": list(finding.INTENT),
        }
        intent = await self._confirmed("/v1/payment_intents", body, key=key)
        if translate.asks_the_customer(intent):
            asking = {
                "payment_method": order.method_token,
                "off_session": False,
                "return_url": order.return_url,
                "expand": list(finding.INTENT),
            }
            path = f"/v1/payment_intents/{in_path(str(intent.get('id')))}/confirm"
            intent = await self._confirmed(path, asking, key=f"{key}/ask")
        return translate.charge(intent, now=self._clock())

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        """Open a hosted page for one payment. Raises ConnectorError."""
        marks = {translate.OUR_REF: order.our_ref, translate.ON_PAGE: "1"}
        units = to_stripe(order.amount)
        body: dict[str, Any] = {
            "mode": "payment",
            "payment_method_types": [kind.value for kind in order.kinds],
            "line_items": [
                {
                    "price_data": {
                        "currency": order.amount.currency.lower(),
                        "unit_amount": units,
                        "product_data": {"name": order.description},
                    },
                    "quantity": 1,
                }
            ],
            "payment_intent_data": {"description": order.description, "metadata": marks},
            "success_url": order.return_url,
            "cancel_url": order.cancel_url,
            "client_reference_id": order.our_ref,
            "metadata": {translate.OUR_REF: order.our_ref},
            "expires_at": self._page_ends(order.expires_at),
            "wallet_options": _NO_WALLET,
        }
        if order.save_method:
            body["payment_intent_data"]["setup_future_usage"] = "off_session"
        if order.save_method or order.payer.provider_ref is not None:
            body["customer"] = await self._customer(order.payer, key)
        elif order.payer.email is not None:
            body["customer_email"] = order.payer.email
        return translate.page((await self._client.post("/v1/checkout/sessions", body, key=key)).body, now=self._clock())

    async def find_charge(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderCharge | None:
        """The charge as it stands now; of several, the one that moved money. None: none is known. Raises ConnectorError."""
        if provider_id is not None:
            known = await self._by_id(provider_id)
            if known is not None:
                return known
        found = await self.charges_of(our_ref)
        return min(found, key=_money_first) if found else None

    async def charges_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderCharge]:
        """Every charge with that reference: those of saved methods, and those of pages. Raises ConnectorError."""
        found: list[ProviderCharge] = []
        seen: set[str] = set()
        for intent in await self._finder.intents(our_ref):
            session = await self._finder.session_of(str(intent["id"])) if finding.is_on_page(intent) else None
            if session is None:
                found.append(await self._charge(intent))
            else:
                seen.add(str(session["id"]))
                found.append(await self._page(session))
        pages = await self._finder.sessions(our_ref, finding.SESSION)
        return [*found, *[await self._page(each) for each in pages if str(each["id"]) not in seen]]

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:
        """Cancel what waits for the customer; the answer is the state afterwards. Raises ConnectorError."""
        is_page = provider_id.startswith("cs_")
        path = f"/v1/checkout/sessions/{in_path(provider_id)}/expire"
        if not is_page:
            path = f"/v1/payment_intents/{in_path(provider_id)}/cancel"
        try:
            reply = await self._client.post(path, {}, key=key)
        except Rejected as refused:
            after = await self._by_id(provider_id)
            if after is None:
                raise
            if after.status is ChargeStatus.NEEDS_CUSTOMER:
                raise OutcomeUnknown(f"Stripe did not cancel it ({refused.code}).") from refused
            return after
        if is_page:
            return translate.page(reply.body, now=self._clock())
        return translate.charge(reply.body, now=self._clock())

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        """Give back a part of a charge, or all of it. Raises ConnectorError."""
        body = {
            "payment_intent": await self._intent_of(order.charge_id),
            "amount": to_stripe(order.amount),
            "metadata": {translate.OUR_REF: order.our_ref, "charge_id": order.charge_id},
        }
        return translate.refund((await self._client.post("/v1/refunds", body, key=key)).body)

    async def find_refund(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderRefund | None:
        """The refund as it stands now; None when none is known. Raises ConnectorError."""
        if provider_id is not None:
            known = await self._finder.by_id(f"/v1/refunds/{in_path(provider_id)}")
            if known is not None:
                return _as_read(lambda: translate.refund(known))
        found = await self.refunds_of(our_ref)
        return found[0] if found else None

    async def refunds_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderRefund]:
        """Every refund with that reference. Raises ConnectorError."""
        found = await self._finder.refunds(our_ref)
        return _as_read(lambda: tuple(translate.refund(each) for each in found))

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        """What is kept for a payer, masked. Raises ConnectorError."""
        path = f"/v1/customers/{in_path(payer_ref)}/payment_methods"
        found = [each async for each in self._finder.pages(path, {})]
        listed = _as_read(lambda: [translate.method(each) for each in found])
        return tuple(each for each in listed if each is not None)

    async def detach_method(self, token: str, *, key: str) -> None:
        """Forget a method; already gone is success. Raises ConnectorError."""
        path = f"/v1/payment_methods/{in_path(token)}"
        try:
            await self._client.post(f"{path}/detach", {}, key=key)
        except Rejected:
            kept = await self._finder.by_id(path)
            if kept is not None and kept.get("customer") is not None:
                raise

    def read_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[ProviderEvent]:
        """Verify the raw body, then its events. Raises WebhookRejected and nothing else."""
        config = self._config
        return webhooks.read(
            raw, headers, secrets=config.webhook_secrets, is_live=config.is_live, account=config.account, now=now
        )

    async def events_after(self, cursor: str | None, *, since: datetime) -> EventPage:
        """Events after the one named by `cursor`, or since a moment, oldest first. Raises ConnectorError."""
        query: dict[str, Any] = {"types": list(webhooks.CLAIMS)}
        newer = None if cursor is None else await self._finder.newer("/v1/events", query, cursor)
        if newer is None:
            newer = await self._finder.oldest("/v1/events", query, since)
        found, has_more = newer
        events = []
        for each in found:
            try:
                events.append(webhooks.event(each, is_live=self._config.is_live, account=self._config.account))
            except WebhookRejected:
                continue  # another account's, or the other mode's: not ours to tell
        return EventPage(events=tuple(events), cursor=str(found[-1]["id"]) if found else cursor, has_more=has_more)

    async def reference_of(self, provider_id: str) -> str | None:
        """Our reference of what an event names by its payment intent or its refund only. Raises ConnectorError."""
        if provider_id.startswith("re_"):
            found = await self._finder.by_id(f"/v1/refunds/{in_path(provider_id)}")
        else:
            found = await self._finder.intent(provider_id) if provider_id.startswith("pi_") else None
        return None if found is None else _as_read(lambda: translate.readable(lambda: translate.our_ref_of(found)))

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
        """All of a payout's parts; none of one that a person asked for. Raises ConnectorError."""
        return await self._payouts.items(provider_id)

    async def _confirmed(self, path: str, body: Body, *, key: str) -> Body:
        """The payment intent of an answer, which is inside the error where it was declined."""
        reply = await self._client.post(path, body, key=key, accepts=(402,))
        if reply.status != 402:
            return reply.body
        error = reply.body.get("error")
        facts: Mapping[str, Any] = error if isinstance(error, dict) else {}
        intent = facts.get("payment_intent")
        if not isinstance(intent, dict):
            raise Rejected(str(facts.get("code", "http_402"))[:80], str(facts.get("message", ""))[:300])
        return intent

    async def _customer(self, payer: Payer, key: str) -> str:
        """Stripe's customer of a payer, made once for a key. Unavailable where that is not sure: no page was opened."""
        if payer.provider_ref is not None:
            return payer.provider_ref
        body: dict[str, Any] = {"name": payer.name, "metadata": {"customer_id": payer.customer_id}}
        if payer.email is not None:
            body["email"] = payer.email
        try:
            made = (await self._client.post("/v1/customers", body, key=f"{key}/customer")).body
            return translate.readable(lambda: translate.text(made["id"]))
        except OutcomeUnknown as unread:
            raise Unavailable(str(unread)) from unread

    def _page_ends(self, wanted: datetime) -> int:
        """Stripe's pages live half an hour at least: a shorter one is given that much more, the same at each try."""
        is_short = wanted - self._clock() < _SHORT_PAGE
        return int((wanted + _SHORTEST_PAGE if is_short else wanted).timestamp())

    async def _by_id(self, provider_id: str) -> ProviderCharge | None:
        if provider_id.startswith("cs_"):
            session = await self._finder.session(provider_id, finding.SESSION)
            return None if session is None else await self._page(session)
        intent = await self._finder.intent(provider_id) if provider_id.startswith("pi_") else None
        return None if intent is None else await self._charge(intent)

    async def _charge(self, intent: Body) -> ProviderCharge:
        disputes = await self._finder.disputes(str(intent.get("id"))) if translate.is_disputed(intent) else ()
        return _as_read(lambda: translate.charge(intent, now=self._clock(), disputes=disputes))

    async def _page(self, session: Body) -> ProviderCharge:
        intent = session.get("payment_intent")
        disputes: tuple[Body, ...] = ()
        if isinstance(intent, dict) and translate.is_disputed(intent):
            disputes = await self._finder.disputes(str(intent.get("id")))
        return _as_read(lambda: translate.page(session, now=self._clock(), disputes=disputes))

    def _setup(self, session: Body) -> ProviderSetup:
        return _as_read(lambda: translate.setup(session, now=self._clock()))

    async def _setup_after(self, session_id: str, refused: Rejected | None) -> ProviderSetup:
        session = await self._finder.session(session_id, finding.SETUP)
        if session is None:
            raise refused or OutcomeUnknown("Stripe does not show a page that it has just closed.")
        after = self._setup(session)
        if after.status is SetupStatus.OPEN and refused is not None:
            raise OutcomeUnknown(f"Stripe did not close the page ({refused.code}).") from refused
        return after

    async def _intent_of(self, charge_id: str) -> str:
        """The payment intent behind a charge of ours. Nothing is sent by asking."""
        if not charge_id.startswith("cs_"):
            return charge_id
        session = await self._finder.session(charge_id, ())
        intent = None if session is None else translate.reference(session.get("payment_intent"))
        if intent is None:
            raise Rejected("nothing_captured", "Nothing was paid on that page.")
        return intent


def _known(payer: Payer) -> str:
    if payer.provider_ref is None:
        raise Rejected("payer_unknown", "A saved method belongs to a customer that Stripe knows.")
    return payer.provider_ref


def _money_first(charge: ProviderCharge) -> int:
    return _MONEY_FIRST.index(charge.status) if charge.status in _MONEY_FIRST else len(_MONEY_FIRST)


def _as_read(translated: Callable[[], Translated]) -> Translated:
    """A read that cannot be understood changed nothing over there: it may be made again."""
    try:
        return translated()
    except OutcomeUnknown as unreadable:
        raise Unavailable(str(unreadable)) from unreadable
