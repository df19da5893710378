"""Deliveries that come at the same time are written together: nobody is answered early, and nobody pays for another."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from typing import Final

import psycopg
import pytest_asyncio

from api.gathering import WAITING, Gathering
from connectors.payments.sandbox import SandboxConfig, build
from tests import machine
from tests.api.house import House, open_house

SECRET: Final = "a secret of the sandbox for deliveries"


class Writer:
    """Writes what it is given once it is let, and notes what came together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.let = asyncio.Event()

    async def write(self, several: Sequence[int]) -> Sequence[str]:
        """Raises ValueError where a 13 is among them."""
        self.batches.append(list(several))
        await self.let.wait()
        if 13 in several:
            raise ValueError
        return [f"wrote {each}" for each in several]


async def under_way(gathering: Gathering[int, str], numbers: Sequence[int]) -> list[asyncio.Task[str | None]]:
    tasks = [asyncio.create_task(gathering.add(each)) for each in numbers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_a_batch_is_written_is_the_next_and_nobody_is_answered_before_it_is_written() -> None:
    writer = Writer()
    gathering = Gathering(writer.write)
    tasks = await under_way(gathering, [1]) + await under_way(gathering, [2, 3, 4])
    assert not any(each.done() for each in tasks)
    writer.let.set()
    assert await asyncio.gather(*tasks) == ["wrote 1", "wrote 2", "wrote 3", "wrote 4"]
    assert writer.batches == [[1], [2, 3, 4]]


async def test_a_batch_that_fails_says_so_to_each_and_the_next_is_written() -> None:
    writer = Writer()
    gathering = Gathering(writer.write)
    tasks = await under_way(gathering, [1]) + await under_way(gathering, [2, 13])
    writer.let.set()
    assert await asyncio.gather(*tasks) == ["wrote 1", None, None]
    assert await gathering.add(5) == "wrote 5"


async def test_who_goes_away_while_waiting_costs_the_others_nothing_and_beyond_a_bound_nobody_waits() -> None:
    writer = Writer()
    gathering = Gathering(writer.write)
    first, gone, other = await under_way(gathering, [1, 2, 3])
    gone.cancel()
    crowd = await under_way(gathering, range(100, 100 + WAITING))
    assert await gathering.add(99) is None
    writer.let.set()
    assert await asyncio.gather(first, other, *crowd[:1]) == ["wrote 1", "wrote 3", "wrote 100"]
    await asyncio.gather(*crowd)


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    provider = build(SandboxConfig(base_url="http://127.0.0.1:9", api_key="key", webhook_secrets=(SECRET,)))
    async with open_house(database, providers={"sandbox": provider}) as opened:
        opened.accounts.provider()
        yield opened
    await provider.aclose()


async def deliver(house: House, event: str) -> int:
    told = {
        "id": event, "type": "charge.captured", "mode": "test", "created_at": "2026-11-22T12:00:00.000+00:00",
        "our_ref": "order-1", "object": {"type": "charge", "id": f"sbc_{event}"},
    }  # fmt: skip
    raw, moment = json.dumps(told).encode(), str(int(house.clock().timestamp()))
    mark = hmac.new(SECRET.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-Sandbox-Signature": f"t={moment},v1={mark}", "Content-Type": "application/json"}
    return (await house.browser(raises=False).post("/webhooks/sandbox", content=raw, headers=headers)).status_code


def stored(house: House) -> list[tuple[str, int]]:
    return [(str(row[0]), int(row[1])) for row in house.accounts.rows("SELECT event_id, deliveries FROM inbox ORDER BY 1")]


async def test_of_many_at_once_each_is_there_once_and_each_repeat_is_counted(house: House) -> None:
    events = [f"sbe_{number % 9}" for number in range(12)]
    assert await asyncio.gather(*(deliver(house, each) for each in events)) == [202] * 12
    assert stored(house) == [(f"sbe_{number}", 2 if number < 3 else 1) for number in range(9)]


async def test_one_that_cannot_be_stored_is_not_acknowledged_and_those_beside_it_are(house: House) -> None:
    change = house.accounts.run  # in a thread: what is passed on meanwhile holds the table
    await asyncio.to_thread(change, "ALTER TABLE inbox ADD CONSTRAINT not_this_one CHECK (event_id <> 'sbe_2')")
    try:
        answers = await asyncio.gather(*(deliver(house, f"sbe_{number}") for number in range(5)))
    finally:
        await asyncio.to_thread(change, "ALTER TABLE inbox DROP CONSTRAINT not_this_one")
    assert answers == [202, 202, 500, 202, 202]
    assert stored(house) == [(f"sbe_{number}", 1) for number in (0, 1, 3, 4)]


async def test_a_repeat_whose_row_somebody_holds_keeps_no_other_delivery_waiting(
    house: House, database: machine.Database
) -> None:
    assert await deliver(house, "sbe_held") == 202
    async with await psycopg.AsyncConnection.connect(database.plain_admin_url) as holder:
        await holder.execute("SELECT 1 FROM inbox WHERE event_id = 'sbe_held' FOR UPDATE")
        repeat = asyncio.create_task(deliver(house, "sbe_held"))
        async with asyncio.timeout(4):
            assert await asyncio.gather(*(deliver(house, f"sbe_{number}") for number in range(3))) == [202] * 3
        assert not repeat.done()
    assert await repeat == 202
    assert ("sbe_held", 2) in stored(house)
