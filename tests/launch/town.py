"""Books, a real provider and a real ERP that know of each other; each step between them is taken by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.posting import Postings, Round
from activities.syncing import Syncing
from connectors.erp.demo import DemoErpConfig
from connectors.erp.demo import build as build_erp
from connectors.payments.ports import PageOrder, Payer, RefundOrder
from connectors.payments.sandbox import SandboxConfig
from connectors.payments.sandbox import build as build_provider
from domain.ids import attempt_of
from domain.methods import MethodKind
from domain.money import Money
from launch.checking.everything import FarSides, check
from store import payments
from store.checks import Finding, Horizons
from store.database import Database
from store.identity import fresh_id
from tests import machine
from tests.connectors.sandbox_harness import API_KEY, SECRETS
from tests.simulators.running import DemoErpProgram, start_demo_erp
from tests.store.money import ERP, PROVIDER, Books, books_of
from tests.store.refunding import Counter


@asynccontextmanager
async def town_of(database: machine.Database, provider_url: str, folder: Path) -> AsyncIterator[Town]:
    """Books and an ERP of its own beside a provider; whatever ERP runs there at the end is stopped."""
    erp = start_demo_erp(folder / "books.sqlite")
    async with AsyncExitStack() as stack:
        stack.callback(lambda: erp.program.stop())  # a test may have killed it and begun another
        books = await stack.enter_async_context(books_of(database))
        town = Town(books, erp, provider_url, database)
        stack.push_async_callback(town.aclose)
        yield town


class Town:
    """Books, a provider and an ERP that know of each other, without workflows: each step is taken by the test."""

    def __init__(self, books: Books, erp: DemoErpProgram, provider_url: str, database: machine.Database) -> None:
        self.books = books
        self.erp = erp
        self.database = database
        self.staff = Database(database.staff_url, pool_size=2)
        self.provider_url = provider_url
        self.provider = build_provider(SandboxConfig(base_url=provider_url, api_key=API_KEY, webhook_secrets=SECRETS))
        self.connector = build_erp(DemoErpConfig(base_url=erp.url, api_key=erp.api_key))
        self.postings = Postings(books.store, {ERP: self.connector}, books.now, connection_id=ERP)
        self.syncing = Syncing(books.store, {ERP: self.connector}, books.now, connection_id=ERP)
        self.browser = httpx.AsyncClient(trust_env=False, timeout=20)

    async def aclose(self) -> None:
        await self.provider.aclose()
        await self.connector.aclose()
        await self.browser.aclose()
        await self.staff.close()

    async def customer(self, *totals: int) -> tuple[str, list[str]]:
        """A customer of the ERP's with these invoices, read into the books: (our id, our invoices' ids)."""
        number = fresh_id("cus")[-12:]
        rows = [
            {
                "id": f"{number}-{index}", "customer_id": number, "number": f"{number}-{index}", "currency": "USD",
                "issued_on": f"2026-09-{index + 1:02}", "due_on": "2026-10-30", "state": "Posted", "total": total,
            }
            for index, total in enumerate(totals)
        ]  # fmt: skip
        customer = {"id": number, "number": number, "name": "Acme", "currency": "USD", "time_zone": "UTC"}
        self.erp.answer("POST", "/bulk", json={"customers": [customer], "invoices": rows, "documents": []})
        await self.sync()
        found = await self.books.rows(
            """SELECT i.id, i.customer_id FROM invoices i JOIN customers c ON c.id = i.customer_id
               WHERE c.number = :number ORDER BY i.issued_on""",
            number=number,
        )
        return found[0].customer_id, [row.id for row in found]

    async def enter_credit(self, customer_id: str, minor: int) -> None:
        """A credit note that a person enters there, read into the books."""
        owner = await self.books.one("SELECT erp_id FROM customers WHERE id = :id", id=customer_id)
        row = {
            "kind": "Credit note", "customer_id": owner.erp_id, "currency": "USD", "amount": minor, "on": "2026-09-15",
        }  # fmt: skip
        self.erp.answer("POST", "/bulk", json={"customers": [], "invoices": [], "documents": [row]})
        await self.sync()

    async def sync(self) -> None:
        await ActivityEnvironment().run(self.syncing.sync_pages, 50)

    async def post(self) -> Round:
        """One round of the poster, read-back included."""
        return await ActivityEnvironment().run(self.postings.post_round, False)

    async def charge(self, payment_id: str, minor: int, *, use: str = "card_ok", key: str | None = None) -> None:
        """A customer pays on the provider's page under a payment's reference; nobody has told Duly yet."""
        opened = await self.provider.open_payment_page(
            PageOrder(
                our_ref=attempt_of(payment_id, 1),
                payer=Payer(customer_id="cus", name="Acme"),
                kinds=(MethodKind.CARD,),
                amount=Money.of(minor, "USD"),
                description="Test",
                return_url="https://duly.example/back",
                cancel_url="https://duly.example/back",
                save_method=False,
                expires_at=soon(),
            ),
            key=key or f"key of {payment_id}",
        )
        assert opened.action_url is not None
        answer = await self.browser.post(opened.action_url, data={"use": use})
        assert answer.status_code < 400, answer.text

    async def opened(self, customer_id: str, *lines: tuple[str, int]) -> str:
        payment_id = await self.books.opened(customer_id, *lines)
        async with self.books.store.begin("test") as tx:
            assert await payments.sending(tx, payment_id, at=self.books.at)
        return payment_id

    async def paid(self, customer_id: str, *lines: tuple[str, int]) -> str:
        """A payment from the click to the record, charged at the provider for what it was opened for."""
        payment_id = await self.opened(customer_id, *lines)
        await self.charge(payment_id, sum(minor for _, minor in lines))
        charge = await self.provider.find_charge(attempt_of(payment_id, 1))
        assert charge is not None
        now = await self.books.recording.record(payment_id, "told", charge, None)
        assert now.state.value == "captured"
        return payment_id

    async def give_back(self, payment_id: str, minor: int, *lines: tuple[str, int], key: str | None = None) -> str:
        """A refund from the form to the record, given back at the provider; its id."""
        counter = Counter(self.books)
        refund_id = await counter.sent(payment_id, minor, *lines)
        await self.refund_there(refund_id, payment_id, minor, key=key or f"key of {refund_id}")
        found = await self.provider.find_refund(refund_id)
        assert found is not None
        now = await counter.refunding.record(refund_id, "told", found, None)
        assert now.state.value == "refunded"
        return refund_id

    async def refund_there(self, refund_id: str, payment_id: str, minor: int, *, key: str) -> None:
        """The provider gives back, under a refund's reference."""
        row = await self.books.one("SELECT provider_ref FROM payments WHERE id = :id", id=payment_id)
        order = RefundOrder(our_ref=refund_id, charge_id=row.provider_ref, amount=Money.of(minor, "USD"))
        await self.provider.refund(order, key=key)

    async def findings(self, client: Client | None) -> list[Finding]:
        far = FarSides(
            providers={PROVIDER: self.provider}, erps={ERP: self.connector}, client=client,
            problems={"processes_running": "no client"},
        )  # fmt: skip
        return list(await check(self.staff, far, at=self.books.now(), horizons=Horizons(), settles_within=timedelta(0)))

    async def broken(self, client: Client | None) -> dict[str, dict[str, str]]:
        """What is red, with whom it blames for what."""
        found = await self.findings(client)
        return {
            each.name: {one.id: one.what for one in each.offenders} or {"": str(each.problem)}
            for each in found
            if not each.holds
        }


def soon() -> datetime:
    """Half an hour from now, in the real time that a provider's page lives in."""
    return datetime.now(UTC) + timedelta(minutes=30)
