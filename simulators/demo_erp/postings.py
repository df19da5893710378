"""Documents written through the API: checked as an ERP checks, then written whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from simulators.demo_erp import books, receivables
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import ApplicationBody, PaymentBody, RefundBody, RefusalKnob, ReversalBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What this ERP is set to refuse beyond what is always wrong."""

    unique_references: bool = False
    closed_through: date | None = None
    refusals: tuple[RefusalKnob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document about to be entered."""

    kind: str
    customer_id: str
    currency: str
    amount: int
    dated_on: date
    author: str
    reference: str | None = None
    memo: str = ""
    method: str = ""
    about_id: str | None = None


def enter_document(connection: sqlite3.Connection, document: NewDocument, lines: Iterable[tuple[str, int]] = ()) -> str:
    """Write a document and its lines as evidence, applying nothing; answers its id."""
    document_id, number = books.next_document(connection, document.kind)
    connection.execute(
        "INSERT INTO documents (id, number, kind, customer_id, currency, amount, reference, dated_on, memo,"
        " method, author, about_id, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(document_id, number, document.kind, document.customer_id, document.currency, document.amount),
            *(
                document.reference,
                document.dated_on.isoformat(),
                document.memo,
                document.method,
                document.author,
            ),
            *(document.about_id, books.next_change(connection)),
        ),
    )
    connection.executemany(
        "INSERT INTO document_lines VALUES (?, ?, ?)",
        [(document_id, invoice, amount) for invoice, amount in lines],
    )
    return document_id


def move(connection: sqlite3.Connection, document_id: str, invoice_id: str, amount: int, *, on: date) -> None:
    """Put an amount of a document on an invoice (positive) or take it off (negative)."""
    standing = connection.execute(
        "SELECT amount FROM applications WHERE document_id = ? AND invoice_id = ?", (document_id, invoice_id)
    ).fetchone()
    net = amount + (0 if standing is None else standing["amount"])
    if net == 0:
        connection.execute("DELETE FROM applications WHERE document_id = ? AND invoice_id = ?", (document_id, invoice_id))
    else:
        connection.execute(
            "INSERT INTO applications VALUES (?, ?, ?, ?)"
            " ON CONFLICT (document_id, invoice_id) DO UPDATE SET amount = excluded.amount",
            (document_id, invoice_id, net, on.isoformat()),
        )
    books.touch_invoice(connection, invoice_id)


def stamp_document(connection: sqlite3.Connection, document_id: str) -> None:
    """Stamp a document as changed."""
    connection.execute("UPDATE documents SET change = ? WHERE id = ?", (books.next_change(connection), document_id))


def post_payment(connection: sqlite3.Connection, body: PaymentBody, rules: Rules) -> str:
    """Write a payment with its allocations; answers the document's id. Raises Refused."""
    lines = merged((line.invoice_id, line.amount) for line in body.lines)
    check_rules(connection, rules, body.external_reference, body.customer_id, body.received_on, lines)
    _check_customer(connection, body.customer_id)
    if sum(lines.values()) > body.amount:
        raise Refused("LINES_EXCEED_PAYMENT", "The lines come to more than the payment.")
    for invoice_id, amount in lines.items():
        check_takes(connection, invoice_id, amount, customer_id=body.customer_id, currency=body.currency)
    document = NewDocument(
        kind="Payment",
        customer_id=body.customer_id,
        currency=body.currency,
        amount=body.amount,
        dated_on=body.received_on,
        author="API",
        reference=body.external_reference,
        memo=body.memo,
        method=body.method,
    )
    document_id = enter_document(connection, document, lines.items())
    for invoice_id, amount in lines.items():
        move(connection, document_id, invoice_id, amount, on=body.received_on)
    return document_id


def post_reversal(connection: sqlite3.Connection, body: ReversalBody, rules: Rules) -> str:
    """Take a payment back, whole or in part; its invoices are open again. Raises Refused."""
    return take_off(connection, body, rules, kind="Reversal", on=body.reversed_on)


def take_off(connection: sqlite3.Connection, body: ReversalBody | RefundBody, rules: Rules, *, kind: str, on: date) -> str:
    """A document that takes money off a payment, its lines off their invoices. Raises Refused."""
    lines = merged((line.invoice_id, line.amount) for line in body.lines)
    check_rules(connection, rules, body.external_reference, body.customer_id, on, lines)
    which = body.document_id if isinstance(body, ReversalBody) else None
    payment = _standing_payment(connection, body.payment_reference, body.customer_id, body.currency, which)
    if body.amount > payment["amount"] - payment["reversed"]:
        raise Refused(f"{kind.upper()}_TOO_LARGE", f"{payment['number']} has less than that left to take back.")
    if kind == "Reversal" and not lines and body.amount == payment["amount"] - payment["reversed"]:
        lines = _standing_lines(connection, payment["id"])
    _check_comes_off(connection, payment, lines)
    if sum(lines.values()) > body.amount:
        raise Refused(f"LINES_EXCEED_{kind.upper()}", f"The lines come to more than the {kind.lower()}.")
    if body.amount - sum(lines.values()) > _unapplied(connection, payment):
        raise Refused("NOT_UNAPPLIED", f"{payment['number']} does not have that much unapplied money.")
    document = NewDocument(
        kind=kind,
        customer_id=body.customer_id,
        currency=body.currency,
        amount=body.amount,
        dated_on=on,
        author="API",
        reference=body.external_reference,
        memo=body.memo,
        about_id=payment["id"],
    )
    document_id = enter_document(connection, document, lines.items())
    for invoice_id, amount in lines.items():
        move(connection, payment["id"], invoice_id, -amount, on=on)
    # A payment that was paid back stands beside its refund; one that came back is as if it had not been.
    connection.execute(
        "UPDATE documents SET reversed = reversed + ?,"
        " state = CASE WHEN ? = 'Reversal' AND reversed + ? = amount THEN 'Reversed' ELSE state END WHERE id = ?",
        (body.amount, kind, body.amount, payment["id"]),
    )
    stamp_document(connection, payment["id"])
    return document_id


def post_application(connection: sqlite3.Connection, body: ApplicationBody, rules: Rules) -> str:
    """Move unapplied money of a payment, or of a credit, on invoices or off them. Raises Refused."""
    lines = merged((line.invoice_id, line.amount) for line in body.lines)
    check_rules(connection, rules, body.external_reference, body.customer_id, body.on, lines)
    if body.document_id is not None:
        payment = _standing_credit(connection, body.document_id, body.customer_id, body.currency)
    else:
        payment = _standing_payment(connection, body.payment_reference or "", body.customer_id, body.currency)
    _check_comes_off(connection, payment, {invoice: -amount for invoice, amount in lines.items() if amount < 0})
    if sum(lines.values()) > _unapplied(connection, payment):
        raise Refused("NOT_UNAPPLIED", f"{payment['number']} does not have that much unapplied money.")
    for invoice_id, amount in lines.items():
        if amount > 0:
            check_takes(connection, invoice_id, amount, customer_id=body.customer_id, currency=body.currency)
    document = NewDocument(
        kind="Application",
        customer_id=body.customer_id,
        currency=body.currency,
        amount=sum(lines.values()),
        dated_on=body.on,
        author="API",
        reference=body.external_reference,
        memo=body.memo,
        about_id=payment["id"],
    )
    document_id = enter_document(connection, document, lines.items())
    for invoice_id, amount in lines.items():
        if amount:
            move(connection, payment["id"], invoice_id, amount, on=body.on)
    stamp_document(connection, payment["id"])
    return document_id


def merged(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Each invoice once, with the sum of its lines."""
    merged: dict[str, int] = {}
    for invoice_id, amount in lines:
        merged[invoice_id] = merged.get(invoice_id, 0) + amount
    return merged


def check_rules(
    connection: sqlite3.Connection,
    rules: Rules,
    reference: str,
    customer_id: str,
    on: date,
    invoice_ids: Iterable[str],
) -> None:
    """What this ERP is set to refuse. Raises Refused."""
    for refusal in rules.refusals:
        if refusal.customer_id == customer_id or refusal.invoice_id in set(invoice_ids):
            raise Refused(refusal.code, refusal.message)
    if rules.closed_through is not None and on <= rules.closed_through:
        raise Refused("PERIOD_CLOSED", f"The books are closed up to {rules.closed_through.isoformat()}.")
    if rules.unique_references:
        known = connection.execute("SELECT number FROM documents WHERE reference = ?", (reference,)).fetchone()
        if known is not None:
            sentence = f"External reference {reference} is already on {known['number']}."
            raise Refused("DUPLICATE_REFERENCE", sentence, status=409)


def _check_customer(connection: sqlite3.Connection, customer_id: str) -> None:
    row = connection.execute("SELECT deleted FROM customers WHERE id = ?", (customer_id,)).fetchone()
    if row is None or row["deleted"]:
        raise Refused("CUSTOMER_NOT_FOUND", f"There is no customer {customer_id}.")


def check_takes(connection: sqlite3.Connection, invoice_id: str, amount: int, *, customer_id: str, currency: str) -> None:
    """An invoice takes only its open amount, from its customer or that customer's parent."""
    invoice = connection.execute("SELECT * FROM invoices WHERE id = ?", (invoice_id,)).fetchone()
    if invoice is None or invoice["deleted"]:
        raise Refused("INVOICE_NOT_FOUND", f"There is no invoice {invoice_id}.")
    owner = connection.execute("SELECT * FROM customers WHERE id = ?", (invoice["customer_id"],)).fetchone()
    if customer_id not in (owner["id"], owner["parent_id"]):
        raise Refused("OTHER_CUSTOMER", f"Invoice {invoice['number']} belongs to another customer.")
    if invoice["currency"] != currency:
        raise Refused("OTHER_CURRENCY", f"Invoice {invoice['number']} is in {invoice['currency']}.")
    if invoice["layout"] == "parent" or invoice["state"] not in receivables.TAKES_MONEY:
        raise Refused("INVOICE_NOT_OPEN", f"Invoice {invoice['number']} is {invoice['state']} and takes no payment.")
    left = invoice["total"] - receivables.settled_of(connection, invoice_id)
    if amount > left:
        raise Refused("OVER_APPLIED", f"Invoice {invoice['number']} has {left} open (minor units), less than {amount}.")


def _standing_payment(
    connection: sqlite3.Connection, reference: str, customer_id: str, currency: str, document_id: str | None = None
) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM documents WHERE reference = ? AND kind = 'Payment' AND state = 'Posted' AND id = coalesce(?, id)"
        " ORDER BY rowid",
        (reference, document_id),
    ).fetchone()
    if row is None:
        raise Refused("PAYMENT_NOT_FOUND", f"There is no standing payment with reference {reference}.")
    if row["customer_id"] != customer_id or row["currency"] != currency:
        raise Refused("PAYMENT_DIFFERS", f"{row['number']} is another customer's, or in another currency.")
    return row


def _standing_credit(connection: sqlite3.Connection, document_id: str, customer_id: str, currency: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM documents WHERE id = ? AND state = 'Posted'"
        " AND kind IN ('Payment', 'Credit note', 'Prepayment', 'Overpayment')",
        (document_id,),
    ).fetchone()
    if row is None:
        raise Refused("CREDIT_NOT_FOUND", f"There is no standing credit {document_id}.")
    if row["customer_id"] != customer_id or row["currency"] != currency:
        raise Refused("CREDIT_DIFFERS", f"{row['number']} is another customer's, or in another currency.")
    return row


def _standing_lines(connection: sqlite3.Connection, document_id: str) -> dict[str, int]:
    rows: Sequence[sqlite3.Row] = connection.execute(
        "SELECT invoice_id, amount FROM applications WHERE document_id = ?", (document_id,)
    ).fetchall()
    return {row["invoice_id"]: row["amount"] for row in rows}


def _unapplied(connection: sqlite3.Connection, payment: sqlite3.Row) -> int:
    return int(payment["amount"] - payment["reversed"] - sum(_standing_lines(connection, payment["id"]).values()))


def _check_comes_off(connection: sqlite3.Connection, payment: sqlite3.Row, lines: Mapping[str, int]) -> None:
    standing = _standing_lines(connection, payment["id"])
    for invoice_id, amount in lines.items():
        if amount > standing.get(invoice_id, 0):
            raise Refused("NOT_APPLIED", f"{payment['number']} does not have that much on invoice {invoice_id}.")
