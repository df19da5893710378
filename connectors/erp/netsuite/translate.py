"""NetSuite's words and shapes, to the port's values; raises KeyError, TypeError, ValueError on what is malformed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from connectors.erp.netsuite import references, wire
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
from domain.ids import is_our_reference, owner_of
from domain.money import Money

# Estimate:A to Estimate:X in a saved search. One that became an order or an invoice is processed; closed is given up.
_ESTIMATES: Final[Mapping[str, tuple[QuoteStatus, str]]] = {
    "A": (QuoteStatus.OPEN, "Open"),
    "B": (QuoteStatus.ACCEPTED, "Processed"),
    "C": (QuoteStatus.DECLINED, "Closed"),
    "X": (QuoteStatus.EXPIRED, "Expired"),
}


def customer(row: wire.Wire, *, time_zone: str) -> ErpCustomer:
    """A customer with its parent."""
    mail = row.get("email") or None
    name = str(row.get("altname") or row.get("companyname") or row["entityid"])
    return ErpCustomer(
        erp_id=str(row["id"]),
        number=str(row["entityid"]),
        name=name,
        currency=str(row["symbol"]),
        email=mail,
        country=None,
        time_zone=time_zone,
        parent_erp_id=str(row["parent"]) if row.get("parent") else None,
        contacts=(ErpContact(erp_id=str(row["id"]), name=name, email=mail),) if mail else (),
        deleted=row.get("isinactive") == "T",
    )


def invoice(rows: Sequence[wire.Wire], lines: Iterable[wire.Wire]) -> ErpInvoice:
    """An invoice of its rows, one for each document that settles it (or one without any): all of one answer."""
    row = rows[0]
    currency = str(row["symbol"])
    total = wire.amount(row.get("foreigntotal"), currency)
    settled = total - wire.amount(row.get("unpaid"), currency)
    settlements = tuple(_settlement(each, currency) for each in rows if each.get("nextdoc"))
    rest = settled - Money.of(sum(each.amount.minor for each in settlements), currency)
    on = date.fromisoformat(row["trandate"])
    if rest.minor > 0:
        settlements += (ErpSettlement(kind=SettlementKind.OTHER, document_number=str(row["tranid"]), amount=rest, on=on),)
    elif rest.minor < 0:
        # What is written as open is late: what its documents say is what was paid.
        settled = settled - rest
    is_void = row.get("voided") == "T"
    status = ErpInvoiceStatus.VOID if is_void else ErpInvoiceStatus.PAID if settled == total else ErpInvoiceStatus.OPEN
    return ErpInvoice(
        erp_id=str(row["id"]),
        customer_erp_id=str(row["entity"]),
        number=str(row.get("tranid") or row["id"]),
        currency=currency,
        total=total,
        settled=settled,
        issued_on=on,
        due_on=date.fromisoformat(row.get("duedate") or row["trandate"]),
        status=status,
        status_word=str(row.get("status") or ""),
        po_number=row.get("otherrefnum") or None,
        paid_on=max((each.on for each in settlements), default=None) if status is ErpInvoiceStatus.PAID else None,
        lines=tuple(_line(each, currency) for each in lines),
        settlements=settlements,
    )


def forgotten_invoice(erp_id: str, on: date) -> ErpInvoice:
    """An invoice that is gone: NetSuite says its id and nothing else."""
    nothing = Money.zero("USD")
    return ErpInvoice(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        currency="USD",
        total=nothing,
        settled=nothing,
        issued_on=on,
        due_on=on,
        status=ErpInvoiceStatus.VOID,
        status_word="Deleted",
        deleted=True,
    )


def _settlement(row: wire.Wire, currency: str) -> ErpSettlement:
    external = str(row.get("pexternal") or "")
    return ErpSettlement(
        kind=SettlementKind.CREDIT_NOTE if row["ptype"] == "CustCred" else SettlementKind.PAYMENT,
        document_number=str(row.get("ptranid") or row["nextdoc"]),
        amount=wire.amount(row["applied"], currency),
        on=date.fromisoformat(row["pdate"]),
        reference=external if owner_of(external, "pay") is not None else None,
    )


def _line(row: wire.Wire, currency: str) -> ErpLine:
    """What was sold is negative in the ledger's lines; tax has lines of its own, for the whole document."""
    amount = -wire.amount(row.get("foreignamount"), currency)
    quantity = str(row.get("quantity") or "-1").removeprefix("-")
    return ErpLine(
        description=str(row.get("memo") or ""),
        quantity=quantity,
        unit_price=wire.amount(row["rate"], currency) if row.get("rate") else amount,
        amount=amount,
        tax_rate="",
        tax=Money.zero(currency),
    )


def credit(rows: Sequence[wire.Wire]) -> ErpCredit:
    """A credit memo or a payment by hand, of its rows: one for each invoice that it is on."""
    row = rows[0]
    currency = str(row["symbol"])
    total = _whole(row, currency)
    kind = "payment" if row["type"] == "CustPymt" else "memo"
    return ErpCredit(
        erp_id=f"{kind}-{row['id']}",
        customer_erp_id=str(row["entity"]),
        number=str(row.get("tranid") or row["id"]),
        kind=CreditKind.PAYMENT if kind == "payment" else CreditKind.CREDIT_NOTE,
        issued_on=date.fromisoformat(row["trandate"]),
        total=total,
        used=total - wire.amount(row.get("unused"), currency),
        applications=tuple(
            ErpApplied(
                invoice_number=str(each["itranid"]),
                amount=wire.amount(each["applied"], currency),
                on=date.fromisoformat(row["trandate"]),
            )
            for each in rows
            if each.get("previousdoc") and each.get("itype") == "CustInvc"
        ),
        origin=references.note_of(row.get("memo")).split("\n", 1)[0] or None,
        deleted=row.get("voided") == "T",
    )


def forgotten_credit(erp_id: str, kind: CreditKind, on: date) -> ErpCredit:
    """A credit that is gone."""
    nothing = Money.zero("USD")
    return ErpCredit(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        kind=kind,
        issued_on=on,
        total=nothing,
        used=nothing,
        deleted=True,
    )


def payment(rows: Sequence[wire.Wire]) -> ErpPayment:
    """A payment document. One of which nothing is left was taken back: its journal entry has it all."""
    row = rows[0]
    currency = str(row["symbol"])
    total, unused = _whole(row, currency), wire.amount(row.get("unused"), currency)
    lines = tuple(
        ErpPaid(invoice_erp_id=str(each["previousdoc"]), amount=wire.amount(each["applied"], currency))
        for each in rows
        if each.get("previousdoc") and each.get("itype") == "CustInvc"
    )
    is_left = bool(lines) or bool(unused.minor) or not total.minor
    external = str(row.get("externalid") or "")
    return ErpPayment(
        erp_id=f"payment-{row['id']}",
        customer_erp_id=str(row["entity"]),
        number=str(row.get("tranid") or row["id"]),
        amount=total,
        unapplied=unused,
        received_on=date.fromisoformat(row["trandate"]),
        lines=lines,
        reference=external if is_our_reference(external) else None,
        author=str(row["createdby"]) if row.get("createdby") else None,
        stands=row.get("voided") != "T" and is_left,
    )


def forgotten_payment(erp_id: str, on: date) -> ErpPayment:
    """A payment that is gone."""
    nothing = Money.zero("USD")
    return ErpPayment(
        erp_id=f"payment-{erp_id}",
        customer_erp_id="",
        number=erp_id,
        amount=nothing,
        unapplied=nothing,
        received_on=on,
        stands=False,
    )


def quote(row: wire.Wire, lines: Iterable[wire.Wire]) -> ErpQuote:
    """An estimate; the day that it is good for is where an invoice has its due day."""
    currency, code = str(row["symbol"]), str(row.get("status") or "")
    status, word = _ESTIMATES.get(code, (QuoteStatus.UNKNOWN, code or "Unknown"))
    return ErpQuote(
        erp_id=str(row["id"]),
        customer_erp_id=str(row["entity"]),
        number=str(row.get("tranid") or row["id"]),
        total=_whole(row, currency),
        issued_on=date.fromisoformat(row["trandate"]),
        expires_on=date.fromisoformat(row["duedate"]) if row.get("duedate") else None,
        status=status,
        status_word=word,
        lines=tuple(_line(each, currency) for each in lines),
        deleted=row.get("voided") == "T",
    )


def forgotten_quote(erp_id: str, on: date) -> ErpQuote:
    """An estimate that is gone: NetSuite says its id and nothing else."""
    return ErpQuote(
        erp_id=erp_id,
        customer_erp_id="",
        number=erp_id,
        total=Money.zero("USD"),
        issued_on=on,
        expires_on=None,
        status=QuoteStatus.UNKNOWN,
        status_word="Deleted",
        deleted=True,
    )


def grouped(rows: Iterable[wire.Wire]) -> Mapping[str, list[wire.Wire]]:
    """Rows of one document together."""
    found: dict[str, list[wire.Wire]] = {}
    for row in rows:
        found.setdefault(str(row["id"]), []).append(row)
    return found


def _whole(row: wire.Wire, currency: str) -> Money:
    """A payment's and a memo's total are negative in the ledger's view."""
    total = wire.amount(row.get("foreigntotal"), currency)
    return -total if total.minor < 0 else total
