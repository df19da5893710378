"""Answers about customers, invoices and documents; each reads inside one transaction of the caller's.

An invoice is answered whole: total, settled and its settlements come from the same moment.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

Answer = dict[str, Any]

TAKES_MONEY: Final = ("Posted", "Disputed", "Instalment plan", "In mediation")
"""States of an invoice that payments may be applied to; fully settled, each of them is answered as 'Paid'."""

NO_MONEY: Final = ("Draft", "Bad debt", "Closed", "Voided")

SETTLED_OF: Final = "SELECT coalesce(sum(a.amount), 0) FROM applications a WHERE a.invoice_id = i.id"
"""What is applied on an invoice `i`, in SQL."""


def page_of_customers(connection: sqlite3.Connection, *, since: int, limit: int) -> Answer:
    """Customers changed after a change number, oldest change first: {rows, next, more}."""
    rows = connection.execute(
        "SELECT * FROM customers WHERE change > ? ORDER BY change LIMIT ?", (since, limit + 1)
    ).fetchall()
    answers = customers_as_answers(connection, rows[:limit])
    return _page(rows, answers, since=since, limit=limit, total=_total(connection, "customers"))


def page_of_invoices(connection: sqlite3.Connection, *, since: int, limit: int) -> Answer:
    """Invoices changed after a change number, settlements included: {rows, next, more}."""
    rows = connection.execute(
        "SELECT * FROM invoices WHERE change > ? ORDER BY change LIMIT ?", (since, limit + 1)
    ).fetchall()
    answers = invoices_as_answers(connection, rows[:limit])
    return _page(rows, answers, since=since, limit=limit, total=_total(connection, "invoices"))


def page_of_documents(connection: sqlite3.Connection, *, since: int, limit: int) -> Answer:
    """Documents changed after a change number, with what is left of each: {rows, next, more}."""
    rows = connection.execute(
        "SELECT * FROM documents WHERE change > ? ORDER BY change LIMIT ?", (since, limit + 1)
    ).fetchall()
    answers = documents_as_answers(connection, rows[:limit])
    return _page(rows, answers, since=since, limit=limit, total=None)


def page_of_payments(connection: sqlite3.Connection, *, since: int, limit: int) -> Answer:
    """Payment documents changed after a change number, whoever wrote them: {rows, next, more, total}."""
    rows = connection.execute(
        "SELECT * FROM documents WHERE kind = 'Payment' AND change > ? ORDER BY change LIMIT ?", (since, limit + 1)
    ).fetchall()
    (total,) = connection.execute("SELECT count(*) FROM documents WHERE kind = 'Payment'").fetchone()
    return _page(rows, documents_as_answers(connection, rows[:limit]), since=since, limit=limit, total=total)


def _total(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _page(rows: Sequence[sqlite3.Row], answers: list[Answer], *, since: int, limit: int, total: int | None) -> Answer:
    shown = rows[:limit]
    following = shown[-1]["change"] if shown else since
    return {"rows": answers, "next": following, "more": len(rows) > limit, "total": total}


def invoices_by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Answer]:
    """Those invoices as they stand; unknown ids are left out."""
    rows = connection.execute(
        "SELECT * FROM invoices WHERE id IN (SELECT value FROM json_each(?)) ORDER BY change",
        (json.dumps(ids),),
    ).fetchall()
    return invoices_as_answers(connection, rows)


def documents_by_id(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Answer]:
    """Those documents as they stand, deleted ones too; unknown ids are left out."""
    rows = connection.execute(
        "SELECT * FROM documents WHERE id IN (SELECT value FROM json_each(?)) ORDER BY change", (json.dumps(ids),)
    ).fetchall()
    return documents_as_answers(connection, rows)


def documents_by_reference(connection: sqlite3.Connection, reference: str) -> list[Answer]:
    """Every document that bears an external reference, deleted ones too, oldest first."""
    rows = connection.execute("SELECT * FROM documents WHERE reference = ? ORDER BY change", (reference,)).fetchall()
    return documents_as_answers(connection, rows)


def customers_as_answers(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[Answer]:
    """Customers with their contacts."""
    contacts = _grouped(connection, "SELECT * FROM contacts", "customer_id", [row["id"] for row in rows])
    return [
        {
            "id": row["id"],
            "number": row["number"],
            "name": row["name"],
            "currency": row["currency"],
            "email": row["email"],
            "country": row["country"],
            "time_zone": row["time_zone"],
            "parent_id": row["parent_id"],
            "paused": bool(row["paused"]),
            "deleted": bool(row["deleted"]),
            "contacts": [
                {"id": contact["id"], "name": contact["name"], "email": contact["email"]}
                for contact in contacts.get(row["id"], [])
            ],
        }
        for row in rows
    ]


def invoices_as_answers(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[Answer]:
    """Invoices with lines, settlements and the status that follows from them."""
    ids = [row["id"] for row in rows]
    lines = _grouped(connection, "SELECT * FROM invoice_lines", "invoice_id", ids, order="position")
    settlements = _grouped(
        connection,
        "SELECT a.invoice_id, a.amount, a.applied_on, d.kind, d.number, d.reference"
        " FROM applications a JOIN documents d ON d.id = a.document_id",
        "invoice_id",
        ids,
        order="a.applied_on, d.number",
    )
    finished_parents = _finished_parents(connection, [row["id"] for row in rows if row["layout"] == "parent"])
    return [
        _invoice_as_answer(
            row,
            lines=lines.get(row["id"], []),
            settlements=settlements.get(row["id"], []),
            finished_parents=finished_parents,
        )
        for row in rows
    ]


def _invoice_as_answer(
    row: sqlite3.Row,
    *,
    lines: Sequence[sqlite3.Row],
    settlements: Sequence[sqlite3.Row],
    finished_parents: Mapping[str, str],
) -> Answer:
    settled = sum(settlement["amount"] for settlement in settlements)
    paid_on = max((settlement["applied_on"] for settlement in settlements), default=row["issued_on"])
    is_paid = row["state"] in TAKES_MONEY and settled >= row["total"]
    if row["layout"] == "parent":
        is_paid = row["state"] in TAKES_MONEY and row["id"] in finished_parents
        paid_on = finished_parents.get(row["id"])
    answer = {
        name: row[name]
        for name in (
            *("id", "number", "customer_id", "currency", "layout", "parent_id", "site", "po_number", "terms"),
            *("issued_on", "due_on", "total", "discount", "contact_email"),
        )
    }
    return answer | {
        "status": "Paid" if is_paid else row["state"],
        "settled": settled,
        "paid_on": paid_on if is_paid else None,
        "paused": bool(row["paused"]),
        "deleted": bool(row["deleted"]),
        "lines": [
            {name: line[name] for name in ("description", "quantity", "unit_price", "amount", "tax_rate", "tax")}
            for line in lines
        ],
        "settlements": [
            {
                "kind": settlement["kind"],
                "document_number": settlement["number"],
                "on": settlement["applied_on"],
                "amount": settlement["amount"],
                "external_reference": settlement["reference"],
            }
            for settlement in settlements
        ],
    }


def documents_as_answers(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[Answer]:
    """Documents with what is applied now, and what is left of each."""
    applied = _grouped(
        connection,
        "SELECT a.document_id, a.invoice_id, a.amount, a.applied_on, i.number"
        " FROM applications a JOIN invoices i ON i.id = a.invoice_id",
        "document_id",
        [row["id"] for row in rows],
        order="i.number",
    )
    answers = []
    for row in rows:
        standing = applied.get(row["id"], [])
        answer = {
            name: row[name]
            for name in (
                *(
                    "id",
                    "number",
                    "kind",
                    "state",
                    "customer_id",
                    "currency",
                    "amount",
                    "reversed",
                    "dated_on",
                ),
                *("memo", "method", "author", "about_id"),
            )
        }
        answer["external_reference"] = row["reference"]
        answer["applied"] = [
            {
                "invoice_id": line["invoice_id"],
                "invoice_number": line["number"],
                "amount": line["amount"],
                "on": line["applied_on"],
            }
            for line in standing
        ]
        holds_money = (
            row["kind"] not in ("Reversal", "Refund", "Refund reversal", "Application") and row["state"] != "Deleted"
        )
        left = row["amount"] - row["reversed"] - sum(line["amount"] for line in standing)
        answer["unapplied"] = left if holds_money else 0
        answers.append(answer)
    return answers


def settled_of(connection: sqlite3.Connection, invoice_id: str) -> int:
    """What is applied on an invoice now, in minor units."""
    row = connection.execute(f"SELECT ({SETTLED_OF}) FROM invoices i WHERE i.id = ?", (invoice_id,)).fetchone()
    return 0 if row is None else int(row[0])


def _finished_parents(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Parents whose every leaf is settled, with the day of the last settlement."""
    rows = connection.execute(
        f"""
        SELECT parent_id, max(last_on) AS last_on FROM (
            SELECT i.parent_id, i.total <= ({SETTLED_OF}) AS is_settled,
                   (SELECT max(a.applied_on) FROM applications a WHERE a.invoice_id = i.id) AS last_on
            FROM invoices i
            WHERE i.parent_id IN (SELECT value FROM json_each(?)) AND i.deleted = 0
                AND i.state NOT IN ('Draft', 'Voided'))
        GROUP BY parent_id HAVING min(is_settled) = 1
        """,
        (json.dumps(list(ids)),),
    ).fetchall()
    return {row["parent_id"]: row["last_on"] for row in rows}


def _grouped(
    connection: sqlite3.Connection, select: str, column: str, ids: Sequence[str], *, order: str = "1"
) -> dict[str, list[sqlite3.Row]]:
    """Rows of many owners in one query, by owner."""
    found: dict[str, list[sqlite3.Row]] = {}
    for row in connection.execute(
        f"{select} WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY {order}",
        (json.dumps(list(ids)),),
    ):
        found.setdefault(row[column], []).append(row)
    return found
