"""A credit is asked for, approved and put on an invoice; and taken off again. Counted in the ERP's books and in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from activities.requests import ApplyOrder, Decision
from api.processes import Unanswered
from domain.allocation import Line
from launch.drill.process import Process, Step
from store import witness
from store.identity import fresh_id

AMOUNT: Final = 10_000
"""What the invoice of each customer comes to; the credit is as large."""
APPLIED: Final[Mapping[str, int]] = {"documents": 1, "left_there": 0, "left_here": 0, "holds": 0, "open": 0, "applied": 1}
UNDONE: Final[Mapping[str, int]] = {
    "documents": 2,
    "left_there": AMOUNT,
    "left_here": AMOUNT,
    "holds": 0,
    "open": AMOUNT,
    "applied": 0,
}


class CreditApplied(Process):
    """A customer asks for a credit to be put on an invoice, and staff approve."""

    name = "apply a credit"
    owns: ClassVar[tuple[str, ...]] = ("apply/", "req_")
    promises: Mapping[str, int] = APPLIED

    async def prepare(self) -> None:
        """A credit in the ERP, read into Duly; and the form's own id."""
        customer = await self.ground.look(lambda tx: witness.erp_id_of_customer(tx, self.customer_id))
        await self.ground.far.enter_credit(customer, AMOUNT)

        async def is_known() -> tuple[str, str] | None:
            await self.ground.sync()
            return await self.ground.look(lambda tx: witness.credit_of(tx, self.customer_id))

        self._credit_id, self._credit_erp_id = await self.wait(is_known, "the sync of the credit")
        self.word = fresh_id("req")

    def steps(self) -> Sequence[Step]:
        """Ask; then approve, and see it in the ERP."""
        return (self.ask, self.approve_and_see)

    async def ask(self) -> None:
        """Ask, and again while nothing is known of it."""
        order = ApplyOrder(
            request_id=self.word,
            customer_id=self.customer_id,
            customer_ids=(self.customer_id,),
            credit_id=self._credit_id,
            lines=(Line(invoice_id=self.invoice_ids[0], minor=AMOUNT),),
            request_hash=self.word,
            requested_by="duly drill",
        )

        async def is_known() -> bool:
            with suppress(Unanswered):
                await self.ground.processes.request_application(order)
            return await self.seen() is not None

        await self.wait(is_known, f"{self.word} being known")

    async def approve_and_see(self) -> None:
        """Everything in one step; whoever gets no answer decides the same again."""
        await self.decide("approve", until=("posting", "applied"))
        await self.ends("applied")

    async def decide(self, action: str, *, until: Sequence[str]) -> None:
        """One decision, taken until the rows show it."""
        seen = await self.wait(self.seen, f"{self.word} being known")
        decision = Decision(
            decision_id=fresh_id("chg"),
            request_id=self.word,
            action=action,
            by="duly drill",
            version=seen.version,
            text="The drill asks for it",
        )
        processes = self.ground.processes

        async def is_decided() -> bool:
            with suppress(Unanswered):
                await (processes.undo_application if action == "undo" else processes.decide)(decision)
            now = await self.seen()
            return now is not None and now.state in until

        await self.wait(is_decided, f"the decision about {self.word}")

    async def ends(self, state: str) -> None:
        """Wait for the ERP's document, and until both sides have been read after it."""

        async def there() -> bool:
            seen = await self.seen()
            return seen is not None and seen.state == state and seen.unread == 0

        await self.wait(there, f"{self.word} being {state}")

    async def seen(self) -> witness.RequestSeen | None:
        """The request in the books."""
        return await self.ground.look(lambda tx: witness.request(tx, self.word))

    async def counts(self) -> dict[str, int]:
        """In the ERP, then here."""
        documents = [await self.ground.far.documents(f"{self.word}-{each}") for each in ("applied-1", "undone-2")]
        seen = await self.seen()
        return {
            "documents": sum(len(each) for each in documents),
            "left_there": await self.ground.far.left_of_credit(self._credit_erp_id),
            "left_here": seen.left if seen is not None else -1,
            "holds": seen.holds if seen is not None else -1,
            "open": seen.open if seen is not None else -1,
            "applied": int(seen is not None and seen.state == "applied"),
        }


class CreditTakenOff(CreditApplied):
    """Staff take an applied credit off its invoice again."""

    name = "take an applied credit off again"
    owns = ("undo/", "req_")
    promises = UNDONE

    async def prepare(self) -> None:
        """A credit that stands on its invoice in the ERP."""
        await super().prepare()
        await self.ask()
        await self.approve_and_see()

    def steps(self) -> Sequence[Step]:
        """Take it off, and see it gone in the ERP."""
        return (self.take_off_and_see,)

    async def take_off_and_see(self) -> None:
        """Everything in one step."""
        await self.decide("undo", until=("undoing", "undone"))
        await self.ends("undone")
