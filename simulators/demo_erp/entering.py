"""Entering customers, invoices and documents by the thousand, in one transaction."""

from __future__ import annotations

import sqlite3

from simulators.demo_erp import books, postings, selling
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import BulkBody, CustomerBody, DocumentBody, InvoiceBody


def enter(connection: sqlite3.Connection, body: BulkBody) -> dict[str, list[str]]:
    """Enter everything; answers the ids in the order given. Raises Refused, and then nothing is kept."""
    try:
        return {
            "customers": [_enter_customer(connection, customer) for customer in body.customers],
            "invoices": [_enter_invoice(connection, invoice) for invoice in body.invoices],
            "documents": [_enter_document(connection, document) for document in body.documents],
            "quotes": [selling.enter_quote(connection, quote) for quote in body.quotes],
            "templates": [selling.enter_template(connection, template) for template in body.templates],
        }
    except sqlite3.IntegrityError as broken:
        raise Refused("ALREADY_ENTERED", f"The books refuse a row: {broken}.", status=409) from broken


def _enter_customer(connection: sqlite3.Connection, body: CustomerBody) -> str:
    customer_id = body.id or f"cust-{books.next_plain_id(connection, 'customer')}"
    connection.execute(
        "INSERT INTO customers (id, number, name, currency, email, country, time_zone, parent_id, paused,"
        " change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(customer_id, body.number, body.name, body.currency, body.email, body.country, body.time_zone),
            *(body.parent_id, body.paused, books.next_change(connection)),
        ),
    )
    connection.executemany(
        "INSERT INTO contacts VALUES (?, ?, ?, ?)",
        [
            (f"{customer_id}-{position}", customer_id, contact.name, contact.email)
            for position, contact in enumerate(body.contacts, start=1)
        ],
    )
    return customer_id


def _enter_invoice(connection: sqlite3.Connection, body: InvoiceBody) -> str:
    invoice_id = body.id or f"sinv-{books.next_plain_id(connection, 'invoice')}"
    connection.execute(
        "INSERT INTO invoices (id, number, customer_id, currency, state, layout, parent_id, site, po_number,"
        " terms, issued_on, due_on, total, discount, paused, contact_email, change)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(
                invoice_id,
                body.number,
                body.customer_id,
                body.currency,
                body.state,
                body.layout,
                body.parent_id,
            ),
            *(
                body.site,
                body.po_number,
                body.terms,
                body.issued_on.isoformat(),
                body.due_on.isoformat(),
                body.total,
            ),
            *(body.discount, body.paused, body.contact_email, books.next_change(connection)),
        ),
    )
    connection.executemany(
        "INSERT INTO invoice_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(invoice_id, position, line.description, line.quantity),
                *(line.unit_price, line.amount, line.tax_rate, line.tax),
            )
            for position, line in enumerate(body.lines, start=1)
        ],
    )
    return invoice_id


def _enter_document(connection: sqlite3.Connection, body: DocumentBody) -> str:
    document = postings.NewDocument(
        kind=body.kind,
        customer_id=body.customer_id,
        currency=body.currency,
        amount=body.amount,
        dated_on=body.on,
        author="A person",
        reference=body.external_reference,
        memo=body.memo,
        method=body.method,
    )
    lines = [(line.invoice_id, line.amount) for line in body.lines]
    document_id = postings.enter_document(connection, document, lines)
    for invoice_id, amount in lines:
        postings.move(connection, document_id, invoice_id, amount, on=body.on)
    return document_id
