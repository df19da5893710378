"""What goes wrong at a far side behind Duly's back, and what must be said of it: each by calls to the ERP and the provider.

The table is the injector's own. It reads nothing that comparing reads, and computes nothing as comparing does: it only knows
what it did.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from store.identity import fresh_id
from tests.launch.town import Town

Told = dict[tuple[str, str], int]
"""What must be told: (kind, what it is about) → amount in minor units."""


@dataclass(slots=True)
class Document:
    """A payment of ours that the ERP has, as the injector wrote it down when it was paid: invoice there → minor units."""

    payment_id: str
    customer: str
    on: dict[str, int]

    @property
    def reference(self) -> str:
        return f"{self.payment_id}-captured"

    @property
    def amount(self) -> int:
        return sum(self.on.values())


@dataclass(slots=True)
class Scene:
    """What an anomaly may touch: a document and its invoices, and an invoice of the same customer that nobody has paid."""

    town: Town
    random: Random
    document: Document
    free_invoice: str
    free_left: int

    def act(self, act: str, **fields: object) -> str:
        return self.town.erp.act(act, **fields)

    def enter(self, reference: str, minor: int, on: Mapping[str, int]) -> str:
        """A person's payment document with a reference of ours; its id there."""
        row = {
            "kind": "Payment", "customer_id": self.document.customer, "currency": "USD", "amount": minor, "on": "2026-11-20",
            "external_reference": reference, "lines": [{"invoice_id": each, "amount": part} for each, part in on.items()],
        }  # fmt: skip
        made: str = self.town.erp.answer("POST", "/bulk", json={"documents": [row]})["documents"][0]
        return made

    @property
    def one_line(self) -> tuple[str, int]:
        return self.random.choice(sorted(self.document.on.items()))


Undo = Callable[[], object]


@dataclass(slots=True)
class Injected:
    """What was done: what waits for a person because of it, what is said of it once, and how it is put right, if it can."""

    told: Told = field(default_factory=dict)
    counted: Told = field(default_factory=dict)
    undo: Undo | None = None


Inject = Callable[[Scene], Awaitable[Injected]]


async def deleted(scene: Scene) -> Injected:
    """Our payment is deleted."""
    scene.act("delete_payment", reference=scene.document.reference)
    return Injected({("deleted_in_erp", scene.document.reference): -scene.document.amount})


async def erased(scene: Scene) -> Injected:
    """Our payment is gone without a trace."""
    scene.act("erase_payment", reference=scene.document.reference)
    return Injected({("missing_in_erp", scene.document.reference): -scene.document.amount})


async def lowered(scene: Scene) -> Injected:
    """Our payment is made smaller."""
    return _edited(scene, -scene.random.randint(1, 40))


async def raised(scene: Scene) -> Injected:
    """Our payment is made larger than what is owed."""
    return _edited(scene, scene.random.randint(1, 40))


def _edited(scene: Scene, by: int) -> Injected:
    (invoice, minor), reference = scene.one_line, scene.document.reference

    def let(amount: int) -> str:
        return scene.act("edit_payment", reference=reference, invoice_id=invoice, amount=amount)

    let(minor + by)
    return Injected({("amount_in_erp", reference): by}, undo=lambda: let(minor))


async def entered_twice(scene: Scene) -> Injected:
    """Somebody enters our payment once more, for no invoice."""
    return _twice(scene, {})


async def paid_twice_there(scene: Scene) -> Injected:
    """Somebody enters our payment once more, on the same invoices."""
    return _twice(scene, scene.document.on)


async def entered_on_another(scene: Scene) -> Injected:
    """Somebody enters a part of our payment once more, on another invoice."""
    return _twice(scene, {scene.free_invoice: min(scene.document.amount, scene.free_left)})


def _twice(scene: Scene, on: Mapping[str, int]) -> Injected:
    again = scene.enter(scene.document.reference, scene.document.amount, on)
    told = {("duplicate_in_erp", scene.document.reference): scene.document.amount}
    return Injected(told, undo=lambda: scene.act("delete_payment", document_id=again))


async def stray(scene: Scene) -> Injected:
    """A document bears a reference like ours, and Duly never had such a payment."""
    reference, minor = f"{fresh_id('pay')}-captured", scene.random.randint(100, 5_000)
    made = scene.enter(reference, minor, {})
    return Injected({("stray_in_erp", reference): minor}, undo=lambda: scene.act("delete_payment", document_id=made))


async def by_hand(scene: Scene) -> Injected:
    """A person enters a payment of an open invoice."""
    minor = scene.random.randint(1, scene.free_left)
    made = scene.act("pay_by_hand", invoice_id=scene.free_invoice, amount=minor)
    return Injected(counted={("foreign_payment", made): minor})


async def paid_here_and_there(scene: Scene) -> Injected:
    """A person enters a cheque for an invoice that was paid here, too."""
    invoice, too_much = scene.one_line
    there = scene.town.erp.invoice(invoice)
    minor = int(there["total"]) - int(there["settled"]) + too_much
    made = scene.act("pay_by_hand", invoice_id=invoice, amount=minor)
    return Injected({("overpaid", invoice): too_much}, {("foreign_payment", made): minor})


async def voided(scene: Scene) -> Injected:
    """An invoice that was paid here is voided."""
    invoice, minor = scene.one_line
    scene.act("void", invoice_id=invoice)
    return Injected({("paid_then_void", invoice): -minor}, undo=lambda: scene.act("resolve", invoice_id=invoice))


async def made_cheaper(scene: Scene) -> Injected:
    """An invoice that was paid here gets a total that is less than what was paid."""
    invoice, _ = scene.one_line
    there = scene.town.erp.invoice(invoice)
    total = int(there["total"])
    scene.act("change_total", invoice_id=invoice, amount=int(there["settled"]) - 1)
    return Injected({("overpaid", invoice): 1}, undo=lambda: scene.act("change_total", invoice_id=invoice, amount=total))


async def put_elsewhere(scene: Scene) -> Injected:
    """Money of our payment is moved from its invoice to another."""
    (invoice, minor), document = scene.one_line, scene.document
    part = scene.random.randint(1, min(minor, scene.free_left))

    def move(source: str, target: str) -> None:
        body = {
            "external_reference": f"moved-{fresh_id('chg')[-8:]}", "payment_reference": document.reference,
            "customer_id": document.customer, "currency": "USD", "on": "2026-11-21",
            "lines": [{"invoice_id": source, "amount": -part}, {"invoice_id": target, "amount": part}],
        }  # fmt: skip
        scene.town.erp.answer("POST", "/applications", json=body)

    move(invoice, scene.free_invoice)
    return Injected({("edited_in_erp", invoice): part}, undo=lambda: move(scene.free_invoice, invoice))


async def changed_unseen(scene: Scene) -> Injected:
    """An open invoice gets another total that the list of changes does not tell: it is read again, and nobody is told."""
    total = int(scene.town.erp.invoice(scene.free_invoice)["total"])
    scene.act("change_unseen", invoice_id=scene.free_invoice, amount=total + 100)
    return Injected()


async def booked_on_the_account(scene: Scene) -> Injected:
    """Somebody books on the receivables account itself."""
    minor = scene.random.randint(1, 900)
    scene.act("book_on_receivables", amount=minor, currency="USD")
    return Injected({("ledger_total", "demo/USD"): minor})


async def charged_again(scene: Scene) -> Injected:
    """The provider takes a charge for a payment that was charged."""
    minor = scene.random.randint(100, 5_000)
    await scene.town.charge(scene.document.payment_id, minor, key=fresh_id("chg"))
    return Injected({("charged_again", scene.document.payment_id): minor})


async def charged_after_its_end(scene: Scene) -> Injected:
    """The provider takes a charge for a payment that had ended without money: `document` is one that its customer left."""
    await scene.town.charge(scene.document.payment_id, scene.document.amount, key=fresh_id("chg"))
    return Injected({("charge_not_booked", scene.document.payment_id): scene.document.amount})


async def stands_after_its_return(scene: Scene) -> Injected:
    """Somebody enters a payment again that its bank took back: `document` was taken back before, here and there."""
    again = scene.enter(scene.document.reference, scene.document.amount, {})
    told = {("stands_in_erp", scene.document.reference): scene.document.amount}
    return Injected(told, undo=lambda: scene.act("delete_payment", document_id=again))


PAID: Final[Mapping[str, tuple[Inject, str]]] = {
    "deleted": (deleted, "D09"),
    "erased": (erased, "D01"),
    "lowered": (lowered, "D05"),
    "raised": (raised, "D05"),
    "entered twice": (entered_twice, "D02"),
    "paid twice there": (paid_twice_there, "D02"),
    "entered on another": (entered_on_another, "D02"),
    "stray": (stray, "D02"),
    "by hand": (by_hand, "D03"),
    "paid here and there": (paid_here_and_there, "D04"),
    "voided": (voided, "D10"),
    "made cheaper": (made_cheaper, "D04"),
    "put elsewhere": (put_elsewhere, "D06"),
    "changed unseen": (changed_unseen, ""),
    "booked on the account": (booked_on_the_account, "D17"),
    "charged again": (charged_again, "D04"),
}
"""What may befall a payment that stands, and the class of reconciliation's own list; '' where nobody is told."""
ENDED: Final[Mapping[str, tuple[Inject, str]]] = {
    "charged after its end": (charged_after_its_end, "D13"),
    "stands after its return": (stands_after_its_return, "D15"),
}
"""What may befall a payment that is over: one that its customer left; one that its bank took back."""
