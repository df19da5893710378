"""The town of a simulation: Duly's own activities and store between an in-process provider and ERP, on one stage.

Here is everything that happens by itself: who goes on next, time, events on their way, and how it all comes to rest. What
people and bad luck do is in `acts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final, cast

from temporalio.client import Client

from activities.applying import Applying
from activities.decisions import Decisions
from activities.events import Events, deliver
from activities.payments import Payments
from activities.pokes import Pokes
from activities.posting import Postings
from activities.providers import Providers
from activities.refunds import Refunds
from activities.setups import Setups
from activities.syncing import Syncing
from connectors.payments.ports import EventSubject
from domain.methods import MethodKind
from domain.money import Money
from domain.receivables import ErpCustomer
from store import connections, inbox, methods
from store.database import Transaction
from tests.simulation.ledger import FarErp
from tests.simulation.processes import Habits, Process, Steps, post_to_erp, sweep, sync_erp
from tests.simulation.provider import FarProvider, Told
from tests.simulation.registry import Registry
from tests.simulation.stage import Attempt, Order, Stage, StagedDatabase, Ticket, Timer

ERP: Final = "demo"
PROVIDER: Final = "sandbox"
CUSTOMERS: Final = 20
BUSY: Final = 3
CURRENCIES: Final = ("USD", "USD", "EUR", "GBP", "JPY")
DEBITS: Final = {"USD": MethodKind.US_BANK_ACCOUNT, "EUR": MethodKind.SEPA_DEBIT, "GBP": MethodKind.BACS_DEBIT}
CARDS: Final = ("ok", "ok", "ok", "declined", "asks", "takes less")
BANKS: Final = ("debit", "debit_fails", "debit_returns", "debit_returns_early")
ANSWERED_WITHIN: Final = timedelta(seconds=2)
"""A move of the clock beyond this finds nobody's call still on its way, and workers that stood still are missed."""
MOST_TURNS: Final = 20_000
ANOTHER_AMOUNT: Final = "SELECT process_id FROM differences WHERE kind = 'another_amount' AND closed_at IS NULL"
FORGOTTEN: Final = f"""
    SELECT id FROM payments WHERE state IN ('charging', 'unknown') AND check_note LIKE '%may be forgotten%'
    AND id NOT IN ({ANOTHER_AMOUNT})"""
FOR_A_PERSON: Final = f"{ANOTHER_AMOUNT} UNION {FORGOTTEN}"
"""What is in flight for ever: another amount than was asked for, and what was sent without an answer or an event to a far
side that cannot be searched, for longer than its keys live.
"""


class NotAtRest(AssertionError):
    """Faults have stopped long ago, and something still is not done."""


class StagedPokes(Pokes):
    """Wakes the poster of this town."""

    def __init__(self, town: Town) -> None:
        super().__init__(cast("Client", town.registry), erps={ERP: None})
        self._town = town

    def poster(self) -> None:
        """A posting may wait."""
        self._town.poster.hint()

    def mailer(self) -> None:
        """Mail is not sent here."""

    def request(self, request_id: str) -> None:
        """The ERP has answered about a request."""
        process = self._town.registry.running.get(f"apply/{request_id}")
        if process is not None:
            process.hint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules that a planted fault swaps for broken ones. The default is the house's."""

    provider: type[FarProvider] = FarProvider
    erp: type[FarErp] = FarErp
    syncing: type[Syncing] = Syncing
    habits: Habits = field(default_factory=Habits)
    acknowledges_before_storing: bool = False


@dataclass(slots=True)
class Resident:
    """A customer: its ids here and in the ERP, and the methods that it has saved, with how they behave."""

    erp_id: str
    currency: str
    id: str = ""
    methods: list[tuple[str, MethodKind, str]] = field(default_factory=list)


class Town:
    """One seed's world."""

    def __init__(self, database: StagedDatabase, random: Random, rules: Rules) -> None:
        self.random = random
        self.rules = rules
        self.database = database
        self.stage = database.stage = Stage()
        self.provider = rules.provider(self.stage)
        self.erp = rules.erp(self.stage)
        self.registry = Registry(self.stage, habits=rules.habits)
        self.poster = Process("post", self.stage, run_id="poster")
        self.residents: list[Resident] = []
        self.faults = 0
        self.luck = 0.0
        """How likely something goes wrong at a stop."""
        pokes, clock = StagedPokes(self), self.stage.clock
        providers = self.providers = Providers({PROVIDER: self.provider})
        setups = Setups(database, providers, clock, pokes, base_url="https://duly.example")
        client = cast("Client", self.registry)
        self.registry.steps = Steps(
            payments=Payments(database, providers, clock, pokes, base_url="https://duly.example", erp=ERP),
            setups=setups,
            postings=Postings(database, {ERP: self.erp}, clock, connection_id=ERP, pokes=pokes, width=2),
            decisions=Decisions(database, clock, pokes),
            applying=Applying(database, clock, pokes, erp=ERP),
            refunds=Refunds(database, providers, clock, pokes, erp=ERP),
            syncing=rules.syncing(database, {ERP: self.erp}, clock, connection_id=ERP),
            events=Events(database, providers, clock, client, pokes, setups, erp=ERP),
        )

    # ------------------------------------------------------------ the beginning

    async def settle_in(self) -> None:
        """Customers with invoices in the ERP, read by a sync; methods saved with the provider."""
        async with self.database.begin("simulation") as tx:
            offers = {kind.value: list(set(CURRENCIES)) for kind in MethodKind}
            for name, role in ((PROVIDER, "payments"), (ERP, "erp")):
                await connections.announce(
                    tx, connection_id=name, role=role, connector=name, mode="sandbox", offers=offers, at=self.stage.clock()
                )
        for number in range(CUSTOMERS):
            self._move_in(number)
        self.poster.task = self.stage.begin(post_to_erp(self.poster, self.registry.known_steps()), "poster")
        self.sync()
        await self.go_on()
        known = {row.erp_id: row.id for row in await self.rows("SELECT id, erp_id FROM customers")}
        async with self.database.begin("simulation") as tx:
            for resident in self.residents:
                resident.id = known[resident.erp_id]
                await self._save_methods(tx, resident)

    def somebody(self) -> Resident:
        """A few are often there, so that what happens to one happens at once."""
        return self.random.choice(self.residents[:BUSY] if self.random.random() < 0.7 else self.residents)

    def _move_in(self, number: int) -> None:
        currency = self.random.choice(CURRENCIES)
        name = f"c{number:02}"
        self.erp.add_customer(
            ErpCustomer(
                erp_id=name, number=name.upper(), name=name, currency=currency, email=f"{name}@customer.example",
                country=None, time_zone="UTC",
            )
        )  # fmt: skip
        self.residents.append(Resident(name, currency))
        for index in range(self.random.randint(2, 4) + (4 if number < BUSY else 0)):
            issued_on = date(2026, 1, 1) + timedelta(days=self.random.randrange(80))
            total = Money.of(self.random.choice((100, 999, 12_345, 50_000)), currency)
            self.erp.add_invoice(f"{name}-{index}", name, total, issued_on=issued_on)
        for _ in range(2 if number < BUSY else self.random.randint(0, 1)):
            self.give_credit(self.residents[-1])

    def give_credit(self, resident: Resident) -> None:
        """A person in the ERP enters a credit note."""
        minor = self.random.choice((100, 999, 12_345, 30_000))
        self.erp.add_credit(resident.erp_id, Money.of(minor, resident.currency))

    async def _save_methods(self, tx: Transaction, resident: Resident) -> None:
        wished = [(MethodKind.CARD, self.random.choice(CARDS))]
        if resident.currency in DEBITS and self.random.random() < 0.6:
            wished.append((DEBITS[resident.currency], self.random.choice(BANKS)))
        for kind, behaviour in wished:
            details = self.provider.keep_method(kind, behaviour)
            method_id = await methods.keep(
                tx, details, customer_id=resident.id, connection_id=PROVIDER, state="active", by="s", at=self.stage.clock()
            )
            resident.methods.append((method_id, kind, behaviour))

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        """The simulation's own look at the database; nobody's turn."""
        return await self.database.look(statement, **values)

    # ------------------------------------------------------------ whose turn it is

    def waiting(self) -> list[Ticket | Timer]:
        """Everybody who could go on now, in one order always."""
        due = [each for each in self.stage.timers.values() if each.due_at <= self.stage.now and not each.rung.done()]
        return [*self.stage.tickets.values(), *due]

    async def turn(self) -> bool:
        """One of them goes on, or meets its fate. False when nobody waits."""
        waiting = self.waiting()
        if not waiting:
            return False
        if self.stage.turns > MOST_TURNS:
            raise NotAtRest(f"{MOST_TURNS} turns were not enough: {[each.attempt.name for each in self.tickets()]}")
        chosen = self.random.choice(waiting)
        if isinstance(chosen, Timer):
            await self.stage.ring(chosen)
        else:
            await self.stage.let(chosen, self._fate(chosen))
        return True

    def tickets(self) -> list[Ticket]:
        return list(self.stage.tickets.values())

    def _fate(self, ticket: Ticket) -> Order:
        if self.random.random() >= self.luck:
            return "go"
        self.faults += 1
        fates: tuple[Order, ...]
        if ticket.stop == "transaction":
            fates = ("die before commit", "die after commit")
        elif ticket.stop == "answer":
            return "go"
        elif ticket.writes:
            fates = ("lose the request", "lose the answer", "answer 500", "execute late", "throttle", "die after sending",
                     "die, executed late")  # fmt: skip
        else:
            fates = ("lose the request", "throttle")
        return self.random.choice(fates)

    async def go_on(self, turns: int = MOST_TURNS) -> None:
        """So many turns, or until nobody waits."""
        await self.stage.settle()
        for _ in range(turns):
            if not await self.turn():
                return

    # ------------------------------------------------------------ time

    async def move_clock(self, by: timedelta) -> None:
        """Time passes. Calls on their way come to their end before; workers that stand still are missed."""
        until = self.stage.now + by
        for _ in range(self.random.choice((0, 4, 12))):
            # Awake: whoever is due meanwhile gets a few turns. Else everybody sleeps through it, as after an outage of ours.
            due = [each.due_at for each in self.stage.timers.values() if self.stage.now < each.due_at < until]
            if not due:
                break
            await self._pass_until(min(due))
            await self.go_on(self.random.randint(1, 8))
        await self._pass_until(until)

    async def _pass_until(self, until: datetime) -> None:
        if until - self.stage.now > ANSWERED_WITHIN:
            for attempt in sorted(self.stage.attempts, key=lambda each: each.began):
                await self._miss(attempt)
        while (change := self._next_change_at()) is not None and change <= until:
            self.stage.now = max(self.stage.now, change)
            self._catch_up()
        self.stage.now = max(self.stage.now, until)
        self._catch_up()

    def _next_change_at(self) -> datetime | None:
        moments = [at for at in (self.provider.next_change_at(), *(at for at, _ in self.erp.late)) if at is not None]
        return min(moments, default=None)

    def _catch_up(self) -> None:
        self.provider.catch_up()
        self.erp.catch_up()

    async def _miss(self, attempt: Attempt) -> None:
        """Let it end, or stand still where no call of its is on its way. A paused machine never sends after its pause: the
        look at the clock before each send is between the two.
        """
        fate = self.random.random()
        while attempt in self.stage.attempts:
            mine = [each for each in self.tickets() if each.attempt is attempt]
            if not mine:
                break
            leaving = [each for each in mine if each.stop == "leave"]
            if not leaving and fate < self.luck and not attempt.is_given_up:
                self.faults += 1
                await (self.stage.kill(attempt) if fate < self.luck / 2 else self.stage.give_up(attempt))
                return
            if not leaving and attempt.is_given_up and fate < 0.5:
                return
            await self.stage.let(mine[0], self._fate(mine[0]))

    # ------------------------------------------------------------ what comes by itself

    def sync(self) -> None:
        """The schedule's: never two at once."""
        self.registry.start("sync", lambda each: sync_erp(each, self.registry.known_steps()))

    def sweep(self) -> None:
        """The schedule's."""
        self.registry.start("sweep", lambda each: sweep(each, self.registry.known_steps()))

    def receive(self, told: Told, *, is_again: bool = False) -> None:
        """A delivery arrives at the door: stored, acknowledged, and only then passed on."""

        async def door() -> None:
            if self.rules.acknowledges_before_storing:
                self.acknowledge(told)
            async with self.database.begin("webhook.stored") as tx:
                inbox_id, is_new = await inbox.receive(
                    tx,
                    connection_id=PROVIDER,
                    dedupe_key=told.id,
                    event_id=told.id,
                    kind=told.kind,
                    subject=EventSubject(told.kind.partition(".")[0]),
                    our_ref=told.our_ref,
                    provider_id=told.object_id,
                    claims=told.claims,
                    occurred_at=told.at,
                    facts=told.facts,
                    at=self.stage.clock(),
                )
            self.acknowledge(told)
            if is_new:
                client = cast("Client", self.registry)
                await deliver(client, self.database, inbox_id, clock=self.stage.clock, providers=self.providers)

        del is_again
        self.stage.attempt("webhook", 1, door)

    def acknowledge(self, told: Told) -> None:
        """The provider is done with it."""
        if told in self.provider.outgoing:
            self.provider.outgoing.remove(told)

    # ------------------------------------------------------------ the end

    async def come_to_rest(self) -> None:
        """Faults stop; everything that was begun ends, however long it takes in the town's time."""
        self.luck = 0.0
        self.provider.is_down = self.erp.is_down = False
        least = timedelta(seconds=30)
        for _ in range(200):
            await self.go_on()
            for told in list(self.provider.outgoing):
                self.receive(told)
            await self.go_on()
            if await self._is_at_rest():
                break
            # Ever coarser: nobody is in a hurry any more, and whoever was due before goes on at the same moment.
            await self.move_clock(max(await self._until_something_is_due(), least))
            least = min(least * 1.5, timedelta(hours=2))
            self.sweep()
        else:
            raise NotAtRest(await self._who_is_late())
        self.sync()
        self.poster.hint()
        await self.go_on()
        self.sync()
        await self.go_on()

    async def _is_at_rest(self) -> bool:
        moving = self.provider.next_change_at() is not None or self.provider.outgoing or self.erp.late
        pays = [each for each in self.registry.running if each.startswith(("payment", "setup", "late", "sync", "decide"))]
        return not moving and not await self._late_rows() and len(pays) <= await self._unexplained()

    async def _late_rows(self) -> Sequence[Any]:
        """Payments in flight that no difference explains, postings that neither wait for a person nor behind one, events."""
        return await self.rows(
            f"""WITH too_old AS (SELECT id FROM refunds WHERE state = 'unknown' AND check_note LIKE '%too old%'),
               for_a_person AS ({FOR_A_PERSON})
               SELECT id, state FROM payments p WHERE state IN ('charging', 'awaiting_customer', 'processing', 'unknown')
                 AND p.id NOT IN (SELECT process_id FROM for_a_person)
               UNION ALL SELECT id, state FROM inbox WHERE state = 'received'
               UNION ALL SELECT id, state FROM apply_requests r WHERE state IN ('opening', 'posting', 'undoing')
                 AND NOT EXISTS (SELECT 1 FROM postings q WHERE q.request_id = r.id AND q.confirmed_seq IS NULL)
               UNION ALL SELECT id, state FROM refunds r WHERE state IN ('requested', 'sent', 'processing', 'unknown')
                 AND r.id NOT IN (SELECT id FROM too_old)
               UNION ALL SELECT id, state FROM method_setups WHERE state IN ('started', 'redirected', 'verifying')
               UNION ALL SELECT q.id, q.state FROM postings q WHERE confirmed_seq IS NULL AND state <> 'refused'
                 AND NOT EXISTS (WITH RECURSIVE held AS (
                     SELECT r.seq, r.docs FROM postings r WHERE r.state = 'refused'
                     UNION SELECT b.seq, b.docs FROM postings b JOIN held h ON b.seq > h.seq AND b.docs && h.docs
                     WHERE b.confirmed_seq IS NULL) SELECT 1 FROM held h WHERE h.seq = q.seq)"""
        )

    async def _unexplained(self) -> int:
        """Processes that go on asking about what a person has to look at."""
        return len(await self.rows(FOR_A_PERSON))

    async def _who_is_late(self) -> str:
        late = [f"{row.id} {row.state}" for row in await self._late_rows()]
        return f"not at rest: {late}, {len(self.provider.outgoing)} events, running {sorted(self.registry.running)}"

    async def _until_something_is_due(self) -> timedelta:
        # Who only goes on asking about what a person has to look at is nobody to wait for.
        asking = {f"payment/{row.process_id}" for row in await self.rows(FOR_A_PERSON)}
        idle = [self.poster.timer, *(each.timer for each in self.registry.running.values() if each.id in asking)]
        moments = [each.due_at for each in self.stage.timers.values() if each not in idle]
        if self.poster.timer is not None and await self.rows("SELECT 1 FROM postings WHERE look_at IS NOT NULL LIMIT 1"):
            moments.append(self.poster.timer.due_at)
        if (change := self._next_change_at()) is not None:
            moments.append(change)
        pages = [each.expires_at for each in self.provider.charges.values() if each.status.value == "needs_customer"]
        moments += [at for at in pages if at is not None]
        nearest = min(moments, default=self.stage.now)
        return max(nearest - self.stage.now, timedelta(0)) + timedelta(seconds=3)
