"""The stage of a simulation: one virtual clock, one database connection, and a prompter who says whose turn it is.

Every attempt of an activity is a task of its own that stops before each transaction, before each call to the far side
and before it reads that call's answer. The simulation picks who goes on, who dies there and who stands still, so one
seed is one order of events, whatever the machine does. Transactions follow one another: what two of them do to each
other's locks is for `tests/store/test_money_races.py`.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence, Sized
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from store.database import Database, Transaction

Order = Literal[
    "go",
    "die before commit",
    "die after commit",
    "lose the request",
    "lose the answer",
    "answer 500",
    "execute late",
    "throttle",
    "die after sending",
    "die, executed late",
]
Stop = Literal["transaction", "leave", "answer"]


class WorkerDied(Exception):
    """The attempt's process died or was given up: nobody knows how far it came."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One try of an activity. `outcome` is what its caller waits for; given up, its task may go on unheard."""

    name: str
    number: int
    outcome: asyncio.Future[Any]
    began: int
    task: asyncio.Task[Any] | None = None
    is_given_up: bool = False


@dataclass(slots=True, eq=False)
class Ticket:
    """Somebody who stopped, and where. `since` is when."""

    number: int
    stop: Stop
    point: str
    attempt: Attempt
    since: datetime
    writes: bool
    order: asyncio.Future[Order]


@dataclass(slots=True, eq=False)
class Timer:
    """Somebody who waits for a time; a hint ends it early."""

    number: int
    due_at: datetime
    rung: asyncio.Future[None]


@dataclass(slots=True)
class Stage:
    """Who stands where. `busy` counts transactions that are at the database at this moment: one at most."""

    now: datetime = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tickets: dict[int, Ticket] = field(default_factory=dict)
    timers: dict[int, Timer] = field(default_factory=dict)
    attempts: set[Attempt] = field(default_factory=set)
    processes: set[asyncio.Task[None]] = field(default_factory=set)
    broken: list[BaseException] = field(default_factory=list)
    busy: int = 0
    turns: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: int = 0

    def clock(self) -> datetime:
        """The time, as activities ask for it: a moment later each time, so that no two rows are of the same one."""
        self.now += timedelta(microseconds=100)
        return self.now

    @property
    def is_played(self) -> bool:
        """Whether an attempt asks, not the simulation itself."""
        return _playing.get() is not None

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    # ------------------------------------------------------------ stops

    async def stop(self, stop: Stop, point: str, *, writes: bool = True) -> Order:
        """Wait here for one's turn. Whoever is no attempt (the simulation itself) just goes on."""
        attempt = _playing.get()
        if attempt is None:
            return "go"
        number = self.number()
        order: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self.tickets[number] = Ticket(number, stop, point, attempt, self.now, writes, order)
        try:
            return await order
        finally:
            self.tickets.pop(number, None)

    async def die(self) -> None:
        """The process of whoever calls this ends here."""
        attempt = _playing.get()
        assert attempt is not None
        assert attempt.task is not None
        attempt.task.cancel()
        await asyncio.get_running_loop().create_future()

    @contextmanager
    def at_the_database(self) -> Iterator[None]:
        """While this lasts, nobody has come to rest."""
        self.busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.busy -= 1
            if not self.busy:
                self._idle.set()

    async def let(self, ticket: Ticket, order: Order = "go") -> None:
        """Give somebody the turn, until everybody stands still again."""
        self.turns += 1
        self.now += timedelta(milliseconds=1)
        ticket.order.set_result(order)
        await self.settle()

    async def ring(self, timer: Timer) -> None:
        """A time has come."""
        self.turns += 1
        self.timers.pop(timer.number, None)
        if not timer.rung.done():
            timer.rung.set_result(None)
        await self.settle()

    async def settle(self) -> None:
        """Until nobody moves: the loop has nothing ready, and nothing is at the database. Raises what broke."""
        ready: Sized = cast("Any", asyncio.get_running_loop())._ready
        while True:
            await asyncio.sleep(0)
            if self.busy:
                await self._idle.wait()
            elif not ready:
                break
        if self.broken:
            raise self.broken[0]

    # ------------------------------------------------------------ attempts

    def attempt(self, name: str, number: int, function: Callable[..., Awaitable[Any]], *given: Any) -> Attempt:
        """Begin one; it stops at its first stop."""
        attempt = Attempt(name, number, asyncio.get_running_loop().create_future(), self.number())
        self.attempts.add(attempt)
        attempt.outcome.add_done_callback(_heard)

        async def play() -> Any:
            _playing.set(attempt)
            environment = ActivityEnvironment()
            environment.info = dataclasses.replace(environment.info, attempt=number, activity_type=name)
            return await environment.run(function, *given)

        attempt.task = asyncio.get_running_loop().create_task(play(), name=name)
        attempt.task.add_done_callback(lambda task: self._ended(attempt, task))
        return attempt

    def _ended(self, attempt: Attempt, task: asyncio.Task[Any]) -> None:
        self.attempts.discard(attempt)
        error: BaseException | None = WorkerDied() if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, WorkerDied | ApplicationError):
            self.broken.append(error)
        if attempt.is_given_up or attempt.outcome.done():
            return
        if error is None:
            attempt.outcome.set_result(task.result())
        else:
            attempt.outcome.set_exception(error)

    async def kill(self, attempt: Attempt) -> None:
        """Its process dies where it stands."""
        assert attempt.task is not None
        attempt.task.cancel()
        await self.settle()

    async def give_up(self, attempt: Attempt) -> None:
        """Nothing was heard of it for too long: another takes over, while this one stands still and may go on later."""
        attempt.is_given_up = True
        if not attempt.outcome.done():
            attempt.outcome.set_exception(WorkerDied())
        await self.settle()

    # ------------------------------------------------------------ processes

    def begin(self, story: Awaitable[None], name: str) -> asyncio.Task[None]:
        """A durable process: what it knows survives every worker."""

        async def play() -> None:
            await story

        task = asyncio.get_running_loop().create_task(play(), name=name)
        self.processes.add(task)
        task.add_done_callback(self._process_ended)
        return task

    def _process_ended(self, task: asyncio.Task[None]) -> None:
        self.processes.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken.append(error)

    async def sleep(self, pause: timedelta) -> Timer:
        """Wait for a time, or for whoever rings the timer before."""
        timer = self.timer(pause)
        await self.wait(timer)
        return timer

    def timer(self, pause: timedelta) -> Timer:
        timer = Timer(self.number(), self.now + pause, asyncio.get_running_loop().create_future())
        self.timers[timer.number] = timer
        return timer

    async def wait(self, timer: Timer) -> None:
        try:
            await timer.rung
        finally:
            self.timers.pop(timer.number, None)

    async def close(self) -> None:
        """Everybody goes home."""
        tasks = [*self.processes, *(each.task for each in self.attempts if each.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(outcome: asyncio.Future[Any]) -> None:
    """Its error is known, whether or not somebody still waits for it."""
    if not outcome.cancelled():
        outcome.exception()


_playing: ContextVar[Attempt | None] = ContextVar("playing", default=None)


class StagedDatabase(Database):
    """The worker's database over one connection that stays open: each transaction is a stop. Another one beside it only
    looks: an attempt that dies rolls back, which forgets every prepared statement, and the great look would be planned anew.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, pool_size=2)
        self._held: AsyncConnection | None = None
        self._looking: AsyncConnection | None = None
        self.stage = Stage()
        self._one_at_a_time = asyncio.Lock()  # the simulation's own looks are nobody's turn, and some are made at once

    async def hold(self) -> None:
        """Take the connections."""
        self._held = await self.engine.connect()
        self._looking = await self.engine.execution_options(isolation_level="AUTOCOMMIT").connect()

    async def look(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        """What is committed, while nobody is at the database."""
        assert self._looking is not None
        return await Transaction(self._looking).rows(statement, **values)

    async def close(self) -> None:
        """Give them back."""
        for each in (self._held, self._looking):
            if each is not None:
                await each.close()
        await super().close()

    @asynccontextmanager
    async def begin(self, point: str) -> AsyncIterator[Transaction]:
        """One transaction, when it is its turn."""
        order = await self.stage.stop("transaction", point)
        assert self._held is not None
        with self.stage.at_the_database():
            async with self._one_at_a_time, self._held.begin():
                yield Transaction(self._held)
                if order == "die before commit":
                    await self.stage.die()
        if order == "die after commit":
            await self.stage.die()
