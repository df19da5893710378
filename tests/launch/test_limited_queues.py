"""A connection whose vendor limits calls has a worker on a queue of its own, with that rate, for the provider's calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from temporalio import activity
from temporalio.client import Client

from worker import Ledgers, Limited, activities, provider_calls


class Anything:
    """A room of activities: whatever is asked of it is one."""

    def __getattr__(self, name: str) -> Any:
        @activity.defn(name=name)
        async def one() -> None:
            """Nothing."""

        return one


def hands(rates: dict[str, int]) -> Any:
    rooms = "payments setups method_changes decisions applying refunds mailing events catching_up reconciling documents"
    every: dict[str, Any] = dict.fromkeys(rooms.split(), Anything())
    connected = SimpleNamespace(rates=rates, posters={"demo": None})
    return SimpleNamespace(connected=connected, erp="demo", ledger=lambda _: (Anything(), Anything()), **every)


async def test_each_limited_connection_has_a_queue_with_its_rate(temporal_client: Client) -> None:
    given = hands({"cards": 20})
    limited = Limited(temporal_client, given, ("duly",), None)
    await limited.follow()
    given.connected.rates["debits"] = 15  # made by staff while the worker runs
    await limited.follow()
    await limited.follow()
    found = {each.task_queue: each.config() for each in limited.workers}
    rates = {queue: config.get("max_task_queue_activities_per_second") for queue, config in found.items()}
    assert rates == {"duly/cards": 20, "duly/debits": 15}
    assert all(not config.get("workflows") for config in found.values())
    await limited.stop()


async def test_each_erp_that_staff_connected_has_a_queue_for_its_calls(temporal_client: Client) -> None:
    given = hands({})
    ledgers = Ledgers(temporal_client, given, None)
    await ledgers.follow()
    assert ledgers.workers == []
    given.connected.posters["books"] = "duly/books"  # made by staff while the worker runs
    await ledgers.follow()
    await ledgers.follow()
    assert [each.task_queue for each in ledgers.workers] == ["duly/books"]
    assert not ledgers.workers[0].config().get("workflows")
    await ledgers.stop()


def test_what_calls_a_provider_is_done_on_the_common_queue_too() -> None:
    def names(found: list[Any]) -> set[str]:
        return {each.__temporal_activity_definition.name for each in found}

    given = hands({})
    assert names(provider_calls(given)) < names(activities(given))
    assert len(activities(given)) == len(names(activities(given)))
