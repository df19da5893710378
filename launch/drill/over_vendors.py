"""Paying over vendors that are played: the same promises as over the sandbox, kept through each vendor's own habits.

There is a process for each that can be played (`launch/drill/vendors.py` `names()`): one that cannot be searched learns from
its events, one whose calls are limited is called over a queue of its own, a debit takes the vendor's days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from temporalio.service import RPCError

from api.processes import Sight
from connectors import registry
from domain.methods import MethodKind
from launch.drill import vendors
from launch.drill.ground import Ground
from launch.drill.paying import SavedCard
from launch.drill.process import Process, Step
from launch.drill.refunding import MINOR, Refunded
from launch.drill.vendors import FarVendor


class Over(Process):
    """A process of a customer who pays in a vendor's currency."""

    vendor: ClassVar[str]
    deaths_at_once = 12  # they storm together: more deaths at once than these would leave nobody to go on meanwhile

    @classmethod
    async def accounts(cls, ground: Ground, count: int) -> list[tuple[str, Sequence[str]]]:
        """The vendor is there before its customers are."""
        far = await ground.vendor(cls.vendor)
        return await ground.accounts(count, currency=far.facts.currency)

    async def far(self) -> FarVendor:
        """The vendor."""
        return await self.ground.vendor(self.vendor)


class PaidOver(Over, SavedCard):
    """A customer pays with a method on file, over a vendor."""

    owns: ClassVar[tuple[str, ...]] = ("payment/",)
    starts_with: ClassVar[tuple[str, ...]] = (
        "charge.",
        "record_outcome.before_commit",
        "record_outcome.after_commit",
        "webhook.stored.",
    )
    greets = False

    async def prepare(self) -> None:
        """Save what the vendor's page takes; money that takes days has come when it has settled."""
        facts = (await self.far()).facts
        self.use, self.kind = facts.use, facts.kind
        self.accepted_in, self.ends_in = ("processing", "settled") if facts.settles_in_days else ("captured", "captured")
        await super().prepare()

    def steps(self) -> Sequence[Step]:
        """Press Pay; the vendor's days later it is there."""
        return (self.pay_and_see_it_accepted, self.ends)

    async def days_pass(self, step: int) -> None:
        """The vendor's clock instead of the sandbox's."""
        far = await self.far()
        if step == 0 and far.facts.settles_in_days:
            await far.days_pass(far.facts.settles_in_days)

    async def pay_and_see_it_accepted(self) -> None:
        """The vendor has been asked."""
        await self.pay()
        await self.reaches(self.accepted_in)

    async def ends(self) -> None:
        """Its event may have met an API that was dead, and not every vendor tells again at once: it is asked as well."""

        async def there() -> bool:
            await self.ground.processes.hint(f"payment/{self.word}", "look")
            seen = await self.seen()
            return seen is not None and seen.state == self.ends_in

        await self.wait(there, f"{self.word} being {self.ends_in}")
        await super().ends()

    async def charges(self) -> int:
        """At the vendor, by its own count; a second attempt was nobody's wish."""
        far = await self.far()
        return sum([(await far.ledger(f"{self.word}-{attempt}"))["moving"] for attempt in (1, 2)])


class UnheardOver(PaidOver):
    """The vendor took the charge, and its answer was lost: it is looked up, or learnt from what its events told."""

    starts_with = ("find_charge.", "asking.")

    async def prepare(self) -> None:
        """The vendor will hang up after it has charged."""
        await super().prepare()
        await (await self.far()).tell(lost=[f"{self.word}-1"])


class TakenUpOver(PaidOver):
    """A payment's process is lost while the money is on its way: the sweep finds that and takes it up on the right queue.

    It leaves two minutes to whoever is only slow, so that its two points are named here, and only workers die at them.
    """

    owns = ("sweep",)
    aims = ("sweep.queue.before_commit", "sweep.queue.after_commit")
    only_workers_die = True

    async def prepare(self) -> None:
        """Paid, on its way, and nobody follows it any more."""
        await super().prepare()
        await self.pay_and_see_it_accepted()
        await self.ground.client.get_workflow_handle(f"payment/{self.word}").terminate("the drill lost it")

    def steps(self) -> Sequence[Step]:
        """The sweep comes by; the vendor's days later the money is there."""
        return (self.is_taken_up, self.ends)

    async def is_taken_up(self) -> None:
        """A process of its name runs again."""

        async def sweep() -> None:
            with suppress(RPCError):  # it comes by itself as well, every half minute
                await self.ground.client.get_schedule_handle("sweep").trigger()

        async def runs() -> bool:
            return await self.ground.processes.describe(f"payment/{self.word}") is Sight.RUNNING

        await self.press(sweep, runs)


class RefundedOver(Over, Refunded):
    """A part of what was paid over a vendor goes back over it."""

    starts_with = ("open_refund.queue.", "refund.")
    promises: Mapping[str, int] = {"given_back": MINOR, "documents": 1, "open": MINOR, "refunding": 0}

    async def prepare(self) -> None:
        """Paid with what the vendor's page takes."""
        facts = (await self.far()).facts
        self.use, self.kind, self.currency = facts.use, facts.kind, facts.currency
        await super().prepare()

    async def slow_down(self) -> None:
        """It goes back at the vendor's own pace."""

    async def bank_pays(self) -> None:
        """The vendor needs no telling."""
        await self.ground.processes.hint(f"refund/{self.word}", "look")

    async def given_back(self) -> Mapping[str, int]:
        """By the vendor's own count."""
        return {"given_back": (await (await self.far()).ledger(self.word))["given_back"]}


def _over(base: type[Over], name: str, vendor: str) -> type[Process]:
    return type(base.__name__, (base,), {"name": name.format(vendor), "vendor": vendor, "__doc__": base.__doc__})


def _limited(*, takes_cards: bool) -> Sequence[str]:
    """Those whose calls are limited, by whether cards are among what they take: a debit alone is on its way for days."""
    connectors = registry.payment_connectors()
    return [
        each
        for each in vendors.names()
        if connectors[each].calls_per_second is not None and (MethodKind.CARD in connectors[each].kinds) == takes_cards
    ]


OVER_VENDORS: Final[Sequence[type[Process]]] = (
    *(
        _over(base, name, vendor)
        for vendor in vendors.names()
        for base, name in ((PaidOver, "over {}: pay"), (UnheardOver, "over {}: the answer is lost"))
    ),
    *(_over(RefundedOver, "over {}: refund a payment", each) for each in _limited(takes_cards=True)[:1]),
    *(_over(TakenUpOver, "over {}: take up a lost process", each) for each in _limited(takes_cards=False)[:1]),
)
"""They storm together: what a storm costs is mostly its own beginning and end, whoever is in it."""
OVER_VENDORS_NAMED: Final = "over *"
