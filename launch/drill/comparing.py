"""Comparing with the ERP while everything around it dies: what a person did there is told once, whoever tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from temporalio.client import ScheduleOverlapPolicy

from launch.drill.ground import Ground
from launch.drill.paying import SavedCard
from launch.drill.process import Step
from store import witness
from workflows import ids

TOLD: Final[Mapping[str, int]] = {"documents": 0, "told": 1, "total_here": 777}


class Compared(SavedCard):
    """A payment is deleted in the ERP, and an invoice gets another total there that no list tells."""

    name = "compare with the ERP"
    owns = ("reconcile",)
    starts_with = ("begin_reconciliation", "compare_", "end_reconciliation", "reconcile.", "totals.")
    greets = False
    deaths_at_once: ClassVar[int] = 4
    promises = TOLD

    @classmethod
    async def accounts(cls, ground: Ground, count: int) -> list[tuple[str, Sequence[str]]]:
        """The second invoice is the one that changes."""
        return await ground.accounts(count, totals=(10_000, 700))

    async def prepare(self) -> None:
        """Paid and posted, while nothing fails."""
        await super().prepare()
        await self.pay_and_see_posted()
        self._other = await self.ground.look(lambda tx: witness.erp_id_of(tx, self.invoice_ids[1]))

    def steps(self) -> Sequence[Step]:
        """It happens there, and is seen here."""
        return (self.behind_our_back, self.is_told)

    async def behind_our_back(self) -> None:
        """What a person does in the ERP; done once, also where the ERP dies of it."""
        reference = f"{self.word}-captured"

        async def is_done() -> bool:
            far = self.ground.far
            await far.erp_post(
                "/test/act", {"act": "change_unseen", "invoice_id": self._other, "amount": TOLD["total_here"]}
            )
            if await self._standing():
                await far.erp_post("/test/act", {"act": "delete_payment", "reference": reference})
            return True

        await self.wait(is_done, f"the deletion of {reference}")

    async def is_told(self) -> None:
        """Compare, until a comparison that began after it has ended."""
        since = datetime.now(UTC)

        async def is_over() -> bool:
            if await self.ground.look(lambda tx: witness.compared_since(tx, since)):
                return True
            handle = self.ground.client.get_schedule_handle(ids.reconcile())
            await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP)
            return False

        await self.wait(is_over, "the end of a comparison")

    async def _standing(self) -> int:
        documents = await self.ground.far.documents(f"{self.word}-captured")
        return sum(each["state"] == "Posted" for each in documents)

    async def counts(self) -> dict[str, int]:
        """In the ERP, then here."""
        totals = await self.ground.look(lambda tx: witness.invoice_totals(tx, self._other))
        return {
            "documents": await self._standing(),
            "told": await self.ground.look(lambda tx: witness.differences_of(tx, self.word)),
            "total_here": sum(totals),
        }
