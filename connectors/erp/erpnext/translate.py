"""ERPNext's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.finding import currency_of
from connectors.erp.erpnext.ledger import CANCELLED, INVOICE, PAYMENT, Entry, Standing
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
from domain.ids import is_our_reference, owner_of
from domain.money import Money

NOTE: Final = "note"
BY_HAND: Final = "payment"

# How an invoice stands with its money is the ledger's to say; these words are only known or not.
_WORDS: Final = frozenset(
    {
        *("Submitted", "Unpaid", "Overdue", "Partly Paid", "Paid", "Credit Note Issued", "Internal Transfer"),
        *("Unpaid and Discounted", "Overdue and Discounted", "Partly Paid and Discounted"),
    }
)
_QUOTES: Final[Mapping[str, QuoteStatus]] = {
    "Draft": QuoteStatus.DRAFT,
    "Open": QuoteStatus.OPEN,
    "Replied": QuoteStatus.OPEN,
    "Partially Ordered": QuoteStatus.ACCEPTED,
    "Ordered": QuoteStatus.ACCEPTED,
    "Lost": QuoteStatus.DECLINED,
    "Cancelled": QuoteStatus.DECLINED,
    "Expired": QuoteStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who wrote what settles an invoice, and what it is; `reference` is what people or we gave it."""

    kind: SettlementKind
    reference: str | None


def customer(row: Mapping[str, Any], contacts: Sequence[Mapping[str, Any]], *, home: str, time_zone: str) -> ErpCustomer:
    """A customer with its contacts; without a currency of its own it buys in the company's."""
    return ErpCustomer(
        erp_id=str(row["name"]),
        number=str(row["name"]),
        name=row["customer_name"] or str(row["name"]),
        currency=row["default_currency"] or home,
        email=row["email_id"] or next((each["email_id"] for each in contacts if each["email_id"]), None),
        country=None,
        time_zone=time_zone,
        contacts=tuple(
            ErpContact(erp_id=str(each["name"]), name=each["full_name"] or str(each["name"]), email=each["email_id"])
            for each in contacts
            if each["email_id"]
        ),
        deleted=bool(row["disabled"]),
    )


def total_of(row: Mapping[str, Any]) -> Money:
    """What a document comes to: rounded where ERPNext rounds it."""
    rounded = wire.amount(row["rounded_total"], row["currency"])
    whole = wire.amount(row["grand_total"], row["currency"])
    return rounded if rounded.minor and not row["disable_rounded_total"] else whole


def invoice(
    row: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    entries: Sequence[Entry],
    origins: Mapping[tuple[str, str], Origin],
) -> ErpInvoice:
    """An invoice with everything that the ledger has against it: settled is what is no longer open there."""
    currency, total = str(row["currency"]), total_of(row)
    is_readable = row["party_account_currency"] in (None, "", currency)
    settlements = _settlements(str(row["name"]), entries, origins) if is_readable and row["docstatus"] != CANCELLED else ()
    settled = Money.zero(currency)
    for each in settlements:
        settled += each.amount
    status = _status(
        row, is_readable=is_readable, is_settled=settled >= total and bool(settlements), settlements=settlements
    )
    return ErpInvoice(
        erp_id=str(row["name"]),
        customer_erp_id=str(row["customer"]),
        number=str(row["name"]),
        currency=currency,
        total=total,
        settled=settled,
        issued_on=date.fromisoformat(row["posting_date"]),
        due_on=date.fromisoformat(row["due_date"] or row["posting_date"]),
        status=status,
        status_word=str(row["status"]) if is_readable else f"{row['status']}, kept in {row['party_account_currency']}",
        po_number=row["po_no"] or None,
        terms=row["payment_terms_template"] or None,
        paid_on=max(each.on for each in settlements) if status is ErpInvoiceStatus.PAID else None,
        lines=_lines(items, currency, wire.price(row["total_taxes_and_charges"], currency)),
        settlements=settlements,
        contact_email=row["contact_email"] or None,
    )


def _status(
    row: Mapping[str, Any], *, is_readable: bool, is_settled: bool, settlements: Sequence[ErpSettlement]
) -> ErpInvoiceStatus:
    if row["docstatus"] == CANCELLED:
        return ErpInvoiceStatus.VOID
    if row["status"] not in _WORDS or not is_readable:
        return ErpInvoiceStatus.UNKNOWN
    if not is_settled:
        return ErpInvoiceStatus.OPEN
    # What only credit notes closed, nobody paid.
    is_credited = all(each.kind is SettlementKind.CREDIT_NOTE for each in settlements)
    return ErpInvoiceStatus.CLOSED if is_credited else ErpInvoiceStatus.PAID


def _settlements(
    name: str, entries: Sequence[Entry], origins: Mapping[tuple[str, str], Origin]
) -> tuple[ErpSettlement, ...]:
    """One for each document that takes something off; an invoice's own row above zero is what it comes to."""
    found: dict[tuple[str, str], tuple[Money, date]] = {}
    for each in entries:
        if each.voucher == (INVOICE, name) and each.amount.minor > 0:
            continue
        known, on = found.get(each.voucher, (Money.zero(each.amount.currency), each.on))
        found[each.voucher] = (known - each.amount, max(on, each.on))
    settlements = []
    for voucher, (amount, on) in sorted(found.items()):
        if not amount.minor:
            continue
        default = SettlementKind.CREDIT_NOTE if voucher[0] == INVOICE and voucher[1] != name else SettlementKind.OTHER
        origin = origins.get(voucher, Origin(kind=default, reference=None))
        is_ours = origin.reference is not None and owner_of(origin.reference, "pay") is not None
        settlements.append(
            ErpSettlement(
                kind=origin.kind,
                document_number=voucher[1],
                amount=amount,
                on=on,
                reference=origin.reference if is_ours else None,
            )
        )
    return tuple(settlements)


def payment_origin(row: Mapping[str, Any]) -> Origin:
    """What a Payment Entry is to an invoice."""
    return Origin(kind=SettlementKind.PAYMENT, reference=row["reference_no"] or None)


def journal_origin(row: Mapping[str, Any], *, is_of_note: bool) -> Origin:
    """What a Journal Entry is to an invoice: a credit note's money, something written off, or anything else."""
    kind = SettlementKind.WRITE_OFF if row["voucher_type"] == "Write Off Entry" else SettlementKind.OTHER
    return Origin(kind=SettlementKind.CREDIT_NOTE if is_of_note else kind, reference=row["cheque_no"] or None)


def _lines(items: Sequence[Mapping[str, Any]], currency: str, tax: Money) -> tuple[ErpLine, ...]:
    """ERPNext has tax by invoice, not by line: it is shared by what each line comes to."""
    amounts = [wire.price(each["net_amount"], currency) for each in items]
    weights = [max(each.minor, 0) for each in amounts]
    shares: Sequence[Money] = [Money.zero(currency)] * len(items)
    if tax.minor > 0 and any(weights):
        shares = tax.split(weights)
    return tuple(
        ErpLine(
            description=each["description"] or each["item_name"] or "",
            quantity=wire.plain(each["qty"]),
            unit_price=wire.price(each["net_rate"], currency),
            amount=amount,
            tax_rate="",
            tax=share,
        )
        for each, amount, share in zip(items, amounts, shares, strict=True)
    )


def credit_note(row: Mapping[str, Any], left: Money, applied: tuple[ErpApplied, ...]) -> ErpCredit:
    """A credit note; `left` is what the ledger still has open of it, above zero."""
    total = -total_of(row)
    return ErpCredit(
        erp_id=f"{NOTE}:{row['name']}",
        customer_erp_id=str(row["customer"]),
        number=str(row["name"]),
        kind=CreditKind.CREDIT_NOTE,
        issued_on=date.fromisoformat(row["posting_date"]),
        total=total,
        used=total - left,
        applications=applied,
        origin=row["return_against"] or None,
        deleted=row["docstatus"] == CANCELLED,
    )


def payment_by_hand(row: Mapping[str, Any], standing: Standing, on: Mapping[str, date]) -> ErpCredit:
    """A payment that a person entered; what no document took of it can be applied."""
    currency = currency_of(row)
    total = wire.amount(row["paid_amount"], currency)
    is_cancelled = row["docstatus"] == CANCELLED
    return ErpCredit(
        erp_id=f"{BY_HAND}:{row['name']}",
        customer_erp_id=str(row["party"]),
        number=str(row["name"]),
        kind=CreditKind.PAYMENT,
        issued_on=date.fromisoformat(row["posting_date"]),
        total=total,
        used=total if is_cancelled else total - standing.pool,
        applications=applied(standing.on_invoices, on, date.fromisoformat(row["posting_date"])),
        origin=row["reference_no"] or None,
        deleted=is_cancelled,
    )


def applied(amounts: Mapping[str, Money], on: Mapping[str, date], otherwise: date) -> tuple[ErpApplied, ...]:
    """One row for each invoice that something stands on."""
    return tuple(
        ErpApplied(invoice_number=name, amount=amount, on=on.get(name, otherwise))
        for name, amount in sorted(amounts.items())
        if amount.minor
    )


def payment(row: Mapping[str, Any], standing: Standing) -> ErpPayment:
    """A payment document of whoever wrote it; one whose money all went back no longer stands."""
    currency = currency_of(row)
    is_cancelled = row["docstatus"] == CANCELLED
    return ErpPayment(
        erp_id=f"{PAYMENT}/{row['name']}",
        customer_erp_id=str(row["party"]),
        number=str(row["name"]),
        amount=wire.amount(row["paid_amount"], currency),
        unapplied=standing.pool,
        received_on=date.fromisoformat(row["posting_date"]),
        lines=tuple(ErpPaid(invoice_erp_id=name, amount=amount) for name, amount in sorted(standing.on_invoices.items())),
        reference=row["reference_no"] if is_our_reference(row["reference_no"]) else None,
        author=row["owner"] or None,
        stands=not is_cancelled and bool(standing.whole.minor),
    )


def quote(row: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> ErpQuote:
    """A quotation to a customer."""
    currency = str(row["currency"])
    return ErpQuote(
        erp_id=str(row["name"]),
        customer_erp_id=str(row["party_name"]),
        number=str(row["name"]),
        total=total_of(row),
        issued_on=date.fromisoformat(row["transaction_date"]),
        expires_on=date.fromisoformat(row["valid_till"]) if row["valid_till"] else None,
        status=_QUOTES.get(row["status"], QuoteStatus.UNKNOWN),
        status_word=str(row["status"]),
        lines=_lines(items, currency, wire.price(row["total_taxes_and_charges"], currency)),
        deleted=row["docstatus"] == CANCELLED,
    )


def recurring(row: Mapping[str, Any], invoice_row: Mapping[str, Any]) -> ErpRecurring:
    """An Auto Repeat, which is named after the invoice that it repeats. How many are still to come ERPNext does not say."""
    return ErpRecurring(
        erp_id=str(row["name"]),
        customer_erp_id=str(invoice_row["customer"]),
        title=str(row["reference_document"]),
        frequency=str(row["frequency"]),
        starts_on=_day(row["start_date"]),
        next_on=_day(row["next_schedule_date"]),
        remaining=None,
        amount=total_of(invoice_row),
        active=row["status"] == "Active" and not row["disabled"],
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
