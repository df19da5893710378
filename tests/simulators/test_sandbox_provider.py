"""The sandbox provider over HTTP: keys, clock, faults, magic amounts, webhooks, and what survives `kill -9`."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connectors.conformance.payment_harness import Enters, PaymentSuite, Saved, fresh_ref, now
from connectors.errors import OutcomeUnknown, Rejected, Throttled, WebhookRejected
from connectors.payments.ports import ChargeStatus
from domain.money import Money
from tests.connectors.sandbox_harness import SandboxHarness, receiving, start_sandbox

# The simulators by themselves; what Duly relies on of them is in the conformance kits, which `make test` runs.
pytestmark = pytest.mark.long

SUITE = PaymentSuite()


@pytest_asyncio.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxHarness]:
    """A program of this file's own: its knobs are turned here."""
    program = start_sandbox(tmp_path_factory.mktemp("provider") / "provider.sqlite")
    async with receiving() as receiver:
        harness = SandboxHarness(program.url, receiver)
        await harness.ask("PUT", "/v1/webhook_endpoint", {"url": receiver.url})
        yield harness
        await harness.aclose()
    program.stop()


@pytest_asyncio.fixture(scope="module")
async def saved(sandbox: SandboxHarness) -> Saved:
    """A payer with a good card."""
    return await SUITE.saved(sandbox, Enters.GOOD)


def body_of(saved: Saved, our_ref: str, minor: int = 1234) -> dict[str, Any]:
    """A charge as the API takes it."""
    return {
        "our_ref": our_ref,
        "payer": saved.payer.provider_ref,
        "method": saved.method.token,
        "amount": {"minor": minor, "currency": "USD"},
        "description": "",
        "return_url": "http://127.0.0.1:9/back",
    }


async def kinds_about(sandbox: SandboxHarness, our_ref: str, at_least: int) -> list[str]:
    return [json.loads(one.raw)["type"] for one in await sandbox.deliveries(our_ref, at_least=at_least)]


# ---------------------------------------------------------------- keys and clock


async def test_a_key_is_replayed_for_a_day_of_the_provider_s_clock(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    first = await SUITE.charge(sandbox, saved, our_ref)
    await sandbox.advance(timedelta(hours=23, minutes=59))
    replayed = await SUITE.charge(sandbox, saved, our_ref)
    await sandbox.advance(timedelta(minutes=2))
    later = await SUITE.charge(sandbox, saved, our_ref)
    assert replayed == first
    assert later.provider_id != first.provider_id
    assert await sandbox.moving(our_ref) == 2


async def test_a_key_under_way_is_in_use(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    await sandbox.order_fault("charge", "slow", seconds=1, our_ref=our_ref)
    slow = asyncio.create_task(SUITE.charge(sandbox, saved, our_ref))
    await asyncio.sleep(0.2)
    with pytest.raises(Throttled) as in_use:
        await SUITE.charge(sandbox, saved, our_ref)
    assert in_use.value.retry_after_seconds == 1
    # The caller gave up at 600 ms; the provider executes at 1 s all the same.
    with pytest.raises(OutcomeUnknown):
        await slow
    assert await sandbox.moving(our_ref) == 0
    await asyncio.sleep(0.6)
    assert await sandbox.moving(our_ref) == 1


async def test_a_write_without_a_key_or_our_api_key_is_refused(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    no_key = await sandbox.desk.post("/v1/charges", json=body_of(saved, our_ref))
    stranger = await sandbox.browser.post(
        f"{sandbox.config.base_url}/v1/charges", json=body_of(saved, our_ref), headers={"Idempotency-Key": our_ref}
    )
    ledger = await sandbox.browser.get(f"{sandbox.config.base_url}/v1/test/ledger")
    assert (no_key.status_code, no_key.json()["error"]["code"]) == (400, "idempotency_key_missing")
    assert stranger.status_code == ledger.status_code == 401
    assert await sandbox.moving(our_ref) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"minor": 0, "currency": "USD"}},
        {"amount": {"minor": -5, "currency": "USD"}},
        {"amount": {"minor": "100", "currency": "USD"}},
        {"amount": {"minor": 1.5, "currency": "USD"}},
        {"amount": {"minor": 10**13, "currency": "USD"}},
        {"amount": {"minor": 100, "currency": "usd"}},
        {"return_url": "javascript:alert(1)"},
        {"our_ref": "pay 1"},
        {"surprise": True},
    ],
    ids=str,
)
async def test_a_charge_that_makes_no_sense_is_refused(
    sandbox: SandboxHarness, saved: Saved, change: dict[str, Any]
) -> None:
    our_ref = fresh_ref("pay")
    body = body_of(saved, our_ref) | change
    answer = await sandbox.desk.post("/v1/charges", json=body, headers={"Idempotency-Key": our_ref})
    assert answer.status_code == 400
    assert await sandbox.moving(our_ref) == 0


async def test_a_body_of_ten_megabytes_is_refused(sandbox: SandboxHarness) -> None:
    answer = await sandbox.desk.post("/v1/charges", content=b"{" * 10_000_000, headers={"Idempotency-Key": "large"})
    assert answer.status_code == 400


async def test_a_search_sees_a_charge_only_after_the_lag(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    await sandbox.ask("POST", "/v1/test/settings", {"search_lag_seconds": 1})
    made = await SUITE.charge(sandbox, saved, our_ref)
    searched = await sandbox.provider.find_charge(our_ref)
    by_id = await sandbox.provider.find_charge(our_ref, provider_id=made.provider_id)
    await asyncio.sleep(1.05)
    later = await sandbox.provider.find_charge(our_ref)
    await sandbox.ask("POST", "/v1/test/settings", {"search_lag_seconds": 0})
    assert searched is None
    assert by_id == later == made


async def test_of_two_charges_the_one_that_moved_money_is_found(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    declining = await SUITE.saved(sandbox, Enters.DECLINED_LATER)
    captured = await SUITE.charge(sandbox, saved, our_ref)
    await sandbox.provider.charge(SUITE.charge_order(declining, our_ref), key=f"{our_ref}:second")
    assert await sandbox.provider.find_charge(our_ref) == captured


async def test_requests_are_counted_whatever_comes_of_them(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    before = (await sandbox.ledger(our_ref))["requests"]["charge"]
    await sandbox.order_fault("charge", "drop_before")
    with pytest.raises(OutcomeUnknown):
        await SUITE.charge(sandbox, saved, our_ref)
    for _ in range(2):
        await SUITE.charge(sandbox, saved, our_ref)
    ledger = await sandbox.ledger(our_ref)
    assert ledger["requests"]["charge"] == before + 3
    assert ledger["moving"] == 1


async def test_a_fault_waits_for_its_turn_and_its_reference(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref, other_ref = fresh_ref("pay"), fresh_ref("pay")
    await sandbox.order_fault("charge", "refuse", our_ref=our_ref, skip=1, times=1)
    await SUITE.charge(sandbox, saved, other_ref)
    await SUITE.charge(sandbox, saved, our_ref)
    with pytest.raises(Rejected):
        await SUITE.charge(sandbox, saved, our_ref)
    assert (await sandbox.ask("GET", "/v1/test/faults"))["faults"] == []


# ---------------------------------------------------------------- magic amounts


@pytest.mark.parametrize("minor", [9001, 19003, 9010])
async def test_an_amount_may_lose_the_answer_after_the_charge(sandbox: SandboxHarness, saved: Saved, minor: int) -> None:
    our_ref = fresh_ref("pay")
    with pytest.raises(OutcomeUnknown):
        await SUITE.charge(sandbox, saved, our_ref, Money.of(minor, "USD"))
    found = await sandbox.provider.find_charge(our_ref)
    assert found is not None
    assert found.status is ChargeStatus.CAPTURED
    assert await sandbox.moving(our_ref) == 1


async def test_an_amount_may_lose_the_request(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    with pytest.raises(OutcomeUnknown):
        await SUITE.charge(sandbox, saved, our_ref, Money.of(9002, "USD"))
    assert await sandbox.provider.find_charge(our_ref) is None


@pytest.mark.parametrize("minor", [9004, 9005])
async def test_an_amount_may_ask_for_patience_once(sandbox: SandboxHarness, saved: Saved, minor: int) -> None:
    our_ref = fresh_ref("pay")
    with pytest.raises(Throttled):
        await SUITE.charge(sandbox, saved, our_ref, Money.of(minor, "USD"))
    charge = await SUITE.charge(sandbox, saved, our_ref, Money.of(minor, "USD"))
    assert charge.status is ChargeStatus.CAPTURED
    assert await sandbox.moving(our_ref) == 1


async def test_an_amount_may_tell_the_webhook_before_the_answer(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    under_way = asyncio.create_task(SUITE.charge(sandbox, saved, our_ref, Money.of(9006, "USD")))
    assert await kinds_about(sandbox, our_ref, 1) == ["charge.captured"]
    assert not under_way.done()
    with pytest.raises(OutcomeUnknown):  # a second is longer than this connector waits
        await under_way


async def test_an_amount_may_repeat_reorder_silence_or_forge_its_webhooks(sandbox: SandboxHarness, saved: Saved) -> None:
    repeated, reordered, silent, forged = (fresh_ref("pay") for _ in range(4))
    for our_ref, minor in ((repeated, 9007), (reordered, 9008), (silent, 9009), (forged, 9012)):
        await SUITE.charge(sandbox, saved, our_ref, Money.of(minor, "USD"))
    three = await sandbox.deliveries(repeated, at_least=3)
    assert len({one.raw for one in three}) == 1
    assert await kinds_about(sandbox, reordered, 2) == ["charge.captured", "charge.processing"]
    bad, good = await sandbox.deliveries(forged, at_least=2)
    with pytest.raises(WebhookRejected):
        sandbox.provider.read_webhook(bad.raw, bad.headers, now=now())
    assert sandbox.provider.read_webhook(good.raw, good.headers, now=now())
    assert sandbox.receiver.about(silent) == []
    assert (await sandbox.provider.find_charge(silent)) is not None


async def test_a_debit_of_9008_settles_before_it_is_processing(sandbox: SandboxHarness) -> None:
    debit, our_ref = await SUITE.saved(sandbox, Enters.GOOD_DEBIT), fresh_ref("pay")
    await SUITE.charge(sandbox, debit, our_ref, Money.of(9008, "USD"))
    await asyncio.sleep(0.2)
    assert sandbox.receiver.about(our_ref) == []
    await sandbox.advance(timedelta(days=5))
    kinds = await kinds_about(sandbox, our_ref, 3)
    assert kinds[-1] == "charge.processing"
    assert set(kinds) == {"charge.captured", "charge.settled", "charge.processing"}


async def test_without_magic_an_amount_is_only_an_amount(sandbox: SandboxHarness, saved: Saved) -> None:
    await sandbox.ask("POST", "/v1/test/settings", {"magic_amounts": False})
    charge = await SUITE.charge(sandbox, saved, fresh_ref("pay"), Money.of(9003, "USD"))
    await sandbox.ask("POST", "/v1/test/settings", {"magic_amounts": True})
    assert charge.status is ChargeStatus.CAPTURED


# ---------------------------------------------------------------- webhooks


async def test_a_delivery_is_tried_until_it_is_taken(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    await asyncio.sleep(0.3)
    sandbox.receiver.answers[:] = [500, 404]
    await SUITE.charge(sandbox, saved, our_ref)
    deliveries = await sandbox.deliveries(our_ref, at_least=3)
    assert len({one.raw for one in deliveries}) == 1
    assert len(deliveries) == 3


async def test_a_delivery_is_signed_with_every_secret(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    await SUITE.charge(sandbox, saved, our_ref)
    (delivery,) = await sandbox.deliveries(our_ref, at_least=1)
    header = next(value for name, value in delivery.headers.items() if name.lower() == "x-sandbox-signature")
    assert header.count("v1=") == 2


async def test_deliveries_can_be_held_and_let_go_backwards(sandbox: SandboxHarness) -> None:
    debit, our_ref = await SUITE.saved(sandbox, Enters.RETURNING_DEBIT), fresh_ref("pay")
    await sandbox.turn_webhooks(mode="hold")
    await SUITE.charge(sandbox, debit, our_ref)
    await sandbox.advance(timedelta(days=7))
    await asyncio.sleep(0.1)
    held = list(sandbox.receiver.about(our_ref))
    await sandbox.turn_webhooks(mode="deliver")
    await sandbox.ask("POST", "/v1/test/webhooks/release", {"newest_first": True})
    assert held == []
    assert await kinds_about(sandbox, our_ref, 4) == [
        "charge.returned",
        "charge.settled",
        "charge.captured",
        "charge.processing",
    ]


async def test_deliveries_can_be_dropped_repeated_forged_and_late(sandbox: SandboxHarness, saved: Saved) -> None:
    dropped, repeated, late = (fresh_ref("pay") for _ in range(3))
    await sandbox.turn_webhooks(mode="drop")
    await SUITE.charge(sandbox, saved, dropped)
    await sandbox.turn_webhooks(mode="deliver", duplicates=2, bad_signature_first=True)
    await SUITE.charge(sandbox, saved, repeated)
    await sandbox.turn_webhooks(duplicates=0, bad_signature_first=False, skew_seconds=-400)
    await SUITE.charge(sandbox, saved, late)
    (stale,) = await sandbox.deliveries(late, at_least=1)
    await sandbox.turn_webhooks(skew_seconds=0)
    assert len(await sandbox.deliveries(repeated, at_least=4)) == 4
    with pytest.raises(WebhookRejected, match="age"):
        sandbox.provider.read_webhook(stale.raw, stale.headers, now=now())
    assert sandbox.receiver.about(dropped) == []


async def test_an_event_can_be_sent_again_and_events_can_be_listed(sandbox: SandboxHarness, saved: Saved) -> None:
    our_ref = fresh_ref("pay")
    await SUITE.charge(sandbox, saved, our_ref)
    (delivery,) = await sandbox.deliveries(our_ref, at_least=1)
    event = json.loads(delivery.raw)
    await sandbox.ask("POST", "/v1/test/webhooks/resend", {"event_id": event["id"]})
    again = await sandbox.deliveries(our_ref, at_least=2)
    listed = (await sandbox.ask("GET", "/v1/events?limit=1000"))["events"]
    assert again[1].raw == delivery.raw
    assert event in listed
    assert (await sandbox.ask("GET", f"/v1/events?after={event['id']}"))["events"] == []


# ---------------------------------------------------------------- crashes, speed, start


async def test_a_killed_provider_forgets_nothing_and_delivers_after_its_restart(tmp_path: Path) -> None:
    data = tmp_path / "provider.sqlite"
    program = start_sandbox(data)
    async with receiving() as receiver:
        first = SandboxHarness(program.url, receiver)
        saved, our_ref = await SUITE.saved(first, Enters.GOOD), fresh_ref("pay")
        await first.advance(timedelta(days=3))
        made = await SUITE.charge(first, saved, our_ref)
        program.kill()
        await first.aclose()
        program = start_sandbox(data, "--webhook-url", receiver.url)
        second = SandboxHarness(program.url, receiver)
        replayed = await SUITE.charge(second, saved, our_ref)
        (delivery,) = await second.deliveries(our_ref, at_least=1)
        assert replayed == made
        assert await second.moving(our_ref) == 1
        assert (await second.ask("GET", "/v1/test/clock"))["now"] > (now() + timedelta(days=2)).isoformat()
        assert second.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        await second.aclose()
    assert program.stop() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("SANDBOX_API_KEY", "short"), ("SANDBOX_WEBHOOK_SECRETS", "fine-and-long-enough-secret,short")],
)
async def test_a_short_key_or_secret_refuses_to_start(tmp_path: Path, name: str, value: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators.sandbox_provider",
        "--port",
        "0",
        "--data",
        str(tmp_path / "x.sqlite"),
        env=os.environ
        | {"SANDBOX_API_KEY": "long-enough-api-key", "SANDBOX_WEBHOOK_SECRETS": "long-enough-secret-one"}
        | {name: value},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 2
    assert name in complaint.decode()
    assert value not in complaint.decode()
