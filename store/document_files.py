"""The ERP's own PDFs, kept as what one version of a document looked like. The version is the read that Duly has of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from store.database import Transaction

LARGEST_BYTES: Final = 5 * 1024 * 1024
"""A larger file is not kept: Duly's own is given instead."""
_VERSIONS: Final = """(
    SELECT i.id, i.customer_id, i.connection_id, i.erp_id, i.read_seq AS version, 'invoice' AS kind FROM invoices i
    WHERE i.id = ANY(:ids) AND NOT i.deleted
    UNION ALL
    SELECT k.id, k.customer_id, k.connection_id, k.erp_id, k.read_seq, k.kind FROM credits k
    WHERE k.id = ANY(:ids) AND NOT k.deleted AND k.payment_id IS NULL)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A document whose PDF nobody has asked the ERP for in this version. `kind` is 'invoice' or a credit's."""

    id: str
    customer_id: str
    connection_id: str
    erp_id: str
    version: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Which documents the ERP's own file is kept of, and which it was never asked about, each in their present version."""

    there: frozenset[str]
    unasked: frozenset[str]


async def kept(tx: Transaction, document_ids: Sequence[str]) -> Kept:
    """What is known of these documents' files, of those that may be seen in `tx`."""
    rows = await tx.rows(
        f"""SELECT v.id, d.state FROM {_VERSIONS} v
            LEFT JOIN erp_documents d ON d.document_id = v.id AND d.version = v.version""",
        ids=list(document_ids),
    )
    return Kept(
        there=frozenset(row.id for row in rows if row.state == "kept"),
        unasked=frozenset(row.id for row in rows if row.state is None),
    )


async def content(tx: Transaction, document_id: str) -> bytes | None:
    """The file of the present version; None where there is none, or where it is not what was written down."""
    row = await tx.row(
        f"""SELECT d.content, d.digest FROM {_VERSIONS} v
            JOIN erp_documents d ON d.document_id = v.id AND d.version = v.version AND d.state = 'kept'""",
        ids=[document_id],
    )
    if row is None or hashlib.sha256(row.content).hexdigest() != row.digest:
        return None
    return bytes(row.content)


async def wanted(tx: Transaction, document_ids: Sequence[str]) -> Sequence[Wanted]:
    """Those that the ERP was not asked about in their present version."""
    rows = await tx.rows(
        f"""SELECT v.* FROM {_VERSIONS} v
            WHERE NOT EXISTS (SELECT 1 FROM erp_documents d WHERE d.document_id = v.id AND d.version = v.version)
            ORDER BY v.id""",
        ids=list(document_ids),
    )
    return [
        Wanted(
            id=row.id,
            customer_id=row.customer_id,
            connection_id=row.connection_id,
            erp_id=row.erp_id,
            version=row.version,
            kind=row.kind,
        )
        for row in rows
    ]


async def keep(tx: Transaction, each: Wanted, file: bytes | None, *, at: datetime) -> None:
    """Keep the file of a version, or (None) that the ERP has none. An older version never replaces a newer one.

    What is no PDF, or larger than LARGEST_BYTES, is as if there was none.
    """
    fits = file is not None and file.startswith(b"%PDF-") and len(file) <= LARGEST_BYTES
    await tx.run(
        """INSERT INTO erp_documents AS d (document_id, customer_id, version, state, content, size, digest, kept_at)
           VALUES (:id, :customer, :version, :state, :content, :size, :digest, :at)
           ON CONFLICT (document_id) DO UPDATE SET customer_id = excluded.customer_id, version = excluded.version,
               state = excluded.state, content = excluded.content, size = excluded.size, digest = excluded.digest,
               kept_at = excluded.kept_at
           WHERE d.version < excluded.version""",
        id=each.id,
        customer=each.customer_id,
        version=each.version,
        state="kept" if fits else "none",
        content=file if fits else None,
        size=len(file) if fits and file is not None else 0,
        digest=hashlib.sha256(file).hexdigest() if fits and file is not None else None,
        at=at,
    )
