"""How others handled money and events, as incidents tell it, in as few lines as the mistake needs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from store.database import Database, Transaction


@dataclass(slots=True)
class BelievesEvents:
    """The last event that arrives is the state (adyen-magento2 607, woocommerce-gateway-stripe 902)."""

    state: str = ""

    def hear(self, claims: str) -> None:
        self.state = claims


class Rolled(Exception):
    """The database could not serialise this transaction; its framework runs it again."""


async def charge_inside_the_transaction(charge: Callable[[], Awaitable[object]], conflicts: int) -> None:
    """The provider is called inside a transaction that the framework repeats (odoo 150102, 268268)."""
    for attempt in range(conflicts + 1):
        try:
            await charge()
            if attempt < conflicts:
                raise Rolled
        except Rolled:
            continue
        return


@dataclass(slots=True)
class NewPaymentForEachPost:
    """Every submission of a form makes a payment of its own (invoiceninja 6491, frappe payments 238)."""

    made: list[str] = field(default_factory=list)

    def submit(self, _form: str) -> None:
        self.made.append(f"payment {len(self.made)}")


def minor_units_of(amount: str, _currency: str) -> int:
    """Every currency has cents (InvoicePlane 1677, Paymenter 1258)."""
    return int(float(amount) * 100)


def is_genuine(body: bytes, mark: str, secrets: Sequence[str]) -> bool:
    """A webhook is verified with whatever secret is configured, the empty one included (dj-stripe 1920, d-inference 710)."""
    return any(hmac.new(each.encode(), body, hashlib.sha256).hexdigest() == mark for each in secrets)


def booked(captured: int, *, order_is_cancelled: bool) -> int:
    """What of a capture reaches the books: nothing, where its order is gone (woocommerce-gateway-stripe 5362)."""
    return 0 if order_is_cancelled else captured


@dataclass(frozen=True, slots=True)
class LocksThenForgets:
    """It locks the row and looks, and decides in another transaction: the lock protects nothing (hmis 23833)."""

    database: Database

    async def look(self, invoice_id: str) -> int:
        async with self.database.begin("naive") as tx:
            await tx.rows("SELECT 1 FROM invoices WHERE id = :id FOR UPDATE", id=invoice_id)
            row = await tx.row("SELECT available FROM invoice_states WHERE id = :id", id=invoice_id)
        assert row is not None
        return int(row.available)

    async def hold(self, holder: str, invoice_id: str, available: int) -> None:
        async with self.database.begin("naive") as tx:
            await tx.run(
                """INSERT INTO holds (invoice_id, holder_id, customer_id, amount, held_at)
                   SELECT :invoice, p.id, p.customer_id, :amount, p.opened_at FROM payments p WHERE p.id = :holder""",
                invoice=invoice_id,
                holder=holder,
                amount=available,
            )


@dataclass(slots=True)
class BooksWhoeverTells:
    """Money that goes back is booked by the answer and by the event (hyperswitch 13182, smartstore 1544)."""

    returned: int = 0

    def hear(self, minor: int) -> None:
        self.returned += minor


async def document_by_id(tx: Transaction, payment_id: str) -> str | None:
    """Whatever exists is shown to whoever is signed in (Dolibarr 38947, InvoiceShelf 565)."""
    row = await tx.row("SELECT id FROM payments WHERE id = :id", id=payment_id)
    return None if row is None else str(row.id)


async def withdraw_by_id(tx: Transaction, request_id: str) -> bool:
    """The id alone says whose it is (the same)."""
    row = await tx.row(
        "UPDATE apply_requests SET state = 'withdrawn' WHERE id = :id AND state = 'submitted' RETURNING 1", id=request_id
    )
    return row is not None


def link_from(headers: Mapping[str, str], token: str) -> str:
    """A link begins with the host that was asked for (Cronicle 916, hackathon-starter 1326)."""
    return f"https://{headers['Host']}/l/{token}"


def answer_to(reference: str, known: Collection[str]) -> int:
    """The status that a delivery gets: an event of nobody we know is an error (3scale porta 3086)."""
    return 200 if reference in known else 404


def believed_of(
    batch: Sequence[Mapping[str, str]], is_genuine: Callable[[Mapping[str, str]], bool]
) -> list[Mapping[str, str]]:
    """A batch is as genuine as its first item (the helper of Adyen's own library)."""
    return list(batch) if is_genuine(batch[0]) else []


async def payment_by_charge(tx: Transaction, provider_id: str) -> str | None:
    """An event belongs to the payment whose charge is on file; of any other it is dropped (killbill-adyen-plugin 69)."""
    row = await tx.row("SELECT id FROM payments WHERE provider_ref = :id", id=provider_id)
    return None if row is None else str(row.id)
