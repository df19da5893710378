"""Duly's own steps over real far sides, each of which may die at a point and is then taken again: as its workflow would.

A death is a point that raises (store/faults.py), and the same activity runs once more as its next attempt. What had been
begun beside it still comes to its end: as in a worker that was missed, and had not died.
"""

from __future__ import annotations

import ast
import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, cast

from sqlalchemy.exc import OperationalError
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.applying import Applying, OpenRequest
from activities.payments import OpenPayment, Payments, RecordOutcome, Told
from activities.pokes import Pokes
from activities.posting import Postings
from activities.providers import Providers
from activities.reconciling import Reconciling
from activities.requests import ApplyOrder, Decision
from activities.syncing import Syncing
from domain.allocation import Line
from launch.drill.points import ROOT, points_in
from store import faults
from store.identity import fresh_id
from store.views import staff_inbox
from tests.launch.town import Town
from tests.store.money import ERP, PROVIDER

MOST_TRIES: Final = 12
MOST_ROUNDS: Final = 60
_INSIDE: Final = (".before_commit", ".after_commit", ".before_send", ".after_answer")


def _points(*files: str) -> Sequence[str]:
    found = {point for each in files for point in points_in(ast.parse((ROOT / "activities" / each).read_text()))}
    return sorted(point for point in found if point.endswith(_INSIDE))


POINTS: Final[Mapping[str, Sequence[str]]] = {
    "pay": _points("opening.py", "payments.py", "recording.py"),
    "post": _points("posting.py"),
    "sync": _points("syncing.py"),
    "compare": _points("reconciling.py", "totals.py"),
}
"""Where each of Duly's parts may die."""


class Desk:
    """Every process that a day needs, taken step by step. `luck` is how likely a part dies once in the middle."""

    def __init__(self, town: Town, random: Random) -> None:
        self.town, self.random = town, random
        self.books = town.books
        self.books.at = datetime.now(UTC)
        self.luck = 0.0
        self.deaths = 0
        self.runs = 0
        store, clock, erps = self.books.store, self.now, {ERP: town.connector}
        providers = Providers({PROVIDER: town.provider})
        pokes = Pokes(cast("Client", None), erps={ERP: None})  # nobody is woken: each step is taken here
        self.payments = Payments(store, providers, clock, pokes, base_url="https://duly.example", erp=ERP)
        self.postings = Postings(store, erps, clock, connection_id=ERP)
        self.syncing = Syncing(store, erps, clock, connection_id=ERP)
        self.applying = Applying(store, clock, pokes, erp=ERP)
        self.reconciling = Reconciling(store, providers, erps, {ERP: None}, clock)

    def now(self) -> datetime:
        """The time; a moment later at each look, so that nothing happens at once."""
        self.books.at += timedelta(microseconds=100)
        return self.books.at

    def later(self, by: timedelta) -> None:
        """Time passes."""
        self.books.at += by

    async def do(self, part: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        """An activity, until an attempt of it ends. Raises ApplicationError where the far side never lets it."""
        if self.random.random() < self.luck:
            self._plan_a_death(part)
        failure: BaseException | None = None
        for number in range(1, MOST_TRIES + 1):
            environment = ActivityEnvironment()
            environment.info = dataclasses.replace(environment.info, attempt=number)
            before = asyncio.all_tasks()
            try:
                return await environment.run(function, *given)
            except (faults.FaultInjected, OperationalError) as death:
                failure = death
                self.deaths += 1
                await _end(asyncio.all_tasks() - before)
            except ApplicationError as error:
                failure = error
            finally:
                faults.install("")
            self.later(timedelta(seconds=2))
        assert failure is not None
        raise failure

    def _plan_a_death(self, part: str) -> None:
        point, number = self.random.choice(POINTS[part]), self.random.choice((1, 1, 1, 2, 3))
        action = "drop_reply" if point.endswith(".after_commit") and self.random.random() < 0.5 else "raise"
        faults.install(f"{point}:{action}:{number}")

    # ------------------------------------------------------------ customers

    async def pay(self, customer_id: str, lines: Sequence[tuple[str, int]], *, leaves: bool = False) -> str:
        """A customer pays on the provider's page, or leaves it; the payment's id. As `workflows/pay_invoices.py` goes."""
        request = self.books.request(customer_id, lines)
        opened = await self.do("pay", self.payments.open_payment, OpenPayment(request=request, run_id=request.payment_id))
        assert opened.next in {"charge", "ask"}, opened
        told: Told = await self.do("pay", self.payments.charge, request.payment_id)
        visited = False
        for _ in range(MOST_ROUNDS):
            recorded = await self.do(
                "pay", self.payments.record_outcome, RecordOutcome(payment_id=request.payment_id, told=told)
            )
            if recorded.ended or recorded.state == "captured":
                assert recorded.state == ("canceled" if leaves else "captured"), recorded
                return request.payment_id
            if recorded.redirect_url is not None and not visited:
                visited = True
                await self._at_the_page(recorded.redirect_url, leaves=leaves)
            self.later(timedelta(seconds=20))
            told = await self.do("pay", self.payments.find_charge, request.payment_id)
        raise AssertionError(f"{request.payment_id} never ended")

    async def _at_the_page(self, url: str, *, leaves: bool) -> None:
        answer = await self.town.browser.post(f"{url}/cancel" if leaves else url, data={} if leaves else {"use": "card_ok"})
        assert answer.status_code < 400, answer.text

    async def learn(self, payment_id: str) -> str:
        """What its provider says of a payment now is recorded; its state."""
        told = await self.do("pay", self.payments.find_charge, payment_id)
        recorded = await self.do("pay", self.payments.record_outcome, RecordOutcome(payment_id=payment_id, told=told))
        return str(recorded.state)

    async def put_credit(self, customer_id: str, credit_id: str, invoice_id: str, minor: int) -> None:
        """A customer asks that a credit be put on an invoice, and staff agree."""
        request_id = fresh_id("req")
        order = ApplyOrder(
            request_id=request_id,
            customer_id=customer_id,
            customer_ids=(customer_id,),
            credit_id=credit_id,
            lines=(Line(invoice_id=invoice_id, minor=minor),),
            request_hash=f"hash of {request_id}",
            requested_by="A. Cole",
        )
        opened = await self.do("post", self.applying.open_request, OpenRequest(order=order, run_id="run-1"))
        assert opened.goes_on, opened
        row = await self.books.one("SELECT version FROM apply_requests WHERE id = :id", id=request_id)
        decision = Decision(
            decision_id=fresh_id("chg"), request_id=request_id, action="approve", by="stf_ann", version=row.version
        )
        answer = await self.do("post", self.applying.decide_request, decision)
        assert answer.rule is None, answer

    # ------------------------------------------------------------ the house

    async def sync(self) -> bool:
        """What the schedule starts; whether it could be read."""
        try:
            while (await self.do("sync", self.syncing.sync_pages, 10)).more:
                continue
        except ApplicationError:
            return False
        return True

    async def post(self, rounds: int = 1) -> None:
        """The poster, as far as it comes."""
        for _ in range(rounds):
            last = await self.do("post", self.postings.post_round, False)
            self.later(timedelta(seconds=2 if last.down else 1))

    async def come_to_rest(self) -> None:
        """Everything is posted, however often its answer was lost, and read."""
        self.luck = 0.0
        for _ in range(MOST_ROUNDS):
            last = await self.do("post", self.postings.post_round, False)
            if not last.waiting:
                break
            self.later(timedelta(seconds=40))
        else:
            rows = await self.books.rows("SELECT id, state, error_text FROM postings WHERE confirmed_seq IS NULL")
            raise AssertionError(f"not at rest: {[tuple(row) for row in rows]}")
        self.later(timedelta(minutes=1))
        assert await self.sync()

    async def compare(self) -> bool:
        """One comparison, as `workflows/reconcile.py` goes; whether all was equal."""
        self.runs += 1
        run_id, inside = f"run-{self.runs}", self.reconciling
        sides = await self.do("compare", inside.begin_reconciliation, run_id, "schedule")
        for each in sorted(sides.providers):
            await self.do("compare", inside.compare_charges, run_id, each)
        for each in sorted(sides.erps):
            await self.sync()
            await self.do("compare", inside.compare_documents, run_id, each)
        return bool(await self.do("compare", inside.end_reconciliation, run_id))

    # ------------------------------------------------------------ what staff see

    async def inbox(self) -> list[tuple[str, str, int]]:
        """Each difference that waits for a person: its kind, what it is about (an id there, or a payment's), how much."""
        async with self.town.staff.begin("test") as tx:
            shown = await staff_inbox.waiting(tx, staff_inbox.Asked(), staff_id="stf_ann", at=self.now())
            ids = [each.id for each in shown if each.kind == "difference"]
            assert len(shown) <= staff_inbox.PAGE, "a day has fewer"
        return await self._named("d.id = ANY(:ids)", ids=ids)

    async def counted(self) -> list[tuple[str, str, int]]:
        """What was said once, and waits for nobody."""
        return await self._named("d.closed_how = 'counted'")

    async def ever(self) -> list[tuple[str, str, int]]:
        """Each difference that was ever opened."""
        return await self._named("true")

    async def _named(self, which: str, **values: Any) -> list[tuple[str, str, int]]:
        rows = await self.books.rows(
            f"""SELECT d.kind, coalesce(i.erp_id, j.erp_id, d.item, d.process_id) AS about, d.amount FROM differences d
                LEFT JOIN invoices i ON i.id = d.invoice_id LEFT JOIN invoices j ON j.id = d.item
                WHERE {which} ORDER BY 1, 2, d.opened_at""",
            **values,
        )
        return [(row.kind, row.about, row.amount) for row in rows]


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
