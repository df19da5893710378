"""Adyen behind our protocols: what is asked in our words, sent in its words, answered in ours.

Adyen has no look-up by our reference. What became of something is known from its signed events, from a payment link (which
can be read), and from the same order under the same key, which Adyen answers alike for a month.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Unavailable
from connectors.payments.adyen import folding, signing, translate, webhooks
from connectors.payments.adyen.client import AdyenConfig, Client, name
from connectors.payments.adyen.money import is_served, to_adyen
from connectors.payments.adyen.references import Reference
from connectors.payments.ports import (
    Capability,
    ChargeOrder,
    ChargeStatus,
    ConfigurationProblem,
    EventSubject,
    Heard,
    HostedPage,
    PageOrder,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    ProviderSetup,
    RefundOrder,
    SetupOrder,
    SetupStatus,
)
from domain.methods import MethodDetails, MethodKind
from domain.money import Money

KEEPS_ANSWERS_FOR: Final = timedelta(days=30)
"""Adyen keeps a key's first answer for 31 days at least."""

_SHORT_LIFE: Final = timedelta(minutes=2)
_MODEL: Final = "UnscheduledCardOnFile"
_ALL: Final = (
    Capability.SET_UP | Capability.CHARGE_SAVED | Capability.PAY_ONCE | Capability.PAY_ONCE_AND_SAVE | Capability.REFUND
)
_DEBIT_CURRENCY: Final = {MethodKind.US_BANK_ACCOUNT: "USD", MethodKind.SEPA_DEBIT: "EUR"}
_COUNTRY: Final = {MethodKind.US_BANK_ACCOUNT: "US"}
_MONEY: Final = frozenset({ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.PROCESSING})
_PAGE: Final = re.compile(r"PL(?![0-9A-Za-z]{14}$)[0-9A-Za-z]+")
"""A payment link's id, as PL61C53A8B97E6915A. A payment's has 16 characters, which may begin with the same two."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def build(config: AdyenConfig, *, clock: Callable[[], datetime] = _utc_now) -> AdyenProvider:
    """A connection to Adyen; `aclose` it when done."""
    return AdyenProvider(config, clock)


class AdyenProvider:
    """Implements PaymentProvider, SetsUpMethods, Charges, CountsCharges, Refunds, KeepsMethods, SignsWebhooks, HasPages and
    LearnsFromEvents. A page is known by its link until its event names the payment; the payer is our customer's id.
    """

    name = "adyen"
    search_lag_seconds = 0
    keeps_answers_for = KEEPS_ANSWERS_FOR

    def __init__(self, config: AdyenConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._client = Client(config)
        self._keys = signing.keys_of(config.hmac_keys)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def page_origins(self) -> frozenset[str]:
        """Where Adyen's pages live."""
        return self._config.page_origins

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        """Of the kinds that this connection has: cards in every currency both know, each bank debit in its own."""
        if kind not in self._config.kinds or not is_served(currency):
            return Capability.NONE
        if kind is MethodKind.CARD:
            return _ALL
        is_its_own = _DEBIT_CURRENCY.get(kind) == currency
        return _ALL | Capability.SETTLES_LATER | Capability.CAN_RETURN if is_its_own else Capability.NONE

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        """Whether our key is accepted, and the account takes what it is to take. Raises Unavailable."""
        try:
            asked = {"merchantAccount": self._config.merchant_account}
            told = await self._client.read(self._client.payments.payment_methods, asked)
        except Misconfigured as refused:
            return (ConfigurationProblem(code="api_key", sentence=str(refused), is_fatal=True),)
        if told is None:
            sentence = "Adyen knows no such merchant account, or does not let this key use it."
            return (ConfigurationProblem(code="account", sentence=sentence, is_fatal=True),)
        listed = told.get("paymentMethods")
        offered = {each.get("type") for each in listed if isinstance(each, dict)} if isinstance(listed, list) else set()
        missing = sorted(kind.value for kind in self._config.kinds if translate.PAYS[kind] not in offered)
        return tuple(
            ConfigurationProblem(code="method_kind", sentence=f"Adyen has not switched on {each} for this account.")
            for each in missing
        )

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        """Open a hosted session that takes nothing and keeps the method. Raises ConnectorError."""
        kind = _only(order.kinds)
        body: dict[str, Any] = {
            **self._bearing(Reference(our_ref=order.our_ref, kind=kind, is_page=True), Money.of(0, order.currency)),
            "returnUrl": order.return_url,
            "mode": "hosted",
            "channel": "Web",
            "allowedPaymentMethods": [translate.PAYS[kind]],
            "shopperInteraction": "Ecommerce",
            **_keeping(order.payer.customer_id),
        }
        if kind in _COUNTRY:
            body["countryCode"] = _COUNTRY[kind]
        answer = await self._client.write(self._client.payments.sessions, body, key=key)
        return translate.session(answer, payer_id=order.payer.customer_id)

    async def find_setup(self, our_ref: str, *, session_id: str | None = None, heard: Heard = ()) -> ProviderSetup | None:
        """Completed once an event proves that it was authorised and Adyen lists what it kept. Raises ConnectorError."""
        known = None if session_id is None else translate.session_of(session_id)
        if session_id is None or known is None:
            return None
        shopper, ends_at = known
        proofs = [each for each in heard if _is_authorised(each, EventSubject.SETUP) and each.our_ref == our_ref]
        kept = None if not proofs else await self._kept(shopper, proofs)
        is_over = self._clock() >= ends_at
        status = SetupStatus.EXPIRED if is_over else SetupStatus.OPEN
        return ProviderSetup(
            session_id=session_id,
            our_ref=our_ref,
            status=status if kept is None else SetupStatus.COMPLETED,
            method=kept,
            payer_ref=shopper,
        )

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:  # noqa: ARG002
        """Adyen closes a session by itself, when its time is up. Raises OutcomeUnknown: until then it may be used."""
        raise OutcomeUnknown("Adyen closes a session by itself; until then the customer may use it.")

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        """Charge a saved method; a decline is an answer. Raises ConnectorError.

        No bank is asked to ask: where it wants the customer all the same it refuses, and a page for the same payment opens.
        """
        stored = translate.stored_of(order.method_token)
        if stored is None or stored[0] != order.payer.customer_id:
            raise Rejected("method_unknown", "A saved method belongs to the customer that it was saved for.")
        body = {
            **self._bearing(Reference(our_ref=order.our_ref, kind=order.kind), order.amount),
            "paymentMethod": {"type": translate.PAYS[order.kind], "storedPaymentMethodId": name(stored[1])},
            "shopperReference": stored[0],
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": _MODEL,
            "returnUrl": order.return_url,
        }
        if order.kind.is_card:
            body["authenticationData"] = {"attemptAuthentication": "never"}
        answer = await self._client.write(self._client.payments.payments, body, key=key)
        told = translate.payment(
            answer,
            our_ref=order.our_ref,
            kind=order.kind,
            asked=order.amount,
            now=self._clock(),
            days=self._config.presumed_after_days,
        )
        return await self._ask_customer(order, key) if translate.asks_the_customer(answer) else told

    async def _ask_customer(self, order: ChargeOrder, key: str) -> ProviderCharge:
        body = {
            **self._page_body(order.our_ref, order.kind, order.amount, order.description, order.return_url),
            "storePaymentMethodMode": "disabled",
        }
        answer = await self._client.write(self._client.links.payment_links, body, key=f"{key}/ask")
        return translate.link(answer, our_ref=order.our_ref, asked=order.amount)

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        """Open a payment link. Raises ConnectorError.

        One whose first answer was lost, and whose time has passed since, is asked for with a short time to live: its key has
        the page that was opened; where none was, one opens that nobody knows, and it can be closed.
        """
        kind = _only(order.kinds)
        ends_at = max(order.expires_at, self._clock() + _SHORT_LIFE)
        body = {
            **self._page_body(order.our_ref, kind, order.amount, order.description, order.return_url),
            "expiresAt": translate.told_moment(ends_at),
            **(_keeping(order.payer.customer_id) if order.save_method else {"storePaymentMethodMode": "disabled"}),
        }
        answer = await self._client.write(self._client.links.payment_links, body, key=key)
        return translate.link(answer, our_ref=order.our_ref, asked=order.amount)

    async def find_charge(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderCharge | None:
        """The charge as its events and its page prove it; of several, the one that moved money. None: nothing was told.
        Raises ConnectorError.
        """
        found = self._folded(our_ref, heard)
        best = found[0] if found else None
        if best is not None and best.status is not ChargeStatus.DECLINED:
            return await self._with_method(best, heard)
        page = await self._page(our_ref, provider_id)
        return page or best

    async def charges_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderCharge]:
        """Every payment of Adyen's that events with that reference tell of. Raises ConnectorError."""
        return self._folded(our_ref, heard)

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:  # noqa: ARG002
        """Close a page; the answer is the state afterwards. What is no page is not canceled: Rejected, and nothing is sent.
        Raises ConnectorError.
        """
        if not _PAGE.fullmatch(provider_id):
            raise Rejected("not_cancelable", "A payment that was sent to Adyen is given back, not canceled.")
        links = self._client.links
        try:
            answer = await self._client.write(links.update_payment_link, {"status": "expired"}, name(provider_id))
        except Rejected as refused:
            read = await self._client.read(links.get_payment_link, name(provider_id))
            if read is None or read.get("status") == "active":
                raise OutcomeUnknown(f"Adyen did not close the page ({refused.code}).") from refused
            return _of_link(read)
        closed = _of_link(answer)
        is_closed = closed.status is ChargeStatus.EXPIRED
        return replace(closed, status=ChargeStatus.CANCELED) if is_closed else closed

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        """Give back a part of a charge, or all of it: Adyen takes it, and tells later whether it went. Raises
        ConnectorError.
        """
        if _PAGE.fullmatch(order.charge_id):
            raise Rejected("nothing_captured", "Nothing is known to have been paid on that page.")
        body = self._bearing(Reference(our_ref=order.our_ref), order.amount)
        call = self._client.modifications.refund_captured_payment
        answer = await self._client.write(call, body, name(order.charge_id), key=key)
        return translate.refund(answer, order)

    async def find_refund(self, our_ref: str, *, provider_id: str | None = None, heard: Heard = ()) -> ProviderRefund | None:
        """The refund as its events prove it; None when nothing was told. Raises ConnectorError."""
        found = folding.refunds(heard, our_ref)
        return next((each for each in found if each.provider_id == provider_id), found[0] if found else None)

    async def refunds_of(self, our_ref: str, *, heard: Heard = ()) -> Sequence[ProviderRefund]:
        """Every refund of Adyen's that events with that reference tell of. Raises ConnectorError."""
        return folding.refunds(heard, our_ref)

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        """What is kept for a payer, masked. Raises ConnectorError."""
        listed = [translate.method(each, shopper=payer_ref) for each in await self._stored(payer_ref) or ()]
        return tuple(each for each in listed if each is not None)

    async def detach_method(self, token: str, *, key: str) -> None:  # noqa: ARG002 - a deletion may be repeated
        """Forget a method; already gone is success. Raises ConnectorError."""
        stored = translate.stored_of(token)
        if stored is None:
            return
        shopper, stored_id = stored
        call = self._client.tokens.delete_token_for_stored_payment_details
        try:
            await self._client.remove(call, name(stored_id), query=self._of(shopper))
        except Rejected:
            if (kept := await self._stored(shopper)) is None or any(each.get("id") == stored_id for each in kept):
                raise

    def read_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[ProviderEvent]:
        """Verify the raw body, then its events. Raises WebhookRejected and nothing else."""
        config = self._config
        return webhooks.read(raw, headers, keys=self._keys, is_live=config.is_live, account=config.merchant_account, now=now)

    def _bearing(self, reference: Reference, amount: Money) -> dict[str, Any]:
        return {
            "merchantAccount": self._config.merchant_account,
            "amount": {"value": to_adyen(amount), "currency": str(amount.currency)},
            "reference": reference.written(),
        }

    def _page_body(self, our_ref: str, kind: MethodKind, amount: Money, description: str, return_url: str) -> dict[str, Any]:
        body = {
            **self._bearing(Reference(our_ref=our_ref, kind=kind, is_page=True), amount),
            "description": description,
            "returnUrl": return_url,
            "reusable": False,
            "allowedPaymentMethods": [translate.PAYS[kind]],
        }
        return body | ({"countryCode": _COUNTRY[kind]} if kind in _COUNTRY else {})

    def _folded(self, our_ref: str, heard: Sequence[ProviderEvent]) -> tuple[ProviderCharge, ...]:
        try:
            return folding.charges(heard, our_ref, now=self._clock(), days=self._config.presumed_after_days)
        except OutcomeUnknown as unreadable:
            raise Unavailable(str(unreadable)) from unreadable

    async def _page(self, our_ref: str, provider_id: str | None) -> ProviderCharge | None:
        if provider_id is None or not _PAGE.fullmatch(provider_id):
            return None
        answer = await self._client.read(self._client.links.get_payment_link, name(provider_id))
        if answer is None or translate.reference_of(answer) != our_ref:
            return None
        try:
            return translate.link(answer, our_ref=our_ref)
        except OutcomeUnknown as unreadable:
            raise Unavailable(str(unreadable)) from unreadable

    async def _with_method(self, charge: ProviderCharge, heard: Sequence[ProviderEvent]) -> ProviderCharge:
        """The same, with the method that was kept by it, where Adyen lists one."""
        proofs = [each for each in heard if _is_authorised(each, EventSubject.CHARGE) and each.facts.get("is_page") == "yes"]
        mine = [each for each in proofs if each.provider_id == charge.provider_id]
        shopper = next((each.facts["unsigned_shopper"] for each in mine if "unsigned_shopper" in each.facts), None)
        if shopper is None or charge.status not in _MONEY:
            return charge
        kept = await self._kept(shopper, mine, by_hint=False)
        return charge if kept is None else replace(charge, saved_method=kept, masked=kept, payer_ref=shopper)

    async def _kept(self, shopper: str, proofs: Sequence[ProviderEvent], *, by_hint: bool = True) -> MethodDetails | None:
        """What a payment made Adyen keep for a shopper: the one that it says was first kept by that payment. `by_hint`: else
        the one that the event names without a signature, which is enough where the shopper is known to be ours.
        """
        stored = await self._stored(shopper) or ()
        psps = {each.facts.get("psp") for each in proofs}
        hints = {each.facts.get("unsigned_token") for each in proofs} if by_hint else set()
        first = [each for each in stored if each.get("firstPspReference") in psps]
        named = [each for each in stored if each.get("id") in hints]
        return next((found for each in (*first, *named) if (found := translate.method(each, shopper=shopper))), None)

    async def _stored(self, shopper: str) -> Sequence[Mapping[str, Any]] | None:
        """What Adyen keeps for a shopper; None where it does not say."""
        answer = await self._client.read(self._client.tokens.get_tokens_for_stored_payment_details, query=self._of(shopper))
        listed = None if answer is None else answer.get("storedPaymentMethods", ())
        return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list | tuple) else None

    def _of(self, shopper: str) -> dict[str, str]:
        return {"merchantAccount": self._config.merchant_account, "shopperReference": shopper}


def _only(kinds: Sequence[MethodKind]) -> MethodKind:
    if len(kinds) != 1 or kinds[0] not in translate.PAYS:
        raise Rejected("one_kind", "A page of Adyen's is opened for one kind of method.")
    return kinds[0]


def _keeping(shopper: str) -> dict[str, str]:
    return {"shopperReference": shopper, "storePaymentMethodMode": "enabled", "recurringProcessingModel": _MODEL}


def _is_authorised(event: ProviderEvent, subject: EventSubject) -> bool:
    return event.subject is subject and event.kind == "AUTHORISATION" and event.facts.get("success") == "true"


def _of_link(answer: Mapping[str, Any]) -> ProviderCharge:
    return translate.link(answer, our_ref=translate.reference_of(answer) or "")
