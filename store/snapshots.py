"""Taking in what the ERP told: customers and invoices, each invoice with everything from one answer and one `read_seq`.

An older read never replaces a newer one. Where the ERP's figures and our own rows cannot both be right, the difference
is written in the same transaction; nothing is refused by a constraint and nothing is hidden.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.receivables import ErpCustomer, ErpInvoice, ErpLine
from store import wanted
from store.arriving import MANY, arrive
from store.database import Transaction
from store.identity import fresh_id

_CUSTOMER = {
    "erp_id": "text",
    "parent_erp_id": "text",
    "number": "text",
    "name": "text",
    "currency": "text",
    "email": "text",
    "country": "text",
    "time_zone": "text",
    "paused": "boolean",
    "deleted": "boolean",
}
_INVOICE = {
    "erp_id": "text",
    "parent_erp_id": "text",
    "is_parent": "boolean",
    "number": "text",
    "site": "text",
    "po_number": "text",
    "terms": "text",
    "currency": "text",
    "issued_on": "date",
    "due_on": "date",
    "paid_on": "date",
    "status": "text",
    "status_word": "text",
    "paused": "boolean",
    "deleted": "boolean",
    "total": "bigint",
    "settled": "bigint",
    "discount": "bigint",
    "contact_email": "text",
    "lines": "jsonb",
    "settlements": "jsonb",
}


def _listed(columns: Mapping[str, str], form: str) -> str:
    """The columns in one form: '{0}', 'r.{0}', '{0} {1}' (with its type)."""
    return ", ".join(form.format(name, kind) for name, kind in columns.items())


def _renewed(columns: Mapping[str, str]) -> str:
    """What an update sets: everything but the key that found the row. Setting a key, even to what it was, takes the full
    lock, and a payment that is just being written (it refers to the row) would wait for the sync, or the two for each other.
    """
    return ", ".join(f"{name} = excluded.{name}" for name in columns if name != "erp_id")


_TAKE_CUSTOMERS = f"""
INSERT INTO customers AS c (id, connection_id, changed_at, {_listed(_CUSTOMER, "{0}")})
SELECT r.id, :connection, :at, {_listed(_CUSTOMER, "r.{0}")}
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS r(id text, {_listed(_CUSTOMER, "{0} {1}")})
ON CONFLICT (connection_id, erp_id) DO UPDATE
SET changed_at = excluded.changed_at, {_renewed(_CUSTOMER)}
WHERE ({_listed(_CUSTOMER, "c.{0}")}) IS DISTINCT FROM ({_listed(_CUSTOMER, "excluded.{0}")})
RETURNING c.id"""

LANDING: Final = """EXISTS (SELECT 1 FROM allocations a JOIN postings p ON p.id = a.posting_id
    WHERE {document} AND a.credit_id IS NOT NULL
      AND (p.state IN ('sent', 'unknown') OR p.confirmed_seq >= excluded.read_seq))"""
"""A write of ours may have landed while this was read, and the ERP shows it without a reference: nobody can say whether the
answer counts it. Such a read is left; the one after the posting's end counts it for certain (the set to be read is derived).
"""

TOLD: Final = {"id": "text", "customer": "text", **_INVOICE, "seen": "jsonb"}
"""How an invoice arrives: the columns with their types."""
_OURS: Final = """EXISTS (SELECT 1 FROM allocations a WHERE a.invoice_id = o.id)
    OR EXISTS (SELECT 1 FROM holds h WHERE h.invoice_id = o.id)
    OR EXISTS (SELECT 1 FROM differences d WHERE d.invoice_id = o.id AND d.closed_at IS NULL)"""
"""Our own rows are judged by when an invoice was read, even where the ERP shows what it showed before. Where there are none,
such a read says nothing new, and nothing is written.
"""
_NEWS: Final = f"""(o.customer_id, {_listed(_INVOICE, "o.{0}")})
    IS DISTINCT FROM (r.customer_id, {_listed(_INVOICE, "r.{0}")})
    OR {_OURS}"""
_READ: Final = """WITH r AS (SELECT t.*, c.id AS customer_id FROM {source}
           JOIN customers c ON c.connection_id = :connection AND c.erp_id = t.customer)"""
_LOCK: Final = f"""{_READ}
SELECT o.id FROM r JOIN invoices o ON o.connection_id = :connection AND o.erp_id = r.erp_id
WHERE {_NEWS} ORDER BY o.id FOR NO KEY UPDATE OF o"""

_TAKE: Final = f"""{_READ}
INSERT INTO invoices AS i (id, connection_id, customer_id, read_seq, changed_at, {_listed(_INVOICE, "{0}")})
SELECT r.id, :connection, r.customer_id, :seq, :at, {_listed(_INVOICE, "r.{0}")}
FROM r LEFT JOIN invoices o ON o.connection_id = :connection AND o.erp_id = r.erp_id
WHERE o.id IS NULL OR {_NEWS} ORDER BY r.erp_id
ON CONFLICT (connection_id, erp_id) DO UPDATE SET customer_id = excluded.customer_id, read_seq = excluded.read_seq,
    changed_at = excluded.changed_at, {_renewed(_INVOICE)}
WHERE i.read_seq < excluded.read_seq AND NOT {LANDING.format(document="a.invoice_id = i.id")}
RETURNING i.id, i.erp_id"""
_ADD: Final = f"""{_READ}
INSERT INTO invoices (id, connection_id, customer_id, read_seq, changed_at, {_listed(_INVOICE, "{0}")})
SELECT r.id, :connection, r.customer_id, :seq, :at, {_listed(_INVOICE, "r.{0}")}
FROM r LEFT JOIN invoices o ON o.connection_id = :connection AND o.erp_id = r.erp_id WHERE o.id IS NULL
ON CONFLICT DO NOTHING RETURNING id, erp_id"""


async def next_seq(tx: Transaction) -> int:
    """Draw from the one clock between Duly and an ERP. For a read: before its request leaves."""
    row = await tx.row("SELECT nextval('erp_seq') AS seq")
    assert row is not None
    return int(row.seq)


async def take_customers(tx: Transaction, customers: Sequence[ErpCustomer], *, connection_id: str, at: datetime) -> int:
    """Insert or update customers and their contacts; unchanged ones are not written. Answers how many were written."""
    if not customers:
        return 0
    rows = [
        {
            "id": fresh_id("cus"),
            "erp_id": each.erp_id,
            "number": each.number,
            "name": each.name,
            "currency": each.currency,
            "email": each.email,
            "country": each.country,
            "time_zone": each.time_zone,
            "parent_erp_id": each.parent_erp_id,
            "paused": each.paused,
            "deleted": each.deleted,
        }
        for each in sorted(customers, key=lambda each: each.erp_id)
    ]
    written = await tx.rows(_TAKE_CUSTOMERS, connection=connection_id, at=at, rows=json.dumps(rows))
    # Either side may come first: a parent finds the children that waited for it.
    await tx.run(
        """UPDATE customers c SET parent_id = p.id FROM customers p
           WHERE c.connection_id = :connection AND p.connection_id = :connection AND p.erp_id = c.parent_erp_id
             AND (c.erp_id = ANY(:all) OR p.erp_id = ANY(:all)) AND c.parent_id IS DISTINCT FROM p.id""",
        connection=connection_id,
        all=[each["erp_id"] for each in rows],
    )
    await _take_contacts(tx, customers, connection_id=connection_id)
    return len(written)


async def _take_contacts(tx: Transaction, customers: Sequence[ErpCustomer], *, connection_id: str) -> None:
    rows = [
        {
            "id": fresh_id("con"),
            "customer": each.erp_id,
            "erp_id": contact.erp_id,
            "name": contact.name,
            "email": contact.email,
        }
        for each in customers
        for contact in each.contacts
    ]
    await tx.run(
        """WITH r AS (SELECT t.*, c.id AS customer_id FROM jsonb_to_recordset(cast(:rows AS jsonb))
                           AS t(id text, customer text, erp_id text, name text, email text)
                      JOIN customers c ON c.connection_id = :connection AND c.erp_id = t.customer),
                gone AS (DELETE FROM contacts k USING customers c WHERE c.id = k.customer_id AND c.connection_id =
                    :connection
                         AND c.erp_id = ANY(:all) AND NOT EXISTS (SELECT 1 FROM r WHERE r.customer_id = k.customer_id
                             AND r.erp_id = k.erp_id))
           INSERT INTO contacts AS k (id, customer_id, erp_id, name, email) SELECT r.id, r.customer_id, r.erp_id,
               r.name, r.email FROM r
           ON CONFLICT (customer_id, erp_id) DO UPDATE SET name = excluded.name, email = excluded.email
           WHERE (k.name, k.email) IS DISTINCT FROM (excluded.name, excluded.email)""",
        connection=connection_id,
        rows=json.dumps(rows),
        all=[each.erp_id for each in customers],
    )


def _seen(invoice: ErpInvoice) -> dict[str, int]:
    """Our own money in the ERP's settlements, by payment: a reference of ours begins with the payment's id."""
    seen: dict[str, int] = defaultdict(int)
    for settlement in invoice.settlements:
        if settlement.reference is not None and settlement.reference.startswith("pay_"):
            seen[settlement.reference[:30]] += settlement.amount.minor
    return dict(seen)


def line_of(line: ErpLine) -> dict[str, Any]:
    """A line of an invoice or a quote as it is stored: amounts in minor units."""
    return {
        "description": line.description,
        "quantity": line.quantity,
        "unit_price": line.unit_price.minor,
        "amount": line.amount.minor,
        "tax_rate": line.tax_rate,
        "tax": line.tax.minor,
    }


def row_of(invoice: ErpInvoice) -> dict[str, Any]:
    """An invoice as `TOLD` has it, with an id of ours should it be new."""
    return {
        "id": fresh_id("inv"),
        "erp_id": invoice.erp_id,
        "customer": invoice.customer_erp_id,
        "parent_erp_id": invoice.parent_erp_id,
        "is_parent": invoice.is_parent,
        "number": invoice.number,
        "site": invoice.site,
        "po_number": invoice.po_number,
        "terms": invoice.terms,
        "currency": invoice.currency,
        "issued_on": invoice.issued_on.isoformat(),
        "due_on": invoice.due_on.isoformat(),
        "paid_on": invoice.paid_on.isoformat() if invoice.paid_on else None,
        "status": invoice.status.value,
        "status_word": invoice.status_word,
        "paused": invoice.paused,
        "deleted": invoice.deleted,
        "total": invoice.total.minor,
        "settled": invoice.settled.minor,
        "discount": invoice.discount.minor if invoice.discount is not None else None,
        "contact_email": invoice.contact_email,
        "lines": [line_of(line) for line in invoice.lines],
        "settlements": [
            {
                "kind": each.kind.value,
                "document": each.document_number,
                "amount": each.amount.minor,
                "on": each.on.isoformat(),
                "reference": each.reference,
            }
            for each in invoice.settlements
        ],
        "seen": _seen(invoice),
    }


_CHANGED = f"""
SELECT r.erp_id FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS r(customer text, {_listed(_INVOICE, "{0} {1}")})
LEFT JOIN customers c ON c.connection_id = :connection AND c.erp_id = r.customer
LEFT JOIN invoices i ON i.connection_id = :connection AND i.erp_id = r.erp_id
WHERE i.id IS NULL OR i.customer_id IS DISTINCT FROM c.id
   OR ({_listed(_INVOICE, "i.{0}")}) IS DISTINCT FROM ({_listed(_INVOICE, "r.{0}")})"""

_SEEN = """
WITH r AS (SELECT i.id, i.customer_id, t.seen FROM {source}
           JOIN invoices i ON i.connection_id = :connection AND i.erp_id = t.erp_id WHERE i.id = ANY(:taken)),
     gone AS (DELETE FROM snapshot_seen n USING r WHERE n.invoice_id = r.id AND NOT r.seen ? n.payment_id)
INSERT INTO snapshot_seen (invoice_id, payment_id, customer_id, amount)
SELECT r.id, k.key, r.customer_id, cast(k.value AS bigint) FROM r, jsonb_each_text(r.seen) k
ON CONFLICT (invoice_id, payment_id) DO UPDATE SET amount = excluded.amount"""

# An ERP that has forgotten whose it was says only that it is gone: what was known of it stays, and nothing is settled there.
_GONE = """
UPDATE invoices i SET deleted = true, settled = 0, settlements = '[]', read_seq = :seq, changed_at = :at
WHERE i.connection_id = :connection AND i.erp_id = ANY(:gone) AND i.read_seq < :seq AND NOT i.deleted RETURNING i.id"""

# Either side may come first: a parent finds the children that waited for it.
_PARENTS = """
UPDATE invoices i SET parent_id = p.id FROM invoices p
WHERE i.connection_id = :connection AND p.connection_id = :connection AND p.erp_id = i.parent_erp_id
  AND (i.id = ANY(:taken) OR p.id = ANY(:taken)) AND i.parent_id IS DISTINCT FROM p.id"""


async def known_customers(tx: Transaction, erp_ids: Sequence[str], *, connection_id: str) -> frozenset[str]:
    """Which of these customers were taken in before."""
    rows = await tx.rows(
        "SELECT erp_id FROM customers WHERE connection_id = :connection AND erp_id = ANY(:all)",
        connection=connection_id,
        all=list(erp_ids),
    )
    return frozenset(row.erp_id for row in rows)


async def changed(tx: Transaction, rows: Sequence[ErpInvoice], *, connection_id: str) -> Sequence[ErpInvoice]:
    """Those that are new, or that say something else than what is stored. For sources that tell everything each time."""
    encoded = json.dumps([row_of(each) for each in rows])
    found = await tx.rows(_CHANGED, rows=encoded, connection=connection_id)
    differing = {row.erp_id for row in found}
    return [each for each in rows if each.erp_id in differing]


async def take(
    tx: Transaction, rows: Sequence[ErpInvoice], read_seq: int, *, connection_id: str, at: datetime
) -> Sequence[str]:
    """Apply invoice rows that were read after `read_seq` was drawn. Answers the ids that were written: what says nothing new
    is not, so that reading everything again costs no more than the reading.

    Rows of customers not taken in yet are left out: the caller takes customers first.
    """
    if not rows:
        return []
    told = {each.erp_id: row_of(each) for each in rows}  # of one that is told twice, the last word counts
    source, values = await arrive(tx, "invoices", TOLD, list(told.values()))
    values = {**values, "connection": connection_id}
    written = list(await tx.rows(_ADD.format(source=source), seq=read_seq, at=at, **values)) if len(told) >= MANY else []
    if len(written) < len(told):
        await tx.rows(_LOCK.format(source=source), **values)
        written += await tx.rows(_TAKE.format(source=source), seq=read_seq, at=at, **values)
    taken = [row.id for row in written]
    # A row that was inserted has nothing of ours on it: of those only what was told itself can be wrong.
    known = [row.id for row in written if row.id != told[row.erp_id]["id"]]
    overpaid = {each.erp_id for each in rows if each.settled.minor > each.total.minor}
    if known or any(each["seen"] for each in told.values()):
        await tx.run(_SEEN.format(source=source), taken=taken, **values)
    if gone := [each.erp_id for each in rows if each.is_forgotten]:
        forgotten = [row.id for row in await tx.rows(_GONE, connection=connection_id, gone=gone, seq=read_seq, at=at)]
        await tx.run("DELETE FROM snapshot_seen WHERE invoice_id = ANY(:ids)", ids=forgotten)
        taken, known = [*taken, *forgotten], [*known, *forgotten]
    if any(each.parent_erp_id is not None or each.is_parent for each in rows):
        await tx.run(_PARENTS, connection=connection_id, taken=taken)
    await note_differences(tx, [*known, *(row.id for row in written if row.erp_id in overpaid)], at=at)
    await wanted.serve(tx, known, erp=connection_id, at=at)
    return taken


async def note_differences(tx: Transaction, invoice_ids: Sequence[str], *, at: datetime) -> None:
    """Open or close the differences of these invoices: paid twice, held above open, our confirmed money edited.

    `overpaid`: our money and the ERP's together exceed the total. `hold_exceeds_open`: a payment in flight reserves
    more than is open now. `edited_in_erp`: everything of ours is confirmed and the ERP shows another amount.
    """
    if not invoice_ids:
        return
    found = await tx.rows(
        """SELECT b.id, b.customer_id, b.currency, 'overpaid' AS kind,
            -b.open AS amount FROM balances b WHERE b.id = ANY(:ids) AND b.open < 0
           UNION ALL
           SELECT b.id, b.customer_id, b.currency, 'hold_exceeds_open', b.held - greatest(b.open, 0) FROM balances b
           WHERE b.id = ANY(:ids) AND b.held > greatest(b.open, 0)
           UNION ALL
           SELECT i.id, i.customer_id, i.currency, 'edited_in_erp', sum(g.net - g.seen)::bigint FROM invoices i
           JOIN LATERAL (SELECT a.payment_id, sum(a.amount) AS net,
                                coalesce((SELECT n.amount FROM snapshot_seen n WHERE n.invoice_id = i.id AND
                                    n.payment_id = a.payment_id), 0) AS seen
                         FROM allocations a JOIN postings p ON p.id = a.posting_id
                         WHERE a.invoice_id = i.id AND a.payment_id IS NOT NULL GROUP BY a.payment_id
                         HAVING bool_and(coalesce(p.confirmed_seq < i.read_seq, false))) g ON g.net <> g.seen
           WHERE i.id = ANY(:ids) GROUP BY i.id, i.customer_id, i.currency HAVING sum(abs(g.net - g.seen)) <> 0""",
        ids=list(invoice_ids),
    )
    await tx.run(
        """UPDATE differences d SET closed_at = :at WHERE d.invoice_id = ANY(:ids) AND d.closed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM unnest(cast(:invoices AS text[]), cast(:kinds AS text[])) AS f(id, kind)
                           WHERE f.id = d.invoice_id AND f.kind = d.kind)""",
        at=at,
        ids=list(invoice_ids),
        invoices=[row.id for row in found],
        kinds=[row.kind for row in found],
    )
    for row in found:
        await tx.run(
            """INSERT INTO differences (id, kind, invoice_id, customer_id, amount, currency, opened_at)
               VALUES (:id, :kind, :invoice, :customer, :amount, :currency, :at)
               ON CONFLICT (kind, invoice_id) WHERE closed_at IS NULL AND invoice_id IS NOT NULL DO UPDATE SET amount
                   = excluded.amount""",
            id=fresh_id("dif"),
            kind=row.kind,
            invoice=row.id,
            customer=row.customer_id,
            amount=row.amount,
            currency=row.currency,
            at=at,
        )
