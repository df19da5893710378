"""The sandbox provider's words in ours. A status that is not listed here is PENDING, never failed and never paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from connectors.errors import OutcomeUnknown, WebhookRejected
from connectors.payments.ports import (
    ChargeStatus,
    HostedPage,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    ProviderSetup,
    RefundStatus,
    SetupStatus,
)
from connectors.payments.sandbox import webhooks
from domain.methods import MethodDetails, MethodKind
from domain.money import Money, MoneyError

Translated = TypeVar("Translated")

_CHARGE_STATUS: Final[Mapping[str, ChargeStatus]] = {
    "requires_action": ChargeStatus.NEEDS_CUSTOMER,
    "pending": ChargeStatus.PROCESSING,
    "succeeded": ChargeStatus.CAPTURED,
    "settled": ChargeStatus.SETTLED,
    "failed": ChargeStatus.DECLINED,
    "canceled": ChargeStatus.CANCELED,
    "expired": ChargeStatus.EXPIRED,
    "returned": ChargeStatus.RETURNED,
    "disputed": ChargeStatus.DISPUTED,
}
_SETUP_STATUS: Final[Mapping[str, SetupStatus]] = {
    "open": SetupStatus.OPEN,
    "verifying": SetupStatus.VERIFYING,
    "completed": SetupStatus.COMPLETED,
    "failed": SetupStatus.FAILED,
    "canceled": SetupStatus.CANCELED,
    "expired": SetupStatus.EXPIRED,
}
_REFUND_STATUS: Final[Mapping[str, RefundStatus]] = {
    "pending": RefundStatus.PROCESSING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
}


def charge_status(word: str) -> ChargeStatus:
    """Their status in ours; PENDING for any that we do not know."""
    return _CHARGE_STATUS.get(word, ChargeStatus.PENDING)


def setup_status(word: str) -> SetupStatus:
    """Their status in ours; OPEN (not acted yet) for any that we do not know."""
    return _SETUP_STATUS.get(word, SetupStatus.OPEN)


def charge(body: Mapping[str, Any]) -> ProviderCharge:
    """A charge as answered. Raises OutcomeUnknown when it cannot be read."""
    return _readable(lambda: _charge(body))


def charges(body: Mapping[str, Any]) -> tuple[ProviderCharge, ...]:
    """The charges of an answer. Raises OutcomeUnknown when they cannot be read."""
    return _readable(lambda: tuple(_charge(part) for part in _list(body["charges"])))


def refund(body: Mapping[str, Any]) -> ProviderRefund:
    """A refund as answered. Raises OutcomeUnknown when it cannot be read."""
    return _readable(lambda: _refund(body))


def refunds(body: Mapping[str, Any]) -> tuple[ProviderRefund, ...]:
    """The refunds of an answer. Raises OutcomeUnknown when they cannot be read."""
    return _readable(lambda: tuple(_refund(part) for part in _list(body["refunds"])))


def setup(body: Mapping[str, Any]) -> ProviderSetup:
    """A set-up as answered. Raises OutcomeUnknown when it cannot be read."""
    return _readable(lambda: _setup(body))


def hosted_page(body: Mapping[str, Any]) -> HostedPage:
    """A set-up's page as answered. Raises OutcomeUnknown when it cannot be read."""
    return _readable(
        lambda: HostedPage(
            session_id=_text(body["id"]),
            url=_text(body["url"]),
            expires_at=_moment(body["expires_at"]),
            payer_ref=_optional(body.get("payer")),
        )
    )


def methods(body: Mapping[str, Any]) -> tuple[MethodDetails, ...]:
    """The methods of a payer that may be used. Raises OutcomeUnknown when they cannot be read."""
    return _readable(
        lambda: tuple(_method(part) for part in _list(body["methods"]) if part.get("status") in {"active", "pending"})
    )


def events(body: Mapping[str, Any]) -> tuple[ProviderEvent, ...]:
    """The events of an answer. Raises OutcomeUnknown when they cannot be read."""
    try:
        return _readable(lambda: tuple(webhooks.event(part) for part in _list(body["events"])))
    except WebhookRejected as unreadable:
        raise OutcomeUnknown("The sandbox provider's list of events cannot be read.") from unreadable


def first_of(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The first of a list in an answer, or None. Raises OutcomeUnknown when it cannot be read."""
    found = _readable(lambda: _list(body[name]))
    return found[0] if found else None


def _charge(body: Mapping[str, Any]) -> ProviderCharge:
    amount = _object(body["amount"])
    paid_with, saved = body.get("paid_with"), body.get("saved_method")
    expires_at = body.get("action_expires_at")
    return ProviderCharge(
        provider_id=_text(body["id"]),
        our_ref=_text(body["our_ref"]),
        status=charge_status(_text(body["status"])),
        amount=Money.of(_whole(amount["minor"]), _text(amount["currency"])),
        action_url=_optional(body.get("action_url")),
        action_expires_at=None if expires_at is None else _moment(expires_at),
        failure_code=_optional(body.get("failure_code")),
        saved_method=None if saved is None else _method(_object(saved)),
        masked=None if paid_with is None else _method(_object(paid_with)),
        payer_ref=_optional(body.get("payer")),
        expected_on=_optional(body.get("expected_on")),
        return_code=_optional(body.get("return_code")),
    )


def _refund(body: Mapping[str, Any]) -> ProviderRefund:
    amount = _object(body["amount"])
    return ProviderRefund(
        provider_id=_text(body["id"]),
        our_ref=_text(body["our_ref"]),
        charge_id=_text(body["charge"]),
        status=_REFUND_STATUS.get(_text(body["status"]), RefundStatus.PENDING),
        amount=Money.of(_whole(amount["minor"]), _text(amount["currency"])),
        failure_code=_optional(body.get("failure_code")),
    )


def _setup(body: Mapping[str, Any]) -> ProviderSetup:
    method = body.get("method")
    status = setup_status(_text(body["status"]))
    return ProviderSetup(
        session_id=_text(body["id"]),
        our_ref=_text(body["our_ref"]),
        status=status,
        page=hosted_page(body) if status is SetupStatus.OPEN and body.get("url") is not None else None,
        method=None if method is None else _method(_object(method)),
        failure_code=_optional(body.get("failure_code")),
        payer_ref=_optional(body.get("payer")),
    )


def _method(body: Mapping[str, Any]) -> MethodDetails:
    month, year = body.get("exp_month"), body.get("exp_year")
    return MethodDetails(
        token=_optional(body.get("id")) or "",  # what paid without being kept has no token
        kind=MethodKind(_text(body["kind"])),
        brand=_text(body["brand"]),
        last4=_text(body["last4"])[-4:],
        exp_month=None if month is None else _whole(month),
        exp_year=None if year is None else _whole(year),
    )


def _readable(read: Callable[[], Translated]) -> Translated:
    try:
        return read()
    except (KeyError, ValueError, TypeError, MoneyError) as unreadable:
        raise OutcomeUnknown(f"The sandbox provider's answer has an unexpected shape ({unreadable}).") from unreadable


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("expected text")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("expected a whole number")
    return value


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("expected an object")
    return value


def _list(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise TypeError("expected a list")
    return [_object(part) for part in value]


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("expected an offset from UTC")
    return moment
