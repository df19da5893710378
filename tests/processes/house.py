"""A whole Duly for tests: the ground of the drills (launch/drill/ground.py), every part the real program on free ports.

The far side is asked over HTTP: what the provider charged and what the ERP holds is counted there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from activities.requests import FirstAnswer, PayRequest, SetupRequest
from api.processes import Sight, Unanswered
from domain.allocation import Line
from domain.methods import MethodKind
from launch.drill import vendors
from launch.drill.ground import Ground, free_block, prepare, until
from launch.machine import DATABASE
from launch.program import Running
from store import witness
from store.database import Database
from store.identity import fresh_id
from wiring import PROVIDER

__all__ = ["House", "now", "start", "stop", "until"]


@dataclass
class House(Ground):
    """A ground for drills, and what only tests do with it: SQL of their own, payments without a browser."""

    admin: Database

    @property
    def provider(self) -> httpx.AsyncClient:
        return self.far.provider

    @property
    def erp(self) -> httpx.AsyncClient:
        return self.far.erp

    @property
    def mail(self) -> httpx.AsyncClient:
        return self.far.mail

    @property
    def workers(self) -> list[Running]:
        return self.parts.workers

    def start_worker(self) -> Running:
        return self.parts.start_worker()

    def stop_workers(self) -> None:
        self.parts.stop_workers()

    # ------------------------------------------------------------ data

    async def seed_customer(self, *, name: str = "Acme", currency: str = "USD", email: str | None = None) -> str:
        """A customer in the ERP; its number. It reaches Duly by sync."""
        number = f"T-{fresh_id('cus')[-10:]}"
        await self.far.erp_post(
            "/bulk",
            {
                "customers": [
                    {"id": number, "number": number, "name": name, "currency": currency, "email": email, "time_zone": "UTC"}
                ],
                "invoices": [],
                "documents": [],
            },
        )
        return number

    async def customer(
        self,
        *,
        invoices: Sequence[int] = (10_000,),
        currency: str = "USD",
        name: str = "Acme",
        extra: Mapping[str, Any] | None = None,
    ) -> tuple[str, list[str]]:
        """A customer with open invoices of these totals: (customer id, invoice ids oldest first), synced into Duly."""
        number = await self.seed_customer(name=name, currency=currency, email=f"{fresh_id('cus')[-10:]}@customer.example")
        await self.far.enter_invoices(number, invoices, currency=currency, extra=extra)
        await self.sync()

        async def found() -> Any:
            return await self.rows(
                """SELECT i.id, i.customer_id FROM invoices i JOIN customers c ON c.id = i.customer_id
                   WHERE c.number = :number AND (SELECT count(*) FROM invoices j WHERE j.customer_id = c.id) = :count
                   ORDER BY i.issued_on""",
                number=number,
                count=len(invoices),
            )

        ready = await until(found, what="the sync of the new customer")
        return ready[0].customer_id, [row.id for row in ready]

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with self.database.begin("test") as tx:
            return await tx.rows(statement, **values)

    async def one(self, statement: str, **values: Any) -> Any:
        rows = await self.rows(statement, **values)
        assert len(rows) == 1, rows
        return rows[0]

    # ------------------------------------------------------------ acts

    async def saved_method(self, customer_id: str, use: str = "card_ok", kind: str = "card") -> str:
        """A method set up through the hosted page; its id. `use` names one of the page's test numbers."""
        setup_id, page_url = await self.opened_setup(customer_id, kind)
        await self.fill_in(page_url, use)
        if "challenge" in use:
            await self.approve(page_url)
        await self.processes.hint(f"setup/{setup_id}", "return")
        return await self.completed_setup(setup_id)

    async def opened_setup(self, customer_id: str, kind: str = "card") -> tuple[str, str]:
        """A set-up whose customer is at the provider's page: its id and that page."""
        setup_id = await self.begun_setup(
            SetupRequest(
                setup_id=fresh_id("set"),
                customer_id=customer_id,
                kind=MethodKind(kind),
                currency="USD",
                consent_wording="Keep it for later payments.",
                return_path="/methods",
                request_hash="as on the page",
            )
        )
        return setup_id, await self.page_of_setup(setup_id)

    async def begun_setup(self, request: SetupRequest) -> str:
        """A set-up that was asked for; its id."""
        with suppress(Unanswered):
            await self.processes.start_setup(request)
        return request.setup_id

    async def page_of_setup(self, setup_id: str) -> str:
        """The provider's page of a set-up, once there is one."""

        async def has_page() -> str | None:
            rows = await self.rows("SELECT page_url FROM method_setups WHERE id = :id", id=setup_id)
            return rows[0].page_url if rows else None

        return await until(has_page, within_seconds=60, what="the provider's page")

    async def completed_setup(self, setup_id: str) -> str:
        """The method of a set-up, once it is there."""

        async def ready() -> Any:
            return await self.rows("SELECT method_id FROM method_setups WHERE id = :id AND state = 'completed'", id=setup_id)

        method_id: str = (await until(ready, what="the set-up's completion"))[0].method_id
        return method_id

    async def fill_in(self, page_url: str, use: str) -> None:
        await self.far.fill_in(page_url, use)

    async def approve(self, page_url: str, *, approve: bool = True) -> None:
        await self.far.approve(page_url, approve=approve)

    def request(
        self,
        customer_id: str,
        lines: Sequence[tuple[str, int]],
        *,
        method_id: str | None,
        payment_id: str | None = None,
        **changes: Any,
    ) -> PayRequest:
        """A payment as the portal asks for it."""
        payment_id = payment_id or fresh_id("pay")
        values: dict[str, Any] = {
            "payment_id": payment_id,
            "customer_id": customer_id,
            "customer_ids": (customer_id,),
            "currency": "USD",
            "lines": tuple(Line(invoice_id=invoice_id, minor=minor) for invoice_id, minor in lines),
            "kind": MethodKind.CARD,
            "method_id": method_id,
            "connection_id": PROVIDER,
            "request_hash": f"hash of {payment_id}",
            "started_by": "A. Cole",
        }
        return PayRequest(**{**values, **changes})

    async def pay(self, request: PayRequest) -> FirstAnswer:
        """Ask until somebody answers: a time-out is no answer, and the same request is the same payment."""

        async def answered() -> FirstAnswer | None:
            with suppress(Unanswered):
                return await self.processes.start_payment(request)
            return None

        answer: FirstAnswer = await until(answered, within_seconds=60, what="the first answer")
        return answer

    async def forget(self, workflow_id: str) -> None:
        """What retention does after days: the workflow is gone, only its rows remain."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self.client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
        )
        asked_at = 0.0

        async def gone() -> bool:
            nonlocal asked_at
            if await self.processes.describe(workflow_id) is Sight.MISSING:
                return True
            # Asked again now and then: a deletion that meets the very moment of a workflow's end comes to nothing.
            if time.monotonic() - asked_at > 3:
                asked_at = time.monotonic()
                with suppress(RPCError):
                    await self.client.workflow_service.delete_workflow_execution(request)
            return False

        await until(gone, within_seconds=60, what=f"{workflow_id} being forgotten")

    async def payment(self, payment_id: str) -> Any:
        return await self.one("SELECT * FROM payments WHERE id = :id", id=payment_id)

    async def reaches(self, payment_id: str, state: str, *, within_seconds: float = 20) -> None:
        async def there() -> bool:
            rows = await self.rows("SELECT state FROM payments WHERE id = :id", id=payment_id)
            return bool(rows) and rows[0].state == state

        await until(there, within_seconds=within_seconds, what=f"{payment_id} being {state}")

    async def refused_posting(self, customer_id: str, invoice_id: str, minor: int, *, method_id: str) -> str:
        """Paid, and refused by the ERP, which takes it from now on; the posting's id."""
        erp_id = (await self.one("SELECT erp_id FROM invoices WHERE id = :id", id=invoice_id)).erp_id
        await self.far.refuse(erp_id)
        try:
            request = self.request(customer_id, [(invoice_id, minor)], method_id=method_id)
            await self.pay(request)

            async def is_refused() -> bool:
                rows = await self.rows("SELECT state FROM postings WHERE payment_id = :id", id=request.payment_id)
                return bool(rows) and rows[0].state == "refused"

            await until(is_refused, what="the ERP's refusal")
        finally:
            await self.far.refuse(erp_id, stops=True)
        return f"{request.payment_id}-captured"

    async def is_posted(self, payment_id: str, *, postings: int = 1, within_seconds: float = 20) -> None:
        async def there() -> bool:
            row = await self.one(
                "SELECT count(*) AS n FROM postings WHERE payment_id = :id AND state = 'confirmed'", id=payment_id
            )
            return bool(row.n == postings)

        await until(there, within_seconds=within_seconds, what=f"the posting of {payment_id}")

    # ------------------------------------------------------------ the far side

    async def charges(self, payment_id: str) -> list[dict[str, Any]]:
        return await self.far.charges(payment_id)

    async def attempts(self, payment_id: str) -> list[dict[str, Any]]:
        return await self.far.attempts(payment_id)

    async def provider_post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self.far.provider_post(path, body)

    async def provider_fault(self, op: str, kind: str, **rest: Any) -> None:
        await self.far.provider_fault(op, kind, **rest)

    async def advance(self, by: timedelta) -> None:
        await self.far.advance(by)

    async def erp_post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self.far.erp_post(path, body)

    async def documents(self, reference: str) -> list[dict[str, Any]]:
        return await self.far.documents(reference)

    async def knobs(self, **knobs: Any) -> None:
        await self.far.knobs(**knobs)

    async def trial_balance(self) -> int:
        return await self.look(witness.trial_balance)


async def start(folder: Path, *, apis: int = 1) -> House:
    """Start everything; the caller stops it with `stop`. A vendor's simulator is started by the test that wants it."""
    addresses = vendors.addresses(free_block(len(vendors.names())))
    machine, parts, far, client, database = await prepare(folder, apis=apis, addresses=addresses)
    return House(
        machine=machine,
        parts=parts,
        far=far,
        client=client,
        database=database,
        admin=Database(machine.cluster.admin_url(DATABASE)),
    )


async def stop(house: House) -> None:
    """Stop every part, the newest first."""
    await house.admin.close()
    await house.aclose()


def now() -> datetime:
    return datetime.now(UTC)
