"""`duly check` beside the real provider, the real ERP and Temporal: each disagreement is named, and health is green."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.client import Client

from connectors.payments.ports import ChargeStatus, RefundStatus
from launch.commands.check import Watching, table_of
from store.checks import Finding
from tests.connectors.sandbox_harness import API_KEY, SECRETS
from tests.launch.town import Town
from tests.store.refunding import Counter


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


async def test_refunds_are_counted_where_the_money_is(town: Town, temporal_client: Client) -> None:
    customer_id, (first, second, third) = await town.customer(1_000, 1_000, 1_000)
    payments = [await town.paid(customer_id, (each, 1_000)) for each in (first, second, third)]
    once = await town.give_back(payments[0], 400, (first, 400))
    await town.post()
    assert await town.broken(temporal_client) == {}
    assert {each.name: each.looked_at for each in await town.findings(temporal_client)}["refunded_once"] == 1

    await town.refund_there(once, payments[0], 400, key=f"another key of {once}")
    failed = await town.give_back(payments[1], 300, (second, 300))
    await town.books.damage("UPDATE refunds SET state = 'failed' WHERE id = :id", id=failed)
    await town.books.damage("UPDATE payments SET refunded = 0 WHERE id = :id", id=payments[1])
    never = await Counter(town.books).sent(payments[2], 200, (third, 200))
    await Counter(town.books).told(never, RefundStatus.SUCCEEDED)
    said = (await town.broken(temporal_client))["refunded_once"]
    assert set(said) == {once, failed, never}
    assert said[once].count("succeeded, 4.00") == 2
    assert said[failed].startswith("failed here; the provider shows")
    assert said[never].endswith("the provider shows nothing")


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
