"""Riverbank, a bank of nowhere, as a payment provider of Duly: all that a package from elsewhere is.

Riverbank takes cards in euro and pounds, on its own pages and from saved ones. It gives nothing back, so `Refunds` is not
here and `Capability.REFUND` is not claimed.
"""

# ruff: noqa: ARG002 - `heard` is for a provider that cannot be searched

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from duly.deliveries import object_of, refuse_large, verify_signed_time, word, word_or_none
from duly.payments import (
    Capability,
    ChargeOrder,
    ChargeStatus,
    ConfigurationProblem,
    ConnectionSettings,
    ConnectorError,
    ConnectorSetting,
    EventSubject,
    HostedPage,
    KeyConflict,
    MethodDetails,
    MethodKind,
    Misconfigured,
    Money,
    OutcomeUnknown,
    PageOrder,
    PaymentConnector,
    ProviderCharge,
    ProviderEvent,
    ProviderSetup,
    Rejected,
    SetupOrder,
    SetupStatus,
    Throttled,
    Unavailable,
    WebhookRejected,
)

Body = Mapping[str, Any]
Read = TypeVar("Read")

_CLAIMED: Final = Capability.SET_UP | Capability.CHARGE_SAVED | Capability.PAY_ONCE
_CURRENCIES: Final = frozenset({"EUR", "GBP"})
_SHORTEST_SECRET: Final = 16
_NOTHING_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_CHARGES: Final = {
    "open": ChargeStatus.NEEDS_CUSTOMER,
    "taken": ChargeStatus.CAPTURED,
    "refused": ChargeStatus.DECLINED,
    "canceled": ChargeStatus.CANCELED,
    "ended": ChargeStatus.EXPIRED,
}
_SETUPS: Final = {
    "open": SetupStatus.OPEN,
    "saved": SetupStatus.COMPLETED,
    "canceled": SetupStatus.CANCELED,
    "ended": SetupStatus.EXPIRED,
}
_REASONS: Final = {"no_money": "insufficient_funds"}
_SUBJECTS: Final = {"payment": EventSubject.CHARGE, "saving": EventSubject.SETUP}


class Riverbank:
    """Implements PaymentProvider, SetsUpMethods, Charges, CountsCharges, KeepsMethods, SignsWebhooks and HasPages."""

    name = "riverbank"
    search_lag_seconds = 0

    def __init__(self, given: ConnectionSettings, patience: timedelta) -> None:
        self._address = given.base_url or "https://api.riverbank.example"
        self._secrets = given.every("webhook_secret")
        if not self._secrets or any(len(each) < _SHORTEST_SECRET for each in self._secrets):
            raise Misconfigured(f"Each webhook secret of Riverbank needs at least {_SHORTEST_SECRET} characters.")
        self._http = httpx.AsyncClient(
            base_url=self._address,
            headers={"Authorization": f"Bearer {given.one('api_key')}"},
            timeout=patience.total_seconds(),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def page_origins(self) -> frozenset[str]:
        """Its pages live where it does."""
        return frozenset({self._address})

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        """Cards, in two currencies."""
        return _CLAIMED if kind is MethodKind.CARD and currency in _CURRENCIES else Capability.NONE

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        """Whether our key is accepted. Raises Unavailable."""
        try:
            await self._read("/me")
        except Misconfigured as refused:
            return (ConfigurationProblem(code="api_key", sentence=str(refused), is_fatal=True),)
        return ()

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        """Open a page that saves a card. Raises ConnectorError."""
        asked = {"reference": order.our_ref, "customer": order.payer.provider_ref, "back": order.return_url}
        saving = await self._write("/savings", asked, key=key)
        return _read_of(lambda: _page(saving))

    async def find_setup(
        self, our_ref: str, *, session_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderSetup | None:
        """The set-up as it stands now, or None. Raises ConnectorError."""
        found = await self._find("/savings", our_ref, session_id)
        return _as_read(lambda: _setup(found[0])) if found else None

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:
        """Close the page; the answer is the state afterwards. Raises ConnectorError."""
        after = await self._write(f"/savings/{quote(session_id, safe='')}/cancel", {}, key=key)
        return _read_of(lambda: _setup(after))

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        """Charge a saved card. Raises ConnectorError."""
        asked = {"customer": order.payer.provider_ref, "card": order.method_token}
        return await self._pay(order.our_ref, order.amount, asked, key)

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        """Open a page that takes one payment. Raises ConnectorError."""
        asked = {"back": order.return_url, "ends_at": order.expires_at.isoformat()}
        return await self._pay(order.our_ref, order.amount, asked, key)

    async def find_charge(
        self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderCharge | None:
        """The charge as it stands now, or None; of several, one that took money. Raises ConnectorError."""
        found = await self._find("/payments", our_ref, provider_id)
        charges = [_as_read(lambda body=each: _charge(body)) for each in found]  # type: ignore[misc]
        return min(charges, key=lambda each: each.status is not ChargeStatus.CAPTURED, default=None)

    async def charges_of(self, our_ref: str, *, heard: Sequence[ProviderEvent] = ()) -> Sequence[ProviderCharge]:
        """Every charge of a reference. Raises ConnectorError."""
        found = await self._find("/payments", our_ref, None)
        return _as_read(lambda: [_charge(each) for each in found])

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:
        """Close a page that waits; the answer is the state afterwards. Raises ConnectorError."""
        after = await self._write(f"/payments/{quote(provider_id, safe='')}/cancel", {}, key=key)
        return _read_of(lambda: _charge(after))

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        """The cards of a customer, masked. Raises ConnectorError."""
        listed = await self._read("/cards", customer=payer_ref)
        return _as_read(lambda: [_card(each) for each in (listed or {})["items"]])

    async def detach_method(self, token: str, *, key: str) -> None:
        """Forget a card; already gone is success. Raises ConnectorError."""
        await self._write(f"/cards/{quote(token, safe='')}/forget", {}, key=key)

    def read_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[ProviderEvent]:
        """Verify the raw body, then its event. Raises WebhookRejected and nothing else."""
        refuse_large(raw)
        verify_signed_time(raw, headers, header="riverbank-signature", secrets=self._secrets, now=now)
        body = object_of(raw)
        event_id, about, moment = word(body.get("id")), word(body.get("about")), word(body.get("at"))
        try:
            occurred_at = datetime.fromisoformat(moment)
        except ValueError as unreadable:
            raise WebhookRejected("shape") from unreadable
        if occurred_at.tzinfo is None:
            raise WebhookRejected("shape")
        return (
            ProviderEvent(
                event_id=event_id,
                dedupe_key=event_id,
                kind=about,
                subject=_SUBJECTS.get(about, EventSubject.OTHER),
                our_ref=word_or_none(body.get("reference")),
                provider_id=word_or_none(body.get("which")),
                occurred_at=occurred_at,
            ),
        )

    async def _pay(self, our_ref: str, amount: Money, asked: Body, key: str) -> ProviderCharge:
        body = {**asked, "reference": our_ref, "cents": amount.minor, "currency": str(amount.currency)}
        payment = await self._write("/payments", body, key=key)
        return _read_of(lambda: _charge(payment))

    async def _find(self, path: str, our_ref: str, known_id: str | None) -> Sequence[Body]:
        """What bears an id, or else a reference."""
        known = None if known_id is None else await self._read(f"{path}/{quote(known_id, safe='')}")
        if known is not None:
            return [known]
        listed = await self._read(path, reference=our_ref)
        return _as_read(lambda: list((listed or {})["items"]))

    async def _read(self, path: str, **query: str) -> Body | None:
        """Nothing changes by a read: one that was not answered may be made again. None: there is no such thing."""
        try:
            return await self._ask("GET", path, query=query)
        except OutcomeUnknown as unread:
            raise Unavailable(str(unread)) from unread
        except Rejected as refused:
            if refused.code == "not_found":
                return None
            raise

    async def _write(self, path: str, body: Body, *, key: str) -> Body:
        return await self._ask("POST", path, body=body, headers={"Idempotency-Key": key})

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Body:
        try:
            answer = await self._http.request(method, path, json=body, params=query or None, headers=headers)
        except _NOTHING_LEFT as refused:
            raise Unavailable(f"Riverbank cannot be reached ({type(refused).__name__}).") from refused
        except httpx.HTTPError as unread:
            raise OutcomeUnknown(f"Riverbank's answer was not read ({type(unread).__name__}).") from unread
        try:
            told = answer.json()
        except (ValueError, RecursionError) as unreadable:
            raise OutcomeUnknown("Riverbank's answer cannot be read.") from unreadable
        if not isinstance(told, dict) or answer.status_code >= 500:
            raise OutcomeUnknown(f"Riverbank answered HTTP {answer.status_code}.")
        if answer.status_code >= 400:
            raise _refusal(answer.status_code, str(told.get("code"))[:80], str(told.get("sentence"))[:300])
        return told


def connect(given: ConnectionSettings, *, patience: timedelta = timedelta(seconds=10)) -> Riverbank:
    """A connection to Riverbank; `aclose` it when done. Raises Misconfigured."""
    return Riverbank(given, patience)


def _refusal(status: int, code: str, sentence: str) -> ConnectorError:
    """What a refusal means for the caller. Only what says clearly that nothing happened is taken to say so."""
    if status in {401, 403}:
        return Misconfigured("Riverbank refuses our API key.")
    if status == 429:
        return Throttled("Riverbank asks for patience.", retry_after_seconds=2)
    if code == "under_way":
        return Throttled("Riverbank is still at work on this.", retry_after_seconds=1)
    if code == "key_reused":
        return KeyConflict("Riverbank has seen this key with another body.")
    return Rejected(code, sentence)


def _page(body: Body) -> HostedPage:
    return HostedPage(
        session_id=body["id"],
        url=body["url"],
        expires_at=datetime.fromisoformat(body["ends_at"]),
        payer_ref=body["customer"],
    )


def _setup(body: Body) -> ProviderSetup:
    return ProviderSetup(
        session_id=body["id"],
        our_ref=body["reference"],
        status=_SETUPS.get(body["state"], SetupStatus.VERIFYING),
        method=_card(body["card"]) if body["state"] == "saved" else None,
        payer_ref=body["customer"],
        page=_page(body) if body["state"] == "open" else None,
    )


def _charge(body: Body) -> ProviderCharge:
    """A status that nobody has heard of is pending: never failed, never paid."""
    status, card = _CHARGES.get(body["state"], ChargeStatus.PENDING), body.get("card")
    waits = status is ChargeStatus.NEEDS_CUSTOMER
    return ProviderCharge(
        provider_id=body["id"],
        our_ref=body["reference"],
        status=status,
        amount=Money.of(body["cents"], body["currency"]),
        action_url=body["url"] if waits else None,
        action_expires_at=datetime.fromisoformat(body["ends_at"]) if waits else None,
        failure_code=_REASONS.get(body["reason"], "declined") if status is ChargeStatus.DECLINED else None,
        masked=None if card is None else _card(card),
    )


def _card(body: Body) -> MethodDetails:
    return MethodDetails(
        token=body["id"],
        kind=MethodKind.CARD,
        brand=body["brand"],
        last4=body["ends_with"],
        exp_month=body["month"],
        exp_year=body["year"],
    )


def _read_of(translated: Callable[[], Read]) -> Read:
    """What a write answered; one that has not its shape may have happened all the same."""
    try:
        return translated()
    except (KeyError, TypeError, ValueError) as unreadable:
        raise OutcomeUnknown(f"Riverbank's answer has an unexpected shape ({type(unreadable).__name__}).") from unreadable


def _as_read(translated: Callable[[], Read]) -> Read:
    """The same of a read, which may be made again."""
    try:
        return _read_of(translated)
    except OutcomeUnknown as unreadable:
        raise Unavailable(str(unreadable)) from unreadable


connector: Final = PaymentConnector(
    name="riverbank",
    title="Riverbank",
    settings=(
        ConnectorSetting(name="api_key", label="API key", help="From Riverbank's office, room 2.", is_secret=True),
        ConnectorSetting(name="webhook_secret", label="Webhook secret", is_secret=True, is_rotated=True),
    ),
    build=connect,
    kinds=(MethodKind.CARD,),
    calls_per_second=20,
)
