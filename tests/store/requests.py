"""Credits and requests on the books of a test: told by the ERP, asked for, decided, answered by the ERP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from activities.applying import Alarm, Applying, OpenRequest
from activities.pokes import Pokes
from activities.requests import ApplyOrder, Decision, FirstAnswer
from domain.allocation import Line
from domain.receivables import CreditKind, ErpCredit
from store import erp_credits, postings, snapshots, staff_accounts
from store.identity import fresh_id
from store.staff_accounts import Role
from tests.store.money import ERP, Books, usd


@dataclass
class Desk:
    """Whoever asks and whoever decides, on these books."""

    books: Books
    applying: Applying = field(init=False)

    def __post_init__(self) -> None:
        pokes = Pokes(None, erps={ERP: None})  # type: ignore[arg-type]  # nothing is sent before `run`
        self.applying = Applying(self.books.store, self.books.now, pokes, erp=ERP)

    async def credit(self, customer_id: str, total: int, *, used: int = 0, **changes: Any) -> str:
        """The ERP tells a credit note."""
        erp_id = f"doc-{fresh_id('crd')[-10:]}"
        await self.tell_credit(customer_id, erp_id, total, used=used, **changes)
        return str((await self.books.one("SELECT id FROM credits WHERE erp_id = :id", id=erp_id)).id)

    async def tell_credit(self, customer_id: str, erp_id: str, total: int, *, used: int = 0, **changes: Any) -> None:
        owner = await self.books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
        told = ErpCredit(
            **{
                "erp_id": erp_id,
                "customer_erp_id": owner.erp_id,
                "number": erp_id.upper(),
                "kind": CreditKind.CREDIT_NOTE,
                "issued_on": date(2026, 10, 1),
                "total": usd(total),
                "used": usd(used),
                **changes,
            }
        )
        async with self.books.store.begin("test") as tx:
            seq = await snapshots.next_seq(tx)
            await erp_credits.take(tx, [told], seq, connection_id=ERP, at=self.books.at)

    async def staff(self, role: Role) -> str:
        address = f"{fresh_id('stf')}@staff.example"
        async with self.books.store.begin("test") as tx:
            added = await staff_accounts.add(
                tx, email=address, name=role.word, role=role, password_hash="", at=self.books.at
            )
        assert added is not None
        return added

    async def ask(
        self, customer_id: str, credit_id: str, *lines: tuple[str, int], request_id: str = "", **changes: Any
    ) -> tuple[str, FirstAnswer]:
        """A customer asks; the request's id and the first answer."""
        order = ApplyOrder(
            **{
                "request_id": request_id or fresh_id("req"),
                "customer_id": customer_id,
                "customer_ids": (customer_id,),
                "credit_id": credit_id,
                "lines": tuple(Line(invoice_id=key, minor=minor) for key, minor in lines),
                "request_hash": "hash",
                "requested_by": "portal link",
                **changes,
            }
        )
        opened = await self.applying.open_request(OpenRequest(order=order, run_id="run-1"))
        return order.request_id, opened.answer

    async def asked(self, customer_id: str, credit_id: str, *lines: tuple[str, int]) -> str:
        request_id, answer = await self.ask(customer_id, credit_id, *lines)
        assert answer.state == "submitted", answer
        return request_id

    async def decide(
        self, request_id: str, action: str, by: str, *, version: int | None = None, **changes: Any
    ) -> FirstAnswer:
        """Somebody decides what the page showed them: the version of this moment unless another is given."""
        if version is None:
            version = (await self.books.one("SELECT version FROM apply_requests WHERE id = :id", id=request_id)).version
        decision = Decision(
            **{
                "decision_id": fresh_id("chg"),
                "request_id": request_id,
                "action": action,
                "by": by,
                "version": version,
                **changes,
            }
        )
        return await self.applying.decide_request(decision)

    async def alarm(self, request_id: str) -> None:
        await self.applying.alarm_request(Alarm(request_id=request_id, at=self.books.at))

    async def send(self, posting_id: str) -> int:
        """The poster claims it; its fence."""
        async with self.books.store.begin("test") as tx:
            fence = await postings.fence(tx, ERP)
            assert await postings.claim(tx, posting_id, connection_id=ERP, fence=fence, at=self.books.at)
        return fence

    async def confirm(self, posting_id: str) -> None:
        """The ERP wrote it."""
        fence = await self.send(posting_id)
        async with self.books.store.begin("test") as tx:
            assert await postings.confirm(tx, posting_id, fence=fence, erp_id="doc-1", erp_number="APP-1", at=self.books.at)

    async def refuse(self, posting_id: str, sentence: str = "The period is closed.") -> None:
        """The ERP said no."""
        fence = await self.send(posting_id)
        async with self.books.store.begin("test") as tx:
            assert await postings.refuse(tx, posting_id, fence=fence, code="CLOSED", sentence=sentence, at=self.books.at)

    async def state(self, request_id: str) -> str:
        return str((await self.books.one("SELECT state FROM apply_requests WHERE id = :id", id=request_id)).state)

    async def left(self, credit_id: str) -> tuple[int, int]:
        """Unapplied and held of a credit."""
        row = await self.books.one("SELECT unapplied, held FROM credit_balances WHERE id = :id", id=credit_id)
        return int(row.unapplied), int(row.held)

    async def untouched(self, credit_id: str, invoice_ids: Sequence[str]) -> list[Any]:
        """The rows that an open request must not write: the credit's and the invoices' own."""
        found = list(await self.books.rows("SELECT * FROM credits WHERE id = :id", id=credit_id))
        return found + list(
            await self.books.rows("SELECT * FROM invoices WHERE id = ANY(:ids) ORDER BY id", ids=list(invoice_ids))
        )
