"""Taking in what an ERP tells besides invoices and credits: payment documents, quotes, and templates of invoices.

Rows that say what is stored are not written. Rows of customers not taken in yet are left out: the caller takes those first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from domain.receivables import ErpPayment, ErpQuote, ErpRecurring
from store.database import Transaction
from store.identity import fresh_id
from store.snapshots import line_of

_PAYMENT: Final = {
    "number": "text",
    "currency": "text",
    "amount": "bigint",
    "unapplied": "bigint",
    "received_on": "date",
    "reference": "text",
    "author": "text",
    "stands": "boolean",
    "lines": "jsonb",
}
_QUOTE: Final = {
    "number": "text",
    "currency": "text",
    "total": "bigint",
    "issued_on": "date",
    "expires_on": "date",
    "status": "text",
    "status_word": "text",
    "lines": "jsonb",
    "deleted": "boolean",
}
_RECURRING: Final = {
    "title": "text",
    "frequency": "text",
    "starts_on": "date",
    "next_on": "date",
    "remaining": "integer",
    "currency": "text",
    "amount": "bigint",
    "active": "boolean",
    "deleted": "boolean",
}


def _taking(table: str, columns: Mapping[str, str], *, given: Mapping[str, str], guard: str) -> str:
    """One statement that takes a page of a table's rows; `given` are columns with a value of their own."""
    told = ", ".join(
        f"{name} {kind}" for name, kind in {"id": "text", "customer": "text", "erp_id": "text", **columns}.items()
    )
    own = ", ".join(given)
    return f"""
INSERT INTO {table} AS k (connection_id, erp_id, customer_id, {", ".join(columns)}, {own}, changed_at)
SELECT :connection, r.erp_id, c.id, {", ".join(f"r.{name}" for name in columns)}, {", ".join(given.values())}, :at
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS r({told})
JOIN customers c ON c.connection_id = :connection AND c.erp_id = r.customer
ORDER BY r.erp_id
ON CONFLICT (connection_id, erp_id) DO UPDATE
SET customer_id = excluded.customer_id, {", ".join(f"{name} = excluded.{name}" for name in columns)},
    {"".join(f"{name} = excluded.{name}, " for name in given if name != "id")}changed_at = excluded.changed_at
WHERE {guard} (k.customer_id, {", ".join(f"k.{name}" for name in columns)})
      IS DISTINCT FROM (excluded.customer_id, {", ".join(f"excluded.{name}" for name in columns)})
RETURNING k.erp_id"""


_TAKE_PAYMENTS: Final = _taking(
    "erp_payments", _PAYMENT, given={"read_seq": "cast(:seq AS bigint)"}, guard="k.read_seq < excluded.read_seq AND"
)
_TAKE_QUOTES: Final = _taking("erp_quotes", _QUOTE, given={"id": "r.id"}, guard="")
_TAKE_RECURRING: Final = _taking("erp_recurring", _RECURRING, given={"id": "r.id"}, guard="")

# An ERP that has forgotten whose it was says only that it is gone: what was known of it stays.
_GONE: Final = """
UPDATE {table} k SET {gone}, changed_at = :at
WHERE k.connection_id = :connection AND k.erp_id = ANY(:gone) AND {unless} RETURNING k.erp_id"""
_GONE_PAYMENTS: Final = _GONE.format(
    table="erp_payments",
    gone="stands = false, lines = '[]', unapplied = 0, read_seq = cast(:seq AS bigint)",
    unless="k.stands AND k.read_seq < cast(:seq AS bigint)",
)
_GONE_QUOTES: Final = _GONE.format(table="erp_quotes", gone="deleted = true", unless="NOT k.deleted")
_GONE_RECURRING: Final = _GONE.format(table="erp_recurring", gone="deleted = true", unless="NOT k.deleted")


async def take_payments(
    tx: Transaction, rows: Sequence[ErpPayment], read_seq: int, *, connection_id: str, at: datetime
) -> Sequence[str]:
    """Payment documents that were read after `read_seq` was drawn. Answers the ERP's ids of those that were written."""
    encoded = [
        {
            "customer": each.customer_erp_id,
            "erp_id": each.erp_id,
            "number": each.number,
            "currency": each.amount.currency,
            "amount": each.amount.minor,
            "unapplied": each.unapplied.minor,
            "received_on": each.received_on.isoformat(),
            "reference": each.reference,
            "author": each.author,
            "stands": each.stands,
            "lines": [
                {"invoice": line.invoice_erp_id, "amount": line.amount.minor}
                for line in sorted(each.lines, key=lambda line: line.invoice_erp_id)
            ],
        }
        for each in rows
    ]
    return await _take(tx, _TAKE_PAYMENTS, _GONE_PAYMENTS, encoded, connection=connection_id, at=at, seq=read_seq)


async def take_quotes(tx: Transaction, rows: Sequence[ErpQuote], *, connection_id: str, at: datetime) -> Sequence[str]:
    """Quotes as they stand. Answers the ERP's ids of those that were written."""
    encoded = [
        {
            "id": fresh_id("quo"),
            "customer": each.customer_erp_id,
            "erp_id": each.erp_id,
            "number": each.number,
            "currency": each.total.currency,
            "total": each.total.minor,
            "issued_on": each.issued_on.isoformat(),
            "expires_on": _day(each.expires_on),
            "status": each.status.value,
            "status_word": each.status_word,
            "lines": [line_of(line) for line in each.lines],
            "deleted": each.deleted,
        }
        for each in rows
    ]
    return await _take(tx, _TAKE_QUOTES, _GONE_QUOTES, encoded, connection=connection_id, at=at)


async def take_recurring(
    tx: Transaction, rows: Sequence[ErpRecurring], *, connection_id: str, at: datetime
) -> Sequence[str]:
    """Templates as they stand. Answers the ERP's ids of those that were written."""
    encoded = [
        {
            "id": fresh_id("rec"),
            "customer": each.customer_erp_id,
            "erp_id": each.erp_id,
            "title": each.title,
            "frequency": each.frequency,
            "starts_on": _day(each.starts_on),
            "next_on": _day(each.next_on),
            "remaining": each.remaining,
            "currency": each.amount.currency,
            "amount": each.amount.minor,
            "active": each.active,
            "deleted": each.deleted,
        }
        for each in rows
    ]
    return await _take(tx, _TAKE_RECURRING, _GONE_RECURRING, encoded, connection=connection_id, at=at)


async def _take(
    tx: Transaction, statement: str, gone: str, encoded: Sequence[Mapping[str, Any]], *, connection: str, **values: Any
) -> Sequence[str]:
    if not encoded:
        return []
    once = list({each["erp_id"]: each for each in encoded}.values())  # of one that is told twice, the last word counts
    rows = list(await tx.rows(statement, rows=json.dumps(once), connection=connection, **values))
    if forgotten := [each["erp_id"] for each in once if not each["customer"]]:
        rows += await tx.rows(gone, gone=forgotten, connection=connection, **values)
    return [row.erp_id for row in rows]


def _day(on: date | None) -> str | None:
    return on.isoformat() if on is not None else None
