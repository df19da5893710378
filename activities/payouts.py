"""Payouts: what a provider paid out is read; each part is looked for among what is ours, each payment among the parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from activities.providers import Providers
from connectors.payments.payouts import ListsPayouts, PayoutItem, ProviderPayout
from domain.differences import DifferenceKind
from domain.payouts import Part, PayoutState, judge_payout
from store import differences, payouts
from store.database import Database
from store.differences import Found
from store.payouts import Item, Payout

OF_PAYOUTS: Final = (DifferenceKind.PAYOUT_INCOMPLETE, DifferenceKind.PAYOUT_OF_STRANGERS)
OF_PARTS: Final = (DifferenceKind.PAID_OUT_AMOUNT, DifferenceKind.PAID_OUT_AGAIN, DifferenceKind.TAKEN_BACK_UNKNOWN)
LOOKED_AGAIN: Final = timedelta(days=14)
"""A bank may send a payout back some days after it was paid."""
OVERLAP: Final = timedelta(days=2)
MORE_THAN_ONE_LOOK: Final = 1000


class Payouts:
    """Compares with one provider at a time. Raises ConnectorError."""

    def __init__(self, database: Database, providers: Providers, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock

    async def compare(self, connection_id: str, *, since: datetime) -> int:
        """How many differences there are; 0 where the provider tells no payouts. `since` is for the very first look."""
        provider = self._providers.lists_payouts(connection_id)
        if provider is None:
            return 0
        begun_at = self._clock()
        await self._read_new(provider, connection_id, since=since)
        async with self._database.begin("payouts.to_read") as tx:
            kinds = [each.value for each in (*OF_PAYOUTS, *OF_PARTS)]
            wanted = await payouts.to_read(tx, connection_id, since=begun_at - LOOKED_AGAIN, kinds=kinds)
        found = 0
        for known, is_whole in wanted:
            found += await self._judge(provider, connection_id, known, is_whole=is_whole)
        return found + await self._look_for_payments(provider, connection_id, at=begun_at)

    async def _read_new(self, provider: ListsPayouts, connection_id: str, *, since: datetime) -> None:
        async with self._database.begin("payouts.reading") as tx:
            reading = await payouts.reading(tx, connection_id)
        begun = since if reading is None else reading.since
        cursor = None if reading is None else reading.cursor
        for _ in range(MORE_THAN_ONE_LOOK):
            at = self._clock()
            page = await provider.payouts_after(cursor, since=begun)
            async with self._database.begin("payouts.take") as tx:
                await payouts.take(tx, connection_id, [_stored(each) for each in page.payouts], at=at)
                await payouts.keep_cursor(tx, connection_id, page.cursor, since=begun, at=at)
            if not page.has_more:
                return
            cursor = page.cursor

    async def _judge(self, provider: ListsPayouts, connection_id: str, known: Payout, *, is_whole: bool) -> int:
        """A payout as it stands now: its parts are read until they sum up to it, and judged by what is ours."""
        at = self._clock()
        told = await provider.find_payout(known.provider_id)
        # What was there once and is not told any more is judged by what was read of it.
        payout = known if told is None else _stored(told)
        is_read = is_whole and payout.amount == known.amount
        items: Sequence[PayoutItem] = ()
        if payout.is_itemised and not is_read:
            items = await provider.payout_items(known.provider_id)
        async with self._database.begin("payouts.judge") as tx:
            await payouts.take(tx, connection_id, [payout], at=at)
            await payouts.take_items(tx, connection_id, payout.provider_id, [_item(each) for each in items])
            parts = (await payouts.parts(tx, connection_id, [payout.provider_id]))[payout.provider_id]
            found = _found(payout, parts) if payout.is_itemised else []
            await differences.keep(tx, found, connection_id=connection_id, at=at)
            await differences.agree(tx, [payout.provider_id], OF_PAYOUTS, found, at=at)
            await differences.agree(tx, [each.provider_id for each in parts], OF_PARTS, found, at=at)
        return len(found)

    async def _look_for_payments(self, provider: ListsPayouts, connection_id: str, *, at: datetime) -> int:
        """Payments that the provider ought to have paid out by now, and did not."""
        kind = DifferenceKind.NOT_PAID_OUT
        before = at - provider.pays_out_within
        async with self._database.begin("payouts.look") as tx:
            reading = await payouts.reading(tx, connection_id)
            assert reading is not None, "it was read a moment ago"
            since = reading.since
            if reading.judged_at is not None:
                since = max(since, reading.judged_at - provider.pays_out_within - OVERLAP)
            unpaid, looked_at = await payouts.not_paid_out(tx, connection_id, since=since, before=before, kind=kind.value)
            found = [
                Found(
                    kind=kind,
                    item=each.payment_id,
                    amount=-each.amount,
                    customer_id=each.customer_id,
                    process_id=each.payment_id,
                )
                for each in unpaid
            ]
            await differences.keep(tx, found, connection_id=connection_id, at=at)
            await differences.agree(tx, looked_at, [kind], found, at=at)
            await payouts.judged(tx, connection_id, at=at)
        return len(found)


def _found(payout: Payout, parts: Sequence[Part]) -> list[Found]:
    found = []
    for judged in judge_payout(payout.amount, parts):
        ours = None if judged.part is None else judged.part.ours
        found.append(
            Found(
                kind=judged.found.kind,
                item=payout.provider_id if judged.part is None else judged.part.provider_id,
                amount=judged.found.amount,
                customer_id=None if ours is None else ours.customer_id,
                process_id=None if ours is None else ours.process_id,
                facts={**judged.found.facts, "payout": payout.provider_id},
            )
        )
    return found


def _stored(payout: ProviderPayout) -> Payout:
    return Payout(
        provider_id=payout.provider_id,
        amount=payout.amount,
        state=PayoutState(payout.state),
        made_at=payout.made_at,
        arrives_on=payout.arrives_on,
        is_itemised=payout.is_itemised,
    )


def _item(item: PayoutItem) -> Item:
    return Item(
        provider_id=item.provider_id,
        kind=item.kind,
        source_id=item.source_id,
        our_ref=item.our_ref,
        gross=item.gross,
        fee=item.fee,
        net=item.net,
        taken=item.gross if item.taken is None else item.taken,
    )
