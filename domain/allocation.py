"""Allocation: which invoices a payment settles, and by how much.

Oldest first means invoice date, then due date, then number. Splitting never loses a minor unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.business import MOST_INVOICES
from domain.invoices import InvoiceFacts
from domain.money import Money
from domain.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a payment takes from one invoice, in minor units; positive."""

    invoice_id: str
    minor: int


def oldest_first(invoices: Sequence[InvoiceFacts]) -> list[InvoiceFacts]:
    """In C2's order; the id settles what is otherwise equal."""
    return sorted(invoices, key=lambda each: (each.issued_on, each.due_on, each.number, each.id))


def first_of(invoices: Sequence[InvoiceFacts], *, most: int = MOST_INVOICES) -> list[InvoiceFacts]:
    """'Select all': the oldest that one payment can cover."""
    return oldest_first(invoices)[:most]


def spread(amount: Money, invoices: Sequence[InvoiceFacts], *, most: int = MOST_INVOICES) -> tuple[Line, ...] | Refusal:
    """A custom amount over payable invoices, oldest first, the last one in part.

    Refused when it is not positive, above what is open, or would reach one invoice more than `most`.
    """
    if amount.minor <= 0:
        return Refusal(rule="amount_not_positive")
    left = amount.minor
    lines: list[Line] = []
    for invoice in oldest_first(invoices):
        if left == 0:
            break
        taken = min(left, invoice.available_minor)
        if taken == 0:
            continue
        if len(lines) == most:
            largest = Money(minor=amount.minor - left, currency=amount.currency)
            facts: dict[str, str | int] = {"most": most, "largest": f"{largest.plain()} {amount.currency}"}
            return Refusal(rule="custom_amount_too_wide", facts=facts)
        lines.append(Line(invoice_id=invoice.id, minor=taken))
        left -= taken
    if left > 0:
        largest = Money(minor=amount.minor - left, currency=amount.currency)
        return Refusal(rule="custom_amount_above_open", facts={"largest": f"{largest.plain()} {amount.currency}"})
    return tuple(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """Where money that came without (or beyond) its holds goes: lines, the rest unapplied, and what it still wants."""

    lines: tuple[Line, ...]
    wanted: tuple[Line, ...]


def adopt(wishes: Sequence[Line], room: Mapping[str, int]) -> Adoption:
    """Late success: per invoice min(wished, room), where room is open less the holds of *others*."""
    left = dict(room)
    lines: list[Line] = []
    wanted: list[Line] = []
    for wish in wishes:
        taken = min(wish.minor, max(left.get(wish.invoice_id, 0), 0))
        left[wish.invoice_id] = left.get(wish.invoice_id, 0) - taken
        if taken > 0:
            lines.append(Line(invoice_id=wish.invoice_id, minor=taken))
        if wish.minor > taken:
            wanted.append(Line(invoice_id=wish.invoice_id, minor=wish.minor - taken))
    return Adoption(lines=tuple(lines), wanted=tuple(wanted))
