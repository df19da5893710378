"""Refunds: how much of a payment may go back, which invoices reopen by it, and whether a second person must agree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.allocation import Line
from domain.business import BusinessSettings
from domain.lifecycles import PaymentState
from domain.money import Money
from domain.refusals import Refusal

REFUNDABLE = frozenset({PaymentState.CAPTURED, PaymentState.SETTLED})
"""States of a payment whose money is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInvoice:
    """What of a payment lies on one invoice and may come off it (minor units), and that invoice's balance now."""

    invoice_id: str
    number: str
    left: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refundable:
    """A payment as a decision about a refund needs it, reservations of other refunds and of requests taken off.

    `on_invoices` newest first: what is offered to be reopened.
    """

    payment_id: str
    state: PaymentState
    currency: str
    captured: int
    left: int
    unapplied: int
    on_invoices: Sequence[OnInvoice]


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """An invoice's balance before and after a refund, in minor units."""

    invoice_id: str
    number: str
    before: int
    after: int


def needs_second(amount: Money, settings: BusinessSettings) -> bool:
    """Whether the amount lies above the limit of its currency; without a limit one person decides."""
    limit = settings.approval_limit.get(amount.currency)
    return limit is not None and amount.minor > limit


def may_decide(*, requested_by: str, by: str) -> Refusal | None:
    """The second person is another one than the first."""
    return Refusal(rule="second_person_needed") if by == requested_by else None


def check(amount: Money, lines: Sequence[Line], reason: str, facts: Refundable) -> Refusal | None:
    """Why this cannot go back, or None. The facts are read under the payment's lock."""
    asked = _words(amount.minor, facts.currency)
    if facts.state not in REFUNDABLE:
        return Refusal(rule="refund_not_possible", facts={"state": facts.state.value})
    if amount.currency != facts.currency:
        return Refusal(rule="currency_mismatch")
    if amount.minor <= 0 or any(line.minor <= 0 for line in lines):
        return Refusal(rule="amount_not_positive")
    if not reason.strip():
        return Refusal(rule="refund_reason_needed")
    if len({line.invoice_id for line in lines}) != len(lines):
        return Refusal(rule="invoice_listed_twice")
    if amount.minor > facts.left:
        left = _words(facts.left, facts.currency)
        return Refusal(rule="refund_above_captured", facts={"left": left, "asked": asked})
    return _check_lines(amount, lines, facts, asked)


def _check_lines(amount: Money, lines: Sequence[Line], facts: Refundable, asked: str) -> Refusal | None:
    taken = sum(line.minor for line in lines)
    if taken > amount.minor:
        return Refusal(rule="refund_lines_exceed", facts={"lines": _words(taken, facts.currency), "asked": asked})
    known = {each.invoice_id: each for each in facts.on_invoices}
    for line in lines:
        each = known.get(line.invoice_id)
        if each is None:
            return Refusal(rule="invoice_not_found")
        if line.minor > each.left:
            told: dict[str, str | int] = {
                "number": each.number,
                "left": _words(each.left, facts.currency),
                "asked": _words(line.minor, facts.currency),
            }
            return Refusal(rule="refund_line_above", facts=told)
    rest = amount.minor - taken
    if rest > facts.unapplied:
        left = _words(max(facts.unapplied, 0), facts.currency)
        return Refusal(rule="refund_unapplied_above", facts={"left": left, "asked": _words(rest, facts.currency)})
    return None


def offered(minor: int, facts: Refundable) -> tuple[Line, ...]:
    """Which invoices reopen where nobody chose: unapplied money first, then the newest invoices."""
    left = max(minor - max(facts.unapplied, 0), 0)
    lines: list[Line] = []
    for each in facts.on_invoices:
        taken = min(left, each.left)
        if taken > 0:
            lines.append(Line(invoice_id=each.invoice_id, minor=taken))
            left -= taken
    return tuple(lines)


def afterwards(lines: Sequence[Line], facts: Refundable) -> tuple[After, ...]:
    """What each invoice of the payment will have open once the money is back with the customer."""
    taken = {line.invoice_id: line.minor for line in lines}
    return tuple(
        After(
            invoice_id=each.invoice_id,
            number=each.number,
            before=max(each.open, 0),
            after=max(each.open + taken.get(each.invoice_id, 0), 0),
        )
        for each in facts.on_invoices
    )


def facts_hash(facts: Refundable) -> str:
    """The fingerprint of everything that the what-if was made from (I3)."""
    told = [facts.payment_id, facts.state.value, str(facts.left), str(facts.unapplied)]
    told += [f"{each.invoice_id} {each.left} {each.open}" for each in sorted(facts.on_invoices, key=lambda i: i.invoice_id)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def put_back(lines: Sequence[Line], room: Mapping[str, int]) -> tuple[Line, ...]:
    """A refund that failed after success: per invoice min(line, what is open and held by nobody)."""
    found = (Line(invoice_id=line.invoice_id, minor=min(line.minor, room.get(line.invoice_id, 0))) for line in lines)
    return tuple(line for line in found if line.minor > 0)


def _words(minor: int, currency: str) -> str:
    return f"{Money.of(minor, currency).plain()} {currency}"
