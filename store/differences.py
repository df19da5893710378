"""Differences that are not an invoice's: what a process and the other side disagree about, until a person has looked."""

from __future__ import annotations

from datetime import datetime

from domain.money import Money
from store.database import Transaction
from store.identity import fresh_id


async def open_of_process(
    tx: Transaction, process_id: str, customer_id: str, *, kind: str, amount: Money, at: datetime
) -> None:
    """Open a difference, once for each process and kind; its amount is what the other side shows beyond ours."""
    await tx.run(
        """INSERT INTO differences (id, kind, process_id, customer_id, amount, currency, opened_at)
           SELECT :id, :kind, :process, :customer, :amount, :currency, :at
           WHERE NOT EXISTS (SELECT 1 FROM differences d
                             WHERE d.process_id = :process AND d.kind = :kind AND d.closed_at IS NULL)""",
        id=fresh_id("dif"),
        kind=kind,
        process=process_id,
        customer=customer_id,
        amount=amount.minor,
        currency=amount.currency,
        at=at,
    )
