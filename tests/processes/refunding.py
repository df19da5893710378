"""Refunds in a whole house: asked for without a browser, and counted where the money is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from activities.requests import FirstAnswer, RefundRequest
from api.processes import Unanswered
from domain.allocation import Line
from store import business
from store.identity import fresh_id
from tests.processes.house import House, now, until

PAID = 10_000


async def paid(house: House, *, minor: int = PAID) -> tuple[str, str]:
    """A captured payment of one invoice that the ERP has: its id, and the invoice's."""
    customer_id, (invoice_id,) = await house.customer(invoices=(minor,))
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, minor)], method_id=method_id)
    assert (await house.pay(request)).state == "captured"
    await house.is_posted(request.payment_id)
    return request.payment_id, invoice_id


def wish(payment_id: str, minor: int, lines: Sequence[tuple[str, int]], **changes: Any) -> RefundRequest:
    """A refund as a page asks for it."""
    refund_id = fresh_id("rfd")
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


async def ask(house: House, request: RefundRequest) -> FirstAnswer:
    """Ask until somebody answers."""

    async def answered() -> FirstAnswer | None:
        with suppress(Unanswered):
            return await house.processes.start_refund(request)
        return None

    answer: FirstAnswer = await until(answered, within_seconds=60, what="the first answer")
    return answer


async def reaches(house: House, refund_id: str, state: str, *, within_seconds: float = 30) -> None:
    async def there() -> bool:
        rows = await house.rows("SELECT state FROM refunds WHERE id = :id", id=refund_id)
        return bool(rows) and rows[0].state == state

    await until(there, within_seconds=within_seconds, what=f"{refund_id} being {state}")


async def ledger(house: House, refund_id: str) -> list[dict[str, Any]]:
    """The provider's refunds with a reference, as it counts them."""
    answer = await house.provider.get("/v1/test/ledger", params={"our_ref": refund_id})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["refunds"]
    return found


async def open_now(house: House, invoice_id: str) -> int:
    return int((await house.one("SELECT open FROM balances WHERE id = :id", id=invoice_id)).open)


async def told_to_the_erp(house: House, payment_id: str, name: str, refund_id: str) -> list[dict[str, Any]]:
    """The ERP's documents of a refund, once its posting is confirmed."""
    posting_id = f"{payment_id}-{name}-{refund_id}"

    async def confirmed() -> bool:
        rows = await house.rows("SELECT state FROM postings WHERE id = :id", id=posting_id)
        return bool(rows) and rows[0].state == "confirmed"

    await until(confirmed, within_seconds=40, what=f"the posting of {refund_id}")
    return await house.documents(posting_id)


async def limit(house: House, minor: int) -> None:
    """Above this amount of dollars a second person must agree; there is one, stf_bob."""
    async with house.admin.begin("test") as tx:
        await tx.run(
            """INSERT INTO staff (id, email, name, role, password_hash, active, added_at)
               VALUES ('stf_bob', 'bob@refunds.example', 'Bob', 'approver', '', true, :at) ON CONFLICT DO NOTHING""",
            at=now(),
        )
        await business.change(tx, "approval_limit", {"USD": minor}, by="test", at=now())
