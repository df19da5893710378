"""Tryton's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
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
    ErpSettlement,
    SettlementKind,
)
from connectors.erp.tryton import wire
from connectors.erp.tryton.documents import Invoice, MoveLine, in_currency
from connectors.erp.tryton.finding import Standing
from domain.ids import owner_of
from domain.money import Money, exponent, total

_STATUS: Final[Mapping[str, ErpInvoiceStatus]] = {
    "draft": ErpInvoiceStatus.DRAFT,
    "validated": ErpInvoiceStatus.DRAFT,
    "posted": ErpInvoiceStatus.OPEN,
    "paid": ErpInvoiceStatus.PAID,
}


def status(word: str, *, credited: bool) -> ErpInvoiceStatus:
    """Tryton's state, translated. A cancelled invoice was closed by a credit note, or is void; a state never heard before
    is UNKNOWN.
    """
    if word == "cancelled":
        return ErpInvoiceStatus.CLOSED if credited else ErpInvoiceStatus.VOID
    return _STATUS.get(word, ErpInvoiceStatus.UNKNOWN)


def customer(
    party: Mapping[str, Any],
    *,
    addresses: Sequence[Mapping[str, Any]],
    mails: Sequence[Mapping[str, Any]],
    currency: str,
    time_zone: str,
) -> ErpCustomer:
    """A party with its addresses and its e-mail addresses; the first of each is the main one."""
    countries = [each["country."]["code"] for each in addresses if each.get("country.")]
    return ErpCustomer(
        erp_id=str(party["id"]),
        number=party["code"] or str(party["id"]),
        name=party["name"] or party["code"] or "",
        currency=currency,
        email=mails[0]["value"] if mails else None,
        country=countries[0] if countries else None,
        time_zone=time_zone,
        contacts=tuple(
            ErpContact(erp_id=str(each["id"]), name=each["name"] or party["name"] or "", email=each["value"])
            for each in mails
        ),
        deleted=not party["active"],
    )


def invoice(found: Invoice, lines: Sequence[Mapping[str, Any]], rates: Mapping[int, str]) -> ErpInvoice:
    """An invoice with its lines and everything that settled it; `rates` are taxes' rates as text, by the taxes' ids."""
    row, currency = found.row, found.currency
    settlements = tuple(_settlement(found, each) for each in found.paying)
    settled = found.settled
    if found.state == "paid" and settled != found.total:
        # What closed it is not in the lines that we may read, such as a part of a reconciliation over several invoices.
        rest = found.total - settled
        settlements += (
            ErpSettlement(kind=SettlementKind.OTHER, document_number=row["number"], amount=rest, on=last_paid_on(found)),
        )
        settled = found.total
    address = row.get("invoice_address.") or {}
    return ErpInvoice(
        erp_id=str(found.id),
        customer_erp_id=str(found.party),
        number=row["number"],
        currency=currency,
        total=found.total,
        settled=settled,
        issued_on=row["invoice_date"],
        due_on=due_on(found),
        status=status(found.state, credited=bool(found.paying)),
        status_word=found.state,
        site=address.get("building_name") or address.get("party_name") or None,
        po_number=row["reference"] or None,
        terms=(row.get("payment_term.") or {}).get("name"),
        paid_on=last_paid_on(found) if found.state == "paid" else None,
        lines=_lines(lines, rates, currency, wire.amount(row["tax_amount"], currency)),
        settlements=settlements,
    )


def last_paid_on(found: Invoice) -> date:
    """The day of what settled it last. Tryton's own date is the day it was due, where it was paid before."""
    day: date = max((each.on for each in found.paying), default=found.row["invoice_date"])
    return day


def due_on(found: Invoice) -> date:
    """The first day on which something of it that is still open is due; of one that is closed, its last."""
    waiting = [each.due for each in found.to_pay if each.reconciliation is None and each.due is not None]
    due = [each.due for each in found.to_pay if each.due is not None]
    day: date = min(waiting, default=max(due, default=found.row["invoice_date"]))
    return day


def _settlement(found: Invoice, line: MoveLine) -> ErpSettlement:
    return ErpSettlement(
        kind=_settlement_kind(found, line),
        document_number=line.number,
        amount=in_currency(line, found.currency),
        on=line.on,
        reference=line.reference if line.reference is not None and owner_of(line.reference, "pay") is not None else None,
    )


def _settlement_kind(found: Invoice, line: MoveLine) -> SettlementKind:
    if line.is_ours and line.key is not None and line.key.startswith("invoice-"):
        return SettlementKind.CREDIT_NOTE
    if line.journal_kind == "write-off":
        return SettlementKind.WRITE_OFF
    origin = line.move_origin or ""
    # The client's own way of paying names the invoice that is paid; another invoice is a credit note.
    if origin.startswith("account.invoice,") and origin != f"account.invoice,{found.id}":
        return SettlementKind.CREDIT_NOTE
    return SettlementKind.PAYMENT


def _lines(
    rows: Sequence[Mapping[str, Any]], rates: Mapping[int, str], currency: str, tax_total: Money
) -> tuple[ErpLine, ...]:
    """Tryton rounds tax by rate over the whole invoice: what is left over is on the last line that is taxed."""
    found: list[tuple[Mapping[str, Any], Fraction, Money]] = []
    for row in rows:
        rate = sum((Fraction(rates[each]) for each in row["taxes"] if each in rates), start=Fraction(0))
        found.append((row, rate, wire.converted(wire.amount(row["amount"], currency), rate, currency)))
    taxed = [number for number, (_, rate, _) in enumerate(found) if rate]
    left = tax_total
    for *_, tax in found:
        left -= tax
    lines = []
    for number, (row, rate, tax) in enumerate(found):
        lines.append(
            ErpLine(
                description=row["description"] or "",
                quantity=_plain(Fraction(str(row["quantity"] or 0))),
                unit_price=_unit_price(row, currency),
                amount=wire.amount(row["amount"], currency),
                tax_rate=f"{_plain(rate * 100)} %",
                tax=tax + left if taxed and number == taxed[-1] else tax,
            )
        )
    return tuple(lines)


def _unit_price(row: Mapping[str, Any], currency: str) -> Money:
    """To the nearest minor unit: Tryton keeps prices with more decimals than money has."""
    return Money.of(wire.nearest(Fraction(row["unit_price"] or 0) * 10 ** exponent(currency)), currency)


def _plain(value: Fraction) -> str:
    """At most six decimals, and none that say nothing."""
    scaled = wire.nearest(abs(value) * 10**6)
    whole, part = divmod(scaled, 10**6)
    text = f"{whole}.{part:06}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and scaled else text


def credit_note(found: Invoice, numbers: Mapping[int, str], *, applied: Sequence[MoveLine]) -> ErpCredit:
    """A credit note; `applied` are the lines that stand on invoices for it, `numbers` those invoices' numbers."""
    return ErpCredit(
        erp_id=f"invoice-{found.id}",
        customer_erp_id=str(found.party),
        number=found.row["number"],
        kind=CreditKind.CREDIT_NOTE,
        issued_on=found.row["invoice_date"],
        total=-found.total,
        used=-found.total if found.state in {"paid", "cancelled"} else -found.settled,
        applications=_applied(applied, numbers, found.currency),
        origin=found.row["reference"] or None,
        deleted=found.state == "cancelled" and not found.paying,
    )


def payment_by_hand(
    line: MoveLine, numbers: Mapping[int, str], *, used: Money, applied: Sequence[MoveLine], is_cancelled: bool
) -> ErpCredit:
    """A payment that a person entered, or the part of one that was left over."""
    return ErpCredit(
        erp_id=f"line-{line.id}",
        customer_erp_id=str(line.party),
        number=line.number,
        kind=CreditKind.PAYMENT,
        issued_on=line.on,
        total=line.amount,
        used=used,
        applications=_applied(applied, numbers, line.amount.currency),
        origin=line.reference,
        deleted=is_cancelled,
    )


def _applied(lines: Sequence[MoveLine], numbers: Mapping[int, str], currency: str) -> tuple[ErpApplied, ...]:
    """One row for each invoice that something is left on."""
    sums: dict[int, Money] = {}
    last: dict[int, date] = {}
    for line in lines:
        if line.invoice is not None and line.invoice in numbers:
            sums[line.invoice] = sums.get(line.invoice, Money.zero(currency)) + in_currency(line, currency)
            last[line.invoice] = line.on
    return tuple(
        ErpApplied(invoice_number=numbers[each], amount=amount, on=last[each])
        for each, amount in sums.items()
        if amount.minor
    )


def payment(lines: Sequence[MoveLine], standing: Standing | None) -> ErpPayment:
    """A payment of ours, of the receivable lines that it was posted with and where its money is now; None once it is taken
    back.
    """
    first = lines[0]
    whole = total((each.amount for each in lines), currency=first.amount.currency)
    return ErpPayment(
        erp_id=str(first.move),
        customer_erp_id=str(first.party),
        number=first.number,
        amount=whole,
        unapplied=whole if standing is None else standing.pool,
        received_on=first.on,
        lines=() if standing is None else _paid(list(standing.onto.items())),
        reference=first.reference,
        stands=standing is not None,
    )


def payment_of_a_person(
    lines: Sequence[MoveLine], *, paid: Sequence[tuple[int, Money]], left: Money, author: str | None, stands: bool
) -> ErpPayment:
    """What a party brought in one move that a person entered, with what of it is on which invoice."""
    first = lines[0]
    whole = total((each.amount for each in lines), currency=first.amount.currency)
    return ErpPayment(
        erp_id=f"line-{first.id}",
        customer_erp_id=str(first.party),
        number=first.number,
        amount=whole,
        unapplied=left if stands else whole,
        received_on=first.on,
        lines=_paid(paid) if stands else (),
        author=author,
        stands=stands,
    )


def _paid(paid: Sequence[tuple[int, Money]]) -> tuple[ErpPaid, ...]:
    """One row for each invoice that something is left on."""
    sums: dict[int, Money] = {}
    for invoice_id, amount in paid:
        sums[invoice_id] = sums.get(invoice_id, Money.zero(amount.currency)) + amount
    return tuple(ErpPaid(invoice_erp_id=str(each), amount=amount) for each, amount in sums.items() if amount.minor)
