"""QuickBooks's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from connectors.erp.quickbooks import wire
from connectors.erp.quickbooks.documents import MEMO, Invoice, Payment, currency_of
from domain.ids import owner_of
from domain.money import Money

_QUOTES: Final[Mapping[str, QuoteStatus]] = {
    "Pending": QuoteStatus.OPEN,
    "Accepted": QuoteStatus.ACCEPTED,
    "Rejected": QuoteStatus.DECLINED,
    "Closed": QuoteStatus.INVOICED,
    "Converted": QuoteStatus.INVOICED,
}
_SOLD: Final = "SalesItemLineDetail"


def customer(row: wire.Wire, *, home: str, time_zone: str) -> ErpCustomer:
    """A customer, or a sub-customer (a job) with its parent."""
    mail = _in(row, "PrimaryEmailAddr", "Address")
    country = str(_in(row, "BillAddr", "Country") or "")
    person = " ".join(filter(None, (row.get("GivenName"), row.get("FamilyName"))))
    return ErpCustomer(
        erp_id=str(row["Id"]),
        number=str(row["Id"]),
        name=str(row.get("DisplayName") or row.get("CompanyName") or row["Id"]),
        currency=currency_of(row, home),
        email=mail,
        country=country if len(country) == 2 and country.isupper() else None,
        time_zone=time_zone,
        parent_erp_id=_in(row, "ParentRef", "value"),
        contacts=(ErpContact(erp_id=str(row["Id"]), name=person or str(row.get("DisplayName") or mail), email=mail),)
        if mail
        else (),
        deleted=not row.get("Active", True),
    )


def invoice(
    found: Invoice, *, payer: str, site: str | None, memo_numbers: Mapping[str, str], terms: Mapping[str, str]
) -> ErpInvoice:
    """An invoice with its lines and everything that settles it. `payer` is who is billed, `site` the job that it is for."""
    row, currency = found.row, found.currency
    settlements = tuple(_settlements(found, memo_numbers))
    listed = sum(each.amount.minor for each in settlements)
    if listed < found.settled.minor:
        # A deposit that was taken when the invoice was written has no link.
        rest = found.settled - Money.of(listed, currency)
        number = str(row.get("DocNumber") or found.id)
        on = date.fromisoformat(row["TxnDate"])
        settlements += (ErpSettlement(kind=SettlementKind.OTHER, document_number=number, amount=rest, on=on),)
    is_void = str(row.get("PrivateNote") or "").startswith("Voided") and not found.total.minor
    is_paid = not found.open.minor
    status = ErpInvoiceStatus.VOID if is_void else ErpInvoiceStatus.PAID if is_paid else ErpInvoiceStatus.OPEN
    return ErpInvoice(
        erp_id=found.id,
        customer_erp_id=payer,
        number=str(row.get("DocNumber") or found.id),
        currency=currency,
        total=found.total,
        settled=found.settled,
        issued_on=date.fromisoformat(row["TxnDate"]),
        due_on=date.fromisoformat(row.get("DueDate") or row["TxnDate"]),
        status=status,
        status_word={ErpInvoiceStatus.VOID: "Voided", ErpInvoiceStatus.PAID: "Paid"}.get(status, "Open"),
        site=site,
        terms=terms.get(str(_in(row, "SalesTermRef", "value"))),
        paid_on=max((each.on for each in settlements), default=None) if status is ErpInvoiceStatus.PAID else None,
        lines=tuple(_lines(row, currency)),
        discount=_discount(row, currency),
        settlements=settlements,
        contact_email=_in(row, "BillEmail", "Address"),
    )


def deleted_invoice(erp_id: str, home: str, on: date) -> ErpInvoice:
    """An invoice that is gone: QuickBooks says its id and nothing else."""
    nothing = Money.zero(home)
    return ErpInvoice(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        currency=home,
        total=nothing,
        settled=nothing,
        issued_on=on,
        due_on=on,
        status=ErpInvoiceStatus.VOID,
        status_word="Deleted",
        deleted=True,
    )


def _settlements(found: Invoice, memo_numbers: Mapping[str, str]) -> Iterator[ErpSettlement]:
    for payment in found.paying:
        memos = [link.id for link in payment.links if link.kind == MEMO]
        is_credit = bool(memos) and not payment.total.minor
        number = memo_numbers.get(memos[0]) if is_credit else payment.row.get("PaymentRefNum")
        reference = payment.reference
        yield ErpSettlement(
            kind=SettlementKind.CREDIT_NOTE if is_credit else SettlementKind.PAYMENT,
            document_number=str(number or payment.id),
            amount=payment.onto()[found.id],
            on=payment.on,
            reference=reference if reference is not None and owner_of(reference, "pay") is not None else None,
        )


def _lines(row: wire.Wire, currency: str) -> Iterator[ErpLine]:
    """What was sold. Tax is told for the whole document: it lies on the last line that is taxed."""
    sold = [each for each in row.get("Line", ()) if each.get("DetailType") == _SOLD]
    tax = wire.amount(_in(row, "TxnTaxDetail", "TotalTax"), currency)
    taxed = [at for at, each in enumerate(sold) if _in(each, _SOLD, "TaxCodeRef", "value") not in {None, "NON"}]
    for at, each in enumerate(sold):
        detail = each[_SOLD]
        amount = wire.amount(each.get("Amount"), currency)
        is_last = at == (taxed[-1] if taxed else len(sold) - 1)
        yield ErpLine(
            description=str(each.get("Description") or _in(detail, "ItemRef", "name") or ""),
            quantity=str(detail.get("Qty") or 1),
            unit_price=wire.price(detail["UnitPrice"], currency) if "UnitPrice" in detail else amount,
            amount=amount,
            tax_rate=_rate(row) if at in taxed else "0 %",
            tax=tax if is_last else Money.zero(currency),
        )


def _rate(row: wire.Wire) -> str:
    rates = {
        str(percent)
        for line in _in(row, "TxnTaxDetail", "TaxLine") or ()
        if (percent := _in(line, "TaxLineDetail", "TaxPercent")) is not None
    }
    return f"{rates.pop()} %" if len(rates) == 1 else ""


def _discount(row: wire.Wire, currency: str) -> Money | None:
    for each in row.get("Line", ()):
        if each.get("DetailType") == "DiscountLineDetail":
            return wire.amount(each.get("Amount"), currency)
    return None


def memo(row: wire.Wire, payments: Mapping[str, Payment], numbers: Mapping[str, str], home: str) -> ErpCredit:
    """A credit memo; `payments` are those that it is linked with, `numbers` those of invoices."""
    currency = currency_of(row, home)
    total = wire.amount(row.get("TotalAmt"), currency)
    applied = [
        ErpApplied(invoice_number=numbers.get(invoice, invoice), amount=amount, on=payment.on)
        for payment in payments.values()
        if {link.id for link in payment.links if link.kind == MEMO} == {str(row["Id"])} and not payment.total.minor
        for invoice, amount in payment.onto().items()
    ]
    note = str(row.get("PrivateNote") or "")
    return ErpCredit(
        erp_id=f"memo-{row['Id']}",
        customer_erp_id=str(row["CustomerRef"]["value"]),
        number=str(row.get("DocNumber") or row["Id"]),
        kind=CreditKind.CREDIT_NOTE,
        issued_on=date.fromisoformat(row["TxnDate"]),
        total=total,
        used=total - wire.amount(row.get("RemainingCredit", row.get("Balance")), currency),
        applications=tuple(applied),
        origin=_in(row, "CustomerMemo", "value"),
        deleted=note.startswith("Voided") and not total.minor,
    )


def deleted_credit(erp_id: str, home: str, on: date) -> ErpCredit:
    """A credit memo or a payment that is gone, ours among them: QuickBooks says its id and nothing else."""
    nothing = Money.zero(home)
    return ErpCredit(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        kind=CreditKind.CREDIT_NOTE if erp_id.startswith("memo-") else CreditKind.PAYMENT,
        issued_on=on,
        total=nothing,
        used=nothing,
        deleted=True,
    )


def payment_by_hand(found: Payment, numbers: Mapping[str, str]) -> ErpCredit:
    """A payment that a person entered."""
    return ErpCredit(
        erp_id=f"payment-{found.id}",
        customer_erp_id=found.customer,
        number=str(found.row.get("PaymentRefNum") or found.id),
        kind=CreditKind.PAYMENT,
        issued_on=found.on,
        total=found.total,
        used=found.total - found.unapplied,
        applications=tuple(
            ErpApplied(invoice_number=numbers.get(each, each), amount=amount, on=found.on)
            for each, amount in found.onto().items()
        ),
        origin=found.note.split("\n", 1)[0] or None,
        deleted=not found.stands,
    )


def payment(found: Payment) -> ErpPayment:
    """A payment document. Who entered it QuickBooks does not say. One of which nothing is left was taken back: its journal
    entry has it all.
    """
    lies = found.onto()
    is_left = bool(lies) or bool(found.unapplied.minor) or not found.total.minor
    return ErpPayment(
        erp_id=f"payment-{found.id}",
        customer_erp_id=found.customer,
        number=str(found.row.get("PaymentRefNum") or found.id),
        amount=found.total,
        unapplied=found.unapplied,
        received_on=found.on,
        lines=tuple(ErpPaid(invoice_erp_id=each, amount=amount) for each, amount in lies.items()),
        reference=found.reference,
        stands=found.stands and is_left,
    )


def quote(row: wire.Wire, home: str) -> ErpQuote:
    """An estimate."""
    currency, word = currency_of(row, home), str(row.get("TxnStatus") or "Pending")
    return ErpQuote(
        erp_id=str(row["Id"]),
        customer_erp_id=str(row["CustomerRef"]["value"]),
        number=str(row.get("DocNumber") or row["Id"]),
        total=wire.amount(row.get("TotalAmt"), currency),
        issued_on=date.fromisoformat(row["TxnDate"]),
        expires_on=date.fromisoformat(row["ExpirationDate"]) if row.get("ExpirationDate") else None,
        status=_QUOTES.get(word, QuoteStatus.UNKNOWN),
        status_word=word,
        lines=tuple(_lines(row, currency)),
    )


def deleted_quote(erp_id: str, home: str, on: date) -> ErpQuote:
    """An estimate that is gone: QuickBooks says its id and nothing else."""
    return ErpQuote(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        total=Money.zero(home),
        issued_on=on,
        expires_on=None,
        status=QuoteStatus.UNKNOWN,
        status_word="Deleted",
        deleted=True,
    )


def recurring(row: wire.Wire, home: str) -> ErpRecurring:
    """A template of invoices: its own object holds how often."""
    told = row["RecurringInfo"]
    schedule = told.get("ScheduleInfo", {})
    every, unit = int(schedule.get("NumInterval") or 1), str(schedule.get("IntervalType") or "")
    left = schedule.get("MaxOccurrences")
    return ErpRecurring(
        erp_id=str(row["Id"]),
        customer_erp_id=str(row["CustomerRef"]["value"]),
        title=str(told.get("Name") or row["Id"]),
        frequency=unit if every == 1 else f"every {every}, {unit}",
        starts_on=_day(schedule.get("StartDate")),
        next_on=_day(schedule.get("NextDate")),
        remaining=int(left) if left is not None else None,
        amount=wire.amount(row.get("TotalAmt"), currency_of(row, home)),
        active=bool(told.get("Active", True)),
    )


def open_of(row: wire.Wire, home: str) -> Money:
    """What is left to pay of an invoice, by its balance."""
    return wire.amount(row.get("Balance"), currency_of(row, home))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _in(row: Mapping[str, Any], *names: str) -> Any:
    """What lies there by these names; None where any of them is missing."""
    found: Any = row
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found or None
