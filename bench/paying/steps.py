"""The steps of one payment, each to be called by whoever orchestrates it: the product's own code, one step at a time.

Duly posts in rounds, for all payments at once; a variant that does everything inside one payment's process posts its own
document: claim, send, confirm, read back. It does so under a connection of its own, so that Duly's poster leaves it alone;
each process that posts has another, since the newest fence of a connection shuts every older one out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from temporalio import activity
from temporalio.testing import ActivityEnvironment

import wiring
from activities.payments import Opened, OpenPayment, Payments, Recorded, RecordOutcome, Told
from activities.requests import PayRequest
from connectors.erp.ports import LedgerErp, PaymentDocument, PaymentLine, PostedDocument
from domain.money import Money
from store import connections, postings, snapshots
from store.database import Database

Given = TypeVar("Given")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A document that the ERP has."""

    payment_id: str
    erp_id: str
    number: str


class Steps:
    """Each method is one durable step. `payments` are the product's activities, which queue postings for `connection_id`."""

    def __init__(self, payments: Payments, database: Database, erp: LedgerErp, *, connection_id: str) -> None:
        self.payments = payments
        self._database = database
        self._erp = erp
        self._connection_id = connection_id
        self._fence = 0

    async def prepare(self) -> None:
        """Announce the connection and draw one fence for all."""
        async with self._database.begin("bench.announce") as tx:
            await connections.announce(
                tx,
                connection_id=self._connection_id,
                role="erp",
                connector=wiring.ERP,
                mode="sandbox",
                offers={},
                at=wiring.now(),
            )
            self._fence = await postings.fence(tx, self._connection_id)

    async def open(self, request: PayRequest) -> Opened:
        """Take the payment's row and hold the invoice."""
        order = OpenPayment(request=request, run_id=request.payment_id)
        return await _outside(self.payments.open_payment, order)

    async def charge(self, payment_id: str) -> Told:
        """Send the charge to the provider."""
        return await _outside(self.payments.charge, payment_id)

    async def record(self, payment_id: str, told: Told) -> Recorded:
        """Write what was told."""
        return await _outside(self.payments.record_outcome, RecordOutcome(payment_id=payment_id, told=told))

    @activity.defn(name="bench.claim")
    async def claim(self, payment_id: str) -> None:
        """Say that the document is about to leave."""
        async with self._database.begin("bench.claim") as tx:
            taken = await postings.claim(
                tx, _posting_id(payment_id), connection_id=self._connection_id, fence=self._fence, at=wiring.now()
            )
        if not taken:
            raise RuntimeError(f"{_posting_id(payment_id)} was not there to be claimed")

    @activity.defn(name="bench.send")
    async def send(self, payment_id: str) -> Posted:
        """Write the document to the ERP."""
        async with self._database.begin("bench.load") as tx:
            posting = await postings.load(tx, _posting_id(payment_id))
        document: PostedDocument = await self._erp.post_payment(
            PaymentDocument(
                reference=posting.id,
                customer_erp_id=posting.customer_erp_id,
                amount=Money.of(posting.amount, posting.currency),
                received_on=posting.on,
                lines=tuple(
                    PaymentLine(invoice_erp_id=line.invoice_id, amount=Money.of(line.minor, posting.currency))
                    for line in posting.lines
                ),
                memo=f"Duly {payment_id}",
                method_label=posting.method_label,
            )
        )
        return Posted(payment_id=payment_id, erp_id=document.erp_id, number=document.number)

    @activity.defn(name="bench.confirm")
    async def confirm(self, posted: Posted) -> None:
        """Write down that the ERP has it."""
        async with self._database.begin("bench.confirm") as tx:
            await postings.confirm(
                tx,
                _posting_id(posted.payment_id),
                fence=self._fence,
                erp_id=posted.erp_id,
                erp_number=posted.number,
                at=wiring.now(),
            )

    @activity.defn(name="bench.read_back")
    async def read_back(self, payment_id: str) -> None:
        """Read the invoices as the ERP has them now."""
        async with self._database.begin("bench.read_seq") as tx:
            posting = await postings.load(tx, _posting_id(payment_id))
            read_seq = await snapshots.next_seq(tx)
        rows = await self._erp.invoices_by_id([line.invoice_id for line in posting.lines])
        async with self._database.begin("bench.take") as tx:
            await snapshots.take(tx, rows, read_seq, connection_id=wiring.ERP, at=wiring.now())

    @activity.defn(name="bench.post")
    async def post(self, payment_id: str) -> None:
        """Claim, send, confirm and read back in one step: one conversation with the ERP."""
        await self.claim(payment_id)
        await self.confirm(await self.send(payment_id))
        await self.read_back(payment_id)


def _posting_id(payment_id: str) -> str:
    return f"{payment_id}-captured"


async def _outside(step: Callable[[Given], Awaitable[Answer]], given: Given) -> Answer:
    """An activity of the product called where there is no Temporal: its context is a stand-in without a server."""
    return await ActivityEnvironment().run(step, given)
