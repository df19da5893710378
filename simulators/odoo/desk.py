"""What people do in this Odoo, and what the tests count there. Amounts are text with a point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from simulators.odoo.ledger import Ledger
from simulators.odoo.records import Record


def customer(ledger: Ledger, *, name: str, parent: int | None = None) -> int:
    """A new customer, or a person at one."""
    made = ledger.records.make(
        "res.partner",
        name=name,
        email=f"office@{name.lower().replace(' ', '-')}.example",
        country_id=1,
        active=True,
        is_company=parent is None,
        parent_id=parent or False,
        customer_rank=1 if parent is None else 0,
        property_account_receivable_id=1,
    )
    return int(made["id"])


def invoice(
    ledger: Ledger,
    *,
    customer: int,
    total: str,
    currency: str,
    on: str,
    due: str,
    is_note: bool = False,
    behind_seconds: int = 0,
    number: str | None = None,
) -> int:
    """A posted invoice over one line, or a credit note; `behind_seconds` gives it an earlier time, as a long transaction."""
    amount = Decimal(total) if not is_note else -Decimal(total)
    code = ledger.currency(currency)
    rate: Decimal = ledger.records.get("res.currency", code)["rate"]
    home = round(amount / rate, 2)
    shared = {"partner_id": customer, "currency_id": code}
    sides = {"debit": max(home, Decimal(0)), "credit": max(-home, Decimal(0))}
    turned = {"debit": sides["credit"], "credit": sides["debit"]}
    lines: list[Mapping[str, Any]] = [
        {**shared, **sides, "account_id": 1, "amount_currency": amount, "date_maturity": due, "name": number or False},
        {
            **shared,
            **turned,
            "account_id": 3,
            "amount_currency": -amount,
            "name": "Consulting",
            "display_type": "product",
            "quantity": Decimal(1),
            "price_unit": abs(amount),
            "tax_ids": [],
        },
    ]
    values = {
        "partner_id": customer,
        "commercial_partner_id": customer,
        "partner_shipping_id": customer,
        "currency_id": code,
    }
    days = {"date": on, "invoice_date": on, "invoice_date_due": due, "journal_id": 3}
    made = ledger.enter({"move_type": "out_refund" if is_note else "out_invoice", **values, **days}, lines)
    locked, ledger.locked_until = ledger.locked_until, ""
    ledger.post(made)
    ledger.locked_until = locked
    if behind_seconds:
        _age(ledger, made, behind_seconds)
    return int(made["id"])


def _age(ledger: Ledger, move: Record, seconds: int) -> None:
    from datetime import datetime, timedelta

    for each in (move, *ledger.lines(move)):
        for name in ("create_date", "write_date"):
            moment = datetime.strptime(each[name], "%Y-%m-%d %H:%M:%S") - timedelta(seconds=seconds)  # noqa: DTZ007 - it is UTC
            each[name] = moment.strftime("%Y-%m-%d %H:%M:%S")


def pay(ledger: Ledger, *, invoice: int, amount: str, on: str, is_assigned: bool = True) -> int:
    """A person enters a payment of an invoice; answers its receivable line."""
    move = ledger.records.get("account.move", invoice)
    payment = ledger.pay(
        {
            "payment_type": "inbound",
            "partner_type": "customer",
            "partner_id": move["partner_id"],
            "journal_id": 4,
            "currency_id": move["currency_id"],
            "destination_account_id": 1,
            "amount": amount,
            "date": on,
            ledger.memo: "Bank transfer",
        }
    )
    ledger.post_payment(payment)
    line = ledger.owed(ledger.records.get("account.move", payment["move_id"]))[0]
    if is_assigned:
        ledger.assign(invoice, line["id"])
    return int(line["id"])


def quote(ledger: Ledger, *, customer: int, total: str, currency: str, on: str) -> int:
    """A quotation over one line and a remark, sent, good until the end of the year."""
    make, code = ledger.records.make, ledger.currency(currency)
    order = make(
        "sale.order",
        name=f"S{len(ledger.records.tables['sale.order']) + 1:05}",
        state="sent",
        invoice_status="no",
        partner_invoice_id=customer,
        currency_id=code,
        company_id=1,
        amount_total=Decimal(total),
        date_order=f"{on} 09:00:00",
        validity_date=f"{on[:4]}-12-31",
    )
    line = {"price_unit": Decimal(total), "price_subtotal": Decimal(total), "price_total": Decimal(total)}
    make("sale.order.line", order_id=order["id"], name="Consulting", product_uom_qty=Decimal(1), **line)
    make("sale.order.line", order_id=order["id"], name="With pleasure", display_type="line_note")
    return int(order["id"])


def decide(ledger: Ledger, *, quote: int, state: str) -> None:
    """A person confirms a quotation, or cancels it."""
    ledger.records.change("sale.order", ledger.records.get("sale.order", quote), state=state)


def remove_sales(ledger: Ledger) -> None:
    """An Odoo without Sales."""
    ledger.remove_sales()


def _payments(ledger: Ledger, reference: str) -> list[Record]:
    return [each for each in ledger.records.all("account.payment") if each[ledger.memo] == reference]


def cancel_payments(ledger: Ledger, *, reference: str) -> None:
    """A person takes our payment back to a draft and cancels it."""
    for each in _payments(ledger, reference):
        ledger.payment_to_draft(each)
        ledger.cancel_payment(each)


def match_payments(ledger: Ledger, *, reference: str) -> None:
    """A bank statement confirms our payment."""
    ledger.matched |= {each["id"] for each in _payments(ledger, reference)}


def move_payment(ledger: Ledger, *, reference: str, invoice: int) -> None:
    """A person takes our payment off its invoices and puts it on another."""
    for each in _payments(ledger, reference):
        line = ledger.owed(ledger.records.get("account.move", each["move_id"]))[0]
        for partial in ledger.records.all("account.partial.reconcile"):
            if partial["credit_move_id"] == line["id"]:
                ledger.unassign(invoice, partial["id"])
        ledger.assign(invoice, line["id"])


def count(ledger: Ledger, *, reference: str) -> int:
    """Documents with a reference: of payments as often as one part of them is there, and entries of their own."""
    parts = [each["payment_reference"] for each in _payments(ledger, reference)]
    entries = [
        each
        for each in ledger.records.all("account.move")
        if each["ref"] == reference and each["move_type"] == "entry" and not ledger.payment_of(each["id"])
    ]
    return max((parts.count(each) for each in parts), default=0) + len(entries)


def books(ledger: Ledger, *, reference: str = "", invoice: int = 0, customer: int = 0) -> dict[str, Any]:
    """What the ledger says: money received by a reference, what is open of an invoice, what a customer owes (EUR)."""
    received = sum(
        (
            each["amount"] if each["payment_type"] == "inbound" else -each["amount"]
            for each in _payments(ledger, reference)
            if each["move_id"] and ledger.records.get("account.move", each["move_id"])["state"] == "posted"
        ),
        start=Decimal(0),
    )
    move = ledger.records.tables["account.move"].get(invoice)
    left = sum((ledger.residual(each) for each in ledger.owed(move)), start=Decimal(0)) if move else Decimal(0)
    drafts = sum(each["state"] == "draft" for each in _payments(ledger, reference))
    return {
        "received": f"{received:.2f}",
        "open": f"{left:.2f}",
        "owed": f"{ledger.balance(customer or None):.2f}",
        "drafts": drafts,
        "payments": len(_payments(ledger, reference)),
    }


def refuse(ledger: Ledger, *, customer: int, sentence: str) -> None:
    """From now on every document of a customer is refused."""
    ledger.refused[customer] = sentence


def lock(ledger: Ledger, *, until: str) -> None:
    """The accountant locks everything up to a day; an empty one unlocks."""
    ledger.locked_until = until


def silence(ledger: Ledger, *, assignments: int) -> None:
    """The next assignments answer and do nothing (odoo#210860)."""
    ledger.silent_assignments = assignments


def say(ledger: Ledger, *, invoice: int, word: str = "", residual: str = "") -> None:
    """What an invoice tells of itself, whatever its ledger says."""
    if word:
        ledger.said[invoice] = word
    if residual:
        ledger.stale[invoice] = Decimal(residual)


def book_nothing(ledger: Ledger, *, only_when_posting: bool = False) -> None:
    """The journal's methods lose their outstanding account; or they show it, and it is gone when a payment is posted."""
    if only_when_posting:
        ledger.books_nothing = True
        return
    for each in ledger.records.all("account.payment.method.line"):
        ledger.records.change("account.payment.method.line", each, payment_account_id=False)


def draft_invoice(ledger: Ledger, *, invoice: int) -> None:
    """A person takes an invoice back to a draft."""
    ledger.to_draft(ledger.records.get("account.move", invoice))


def cancel_invoice(ledger: Ledger, *, invoice: int) -> None:
    """A person cancels an invoice."""
    move = ledger.records.get("account.move", invoice)
    ledger.to_draft(move)
    ledger.records.change("account.move", move, state="cancel")


def delete_invoice(ledger: Ledger, *, invoice: int) -> None:
    """A person deletes an invoice."""
    move = ledger.records.get("account.move", invoice)
    ledger.to_draft(move)
    ledger.remove(move)


def unassign(ledger: Ledger, *, invoice: int) -> None:
    """A person takes everything off an invoice."""
    mine = {each["id"] for each in ledger.owed(ledger.records.get("account.move", invoice))}
    for each in ledger.records.all("account.partial.reconcile"):
        if mine & {each["debit_move_id"], each["credit_move_id"]}:
            ledger.unassign(invoice, each["id"])


def changed(ledger: Ledger, *, invoice: int) -> str:
    """When an invoice was written last."""
    return str(ledger.records.get("account.move", invoice)["write_date"])


ACTS: Final[Mapping[str, Callable[..., Any]]] = {
    each.__name__: each
    for each in (
        *(customer, invoice, pay, cancel_payments, match_payments, move_payment, count, books, refuse, lock, silence, say),
        *(quote, decide, remove_sales, book_nothing, draft_invoice, cancel_invoice, delete_invoice, unassign, changed),
    )
}
