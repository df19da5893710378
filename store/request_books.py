"""What a request does to the books: its holds, and its postings with their allocations and journal entries.

The documents are locked by the caller: the credit, then the invoices in id order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from domain import booking
from domain.allocation import Line
from domain.lifecycles import REFUND_OPEN
from store import journal, wanted
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
                q AS (INSERT INTO postings (id, connection_id, kind, credit_id, payment_id, request_id, customer_id, docs,
                                            amount, currency, queued_at)
                      SELECT :posting, k.connection_id,
                             CASE WHEN k.payment_id IS NULL THEN 'credit_application' ELSE 'application' END,
                             CASE WHEN k.payment_id IS NULL THEN k.id END, k.payment_id, :request, k.customer_id,
                             array_append(cast(:ids AS text[]), coalesce(k.payment_id, k.id)), :total, k.currency, :at
                      FROM credits k WHERE k.id = :credit RETURNING id, credit_id, payment_id)
           INSERT INTO allocations (id, credit_id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id, q.credit_id, q.payment_id, i.id, i.customer_id, :sign * t.amount, q.id, :at
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
        """INSERT INTO allocations (id, credit_id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id || '/back', q.credit_id, q.payment_id, i.id, i.customer_id, -:sign * t.amount, q.id,
                  :at
           FROM postings q, unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id, amount)
           JOIN invoices i ON i.id = t.invoice_id WHERE q.id = :posting""",
        posting=posting_id,
        ids=[line.invoice_id for line in moved],
        amounts=[line.minor for line in moved],
        sign=sign,
        at=at,
    )
    await book(tx, row, moved, entry=f"{posting_id}/back", back=sign > 0, at=at)
    if row.payment_id is not None and sign > 0:
        await _return_less(tx, row, moved, posting_id=posting_id, at=at)


async def _return_less(tx: Transaction, row: RequestRow, moved: Sequence[Line], *, posting_id: str, at: datetime) -> None:
    """The bank took the payment back meanwhile, and with it what the ERP now has not written: there is less to reverse."""
    short = await tx.rows(
        """WITH s AS (SELECT invoice_id, -sum(amount)::bigint AS minor FROM allocations
                      WHERE payment_id = :payment AND invoice_id = ANY(:ids) GROUP BY invoice_id HAVING sum(amount) < 0)
           INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || i.id || '/' || :posting, :payment, i.id, i.customer_id, s.minor, q.id, :at
           FROM postings q, s JOIN invoices i ON i.id = s.invoice_id WHERE q.id = :payment || '-returned'
           RETURNING invoice_id, amount""",
        payment=row.payment_id,
        posting=posting_id,
        ids=[line.invoice_id for line in moved],
        at=at,
    )
    if short:
        less = [Line(invoice_id=each.invoice_id, minor=each.amount) for each in short]
        await book(tx, row, less, entry=f"{posting_id}/returned", back=False, at=at)


async def book(tx: Transaction, row: RequestRow, moved: Sequence[Line], *, entry: str, back: bool, at: datetime) -> None:
    """The journal's side of it: of a credit under the request, of a payment's money under the payment."""
    if row.payment_id is not None:
        told, kind = booking.applied(lines=moved, customer_id=row.customer_id, back=back), "applied"
    else:
        told, kind = booking.credit_applied(lines=moved, customer_id=row.customer_id, back=back), "credit_applied"
    await journal.book(
        tx,
        told,
        entry_id=entry,
        process_id=row.payment_id or row.id,
        customer_id=row.customer_id,
        kind=kind.replace("applied", "unapplied") if back else kind,
        currency=row.amount.currency,
        at=at,
    )
    if row.payment_id is not None:
        await wanted.trim(tx, row.payment_id)


async def serve(tx: Transaction, row: RequestRow, invoice_ids: Sequence[str], *, erp: str, at: datetime) -> None:
    """What it held is free: those who wait for room on these invoices, or for money of this payment, come first."""
    await wanted.serve(tx, sorted({*invoice_ids, *await wishes(tx, row)}), erp=erp, at=at)


async def wishes(tx: Transaction, row: RequestRow) -> Sequence[str]:
    """The invoices that the money of its payment waits for; locked with the request's own."""
    rows = await tx.rows("SELECT invoice_id FROM wanted WHERE payment_id = :id", id=row.payment_id)
    return [each.invoice_id for each in rows]


async def lies(tx: Transaction, row: RequestRow, moved: Sequence[Line]) -> bool:
    """Whether what was applied is still there to be taken off. Of our payments, returns and refunds take some off too."""
    if row.payment_id is None:
        return True
    found = await tx.rows(
        """SELECT a.invoice_id, sum(a.amount)::bigint - coalesce((
                      SELECT sum(l.amount) FROM refund_lines l JOIN refunds r ON r.id = l.refund_id
                      WHERE r.payment_id = :payment AND r.state = ANY(:open) AND l.invoice_id = a.invoice_id), 0) AS net
           FROM allocations a WHERE a.payment_id = :payment GROUP BY a.invoice_id""",
        payment=row.payment_id,
        open=list(REFUND_OPEN),
    )
    lying = {each.invoice_id: each.net for each in found}
    return all(lying.get(line.invoice_id, 0) >= line.minor for line in moved)
