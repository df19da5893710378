"""What goes back: a refund that a second person agrees to, that is slow, and that goes back once whoever dies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar, Final

from activities.requests import RefundDecision, RefundRequest
from api.processes import Unanswered
from domain.allocation import Line
from launch.drill.paying import SavedCard
from launch.drill.process import Step
from store import business, staff_accounts, witness
from store.identity import fresh_id
from store.staff_accounts import Role

MINOR: Final = 4_000


class Refunded(SavedCard):
    """A part of a payment goes back: asked for by one, agreed to by another, confirmed by the provider's look."""

    name = "refund a payment"
    owns: ClassVar[tuple[str, ...]] = ("refund/",)
    greets = False
    postings = 2
    currency = "USD"
    promises: Mapping[str, int] = {"refunds": 1, "given_back": MINOR, "documents": 1, "open": MINOR, "refunding": 0}

    async def prepare(self) -> None:
        """Paid and posted; every refund needs a second person, and the provider takes its time."""
        await super().prepare()
        self.payment_id = self.word
        self.postings = 1
        await self.pay()
        await self.ends()
        self.word = fresh_id("rfd")
        at = datetime.now(UTC)
        async with self.ground.database.begin("drill") as tx:
            # Once, by the dry run: those of a storm are prepared at the same moment, and each change is a version.
            if (await business.load(tx)).approval_limit != {self.currency: 0}:
                await business.change(tx, "approval_limit", {self.currency: 0}, by="duly drill", at=at)
            second = await staff_accounts.add(
                tx, email=f"{self.word}@drill.example", name="Second", role=Role.APPROVER, password_hash="", at=at
            )
        self.second = second or ""
        await self.slow_down()

    async def slow_down(self) -> None:
        """The provider takes its time with refunds."""
        await self.ground.far.provider_post("/v1/test/settings", {"refund_path": "stays_pending"})

    def steps(self) -> Sequence[Step]:
        """Ask, agree, and see it back and in the ERP."""
        return (self.refund_and_see,)

    async def refund_and_see(self) -> None:
        """Everything in one step; whoever gets no answer asks again, with the very same words."""
        await self._until({"awaiting_second"}, self._ask)
        await self._until({"processing", "refunded"}, self._agree)
        await self._until({"refunded"}, self.bank_pays)

        async def is_posted() -> bool:
            seen = await self.ground.look(lambda tx: witness.payment(tx, self.payment_id))
            return seen is not None and seen.postings == seen.confirmed == 2

        await self.wait(is_posted, f"the posting of {self.word}")

    async def _until(self, states: set[str], act: Step) -> None:
        async def there() -> bool:
            seen = await self.ground.look(lambda tx: witness.refund(tx, self.word))
            if seen is not None and seen.state in states:
                return True
            with suppress(Unanswered):
                await act()
            return False

        await self.wait(there, f"{self.word} being {' or '.join(sorted(states))}")

    async def _ask(self) -> None:
        line = Line(invoice_id=self.invoice_ids[0], minor=MINOR)
        request = RefundRequest(
            refund_id=self.word,
            payment_id=self.payment_id,
            minor=MINOR,
            currency=self.currency,
            lines=(line,),
            reason="A drill",
            note="",
            by="duly drill",
            request_hash=self.word,
        )
        await self.ground.processes.start_refund(request)

    async def _agree(self) -> None:
        decision = RefundDecision(refund_id=self.word, version=1, agrees=True, by=self.second)
        await self.ground.processes.decide_refund(decision)

    async def bank_pays(self) -> None:
        """The provider says that the money is back."""
        move = {"our_ref": self.word, "status": "succeeded"}
        await self.ground.far.provider_post("/v1/test/refunds/move", move)
        await self.ground.processes.hint(f"refund/{self.word}", "look")

    async def given_back(self) -> Mapping[str, int]:
        """How many refunds there are at the provider, and what of them succeeded."""
        ledger = (await self.ground.far.ledger(self.word))["refunds"]
        succeeded = [each["amount"]["minor"] for each in ledger if each["status"] == "succeeded"]
        return {"refunds": len(ledger), "given_back": sum(succeeded)}

    async def counts(self) -> dict[str, int]:
        """At the provider and in the ERP, then here."""
        documents = await self.ground.far.documents(f"{self.payment_id}-refunded-{self.word}")
        seen = await self.ground.look(lambda tx: witness.refund(tx, self.word))
        ((open_minor, _),) = await self.ground.look(lambda tx: witness.open_and_held(tx, self.invoice_ids[:1]))
        return {
            **await self.given_back(),
            "documents": len(documents),
            "open": open_minor,
            "refunding": seen.refunding if seen is not None else -1,
        }
