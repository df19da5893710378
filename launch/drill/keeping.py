"""The processes around a saved method: set it up, make it the default, remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from launch.drill.process import Process, Step
from store import witness

KEPT: Final[Mapping[str, int]] = {"charges": 0, "methods_there": 1, "methods_here": 1, "defaults": 1}
CHOSEN: Final[Mapping[str, int]] = {"methods_here": 2, "defaults": 1, "default_is_the_chosen": 1}
REMOVED: Final[Mapping[str, int]] = {"charges": 0, "methods_there": 0, "methods_here": 0, "removed_here": 1}


class AddMethod(Process):
    """A customer saves a card on the provider's page."""

    name = "set up a payment method"
    owns = ("setup/",)
    promises: Mapping[str, int] = KEPT
    ends_in = "completed"

    async def prepare(self) -> None:
        """Open the page with the Continue button; its form names the set-up that it will make."""
        self._form = (await (await self.visitor()).see("/methods/new")).form("/methods")
        self.word = self._form.value("setup").partition(".")[0]

    def steps(self) -> Sequence[Step]:
        """Continue, fill in, come back."""
        return (self.set_up,)

    async def set_up(self) -> None:
        """Everything in one step."""

        async def submit() -> None:
            await (await self.visitor()).submit(self._form, kind="card")

        async def is_known() -> bool:
            return await self.ground.look(lambda tx: witness.setup(tx, self.word)) is not None

        await self.press(submit, is_known)
        if self.ends_in == "completed":
            await self.complete_setup(self.word, "card_ok")
            return

        async def has_ended() -> bool:
            seen = await self.ground.look(lambda tx: witness.setup(tx, self.word))
            return seen is not None and seen.state == self.ends_in

        await self.wait(has_ended, f"{self.word} being {self.ends_in}")

    async def counts(self) -> dict[str, int]:
        """At the provider, then here."""
        ledger = await self.ground.far.ledger(self.word)
        kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
        return {
            "charges": int(ledger["moving"]),
            "methods_there": len(ledger["methods"]),
            "methods_here": sum(each.state == "active" for each in kept),
            "defaults": sum(each.is_default for each in kept),
        }


class MakeDefault(Process):
    """A customer with two cards makes the second the default."""

    name = "make a method the default"
    owns = ("method/",)
    promises = CHOSEN

    async def prepare(self) -> None:
        """Two cards; the first is the default."""
        await self.save_method()
        self._chosen = await self.save_method("mastercard_ok")
        await self.open_form()

    async def open_form(self) -> None:
        """The method's page; its form names the change that it will make."""
        page = await (await self.visitor()).see(f"/methods/{self._chosen}")
        self._form = page.form(f"/methods/{self._chosen}/default")
        self.word = self._form.value("change").partition(".")[0]

    def steps(self) -> Sequence[Step]:
        """Press the button, and see it done."""
        return (self.make_default,)

    async def make_default(self) -> None:
        """Everything in one step."""

        async def submit() -> None:
            await (await self.visitor()).submit(self._form)

        async def is_default() -> bool:
            kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
            return any(each.id == self._chosen and each.is_default for each in kept)

        await self.press(submit, is_default)

    async def counts(self) -> dict[str, int]:
        """Here: the provider knows of no default."""
        kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
        return {
            "methods_here": sum(each.state == "active" for each in kept),
            "defaults": sum(each.is_default for each in kept),
            "default_is_the_chosen": sum(each.is_default and each.id == self._chosen for each in kept),
        }


class RemoveMethod(Process):
    """A customer deletes the only card."""

    name = "remove a payment method"
    owns = ("method/",)
    promises = REMOVED

    async def prepare(self) -> None:
        """One card, and its page with the Delete button."""
        self._chosen = await self.save_method()
        kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
        self._token = kept[0].token
        page = await (await self.visitor()).see(f"/methods/{self._chosen}")
        self._form = page.form(f"/methods/{self._chosen}/delete")
        self.word = self._form.value("change").partition(".")[0]

    def steps(self) -> Sequence[Step]:
        """Press the button, and see it gone."""
        return (self.remove,)

    async def remove(self) -> None:
        """Everything in one step."""

        async def submit() -> None:
            await (await self.visitor()).submit(self._form)

        async def is_gone() -> bool:
            kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
            return all(each.state == "detached" for each in kept)

        await self.press(submit, is_gone)

    async def counts(self) -> dict[str, int]:
        """At the provider, then here."""
        ledger = await self.ground.far.ledger()
        there = [each for each in ledger["methods"] if each["id"] == self._token and each["status"] != "detached"]
        kept = await self.ground.look(lambda tx: witness.methods(tx, self.customer_id))
        return {
            "charges": 0,
            "methods_there": len(there),
            "methods_here": sum(each.state == "active" for each in kept),
            "removed_here": sum(each.state == "detached" for each in kept),
        }
