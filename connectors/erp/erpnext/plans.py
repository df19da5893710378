"""What a document of Duly's shall do to a payment that stands in ERPNext, worked out and checked before a write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.finding import Found
from connectors.erp.erpnext.ledger import PAYMENT, Standing
from connectors.erp.ports import PaymentLine
from connectors.errors import Rejected
from domain.money import Money, total

ON_ACCOUNT: Final = "NOT_UNAPPLIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the money of a payment stood on invoices, and where it shall stand. `refund` is the Payment Entry by which money
    went out that now came back.
    """

    reference: str
    payment: str
    customer: str
    currency: str
    amount: Money
    before: Mapping[str, Money]
    after: Mapping[str, Money]
    refund: str | None = None

    def packed(self) -> wire.Wire:
        """As it is kept in ERPNext."""
        return {
            "reference": self.reference,
            "payment": self.payment,
            "customer": self.customer,
            "currency": self.currency,
            "amount": self.amount.plain(),
            "before": {name: amount.plain() for name, amount in self.before.items()},
            "after": {name: amount.plain() for name, amount in self.after.items()},
            "refund": self.refund,
        }

    @classmethod
    def unpacked(cls, kept: Mapping[str, Any]) -> Plan:
        """From what was kept. Raises KeyError, ValueError."""
        currency = str(kept["currency"])
        return cls(
            reference=kept["reference"],
            payment=kept["payment"],
            customer=kept["customer"],
            currency=currency,
            amount=wire.amount(kept["amount"], currency),
            before={name: wire.amount(amount, currency) for name, amount in kept["before"].items()},
            after={name: wire.amount(amount, currency) for name, amount in kept["after"].items()},
            refund=kept["refund"],
        )


def merged(lines: Sequence[PaymentLine]) -> dict[str, Money]:
    """Each invoice once: ERPNext refuses one that is named twice. Nothing is left out but what is nothing."""
    found: dict[str, Money] = {}
    for line in lines:
        known = found.get(line.invoice_erp_id, Money.zero(line.amount.currency))
        found[line.invoice_erp_id] = known + line.amount
    return {name: amount for name, amount in found.items() if amount.minor}


def moved(found: Found, reference: str, standing: Standing, lines: Mapping[str, Money]) -> Plan:
    """Money of a payment put on invoices, or (negative) taken off. Raises Rejected for what is not there."""
    currency = standing.pool.currency
    comes_off(found.name, standing, {name: -amount for name, amount in lines.items() if amount.minor < 0})
    needed = total(lines.values(), currency=currency)
    if needed > standing.pool:
        raise Rejected(ON_ACCOUNT, f"{found.name} does not have that much unallocated money.")
    puts = total((amount for amount in lines.values() if amount.minor > 0), currency=currency)
    takes = total((-amount for amount in lines.values() if amount.minor < 0), currency=currency)
    before = {name: standing.of(name) for name in lines}
    return Plan(
        reference=reference,
        payment=found.name,
        customer=found.customer,
        currency=currency,
        amount=max(puts, takes),
        before=before,
        after={name: before[name] + amount for name, amount in lines.items()},
    )


def gone_out(found: Found, reference: str, standing: Standing, lines: Mapping[str, Money], amount: Money) -> Plan:
    """A part of a payment that went back: off invoices by the lines, the rest off what is on account. Raises Rejected."""
    if amount > standing.whole:
        raise Rejected("TOO_LARGE", f"{found.name} has {standing.whole.plain()} left to take back.")
    comes_off(found.name, standing, lines)
    rest = amount - total(lines.values(), currency=amount.currency)
    if rest.minor < 0:
        raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
    if rest > standing.pool:
        raise Rejected(ON_ACCOUNT, f"{found.name} does not have that much unallocated money.")
    before = {name: standing.of(name) for name in lines}
    return Plan(
        reference=reference,
        payment=found.name,
        customer=found.customer,
        currency=amount.currency,
        amount=amount,
        before=before,
        after={name: before[name] - amount for name, amount in lines.items()},
    )


def came_back(found: Found, refund: Found, reference: str, standing: Standing, lines: Mapping[str, Money]) -> Plan:
    """A refund that came back: the payment has its money again. Raises Rejected where it has it already."""
    taken = standing.onto.get((PAYMENT, refund.name))
    if taken != refund.amount:
        raise Rejected("REFUND_CAME_BACK", f"{refund.name} was taken back before, or takes from another payment.")
    if total(lines.values(), currency=refund.amount.currency) > refund.amount:
        raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
    before = {name: standing.of(name) for name in lines}
    return Plan(
        reference=reference,
        payment=found.name,
        customer=found.customer,
        currency=refund.amount.currency,
        amount=refund.amount,
        before=before,
        after={name: before[name] + amount for name, amount in lines.items()},
        refund=refund.name,
    )


def comes_off(number: str, standing: Standing, lines: Mapping[str, Money]) -> None:
    """Raises Rejected where more is taken off an invoice than the payment put there."""
    for name, amount in lines.items():
        if amount > standing.of(name):
            raise Rejected("NOT_APPLIED", f"{number} does not have that much on invoice {name}.")
