"""Refunds on a real database, without a provider: asked for by the activities' own class, and what a provider would have
told as a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activities.refunding import Now, Refunding
from activities.refunds import refund_key
from activities.requests import FirstAnswer, RefundDecision, RefundRequest
from connectors.payments.ports import ChargeStatus, ProviderRefund, RefundStatus
from domain.allocation import Line
from domain.money import Money
from store import refunds
from store.identity import fresh_id
from tests.store.money import ERP, Books


class Counter:
    """Where refunds are asked for and decided."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.refunding = Refunding(books.store, books.now, erp=ERP)

    async def paid(self, *totals: int) -> tuple[str, list[str]]:
        """A captured payment over invoices of these totals."""
        customer_id, invoice_ids = await self.books.customer(*totals)
        payment_id = await self.books.opened(customer_id, *zip(invoice_ids, totals, strict=True))
        await self.books.record(payment_id, ChargeStatus.CAPTURED)
        return payment_id, invoice_ids

    def request(self, payment_id: str, minor: int, lines: Sequence[tuple[str, int]] = (), **changes: Any) -> RefundRequest:
        refund_id = changes.pop("refund_id", None) or fresh_id("rfd")
        values: dict[str, Any] = {
            "refund_id": refund_id,
            "payment_id": payment_id,
            "minor": minor,
            "currency": "USD",
            "lines": tuple(Line(invoice_id=invoice_id, minor=amount) for invoice_id, amount in lines),
            "reason": "Goods sent back",
            "note": "",
            "by": "stf_ann",
            "request_hash": f"hash of {refund_id}",
        }
        return RefundRequest(**{**values, **changes})

    async def ask(self, request: RefundRequest, *, run_id: str = "run-1") -> tuple[str, FirstAnswer | None]:
        key = refund_key(request.payment_id, request.refund_id)
        return await self.refunding.open(request, run_id, key=key)

    async def sent(self, payment_id: str, minor: int, *lines: tuple[str, int]) -> str:
        """A refund that was granted and announced as sent; its id."""
        request = self.request(payment_id, minor, lines)
        answer = await self.ask(request)
        assert answer == ("send", None), answer
        await self.announce(request.refund_id)
        return request.refund_id

    async def announce(self, refund_id: str) -> bool:
        async with self.books.store.begin("test") as tx:
            return await refunds.sending(tx, refund_id, at=self.books.at)

    async def told(self, refund_id: str, status: RefundStatus, *, minor: int | None = None) -> Now:
        """The provider tells it, and it is recorded."""
        row = await self.books.one(
            "SELECT r.amount, p.provider_ref FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = :id",
            id=refund_id,
        )
        told = ProviderRefund(
            provider_id=f"re_{refund_id[4:]}",
            our_ref=refund_id,
            charge_id=row.provider_ref,
            status=status,
            amount=Money.of(row.amount if minor is None else minor, "USD"),
            failure_code="account_closed" if status is RefundStatus.FAILED else None,
        )
        return await self.refunding.record(refund_id, "told", told, None)

    async def decide(self, refund_id: str, by: str, *, agrees: bool = True, version: int = 1) -> FirstAnswer:
        return await self.refunding.decide(RefundDecision(refund_id=refund_id, version=version, agrees=agrees, by=by))

    async def person(self, staff_id: str, role: str = "approver") -> str:
        """A member of staff."""
        async with self.books.admin.begin("test") as tx:
            await tx.run(
                """INSERT INTO staff (id, email, name, role, password_hash, active, added_at)
                   VALUES (:id, :mail, :id, :role, '', true, :at)""",
                id=staff_id,
                mail=f"{staff_id}@staff.example",
                role=role,
                at=self.books.at,
            )
        return staff_id

    async def state(self, refund_id: str) -> str:
        return str((await self.books.one("SELECT state FROM refunds WHERE id = :id", id=refund_id)).state)

    async def sums(self, payment_id: str) -> tuple[int, int]:
        """(under way, gone)"""
        row = await self.books.one("SELECT refunding, refunded FROM payments WHERE id = :id", id=payment_id)
        return row.refunding, row.refunded
