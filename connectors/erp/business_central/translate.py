"""Business Central's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from connectors.erp.business_central import wire
from connectors.erp.business_central.books import Posted, Said
from connectors.erp.ports import (
    CreditKind,
    ErpCredit,
    ErpCustomer,
    ErpInvoice,
    ErpInvoiceStatus,
    ErpLine,
    ErpSettlement,
    SettlementKind,
)
from domain.money import Money

_STATUS: Final[Mapping[str, ErpInvoiceStatus]] = {
    "Open": ErpInvoiceStatus.OPEN,
    "Paid": ErpInvoiceStatus.PAID,
    "Canceled": ErpInvoiceStatus.VOID,
    "Corrective": ErpInvoiceStatus.CLOSED,
}
DRAFTS: Final = frozenset({"Draft", "In Review", " ", ""})


def customer(row: Mapping[str, Any], *, time_zone: str) -> ErpCustomer:
    """A customer; one that is blocked for all is still one."""
    return ErpCustomer(
        erp_id=str(row["id"]),
        number=str(row["number"]),
        name=row["displayName"] or str(row["number"]),
        currency=str(row["currencyCode"]),
        email=row["email"] or None,
        country=row["country"] or None,
        time_zone=time_zone,
    )


def invoice(row: Mapping[str, Any], ours: Sequence[tuple[Posted, Said]]) -> ErpInvoice:
    """An invoice. The API says what is left of it and not by what it was settled: ours is known by what we wrote, the rest
    is one settlement of unknown kind, which need not be cash.
    """
    currency = str(row["currencyCode"])
    total = wire.amount(row["totalAmountIncludingTax"], currency)
    status = _STATUS.get(row["status"], ErpInvoiceStatus.UNKNOWN)
    settled = total - wire.amount(row["remainingAmount"], currency)
    if status is ErpInvoiceStatus.VOID:
        settled, ours = Money.zero(currency), ()
    day = date.fromisoformat(row["postingDate"])
    settlements = [
        ErpSettlement(
            kind=SettlementKind.PAYMENT,
            document_number=posted.number,
            amount=said.amount,
            on=date.fromisoformat(posted.on),
            reference=posted.reference,
        )
        for posted, said in ours
    ]
    rest = settled
    for each in settlements:
        rest -= each.amount
    if rest.minor:
        other = SettlementKind.OTHER
        settlements.append(ErpSettlement(kind=other, document_number=str(row["number"]), amount=rest, on=day))
    is_paid = status is ErpInvoiceStatus.PAID
    return ErpInvoice(
        erp_id=str(row["id"]),
        customer_erp_id=str(row["customerId"]),
        number=str(row["number"]),
        currency=currency,
        total=total,
        settled=settled,
        issued_on=date.fromisoformat(row["invoiceDate"]),
        due_on=date.fromisoformat(row["dueDate"]),
        status=status,
        status_word=str(row["status"]),
        po_number=row["customerPurchaseOrderReference"] or row["externalDocumentNumber"] or None,
        paid_on=max((each.on for each in settlements), default=day) if is_paid else None,
        lines=lines(row.get("salesInvoiceLines", ()), currency),
        settlements=tuple(settlements),
        contact_email=row["email"] or None,
    )


def lines(rows: Sequence[Mapping[str, Any]], currency: str) -> tuple[ErpLine, ...]:
    """Lines in their order; a line of text alone has no amount and is left out."""
    return tuple(
        ErpLine(
            description=str(row["description"] or ""),
            quantity=str(row["quantity"]).removesuffix(".0"),
            unit_price=wire.price(row["unitPrice"], currency),
            amount=wire.amount(row["amountExcludingTax"], currency),
            tax_rate=f"{str(row['taxPercent']).removesuffix('.0')} %",
            tax=wire.amount(row["totalTaxAmount"], currency),
        )
        for row in sorted(rows, key=lambda row: int(row["sequence"]))
        if row["lineType"] != "Comment"
    )


def credit_memo(row: Mapping[str, Any]) -> ErpCredit:
    """A credit memo. The API does not say what is left of one that is open; one that is not is used up."""
    currency = str(row["currencyCode"])
    total = wire.amount(row["totalAmountIncludingTax"], currency)
    is_open = row["status"] == "Open"
    return ErpCredit(
        erp_id=str(row["id"]),
        customer_erp_id=str(row["customerId"]),
        number=str(row["number"]),
        kind=CreditKind.CREDIT_NOTE,
        issued_on=date.fromisoformat(row["creditMemoDate"]),
        total=total,
        used=Money.zero(currency) if is_open else total,
        origin=row["invoiceNumber"] or None,
        deleted=row["status"] == "Canceled",
    )
