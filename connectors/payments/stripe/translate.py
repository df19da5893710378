"""Stripe's words in ours. A status that is not listed here is PENDING, never failed and never paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

from connectors.errors import OutcomeUnknown
from connectors.payments.ports import (
    ChargeStatus,
    HostedPage,
    ProviderCharge,
    ProviderRefund,
    ProviderSetup,
    RefundStatus,
    SetupStatus,
)
from connectors.payments.stripe.money import from_stripe
from domain.methods import MethodDetails, MethodKind

Translated = TypeVar("Translated")
Body = Mapping[str, Any]

OUR_REF: Final = "our_ref"
ON_PAGE: Final = "on_page"
"""Marks a payment intent that a page of ours made: it is known by the page's session."""

ACTION_LIFE: Final = timedelta(hours=1)
"""How long the bank's question is waited for. Stripe names no end."""

UNDER_WAY: Final = timedelta(minutes=3)
"""How long a charge that the bank wants to ask about may still have our request to ask under way."""

ASKS: Final = "authentication_required"

_INTENT_STATUS: Final[Mapping[str, ChargeStatus]] = {
    "requires_action": ChargeStatus.NEEDS_CUSTOMER,
    "processing": ChargeStatus.PROCESSING,
    "succeeded": ChargeStatus.CAPTURED,
    "requires_payment_method": ChargeStatus.DECLINED,
    "canceled": ChargeStatus.CANCELED,
}
_REFUND_STATUS: Final[Mapping[str, RefundStatus]] = {
    "pending": RefundStatus.PROCESSING,
    "requires_action": RefundStatus.PROCESSING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
_NO_LOSS: Final = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "won", "prevented"})
"""Disputes that have not taken the money, or gave it back."""
_FAILURES: Final[Mapping[str, str]] = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "card_expired",
    "processing_error": "processing_error",
    "try_again_later": "processing_error",
    "issuer_not_available": "processing_error",
    "payment_intent_authentication_failure": "authentication_failed",
    "setup_intent_authentication_failure": "authentication_failed",
    ASKS: "authentication_required",
    "account_closed": "account_closed",
    "bank_account_closed": "account_closed",
    "no_account": "no_account",
    "debit_not_authorized": "debit_not_authorized",
    "card_declined": "declined",
}
_BUSINESS_DAYS: Final[Mapping[str, int]] = {"us_bank_account": 4, "sepa_debit": 6, "bacs_debit": 4}


def charge(body: Body, *, now: datetime, disputes: tuple[Body, ...] = (), page_id: str | None = None) -> ProviderCharge:
    """A payment intent as answered. `disputes` are those of it; `page_id`, the session of a page that made it.

    Raises OutcomeUnknown when it cannot be read.
    """
    return readable(lambda: _charge(body, now, disputes, page_id))


def page(session: Body, *, now: datetime, disputes: tuple[Body, ...] = ()) -> ProviderCharge:
    """A payment page's session as answered: open it waits for the customer, complete it is its intent.

    Raises OutcomeUnknown when it cannot be read.
    """
    return readable(lambda: _page(session, now, disputes))


def setup(session: Body, *, now: datetime) -> ProviderSetup:
    """A set-up page's session as answered. Raises OutcomeUnknown when it cannot be read."""
    return readable(lambda: _setup(session, now))


def hosted_page(session: Body) -> HostedPage:
    """A set-up's page as answered. Raises OutcomeUnknown when it cannot be read."""
    return readable(
        lambda: HostedPage(
            session_id=text(session["id"]),
            url=text(session["url"]),
            expires_at=moment(session["expires_at"]),
            payer_ref=reference(session.get("customer")),
        )
    )


def refund(body: Body) -> ProviderRefund:
    """A refund as answered. Raises OutcomeUnknown when it cannot be read."""
    return readable(
        lambda: ProviderRefund(
            provider_id=text(body["id"]),
            our_ref=our_ref_of(body) or "",
            charge_id=_metadata(body).get("charge_id") or text(reference(body.get("payment_intent"))),
            status=_REFUND_STATUS.get(text(body["status"]), RefundStatus.PENDING),
            amount=from_stripe(body["amount"], body["currency"]),
            failure_code=_optional(body.get("failure_reason")) or ("canceled" if body["status"] == "canceled" else None),
        )
    )


def method(body: Body) -> MethodDetails | None:
    """A payment method; None for a kind that Duly does not use. Raises OutcomeUnknown when it cannot be read."""
    return readable(lambda: _method(body))


def our_ref_of(body: Body) -> str | None:
    """The reference that we gave it, or None."""
    return _optional(_metadata(body).get(OUR_REF))


def is_disputed(intent: object) -> bool:
    """Whether the bank has taken, or asks for, the money back: its disputes must be read."""
    return isinstance(intent, dict) and _part(intent, "latest_charge").get("disputed") is True


def asks_the_customer(intent: Body) -> bool:
    """Whether the bank refused only because the customer was not there."""
    return intent.get("status") == "requires_payment_method" and _part(intent, "last_payment_error").get("code") == ASKS


def _charge(body: Body, now: datetime, disputes: tuple[Body, ...], page_id: str | None) -> ProviderCharge:
    status = _INTENT_STATUS.get(text(body["status"]), ChargeStatus.PENDING)
    created = moment(body["created"])
    taken, failed = _part(body, "latest_charge"), _part(body, "last_payment_error")
    action_url = _action_url(body) if status is ChargeStatus.NEEDS_CUSTOMER else None
    if status is ChargeStatus.NEEDS_CUSTOMER and action_url is None:
        status = ChargeStatus.PENDING
    if asks_the_customer(body) and now - created < UNDER_WAY:
        status = ChargeStatus.PENDING
    has_money = status is ChargeStatus.CAPTURED
    losses = [each for each in disputes if each.get("status") not in _NO_LOSS] if has_money else []
    if has_money:
        status = _captured(taken, losses, body["amount_received"])
    is_declined = status is ChargeStatus.DECLINED
    masked = _part(failed, "payment_method") if is_declined else {}
    kept = _part(body, "payment_method")
    is_kept = page_id is not None and body.get("setup_future_usage") == "off_session" and kept.get("customer") is not None
    return ProviderCharge(
        provider_id=page_id or text(body["id"]),
        our_ref=our_ref_of(body) or "",
        status=status,
        amount=from_stripe(body["amount_received"] if has_money else body["amount"], body["currency"]),
        action_url=action_url,
        action_expires_at=created + ACTION_LIFE if action_url is not None else None,
        failure_code=_failure(failed) if is_declined else None,
        saved_method=_method(kept) if is_kept else None,
        masked=_without_token(masked) if masked else _paid_with(taken),
        payer_ref=reference(body.get("customer")),
        expected_on=_expected_on(taken, created),
        return_code=_optional(losses[0].get("reason")) if losses and status is ChargeStatus.RETURNED else None,
    )


def _captured(taken: Body, losses: list[Body], amount: object) -> ChargeStatus:
    """Captured, until the money is ours to pay out; a bank debit comes back as a dispute that cannot be answered."""
    kind = _part(taken, "payment_method_details").get("type")
    if losses and kind in {None, "card"}:
        return ChargeStatus.RETURNED if _is_all_lost(taken, losses, amount) else ChargeStatus.DISPUTED
    if losses:
        return ChargeStatus.RETURNED
    booked = _part(taken, "balance_transaction")
    return ChargeStatus.SETTLED if booked.get("status") == "available" else ChargeStatus.CAPTURED


def _is_all_lost(taken: Body, losses: list[Body], amount: object) -> bool:
    """The bank has decided against us, about all that was not given back before. Of a part, only a person knows what for."""
    if any(each.get("status") != "lost" for each in losses):
        return False
    gone = [taken.get("amount_refunded", 0), *[each.get("amount", amount) for each in losses]]
    return all(type(each) is int for each in (amount, *gone)) and sum(gone) >= amount


def _page(session: Body, now: datetime, disputes: tuple[Body, ...]) -> ProviderCharge:
    session_id, status = text(session["id"]), text(session["status"])
    intent = session.get("payment_intent")
    if status == "complete" and isinstance(intent, dict):
        return _charge(intent, now, disputes, session_id)
    ends_at = moment(session["expires_at"])
    ours = {
        "open": ChargeStatus.NEEDS_CUSTOMER,
        "expired": ChargeStatus.CANCELED if now < ends_at else ChargeStatus.EXPIRED,
    }.get(status, ChargeStatus.PENDING)
    is_open = ours is ChargeStatus.NEEDS_CUSTOMER
    return ProviderCharge(
        provider_id=session_id,
        our_ref=our_ref_of(session) or "",
        status=ours,
        amount=from_stripe(session["amount_total"], session["currency"]),
        action_url=text(session["url"]) if is_open else None,
        action_expires_at=ends_at if is_open else None,
        payer_ref=reference(session.get("customer")),
    )


def _setup(session: Body, now: datetime) -> ProviderSetup:
    status, intent = text(session["status"]), _part(session, "setup_intent")
    kept = _part(intent, "payment_method")
    if status == "complete":
        ours = _finished_setup(intent)
    elif status == "expired":
        ours = SetupStatus.CANCELED if now < moment(session["expires_at"]) else SetupStatus.EXPIRED
    else:
        ours = SetupStatus.OPEN
    has_method = ours in {SetupStatus.VERIFYING, SetupStatus.COMPLETED} and bool(kept)
    return ProviderSetup(
        session_id=text(session["id"]),
        our_ref=our_ref_of(session) or "",
        status=ours,
        method=_method(kept) if has_method else None,
        failure_code=_failure(_part(intent, "last_setup_error")) if ours is SetupStatus.FAILED else None,
        payer_ref=reference(session.get("customer")),
        page=hosted_page(session) if ours is SetupStatus.OPEN and session.get("url") is not None else None,
    )


def _finished_setup(intent: Body) -> SetupStatus:
    """The customer is done with the page; the bank account may still wait for its small deposits."""
    match intent.get("status"):
        case "succeeded":
            return SetupStatus.COMPLETED
        case "requires_payment_method" | "canceled":
            return SetupStatus.FAILED
        case _:
            return SetupStatus.VERIFYING


def _method(body: Body) -> MethodDetails | None:
    kind = body.get("type")
    if kind not in {each.value for each in MethodKind}:
        return None
    return _details(kind, _part(body, text(kind)), token=text(body["id"]))


def _paid_with(taken: Body) -> MethodDetails | None:
    details = _part(taken, "payment_method_details")
    kind = details.get("type")
    if kind not in {each.value for each in MethodKind}:
        return None
    return _details(kind, _part(details, text(kind)), token="")


def _without_token(body: Body) -> MethodDetails | None:
    found = _method(body)
    return None if found is None else _details(found.kind.value, _part(body, found.kind.value), token="")


def _details(kind: object, facts: Body, *, token: str) -> MethodDetails:
    ours = MethodKind(text(kind))
    month, year = facts.get("exp_month"), facts.get("exp_year")
    brand = facts.get("brand") if ours.is_card else facts.get("bank_name") or facts.get("bank_code")
    return MethodDetails(
        token=token,
        kind=ours,
        brand=str(brand or ours.value)[:80],
        last4=str(facts.get("last4") or "")[-4:],
        exp_month=month if type(month) is int else None,
        exp_year=year if type(year) is int else None,
    )


def _action_url(intent: Body) -> str | None:
    """Where the customer answers: the bank's page, or the page that asks for the small deposits."""
    action = _part(intent, "next_action")
    url = _part(action, "redirect_to_url").get("url")
    return _optional(url or _part(action, "verify_with_microdeposits").get("hosted_verification_url"))


def _failure(error: Body) -> str:
    """A word of ours for why. What is not known is a plain decline: a lost card is nobody's business but its owner's."""
    for word in (error.get("decline_code"), error.get("code")):
        if word in _FAILURES:
            return _FAILURES[str(word)]
    return "declined"


def _expected_on(taken: Body, created: datetime) -> str | None:
    """The day that Stripe names, or else business days after the send, as its documents say. None for a card."""
    details = _part(taken, "payment_method_details")
    kind = str(details.get("type"))
    if kind not in _BUSINESS_DAYS:
        return None
    named = _part(details, kind).get("expected_debit_date")
    return named if isinstance(named, str) else _after(created.date(), _BUSINESS_DAYS[kind]).isoformat()


def _after(day: date, business_days: int) -> date:
    while business_days:
        day += timedelta(days=1)
        business_days -= day.weekday() < 5
    return day


def readable(read: Callable[[], Translated]) -> Translated:
    """What was read, or OutcomeUnknown where it has not the shape of it."""
    try:
        return read()
    except (KeyError, ValueError, TypeError, OverflowError) as unreadable:
        raise OutcomeUnknown(f"Stripe's answer has an unexpected shape ({type(unreadable).__name__}).") from unreadable


def text(value: object) -> str:
    """A text that is not empty. Raises TypeError."""
    if not isinstance(value, str) or not value:
        raise TypeError("expected text")
    return value


def moment(value: object) -> datetime:
    """Unix seconds as UTC. Raises TypeError or ValueError."""
    if type(value) is not int:
        raise TypeError("expected seconds")
    return datetime.fromtimestamp(value, UTC)


def reference(value: object) -> str | None:
    """The id of what may be told by its id or whole."""
    return _optional(value.get("id") if isinstance(value, dict) else value)


def _optional(value: object) -> str | None:
    return None if value is None else text(value)


def _part(body: Body, name: str) -> Body:
    """An object inside; nothing where there is none, or only its id."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _metadata(body: Body) -> Mapping[str, Any]:
    return _part(body, "metadata")
