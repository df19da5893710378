"""Requests to apply a credit in a simulated town: their process step by step, and what people do about them.

The process is told as `workflows/apply_request.py` tells it; a decision runs beside it, as an update's handler does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from activities.applying import Alarm, Opened, OpenRequest, Watch
from activities.requests import ApplyOrder, Decision
from domain import ids
from domain.allocation import Line
from workflows import policies

if TYPE_CHECKING:
    from tests.simulation.ledger import Document
    from tests.simulation.processes import Process, Steps
    from tests.simulation.town import Town

Act = Callable[[], Awaitable[str | None]]

STAFF: Final = ("stf_ann", "stf_ben", "stf_cleo")
APPROVERS: Final = STAFF[1:]
WAITING: Final = "SELECT * FROM apply_requests WHERE state IN ('submitted', 'asked', 'second', 'posting_failed') ORDER BY id"


async def apply_credit(process: Process, steps: Steps, order: ApplyOrder) -> None:
    """`workflows/apply_request.py` ApplyCredit."""
    given = OpenRequest(order=order, run_id=process.run_id)
    opened: Opened = await process.call(policies.DATABASE, steps.applying.open_request, given)
    process.answer = opened.answer
    if not opened.goes_on:
        return
    while True:
        seen = process.hints
        watch: Watch = await process.call(policies.DATABASE, steps.applying.watch_request, order.request_id)
        if watch.ended:
            return
        pause = policies.POSTING_LOOK
        if watch.next_at is not None:
            pause = max(watch.next_at - process.stage.now, timedelta(0))
        if process.hints == seen:
            await process.wait(pause)
        if process.hints == seen:
            alarm = Alarm(request_id=order.request_id, at=process.stage.now)
            await process.call(policies.DATABASE, steps.applying.alarm_request, alarm)


async def decide(process: Process, steps: Steps, decision: Decision, then: Callable[[], None]) -> None:
    """The handler of an update, or `UndoApplication`: one decision, then whoever waits looks at the row."""
    process.answer = await process.call(policies.DATABASE, steps.applying.decide_request, decision)
    then()


@dataclass
class Requesting:
    """Customers who ask, staff who decide, and people in the ERP who do as they like with the same credits."""

    town: Town
    orders: list[ApplyOrder] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = self.town.random
        self.kinds: Mapping[str, tuple[int, Act]] = {
            "ask for a credit": (7, self._ask),
            "ask again": (1, self._ask_again),
            "staff decide": (9, self._staff_decide),
            "two decide at once": (2, self._two_decide),
            "decide the same again": (1, self._decide_again),
            "customer decides": (2, self._customer_decides),
            "take a credit off": (9, self._undo),
            "person at a credit": (4, self._person_at_a_credit),
        }

    # ------------------------------------------------------------ customers

    async def _ask(self) -> str | None:
        resident = self.town.somebody()
        noted = await self.town.rows(
            """SELECT b.id, b.unapplied - b.held AS left FROM credit_balances b JOIN credits k ON k.id = b.id
               WHERE b.customer_id = :id AND NOT k.deleted AND b.unapplied > b.held ORDER BY k.erp_id""",
            id=resident.id,
        )
        invoices = await self.town.rows(
            "SELECT id, erp_id, available FROM invoice_states WHERE customer_id = :id AND available > 0 ORDER BY erp_id",
            id=resident.id,
        )
        if not noted or not invoices:
            return None
        credit = self.random.choice(noted)
        chosen = self.random.sample(list(invoices), self.random.randint(1, min(3, len(invoices))))
        left, lines = credit.left + (self.random.random() < 0.03), []
        for row in chosen:
            minor = min(row.available if self.random.random() < 0.7 else self.random.randint(1, row.available), left)
            if minor > 0:
                lines.append(Line(invoice_id=row.id, minor=minor))
                left -= minor
        number = len(self.orders)
        order = ApplyOrder(
            request_id=ids.compose("req", at_ms=1_772_000_000_000 + number, entropy=self.random.randbytes(10)),
            customer_id=resident.id,
            customer_ids=(resident.id,),
            credit_id=credit.id,
            lines=tuple(lines),
            request_hash=f"form {number}",
            requested_by=resident.erp_id,
        )
        self.orders.append(order)
        self.town.registry.apply(order)
        return f"{resident.erp_id} {order.request_id[-4:]} {[line.minor for line in lines]}"

    async def _ask_again(self) -> str | None:
        if not self.orders:
            return None
        order = self.random.choice(self.orders)
        if self.random.random() < 0.3:
            order = dataclasses.replace(order, request_hash="another form", lines=order.lines[:1])
        self.town.registry.apply(order)
        return order.request_id[-4:]

    async def _customer_decides(self) -> str | None:
        rows = await self.town.rows(WAITING)
        if not rows:
            return None
        row = self.random.choice(rows)
        if row.state == "asked" and self.random.random() < 0.7:
            return self._decide(row, "answer", "portal", text="The one of May", customer_ids=(row.customer_id,))
        return self._decide(row, "withdraw", "portal", customer_ids=(row.customer_id,))

    # ------------------------------------------------------------ staff

    async def _staff_decide(self) -> str | None:
        rows = await self.town.rows(WAITING)
        return await self._decided(self.random.choice(rows)) if rows else None

    async def _two_decide(self) -> str | None:
        rows = await self.town.rows(WAITING)
        if not rows:
            return None
        row = self.random.choice(rows)
        return f"{await self._decided(row)} and {await self._decided(row)}"

    async def _decided(self, row: Any) -> str:
        action = self.random.choice(("approve", "approve", "approve", "approve", "approve a part", "reject", "ask"))
        by = self.random.choice(STAFF if row.state != "second" else (*STAFF, *APPROVERS))
        lines: Sequence[Line] = ()
        if action == "approve a part":
            asked = await self.town.rows(
                """SELECT invoice_id, coalesce(approved, amount) AS most FROM apply_lines WHERE request_id = :id
                   ORDER BY position""",
                id=row.id,
            )
            most = [each for each in asked if each.most > 0]
            chosen = most[: self.random.randint(1, len(most))]
            lines = [Line(invoice_id=each.invoice_id, minor=self.random.randint(1, each.most)) for each in chosen]
        return self._decide(row, action.partition(" ")[0], by, lines=tuple(lines), text="Because it is so")

    def _decide(self, row: Any, action: str, by: str, **changes: Any) -> str:
        """What the page shows is now and then a version old."""
        version = row.version - (self.random.random() < 0.1)
        decision = Decision(
            decision_id=ids.compose("chg", at_ms=1_772_000_000_000 + len(self.decisions), entropy=self.random.randbytes(10)),
            request_id=row.id,
            action=action,
            by=by,
            version=version,
            **changes,
        )
        self.decisions.append(decision)
        self.town.registry.decide(decision)
        return f"{by} {action} {row.id[-4:]} as of {version}"

    async def _decide_again(self) -> str | None:
        if not self.decisions:
            return None
        decision = self.random.choice(self.decisions)
        self.town.registry.decide(decision)
        return f"{decision.action} {decision.request_id[-4:]}"

    async def _undo(self) -> str | None:
        rows = await self.town.rows("SELECT * FROM apply_requests WHERE state = 'applied' ORDER BY id")
        if not rows:
            return None
        return self._decide(self.random.choice(rows), "undo", self.random.choice(STAFF), text="The wrong invoice")

    # ------------------------------------------------------------ people in the ERP

    async def _person_at_a_credit(self) -> str | None:
        """A person puts it on an invoice, takes it off one, edits what it is worth, deletes it, or enters another."""
        erp = self.town.erp
        notes: list[Document] = [each for each in erp.documents if each.kind == "credit" and not each.is_deleted]
        what = self.random.choice(("applies", "applies", "takes off", "lowers", "raises", "deletes", "new"))
        if what == "new":
            resident = self.town.somebody()
            self.town.give_credit(resident)
            return f"a new one of {resident.erp_id}"
        if not notes:
            return None
        note = self.random.choice(notes)
        if what == "applies":
            invoice = self.random.choice([each for each in erp.invoices.values() if each.customer == note.customer])
            minor = min(erp.open(invoice.id), note.unapplied)
            if minor <= 0:
                return None
            erp.move(note, invoice.id, self.random.randint(1, minor))
        elif what == "takes off":
            if not note.on:
                return None
            invoice_id = self.random.choice(sorted(note.on))
            erp.move(note, invoice_id, -self.random.randint(1, note.on[invoice_id]))
        elif what == "deletes":
            if note.on:
                return None
            erp.delete_credit(note)
        else:
            erp.edit_credit(note, 700 if what == "raises" else -min(note.unapplied, 700))
        self.town.faults += 1
        return f"{what} {note.id}"
