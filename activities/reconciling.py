"""Reconciling: what Duly holds is compared with what each ERP and each provider shows, item by item.

What was read of a far side only says where to look; a difference is kept after the far side was asked, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from activities.asking import Asking
from activities.deposits import Deposits
from activities.erps import erp_of
from activities.heartbeats import beating
from activities.payouts import Payouts
from activities.providers import Providers
from activities.several import of_each
from activities.totals import ControlTotals
from connectors.erp.ports import LedgerErp
from connectors.errors import ConnectorError
from connectors.payments.ports import TERMINAL_WITHOUT_MONEY, ChargeStatus, ProviderCharge
from domain.differences import DifferenceKind, Disagreement, Shown, Took, judge_charges, judge_document
from store import differences, far_checks, reconciliation, seals
from store.database import Database
from store.differences import Found
from store.far_checks import Sent
from store.reconciliation import Suspect

DOCUMENTS: Final = (
    DifferenceKind.MISSING_IN_ERP,
    DifferenceKind.DUPLICATE_IN_ERP,
    DifferenceKind.AMOUNT_IN_ERP,
    DifferenceKind.DELETED_IN_ERP,
    DifferenceKind.STANDS_IN_ERP,
    DifferenceKind.STRAY_IN_ERP,
)
CHARGES: Final = (DifferenceKind.CHARGE_MISSING, DifferenceKind.CHARGE_NOT_BOOKED)
"""Differences of charges that end by themselves once the provider shows what we hold. A second charge does not: somebody
gives it back, and it was taken all the same.
"""
PAGE: Final = 200
OVERLAP: Final = timedelta(days=1)
"""What ended this long before the last run is looked at again: it may have been on its way then."""
FIRST_LOOK: Final = timedelta(days=400)

_CERTAIN: Final = frozenset({ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.RETURNED, ChargeStatus.DISPUTED})
_NO_MONEY: Final = TERMINAL_WITHOUT_MONEY | {ChargeStatus.NEEDS_CUSTOMER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Whom a run asks: ERPs with the queue of their calls, and providers with theirs."""

    erps: Mapping[str, str | None]
    providers: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one side's comparison looked at; `problem` where it could not be asked."""

    looked_at: int
    differing: int
    problem: str | None = None


class Reconciling:
    """The activities; `erps` and what is in `providers` may be built anew meanwhile."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        erps: Mapping[str, LedgerErp],
        posters: Mapping[str, str | None],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._providers = providers
        self._asking = Asking(database, providers)
        self._totals = ControlTotals(database, clock)
        self._deposits = Deposits(database, clock)
        self._payouts = Payouts(database, providers, clock)
        self._erps = erps
        self._posters = posters
        self._clock = clock

    @activity.defn
    async def begin_reconciliation(self, run_id: str, asked_by: str) -> Sides:
        """Write the run down, and say whom to ask."""
        async with self._database.begin("reconcile.begin") as tx:
            await reconciliation.write_down(tx, run_id, asked_by=asked_by, at=self._clock())
        providers = {each: self._providers.queue_of(each) for each in self._providers.by_connection}
        return Sides(erps=dict(self._posters), providers=providers)

    @activity.defn
    async def compare_documents(self, run_id: str, connection_id: str) -> Looked:
        """Each payment's document at one ERP: where the sides differ, or a difference is open. What people entered there."""
        async with beating():
            run = await self._run(run_id, connection_id)
            looked_at, differing = 0, 0
            suspects = await self._suspects(connection_id, since=_since(run))
            try:
                for begun in range(0, len(suspects), PAGE):
                    references = suspects[begun : begun + PAGE]
                    differing += await self._judge_documents(connection_id, references)
                    looked_at += len(references)
                erp = erp_of(self._erps, connection_id)
                differing += await self._totals.compare(erp, connection_id)
                differing += await self._deposits.compare(erp, connection_id)
            except ConnectorError as error:
                unasked = Looked(looked_at=looked_at, differing=differing, problem=str(error))
                return await self._told(run_id, connection_id, unasked)
            differing += await self._compare_books(connection_id, run)
            return await self._told(run_id, connection_id, Looked(looked_at=looked_at, differing=differing))

    @activity.defn
    async def compare_charges(self, run_id: str, connection_id: str) -> Looked:
        """Each payment of one provider that ended since the last run: one charge of its amount, or none; its payouts."""
        async with beating():
            run = await self._run(run_id, connection_id)
            looked_at, differing, after = 0, 0, ""
            try:
                while True:
                    async with self._database.begin("reconcile.sent") as tx:
                        page = await far_checks.sent_since(tx, connection_id, since=_since(run), after=after, limit=PAGE)
                    if not page:
                        break
                    differing += await self._judge_charges(connection_id, page)
                    looked_at, after = looked_at + len(page), page[-1].id
                differing += await self._payouts.compare(connection_id, since=_since(run))
            except ConnectorError as error:
                unasked = Looked(looked_at=looked_at, differing=differing, problem=str(error))
                return await self._told(run_id, connection_id, unasked)
            return await self._told(run_id, connection_id, Looked(looked_at=looked_at, differing=differing))

    @activity.defn
    async def end_reconciliation(self, run_id: str) -> bool:
        """Whether all was equal. What was booked since the last seal gets one: each night, or when somebody asked."""
        async with self._database.begin("reconcile.sealed") as tx:
            await seals.seal(tx, at=self._clock())
        async with self._database.begin("reconcile.end") as tx:
            return await reconciliation.finish(tx, run_id, at=self._clock())

    async def _run(self, run_id: str, side: str) -> reconciliation.Run:
        async with self._database.begin("reconcile.run") as tx:
            return await reconciliation.load(tx, run_id, side)

    async def _told(self, run_id: str, side: str, looked: Looked) -> Looked:
        counted = {"looked_at": looked.looked_at, "differing": looked.differing}
        async with self._database.begin("reconcile.told") as tx:
            await reconciliation.count(tx, run_id, side, counted, problem=looked.problem)
        return looked

    async def _suspects(self, connection_id: str, *, since: datetime) -> Sequence[str]:
        kinds = [each.value for each in DOCUMENTS]
        async with self._database.begin("reconcile.suspects") as tx:
            if await reconciliation.listed_since(tx, connection_id) is not None:
                return await reconciliation.suspects(tx, connection_id, kinds=kinds)
            return await reconciliation.confirmed_since(tx, connection_id, since=since, kinds=kinds)

    async def _judge_documents(self, connection_id: str, references: Sequence[str]) -> int:
        erp = erp_of(self._erps, connection_id)

        async def shown(reference: str) -> Sequence[Shown]:
            return [
                Shown(erp_id=each.erp_id, number=each.number, amount=each.amount, stands=each.stands)
                for each in await erp.find_document(reference)
                if each.reference == reference
            ]

        async with self._database.begin("reconcile.held") as tx:
            before = await reconciliation.held(tx, connection_id, references)
        answers = await of_each(references, shown)
        async with self._database.begin("reconcile.documents") as tx:
            # Read again after the answer: what was written or taken back in between would look like a difference.
            after = await reconciliation.held(tx, connection_id, references)
            found = [
                judged
                for was, now, told in zip(before, after, answers, strict=True)
                if (judged := _document(now, told)) is not None and was == now
            ]
            await differences.keep(tx, found, connection_id=connection_id, at=self._clock())
            await differences.agree(tx, references, DOCUMENTS, found, at=self._clock())
        return len(found)

    async def _judge_charges(self, connection_id: str, page: Sequence[Sent]) -> int:
        async def charges(payment: Sent) -> Sequence[ProviderCharge]:
            return await self._asking.every_charge_of(connection_id, payment.id, payment.attempts)

        answers = await of_each(page, charges)
        found = [each for payment, told in zip(page, answers, strict=True) for each in _charge(payment, told)]
        async with self._database.begin("reconcile.charges") as tx:
            await differences.keep(tx, found, connection_id=connection_id, at=self._clock())
            await differences.agree(tx, [each.id for each in page], CHARGES, found, at=self._clock())
        return len(found)

    async def _compare_books(self, connection_id: str, run: reconciliation.Run) -> int:
        """What both sides' rows tell by themselves: money of ours on what is no invoice any more; payments that people
        entered, which count in what is open since they were read, and are said once.
        """
        at = self._clock()
        async with self._database.begin("reconcile.books") as tx:
            gone = [
                Found(
                    kind=DifferenceKind.PAID_THEN_VOID,
                    item=each.invoice_id,
                    amount=-each.amount,
                    customer_id=each.customer_id,
                    facts={"invoice": each.number},
                )
                for each in await reconciliation.voided(tx, connection_id)
            ]
            await differences.keep(tx, gone, connection_id=connection_id, at=at)
            await reconciliation.end_voided(tx, connection_id, [each.item for each in gone], at=at)
            loaded_at = await reconciliation.listed_since(tx, connection_id)
        if run.previous_at is not None and loaded_at is not None:
            # What lay there before it was first read, or first compared, is nobody's news.
            await self._note_foreign(connection_id, since=max(run.previous_at, loaded_at), at=at)
        return len(gone)

    async def _note_foreign(self, connection_id: str, *, since: datetime, at: datetime) -> None:
        after = ""
        while True:
            async with self._database.begin("reconcile.foreign") as tx:
                page = await reconciliation.foreign(tx, connection_id, since=since, after=after, limit=PAGE)
                told = [
                    Found(
                        kind=DifferenceKind.FOREIGN_PAYMENT,
                        item=each.erp_id,
                        amount=each.amount,
                        customer_id=each.customer_id,
                        facts={"document": each.number, **({} if each.author is None else {"author": each.author})},
                    )
                    for each in page
                ]
                await differences.note_counted(tx, told, connection_id=connection_id, at=at)
            if len(page) < PAGE:
                return
            after = page[-1].erp_id


def _since(run: reconciliation.Run) -> datetime:
    return run.started_at - FIRST_LOOK if run.previous_at is None else run.previous_at - OVERLAP


def _document(suspect: Suspect, shown: Sequence[Shown]) -> Found | None:
    judged = judge_document(suspect.held, shown)
    if judged is None:
        return None
    return Found(
        kind=judged.kind,
        item=suspect.reference,
        amount=judged.amount,
        customer_id=suspect.customer_id,
        process_id=suspect.payment_id,
        facts=judged.facts,
    )


def judged_charges(payment: Sent, charges: Sequence[ProviderCharge]) -> Disagreement | None:
    """Whether what a provider shows of a payment that ended is what we say it took. Also for checks that only look."""
    taken = [
        Took(
            provider_id=each.provider_id,
            word=each.status.value,
            amount=each.amount,
            is_certain=each.status in _CERTAIN,
        )
        for each in charges
        if each.status not in _NO_MONEY
    ]
    return judge_charges(payment.amount, taken, took=payment.took, own_id=payment.provider_ref)


def _charge(payment: Sent, charges: Sequence[ProviderCharge]) -> Sequence[Found]:
    judged = judged_charges(payment, charges)
    if judged is None:
        return []
    return [
        Found(
            kind=judged.kind,
            item=payment.id,
            amount=judged.amount,
            customer_id=payment.customer_id,
            process_id=payment.id,
            facts=judged.facts,
        )
    ]
