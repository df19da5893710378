"""The demo ERP's words and shapes, to and from the port's values; raises KeyError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    CreditKind,
    ErpApplied,
    ErpContact,
    ErpCredit,
    ErpCustomer,
    ErpDeposit,
    ErpInvoice,
    ErpInvoiceStatus,
    ErpLine,
    ErpOpenTotal,
    ErpPaid,
    ErpPayment,
    ErpQuote,
    ErpRecurring,
    ErpSettlement,
    PaymentDocument,
    PaymentLine,
    PostedDocument,
    QuoteStatus,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
    SettlementKind,
    SurplusDocument,
)
from domain.ids import owner_of
from domain.money import Money

_STATUS: Final[Mapping[str, ErpInvoiceStatus]] = {
    "Draft": ErpInvoiceStatus.DRAFT,
    "Posted": ErpInvoiceStatus.OPEN,
    "Paid": ErpInvoiceStatus.PAID,
    "Disputed": ErpInvoiceStatus.IN_DISPUTE,
    "Instalment plan": ErpInvoiceStatus.IN_INSTALMENTS,
    "Bad debt": ErpInvoiceStatus.WRITTEN_OFF,
    "Closed": ErpInvoiceStatus.CLOSED,
    "Voided": ErpInvoiceStatus.VOID,
}

_SETTLEMENT: Final[Mapping[str, SettlementKind]] = {
    "Payment": SettlementKind.PAYMENT,
    "Credit note": SettlementKind.CREDIT_NOTE,
    "Prepayment": SettlementKind.PREPAYMENT,
    "Overpayment": SettlementKind.PREPAYMENT,
    "Write-off": SettlementKind.WRITE_OFF,
}


_CREDIT: Final[Mapping[str, CreditKind]] = {
    "Credit note": CreditKind.CREDIT_NOTE,
    "Prepayment": CreditKind.PREPAYMENT,
    "Overpayment": CreditKind.OVERPAYMENT,
    "Payment": CreditKind.PAYMENT,
}


_QUOTE: Final[Mapping[str, QuoteStatus]] = {
    "Draft": QuoteStatus.DRAFT,
    "Sent": QuoteStatus.OPEN,
    "Accepted": QuoteStatus.ACCEPTED,
    "Declined": QuoteStatus.DECLINED,
    "Expired": QuoteStatus.EXPIRED,
    "Invoiced": QuoteStatus.INVOICED,
}


def status(word: str) -> ErpInvoiceStatus:
    """The ERP's word, translated; a word never heard before is UNKNOWN, neither paid nor open."""
    return _STATUS.get(word, ErpInvoiceStatus.UNKNOWN)


def customer(row: Mapping[str, Any]) -> ErpCustomer:
    """A customer from the ERP's answer."""
    return ErpCustomer(
        erp_id=row["id"],
        number=row["number"],
        name=row["name"],
        currency=row["currency"],
        email=row["email"],
        country=row["country"],
        time_zone=row["time_zone"],
        parent_erp_id=row["parent_id"],
        paused=row["paused"],
        deleted=row["deleted"],
        contacts=tuple(
            ErpContact(erp_id=contact["id"], name=contact["name"], email=contact["email"]) for contact in row["contacts"]
        ),
    )


def invoice(row: Mapping[str, Any]) -> ErpInvoice:
    """An invoice with lines and settlements from the ERP's answer."""
    currency = row["currency"]
    return ErpInvoice(
        erp_id=row["id"],
        customer_erp_id=row["customer_id"],
        number=row["number"],
        currency=currency,
        total=Money.of(row["total"], currency),
        settled=Money.of(row["settled"], currency),
        issued_on=date.fromisoformat(row["issued_on"]),
        due_on=date.fromisoformat(row["due_on"]),
        status=status(row["status"]),
        status_word=row["status"],
        is_parent=row["layout"] == "parent",
        parent_erp_id=row["parent_id"],
        site=row["site"],
        po_number=row["po_number"],
        terms=row["terms"],
        paused=row["paused"],
        paid_on=None if row["paid_on"] is None else date.fromisoformat(row["paid_on"]),
        lines=tuple(_line(line, currency) for line in row["lines"]),
        discount=None if row["discount"] is None else Money.of(row["discount"], currency),
        settlements=tuple(_settlement(settlement, currency) for settlement in row["settlements"]),
        contact_email=row["contact_email"],
        deleted=row["deleted"],
    )


def payment(row: Mapping[str, Any]) -> ErpPayment:
    """A payment document; one that was taken back whole, or deleted, does not stand."""
    currency, reference = row["currency"], row["external_reference"]
    return ErpPayment(
        erp_id=row["id"],
        customer_erp_id=row["customer_id"],
        number=row["number"],
        amount=Money.of(row["amount"], currency),
        unapplied=Money.of(row["unapplied"], currency),
        received_on=date.fromisoformat(row["dated_on"]),
        lines=tuple(
            ErpPaid(invoice_erp_id=line["invoice_id"], amount=Money.of(line["amount"], currency)) for line in row["applied"]
        ),
        reference=reference if reference is not None and owner_of(reference, "pay") is not None else None,
        author=row["author"],
        stands=row["state"] == "Posted",
    )


def quote(row: Mapping[str, Any]) -> ErpQuote:
    """A quote; a word never heard before is UNKNOWN."""
    currency = row["currency"]
    return ErpQuote(
        erp_id=row["id"],
        customer_erp_id=row["customer_id"],
        number=row["number"],
        total=Money.of(row["total"], currency),
        issued_on=date.fromisoformat(row["issued_on"]),
        expires_on=_day(row["expires_on"]),
        status=_QUOTE.get(row["state"], QuoteStatus.UNKNOWN),
        status_word=row["state"],
        lines=tuple(_line(line, currency) for line in row["lines"]),
        deleted=row["deleted"],
    )


def recurring(row: Mapping[str, Any]) -> ErpRecurring:
    """A template that invoices are made from."""
    return ErpRecurring(
        erp_id=row["id"],
        customer_erp_id=row["customer_id"],
        title=row["title"],
        frequency=row["frequency"],
        starts_on=_day(row["starts_on"]),
        next_on=_day(row["next_on"]),
        remaining=row["remaining"],
        amount=Money.of(row["amount"], row["currency"]),
        active=row["active"],
        deleted=row["deleted"],
    )


def open_total(row: Mapping[str, Any]) -> ErpOpenTotal:
    """What one customer owes in one currency."""
    return ErpOpenTotal(customer_erp_id=row["customer_id"], count=row["count"], open=Money.of(row["open"], row["currency"]))


def balance(row: Mapping[str, Any]) -> Money:
    """A balance of the general ledger."""
    return Money.of(row["amount"], row["currency"])


def deposit(row: Mapping[str, Any]) -> ErpDeposit:
    """A deposit on the bank account."""
    return ErpDeposit(
        erp_id=str(row["id"]),
        reference=str(row["reference"]),
        amount=Money.of(row["amount"], row["currency"]),
        booked_on=date.fromisoformat(row["booked_on"]),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _line(row: Mapping[str, Any], currency: str) -> ErpLine:
    return ErpLine(
        description=row["description"],
        quantity=row["quantity"],
        unit_price=Money.of(row["unit_price"], currency),
        amount=Money.of(row["amount"], currency),
        tax_rate=row["tax_rate"],
        tax=Money.of(row["tax"], currency),
    )


def _settlement(row: Mapping[str, Any], currency: str) -> ErpSettlement:
    reference = row["external_reference"]
    # People type into that field too: only what begins with a payment's id, as every reference of ours does, is ours.
    is_ours = reference is not None and owner_of(reference, "pay") is not None
    return ErpSettlement(
        kind=_SETTLEMENT.get(row["kind"], SettlementKind.OTHER),
        document_number=row["document_number"],
        amount=Money.of(row["amount"], currency),
        on=date.fromisoformat(row["on"]),
        reference=reference if is_ours else None,
    )


def is_credit(row: Mapping[str, Any]) -> bool:
    """Whether a document can settle invoices and is not one that Duly posted."""
    reference = row["external_reference"]
    is_ours = reference is not None and owner_of(reference, "pay") is not None
    return row["kind"] in _CREDIT and not is_ours


def credit(row: Mapping[str, Any]) -> ErpCredit:
    """A credit with where it went from the ERP's answer."""
    currency = row["currency"]
    return ErpCredit(
        erp_id=row["id"],
        customer_erp_id=row["customer_id"],
        number=row["number"],
        kind=_CREDIT[row["kind"]],
        issued_on=date.fromisoformat(row["dated_on"]),
        total=Money.of(row["amount"], currency),
        used=Money.of(row["amount"] - row["unapplied"], currency),
        applications=tuple(
            ErpApplied(
                invoice_number=each["invoice_number"],
                amount=Money.of(each["amount"], currency),
                on=date.fromisoformat(each["on"]),
            )
            for each in row["applied"]
        ),
        origin=row["memo"] or None,
        deleted=row["state"] == "Deleted",
    )


def posted(row: Mapping[str, Any]) -> PostedDocument:
    """A document as the ERP echoes it; `facts` hold its kind, its state and its customer."""
    return PostedDocument(
        erp_id=row["id"],
        number=row["number"],
        amount=Money.of(row["amount"], row["currency"]),
        reference=row["external_reference"],
        stands=row["state"] == "Posted",
        facts={"kind": row["kind"], "state": row["state"], "customer_erp_id": row["customer_id"]},
    )


def payment_body(document: PaymentDocument) -> dict[str, object]:
    """The body of POST /payments."""
    return {
        "external_reference": document.reference,
        "customer_id": document.customer_erp_id,
        "currency": document.amount.currency,
        "amount": document.amount.minor,
        "received_on": document.received_on.isoformat(),
        "lines": _lines(document.lines),
        "memo": document.memo,
        "method": document.method_label,
    }


def reversal_body(document: ReversalDocument) -> dict[str, object]:
    """The body of POST /reversals."""
    return {
        "external_reference": document.reference,
        "payment_reference": document.payment_reference,
        "customer_id": document.customer_erp_id,
        "currency": document.amount.currency,
        "amount": document.amount.minor,
        "reversed_on": document.reversed_on.isoformat(),
        "lines": _lines(document.lines),
        "memo": document.memo,
    }


def surplus_body(document: SurplusDocument) -> dict[str, object]:
    """The body of POST /reversals for one of several documents."""
    return {
        "external_reference": document.reference,
        "payment_reference": document.payment_reference,
        "document_id": document.surplus_erp_id,
        "customer_id": document.customer_erp_id,
        "currency": document.amount.currency,
        "amount": document.amount.minor,
        "reversed_on": document.reversed_on.isoformat(),
        "lines": [],
        "memo": document.memo,
    }


def refund_body(document: RefundDocument) -> dict[str, object]:
    """The body of POST /refunds."""
    return {
        "external_reference": document.reference,
        "payment_reference": document.payment_reference,
        "customer_id": document.customer_erp_id,
        "currency": document.amount.currency,
        "amount": document.amount.minor,
        "refunded_on": document.refunded_on.isoformat(),
        "lines": _lines(document.lines),
        "memo": document.memo,
    }


def refund_reversal_body(document: RefundReversalDocument) -> dict[str, object]:
    """The body of POST /refund-reversals."""
    return {
        "external_reference": document.reference,
        "refund_reference": document.refund_reference,
        "payment_reference": document.payment_reference,
        "customer_id": document.customer_erp_id,
        "currency": document.amount.currency,
        "amount": document.amount.minor,
        "reversed_on": document.reversed_on.isoformat(),
        "lines": _lines(document.lines),
        "memo": document.memo,
    }


def application_body(document: ApplicationDocument) -> dict[str, object]:
    """The body of POST /applications. Raises ValueError for a document without lines: it has no currency."""
    if not document.lines:
        raise ValueError("an application moves at least one amount")
    return {
        "external_reference": document.reference,
        "payment_reference": document.payment_reference,
        "customer_id": document.customer_erp_id,
        "currency": document.lines[0].amount.currency,
        "on": document.on.isoformat(),
        "lines": _lines(document.lines),
        "memo": document.memo,
    }


def credit_application_body(document: CreditApplicationDocument) -> dict[str, object]:
    """The body of POST /applications for a document of the ERP's own."""
    if not document.lines:
        raise ValueError("an application moves at least one amount")
    return {
        "external_reference": document.reference,
        "document_id": document.credit_erp_id,
        "customer_id": document.customer_erp_id,
        "currency": document.lines[0].amount.currency,
        "on": document.on.isoformat(),
        "lines": _lines(document.lines),
        "memo": document.memo,
    }


def _lines(lines: Sequence[PaymentLine]) -> list[dict[str, object]]:
    return [{"invoice_id": line.invoice_erp_id, "amount": line.amount.minor} for line in lines]
