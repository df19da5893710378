"""Five thousand signed deliveries at a fixed rate, each sent until it is answered 202, while who takes them in is killed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest
from temporalio.client import ScheduleOverlapPolicy

from activities.requests import PayRequest
from launch.program import Running
from store.identity import fresh_id
from tests.processes.house import House, until

EVENTS: Final = 5_000
A_SECOND: Final = 50
AT_ONCE: Final = 24
PEACE_SECONDS: Final = 5
DEATHS_EACH: Final = 3
VICTIMS: Final = ("api", "worker", "postgres")
PAYMENTS: Final = 6
RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0)
DONE: Final = frozenset({"handled", "stale", "parked"})


class Sender:
    """A provider as it delivers: signed anew for each try, and tried until somebody answers 202."""

    def __init__(self, house: House, payments: Sequence[PayRequest]) -> None:
        self.run = fresh_id("evt")
        self.answers: Counter[str] = Counter()
        self.taken: set[str] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._payments = payments
        self._secret = house.machine.secrets.provider_webhook_secret.split(",")[0].encode()
        self._client = httpx.AsyncClient(base_url=house.base_url, trust_env=False, timeout=10)

    async def send_all(self) -> None:
        """At a fixed rate, unless so many are still under way: no provider sends more at once."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._client, asyncio.TaskGroup() as sending:
            for number in range(EVENTS):
                await asyncio.sleep(max(0.0, began + number / A_SECOND - loop.time()))
                await self._gate.acquire()
                sending.create_task(self._send(number)).add_done_callback(lambda _: self._gate.release())

    async def _send(self, number: int) -> None:
        event_id, raw = f"sbe_{self.run}_{number}", self._body(number)
        for pause in itertools.chain(RETRY_SECONDS, itertools.repeat(RETRY_SECONDS[-1])):
            moment = str(int(datetime.now(UTC).timestamp()))
            mark = hmac.new(self._secret, moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
            answer = "none"
            with suppress(httpx.HTTPError):
                signed = {"X-Sandbox-Signature": f"t={moment},v1={mark}"}
                answer = str((await self._client.post("/webhooks/sandbox", content=raw, headers=signed)).status_code)
            self.answers[answer] += 1
            if answer == "202":
                self.taken.add(event_id)
                return
            await asyncio.sleep(pause)

    def _body(self, number: int) -> bytes:
        """Mostly what is booked already; of strangers; and a few that claim what is not so, which must be asked about."""
        our_ref = f"{self._payments[number % len(self._payments)].payment_id}-1"
        told = {
            "id": f"sbe_{self.run}_{number}",
            "type": "charge.returned" if number % 25 == 1 else "charge.captured",
            "mode": "test",
            "created_at": datetime.now(UTC).isoformat(),
            "our_ref": f"order-{number}" if number % 3 == 0 else our_ref,
            "object": {"type": "charge", "id": f"sbc_{self.run}_{number}"},
        }
        return json.dumps(told).encode()


async def kill_in_turn(house: House) -> None:
    """Each victim dies by its process's id and is brought back by the nurse; then the next one dies."""
    for name in VICTIMS * DEATHS_EACH:
        await asyncio.sleep(PEACE_SECONDS)
        victim = at_work(house, name)
        os.kill(victim.pid, signal.SIGKILL)

        async def is_back(name: str = name, victim: Running = victim) -> bool:
            return at_work(house, name) is not victim and await asyncio.to_thread(at_work(house, name).is_ready)

        await until(is_back, within_seconds=60, what=f"{name} being back")


def at_work(house: House, name: str) -> Running:
    """The newest of that name."""
    return house.workers[-1] if name == "worker" else house.parts.running[name]


async def paid(house: House, count: int) -> list[PayRequest]:
    """So many captured payments, posted."""
    customer_id, invoice_ids = await house.customer(invoices=[10_000] * count)
    method_id = await house.saved_method(customer_id)
    requests = [house.request(customer_id, [(each, 10_000)], method_id=method_id) for each in invoice_ids]
    for each in requests:
        await house.pay(each)
        await house.is_posted(each.payment_id)
    return requests


@pytest.mark.long
async def test_no_event_that_was_answered_202_is_lost_while_api_worker_and_database_are_killed_in_turn(
    house: House, tmp_path: Path
) -> None:
    payments = await paid(house, PAYMENTS)
    sender = Sender(house, payments)
    async with house.parts.nursed(fault="", marker=tmp_path / "landed"), asyncio.TaskGroup() as together:
        together.create_task(kill_in_turn(house))
        together.create_task(sender.send_all())
    assert sender.answers["202"] < sender.answers.total(), "every first try was answered: nothing was in anybody's way"

    async def states() -> Counter[str]:
        rows = await house.rows("SELECT state FROM inbox WHERE event_id LIKE :run", run=f"sbe\\_{sender.run}\\_%")
        return Counter(row.state for row in rows)

    async def done() -> bool:
        await house.client.get_schedule_handle("sweep").trigger(overlap=ScheduleOverlapPolicy.SKIP)
        await asyncio.sleep(3)
        return set(await states()) <= DONE

    await until(done, within_seconds=300, what="every event being done with")
    kept = await house.rows("SELECT event_id, deliveries FROM inbox WHERE event_id LIKE :run", run=f"sbe\\_{sender.run}\\_%")
    assert len(sender.taken) == EVENTS
    assert sorted(row.event_id for row in kept) == sorted(sender.taken)
    assert sum(row.deliveries for row in kept) <= sender.answers.total()
    found = await states()
    assert found["parked"] == -(-EVENTS // 3), found  # nobody else's events were lost or taken for ours
    for each in payments:
        assert (await house.payment(each.payment_id)).state == "captured"
        entries = "SELECT count(*) AS n FROM journal_entries WHERE process_id = :id"
        assert (await house.one(entries, id=each.payment_id)).n == 1
        assert len(await house.documents(f"{each.payment_id}-captured")) == 1
    assert await house.trial_balance() == 0
