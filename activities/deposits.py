"""Deposits: each payout that was paid is looked for on the bank account in an ERP's books, once the ERP shows the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from connectors.erp.ports import ErpDeposit, LedgerErp, ReadsDeposits
from domain.differences import DifferenceKind
from domain.payouts import PayoutState, judge_deposit
from store import differences, payouts
from store.database import Database
from store.differences import Found
from store.payouts import Deposited

DEPOSITS: Final = (DifferenceKind.DEPOSIT_MISSING, DifferenceKind.DEPOSIT_AMOUNT)
LOOKED_FOR: Final = timedelta(days=60)


class Deposits:
    """Compares with one ERP at a time. Raises ConnectorError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def compare(self, erp: LedgerErp, connection_id: str) -> int:
        """How many payouts and deposits differ; 0 where the ERP shows no deposits.

        An ERP in whose books nobody enters deposits is not asked to have any: what arrived before the first is not missed.
        """
        if not isinstance(erp, ReadsDeposits):
            return 0
        at, kinds = self._clock(), [each.value for each in DEPOSITS]
        async with self._database.begin("deposits.wanted") as tx:
            wanted = await payouts.to_deposit(tx, connection_id, since=(at - LOOKED_FOR).date(), kinds=kinds)
        if not wanted:
            return 0
        shown: dict[str, list[ErpDeposit]] = {}
        for deposit in await erp.deposits_of([each.payout.provider_id for each in wanted]):
            shown.setdefault(deposit.reference, []).append(deposit)
        async with self._database.begin("deposits.judge") as tx:
            for each in wanted:
                told = _deposit(each, shown.get(each.payout.provider_id, ()))
                await payouts.keep_deposit(tx, each, told, erp=connection_id)
            first = await payouts.first_deposit(tx, connection_id)
            for provider in sorted({each.connection_id for each in wanted}):
                found = [
                    judged
                    for each in wanted
                    if each.connection_id == provider
                    and (judged := _found(each, shown.get(each.payout.provider_id, ()), first)) is not None
                ]
                items = [each.payout.provider_id for each in wanted if each.connection_id == provider]
                await differences.keep(tx, found, connection_id=provider, at=at)
                await differences.agree(tx, items, DEPOSITS, found, at=at)
        return sum(_found(each, shown.get(each.payout.provider_id, ()), first) is not None for each in wanted)


def _deposit(wanted: Deposited, shown: Sequence[ErpDeposit]) -> tuple[str, int, str] | None:
    """Their documents and their sum, in the payout's currency as far as there is one in it."""
    if not shown:
        return None
    currency = wanted.payout.amount.currency
    alike = [each for each in shown if each.amount.currency == currency] or shown[:1]
    documents = ", ".join(each.erp_id for each in shown)
    return documents, sum(each.amount.minor for each in alike), alike[0].amount.currency


def _found(wanted: Deposited, shown: Sequence[ErpDeposit], first: date | None) -> Found | None:
    payout = wanted.payout
    arrived = payout.arrives_on or payout.made_at.date()
    # What a bank sent back leaves the books again, which is a person's work: only what stands is judged.
    if payout.state is not PayoutState.PAID or (not shown and (first is None or arrived < first)):
        return None
    judged = judge_deposit(payout.amount, [each.amount for each in shown])
    if judged is None:
        return None
    facts = {**judged.facts, "payout": payout.provider_id}
    return Found(kind=judged.kind, item=payout.provider_id, amount=judged.amount, facts=facts)
