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
    ErpPaid,
    ErpPayment,
    ErpQuote,
    ErpRecurring,
    ErpSettlement,
    QuoteStatus,
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
_QUOTES: Final[Mapping[str, QuoteStatus]] = {
    "DRAFT": QuoteStatus.DRAFT,
    "SENT": QuoteStatus.OPEN,
    "ACCEPTED": QuoteStatus.ACCEPTED,
    "DECLINED": QuoteStatus.DECLINED,
    "INVOICED": QuoteStatus.INVOICED,
}
_UNITS: Final = {"WEEKLY": "week", "MONTHLY": "month"}
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


def payment(reference: str, whole: Source, parts: Sequence[Source]) -> ErpPayment:
    """A payment of ours: the overpayment that it was written as, and all that bears its money by now. One that is paid out
    to the last cent was taken back.
    """
    currency = whole.total.currency
    there = [each for each in parts if each.stands]
    lies = total((each.amount for part in there for each in part.allocations), currency=currency)
    left = total((part.left for part in there), currency=currency)
    stands = whole.stands and bool((lies + left).minor or not whole.has_payments)
    return ErpPayment(
        erp_id=whole.key.id,
        customer_erp_id=whole.customer,
        number=whole.number,
        amount=whole.total,
        unapplied=left if stands else whole.total,
        received_on=whole.on,
        lines=_paid(there) if stands else (),
        reference=reference,
        stands=stands,
    )


def payment_of_a_person(found: Source) -> ErpPayment:
    """An overpayment or prepayment that a person entered. Who it was Xero does not say."""
    return ErpPayment(
        erp_id=found.key.text,
        customer_erp_id=found.customer,
        number=found.number,
        amount=found.total,
        unapplied=found.left if found.stands else found.total,
        received_on=found.on,
        lines=_paid([found]) if found.stands else (),
        stands=found.stands,
    )


def payment_on_invoice(row: Mapping[str, Any], home_currency: str) -> ErpPayment:
    """A payment that a person put on one invoice; of a deleted one the invoice may be missing."""
    about = row.get("Invoice") or {}
    currency, stands = about.get("CurrencyCode"), row["Status"] == "AUTHORISED" and bool(about)
    amount = wire.amount(row["Amount"], currency) if currency else Money.zero(home_currency)
    return ErpPayment(
        erp_id=f"Payment-{row['PaymentID']}",
        customer_erp_id=(about.get("Contact") or {}).get("ContactID", "") if currency else "",
        number=row.get("Reference") or f"Payment {row['PaymentID'][:8]}",
        amount=amount,
        unapplied=Money.zero(amount.currency) if stands else amount,
        received_on=wire.day(row["Date"]),
        lines=(ErpPaid(invoice_erp_id=about["InvoiceID"], amount=amount),) if stands else (),
        stands=stands,
    )


def quote(row: Mapping[str, Any]) -> ErpQuote:
    """A quote. Xero lets one that is over stand as it was sent; its last day says so."""
    currency, word = row["CurrencyCode"], row["Status"]
    return ErpQuote(
        erp_id=row["QuoteID"],
        customer_erp_id=(row.get("Contact") or {}).get("ContactID", ""),
        number=row.get("QuoteNumber") or row["QuoteID"][:8],
        total=wire.amount(row["Total"], currency),
        issued_on=wire.day(row["Date"]),
        expires_on=wire.day(row["ExpiryDate"]) if row.get("ExpiryDate") else None,
        status=_QUOTES.get(word, QuoteStatus.UNKNOWN),
        status_word=word,
        lines=tuple(_line(each, currency) for each in row.get("LineItems") or [] if "LineAmount" in each),
        deleted=word == "DELETED",
    )


def recurring(row: Mapping[str, Any]) -> ErpRecurring:
    """A repeating invoice. Its status says how its invoices are made (as drafts, or approved), not whether it goes on: that
    is its next day.
    """
    schedule = row.get("Schedule") or {}
    following, last = _day_of(schedule, "NextScheduledDate"), _day_of(schedule, "EndDate")
    every, unit = int(schedule.get("Period") or 1), str(schedule.get("Unit") or "")
    named = _UNITS.get(unit, unit)
    is_deleted = row["Status"] == "DELETED"
    return ErpRecurring(
        erp_id=row["RepeatingInvoiceID"],
        customer_erp_id=row["Contact"]["ContactID"],
        title=row.get("Reference") or _said(row),
        frequency=f"every {named}" if every == 1 else f"every {every} {named}s",
        starts_on=_day_of(schedule, "StartDate"),
        next_on=following,
        remaining=None,
        amount=wire.amount(row.get("Total"), row["CurrencyCode"]),
        active=not is_deleted and following is not None and (last is None or following <= last),
        deleted=is_deleted,
    )


def _day_of(schedule: Mapping[str, Any], name: str) -> date | None:
    return wire.day(schedule[name]) if schedule.get(name) else None


def _said(row: Mapping[str, Any]) -> str:
    return next((each["Description"] for each in row.get("LineItems") or [] if each.get("Description")), "")


def _paid(parts: Sequence[Source]) -> tuple[ErpPaid, ...]:
    """One row for each invoice."""
    sums: dict[str, Money] = {}
    for each in (allocation for part in parts for allocation in part.allocations):
        sums[each.invoice] = sums.get(each.invoice, Money.zero(each.amount.currency)) + each.amount
    return tuple(ErpPaid(invoice_erp_id=each, amount=amount) for each, amount in sums.items())
