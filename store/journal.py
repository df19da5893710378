"""Writing the journal. An entry's id is '{process}/{event}': the same event books once."""

from __future__ import annotations

from datetime import datetime

from domain.booking import JournalEntry
from store.database import Transaction


async def book(
    tx: Transaction,
    entry: JournalEntry,
    *,
    entry_id: str,
    process_id: str,
    customer_id: str,
    kind: str,
    currency: str,
    at: datetime,
) -> None:
    """Add an entry with its lines, in one statement; an entry that exists adds nothing."""
    await tx.run(
        """WITH e AS (INSERT INTO journal_entries (id, process_id, customer_id, kind, currency, booked_at)
                      VALUES (:id, :process, :customer, :kind, :currency, :at) ON CONFLICT (id) DO NOTHING RETURNING id)
           INSERT INTO journal_lines (entry_id, position, account, holder, customer_id, invoice_id, currency, amount)
           SELECT e.id, t.position, t.account, t.holder, :customer, t.invoice_id, :currency, t.amount
           FROM e, unnest(cast(:accounts AS text[]), cast(:holders AS text[]), cast(:invoices AS text[]),
               cast(:amounts AS bigint[]))
                WITH ORDINALITY AS t(account, holder, invoice_id, amount, position)""",
        id=entry_id,
        process=process_id,
        customer=customer_id,
        kind=kind,
        currency=currency,
        at=at,
        accounts=[line.account.value for line in entry.lines],
        holders=[line.holder for line in entry.lines],
        invoices=[line.invoice_id for line in entry.lines],
        amounts=[line.minor for line in entry.lines],
    )
