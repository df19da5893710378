"""Credits: what the ERP holds for a customer, and whether it may be put on invoices. Called under lock with fresh facts.

`unapplied` is computed by the store from the ERP's snapshot and our own rows (the balance rule, by the credit's own read).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.allocation import Line, oldest_first
from domain.business import MOST_INVOICES, BusinessSettings
from domain.invoices import InvoiceFacts
from domain.money import Money, MoneyError
from domain.payments import Plan, refuse_line, shown
from domain.receivables import CreditKind
from domain.refusals import Refusal

_KINDS: Final[Mapping[CreditKind, str]] = {
    CreditKind.CREDIT_NOTE: "credit notes",
    CreditKind.PREPAYMENT: "prepayments",
    CreditKind.OVERPAYMENT: "overpayments",
    CreditKind.PAYMENT: "payments that are not applied",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFacts:
    """What a decision needs to know of one credit; amounts in minor units of `currency`."""

    id: str
    customer_id: str
    number: str
    kind: CreditKind
    currency: str
    issued_on: date
    deleted: bool
    total_minor: int
    unapplied_minor: int
    held_minor: int

    @property
    def available_minor(self) -> int:
        """What a new request may still ask for: at least zero."""
        return max(max(self.unapplied_minor, 0) - self.held_minor, 0)


def why_not_requested(kind: CreditKind, settings: BusinessSettings) -> Refusal | None:
    """E7: two switches, and each needs the list that it is on to be shown."""
    asks = settings.requests_credit_notes if kind is CreditKind.CREDIT_NOTE else settings.requests_prepayments
    if asks and settings.show_credits:
        return None
    return Refusal(rule="credits_not_requested", facts={"kind": _KINDS[kind]})


def plan_application(
    lines: Sequence[Line],
    credit: CreditFacts | None,
    invoices: Mapping[str, InvoiceFacts],
    settings: BusinessSettings,
) -> Plan | Refusal:
    """What may be put where, in oldest-first order, or the first rule that says no."""
    if credit is None or credit.deleted:
        return Refusal(rule="credit_not_found")
    refusal = _refuse_shape(lines)
    if refusal is not None:
        return refusal
    if credit.available_minor == 0:
        return Refusal(rule="credit_used_up", facts={"number": credit.number})
    for line in lines:
        invoice = invoices.get(line.invoice_id)
        if invoice is not None and invoice.currency != credit.currency:
            facts: dict[str, str | int] = {
                "number": credit.number,
                "credit": credit.currency,
                "invoice": invoice.currency,
            }
            return Refusal(rule="credit_currency", facts=facts)
        refusal = refuse_line(line, invoice, credit.currency, settings)
        if refusal is not None:
            return refusal
    try:
        amount = Money.of(sum(line.minor for line in lines), credit.currency)
    except MoneyError as error:
        return Refusal(rule=error.rule)
    if amount.minor > credit.available_minor:
        return Refusal(
            rule="amount_exceeds_credit",
            facts={
                "number": credit.number,
                "available": shown(credit.available_minor, credit.currency),
                "asked": shown(amount.minor, credit.currency),
            },
        )
    order = {each.id: index for index, each in enumerate(oldest_first(list(invoices.values())))}
    return Plan(amount=amount, lines=tuple(sorted(lines, key=lambda line: order[line.invoice_id])))


def _refuse_shape(lines: Sequence[Line]) -> Refusal | None:
    if not lines:
        return Refusal(rule="nothing_selected")
    if len(lines) > MOST_INVOICES:
        return Refusal(rule="too_many_invoices", facts={"most": MOST_INVOICES, "asked": len(lines)})
    if len({line.invoice_id for line in lines}) != len(lines):
        return Refusal(rule="invoice_listed_twice")
    if any(line.minor <= 0 for line in lines):
        return Refusal(rule="amount_not_positive")
    return None


def offered(credit: CreditFacts, invoices: Sequence[InvoiceFacts], *, most: int = MOST_INVOICES) -> tuple[Line, ...]:
    """What the page offers: the credit over the invoices that can take it, oldest first, the last one in part."""
    left = credit.available_minor
    lines: list[Line] = []
    for invoice in oldest_first([each for each in invoices if each.currency == credit.currency]):
        taken = min(left, invoice.available_minor)
        if taken > 0 and len(lines) < most:
            lines.append(Line(invoice_id=invoice.id, minor=taken))
            left -= taken
    return tuple(lines)
