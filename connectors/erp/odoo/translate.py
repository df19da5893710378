"""Odoo's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from connectors.erp.odoo import wire
from connectors.erp.odoo.documents import Applied, Invoice, Line
from connectors.erp.odoo.finding import Found
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
    ErpSettlement,
    QuoteStatus,
    SettlementKind,
)
from domain.ids import owner_of
from domain.money import Money, exponent

_PAYMENT_STATES = frozenset({"not_paid", "in_payment", "paid", "partial", "reversed", "blocked", "invoicing_legacy"})
_QUOTES = {
    "draft": QuoteStatus.DRAFT,
    "sent": QuoteStatus.OPEN,
    "sale": QuoteStatus.ACCEPTED,
    "done": QuoteStatus.ACCEPTED,  # locked; before 17
    "cancel": QuoteStatus.DECLINED,
}


def status(found: Invoice) -> ErpInvoiceStatus:
    """By what is open in the ledger. Odoo's words for it are not cash: `in_payment` is said of a payment that no entry was
    made for. A word never heard before is UNKNOWN.
    """
    match found.row["state"]:
        case "draft":
            return ErpInvoiceStatus.DRAFT
        case "cancel":
            return ErpInvoiceStatus.VOID
        case "posted" if found.row["payment_state"] in _PAYMENT_STATES:
            if found.open.minor > 0 or not found.total.minor:
                return ErpInvoiceStatus.OPEN if found.open.minor else ErpInvoiceStatus.PAID
            is_credited = bool(found.applied) and all(each.line.kind == "out_refund" for each in found.applied)
            return ErpInvoiceStatus.CLOSED if is_credited else ErpInvoiceStatus.PAID
        case _:
            return ErpInvoiceStatus.UNKNOWN


def customer(
    row: Mapping[str, Any], *, contacts: Sequence[Mapping[str, Any]], country: str | None, currency: str, time_zone: str
) -> ErpCustomer:
    """A partner with the people below it; the first of them with an e-mail stands in where it has none of its own."""
    people = [row, *contacts]
    mails = [(each, mail) for each in people if (mail := wire.text(each["email"])) is not None]
    return ErpCustomer(
        erp_id=str(row["id"]),
        number=wire.text(row["ref"]) or str(row["id"]),
        name=wire.text(row["name"]) or str(row["id"]),
        currency=currency,
        email=mails[0][1] if mails else None,
        country=country,
        time_zone=wire.text(row["tz"]) or time_zone,
        contacts=tuple(
            ErpContact(erp_id=str(each["id"]), name=wire.text(each["name"]) or mail, email=mail) for each, mail in mails
        ),
        deleted=not row["active"],
    )


def invoice(found: Invoice, lines: Sequence[Mapping[str, Any]], rates: Mapping[int, str]) -> ErpInvoice:
    """An invoice with its lines and everything that settled it; `rates` are taxes' percentages as text, by their ids."""
    row, currency = found.row, found.currency
    is_open = found.is_posted
    settled = found.total - found.open if is_open else Money.zero(currency)
    settlements = tuple(_settlement(each) for each in found.applied) if is_open else ()
    explained = Money.zero(currency)
    for each in settlements:
        explained += each.amount
    if explained != settled:
        # What the ledger says and what settles it come from two reads; a difference is shown, and gone with the next.
        rest = settled - explained
        settlements += (
            ErpSettlement(kind=SettlementKind.OTHER, document_number=row["name"], amount=rest, on=last_paid_on(found)),
        )
    state = status(found)
    shipped = wire.linked(row["partner_shipping_id"])
    return ErpInvoice(
        erp_id=str(found.id),
        customer_erp_id=str(found.customer),
        number=row["name"],
        currency=currency,
        total=found.total,
        settled=settled,
        issued_on=_issued_on(found),
        due_on=due_on(found),
        status=state,
        status_word=str(row["payment_state"] if row["state"] == "posted" else row["state"]),
        site=wire.named(row["partner_shipping_id"]) if shipped not in {None, found.customer} else None,
        po_number=wire.text(row["ref"]),
        terms=wire.named(row["invoice_payment_term_id"]),
        paid_on=last_paid_on(found) if state is ErpInvoiceStatus.PAID else None,
        lines=tuple(_line(each, rates, currency) for each in lines),
        settlements=settlements,
    )


def last_paid_on(found: Invoice) -> date:
    """The day of what settled it last."""
    return max((each.line.on for each in found.applied), default=_issued_on(found))


def due_on(found: Invoice) -> date:
    """The first day on which something of it that is still open is due; of one that is closed, its last."""
    waiting = [line.due for line in found.lines if line.residual.minor and line.due is not None]
    due = [line.due for line in found.lines if line.due is not None]
    fallback = wire.some_day(found.row["invoice_date_due"]) or _issued_on(found)
    return min(waiting, default=max(due, default=fallback))


def _issued_on(found: Invoice) -> date:
    return wire.some_day(found.row["invoice_date"]) or min(line.on for line in found.lines)


def _settlement(applied: Applied) -> ErpSettlement:
    line = applied.line
    is_payment = line.payment is not None or line.kind == "entry"
    kind = SettlementKind.CREDIT_NOTE if line.kind == "out_refund" else SettlementKind.PAYMENT
    return ErpSettlement(
        kind=kind if is_payment or line.kind == "out_refund" else SettlementKind.OTHER,
        document_number=line.number,
        amount=applied.amount,
        on=line.on,
        reference=line.reference if line.reference is not None and owner_of(line.reference, "pay") is not None else None,
    )


def _line(row: Mapping[str, Any], rates: Mapping[int, str], currency: str) -> ErpLine:
    amount = wire.amount(row["price_subtotal"], currency)
    rate = sum((Fraction(rates[each]) for each in row["tax_ids"] if each in rates), start=Fraction(0))
    price = Fraction(str(row["price_unit"] or 0)) * 10 ** exponent(currency)
    return ErpLine(
        description=wire.text(row["name"]) or "",
        quantity=_plain(Fraction(str(row["quantity"] or 0))),
        # To the nearest minor unit: Odoo keeps prices with more decimals than money has.
        unit_price=Money.of(wire.nearest(price), currency),
        amount=amount,
        tax_rate=f"{_plain(rate)} %",
        tax=wire.amount(row["price_total"], currency) - amount,
    )


def _plain(value: Fraction) -> str:
    """At most six decimals, and none that say nothing."""
    scaled = wire.nearest(abs(value) * 10**6)
    whole, part = divmod(scaled, 10**6)
    text = f"{whole}.{part:06}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and scaled else text


def credit_note(found: Invoice, *, left: Money, applications: tuple[ErpApplied, ...]) -> ErpCredit:
    """A credit note; `left` is what of it is on no invoice."""
    return ErpCredit(
        erp_id=f"invoice-{found.id}",
        customer_erp_id=str(found.customer),
        number=found.row["name"],
        kind=CreditKind.CREDIT_NOTE,
        issued_on=_issued_on(found),
        total=found.total,
        used=found.total - left,
        applications=applications,
        origin=wire.text(found.row["ref"]),
        deleted=not found.is_posted,
    )


def payment_by_hand(line: Line, *, left: Money, applications: tuple[ErpApplied, ...]) -> ErpCredit:
    """A payment that a person entered; `left` is what of it is on no invoice."""
    return ErpCredit(
        erp_id=f"line-{line.id}",
        customer_erp_id=str(line.customer or 0),
        number=line.number,
        kind=CreditKind.PAYMENT,
        issued_on=line.on,
        total=line.amount,
        used=line.amount - left,
        applications=applications,
        origin=line.reference,
        deleted=not line.is_posted,
    )


def payment(
    document: Found, *, on: date | None, paid: Sequence[tuple[int, Money]], unapplied: Money, stands: bool
) -> ErpPayment:
    """A payment of ours, with where its money is by now."""
    return ErpPayment(
        erp_id=str(document.id),
        customer_erp_id=str(document.customer),
        number=document.number,
        amount=document.amount,
        unapplied=unapplied,
        received_on=on or document.on,
        lines=_paid(paid),
        reference=document.reference,
        stands=stands,
    )


def payment_of_a_person(payment_id: int, line: Line, *, paid: Sequence[tuple[int, Money]], stands: bool) -> ErpPayment:
    """A payment that a person entered."""
    return ErpPayment(
        erp_id=str(payment_id),
        customer_erp_id=str(line.customer or 0),
        number=line.number,
        amount=line.amount,
        unapplied=line.residual if stands else line.amount,
        received_on=line.on,
        lines=_paid(paid),
        stands=stands,
    )


def _paid(paid: Sequence[tuple[int, Money]]) -> tuple[ErpPaid, ...]:
    """One row for each invoice."""
    sums: dict[int, Money] = {}
    for invoice_id, amount in paid:
        sums[invoice_id] = sums.get(invoice_id, Money.zero(amount.currency)) + amount
    return tuple(ErpPaid(invoice_erp_id=str(each), amount=amount) for each, amount in sums.items())


def quote(row: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], *, customer: int) -> ErpQuote:
    """A quotation, or the order that it became."""
    currency, word = wire.named(row["currency_id"]) or "", str(row["state"])
    status = _QUOTES.get(word, QuoteStatus.UNKNOWN)
    if status is QuoteStatus.ACCEPTED and row["invoice_status"] == "invoiced":
        status = QuoteStatus.INVOICED
    return ErpQuote(
        erp_id=str(row["id"]),
        customer_erp_id=str(customer),
        number=str(row["name"]),
        total=wire.amount(row["amount_total"], currency),
        issued_on=wire.day(str(row["date_order"])[:10]),
        expires_on=wire.some_day(row["validity_date"]),
        status=status,
        status_word=word,
        lines=tuple(_offered(each, currency) for each in lines),
        deleted=word == "cancel",
    )


def _offered(row: Mapping[str, Any], currency: str) -> ErpLine:
    """A line of an offer: its tax is told as an amount, since a tax's field has another name in each version."""
    amount = wire.amount(row["price_subtotal"], currency)
    price = Fraction(str(row["price_unit"] or 0)) * 10 ** exponent(currency)
    return ErpLine(
        description=wire.text(row["name"]) or "",
        quantity=_plain(Fraction(str(row["product_uom_qty"] or 0))),
        unit_price=Money.of(wire.nearest(price), currency),
        amount=amount,
        tax_rate="",
        tax=wire.amount(row["price_total"], currency) - amount,
    )
