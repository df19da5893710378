"""What a request does to the books: its holds, and its postings with their allocations and journal entries.

The documents are locked by the caller: the credit, then the invoices in id order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from domain import booking
from domain.allocation import Line
from store import journal
from store.database import Transaction

if TYPE_CHECKING:
    from store.apply_requests import RequestRow


async def let_go(tx: Transaction, request_id: str) -> None:
    """Its holds end, on both sides."""
    await tx.run("DELETE FROM holds WHERE holder_id = :id", id=request_id)
    await tx.run("DELETE FROM credit_holds WHERE holder_id = :id", id=request_id)


async def hold_again(tx: Transaction, row: RequestRow, held: Sequence[Line], *, at: datetime) -> None:
    """What was applied, or is being taken off, is reserved for this request until it is known what becomes of it."""
    await tx.run(
        """WITH h AS (INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at)
                      SELECT :id, i.id, i.customer_id, t.amount, :at
                      FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)
                      JOIN invoices i ON i.id = t.invoice_id)
           INSERT INTO credit_holds (holder_id, credit_id, customer_id, amount, held_at)
           SELECT :id, k.id, k.customer_id, :total, :at FROM credits k WHERE k.id = :credit""",
        id=row.id,
        credit=row.credit_id,
        ids=[line.invoice_id for line in held],
        amounts=[line.minor for line in held],
        total=sum(line.minor for line in held),
        at=at,
    )


async def carry(
    tx: Transaction, row: RequestRow, moved: Sequence[Line], *, posting_id: str, sign: int, at: datetime
) -> None:
    """The posting with its allocations and its journal entry; `sign` -1 takes the credit off the invoices."""
    await tx.run(
        """WITH t AS (SELECT * FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)),
                q AS (INSERT INTO postings (id, connection_id, kind, credit_id, request_id, customer_id, docs, amount,
                                            queued_at)
                      SELECT :posting, k.connection_id, 'credit_application', k.id, :request, k.customer_id,
                             array_append(cast(:ids AS text[]), k.id), :total, :at
                      FROM credits k WHERE k.id = :credit RETURNING id)
           INSERT INTO allocations (id, credit_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id, :credit, i.id, i.customer_id, :sign * t.amount, q.id, :at
           FROM q, t JOIN invoices i ON i.id = t.invoice_id""",
        posting=posting_id,
        request=row.id,
        credit=row.credit_id,
        ids=[line.invoice_id for line in moved],
        amounts=[line.minor for line in moved],
        total=sum(line.minor for line in moved),
        sign=sign,
        at=at,
    )
    await book(tx, row, moved, entry=posting_id, back=sign < 0, at=at)


async def take_back(
    tx: Transaction, row: RequestRow, moved: Sequence[Line], *, posting_id: str, sign: int, at: datetime
) -> None:
    """The ERP said no to a posting: its allocations are answered by their opposites, under the same posting."""
    await tx.run(
        """INSERT INTO allocations (id, credit_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT :posting || '/' || i.id || '/back', :credit, i.id, i.customer_id, -:sign * t.amount, :posting, :at
           FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)
           JOIN invoices i ON i.id = t.invoice_id""",
        posting=posting_id,
        credit=row.credit_id,
        ids=[line.invoice_id for line in moved],
        amounts=[line.minor for line in moved],
        sign=sign,
        at=at,
    )
    await book(tx, row, moved, entry=f"{posting_id}/back", back=sign > 0, at=at)


async def book(tx: Transaction, row: RequestRow, moved: Sequence[Line], *, entry: str, back: bool, at: datetime) -> None:
    """The journal's side of it."""
    await journal.book(
        tx,
        booking.credit_applied(lines=moved, customer_id=row.customer_id, back=back),
        entry_id=entry,
        process_id=row.id,
        customer_id=row.customer_id,
        kind="credit_unapplied" if back else "credit_applied",
        currency=row.amount.currency,
        at=at,
    )
