"""Quotes, and the templates that invoices are made from: entered in bulk, changed at the desk, read as they change."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulators.demo_erp import books
from simulators.demo_erp.refusals import Refused
from simulators.demo_erp.wire import ActBody, QuoteBody, TemplateBody

Answer = dict[str, Any]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quotes (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, customer_id TEXT NOT NULL REFERENCES customers (id),
    currency TEXT NOT NULL, total INTEGER NOT NULL, issued_on TEXT NOT NULL, expires_on TEXT, state TEXT NOT NULL,
    lines TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS templates (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, customer_id TEXT NOT NULL REFERENCES customers (id),
    currency TEXT NOT NULL, amount INTEGER NOT NULL, frequency TEXT NOT NULL, starts_on TEXT, next_on TEXT,
    remaining INTEGER, active INTEGER NOT NULL DEFAULT 1, deleted INTEGER NOT NULL DEFAULT 0,
    change INTEGER NOT NULL UNIQUE);
"""


def page(connection: sqlite3.Connection, table: str, *, since: int, limit: int) -> Answer:
    """Rows of one of the two tables that changed after a change number, oldest change first: {rows, next, more, total}."""
    rows = connection.execute(
        f"SELECT * FROM {table} WHERE change > ? ORDER BY change LIMIT ?", (since, limit + 1)
    ).fetchall()
    shown = rows[:limit]
    return {
        "rows": [_answer(row) for row in shown],
        "next": shown[-1]["change"] if shown else since,
        "more": len(rows) > limit,
        "total": connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0],
    }


def _answer(row: sqlite3.Row) -> Answer:
    answer = {name: row[name] for name in row.keys() if name != "change"}  # noqa: SIM118 - a Row iterates over values
    if "lines" in answer:
        answer["lines"] = json.loads(answer["lines"])
    for name in ("active", "deleted"):
        if name in answer:
            answer[name] = bool(answer[name])
    return answer


def enter_quote(connection: sqlite3.Connection, body: QuoteBody) -> str:
    """A new quote; answers its id."""
    quote_id = body.id or f"quo-{books.next_plain_id(connection, 'quote')}"
    expires_on = None if body.expires_on is None else body.expires_on.isoformat()
    connection.execute(
        "INSERT INTO quotes (id, number, customer_id, currency, total, issued_on, expires_on, state, lines, change)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(quote_id, body.number, body.customer_id, body.currency, body.total, body.issued_on.isoformat()),
            *(expires_on, body.state, json.dumps([line.model_dump() for line in body.lines])),
            books.next_change(connection),
        ),
    )
    return quote_id


def enter_template(connection: sqlite3.Connection, body: TemplateBody) -> str:
    """A new template; answers its id."""
    template_id = body.id or f"tpl-{books.next_plain_id(connection, 'template')}"
    days = [None if each is None else each.isoformat() for each in (body.starts_on, body.next_on)]
    connection.execute(
        "INSERT INTO templates (id, title, customer_id, currency, amount, frequency, starts_on, next_on, remaining, change)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(template_id, body.title, body.customer_id, body.currency, body.amount, body.frequency),
            *(*days, body.remaining, books.next_change(connection)),
        ),
    )
    return template_id


def _update(connection: sqlite3.Connection, table: str, row_id: str | None, column: str, value: object) -> str:
    changed = connection.execute(
        f"UPDATE {table} SET {column} = ?, change = ? WHERE id = ? RETURNING id",
        (value, books.next_change(connection), row_id),
    ).fetchone()
    if changed is None:
        raise Refused("NOT_FOUND", f"There is nothing of that id among the {table}: {row_id}.")
    return str(changed["id"])


def _set_quote_state(connection: sqlite3.Connection, body: ActBody) -> str:
    if not body.state:
        raise Refused("STATE_MISSING", "The act 'set_quote_state' needs a state.")
    return _update(connection, "quotes", body.document_id, "state", body.state)


def _deleting(table: str) -> Callable[[sqlite3.Connection, ActBody], str]:
    def act(connection: sqlite3.Connection, body: ActBody) -> str:
        return _update(connection, table, body.document_id, "deleted", 1)

    return act


def _stop_template(connection: sqlite3.Connection, body: ActBody) -> str:
    return _update(connection, "templates", body.document_id, "active", 0)


ACTS: Final[Mapping[str, Callable[[sqlite3.Connection, ActBody], str]]] = {
    "set_quote_state": _set_quote_state,  # document_id, state: any word
    "delete_quote": _deleting("quotes"),  # document_id
    "stop_template": _stop_template,  # document_id
    "delete_template": _deleting("templates"),
}
"""What a person does with them at the desk."""
