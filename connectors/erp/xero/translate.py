"""Xero's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from connectors.erp.ports import (
    CreditKind,
    ErpApplied,
    ErpContact,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpInvoiceStatus,
    ErpLine,
    ErpSettlement,
    SettlementKind,
)
from connectors.erp.xero import wire
from connectors.erp.xero.documents import Kind, Source, is_our_reference
from domain.ids import owner_of
from domain.money import Money, total

_STATUS: Final[Mapping[str, ErpInvoiceStatus]] = {
    "DRAFT": ErpInvoiceStatus.DRAFT,
    "SUBMITTED": ErpInvoiceStatus.DRAFT,
    "AUTHORISED": ErpInvoiceStatus.OPEN,
    "PAID": ErpInvoiceStatus.PAID,
    "VOIDED": ErpInvoiceStatus.VOID,
    "DELETED": ErpInvoiceStatus.VOID,
}
_CREDITS: Final = {
    Kind.CREDIT_NOTE: CreditKind.CREDIT_NOTE,
    Kind.OVERPAYMENT: CreditKind.OVERPAYMENT,
    Kind.PREPAYMENT: CreditKind.PREPAYMENT,
}
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def status(word: str, *, is_credited: bool) -> ErpInvoiceStatus:
    """Xero's status, translated; one never heard before is UNKNOWN. PAID by credit notes alone brought no money: CLOSED."""
    if word == "PAID" and is_credited:
        return ErpInvoiceStatus.CLOSED
    return _STATUS.get(word, ErpInvoiceStatus.UNKNOWN)


def customer(row: Mapping[str, Any], home_currency: str, time_zone: str) -> ErpCustomer:
    """A contact; who has no currency of its own buys in the organisation's."""
    countries = [each.get("Country") or "" for each in row.get("Addresses") or []]
    people = [
        ErpContact(
            erp_id=f"{row['ContactID']}/{number}",
            name=" ".join(filter(None, (each.get("FirstName"), each.get("LastName")))) or row["Name"],
            email=each["EmailAddress"],
        )
        for number, each in enumerate(row.get("ContactPersons") or [])
        if each.get("EmailAddress")
    ]
    return ErpCustomer(
        erp_id=row["ContactID"],
        number=row.get("AccountNumber") or row.get("ContactNumber") or row["ContactID"][:8],
        name=row["Name"],
        currency=row.get("DefaultCurrency") or home_currency,
        email=row.get("EmailAddress") or None,
        country=next((each for each in countries if _COUNTRY.fullmatch(each)), None),
        time_zone=time_zone,
        contacts=tuple(people),
        deleted=row.get("ContactStatus", "ACTIVE") != "ACTIVE",
    )


def invoice(row: Mapping[str, Any], sources: Sequence[Source]) -> ErpInvoice | None:
    """An invoice with everything that settled it; None where what is told of it does not add up to what it says itself."""
    currency, number = row["CurrencyCode"], row.get("InvoiceNumber") or row["InvoiceID"][:8]
    settlements = (*_payments(row, currency), *_allocated(row["InvoiceID"], sources))
    settled = total((each.amount for each in settlements), currency=currency)
    if settled != wire.amount(row.get("AmountPaid"), currency) + wire.amount(row.get("AmountCredited"), currency):
        return None
    is_credited = bool(settlements) and all(each.kind is SettlementKind.CREDIT_NOTE for each in settlements)
    found = status(row["Status"], is_credited=is_credited)
    paid_on = row.get("FullyPaidOnDate")
    issued_on = wire.day(row["Date"])
    return ErpInvoice(
        erp_id=row["InvoiceID"],
        customer_erp_id=row["Contact"]["ContactID"],
        number=number,
        currency=currency,
        total=wire.amount(row["Total"], currency),
        settled=settled,
        issued_on=issued_on,
        due_on=wire.day(row["DueDate"]) if row.get("DueDate") else issued_on,
        status=found,
        status_word=row["Status"],
        po_number=row.get("Reference") or None,
        paid_on=_paid_on(paid_on, settlements) if row["Status"] == "PAID" else None,
        lines=tuple(_line(each, currency) for each in row.get("LineItems") or [] if "LineAmount" in each),
        settlements=settlements,
    )


def credit(found: Source) -> ErpCredit:
    """A credit note, prepayment or overpayment that a person entered."""
    sums: dict[str, Money] = {}
    last: dict[str, date] = {}
    for each in found.allocations:
        number = each.invoice_number or each.invoice[:8]
        sums[number] = sums.get(number, Money.zero(each.amount.currency)) + each.amount
        last[number] = max(each.on, last.get(number, each.on))
    return ErpCredit(
        erp_id=found.key.text,
        customer_erp_id=found.customer,
        number=found.number,
        kind=_CREDITS[found.key.kind],
        issued_on=found.on,
        total=found.total,
        used=found.total - found.left,
        applications=tuple(ErpApplied(invoice_number=each, amount=sums[each], on=last[each]) for each in sums),
        origin=found.reference or None,
        deleted=not found.stands,
    )


def _paid_on(told: str | None, settlements: Sequence[ErpSettlement]) -> date | None:
    return wire.day(told) if told else max((each.on for each in settlements), default=None)


def _payments(row: Mapping[str, Any], currency: str) -> list[ErpSettlement]:
    return [
        ErpSettlement(
            kind=SettlementKind.PAYMENT,
            document_number=each.get("Reference") or f"Payment {each['PaymentID'][:8]}",
            amount=wire.amount(each["Amount"], currency),
            on=wire.day(each["Date"]),
        )
        for each in row.get("Payments") or []
    ]


def _allocated(invoice_id: str, sources: Sequence[Source]) -> list[ErpSettlement]:
    return [
        ErpSettlement(
            kind=_kind(found),
            document_number=found.number,
            amount=each.amount,
            on=each.on,
            reference=_reference(found),
        )
        for found in sources
        for each in found.allocations
        if each.invoice == invoice_id
    ]


def _kind(found: Source) -> SettlementKind:
    if found.key.kind is Kind.CREDIT_NOTE:
        return SettlementKind.CREDIT_NOTE
    return SettlementKind.PAYMENT if is_our_reference(found.reference) else SettlementKind.PREPAYMENT


def _reference(found: Source) -> str | None:
    """Duly's, where it bears ours: the document's own is the last part."""
    own = found.reference.rpartition("/")[2]
    return own if owner_of(own, "pay") is not None else None


def _line(row: Mapping[str, Any], currency: str) -> ErpLine:
    """A line; a price with more decimals than the currency has is told by its amount."""
    whole = wire.amount(row["LineAmount"], currency)
    try:
        price = wire.amount(row.get("UnitAmount"), currency)
    except ValueError:
        price = whole
    return ErpLine(
        description=row.get("Description") or "",
        quantity=str(row.get("Quantity", 1)).removesuffix(".0"),
        unit_price=price,
        amount=whole,
        tax_rate=row.get("TaxType") or "",
        tax=wire.amount(row.get("TaxAmount"), currency),
    )
