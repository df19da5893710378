"""`duly check` beside the real provider, the real ERP and Temporal: each disagreement is named, and health is green."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from rich.console import Console
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.posting import Postings, Round
from activities.syncing import Syncing
from connectors.erp.demo import DemoErpConfig
from connectors.erp.demo import build as build_erp
from connectors.payments.ports import ChargeStatus, PageOrder, Payer
from connectors.payments.sandbox import SandboxConfig
from connectors.payments.sandbox import build as build_provider
from domain.ids import attempt_of
from domain.methods import MethodKind
from domain.money import Money
from launch.checking.everything import FarSides, check
from launch.commands.check import Watching, table_of
from store import payments
from store.checks import Finding, Horizons
from store.database import Database
from store.identity import fresh_id
from tests import machine
from tests.connectors.sandbox_harness import API_KEY, SECRETS, start_sandbox
from tests.simulators.running import DemoErpProgram, Program, start_demo_erp
from tests.store.money import ERP, PROVIDER, Books, books_of


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
        self.postings = Postings(books.store, self.connector, books.now, connection_id=ERP)
        self.syncing = Syncing(books.store, self.connector, books.now, connection_id=ERP)
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

    async def findings(self, client: Client | None) -> list[Finding]:
        far = FarSides(
            providers={PROVIDER: self.provider}, erp=self.connector, erp_connection=ERP, client=client,
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


@pytest.fixture(scope="module")
def provider_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = start_sandbox(tmp_path_factory.mktemp("sandbox") / "provider.sqlite")
    yield program
    program.stop()


@pytest_asyncio.fixture
async def town(database: machine.Database, provider_program: Program, tmp_path: Path) -> AsyncIterator[Town]:
    erp = start_demo_erp(tmp_path / "books.sqlite")
    async with AsyncExitStack() as stack:
        stack.callback(erp.program.stop)
        books = await stack.enter_async_context(books_of(database))
        town = Town(books, erp, provider_program.url, database)
        stack.push_async_callback(town.aclose)
        yield town


async def test_books_that_agree_with_everybody_are_green(town: Town, temporal_client: Client) -> None:
    customer_id, (first, second, third) = await town.customer(1_000, 2_000, 3_000)
    await town.paid(customer_id, (first, 1_000), (second, 500))
    returned = await town.paid(customer_id, (third, 3_000))
    assert (await town.post()).confirmed == 2
    await town.books.record(returned, ChargeStatus.RETURNED)
    assert (await town.post()).confirmed == 1
    declined = await town.opened(customer_id, (second, 100))
    await town.charge(declined, 100, use="card_declined")
    await town.books.record(declined, ChargeStatus.DECLINED)
    assert await town.broken(temporal_client) == {}
    looked = {each.name: each.looked_at for each in await town.findings(temporal_client) if each.looked_at is not None}
    assert looked == {
        "charged_once": 3,
        "refunded_once": 0,
        "documented_once": 3,
        "balances_agree": 3,
        "processes_running": 0,
    }
    assert await town.books.count("differences", "closed_at IS NULL") == 0


async def test_charges_are_counted_where_the_money_is(town: Town, temporal_client: Client) -> None:
    customer_id, ids = await town.customer(1_000, 1_000, 1_000, 1_000)
    twice = await town.paid(customer_id, (ids[0], 1_000))
    await town.charge(twice, 1_000, key="another key")
    more = await town.opened(customer_id, (ids[1], 1_000))
    await town.charge(more, 1_001)
    await town.books.record(more, ChargeStatus.CAPTURED)
    never = await town.opened(customer_id, (ids[2], 1_000))
    await town.books.record(never, ChargeStatus.CAPTURED)
    forgotten = await town.opened(customer_id, (ids[3], 1_000))
    await town.charge(forgotten, 1_000)
    await town.books.recording.record(forgotten, "nothing", None, None)
    await town.post()
    found = await town.broken(temporal_client)
    assert set(found) == {"charged_once"}
    said = found["charged_once"]
    assert set(said) == {twice, more, never, forgotten}
    assert said[twice].count("captured, 10.00") == 2
    assert "the provider shows" in said[more]
    assert "10.01" in said[more]
    assert said[never].endswith("shows nothing")
    assert said[forgotten].startswith("ended without money here")


async def test_documents_are_counted_in_the_erp(town: Town, temporal_client: Client) -> None:
    customer_id, (first, second) = await town.customer(1_000, 2_000)
    payment_id = await town.paid(customer_id, (first, 600))
    other_id = await town.paid(customer_id, (second, 700))
    await town.post()
    assert await town.broken(temporal_client) == {}

    town.erp.act("delete_payment", reference=f"{payment_id}-captured")
    found = await town.broken(temporal_client)
    assert set(found) == {"documented_once", "balances_agree"}
    assert found["documented_once"] == {f"{payment_id}-captured": "one document of 6.00 expected; the ERP shows nothing"}
    # Read again, the difference is told in the same transaction: nothing is hidden any more.
    await town.sync()
    assert await town.books.count("differences", "kind = 'edited_in_erp' AND closed_at IS NULL") == 1
    assert await town.broken(temporal_client) == {}

    invoice = (await town.books.one("SELECT erp_id FROM invoices WHERE id = :id", id=second)).erp_id
    document = town.erp.answer("GET", "/test/documents", params={"reference": f"{other_id}-captured"})["documents"][0]
    town.erp.answer(
        "POST", "/payments",
        json={
            "external_reference": f"{other_id}-captured", "customer_id": document["customer_id"], "currency": "USD",
            "amount": 700, "received_on": "2026-11-22", "memo": "", "method": "",
            "lines": [{"invoice_id": invoice, "amount": 700}],
        },
    )  # fmt: skip
    found = await town.broken(temporal_client)
    assert found["documented_once"][f"{other_id}-captured"].count("7.00") == 3


async def test_balances_are_the_erps_but_for_money_on_its_way(town: Town, temporal_client: Client) -> None:
    customer_id, (first, second) = await town.customer(1_000, 2_000)
    first_erp = (await town.books.one("SELECT erp_id FROM invoices WHERE id = :id", id=first)).erp_id

    town.erp.act("pay_by_hand", invoice_id=first_erp, amount=300)
    assert await town.broken(temporal_client) == {
        "balances_agree": {first: f"{first_erp}: 1000 open here, 700 in the ERP, -300 unexplained"}
    }
    await town.sync()
    assert await town.broken(temporal_client) == {}

    await town.paid(customer_id, (second, 2_000))
    town.erp.knobs(down=True)
    assert (await town.post()).down
    town.erp.knobs(down=False, drop_after=1)
    assert await town.books.balance(second) == (0, 0)
    assert await town.broken(temporal_client) == {}, "a payment that waits for the ERP explains its own gap"
    assert (await town.post()).confirmed == 0
    await town.sync()
    assert await town.books.balance(second) == (0, 0), "it landed, its answer was lost, and it is counted once"
    assert await town.broken(temporal_client) == {}

    await town.books.damage("UPDATE invoices SET erp_id = 'ghost' WHERE id = :id", id=second)
    found = await town.broken(temporal_client)
    assert found["balances_agree"] == {
        second: "ghost is shown here and the ERP does not have it",
        first_erp.replace("-0", "-1"): f"{first_erp.replace('-0', '-1')} is in the ERP and was never read",
    }


async def test_whoever_is_in_flight_is_carried_by_a_workflow(town: Town, temporal_client: Client) -> None:
    customer_id, (first,) = await town.customer(1_000)
    payment_id = await town.books.opened(customer_id, (first, 1_000))
    assert await town.broken(temporal_client) == {}, "younger than its horizon"
    town.books.at += timedelta(minutes=6)
    assert await town.broken(temporal_client) == {"processes_running": {payment_id: "charging, and no workflow knows of it"}}
    handle = await temporal_client.start_workflow("Anything", id=f"payment/{payment_id}", task_queue="nobody works here")
    assert await town.broken(temporal_client) == {}
    await handle.terminate()
    assert await town.broken(temporal_client) == {
        "processes_running": {payment_id: "charging, and its workflow is terminated"}
    }


async def test_a_far_side_that_cannot_be_asked_is_no_proof_of_health(town: Town) -> None:
    customer_id, (first,) = await town.customer(1_000)
    await town.paid(customer_id, (first, 1_000))
    await town.post()
    town.erp.knobs(down=True)
    found = await town.broken(None)
    assert set(found) == {"documented_once", "balances_agree", "processes_running"}
    assert "down" in found["documented_once"][""]
    assert found["processes_running"] == {"": "no client"}


def printed(findings: Sequence[Finding]) -> str:
    """The table as a wide terminal shows it."""
    text = StringIO()
    Console(file=text, width=200).print(table_of(findings))
    return text.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_to_people_and_kept_out_of_logs(is_terminal: bool) -> None:
    written = StringIO()
    with Watching(Console(file=written, force_terminal=is_terminal, width=80), shown_after_seconds=-1) as watching:
        watching.watch("Counting charges", 3)(3)
    assert bool(written.getvalue()) is is_terminal, repr(written.getvalue())


async def run_command(environment: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "check", *arguments),
        env={**{name: text for name, text in os.environ.items() if not name.startswith("DULY_")}, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_tells_by_its_status_and_in_words_or_json(
    town: Town, temporal_address: str, tmp_path: Path
) -> None:
    customer_id, (first,) = await town.customer(1_000)
    payment_id = await town.paid(customer_id, (first, 1_000))
    await town.post()
    # The command looks at the real clock: nothing may be waiting since the books' own morning.
    await town.books.damage("UPDATE outbox SET state = 'sent' WHERE true")
    environment = {
        "DULY_STAFF_DATABASE_URL": town.database.staff_url,
        "DULY_PROVIDER_URL": town.provider_url,
        "DULY_PROVIDER_API_KEY": API_KEY,
        "DULY_PROVIDER_WEBHOOK_SECRETS": ",".join(SECRETS),
        "DULY_ERP_URL": town.erp.url,
        "DULY_ERP_API_KEY": town.erp.api_key,
        "DULY_TEMPORAL_ADDRESS": temporal_address,
        "DULY_TEMPORAL_CODEC_KEYS": f"k1:{base64.b64encode(os.urandom(32)).decode()}",
        "DULY_DATA_DIR": str(tmp_path / "nothing was ever started here"),
        "COLUMNS": "200",
    }
    status, out, err = await run_command(environment)
    assert (status, err) == (0, ""), out
    assert out.count("✓") == 15
    assert "✗" not in out

    # The entry stays, a line of it is off by a cent: the smallest lie.
    await town.books.damage("UPDATE journal_lines SET amount = amount + 1 WHERE account = 'clearing'")
    status, out, _ = await run_command(environment, "--json")
    told = json.loads(out)
    assert (status, told["holds"]) == (1, False)
    assert {each["name"] for each in told["invariants"] if not each["holds"]} == {"journal_balanced", "money_conserved"}
    off = next(each for each in told["invariants"] if each["name"] == "journal_balanced")
    assert off["offenders"] == [{"id": f"{payment_id}/captured", "what": "is off by 1"}]

    said = printed(await town.findings(None))
    assert "✗  journal_balanced" in said
    assert f"{payment_id}/captured" in said
    assert "could not be looked at: no client" in said
