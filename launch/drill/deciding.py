"""What staff decide: a posting that the ERP refused is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from activities.requests import SendAgain
from api.processes import Unanswered
from launch.drill.paying import SavedCard
from launch.drill.process import Step
from store import witness


class SentAgain(SavedCard):
    """The ERP refused a payment, somebody mended the cause there, and sends it again: one document, whoever dies."""

    name = "send a refused posting again"
    owns: ClassVar[tuple[str, ...]] = ("again/",)
    greets = False

    async def prepare(self) -> None:
        """Paid, and refused by the ERP; then the cause is mended."""
        await super().prepare()
        invoice = await self.ground.look(lambda tx: witness.erp_id_of(tx, self.invoice_ids[0]))
        await self.ground.far.refuse(invoice)

        async def is_refused() -> bool:
            return await self.ground.look(lambda tx: witness.refused_postings(tx, self.word)) == 1

        try:
            await self.pay()
            await self.wait(is_refused, f"the refusal of {self.word}")
        finally:
            await self.ground.far.refuse(invoice, stops=True)

    def steps(self) -> Sequence[Step]:
        """Send it again, and see it in the ERP."""
        return (self.send_again_and_see,)

    async def send_again_and_see(self) -> None:
        """Everything in one step; whoever gets no answer presses again."""
        order = SendAgain(posting_id=f"{self.word}-captured", attempts=1, by="duly drill")

        async def is_decided() -> bool:
            # Whoever gets no answer reads the rows, as the page does: the first answer may have died with its worker.
            with suppress(Unanswered):
                await self.ground.processes.send_again(order)
            return await self.ground.look(lambda tx: witness.refused_postings(tx, self.word)) == 0

        await self.wait(is_decided, f"the decision about {self.word}")
        await self.ends()
