"""What a person does at the ERP's own desk, which nobody tells Duly about: for tests, and for a demo."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from simulators.demo_erp import books, ledger, postings, receivables, selling
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import ActBody

Act = Callable[[sqlite3.Connection, ActBody], str]


def perform(connection: sqlite3.Connection, body: ActBody) -> str:
    """Carry out an act; answers the id of what it touched or made. Raises Refused for what cannot be done."""
    act = ACTS.get(body.act)
    if act is None:
        raise Refused("UNKNOWN_ACT", f"There is no act {body.act!r}; there are: {', '.join(sorted(ACTS))}.")
    return act(connection, body)


def _invoice(connection: sqlite3.Connection, body: ActBody) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM invoices WHERE id = ?", (body.invoice_id,)).fetchone()
    if row is None:
        raise Refused("INVOICE_NOT_FOUND", f"There is no invoice {body.invoice_id}.")
    return row


def _payment(connection: sqlite3.Connection, body: ActBody) -> sqlite3.Row:
    """The oldest with that reference, or the one that is named by its id."""
    column, value = ("reference", body.reference) if body.document_id is None else ("id", body.document_id)
    row: sqlite3.Row | None = connection.execute(
        f"SELECT * FROM documents WHERE {column} = ? AND kind = 'Payment' AND state <> 'Deleted' ORDER BY rowid", (value,)
    ).fetchone()
    if row is None:
        raise Refused("PAYMENT_NOT_FOUND", f"There is no payment whose {column} is {value}.")
    return row


def _amount(body: ActBody) -> int:
    if body.amount is None:
        raise Refused("AMOUNT_MISSING", f"The act {body.act!r} needs an amount.")
    return body.amount


def _left(connection: sqlite3.Connection, invoice: sqlite3.Row) -> int:
    return int(invoice["total"]) - receivables.settled_of(connection, invoice["id"])


def _book(connection: sqlite3.Connection, body: ActBody, kind: str, amount: int) -> str:
    """Enter a person's document, all of it on the invoice; unlike the API, a person may overdo it."""
    invoice = _invoice(connection, body)
    on = body.on or date.fromisoformat(invoice["due_on"])
    document = postings.NewDocument(
        kind=kind,
        customer_id=invoice["customer_id"],
        currency=invoice["currency"],
        amount=amount,
        dated_on=on,
        author="A person",
        reference=body.reference,
        memo="Entered by hand",
    )
    document_id = postings.enter_document(connection, document, [(invoice["id"], amount)])
    postings.move(connection, document_id, invoice["id"], amount, on=on)
    return document_id


def _pay_by_hand(connection: sqlite3.Connection, body: ActBody) -> str:
    amount = body.amount if body.amount is not None else _left(connection, _invoice(connection, body))
    return _book(connection, body, "Payment", amount)


def _credit(connection: sqlite3.Connection, body: ActBody) -> str:
    return _book(connection, body, "Credit note", _amount(body))


def _edit_payment(connection: sqlite3.Connection, body: ActBody) -> str:
    """Let our payment stand on the invoice with another amount; its own amount moves along."""
    payment, invoice, wanted = _payment(connection, body), _invoice(connection, body), _amount(body)
    standing = connection.execute(
        "SELECT amount FROM applications WHERE document_id = ? AND invoice_id = ?",
        (payment["id"], invoice["id"]),
    ).fetchone()
    difference = wanted - (0 if standing is None else standing["amount"])
    postings.move(connection, payment["id"], invoice["id"], difference, on=date.fromisoformat(payment["dated_on"]))
    connection.execute("UPDATE documents SET amount = amount + ? WHERE id = ?", (difference, payment["id"]))
    postings.stamp_document(connection, payment["id"])
    return str(payment["id"])


def _delete_payment(connection: sqlite3.Connection, body: ActBody) -> str:
    payment = _payment(connection, body)
    _take_off(connection, payment["id"])
    connection.execute("UPDATE documents SET state = 'Deleted' WHERE id = ?", (payment["id"],))
    postings.stamp_document(connection, payment["id"])
    return str(payment["id"])


def _erase_payment(connection: sqlite3.Connection, body: ActBody) -> str:
    """Gone without a trace, as after a backup was put back: no list tells of it, only its invoices have changed."""
    payment = _payment(connection, body)
    _take_off(connection, payment["id"])
    connection.execute("DELETE FROM documents WHERE id = ?", (payment["id"],))
    return str(payment["id"])


def _take_off(connection: sqlite3.Connection, document_id: str) -> None:
    """A document is on no invoice any more."""
    rows = connection.execute("DELETE FROM applications WHERE document_id = ? RETURNING invoice_id", (document_id,))
    for row in rows.fetchall():
        books.touch_invoice(connection, row["invoice_id"])


def _apply_credit(connection: sqlite3.Connection, body: ActBody) -> str:
    """A person puts a credit on an invoice; unlike the API, a person may overdo it."""
    invoice = _invoice(connection, body)
    postings.move(connection, _credit_document(connection, body), invoice["id"], _amount(body), on=_today(body, invoice))
    postings.stamp_document(connection, body.document_id or "")
    return str(invoice["id"])


def _delete_credit(connection: sqlite3.Connection, body: ActBody) -> str:
    document_id = _credit_document(connection, body)
    _take_off(connection, document_id)
    connection.execute("UPDATE documents SET state = 'Deleted' WHERE id = ?", (document_id,))
    postings.stamp_document(connection, document_id)
    return document_id


def _credit_document(connection: sqlite3.Connection, body: ActBody) -> str:
    row = connection.execute("SELECT id FROM documents WHERE id = ? AND state <> 'Deleted'", (body.document_id,)).fetchone()
    if row is None:
        raise Refused("CREDIT_NOT_FOUND", f"There is no credit {body.document_id}.")
    return str(row["id"])


def _today(body: ActBody, invoice: sqlite3.Row) -> date:
    return body.on or date.fromisoformat(invoice["due_on"])


def _change_total(connection: sqlite3.Connection, body: ActBody) -> str:
    return _update_invoice(connection, body, "total", _amount(body))


def _change_unseen(connection: sqlite3.Connection, body: ActBody) -> str:
    """Another total that the list of changes does not tell: a tool wrote past the change number."""
    invoice = _invoice(connection, body)
    connection.execute("UPDATE invoices SET total = ? WHERE id = ?", (_amount(body), invoice["id"]))
    return str(invoice["id"])


def _write_off(connection: sqlite3.Connection, body: ActBody) -> str:
    return _settle_and_set(connection, body, kind="Write-off", state="Bad debt")


def _close(connection: sqlite3.Connection, body: ActBody) -> str:
    return _settle_and_set(connection, body, kind="Adjustment", state="Closed")


def _settle_and_set(connection: sqlite3.Connection, body: ActBody, *, kind: str, state: str) -> str:
    left = _left(connection, _invoice(connection, body))
    if left > 0:
        _book(connection, body, kind, left)
    return _update_invoice(connection, body, "state", state)


def _set_state(state: str) -> Act:
    def act(connection: sqlite3.Connection, body: ActBody) -> str:
        return _update_invoice(connection, body, "state", state)

    return act


def _set_any_state(connection: sqlite3.Connection, body: ActBody) -> str:
    if not body.state:
        raise Refused("STATE_MISSING", "The act 'set_state' needs a state.")
    return _update_invoice(connection, body, "state", body.state)


def _set_paused(paused: int) -> Act:
    def act(connection: sqlite3.Connection, body: ActBody) -> str:
        if body.invoice_id is not None:
            return _update_invoice(connection, body, "paused", paused)
        return _update_customer(connection, body, "paused", paused)

    return act


def _delete_invoice(connection: sqlite3.Connection, body: ActBody) -> str:
    return _update_invoice(connection, body, "deleted", 1)


def _delete_customer(connection: sqlite3.Connection, body: ActBody) -> str:
    return _update_customer(connection, body, "deleted", 1)


def _update_invoice(connection: sqlite3.Connection, body: ActBody, column: str, value: object) -> str:
    invoice = _invoice(connection, body)
    connection.execute(f"UPDATE invoices SET {column} = ? WHERE id = ?", (value, invoice["id"]))
    books.touch_invoice(connection, invoice["id"])
    return str(invoice["id"])


def _update_customer(connection: sqlite3.Connection, body: ActBody, column: str, value: object) -> str:
    changed = connection.execute(
        f"UPDATE customers SET {column} = ? WHERE id = ? RETURNING id", (value, body.customer_id)
    ).fetchone()
    if changed is None:
        raise Refused("CUSTOMER_NOT_FOUND", f"There is no customer {body.customer_id}.")
    books.touch_customer(connection, changed["id"])
    return str(changed["id"])


ACTS: Final[Mapping[str, Act]] = {
    "pay_by_hand": _pay_by_hand,  # invoice_id, amount (all that is left when absent)
    "credit": _credit,  # invoice_id, amount
    "apply_credit": _apply_credit,  # document_id, invoice_id, amount
    "delete_credit": _delete_credit,  # document_id
    "edit_payment": _edit_payment,  # reference, invoice_id, amount
    "delete_payment": _delete_payment,  # reference or document_id
    "erase_payment": _erase_payment,  # the same
    "change_total": _change_total,  # invoice_id, amount
    "change_unseen": _change_unseen,  # invoice_id, amount
    "issue": _set_state("Posted"),  # invoice_id
    "void": _set_state("Voided"),
    "dispute": _set_state("Disputed"),
    "resolve": _set_state("Posted"),
    "put_in_instalments": _set_state("Instalment plan"),
    "write_off": _write_off,
    "close": _close,
    "set_state": _set_any_state,  # invoice_id, state: any word
    "pause": _set_paused(1),  # invoice_id or customer_id
    "resume": _set_paused(0),
    "delete_invoice": _delete_invoice,
    "delete_customer": _delete_customer,  # customer_id
    "book_on_receivables": ledger.book_by_hand,  # amount, currency
    **selling.ACTS,
}
