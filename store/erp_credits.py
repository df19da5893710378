"""Credits: taking in what the ERP told, and what is left of each as a decision needs it. Unapplied money of a payment of
ours is one too, of which our own rows say what is left.

The balance rule of a credit is the invoices' own, at the other end: what the ERP shows as used, and our applications whose
posting was not confirmed before that was read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.credits import CreditFacts
from domain.receivables import CreditKind, ErpCredit
from store.database import Transaction
from store.identity import fresh_id
from store.snapshots import LANDING

_TOLD: Final = """r(id text, customer text, erp_id text, number text, kind text, currency text, issued_on date, total bigint,
    used bigint, origin text, deleted boolean, applications jsonb)"""
_TAKE: Final = f"""
INSERT INTO credits AS k (id, connection_id, erp_id, customer_id, number, kind, currency, issued_on, total, used, read_seq,
                          origin, deleted, applications, changed_at)
SELECT r.id, :connection, r.erp_id, c.id, r.number, r.kind, r.currency, r.issued_on, r.total, r.used, :seq, r.origin,
       r.deleted, r.applications, :at
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS {_TOLD}
JOIN customers c ON c.connection_id = :connection AND c.erp_id = r.customer
ORDER BY r.erp_id
ON CONFLICT (connection_id, erp_id) DO UPDATE
SET number = excluded.number, kind = excluded.kind, currency = excluded.currency, issued_on = excluded.issued_on,
    total = excluded.total, used = excluded.used, read_seq = excluded.read_seq, origin = excluded.origin,
    deleted = excluded.deleted, applications = excluded.applications, changed_at = excluded.changed_at
WHERE k.read_seq < excluded.read_seq AND NOT {LANDING.format(document="a.credit_id = k.id")}
RETURNING k.id"""

# An ERP that has forgotten whose it was says only that it is gone: nothing of it can be used any more.
_GONE: Final = """
UPDATE credits k SET deleted = true, used = total, read_seq = :seq, changed_at = :at
WHERE k.connection_id = :connection AND k.erp_id = ANY(:gone) AND k.read_seq < :seq RETURNING k.id"""


async def take(
    tx: Transaction, rows: Sequence[ErpCredit], read_seq: int, *, connection_id: str, at: datetime
) -> Sequence[str]:
    """Apply credits that were read after `read_seq` was drawn. Answers the ids that were accepted.

    Rows of customers not taken in yet are left out: the caller takes customers first.
    """
    if not rows:
        return []
    await tx.rows(
        """SELECT 1 FROM credits WHERE connection_id = :connection AND erp_id = ANY(:erp_ids)
           ORDER BY id FOR NO KEY UPDATE""",
        connection=connection_id,
        erp_ids=[each.erp_id for each in rows],
    )
    encoded = json.dumps([_row(each) for each in rows])
    taken = [row.id for row in await tx.rows(_TAKE, rows=encoded, connection=connection_id, seq=read_seq, at=at)]
    if gone := [each.erp_id for each in rows if each.is_forgotten]:
        forgotten = await tx.rows(_GONE, connection=connection_id, gone=gone, seq=read_seq, at=at)
        taken += [row.id for row in forgotten]
    await note_differences(tx, taken, at=at)
    return taken


def _row(credit: ErpCredit) -> dict[str, Any]:
    return {
        "id": fresh_id("crd"),
        "customer": credit.customer_erp_id,
        "erp_id": credit.erp_id,
        "number": credit.number,
        "kind": credit.kind.value,
        "currency": credit.total.currency,
        "issued_on": credit.issued_on.isoformat(),
        "total": credit.total.minor,
        "used": credit.used.minor,
        "origin": credit.origin,
        "deleted": credit.deleted,
        "applications": [
            {"invoice": each.invoice_number, "amount": each.amount.minor, "on": each.on.isoformat()}
            for each in credit.applications
        ],
    }


async def note_differences(tx: Transaction, credit_ids: Sequence[str], *, at: datetime) -> None:
    """`credit_overused`: the ERP and ours together use, or open requests reserve, more of a credit than there is.

    The credits are locked by the caller, so one open difference each is all there can be.
    """
    await tx.run(
        """WITH f AS (SELECT b.id, b.customer_id, b.currency, b.held - b.unapplied AS amount FROM credit_balances b
                      JOIN credits k ON k.id = b.id
                      WHERE b.id = ANY(:ids)
                        AND b.held > CASE WHEN k.deleted THEN least(b.unapplied, 0) ELSE b.unapplied END),
                gone AS (UPDATE differences d SET closed_at = :at
                         WHERE d.process_id = ANY(:ids) AND d.kind = 'credit_overused' AND d.closed_at IS NULL
                           AND NOT EXISTS (SELECT 1 FROM f WHERE f.id = d.process_id)),
                kept AS (UPDATE differences d SET amount = f.amount FROM f
                         WHERE d.process_id = f.id AND d.kind = 'credit_overused' AND d.closed_at IS NULL
                         RETURNING d.process_id)
           INSERT INTO differences (id, kind, process_id, customer_id, amount, currency, opened_at)
           SELECT 'dif' || substr(f.id, 4), 'credit_overused', f.id, f.customer_id, f.amount, f.currency, :at FROM f
           WHERE f.id NOT IN (SELECT process_id FROM kept)
           ON CONFLICT (id) DO UPDATE SET closed_at = NULL, amount = excluded.amount, opened_at = excluded.opened_at""",
        ids=list(credit_ids),
        at=at,
    )


async def lock(tx: Transaction, credit_id: str) -> None:
    """Lock a credit, and the payment of ours that it is. Whoever also locks invoices locks them after it: every writer
    does.
    """
    row = await tx.row("SELECT payment_id FROM credits WHERE id = :id FOR NO KEY UPDATE", id=credit_id)
    if row is not None and row.payment_id is not None:
        await tx.row("SELECT 1 FROM payments WHERE id = :id FOR UPDATE", id=row.payment_id)


async def facts(tx: Transaction, credit_id: str, customer_ids: Sequence[str] | None) -> CreditFacts | None:
    """A credit of one of these customers, or (None) of whomever. After `lock`: a new statement, so a new snapshot."""
    row = await tx.row(
        """SELECT k.*, b.unapplied, b.held FROM credits k JOIN credit_balances b ON b.id = k.id
           WHERE k.id = :id AND (cast(:customers AS text[]) IS NULL OR k.customer_id = ANY(:customers))""",
        id=credit_id,
        customers=None if customer_ids is None else list(customer_ids),
    )
    if row is None:
        return None
    return CreditFacts(
        id=row.id,
        customer_id=row.customer_id,
        number=row.number,
        kind=CreditKind(row.kind),
        currency=row.currency,
        issued_on=row.issued_on,
        deleted=row.deleted,
        total_minor=row.total,
        unapplied_minor=row.unapplied,
        held_minor=row.held,
    )


async def unread(tx: Transaction, connection_id: str, *, limit: int) -> Sequence[str]:
    """The ERP's ids of credits whose snapshot is older than the end of a posting of ours."""
    rows = await tx.rows(
        """SELECT DISTINCT k.erp_id FROM postings q JOIN credits k ON k.id = q.credit_id
           WHERE q.connection_id = :id AND q.confirmed_seq IS NOT NULL AND q.read_back_at IS NULL
             AND q.confirmed_seq > k.read_seq LIMIT :limit""",
        id=connection_id,
        limit=limit,
    )
    return [row.erp_id for row in rows]
