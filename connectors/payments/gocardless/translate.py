"""GoCardless's words in ours. A status that is not listed here is PENDING, never failed and never paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from connectors.errors import OutcomeUnknown
from connectors.payments.gocardless.money import from_gocardless
from connectors.payments.ports import ChargeStatus, ProviderCharge, ProviderRefund, RefundStatus
from domain.methods import MethodDetails, MethodKind

Translated = TypeVar("Translated")
Body = Mapping[str, Any]

OUR_REF: Final = "our_ref"
SCHEMES: Final[Mapping[MethodKind, tuple[str, str]]] = {
    MethodKind.SEPA_DEBIT: ("sepa_core", "EUR"),
    MethodKind.BACS_DEBIT: ("bacs", "GBP"),
    MethodKind.US_BANK_ACCOUNT: ("ach", "USD"),
}
"""The scheme of a kind, and the one currency that it moves."""

USABLE: Final = frozenset({"pending_submission", "submitted", "active"})
"""Mandates that can be charged: a payment waits until the bank knows the mandate."""

NEEDS_HISTORY: Final = frozenset({"failed", "charged_back"})
"""Payments whose events must be read: only they say why, and whether the money had been there."""

_PAYMENT_STATUS: Final[Mapping[str, ChargeStatus]] = {
    "pending_customer_approval": ChargeStatus.PROCESSING,
    "pending_submission": ChargeStatus.PROCESSING,
    "submitted": ChargeStatus.PROCESSING,
    "confirmed": ChargeStatus.CAPTURED,
    "paid_out": ChargeStatus.SETTLED,
    "cancelled": ChargeStatus.CANCELED,
    "customer_approval_denied": ChargeStatus.DECLINED,
    "failed": ChargeStatus.DECLINED,
    "charged_back": ChargeStatus.RETURNED,
}
_REFUND_STATUS: Final[Mapping[str, RefundStatus]] = {
    "created": RefundStatus.PROCESSING,
    "pending_submission": RefundStatus.PROCESSING,
    "submitted": RefundStatus.PROCESSING,
    "paid": RefundStatus.SUCCEEDED,
    "cancelled": RefundStatus.FAILED,
    "bounced": RefundStatus.FAILED,
    "failed": RefundStatus.FAILED,
    "funds_returned": RefundStatus.FAILED,
}
_FAILURES: Final[Mapping[str, str]] = {
    "insufficient_funds": "insufficient_funds",
    "bank_account_closed": "account_closed",
    "bank_account_disabled": "account_closed",
    "invalid_bank_details": "no_account",
    "authorisation_disputed": "debit_not_authorized",
    "mandate_cancelled": "debit_not_authorized",
    "refer_to_payer": "declined",
}
_HAD_MONEY: Final = frozenset({"confirmed", "paid_out"})


def charge(body: Body, *, history: tuple[Body, ...] = (), page_id: str | None = None) -> ProviderCharge:
    """A payment as answered; `history`, its events with the newest first; `page_id`, the billing request that made it.

    Raises OutcomeUnknown when it cannot be read.
    """
    return readable(lambda: _charge(body, history, page_id))


def refund(body: Body) -> ProviderRefund:
    """A refund as answered. Raises OutcomeUnknown when it cannot be read."""
    return readable(lambda: _refund(body))


def method(mandate: Body, account: Body) -> MethodDetails | None:
    """A mandate and its bank account; None for a scheme that Duly does not use. Raises OutcomeUnknown."""
    return readable(lambda: _method(mandate, account))


def our_ref_of(body: Body) -> str | None:
    """The reference that we gave it, or None."""
    found = part(body, "metadata").get(OUR_REF)
    return None if found is None else text(found)


def _charge(body: Body, history: tuple[Body, ...], page_id: str | None) -> ProviderCharge:
    told = text(body["status"])
    status = _PAYMENT_STATUS.get(told, ChargeStatus.PENDING)
    why: Body = {}
    if told in NEEDS_HISTORY:
        last = next((each for each in history if each.get("action") == told), {})
        why = part(last, "details")
        if told == "failed" and why.get("will_attempt_retry") is True:
            status = ChargeStatus.PROCESSING
        elif any(each.get("action") in _HAD_MONEY for each in history):
            status = ChargeStatus.RETURNED
    cause = str(why.get("cause") or told)[:80]
    is_declined = status is ChargeStatus.DECLINED
    day = body.get("charge_date")
    return ProviderCharge(
        provider_id=page_id or text(body["id"]),
        our_ref=our_ref_of(body) or "",
        status=status,
        amount=from_gocardless(body["amount"], body["currency"]),
        failure_code=_FAILURES.get(cause, "declined") if is_declined else None,
        expected_on=day if isinstance(day, str) else None,
        return_code=cause if status is ChargeStatus.RETURNED else None,
    )


def _refund(body: Body) -> ProviderRefund:
    told = text(body["status"])
    status = _REFUND_STATUS.get(told, RefundStatus.PENDING)
    return ProviderRefund(
        provider_id=text(body["id"]),
        our_ref=our_ref_of(body) or "",
        charge_id=text(part(body, "metadata").get("charge_id") or part(body, "links").get("payment")),
        status=status,
        amount=from_gocardless(body["amount"], body["currency"]),
        failure_code=told if status is RefundStatus.FAILED else None,
    )


def _method(mandate: Body, account: Body) -> MethodDetails | None:
    scheme = mandate.get("scheme")
    kind = next((each for each, (name, _) in SCHEMES.items() if name == scheme), None)
    return None if kind is None else _masked(kind, account, token=text(mandate["id"]))


def masked(currency: str, account: Body) -> MethodDetails | None:
    """What paid on a page, without a token."""
    kind = next((each for each, (_, moved) in SCHEMES.items() if moved == currency), None)
    return None if kind is None or not account else readable(lambda: _masked(kind, account, token=""))


def _masked(kind: MethodKind, account: Body, *, token: str) -> MethodDetails:
    return MethodDetails(
        token=token,
        kind=kind,
        brand=str(account.get("bank_name") or kind.value)[:80],
        last4=str(account.get("account_number_ending") or "")[-4:],
    )


def readable(read: Callable[[], Translated]) -> Translated:
    """What was read, or OutcomeUnknown where it has not the shape of it."""
    try:
        return read()
    except (KeyError, ValueError, TypeError, OverflowError) as unreadable:
        raise OutcomeUnknown(f"GoCardless's answer has an unexpected shape ({type(unreadable).__name__}).") from unreadable


def text(value: object) -> str:
    """A text that is not empty. Raises TypeError."""
    if not isinstance(value, str) or not value:
        raise TypeError("expected text")
    return value


def moment(value: object) -> datetime:
    """An ISO moment as UTC. Raises TypeError or ValueError."""
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError("expected a time zone")
    return found.astimezone(UTC)


def part(body: Body, name: str) -> Body:
    """An object inside; nothing where there is none."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}
