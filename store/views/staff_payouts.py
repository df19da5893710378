"""What staff see of payouts: the list, and one with the parts that it is the sum of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from store.database import Transaction
from store.views.staff import shaped

SHOWN = 100
PARTS_SHOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLine:
    """A payout with the sums of its parts, in minor units: charges + refunds + disputes + adjustments - fees = net, which is
    its amount where nothing is missing. `differing`: open differences about it or its parts.
    """

    connection_id: str
    provider_id: str
    amount: int
    currency: str
    state: str
    made_at: datetime
    arrives_on: date | None
    is_itemised: bool
    deposit_erp: str | None
    deposit_document: str | None
    deposit_amount: int | None
    deposit_currency: str | None
    parts: int
    charges: int
    refunds: int
    disputes: int
    adjustments: int
    fees: int
    net: int
    differing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLine:
    """One part, and what is ours of it; amounts in minor units of the payout's currency."""

    provider_id: str
    kind: str
    gross: int
    fee: int
    net: int
    currency: str
    payment_id: str | None
    refund_id: str | None
    customer_name: str | None
    difference_id: str | None
    difference_kind: str | None


_PAYOUT = """
SELECT p.connection_id, p.provider_id, p.amount, p.currency, p.state, p.made_at, p.arrives_on, p.is_itemised, p.deposit_erp,
       p.deposit_document, p.deposit_amount, p.deposit_currency, s.parts, s.charges, s.refunds, s.disputes, s.adjustments,
       s.fees, s.net,
       (SELECT count(*) FROM differences d WHERE d.connection_id = p.connection_id AND d.closed_at IS NULL
        AND (d.item = p.provider_id OR d.facts ->> 'payout' = p.provider_id)) AS differing
FROM payouts p CROSS JOIN LATERAL (
    SELECT count(*) AS parts,
           coalesce(sum(i.gross) FILTER (WHERE i.kind = 'charge'), 0)::bigint AS charges,
           coalesce(sum(i.gross) FILTER (WHERE i.kind = 'refund'), 0)::bigint AS refunds,
           coalesce(sum(i.gross) FILTER (WHERE i.kind = 'dispute'), 0)::bigint AS disputes,
           coalesce(sum(i.gross) FILTER (WHERE i.kind = 'adjustment'), 0)::bigint AS adjustments,
           (coalesce(sum(i.fee), 0) - coalesce(sum(i.gross) FILTER (WHERE i.kind = 'fee'), 0))::bigint AS fees,
           coalesce(sum(i.net), 0)::bigint AS net
    FROM payout_items i WHERE i.connection_id = p.connection_id AND i.payout_id = p.provider_id
      AND i.currency = p.currency) s"""


async def lines(tx: Transaction) -> Sequence[PayoutLine]:
    """The newest first; one more than is shown where there are more."""
    rows = await tx.rows(f"{_PAYOUT} ORDER BY p.made_at DESC, p.provider_id LIMIT {SHOWN + 1}")
    return [shaped(PayoutLine, row) for row in rows]


async def one(tx: Transaction, connection_id: str, provider_id: str) -> PayoutLine | None:
    """A payout, or None."""
    row = await tx.row(
        f"{_PAYOUT} WHERE p.connection_id = :connection AND p.provider_id = :id", connection=connection_id, id=provider_id
    )
    return None if row is None else shaped(PayoutLine, row)


async def parts(tx: Transaction, connection_id: str, provider_id: str) -> Sequence[PartLine]:
    """Its parts: those that differ first, then the largest; one more than is shown where there are more."""
    rows = await tx.rows(
        f"""SELECT i.provider_id, i.kind, i.gross, i.fee, i.net, i.currency, i.payment_id, i.refund_id,
                   c.name AS customer_name, d.id AS difference_id, d.kind AS difference_kind
            FROM payout_items i
            LEFT JOIN payments p ON p.id = i.payment_id LEFT JOIN refunds r ON r.id = i.refund_id
            LEFT JOIN customers c ON c.id = coalesce(p.customer_id, r.customer_id)
            LEFT JOIN LATERAL (SELECT x.id, x.kind FROM differences x WHERE x.item = i.provider_id
                               AND x.connection_id = i.connection_id AND x.closed_at IS NULL ORDER BY x.id LIMIT 1) d ON true
            WHERE i.connection_id = :connection AND i.payout_id = :id
            ORDER BY d.id IS NULL, abs(i.gross) DESC, i.provider_id LIMIT {PARTS_SHOWN + 1}""",
        connection=connection_id,
        id=provider_id,
    )
    return [shaped(PartLine, row) for row in rows]
