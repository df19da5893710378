"""Invoices and credit notes as PDF, typeset by Duly where the ERP has none of its own or does not answer. The figures are
the ERP's, and what Duly knows beyond them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from api.documents.sheets import Column, Sheets
from api.formatting import Writer
from domain.business import BusinessSettings
from domain.ids import shown_number
from domain.receivables import CreditKind
from store.views.credits import CreditLine
from store.views.invoice import InvoicePage

SETTLED: Final[Mapping[str, str]] = {
    "payment": "Payment",
    "credit_note": "Credit note",
    "prepayment": "Prepayment",
    "overpayment": "Overpayment",
    "write_off": "Written off",
    "other": "Settled",
}
CREDITS: Final[Mapping[CreditKind, str]] = {
    CreditKind.CREDIT_NOTE: "Credit note",
    CreditKind.PREPAYMENT: "Prepayment",
    CreditKind.OVERPAYMENT: "Overpayment",
    CreditKind.PAYMENT: "Payment",
}


def invoice_pdf(invoice: InvoicePage, settings: BusinessSettings, write: Writer) -> bytes:
    """Lines, tax by rate, what was paid and credited, what is open."""
    sheet = _begun(f"Invoice {invoice.number}", settings, write)
    told = [
        ("Customer", invoice.customer_name),
        ("Site", invoice.site or ""),
        ("Part of", invoice.parent_number or ""),
        ("Issued", write.long_day(invoice.issued_on)),
        ("Due", write.long_day(invoice.due_on)),
        ("Terms", invoice.terms or ""),
        ("Your PO", invoice.po_number or ""),
    ]
    sheet.pairs(_said(told))
    sheet.gap()

    def money(minor: int) -> str:
        return write.money(minor, invoice.currency)

    if invoice.lines:
        sides = [Column("Quantity", 2, "right"), Column("Price", 3, "right"), Column("Tax", 2, "right")]
        rows = [
            (each.description, each.quantity, money(each.unit_price), each.tax_rate, money(each.amount))
            for each in invoice.lines
        ]
        sheet.table([Column("Description", 8), *sides, Column("Amount", 3, "right")], rows)
        sheet.gap()
    if invoice.sites:
        columns = [Column("Site", 8), Column("Total", 3, "right"), Column("Open", 3, "right")]
        sheet.table(columns, [(each.site or each.number, money(each.total), money(each.open)) for each in invoice.sites])
        sheet.gap()
    if invoice.settlements:
        columns = [Column("Paid and credited", 8), Column("Date", 3), Column("Amount", 3, "right")]
        rows_settled = [
            (
                f"Payment {shown_number(each.payment_id)}" if each.payment_id else f"{SETTLED[each.kind]} {each.document}",
                each.on.isoformat(),
                money(-each.amount),
            )
            for each in invoice.settlements
        ]
        sheet.table(columns, rows_settled)
        sheet.gap()
    sums = [("Without tax", money(invoice.net))] if invoice.lines else []
    sums += [(f"Tax {rate}".strip(), money(tax)) for rate, tax in invoice.taxes.items()]
    sums += [("Discount", money(-invoice.discount))] if invoice.discount else []
    sums.append(("Total", money(invoice.total)))
    if invoice.total != invoice.open:
        sums.append(("Paid and credited", money(invoice.open - invoice.total)))
    sheet.pairs([*sums, ("Open", money(invoice.open))], side="right")
    return _ended(sheet, settings, invoice.contact_email)


def credit_pdf(credit: CreditLine, settings: BusinessSettings, write: Writer) -> bytes:
    """What it is worth, where it went, what is left."""
    sheet = _begun(f"{CREDITS[credit.kind]} {credit.number}", settings, write)
    sheet.pairs(_said([("Date", write.long_day(credit.issued_on)), ("For", credit.origin or "")]))
    sheet.gap()

    def money(minor: int) -> str:
        return write.money(minor, credit.currency)

    if credit.applications:
        columns = [Column("Applied to", 8), Column("Date", 3), Column("Amount", 3, "right")]
        sheet.table(columns, [(each.invoice, each.on.isoformat(), money(each.amount)) for each in credit.applications])
        sheet.gap()
    left = max(credit.unapplied, 0)
    sheet.pairs([("Total", money(credit.total)), ("Used", money(left - credit.total)), ("Left", money(left))], side="right")
    return _ended(sheet, settings, None)


def _begun(title: str, settings: BusinessSettings, write: Writer) -> Sheets:
    made = f"made {write.long_day(write.today)}, {write.clock(write.now)}"
    sheet = Sheets(title=f"{title} · {settings.business_name}", foot=f"{settings.business_name} · {made}")
    sheet.text(settings.business_name, quiet=True)
    sheet.heading(title)
    return sheet


def _said(told: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in told if value]


def _ended(sheet: Sheets, settings: BusinessSettings, contact: str | None) -> bytes:
    if settings.show_contact and (whom := contact or settings.contact_email):
        sheet.gap()
        sheet.text(f"Questions? {whom}", quiet=True)
    return sheet.finish()
