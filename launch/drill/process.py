"""What every process of a drill has: how it is prepared, what a customer does in it, what is counted afterwards."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, Final

from launch.drill.ground import Answer, Ground, until
from launch.drill.visitor import Visitor
from store import witness

PATIENCE_SECONDS: Final = 200.0
"""How long a process may take to its end while everything around it dies. Generous: it is waited for, not measured."""

PRESSED_AGAIN_AFTER_SECONDS: Final = 10.0

Step = Callable[[], Awaitable[None]]


class Process(ABC):
    """One process that is under way: a payment, a set-up, a mail. Each has a customer of its own.

    `owns`: how the names of its workflows (and of its postings and mails) begin. `promises`: what must be counted.
    `days`: how far the provider's clock moves after each step but the last, for all of a wave at once. `starts_with`: the
    only points that are of interest, by their beginning; empty: all that it owns. `greets`: also what a worker does
    when it starts. `deaths_at_once`: few where all of them would strike one and the same step, which is tried again at
    growing intervals. `aims`: points that are named and not found by an undisturbed run, where that would take minutes;
    `only_workers_die` for the same reason.
    """

    name: ClassVar[str]
    owns: ClassVar[tuple[str, ...]]
    days: ClassVar[tuple[timedelta, ...]] = ()
    starts_with: ClassVar[tuple[str, ...]] = ()
    greets: ClassVar[bool] = False
    deaths_at_once: ClassVar[int] = 64
    aims: ClassVar[tuple[str, ...]] = ()
    only_workers_die: ClassVar[bool] = False
    promises: Mapping[str, int]

    def __init__(self, ground: Ground, customer_id: str, invoice_ids: Sequence[str]) -> None:
        self.ground = ground
        self.customer_id = customer_id
        self.invoice_ids = invoice_ids
        self.word = ""
        """What it bears in its name, as soon as that is known: a fault may be limited to it."""
        self._visitor: Visitor | None = None

    @classmethod
    async def accounts(cls, ground: Ground, count: int) -> list[tuple[str, Sequence[str]]]:
        """So many customers who owe something: (customer id, invoice ids)."""
        return await ground.accounts(count)

    @abstractmethod
    async def prepare(self) -> None:
        """Everything before the first step, while nothing fails; afterwards `word` is known."""

    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """What people do, and what they then wait for. Each step persists whatever dies."""

    async def days_pass(self, step: int) -> None:
        """The provider's clock moves after a step, once for all of a wave."""
        if step < len(self.days):
            await self.ground.far.advance(self.days[step])

    @abstractmethod
    async def counts(self) -> dict[str, int]:
        """What is there now: at the far side, and in the books."""

    def what_is_wrong(self, failure: str, counts: Mapping[str, int], off_balance: int) -> str:
        """In words, or '': that it did not end (`failure`), or what was counted; and the books' own imbalance."""
        wrong = failure or ("" if self.allows(counts) else f"{counts} instead of {dict(self.promises)}")
        return f"{wrong}; the trial balance is off by {off_balance}".removeprefix("; ") if off_balance else wrong

    def allows(self, counts: Mapping[str, int]) -> bool:
        """Whether what is counted is what was promised."""
        return counts == self.promises

    async def close(self) -> None:
        """Close the browser."""
        if self._visitor is not None:
            await self._visitor.aclose()

    async def visitor(self) -> Visitor:
        """The customer's browser, signed in."""
        if self._visitor is None:
            self._visitor = await self.ground.visitor(self.customer_id)
        return self._visitor

    async def wait(self, question: Callable[[], Awaitable[Answer | None]], what: str) -> Answer:
        """Wait for what must come, whatever is down in between."""
        return await until(question, within_seconds=PATIENCE_SECONDS, what=what, patient=True)

    async def press(self, press: Step, is_known: Callable[[], Awaitable[bool]]) -> None:
        """Press a button, and again while the page says that nothing is known of it: the request itself may be lost."""
        pressed_at = -PRESSED_AGAIN_AFTER_SECONDS

        async def there() -> bool:
            nonlocal pressed_at
            if await is_known():
                return True
            if time.monotonic() - pressed_at > PRESSED_AGAIN_AFTER_SECONDS:
                await press()
                pressed_at = time.monotonic()
            return False

        await self.wait(there, f"{self.word} being known")

    async def save_method(self, use: str = "card_ok", kind: str = "card") -> str:
        """Save a method through the provider's page, as the customer does; its id."""
        visitor = await self.visitor()
        before = {each.id for each in await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))}
        form = (await visitor.see("/methods/new")).form("/methods")
        setup_id = form.value("setup").partition(".")[0]
        await visitor.submit(form, kind=kind)
        await self.complete_setup(setup_id, use)
        kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
        return next(each.id for each in kept if each.id not in before)

    async def complete_setup(self, setup_id: str, use: str) -> None:
        """Fill in the provider's page as soon as there is one, come back, and see it completed."""

        async def has_page() -> str | None:
            seen = await self.ground.look(lambda tx: witness.setup(tx, setup_id))
            return seen.page_url if seen is not None else None

        page_url = await self.wait(has_page, f"the provider's page of {setup_id}")
        await self.ground.far.fill_in(page_url, use)

        async def is_completed() -> bool:
            await self.ground.processes.hint(f"setup/{setup_id}", "return")
            seen = await self.ground.look(lambda tx: witness.setup(tx, setup_id))
            return seen is not None and seen.state == "completed"

        await self.wait(is_completed, f"the completion of {setup_id}")
