"""Whether a payment may be opened, and what it holds. Called under lock with fresh facts, and by pages to explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from domain.allocation import Line, oldest_first
from domain.business import MOST_INVOICES, BusinessSettings
from domain.invoices import COUNTED, InvoiceFacts, InvoiceStatus, is_visible, status_of, why_not_payable
from domain.methods import MethodKind
from domain.money import Money, MoneyError
from domain.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a customer asks to pay: amounts by invoice id, one currency, and how."""

    currency: str
    lines: tuple[Line, ...]
    kind: MethodKind
    keeps_method: bool  # a saved method, or a new one that the customer agreed to keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """A customer's sums in one currency, minor units, for the minimum payment."""

    overdue: int
    due: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A payment that may be opened: its amount and what it holds, in oldest-first order."""

    amount: Money
    lines: tuple[Line, ...]


def shown(minor: int, currency: str) -> str:
    """An amount in a refusal's facts."""
    return f"{Money.of(minor, currency).plain()} {currency}"


def plan(
    wish: Wish, invoices: Mapping[str, InvoiceFacts], settings: BusinessSettings, balances: Balances | None
) -> Plan | Refusal:
    """The plan, or the first rule that says no. `invoices` are fresh and locked when money depends on it.

    `balances` may be None only when no minimum payment is set.
    """
    refusal = _refuse_shape(wish, settings)
    if refusal is not None:
        return refusal
    for line in wish.lines:
        refusal = refuse_line(line, invoices.get(line.invoice_id), wish.currency, settings)
        if refusal is not None:
            return refusal
    try:
        amount = Money.of(sum(line.minor for line in wish.lines), wish.currency)
    except MoneyError as error:
        return Refusal(rule=error.rule)
    refusal = (
        _refuse_partial(wish, invoices, settings)
        or refuse_minimum(amount, settings, balances)
        or refuse_card(amount, wish.kind, settings)
    )
    if refusal is not None:
        return refusal
    order = {each.id: index for index, each in enumerate(oldest_first(list(invoices.values())))}
    return Plan(amount=amount, lines=tuple(sorted(wish.lines, key=lambda line: order[line.invoice_id])))


def _refuse_shape(wish: Wish, settings: BusinessSettings) -> Refusal | None:
    if not settings.may_pay:
        return Refusal(rule="paying_off")
    if wish.keeps_method and not settings.charge_on_file:
        return Refusal(rule="saved_methods_off")
    if not wish.keeps_method and not settings.one_time_payment:
        return Refusal(rule="one_time_off")
    if not wish.lines:
        return Refusal(rule="nothing_selected")
    if len(wish.lines) > MOST_INVOICES:
        return Refusal(rule="too_many_invoices", facts={"most": MOST_INVOICES, "asked": len(wish.lines)})
    if len({line.invoice_id for line in wish.lines}) != len(wish.lines):
        return Refusal(rule="invoice_listed_twice")
    if any(line.minor <= 0 for line in wish.lines):
        return Refusal(rule="amount_not_positive")
    return None


def refuse_line(line: Line, invoice: InvoiceFacts | None, currency: str, settings: BusinessSettings) -> Refusal | None:
    """Why this amount cannot be put on this invoice, whatever it comes from; None when it can."""
    if invoice is None or not is_visible(invoice, settings):
        return Refusal(rule="invoice_not_found")
    if invoice.currency != currency:
        return Refusal(rule="currency_mismatch")
    if invoice.is_parent:
        return Refusal(rule="parent_not_payable", facts={"number": invoice.number})
    status = status_of(invoice)
    if status is InvoiceStatus.PAID:
        return Refusal(rule="invoice_paid", facts={"number": invoice.number})
    if status is InvoiceStatus.PAYMENT_PENDING:
        by, since = invoice.held_by or "another payment", invoice.held_since or "a moment ago"
        return Refusal(rule="invoice_being_paid", facts={"number": invoice.number, "by": by, "since": since})
    if status is InvoiceStatus.REQUESTED:
        return Refusal(rule="invoice_requested", facts={"number": invoice.number})
    reason = why_not_payable(invoice, settings)
    if reason is not None:
        return Refusal(rule="invoice_not_payable", facts={"number": invoice.number, "reason": reason})
    if line.minor > invoice.available_minor:
        return Refusal(
            rule="amount_exceeds_available",
            facts={
                "number": invoice.number,
                "available": shown(invoice.available_minor, currency),
                "asked": shown(line.minor, currency),
            },
        )
    return None


def _refuse_partial(wish: Wish, invoices: Mapping[str, InvoiceFacts], settings: BusinessSettings) -> Refusal | None:
    """C5: partial payment is a switch; with a minimum per payment, an open balance below it is its own minimum."""
    parts = [
        (line, invoices[line.invoice_id]) for line in wish.lines if line.minor < invoices[line.invoice_id].available_minor
    ]
    if not parts:
        return None
    if not settings.partial_payment:
        invoice = parts[0][1]
        facts = {"number": invoice.number, "available": shown(invoice.available_minor, wish.currency)}
        return Refusal(rule="partial_not_allowed", facts=facts)
    minimum = settings.minimum_partial.get(wish.currency, 0)
    asked = sum(line.minor for line in wish.lines)
    whole = sum(invoices[line.invoice_id].available_minor for line in wish.lines)
    if asked < min(minimum, whole):
        facts = {
            "minimum": shown(min(minimum, whole), wish.currency),
            "basis": "the smallest part of an invoice that may be paid",
            "asked": shown(asked, wish.currency),
        }
        return Refusal(rule="below_minimum", facts=facts)
    return None


def refuse_minimum(amount: Money, settings: BusinessSettings, balances: Balances | None) -> Refusal | None:
    """C6: the smallest payment is the overdue, due or total balance, and the refusal says which."""
    if settings.minimum_payment == "none":
        return None
    if balances is None:
        raise ValueError("a minimum payment is set, so the balances are needed")
    minimum, basis = {
        "overdue": (balances.overdue, "everything that is overdue"),
        "due": (balances.due, "everything that is due today or before"),
        "total": (balances.total, "the whole balance"),
    }[settings.minimum_payment]
    if amount.minor >= minimum:
        return None
    facts = {
        "minimum": shown(minimum, amount.currency),
        "basis": basis,
        "asked": shown(amount.minor, amount.currency),
    }
    return Refusal(rule="below_minimum", facts=facts)


def refuse_card(amount: Money, kind: MethodKind, settings: BusinessSettings) -> Refusal | None:
    """C6: cards above the limit are refused; the limit itself is allowed."""
    limit = settings.card_limit.get(amount.currency)
    if not kind.is_card or limit is None or amount.minor <= limit:
        return None
    facts = {"limit": shown(limit, amount.currency), "asked": shown(amount.minor, amount.currency)}
    return Refusal(rule="card_above_limit", facts=facts)


def balances_of(invoices: Sequence[InvoiceFacts], *, currency: str, today: date) -> Balances:
    """The three sums over leaves of one currency that count as owed; a draft or a void one never does."""
    counted = [each for each in invoices if not each.is_parent and each.currency == currency]
    counted = [each for each in counted if each.erp_status not in {"draft", "void"}]
    counted = [each for each in counted if status_of(each) in COUNTED]
    return Balances(
        overdue=sum(each.open_minor for each in counted if each.due_on < today),
        due=sum(each.open_minor for each in counted if each.due_on <= today),
        total=sum(each.open_minor for each in counted),
    )
