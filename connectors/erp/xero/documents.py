"""What is read of Xero's books: money that can be put on invoices, and where it lies. Shapes of ours, words of theirs.

Allocations are read from what is allocated (an overpayment, a prepayment, a credit note), never from the invoice: inside an
invoice they come without their own amounts and days (https://github.com/XeroAPI/xero-python/issues/183).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from connectors.erp.xero import wire
from connectors.erp.xero.client import XeroClient
from domain.ids import is_our_reference as is_plainly_ours
from domain.money import Money

_IDS_AT_ONCE: Final = 40  # about 52 fit an address: https://github.com/XeroAPI/Xero-Java/pull/331
_GUIDS_AT_ONCE: Final = 20
_REFERENCES_AT_ONCE: Final = 10
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GONE: Final = frozenset({"VOIDED", "DELETED"})
WITHDRAWN: Final = "withdrawn "
"""Before the reference of a document of ours that could not be put where it belonged, and was deleted again."""
INCOMING: Final = frozenset({"RECEIVE-OVERPAYMENT", "AROVERPAYMENT", "RECEIVE-PREPAYMENT", "ARPREPAYMENT", "ACCRECCREDIT"})


class Kind(StrEnum):
    """What can be put on invoices: its name in an address, with which the names of its fields begin."""

    OVERPAYMENT = "Overpayment"
    PREPAYMENT = "Prepayment"
    CREDIT_NOTE = "CreditNote"

    @property
    def room(self) -> str:
        """Where they all are: /Overpayments."""
        return f"{self.value}s"

    @property
    def id_field(self) -> str:
        """OverpaymentID."""
        return f"{self.value}ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKey:
    """One such document, as `text` names it to Duly: 'Overpayment-<id>'."""

    kind: Kind
    id: str

    @property
    def text(self) -> str:
        """As the port has it."""
        return f"{self.kind.value}-{self.id}"

    @classmethod
    def parsed(cls, text: str) -> SourceKey | None:
        """The key again; None for a stranger's text."""
        kind, _, number = text.partition("-")
        return cls(kind=Kind(kind), id=number) if kind in set(Kind) and is_id(number) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """An amount of it on one invoice."""

    id: str
    invoice: str
    invoice_number: str
    amount: Money
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An overpayment, prepayment or credit note of a customer. `left` is neither on an invoice nor paid out."""

    key: SourceKey
    customer: str
    reference: str
    number: str
    said: str
    total: Money
    left: Money
    on: date
    status: str
    allocations: tuple[Allocation, ...]
    has_payments: bool
    changed_at: datetime

    @property
    def stands(self) -> bool:
        """Whether nobody voided or deleted it."""
        return self.status not in GONE

    def on_invoice(self, invoice: str) -> Money:
        """How much of it is there."""
        there = Money.zero(self.total.currency)
        for each in self.allocations:
            if each.invoice == invoice:
                there += each.amount
        return there


def is_id(text: str) -> bool:
    """Whether a text can be an id of Xero's."""
    return _ID.fullmatch(text) is not None


def is_our_reference(reference: str | None) -> bool:
    """Whether it is one of ours, or a document's own behind its payment's: 'pay_…/req_…'."""
    return is_plainly_ours((reference or "").partition("/")[0])


def bears(found: Source, reference: str) -> bool:
    """Whether it is the document of that reference: its own is the last part."""
    return found.reference.rpartition("/")[2] == reference


def quoted(text: str) -> str:
    """A text in a filter. Raises ValueError for one that would end it early: no reference of ours does."""
    if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        raise ValueError("a reference that cannot be looked for")
    return f'"{text}"'


class Documents:
    """Reads of sources and invoices. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: XeroClient) -> None:
        self._client = client

    async def named(self, kind: Kind, reference: str) -> list[Source]:
        """Those that bear a reference: alone, before a slash (of its money came back more) or after one."""
        said = f"Reference=={quoted(reference)}"
        either = (
            f"{said} OR Reference.StartsWith({quoted(reference + '/')}) OR Reference.EndsWith({quoted('/' + reference)})"
        )
        rows = await self._client.rows(kind.room, either, order="UpdatedDateUTC ASC")
        return sorted((source(kind, row) for row in rows), key=lambda each: (each.on, each.changed_at, each.key.id))

    async def families(self, references: Sequence[str]) -> dict[str, list[Source]]:
        """All overpayments that bear a payment's reference, alone or before a slash, by that reference."""
        found: dict[str, list[Source]] = {}
        for start in range(0, len(references), _REFERENCES_AT_ONCE):
            some = references[start : start + _REFERENCES_AT_ONCE]
            either = " OR ".join(f"Reference=={quoted(each)} OR Reference.StartsWith({quoted(each + '/')})" for each in some)
            for row in await self._client.rows(Kind.OVERPAYMENT.room, either, order="UpdatedDateUTC ASC"):
                made = source(Kind.OVERPAYMENT, row)
                found.setdefault(made.reference.partition("/")[0], []).append(made)
        return found

    async def sources(self, keys: Iterable[SourceKey]) -> dict[SourceKey, Source]:
        """Those documents as they stand now; missing ones are left out."""
        wanted: dict[Kind, list[str]] = {}
        for key in dict.fromkeys(keys):
            wanted.setdefault(key.kind, []).append(key.id)
        found: dict[SourceKey, Source] = {}
        for kind, ids in wanted.items():
            for start in range(0, len(ids), _GUIDS_AT_ONCE):
                some = " OR ".join(f'{kind.id_field}==guid("{each}")' for each in ids[start : start + _GUIDS_AT_ONCE])
                for row in await self._client.rows(kind.room, some):
                    made = source(kind, row)
                    found[made.key] = made
        return found

    async def invoices(self, ids: Iterable[str]) -> dict[str, wire.Wire]:
        """Invoices to customers, by id; what is none is left out."""
        wanted = [each for each in dict.fromkeys(ids) if is_id(each)]
        found: dict[str, wire.Wire] = {}
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            some = wanted[start : start + _IDS_AT_ONCE]
            told = await self._client.read("/Invoices", IDs=",".join(some), page=1, pageSize=_IDS_AT_ONCE)
            found |= {row["InvoiceID"]: row for row in told["Invoices"] if row["Type"] == "ACCREC"}
        return found


def source(kind: Kind, row: Mapping[str, Any]) -> Source:
    """From Xero's row. Raises KeyError, ValueError."""
    currency, key = row["CurrencyCode"], SourceKey(kind=kind, id=row[kind.id_field])
    return Source(
        key=key,
        customer=row["Contact"]["ContactID"],
        reference=row.get("Reference") or "",
        number=row.get("CreditNoteNumber") or f"{kind.value} {key.id[:8]}",
        said="\n".join(each.get("Description") or "" for each in row.get("LineItems") or []),
        total=wire.amount(row["Total"], currency),
        left=wire.amount(row.get("RemainingCredit"), currency),
        on=wire.day(row["Date"]),
        status=row["Status"],
        allocations=_allocations(row.get("Allocations") or [], currency),
        has_payments=bool(row.get("Payments")),
        changed_at=wire.moment(row["UpdatedDateUTC"]),
    )


def _allocations(rows: Sequence[Mapping[str, Any]], currency: str) -> tuple[Allocation, ...]:
    return tuple(
        Allocation(
            id=each["AllocationID"],
            invoice=each["Invoice"]["InvoiceID"],
            invoice_number=each["Invoice"].get("InvoiceNumber") or "",
            amount=wire.amount(each["Amount"], currency),
            on=wire.day(each["Date"]),
        )
        for each in rows
        if not each.get("IsDeleted")
    )
