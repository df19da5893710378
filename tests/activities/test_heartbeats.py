"""A heartbeat is for calls that last: each costs the server a write."""

import asyncio

from temporalio.testing import ActivityEnvironment

from activities.heartbeats import EVERY_SECONDS, beating


async def _beats_during(seconds: float) -> int:
    beats = 0

    def beat(*_details: object) -> None:
        nonlocal beats
        beats += 1

    async def call() -> None:
        async with beating():
            await asyncio.sleep(seconds)

    environment = ActivityEnvironment()
    environment.on_heartbeat = beat
    await environment.run(call)
    return beats


async def test_a_call_that_is_over_at_once_needs_no_heartbeat_and_one_that_lasts_has_some() -> None:
    assert await _beats_during(0) == 0
    assert await _beats_during(3.5 * EVERY_SECONDS) >= 1
