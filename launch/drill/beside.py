"""The processes beside the money: links that are mailed, reading the ERP, the sweep that finds what a crash left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from temporalio.client import ScheduleOverlapPolicy

from activities.requests import SendLinks
from launch.drill.paying import SavedCard
from launch.drill.process import Process, Step
from store import witness
from store.identity import fresh_id
from wiring import PROVIDER

MAILED: Final[Mapping[str, int]] = {"mails": 1, "message_ids": 1, "sent_here": 1}
READ: Final[Mapping[str, int]] = {"invoices": 1, "with_its_total": 1}


class MailedLink(Process):
    """A portal link is mailed. It arrives, however often somebody dies; a death between the mail server's yes and our
    own note of it sends it again under the same Message-ID, which is as much as mail can promise.
    """

    name = "mail a portal link"
    owns = ("links/", "mal_", "mail/")
    promises = MAILED

    async def prepare(self) -> None:
        """A batch of one."""
        self.word = fresh_id("bat")

    def steps(self) -> Sequence[Step]:
        """Order it, and see it sent."""
        return (self.send,)

    async def send(self) -> None:
        """Everything in one step."""
        order = SendLinks(batch_id=self.word, contacts=((self.customer_id, ""),), by="duly drill")

        async def is_ordered() -> bool:
            await self.ground.processes.send_links(order)
            return True

        async def is_sent() -> bool:
            return await self.ground.look(lambda tx: witness.mails_sent(tx, self.word)) == 1

        await self.wait(is_ordered, f"the order of {self.word}")
        await self.wait(is_sent, f"the mail of {self.word}")

    async def counts(self) -> dict[str, int]:
        """In the mailbox, then here."""
        address = await self.ground.look(lambda tx: witness.address_of(tx, self.customer_id))
        arrived = [mail for mail in await self.ground.far.mails(address) if "receipt" not in mail["subject"].lower()]
        return {
            "mails": len(arrived),
            "message_ids": len({mail["message_id"] for mail in arrived}),
            "sent_here": await self.ground.look(lambda tx: witness.mails_sent(tx, self.word)),
        }

    def allows(self, counts: Mapping[str, int]) -> bool:
        """Never none, never another: one mail more for each death at the one place where nobody can know."""
        return 1 <= counts["mails"] <= 2 and counts["message_ids"] == 1 and counts["sent_here"] == 1


class ReadErp(Process):
    """Somebody at the ERP writes one more invoice."""

    name = "read the ERP"
    owns = ("sync/",)
    deaths_at_once = 4
    promises = READ

    async def prepare(self) -> None:
        """A customer of the ERP's who is known here already, and an invoice who is not."""
        number = (await self.ground.far.enter_customers(["One more"]))[0]
        self._invoice = f"{number}-0"
        self._number = number

    def steps(self) -> Sequence[Step]:
        """Write it there, and see it here."""
        return (self.write_and_see,)

    async def write_and_see(self) -> None:
        """Everything in one step."""

        async def is_written() -> bool:
            # Asked first: where the ERP died of it, it may have written it.
            if not await self.ground.far.has_invoice(self._invoice):
                await self.ground.far.enter_invoices(self._number, (4_321,))
            return True

        await self.wait(is_written, f"{self._invoice} being written")

        async def is_known() -> bool:
            await self.ground.sync()
            return bool(await self.ground.look(lambda tx: witness.invoice_totals(tx, self._invoice)))

        await self.wait(is_known, f"{self._invoice} being known")

    async def counts(self) -> dict[str, int]:
        """Here."""
        totals = await self.ground.look(lambda tx: witness.invoice_totals(tx, self._invoice))
        return {"invoices": len(totals), "with_its_total": sum(total == 4_321 for total in totals)}


class Swept(SavedCard):
    """A payment while the sweep runs again and again."""

    name = "sweep while a payment runs"
    owns = ("sweep",)
    schedule = "sweep"
    greets = False
    deaths_at_once = 4

    async def pay_and_see_posted(self) -> None:
        """The sweep is started before and after."""
        await self.sweep()
        await self.pay()
        await self.sweep()
        await self.ends()
        await self.sweep()

    async def sweep(self) -> None:
        """Let its Schedule run now."""

        async def is_triggered() -> bool:
            handle = self.ground.client.get_schedule_handle(self.schedule)
            await handle.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
            return True

        await self.wait(is_triggered, "the sweep")


class EventsListed(Swept):
    """A payment while the provider is asked again and again for what it told."""

    name = "events listed again while a payment runs"
    owns = ("events",)
    starts_with = ("catch_up",)  # whether a look or a webhook is first to tell of an event is a matter of luck
    schedule = f"events/{PROVIDER}"
