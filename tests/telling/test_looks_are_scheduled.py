"""Each connection that lists its events has a Schedule, and so has one that staff make while a worker runs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleDescription, ScheduleSpec
from temporalio.service import RPCError, RPCStatusCode

from activities.connecting import Connected, Workshop
from activities.pokes import QUEUE
from activities.providers import queue_of
from connectors.payments.ports import ListsEvents
from connectors.payments.sandbox import SandboxConfig, SandboxProvider, build
from connectors.temporal.client import connect
from connectors.temporal.codec import UnknownKey
from launch.drill.ground import until
from store.database import Database
from store.envelopes import Envelopes
from tests.connectors.sandbox_harness import API_KEY, SECRETS
from tests.machine import free_port
from wiring import CATCH_UP_EVERY, Looks


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[SandboxProvider]:
    """One that nobody is asked through here."""
    built = build(SandboxConfig(base_url=f"http://127.0.0.1:{free_port()}", api_key=API_KEY, webhook_secrets=SECRETS))
    yield built
    await built.aclose()


async def found(client: Client, connection_id: str) -> ScheduleDescription | None:
    try:
        return await client.get_schedule_handle(f"events/{connection_id}").describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def given_to(client: Client, connection_id: str) -> list[object]:
    """What its Schedule starts a look with."""
    scheduled = await found(client, connection_id)
    assert scheduled is not None
    action = cast("ScheduleActionStartWorkflow", scheduled.schedule.action)
    return await client.data_converter.decode(action.args)


async def test_a_connection_has_its_look_and_one_that_is_new_gets_it_at_once(
    temporal_client: Client, provider: SandboxProvider
) -> None:
    assert isinstance(provider, ListsEvents)
    there, new, mute = (f"con-{secrets.token_hex(4)}" for _ in range(3))
    workshop = Workshop(connectors={}, envelopes=Envelopes([]), is_live=False)
    nowhere = cast("Database", None)
    connected = Connected(nowhere, workshop, {there: provider})
    connected.rates[there] = 5
    looks = Looks(temporal_client, connected)
    await looks.follow()
    scheduled = await found(temporal_client, there)
    assert scheduled is not None
    assert [each.every for each in scheduled.schedule.spec.intervals] == [CATCH_UP_EVERY]
    action = cast("ScheduleActionStartWorkflow", scheduled.schedule.action)
    assert action.workflow == "CatchUp"

    async def has_looked() -> bool:
        seen = await found(temporal_client, there)
        return seen is not None and seen.info.num_actions == 1

    await until(has_looked, what="the first look, which is at once")
    assert await found(temporal_client, new) is None

    connected.by_connection[new] = provider
    connected.by_connection[mute] = cast("SandboxProvider", object())
    await looks.follow()
    await looks.follow()
    assert await found(temporal_client, new) is not None
    assert await found(temporal_client, mute) is None
    # Another worker that starts looks at once, too, unless a look is under way.
    await Looks(temporal_client, connected).follow()
    for each in (there, new):
        await temporal_client.get_schedule_handle(f"events/{each}").delete()


async def test_a_look_follows_its_connection_s_limit_to_another_queue_and_back(
    temporal_client: Client, provider: SandboxProvider
) -> None:
    """One that kept the queue of a limit which is gone would wait for a worker that nobody starts."""
    each = f"con-{secrets.token_hex(4)}"
    workshop = Workshop(connectors={}, envelopes=Envelopes([]), is_live=False)
    nowhere = cast("Database", None)
    connected = Connected(nowhere, workshop, {each: provider})
    looks = Looks(temporal_client, connected)
    await looks.follow()
    assert await given_to(temporal_client, each) == [each, None]
    handle = temporal_client.get_schedule_handle(f"events/{each}")
    await handle.pause(note="by a person")

    connected.rates[each] = 5
    await looks.follow()
    assert await given_to(temporal_client, each) == [each, queue_of(QUEUE, each)]
    anew = Connected(nowhere, workshop, {each: provider})  # a worker that starts when the limit is gone
    await Looks(temporal_client, anew).follow()
    assert await given_to(temporal_client, each) == [each, None]
    scheduled = await found(temporal_client, each)
    assert scheduled is not None
    assert (scheduled.schedule.state.paused, scheduled.schedule.state.note) == (True, "by a person")
    assert [interval.every for interval in scheduled.schedule.spec.intervals] == [CATCH_UP_EVERY]
    await handle.delete()


async def test_a_schedule_that_was_written_with_a_key_that_is_gone_is_written_anew(
    temporal_address: str, provider: SandboxProvider
) -> None:
    each = f"con-{secrets.token_hex(4)}"
    workshop = Workshop(connectors={}, envelopes=Envelopes([]), is_live=False)
    connected = Connected(cast("Database", None), workshop, {each: provider})
    before, after = [
        await connect(temporal_address, namespace="default", keys=[(name, secrets.token_bytes(32))])
        for name in ("retired", "newest")
    ]
    await Looks(before, connected).follow()
    with pytest.raises(UnknownKey):
        await given_to(after, each)
    await Looks(after, connected).follow()
    assert await given_to(after, each) == [each, None]
    await after.get_schedule_handle(f"events/{each}").delete()


async def test_a_schedule_of_before_there_were_queues_stays_as_older_workers_know_it(
    temporal_client: Client, provider: SandboxProvider
) -> None:
    each = f"con-{secrets.token_hex(4)}"
    action = ScheduleActionStartWorkflow("CatchUp", args=[each], id=f"events/{each}", task_queue=QUEUE)
    handle = await temporal_client.create_schedule(f"events/{each}", Schedule(action=action, spec=ScheduleSpec()))
    workshop = Workshop(connectors={}, envelopes=Envelopes([]), is_live=False)
    connected = Connected(cast("Database", None), workshop, {each: provider})
    await Looks(temporal_client, connected).follow()
    assert await given_to(temporal_client, each) == [each]
    await handle.delete()
