"""Booking rules: which accounts each event of a payment moves. An entry balances or cannot be built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.allocation import Line


class Account(StrEnum):
    """Accounts of the journal: receivable, unapplied and credits per customer, clearing per connection."""

    RECEIVABLE = "receivable"
    UNAPPLIED = "unapplied"
    CLEARING = "clearing"
    CREDITS = "credits"  # credit notes and prepayments of the ERP's that Duly applied


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """A debit (positive) or credit (negative) in minor units. `holder` is a customer's or a connection's id."""

    account: Account
    holder: str
    minor: int
    invoice_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Lines that sum to zero; raises ValueError otherwise, or when a line is zero."""

    lines: tuple[JournalLine, ...]

    def __post_init__(self) -> None:
        if sum(line.minor for line in self.lines) != 0 or not all(line.minor for line in self.lines):
            raise ValueError("a journal entry balances and has no empty line")


def captured(*, amount: int, allocated: Sequence[Line], customer_id: str, connection_id: str) -> JournalEntry:
    """Money arrived: the provider owes us, the customer's invoices are settled, the rest is unapplied.

    Raises ValueError when more is allocated than arrived.
    """
    rest = amount - sum(line.minor for line in allocated)
    if rest < 0:
        raise ValueError("more than arrived is allocated")
    lines = [JournalLine(account=Account.CLEARING, holder=connection_id, minor=amount)]
    lines += [
        JournalLine(account=Account.RECEIVABLE, holder=customer_id, minor=-line.minor, invoice_id=line.invoice_id)
        for line in allocated
    ]
    if rest:
        lines.append(JournalLine(account=Account.UNAPPLIED, holder=customer_id, minor=-rest))
    return JournalEntry(lines=tuple(lines))


def returned(*, amount: int, deallocated: Sequence[Line], customer_id: str, connection_id: str) -> JournalEntry:
    """Money went back: the mirror of `captured`, with what is allocated *now*."""
    mirror = captured(amount=amount, allocated=deallocated, customer_id=customer_id, connection_id=connection_id)
    return JournalEntry(
        lines=tuple(
            JournalLine(account=line.account, holder=line.holder, minor=-line.minor, invoice_id=line.invoice_id)
            for line in mirror.lines
        )
    )


def refunded(*, amount: int, deallocated: Sequence[Line], customer_id: str, connection_id: str) -> JournalEntry:
    """A part of a payment went back: off these invoices, the rest off what was unapplied."""
    return returned(amount=amount, deallocated=deallocated, customer_id=customer_id, connection_id=connection_id)


def refund_came_back(*, amount: int, allocated: Sequence[Line], customer_id: str, connection_id: str) -> JournalEntry:
    """A refund that failed after it had succeeded: as if that much had arrived again."""
    return captured(amount=amount, allocated=allocated, customer_id=customer_id, connection_id=connection_id)


def applied(*, lines: Sequence[Line], customer_id: str, back: bool = False) -> JournalEntry:
    """Unapplied money settles invoices; `back`, it no longer does."""
    return _settled(Account.UNAPPLIED, lines, customer_id, back=back)


def credit_applied(*, lines: Sequence[Line], customer_id: str, back: bool = False) -> JournalEntry:
    """A credit of the ERP's settles invoices; `back`, it no longer does."""
    return _settled(Account.CREDITS, lines, customer_id, back=back)


def _settled(account: Account, lines: Sequence[Line], customer_id: str, *, back: bool) -> JournalEntry:
    sign = -1 if back else 1
    return JournalEntry(
        lines=(
            JournalLine(account=account, holder=customer_id, minor=sign * sum(line.minor for line in lines)),
            *(
                JournalLine(
                    account=Account.RECEIVABLE, holder=customer_id, minor=-sign * line.minor, invoice_id=line.invoice_id
                )
                for line in lines
            ),
        )
    )
