"""Deposits on the bank account, entered by the people who read its statements; each may bear a payout's reference."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any


def deposits(connection: sqlite3.Connection, references: Sequence[str]) -> dict[str, Any]:
    """Those that bear one of the references and stand: {rows}."""
    rows = connection.execute(
        "SELECT id, reference, amount, currency, booked_on FROM deposits"
        " WHERE deleted = 0 AND reference IN (SELECT value FROM json_each(?)) ORDER BY rowid",
        (json.dumps(list(references)),),
    ).fetchall()
    return {"rows": [{name: row[name] for name in row.keys()} for row in rows]}  # noqa: SIM118 - a Row iterates its values


def enter(connection: sqlite3.Connection, *, reference: str, amount: int, currency: str, booked_on: str) -> str:
    """A person's deposit; its id."""
    (count,) = connection.execute("SELECT count(*) FROM deposits").fetchone()
    number = f"DEP-{count + 1:05d}"
    connection.execute(
        "INSERT INTO deposits (id, reference, amount, currency, booked_on) VALUES (?, ?, ?, ?, ?)",
        (number, reference, amount, currency, booked_on),
    )
    return number


def delete(connection: sqlite3.Connection, reference: str) -> int:
    """A person deletes what bears a reference; how many there were."""
    return connection.execute("UPDATE deposits SET deleted = 1 WHERE reference = ? AND deleted = 0", (reference,)).rowcount
