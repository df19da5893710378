"""Refunds as staff see them, with the names of those who asked and agreed. Read as `duly_staff`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.database import Transaction
from store.views.staff import shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFacts:
    """A refund's row (minor units) and, of its ERP posting, the state and the document's number."""

    id: str
    payment_id: str
    customer_id: str
    amount: int
    currency: str
    state: str
    version: int
    refused_rule: str | None
    refused_facts: Mapping[str, Any]
    reason: str
    note: str
    needs_second: bool
    requested_by: str
    requested_name: str | None
    second_name: str | None
    provider_ref: str | None
    failure_code: str | None
    requested_at: datetime
    changed_at: datetime
    unknown_since: datetime | None
    last_checked_at: datetime | None
    next_check_at: datetime | None
    check_note: str | None
    erp_state: str | None
    erp_number: str | None


_REFUNDS = """SELECT r.*, coalesce(a.name, k.label) AS requested_name, b.name AS second_name,
           q.state AS erp_state, q.erp_number
    FROM refunds r LEFT JOIN staff a ON a.id = r.requested_by LEFT JOIN staff b ON b.id = r.second_by
    LEFT JOIN api_keys k ON k.id = r.requested_by
    LEFT JOIN postings q ON q.id = r.payment_id || '-refunded-' || r.id"""


async def of_payment(tx: Transaction, payment_id: str) -> Sequence[RefundFacts]:
    """A payment's refunds, the newest first; those that a rule of ours refused are not shown."""
    rows = await tx.rows(
        f"{_REFUNDS} WHERE r.payment_id = :id AND r.state <> 'refused' ORDER BY r.requested_at DESC, r.id DESC",
        id=payment_id,
    )
    return [shaped(RefundFacts, row) for row in rows]


async def one(tx: Transaction, refund_id: str) -> RefundFacts | None:
    """A refund, refused ones too; None when there is none of that id."""
    row = await tx.row(f"{_REFUNDS} WHERE r.id = :id", id=refund_id)
    return None if row is None else shaped(RefundFacts, row)
