"""Documents on their way to an ERP (G5): where to, their ids there, how often, why not, and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from store.database import Transaction
from store.views.staff import shaped

# Only what waits asks what it waits behind: an earlier document that shares an invoice or a payment with it.
_POSTINGS: Final = """
    SELECT q.*, coalesce(e.title, q.connection_id) AS erp, b.id AS behind, b.payment_id AS behind_payment_id
    FROM postings q LEFT JOIN connections e ON e.id = q.connection_id
    LEFT JOIN LATERAL (
        SELECT o.id, o.payment_id FROM postings o
        WHERE q.confirmed_seq IS NULL AND q.ignored_at IS NULL AND o.connection_id = q.connection_id
          AND o.confirmed_seq IS NULL AND o.ignored_at IS NULL AND o.seq < q.seq AND o.docs && q.docs
        ORDER BY o.seq LIMIT 1) b ON true"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingFacts:
    """One document for an ERP. `erp` is the connection's title; amounts are minor units; `looks` is how often it was asked
    for since it was sent; `behind` is an earlier document that must be through first.
    """

    id: str
    kind: str
    payment_id: str | None
    request_id: str | None
    customer_id: str
    connection_id: str
    erp: str
    state: str
    amount: int
    currency: str | None
    attempts: int
    looks: int
    look_at: datetime | None
    erp_number: str | None
    erp_id: str | None
    error_code: str | None
    error_text: str | None
    queued_at: datetime
    sent_at: datetime | None
    confirmed_at: datetime | None
    ignored_at: datetime | None
    behind: str | None
    behind_payment_id: str | None

    @property
    def is_refused(self) -> bool:
        """Whether a person decides what becomes of it."""
        return self.state == "refused" and self.ignored_at is None

    @property
    def is_waiting(self) -> bool:
        """Whether it can be tried at once: nothing but time stands in its way."""
        return self.state in {"queued", "sent", "unknown"} and self.ignored_at is None and self.behind is None


async def of_payment(tx: Transaction, payment_id: str) -> Sequence[PostingFacts]:
    """The documents of a payment, its refunds' and applications' too, in the order in which they were queued."""
    rows = await tx.rows(f"{_POSTINGS} WHERE q.payment_id = :id ORDER BY q.seq", id=payment_id)
    return [shaped(PostingFacts, row) for row in rows]


async def of_request(tx: Transaction, request_id: str) -> Sequence[PostingFacts]:
    """The documents that carry a request out, in the order in which they were queued."""
    rows = await tx.rows(f"{_POSTINGS} WHERE q.request_id = :id ORDER BY q.seq", id=request_id)
    return [shaped(PostingFacts, row) for row in rows]


async def one(tx: Transaction, posting_id: str) -> PostingFacts | None:
    """A document by our id of it, or None."""
    row = await tx.row(f"{_POSTINGS} WHERE q.id = :id", id=posting_id)
    return None if row is None else shaped(PostingFacts, row)
