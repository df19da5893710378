"""Payouts and their parts: stored once by the provider's ids, joined to what is ours; and what is not paid out at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from domain.money import Money
from domain.payouts import Ours, Part, PayoutPart, PayoutState
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """A payout as it was read last."""

    provider_id: str
    amount: Money
    state: PayoutState
    made_at: datetime
    arrives_on: date | None
    is_itemised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One part as it was read: amounts in the payout's currency, `taken` in the customer's."""

    provider_id: str
    kind: PayoutPart
    source_id: str | None
    our_ref: str | None
    gross: Money
    fee: Money
    net: Money
    taken: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaid:
    """A payment that succeeded and is in no payout."""

    payment_id: str
    customer_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a provider's list was read: since when at all, and until when payments were looked for in it."""

    cursor: str | None
    since: datetime
    judged_at: datetime | None


async def reading(tx: Transaction, connection_id: str) -> Reading | None:
    """Where the last look at a provider's list ended; None before the first."""
    row = await tx.row("SELECT cursor, since, judged_at FROM payout_cursors WHERE connection_id = :id", id=connection_id)
    return None if row is None else Reading(cursor=row.cursor, since=row.since, judged_at=row.judged_at)


async def judged(tx: Transaction, connection_id: str, *, at: datetime) -> None:
    """A look came to its end: what succeeded long enough before is in a payout, or is a difference."""
    await tx.run("UPDATE payout_cursors SET judged_at = :at WHERE connection_id = :id", id=connection_id, at=at)


async def keep_cursor(tx: Transaction, connection_id: str, cursor: str | None, *, since: datetime, at: datetime) -> None:
    """Where a look ended. The first one's beginning stays; one that was slower than another takes nothing back."""
    await tx.run(
        """INSERT INTO payout_cursors AS c (connection_id, cursor, since, read_at) VALUES (:id, :cursor, :since, :at)
           ON CONFLICT (connection_id) DO UPDATE SET cursor = excluded.cursor, read_at = excluded.read_at
           WHERE c.read_at <= excluded.read_at""",
        id=connection_id,
        cursor=cursor,
        since=since,
        at=at,
    )


async def take(tx: Transaction, connection_id: str, payouts: Sequence[Payout], *, at: datetime) -> None:
    """Store payouts as they stand; one that is there has its state, its day and its amount brought up to date."""
    for each in payouts:
        await tx.run(
            """INSERT INTO payouts AS p (connection_id, provider_id, amount, currency, state, made_at, arrives_on,
                                         is_itemised, first_read_at, read_at)
               VALUES (:connection, :id, :amount, :currency, :state, :made, :arrives, :itemised, :at, :at)
               ON CONFLICT (connection_id, provider_id) DO UPDATE SET amount = excluded.amount, state = excluded.state,
                   currency = excluded.currency, arrives_on = excluded.arrives_on, is_itemised = excluded.is_itemised,
                   read_at = excluded.read_at
               WHERE p.read_at <= excluded.read_at""",
            connection=connection_id,
            id=each.provider_id,
            amount=each.amount.minor,
            currency=each.amount.currency,
            state=each.state.value,
            made=each.made_at,
            arrives=each.arrives_on,
            itemised=each.is_itemised,
            at=at,
        )


_TAKE_ITEMS: Final = """
INSERT INTO payout_items (connection_id, provider_id, payout_id, kind, source_id, our_ref, gross, fee, net, currency, taken,
                          taken_currency)
SELECT :connection, t.id, :payout, t.kind, t.source, t.ref, t.gross, t.fee, t.net, t.currency, t.taken, t.taken_currency
FROM unnest(cast(:ids AS text[]), cast(:kinds AS text[]), cast(:sources AS text[]), cast(:refs AS text[]),
            cast(:gross AS bigint[]), cast(:fee AS bigint[]), cast(:net AS bigint[]), cast(:currencies AS text[]),
            cast(:taken AS bigint[]), cast(:taken_currencies AS text[]))
     AS t(id, kind, source, ref, gross, fee, net, currency, taken, taken_currency)
ON CONFLICT (connection_id, provider_id) DO UPDATE SET payout_id = excluded.payout_id"""

# Ours by our reference ('pay_…:1', 'rfd_…'), else by the provider's own id of the charge or refund.
_MATCH_PAYMENTS: Final = """
UPDATE payout_items i SET payment_id = p.id FROM payments p
WHERE i.connection_id = :connection AND i.payout_id = ANY(:payouts) AND i.payment_id IS NULL
  AND i.kind IN ('charge', 'dispute') AND p.connection_id = i.connection_id
  AND p.id = coalesce((SELECT q.id FROM payments q WHERE q.id = split_part(i.our_ref, '-', 1)),
                      (SELECT q.id FROM payments q WHERE q.connection_id = i.connection_id
                       AND q.provider_ref = i.source_id))"""
_MATCH_REFUNDS: Final = """
UPDATE payout_items i SET refund_id = r.id FROM refunds r JOIN payments p ON p.id = r.payment_id
WHERE i.connection_id = :connection AND i.payout_id = ANY(:payouts) AND i.refund_id IS NULL AND i.kind = 'refund'
  AND p.connection_id = i.connection_id
  AND (r.id = i.our_ref OR (i.our_ref IS NULL AND i.source_id IS NOT NULL AND r.provider_ref = i.source_id))"""


async def take_items(tx: Transaction, connection_id: str, payout_id: str, items: Sequence[Item]) -> None:
    """Store a payout's parts, once each."""
    await tx.run(
        _TAKE_ITEMS,
        connection=connection_id,
        payout=payout_id,
        ids=[each.provider_id for each in items],
        kinds=[each.kind.value for each in items],
        sources=[each.source_id for each in items],
        refs=[each.our_ref for each in items],
        gross=[each.gross.minor for each in items],
        fee=[each.fee.minor for each in items],
        net=[each.net.minor for each in items],
        currencies=[each.net.currency for each in items],
        taken=[each.taken.minor for each in items],
        taken_currencies=[each.taken.currency for each in items],
    )


async def to_read(
    tx: Transaction, connection_id: str, *, since: datetime, kinds: Sequence[str]
) -> Sequence[tuple[Payout, bool]]:
    """Payouts that are looked at again, and whether their parts sum up to them: those under way, those read first since a
    moment (a bank may send one back), those that an open difference of `kinds` is about.
    """
    rows = await tx.rows(
        """SELECT p.*, coalesce((SELECT sum(i.net) FROM payout_items i WHERE i.connection_id = p.connection_id
                                 AND i.payout_id = p.provider_id AND i.currency = p.currency), 0) = p.amount
                  AND EXISTS (SELECT 1 FROM payout_items i WHERE i.connection_id = p.connection_id
                              AND i.payout_id = p.provider_id) AS is_whole
           FROM payouts p
           WHERE p.connection_id = :connection AND (p.state = 'pending' OR p.first_read_at >= :since OR p.provider_id IN (
               SELECT coalesce(d.facts ->> 'payout', d.item) FROM differences d
               WHERE d.connection_id = :connection AND d.closed_at IS NULL AND d.kind = ANY(:kinds)))
           ORDER BY p.made_at, p.provider_id""",
        connection=connection_id,
        since=since,
        kinds=list(kinds),
    )
    return [(_payout(row), bool(row.is_whole)) for row in rows]


def _payout(row: Any) -> Payout:
    return Payout(
        provider_id=row.provider_id,
        amount=Money.of(row.amount, row.currency),
        state=PayoutState(row.state),
        made_at=row.made_at,
        arrives_on=row.arrives_on,
        is_itemised=row.is_itemised,
    )


async def parts(tx: Transaction, connection_id: str, payout_ids: Sequence[str]) -> Mapping[str, Sequence[Part]]:
    """The parts of payouts with what is ours of each, by payout; what was not known as ours yet is looked for first."""
    await tx.run(_MATCH_PAYMENTS, connection=connection_id, payouts=list(payout_ids))
    await tx.run(_MATCH_REFUNDS, connection=connection_id, payouts=list(payout_ids))
    rows = await tx.rows(
        """SELECT i.*, p.amount AS payment_amount, p.currency AS payment_currency, p.captured, p.customer_id AS payment_of,
                  p.returned > 0 OR p.state IN ('returned', 'disputed', 'won', 'lost') AS came_back,
                  (SELECT count(*) FROM payout_items o WHERE o.payment_id = i.payment_id AND o.kind = 'charge') AS copies,
                  r.amount AS refund_amount, r.currency AS refund_currency, r.customer_id AS refund_of
           FROM payout_items i LEFT JOIN payments p ON p.id = i.payment_id LEFT JOIN refunds r ON r.id = i.refund_id
           WHERE i.connection_id = :connection AND i.payout_id = ANY(:payouts) ORDER BY i.payout_id, i.provider_id""",
        connection=connection_id,
        payouts=list(payout_ids),
    )
    found: dict[str, list[Part]] = {each: [] for each in payout_ids}
    for row in rows:
        found[row.payout_id].append(
            Part(
                provider_id=row.provider_id,
                kind=PayoutPart(row.kind),
                gross=Money.of(row.gross, row.currency),
                fee=Money.of(row.fee, row.currency),
                net=Money.of(row.net, row.currency),
                taken=Money.of(row.taken, row.taken_currency),
                ours=_ours(row),
            )
        )
    return found


def _ours(row: Any) -> Ours | None:
    if row.refund_id is not None:
        amount = -Money.of(row.refund_amount, row.refund_currency)
        return Ours(process_id=row.refund_id, customer_id=row.refund_of, amount=amount, copies=0, came_back=False)
    # A payment that took nothing, as we say, is no reason for money to be paid out.
    if row.payment_id is None or row.captured == 0:
        return None
    return Ours(
        process_id=row.payment_id,
        customer_id=row.payment_of,
        amount=Money.of(row.captured, row.payment_currency),
        copies=row.copies,
        came_back=bool(row.came_back),
    )


async def not_paid_out(
    tx: Transaction, connection_id: str, *, since: datetime, before: datetime, kind: str
) -> tuple[Sequence[Unpaid], Sequence[str]]:
    """Payments that succeeded in that time and are in no payout; and all payments of that time or of open differences of
    `kind`, which were looked at.
    """
    rows = await tx.rows(
        """SELECT p.id, p.customer_id, p.captured, p.currency,
                  EXISTS (SELECT 1 FROM payout_items i WHERE i.payment_id = p.id AND i.kind = 'charge') AS is_paid_out
           FROM payments p
           WHERE p.connection_id = :connection AND p.captured > 0
             AND (p.id IN (SELECT d.item FROM differences d WHERE d.connection_id = :connection AND d.closed_at IS NULL
                           AND d.kind = :kind)
                  OR (NOT EXISTS (SELECT 1 FROM payout_items i WHERE i.payment_id = p.id AND i.kind = 'charge')
                      AND p.changed_at >= :since
                      AND EXISTS (SELECT 1 FROM journal_entries e WHERE e.id = p.id || '/captured'
                                  AND e.booked_at >= :since AND e.booked_at < :before)))
           ORDER BY p.id""",
        connection=connection_id,
        since=since,
        before=before,
        kind=kind,
    )
    unpaid = [
        Unpaid(payment_id=row.id, customer_id=row.customer_id, amount=Money.of(row.captured, row.currency))
        for row in rows
        if not row.is_paid_out
    ]
    return unpaid, [row.id for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    """A payout that an ERP is asked about, of a provider's connection."""

    connection_id: str
    payout: Payout


async def to_deposit(tx: Transaction, erp: str, *, since: date, kinds: Sequence[str]) -> Sequence[Deposited]:
    """Payouts that were paid since a day and that no other ERP shows; those of open differences of `kinds`."""
    rows = await tx.rows(
        """SELECT p.* FROM payouts p
           WHERE (p.deposit_erp IS NULL OR p.deposit_erp = :erp) AND p.amount <> 0
             AND ((p.state = 'paid' AND coalesce(p.arrives_on, p.made_at::date) >= :since)
                  OR p.provider_id IN (SELECT d.item FROM differences d WHERE d.connection_id = p.connection_id
                                       AND d.closed_at IS NULL AND d.kind = ANY(:kinds)))
           ORDER BY p.connection_id, p.provider_id""",
        erp=erp,
        since=since,
        kinds=list(kinds),
    )
    return [Deposited(connection_id=row.connection_id, payout=_payout(row)) for row in rows]


async def keep_deposit(tx: Transaction, of: Deposited, shown: tuple[str, int, str] | None, *, erp: str) -> None:
    """What an ERP shows of a payout: the document, the amount in minor units, the currency; None where nothing."""
    document, amount, currency = shown or (None, None, None)
    await tx.run(
        """UPDATE payouts SET deposit_erp = :shows, deposit_document = :document, deposit_amount = :amount,
               deposit_currency = :currency
           WHERE connection_id = :connection AND provider_id = :id AND (deposit_erp IS NULL OR deposit_erp = :erp)""",
        shows=None if shown is None else erp,
        erp=erp,
        document=document,
        amount=amount,
        currency=currency,
        connection=of.connection_id,
        id=of.payout.provider_id,
    )


async def first_deposit(tx: Transaction, erp: str) -> date | None:
    """The day of the first payout whose deposit an ERP shows; None where it shows none."""
    row = await tx.row(
        "SELECT min(coalesce(arrives_on, made_at::date)) AS first FROM payouts WHERE deposit_erp = :erp", erp=erp
    )
    return None if row is None else row.first
