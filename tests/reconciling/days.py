"""Days of a business, drawn by a seed: customers pay, staff and people in the ERP work, parts die, the ERP has its moods.

In each night everything comes to rest and is compared, twice. What is told then is what was injected, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from domain.differences import CLASSES, DifferenceKind
from tests.connectors.sandbox_harness import API_KEY
from tests.launch.town import Town
from tests.reconciling.anomalies import ENDED, PAID, Document, Inject, Injected, Scene, Told
from tests.reconciling.desk import Desk

LUCK: Final = 0.4
GRACE: Final = timedelta(minutes=16)
"""Longer than anything is left to settle by itself."""
PAYMENTS: Final = 5
MOST_A_DAY: Final = 6
"""So many payments at most does something befall in a day."""
MOODS: Final = ("drop_after", "drop_before", "error_after_success", "throttle")
"""How one write in the ERP goes wrong."""


@dataclass(slots=True)
class Injection:
    """One thing that was done, and its name in the table."""

    name: str
    done: Injected


@dataclass(slots=True)
class Customer:
    """Its ids here and there, its invoices' ids there → here, their totals, and which of them nobody has touched."""

    id: str
    erp_id: str
    invoices: dict[str, str]
    totals: dict[str, int]
    free: list[str]


@dataclass
class Days:
    """One world and what was done to it. `deck` is what is to befall payments yet; `counted` is said once and stays said."""

    town: Town
    random: Random
    deck: list[str]
    desk: Desk = field(init=False)
    customers: list[Customer] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    left: list[Document] = field(default_factory=list)
    taken_back: list[Document] = field(default_factory=list)
    open: list[Injection] = field(default_factory=list)
    counted: Told = field(default_factory=dict)
    injected: list[Injection] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    nights: int = 0

    def __post_init__(self) -> None:
        self.desk = Desk(self.town, self.random)

    async def begin(self) -> None:
        """Customers with invoices, read; and the first comparison, since what lay there before is nobody's news."""
        for _ in range(3):
            await self._move_in()
        await self.desk.come_to_rest()
        assert await self.desk.compare(), "nothing has happened yet"

    async def _move_in(self) -> None:
        totals = [self.random.choice((2_000, 7_003, 12_345)) for _ in range(30)]
        ours, invoices = await self.town.customer(*totals)
        rows = await self.desk.books.rows("SELECT id, erp_id, total FROM invoices WHERE id = ANY(:ids)", ids=invoices)
        owner = await self.desk.books.one("SELECT erp_id FROM customers WHERE id = :id", id=ours)
        there = {row.erp_id: row.id for row in rows}
        self.customers.append(
            Customer(ours, owner.erp_id, there, {row.erp_id: row.total for row in rows}, free=sorted(there))
        )

    # ------------------------------------------------------------ a day

    async def day(self) -> None:
        """One day and its night."""
        self.desk.luck = LUCK
        await self._morning()
        await self._evening()
        await self._night()

    async def _morning(self) -> None:
        """Business as usual, in bad weather: nothing of it may be told."""
        for _ in range(PAYMENTS):
            await self._moody()
            await self._pay()
        for act in self.random.sample((self._refund, self._put_credit, self._leave, self._is_taken_back, self._people), 3):
            await act()
        await self.desk.sync()
        await self.desk.post(self.random.randint(1, 3))

    async def _moody(self) -> None:
        """The ERP misbehaves at some write to come, or is away for a while, and back."""
        mood = self.random.choice((*MOODS, "down", "reset"))
        self.steps.append(f"the ERP: {mood}")
        self.town.erp.knobs(**{mood: True if mood in {"down", "reset"} else 1})
        if mood == "down":
            await self.desk.post()
            await self.desk.sync()

    async def _pay(self) -> None:
        customer = self._somebody()
        lines = self._take(customer, self.random.randint(1, 2))
        payment_id = await self.desk.pay(customer.id, [(customer.invoices[each], part) for each, part in lines.items()])
        self.documents.append(Document(payment_id, customer.erp_id, lines))
        self.steps.append(f"{payment_id[-6:]} pays {lines}")
        await self.desk.post(self.random.randint(0, 1))

    def _somebody(self) -> Customer:
        return self.random.choice([each for each in self.customers if len(each.free) >= 2])

    def _take(self, customer: Customer, count: int) -> dict[str, int]:
        """Some of the customer's untouched invoices, from now on touched, each in full or in part."""
        chosen = self.random.sample(customer.free, count)
        customer.free = [each for each in customer.free if each not in chosen]
        return {each: self._part(customer.totals[each]) for each in sorted(chosen)}

    def _part(self, total: int) -> int:
        return total if self.random.random() < 0.6 else self.random.randint(total // 2, total - 1)

    async def _refund(self) -> None:
        """Of a payment: it is no longer one that anything befalls."""
        if len(self.documents) < 2:
            return
        document = self.documents.pop(self.random.randrange(len(self.documents)))
        invoice, minor = self.random.choice(sorted(document.on.items()))
        part = self.random.randint(1, minor)
        owner = next(each for each in self.customers if each.erp_id == document.customer)
        await self.town.give_back(document.payment_id, part, (owner.invoices[invoice], part))
        self.steps.append(f"{document.payment_id[-6:]} gets {part} back")

    async def _put_credit(self) -> None:
        """A credit note that a person entered is put on an invoice, by request."""
        customer = self._somebody()
        ((invoice, minor),) = self._take(customer, 1).items()
        self.town.erp.knobs(reset=True)
        await self.town.enter_credit(customer.id, minor + 50)
        (credit,) = await self.desk.books.rows(
            "SELECT id FROM credits WHERE customer_id = :id AND total = :total ORDER BY id DESC LIMIT 1",
            id=customer.id,
            total=minor + 50,
        )
        await self.desk.put_credit(customer.id, credit.id, customer.invoices[invoice], minor)
        self.steps.append(f"a credit of {minor} on {invoice}")

    async def _leave(self) -> None:
        """A customer leaves the provider's page."""
        customer = self._somebody()
        lines = self._take(customer, 1)
        wanted = [(customer.invoices[each], part) for each, part in lines.items()]
        payment_id = await self.desk.pay(customer.id, wanted, leaves=True)
        self.left.append(Document(payment_id, customer.erp_id, lines))
        self.steps.append(f"{payment_id[-6:]} leaves")

    async def _is_taken_back(self) -> None:
        """A bank takes a payment back, and Duly learns of it."""
        if len(self.documents) < 2:
            return
        document = self.documents.pop(self.random.randrange(len(self.documents)))
        moved = {"our_ref": f"{document.payment_id}-1", "status": "returned"}
        headers = {"Authorization": f"Bearer {API_KEY}"}
        answer = await self.town.browser.post(f"{self.town.provider_url}/v1/test/charges/move", json=moved, headers=headers)
        assert answer.json() == {"moved": 1}, answer.text
        assert await self.desk.learn(document.payment_id) == "returned"
        self.taken_back.append(document)
        self.steps.append(f"{document.payment_id[-6:]} is taken back")

    async def _people(self) -> None:
        """What people may do in the ERP and nobody minds."""
        customer = self._somebody()
        ((invoice, _),) = self._take(customer, 1).items()
        total = customer.totals[invoice]
        act: dict[str, Any] = self.random.choice(
            (
                {"act": "change_total", "amount": total + 77},
                {"act": "credit", "amount": total // 3},
                {"act": "dispute"},
                {"act": "write_off"},
                {"act": "void"},
                {"act": "put_in_instalments"},
                {"act": "delete_invoice"},
            )
        )
        self.town.erp.act(**act, invoice_id=invoice)
        self.steps.append(f"people: {act} {invoice}")

    # ------------------------------------------------------------ what goes wrong

    async def _evening(self) -> None:
        """Things happen to what the ERP has, while other postings still wait; comparing now tells of nothing else."""
        confirmed = {row.id for row in await self.desk.books.rows("SELECT id FROM postings WHERE state = 'confirmed'")}
        if self.random.random() < 0.5:
            await self._befall_ended(confirmed)
        for document in [each for each in self.documents if each.reference in confirmed][:MOST_A_DAY]:
            if self.deck:
                self.documents.remove(document)
                await self._inject(self.deck.pop(), PAID, document)
        if self.random.random() < 0.5:
            await self._moody()
            await self.desk.compare()
            waits, once = {each[:2] for each in await self.desk.inbox()}, {each[:2] for each in await self.desk.counted()}
            assert waits <= set(self._waiting()), f"told too early: {waits - set(self._waiting())}"
            assert once <= set(self.counted), f"told too early: {once - set(self.counted)}"

    def _is_over(self, confirmed: set[str]) -> list[Document]:
        return [each for each in self.taken_back if f"{each.payment_id}-returned" in confirmed]

    async def _befall_ended(self, confirmed: set[str]) -> None:
        over = self._is_over(confirmed)
        if self.left:
            await self._inject("charged after its end", ENDED, self.left.pop())
        elif over:
            self.taken_back.remove(over[0])
            await self._inject("stands after its return", ENDED, over[0])

    async def _inject(self, name: str, table: Any, document: Document) -> None:
        inject: Inject = table[name][0]
        owner = next(each for each in self.customers if each.erp_id == document.customer)
        free = owner.free.pop()
        scene = Scene(self.town, self.random, document, free, owner.totals[free])
        weather = self.town.erp.answer("GET", "/test/knobs")
        self.town.erp.knobs(reset=True)
        done = await inject(scene)
        self.town.erp.knobs(**weather)
        for kind, _ in (*done.told, *done.counted):
            code = CLASSES[DifferenceKind(kind)].code
            assert kind == "foreign_payment" or code == table[name][1], f"{name} is {table[name][1]}, {kind} is {code}"
        self.open.append(Injection(name, done))
        self.injected.append(self.open[-1])
        self.counted |= done.counted
        self.steps.append(f"{name}: {document.payment_id[-6:]} {document.on}, beside {free}")

    # ------------------------------------------------------------ the night

    async def _night(self) -> None:
        self.nights += 1
        self.town.erp.knobs(reset=True)
        await self.desk.come_to_rest()
        self.desk.luck = LUCK
        await self.desk.compare()
        self.desk.later(GRACE)
        self.desk.luck = 0.0
        equal = await self.desk.compare()
        waits = self._waiting()
        self._expect(await self.desk.inbox(), waits, "what waits for a person")
        self._expect(await self.desk.counted(), self.counted, "what is said once")
        assert equal is not bool(waits), f"equal: {equal}, and {waits} are told"
        await self._figures_are_equal_or_told()

    def _waiting(self) -> Told:
        told: Told = {}
        for each in self.open:
            for key, amount in each.done.told.items():
                told[key] = told.get(key, 0) + amount
        return told

    def _expect(self, shown: list[tuple[str, str, int]], expected: Told, what: str) -> None:
        wanted = sorted((*key, amount) for key, amount in expected.items())
        assert sorted(shown) == wanted, (
            f"{what}: too much {sorted(set(shown) - set(wanted))}, missing {sorted(set(wanted) - set(shown))}, "
            f"in all {len(shown)} for {len(wanted)}"
        )

    async def _figures_are_equal_or_told(self) -> None:
        """By the ERP's own sums: what each customer owes, and the receivables account."""
        theirs = {row["customer_id"]: row["open"] for row in self.town.erp.answer("GET", "/totals")["rows"]}
        ours = {
            row.erp_id: row.open
            for row in await self.desk.books.rows(
                """SELECT c.erp_id, sum(b.open)::bigint AS open FROM balances b JOIN invoices i ON i.id = b.id
                   JOIN customers c ON c.id = i.customer_id
                   WHERE b.open > 0 AND NOT i.deleted AND i.status NOT IN ('void', 'written_off', 'closed', 'draft')
                   GROUP BY 1"""
            )
        }
        assert ours == theirs, f"what customers owe: {ours} here, {theirs} there"

    async def put_right(self) -> None:
        """What people can put right in the ERP, they do: it ends by itself, and the rest stays."""
        for each in [one for one in self.open if one.done.undo is not None]:
            assert each.done.undo is not None
            each.done.undo()
            self.open.remove(each)
            self.steps.append(f"put right: {each.name}")
        await self._night()

    async def was_told_once(self) -> None:
        """Over all nights and comparisons, nothing was opened twice."""
        opened = [each[:2] for each in await self.desk.ever() if each[0] not in _BESIDE]
        assert len(opened) == len(set(opened)), sorted(each for each in opened if opened.count(each) > 1)


_BESIDE: Final = frozenset({"edited_in_erp"})
