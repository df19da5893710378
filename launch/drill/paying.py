"""The processes that move money: by saved card, on the provider's page, by bank debit that settles or comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, Final

from launch.drill.process import Process, Step
from launch.drill.visitor import Form
from store import witness

ONCE: Final[Mapping[str, int]] = {
    "charges": 1,
    "payments": 1,
    "documents": 1,
    "receipts": 1,
    "holds": 0,
    "allocated": 10_000,
}
NOTHING: Final[Mapping[str, int]] = dict.fromkeys(ONCE, 0)
"""Of a payment that ended without money: the invoice is free again."""
RETURNED: Final[Mapping[str, int]] = {**ONCE, "reversals": 1, "allocated": 0}


class SavedCard(Process):
    """A customer pays with the card on file."""

    name = "pay with a saved card"
    owns: ClassVar[tuple[str, ...]] = ("payment/", "pay_", "post/")
    greets = True
    promises: Mapping[str, int] = ONCE
    use = "card_ok"
    kind = "card"
    ends_in = "captured"
    postings = 1

    async def prepare(self) -> None:
        """Save the method, open the page with the Pay button; its form names the payment that it will make."""
        self.way = await self.save_method(self.use, self.kind)
        await self.open_form()

    async def open_form(self) -> None:
        """The confirmation page."""
        page = await (await self.visitor()).see(f"/pay?i={self.invoice_ids[0]}")
        self.form: Form = page.form("/payments")
        self.word = self.form.value("payment").partition(".")[0]

    def steps(self) -> Sequence[Step]:
        """Press Pay, and see it through to the ERP."""
        return (self.pay_and_see_posted,)

    async def pay_and_see_posted(self) -> None:
        """Everything in one step."""
        await self.pay()
        await self.ends()

    async def pay(self) -> None:
        """Press the button, and again while nothing is known of it."""

        async def submit() -> None:
            await (await self.visitor()).submit(self.form, way=self.way)

        async def is_known() -> bool:
            return await self.seen() is not None

        await self.press(submit, is_known)

    async def ends(self) -> None:
        """Wait for the last state, and for the documents in the ERP."""
        await self.reaches(self.ends_in)

        async def is_posted() -> bool:
            seen = await self.seen()
            return seen is not None and seen.postings == seen.confirmed == self.postings

        await self.wait(is_posted, f"the posting of {self.word}")

    async def reaches(self, state: str) -> None:
        """Wait for a state."""

        async def there() -> bool:
            seen = await self.seen()
            return seen is not None and seen.state == state

        await self.wait(there, f"{self.word} being {state}")

    async def seen(self) -> witness.PaymentSeen | None:
        """The payment in the books."""
        return await self.ground.look(lambda tx: witness.payment(tx, self.word))

    async def charges(self) -> int:
        """That moved or will move money, at the provider."""
        return int((await self.ground.far.ledger(f"{self.word}-1"))["moving"])

    async def counts(self) -> dict[str, int]:
        """At the provider and in the ERP, then here."""
        documents = await self.ground.far.documents(f"{self.word}-captured")
        seen = await self.seen()
        return {
            "charges": await self.charges(),
            "payments": int(seen is not None and seen.captured == 10_000),
            "documents": len(documents),
            "receipts": seen.receipts if seen is not None else 0,
            "holds": seen.holds if seen is not None else 0,
            "allocated": seen.allocated if seen is not None else 0,
        }


class ProviderPage(SavedCard):
    """A customer pays once, with a card that is entered on the provider's page and not kept."""

    name = "pay on the provider's page"
    owns = ("payment/", "pay_")
    greets = False

    async def prepare(self) -> None:
        """Nothing is saved before."""
        self.way = "new/sandbox/card"
        await self.open_form()

    async def pay_and_see_posted(self) -> None:
        """To the page, pay there, come back. Where the page cannot be opened, the payment ends by itself."""
        await self.pay()
        if self.ends_in != "captured":
            await self.ends()
            return

        async def has_page() -> str | None:
            seen = await self.seen()
            return seen.action_url if seen is not None else None

        page_url = await self.wait(has_page, f"the provider's page of {self.word}")
        await self.ground.far.fill_in(page_url, "card_ok")
        await (await self.visitor()).see(f"/payments/{self.word}/return")
        await self.ends()


class AnswerLost(SavedCard):
    """The provider took the charge, and its answer was lost on the way."""

    name = "the provider's answer is lost"
    owns = ("payment/",)
    greets = False
    starts_with = ("find_charge", "note_check", "record_outcome")

    async def prepare(self) -> None:
        """The provider will hang up after it has charged."""
        await super().prepare()
        await self.ground.far.provider_fault("charge", "drop_after", our_ref=f"{self.word}-1")


class PostingLost(SavedCard):
    """The ERP took the document, and its answer was lost on the way."""

    name = "the ERP's answer is lost"
    owns = ("pay_",)
    greets = False
    starts_with = ("post.aside", "post.take_over", "post.confirm")

    async def prepare(self) -> None:
        """The ERP will hang up once more after it has written."""
        await super().prepare()
        await self.ground.far.one_more("drop_after")


class BankDebit(SavedCard):
    """A customer pays from a saved bank account; the bank takes days."""

    name = "pay by bank debit"
    owns = ("payment/", "pay_", "late/")
    greets = False
    use = "us_bank_account_6789"
    kind = "us_bank_account"
    ends_in = "settled"
    days = (timedelta(days=2, hours=1), timedelta(days=5))

    def steps(self) -> Sequence[Step]:
        """Press Pay; two days later it is paid; five later it has settled."""
        return (self.pay_and_see_it_on_its_way, self.is_captured, self.ends)

    async def pay_and_see_it_on_its_way(self) -> None:
        """The bank has been asked."""
        await self.pay()
        await self.reaches("processing")

    async def is_captured(self) -> None:
        """The bank says that it pays."""

        async def there() -> bool:
            await self.ground.processes.hint(f"payment/{self.word}", "look")
            seen = await self.seen()
            return seen is not None and seen.state in {"captured", "settled", "returned"} and seen.confirmed >= 1

        await self.wait(there, f"{self.word} being captured and posted")


class DebitReturned(BankDebit):
    """A customer's bank takes the money back after days."""

    name = "a bank debit comes back"
    owns = ("late/", "pay_", "post/")
    use = "us_bank_account_2227"
    ends_in = "returned"
    postings = 2
    promises = RETURNED

    async def counts(self) -> dict[str, int]:
        """One document each way; the invoice owes again."""
        counts = await super().counts()
        ledger = await self.ground.far.ledger(f"{self.word}-1")
        reversals = await self.ground.far.documents(f"{self.word}-returned")
        # A charge that came back moves no money any more; that there was one, and one only, is what counts here.
        return {**counts, "charges": len(ledger["charges"]), "reversals": len(reversals)}
