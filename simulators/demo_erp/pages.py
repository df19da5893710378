"""Read-only pages on the books, so that a person can look at 'the ERP'."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from simulators.demo_erp import receivables
from simulators.demo_erp.books import Books

_NO_DECIMALS: Final = ("JPY", "KRW", "CLP", "ISK", "VND")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ROWS_SHOWN: Final = 1000


def amount(minor: int, currency: str) -> str:
    """'-1,250.00' or '1,250' (yen): digits only, the currency stands beside it."""
    sign = "−" if minor < 0 else ""
    if currency in _NO_DECIMALS:
        return f"{sign}{abs(minor):,}"
    whole, cents = divmod(abs(minor), 10**2)
    return f"{sign}{whole:,}.{cents:02d}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["amount"] = amount
    return environment


def router(books: Books) -> APIRouter:
    """The pages over some books."""
    routes = APIRouter(default_response_class=HTMLResponse)
    environment = _environment()

    def page(template: str, **facts: Any) -> HTMLResponse:
        return HTMLResponse(environment.get_template(template).render(**facts), headers=_HEADERS)

    @routes.get("/")
    async def customers(q: str = "") -> HTMLResponse:
        with books.reading() as connection:
            return page("customers.html", customers=_customers(connection, q.strip()), asked=q.strip())

    @routes.get("/customer/{number}")
    async def customer(number: str) -> HTMLResponse:
        with books.reading() as connection:
            row = _one(connection, "SELECT * FROM customers WHERE number = ?", number)
            return page(
                "customer.html",
                customer=receivables.customers_as_answers(connection, [row])[0],
                invoices=_invoices_of(connection, row["id"]),
                documents=_documents_of(connection, row["id"]),
            )

    @routes.get("/invoice/{number}")
    async def invoice(number: str) -> HTMLResponse:
        with books.reading() as connection:
            row = _one(connection, "SELECT * FROM invoices WHERE number = ?", number)
            leaves = connection.execute(
                "SELECT * FROM invoices WHERE parent_id = ? ORDER BY number", (row["id"],)
            ).fetchall()
            owner = _one(connection, "SELECT * FROM customers WHERE id = ?", row["customer_id"])
            return page(
                "invoice.html",
                invoice=receivables.invoices_as_answers(connection, [row])[0],
                leaves=receivables.invoices_as_answers(connection, leaves),
                customer=owner,
            )

    return routes


def _one(connection: sqlite3.Connection, query: str, value: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(query, (value,)).fetchone()
    if row is None:
        raise HTTPException(status_code=404, detail="The books have nothing under that number.")
    return row


def _customers(connection: sqlite3.Connection, asked: str) -> list[sqlite3.Row]:
    return connection.execute(
        """
        SELECT c.*, coalesce(o.open_count, 0) AS open_count, coalesce(o.open_total, 0) AS open_total
        FROM customers c
        LEFT JOIN (
            SELECT i.customer_id, count(*) AS open_count, sum(i.total - coalesce(s.settled, 0)) AS open_total
            FROM invoices i
            LEFT JOIN (SELECT invoice_id, sum(amount) AS settled FROM applications GROUP BY invoice_id) s
                ON s.invoice_id = i.id
            WHERE i.deleted = 0 AND i.layout <> 'parent'
                AND i.state NOT IN ('Draft', 'Bad debt', 'Closed', 'Voided')
                AND i.total > coalesce(s.settled, 0)
            GROUP BY i.customer_id) o ON o.customer_id = c.id
        WHERE c.deleted = 0 AND (instr(lower(c.name), lower(?)) OR instr(lower(c.number), lower(?)))
        ORDER BY c.number LIMIT ?
        """,
        (asked, asked, _ROWS_SHOWN),
    ).fetchall()


def _invoices_of(connection: sqlite3.Connection, customer_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT * FROM invoices WHERE customer_id = ? AND deleted = 0"
        " ORDER BY issued_on DESC, coalesce(parent_id, id) DESC, layout = 'leaf', number LIMIT ?",
        (customer_id, _ROWS_SHOWN),
    ).fetchall()
    return receivables.invoices_as_answers(connection, rows)


def _documents_of(connection: sqlite3.Connection, customer_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT * FROM documents WHERE customer_id = ? ORDER BY dated_on DESC, rowid DESC LIMIT ?",
        (customer_id, _ROWS_SHOWN),
    ).fetchall()
    return receivables.documents_as_answers(connection, rows)
