"""Our side of an ERP's control totals: what its customers owe by what was read of it, without anything of our own.

An ERP tells its sums as they are now; these are of what it told last, and a sum that differs is a row that was missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from domain.differences import DifferenceKind
from store.database import Transaction

Key = tuple[str, str]
"""The ERP's id of a customer, and a currency."""

INVOICES_MOST: Final = 1_000
"""Of a customer whose sum differs so many are read again one by one, the newest first."""


class Owed(NamedTuple):
    """How many open invoices, and what is open of them in minor units."""

    invoices: int
    open: int


_IS_ONE: Final = "NOT i.deleted AND i.status NOT IN ('draft', 'void')"
_STANDING: Final = f"i.connection_id = :connection AND NOT i.is_parent AND {_IS_ONE}"


async def owed(tx: Transaction, connection_id: str) -> Mapping[Key, Owed]:
    """By customer and currency, those who owe nothing left out."""
    rows = await tx.rows(
        f"""SELECT c.erp_id, i.currency, count(*) AS invoices, sum(i.total - i.settled)::bigint AS open
            FROM invoices i JOIN customers c ON c.id = i.customer_id
            WHERE {_STANDING} AND i.status NOT IN ('written_off', 'closed') AND i.total > i.settled
            GROUP BY c.erp_id, i.currency""",
        connection=connection_id,
    )
    return {(row.erp_id, row.currency): Owed(row.invoices, row.open) for row in rows}


async def receivables(tx: Transaction, connection_id: str) -> Mapping[str, int]:
    """By currency: what is left of all invoices, less what is left of payments and credits: the ledger's account ought to
    show the same. Of an invoice that is none any more, money that still lies on it is left.
    """
    rows = await tx.rows(
        f"""SELECT currency, sum(amount)::bigint AS amount FROM (
                SELECT i.currency, CASE WHEN {_IS_ONE} THEN i.total ELSE 0 END - i.settled AS amount FROM invoices i
                WHERE i.connection_id = :connection AND NOT i.is_parent
                UNION ALL
                SELECT k.currency, k.used - k.total FROM credits k
                WHERE k.connection_id = :connection AND k.payment_id IS NULL AND NOT k.deleted
                UNION ALL
                SELECT p.currency, -p.unapplied FROM erp_payments p
                WHERE p.connection_id = :connection AND p.stands AND p.reference IS NOT NULL) each GROUP BY currency""",
        connection=connection_id,
    )
    return {row.currency: row.amount for row in rows}


async def invoices_of(tx: Transaction, connection_id: str, customer_erp_id: str) -> Sequence[str]:
    """The ERP's ids of a customer's invoices, the newest first."""
    rows = await tx.rows(
        """SELECT i.erp_id FROM invoices i JOIN customers c ON c.id = i.customer_id
           WHERE c.connection_id = :connection AND c.erp_id = :customer ORDER BY i.issued_on DESC, i.id LIMIT :most""",
        connection=connection_id,
        customer=customer_erp_id,
        most=INVOICES_MOST,
    )
    return [row.erp_id for row in rows]


async def ours(tx: Transaction, connection_id: str, customer_erp_ids: Sequence[str]) -> Mapping[str, str]:
    """Our ids of customers, by the ERP's."""
    rows = await tx.rows(
        "SELECT id, erp_id FROM customers WHERE connection_id = :connection AND erp_id = ANY(:all)",
        connection=connection_id,
        all=list(customer_erp_ids),
    )
    return {row.erp_id: row.id for row in rows}


async def still_open(tx: Transaction, connection_id: str, kind: DifferenceKind) -> Sequence[str]:
    """What was found to differ before, by its item."""
    rows = await tx.rows(
        "SELECT item FROM differences WHERE connection_id = :connection AND kind = :kind AND closed_at IS NULL",
        connection=connection_id,
        kind=kind.value,
    )
    return [row.item for row in rows if row.item is not None]
