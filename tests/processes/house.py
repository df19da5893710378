"""A whole Duly for tests: every part the real program, on free ports, workers started and killed one by one.

The far side is asked over HTTP: what the provider charged and what the ERP holds is counted there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, ScheduleOverlapPolicy

from activities.requests import FirstAnswer, PayRequest, SetupRequest
from api.processes import Processes, Sight, Unanswered
from connectors.temporal.client import connect
from domain.allocation import Line
from domain.methods import MethodKind
from launch.data_folder import DataFolder
from launch.machine import DATABASE, Machine, private_files
from launch.program import Program, Running
from settings import _codec_key
from store import provision
from store.database import Database
from store.identity import fresh_id
from wiring import ERP, PROVIDER


def free_block(count: int = 7) -> int:
    """The first of so many neighbouring ports that nobody listens on."""
    for _ in range(200):
        # Below the range from which the kernel takes ports for outgoing connections: those come and go at any moment.
        first = 12_000 + secrets.randbelow(20_000)
        probes: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                each = socket.socket()
                probes.append(each)
                each.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for each in probes:
                each.close()
    raise RuntimeError("no free ports")


async def until(question: Callable[[], Awaitable[Any]], *, within_seconds: float = 20, what: str = "it") -> Any:
    """Ask until the answer is true; fails with what was waited for."""
    deadline = time.monotonic() + within_seconds
    while True:
        answer = await question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within_seconds} s; the last answer was {answer!r}")
        await asyncio.sleep(0.1)


@dataclass
class House:
    """The running parts, and ways to look at them."""

    machine: Machine
    client: Client
    database: Database
    admin: Database
    provider: httpx.AsyncClient
    erp: httpx.AsyncClient
    mail: httpx.AsyncClient
    running: dict[str, Running] = field(default_factory=dict)
    workers: list[Running] = field(default_factory=list)

    @property
    def processes(self) -> Processes:
        return Processes(self.client)

    @property
    def base_url(self) -> str:
        return self.machine.addresses()["api"]

    # ------------------------------------------------------------ parts

    def start_worker(self, *, fault: str = "", marker: Path | None = None) -> Running:
        """A worker more; `fault` is DULY_FAULT for it alone."""
        program = next(each for each in self.machine.ourselves() if each.name == "worker")
        environment = {**program.environment, "DULY_FAULT": fault, "DULY_ERP_REQUEST_LIFE_SECONDS": "2"}
        if marker is not None:
            environment["DULY_FAULT_MARKER"] = str(marker)
        running = dataclasses.replace(program, environment=environment).start()
        self.workers.append(running)
        return running

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    @contextmanager
    def nursed_workers(self, *, fault: str, marker: Path, count: int = 2) -> Iterator[None]:
        """Workers with a fault and no other; one that dies is started again (each point kills once, over all of them)."""
        self.stop_workers()
        for _ in range(count):
            self.start_worker(fault=fault, marker=marker)
        stop = False

        async def nurse() -> None:
            while not stop:
                for dead in [each for each in self.workers if each.exit_status() is not None]:
                    self.workers.remove(dead)
                    self.start_worker(fault=fault, marker=marker)
                await asyncio.sleep(0.1)

        task = asyncio.get_running_loop().create_task(nurse())
        try:
            yield
        finally:
            stop = True
            task.cancel()
            self.stop_workers()
            self.start_worker()

    # ------------------------------------------------------------ data

    async def seed_customer(self, *, name: str = "Acme", currency: str = "USD", email: str | None = None) -> str:
        """A customer in the ERP; its number. It reaches Duly by sync."""
        number = f"T-{fresh_id('cus')[-10:]}"
        await self.erp_post(
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

    async def erp_post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self.erp.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

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
        rows = [
            {
                "id": f"{number}-{index}",
                "customer_id": number,
                "number": f"{number}-{index}",
                "currency": currency,
                "issued_on": (date(2026, 9, 1) + timedelta(days=index)).isoformat(),
                "due_on": (date(2026, 10, 1) + timedelta(days=index)).isoformat(),
                "state": "Posted",
                "total": total,
                **(extra or {}),
            }
            for index, total in enumerate(invoices)
        ]
        await self.erp_post("/bulk", {"customers": [], "invoices": rows, "documents": []})
        await self.sync()

        async def found() -> Any:
            return await self.rows(
                """SELECT i.id, i.customer_id FROM invoices i JOIN customers c ON c.id = i.customer_id
                   WHERE c.number = :number AND (SELECT count(*) FROM invoices j WHERE j.customer_id = c.id) = :count
                   ORDER BY i.issued_on""",
                number=number,
                count=len(rows),
            )

        ready = await until(found, what="the sync of the new customer")
        return ready[0].customer_id, [row.id for row in ready]

    async def sync(self) -> None:
        """Let the sync Schedule run now."""
        await self.client.get_schedule_handle(f"sync/{ERP}").trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)

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
        setup_id = fresh_id("set")
        with suppress(Unanswered):
            await self.processes.start_setup(
                SetupRequest(
                    setup_id=setup_id,
                    customer_id=customer_id,
                    kind=MethodKind(kind),
                    currency="USD",
                    consent_wording="Keep it for later payments.",
                    return_path="/methods",
                    request_hash=setup_id,
                )
            )

        async def has_page() -> str | None:
            rows = await self.rows("SELECT page_url FROM method_setups WHERE id = :id", id=setup_id)
            return rows[0].page_url if rows else None

        page_url = await until(has_page, within_seconds=60, what="the provider's page")
        await self.fill_in(page_url, use)
        if "challenge" in use:
            await self.approve(page_url)
        await self.processes.hint(f"setup/{setup_id}", "return")

        async def ready() -> Any:
            return await self.rows("SELECT method_id FROM method_setups WHERE id = :id AND state = 'completed'", id=setup_id)

        method_id: str = (await until(ready, what="the set-up's completion"))[0].method_id
        return method_id

    async def fill_in(self, page_url: str, use: str) -> None:
        """What a customer does on the provider's page: one click on a test number."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
            answer = await browser.post(page_url, data={"use": use})
            assert answer.status_code in {200, 303}, answer.text

    async def approve(self, page_url: str, *, approve: bool = True) -> None:
        """The customer's answer to the bank's question."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
            answer = await browser.post(f"{page_url}/challenge", data={"answer": "approve" if approve else "refuse"})
            assert answer.status_code in {200, 303}, answer.text

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
        await self.client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=self.client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
            )
        )

        async def gone() -> bool:
            return await self.processes.describe(workflow_id) is Sight.MISSING

        await until(gone, what=f"{workflow_id} being forgotten")

    async def payment(self, payment_id: str) -> Any:
        return await self.one("SELECT * FROM payments WHERE id = :id", id=payment_id)

    async def reaches(self, payment_id: str, state: str, *, within_seconds: float = 20) -> None:
        async def there() -> bool:
            rows = await self.rows("SELECT state FROM payments WHERE id = :id", id=payment_id)
            return bool(rows) and rows[0].state == state

        await until(there, within_seconds=within_seconds, what=f"{payment_id} being {state}")

    async def is_posted(self, payment_id: str, *, postings: int = 1, within_seconds: float = 20) -> None:
        async def there() -> bool:
            row = await self.one(
                "SELECT count(*) AS n FROM postings WHERE payment_id = :id AND state = 'confirmed'", id=payment_id
            )
            return bool(row.n == postings)

        await until(there, within_seconds=within_seconds, what=f"the posting of {payment_id}")

    # ------------------------------------------------------------ the far side

    async def charges(self, payment_id: str) -> list[dict[str, Any]]:
        """The provider's own list of charges of a payment that moved or will move money."""
        return [each for each in await self.attempts(payment_id) if each["moves_money"]]

    async def attempts(self, payment_id: str) -> list[dict[str, Any]]:
        """Every charge that the provider knows of a payment, whatever became of it."""
        ledger = (await self.provider.get("/v1/test/ledger")).json()
        return [each for each in ledger["charges"] if each["our_ref"].startswith(payment_id)]

    async def provider_post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self.provider.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def provider_fault(self, op: str, kind: str, **rest: Any) -> None:
        """Let the provider's next call of an operation go wrong."""
        await self.provider_post("/v1/test/faults", {"op": op, "kind": kind, **rest})

    async def advance(self, by: timedelta) -> None:
        """Move the provider's clock."""
        await self.provider_post("/v1/test/clock/advance", {"seconds": by // timedelta(seconds=1)})

    async def documents(self, reference: str) -> list[dict[str, Any]]:
        """The ERP's documents that bear a reference."""
        answer = (await self.erp.get("/test/documents", params={"reference": reference})).json()
        return list(answer["documents"])

    async def knobs(self, **knobs: Any) -> None:
        await self.erp_post("/test/knobs", knobs)

    async def trial_balance(self) -> int:
        row = await self.one(
            """SELECT coalesce(sum(abs(s)), 0)::bigint AS off
               FROM (SELECT sum(amount) AS s FROM journal_lines GROUP BY currency) t"""
        )
        return int(row.off)


async def _open(programs: Sequence[Program]) -> dict[str, Running]:
    """Started from this thread (a child ends with the thread that made it), waited for in another."""
    running = {program.name: program.start() for program in programs}
    for each in running.values():
        await asyncio.to_thread(each.wait_until_ready)
    return running


async def start(folder: Path) -> House:
    """Start everything but the first worker's faults; the caller stops it with `stop`."""
    data = DataFolder(folder)
    data.make()
    with private_files():
        machine = Machine.prepare(data, port=free_block())
    running = await _open(machine.surroundings())
    machine.cluster.make_database(DATABASE)
    await provision.prepare(machine.cluster.admin_url(DATABASE), machine.passwords())
    environment = machine.environment()
    key = _codec_key(environment["DULY_TEMPORAL_CODEC_KEYS"].split(",")[0])
    client = await connect(environment["DULY_TEMPORAL_ADDRESS"], namespace="default", keys=[(key.key_id, key.secret)])
    addresses = machine.addresses()

    def far(name: str, secret: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=addresses[name],
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
            trust_env=False,
            timeout=30,
        )

    house = House(
        machine=machine,
        client=client,
        database=Database(environment["DULY_WORKER_DATABASE_URL"]),
        admin=Database(machine.cluster.admin_url(DATABASE)),
        provider=far("provider", machine.secrets.provider_api_key),
        erp=far("erp", machine.secrets.erp_api_key),
        mail=far("mail", ""),
        running=running,
    )
    house.start_worker()
    if not __import__("os").environ.get("NOAPI"):
        running |= await _open([each for each in machine.ourselves() if each.name == "api"])

    async def scheduled() -> bool:
        rows = await house.rows("SELECT 1 FROM connections WHERE id = :id", id=ERP)
        return bool(rows)

    await until(scheduled, within_seconds=30, what="the worker's announcement")
    return house


async def stop(house: House) -> None:
    """Stop every part, the newest first."""
    for each in (house.provider, house.erp, house.mail):
        await each.aclose()
    await house.database.close()
    await house.admin.close()
    house.stop_workers()
    for running in reversed(list(house.running.values())):
        running.stop()


def now() -> datetime:
    return datetime.now(UTC)
