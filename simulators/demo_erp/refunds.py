"""Refunds, and refunds that came back: what goes off a payment and on it again."""

from __future__ import annotations

import sqlite3

from simulators.demo_erp import postings
from simulators.demo_erp.postings import NewDocument, Rules
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import RefundBody, RefundReversalBody


def post_refund(connection: sqlite3.Connection, body: RefundBody, rules: Rules) -> str:
    """Write that a part of a payment went back to its customer; its invoices are open again. Raises Refused."""
    return postings.take_off(connection, body, rules, kind="Refund", on=body.refunded_on)


def post_refund_reversal(connection: sqlite3.Connection, body: RefundReversalBody, rules: Rules) -> str:
    """Write that a refund came back: its payment has the money again, as far as told on invoices. Raises Refused."""
    lines = postings.merged((line.invoice_id, line.amount) for line in body.lines)
    postings.check_rules(connection, rules, body.external_reference, body.customer_id, body.reversed_on, lines)
    refund = connection.execute(
        "SELECT * FROM documents WHERE reference = ? AND kind = 'Refund' AND state = 'Posted' ORDER BY rowid",
        (body.refund_reference,),
    ).fetchone()
    if refund is None or refund["customer_id"] != body.customer_id or refund["amount"] != body.amount:
        raise Refused("REFUND_NOT_FOUND", f"There is no standing refund of that amount with {body.refund_reference}.")
    if sum(lines.values()) > body.amount:
        raise Refused("LINES_EXCEED_REFUND", "The lines come to more than the refund.")
    for invoice_id, amount in lines.items():
        postings.check_takes(connection, invoice_id, amount, customer_id=body.customer_id, currency=body.currency)
    document = NewDocument(
        kind="Refund reversal",
        customer_id=body.customer_id,
        currency=body.currency,
        amount=body.amount,
        dated_on=body.reversed_on,
        author="API",
        reference=body.external_reference,
        memo=body.memo,
        about_id=refund["id"],
    )
    document_id = postings.enter_document(connection, document, lines.items())
    connection.execute("UPDATE documents SET state = 'Reversed' WHERE id = ?", (refund["id"],))
    connection.execute(
        "UPDATE documents SET reversed = reversed - ?, state = 'Posted' WHERE id = ?", (body.amount, refund["about_id"])
    )
    for invoice_id, amount in lines.items():
        postings.move(connection, refund["about_id"], invoice_id, amount, on=body.reversed_on)
    postings.stamp_document(connection, refund["id"])
    postings.stamp_document(connection, refund["about_id"])
    return document_id
