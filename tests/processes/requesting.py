"""Credits and requests in a whole house: entered in the ERP, asked for, decided, and counted at the far side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from activities.requests import ApplyOrder, Decision, FirstAnswer
from api.processes import Sight, Unanswered
from domain.allocation import Line
from store import checks
from store.identity import fresh_id
from tests.processes.house import House, now, until

ANN, BEN = "stf_ann", "stf_ben"


@dataclass(frozen=True)
class Case:
    """A customer with one credit, and the invoices that it may be put on."""

    customer_id: str
    invoice_ids: Sequence[str]
    credit_id: str
    credit_erp_id: str


@dataclass
class Requests:
    """Whoever asks and whoever decides, in this house."""

    house: House

    async def case(self, *, invoices: Sequence[int] = (10_000,), credit: int = 6_000) -> Case:
        """A new customer, known to Duly with its credit."""
        customer_id, invoice_ids = await self.house.customer(invoices=invoices)
        credit_id, credit_erp_id = await self.credit(customer_id, credit)
        return Case(customer_id, invoice_ids, credit_id, credit_erp_id)

    async def credit(self, customer_id: str, minor: int) -> tuple[str, str]:
        """A credit note that was entered in the ERP, as soon as Duly knows it: its id here and there."""
        owner = await self.house.one("SELECT erp_id, currency FROM customers WHERE id = :id", id=customer_id)
        document = {
            "kind": "Credit note",
            "customer_id": owner.erp_id,
            "currency": owner.currency,
            "amount": minor,
            "on": "2026-09-15",
        }
        await self.house.erp_post("/bulk", {"customers": [], "invoices": [], "documents": [document]})
        await self.house.sync()

        async def known() -> Any:
            return await self.house.rows("SELECT id, erp_id FROM credits WHERE customer_id = :id", id=customer_id)

        found = (await until(known, what="the sync of the credit"))[0]
        return found.id, found.erp_id

    def order(self, case: Case, *lines: tuple[str, int]) -> ApplyOrder:
        return ApplyOrder(
            request_id=fresh_id("req"),
            customer_id=case.customer_id,
            customer_ids=(case.customer_id,),
            credit_id=case.credit_id,
            lines=tuple(Line(invoice_id=key, minor=minor) for key, minor in lines),
            request_hash="a form",
            requested_by="A. Cole",
        )

    async def ask(self, case: Case, *lines: tuple[str, int]) -> str:
        """Open a request for these lines, or for 4,000 on the first invoice; its id."""
        order = self.order(case, *(lines or ((case.invoice_ids[0], 4_000),)))

        async def answered() -> FirstAnswer | None:
            with suppress(Unanswered):
                return await self.house.processes.request_application(order)
            return None

        answer = await until(answered, within_seconds=60, what="the first answer")
        assert answer is not None
        assert answer.state == "submitted", answer
        return order.request_id

    async def decide(self, request_id: str, action: str, by: str = ANN, **changes: Any) -> FirstAnswer:
        """Somebody decides what the page showed, and asks again while nobody answers: the same decision is taken once."""
        if "version" not in changes:
            changes["version"] = (await self.row(request_id)).version
        decision = Decision(decision_id=fresh_id("chg"), request_id=request_id, action=action, by=by, **changes)
        processes = self.house.processes

        async def answered() -> FirstAnswer | None:
            with suppress(Unanswered):
                return await (processes.undo_application if action == "undo" else processes.decide)(decision)
            return await self._as_the_rows_tell(decision)

        answer = await until(answered, within_seconds=60, what=f"an answer to {action}")
        assert answer is not None
        return answer

    async def _as_the_rows_tell(self, decision: Decision) -> FirstAnswer | None:
        """What the page reads where nobody answered, for a request that has ended has no process: taken, or too late."""
        row = await self.row(decision.request_id)
        taken = f"{decision.request_id}/decided/{decision.decision_id}"
        if await self.house.rows("SELECT 1 FROM timeline WHERE id = :id", id=taken):
            return FirstAnswer(state=row.state)
        return FirstAnswer(state="refused", rule="request_moved_on") if row.version != decision.version else None

    async def applied(self, case: Case, *lines: tuple[str, int]) -> str:
        """Asked for, approved, and written by the ERP."""
        request_id = await self.ask(case, *lines)
        await self.decide(request_id, "approve")
        await self.reaches(request_id, "applied")
        return request_id

    async def row(self, request_id: str) -> Any:
        return await self.house.one("SELECT * FROM apply_requests WHERE id = :id", id=request_id)

    async def reaches(self, request_id: str, state: str, *, within_seconds: float = 60) -> None:
        async def there() -> bool:
            return bool((await self.row(request_id)).state == state)

        await until(there, within_seconds=within_seconds, what=f"{request_id} being {state}")

    async def ends(self, request_id: str) -> None:
        async def ended() -> bool:
            return await self.house.processes.describe(f"apply/{request_id}") is Sight.ENDED

        await until(ended, what=f"the end of the process of {request_id}")

    async def refuses(self, case: Case, *, stops: bool = False) -> None:
        """The ERP refuses whatever is written on the first invoice, until it stops."""
        row = await self.house.one("SELECT erp_id FROM invoices WHERE id = :id", id=case.invoice_ids[0])
        await self.house.far.refuse(row.erp_id, stops=stops)

    # ------------------------------------------------------------ what is counted

    async def at_the_erp(self, case: Case) -> tuple[int, list[tuple[str, int]]]:
        """What is left of the credit there, and what of it stands on which invoice."""
        answer = await self.house.erp.post("/documents/lookup", json={"ids": [case.credit_erp_id]})
        answer.raise_for_status()
        (credit,) = answer.json()["rows"]
        return credit["amount"] - sum(each["amount"] for each in credit["applied"]), [
            (each["invoice_id"], each["amount"]) for each in credit["applied"]
        ]

    async def documents(self, reference: str) -> int:
        return len(await self.house.documents(reference))

    async def left(self, case: Case) -> tuple[int, int]:
        """What Duly shows as left of the credit, and what of that is reserved."""
        row = await self.house.one("SELECT unapplied, held FROM credit_balances WHERE id = :id", id=case.credit_id)
        return int(row.unapplied), int(row.held)

    async def open(self, case: Case) -> list[tuple[int, int]]:
        """Open and held of each invoice, in order."""
        rows = await self.house.rows("SELECT id, open, held FROM balances WHERE id = ANY(:ids)", ids=list(case.invoice_ids))
        found = {row.id: (int(row.open), int(row.held)) for row in rows}
        return [found[each] for each in case.invoice_ids]

    async def is_read_back(self, case: Case) -> None:
        """Until both sides were read after our last posting, and the ERP's own figures are the ones that we show."""

        async def there() -> bool:
            row = await self.house.one(
                "SELECT count(*) AS n FROM postings WHERE credit_id = :id AND read_back_at IS NULL", id=case.credit_id
            )
            return bool(row.n == 0)

        await until(there, within_seconds=60, what="the read-back")
        row = await self.house.one("SELECT total - used AS unused FROM credits WHERE id = :id", id=case.credit_id)
        assert row.unused == (await self.left(case))[0] == (await self.at_the_erp(case))[0]

    async def is_sound(self) -> None:
        """Every journal entry balances, and every invariant of the books holds."""
        assert await self.house.trial_balance() == 0
        found = [
            await self.house.look(lambda tx, each=each: checks.look(tx, each, at=now(), horizons=checks.Horizons()))  # type: ignore[misc]
            for each in checks.INVARIANTS
        ]
        assert [each for each in found if not each.holds] == []
