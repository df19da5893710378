"""Vendors that are played beside a drill's Duly, each connected without a browser, as the row that staff would have made.

None is named here: those are played that have a connector and a simulator of its name, and each says itself what it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import httpx

from activities.connecting import ONCE, SAVED, Workshop, offers_of
from connectors import registry
from domain.methods import MethodKind
from store import managed
from store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a simulator says of itself: what its connection is given, by the name of the setting; a kind that it saves in a
    currency; the test method of its page that works; after how many days its money has settled, 0 for at once.
    """

    given: Mapping[str, str]
    kind: str
    currency: str
    use: str
    settles_in_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FarVendor:
    """A vendor that is played and connected. What is counted here, Duly cannot have made up."""

    name: str
    connection: str
    facts: Facts
    desk: httpx.AsyncClient

    async def ledger(self, our_ref: str) -> Mapping[str, int]:
        """The vendor's own count of a reference: charges that moved or will move money, and what was given back."""
        answer = await self.desk.get("/_test/ledger", params={"our_ref": our_ref})
        counted: Mapping[str, int] = answer.raise_for_status().json()
        return counted

    async def tell(self, **knobs: Any) -> None:
        """Turn its knobs."""
        (await self.desk.post("/_test/set", json=knobs)).raise_for_status()

    async def days_pass(self, days: int) -> None:
        """The vendor's clock."""
        await self.tell(advance=timedelta(days=days) // timedelta(seconds=1))


def names() -> Sequence[str]:
    """The connectors that can be played, in order."""
    return sorted(each for each in registry.payment_connectors() if find_spec(f"simulators.{each}") is not None)


def addresses(first_port: int) -> Mapping[str, str]:
    """Where each is expected, by name, on neighbouring ports."""
    return {name: f"http://127.0.0.1:{port}" for port, name in enumerate(names(), start=first_port)}


async def connect(
    name: str, connection: str, *, desk: httpx.AsyncClient, base_url: str, workshop: Workshop, staff: Database
) -> FarVendor:
    """Tell a vendor that runs where its events go, and make the rows of a connection that is on, and preferred for what the
    vendor says of itself. Raises LookupError where its connector cannot do that.
    """
    facts = Facts(**(await desk.get("/_test/played")).raise_for_status().json())
    far = FarVendor(name=name, connection=connection, facts=facts, desk=desk)
    await far.tell(hook=f"{base_url}/webhooks/{connection}")
    connector, kind = registry.payment_connectors()[name], MethodKind(facts.kind)
    hidden = [each.name for each in connector.settings if each.is_secret and each.name in facts.given]
    provider = workshop.build(name, {setting: (text,) for setting, text in facts.given.items()}, [kind.value])
    choices = managed.Choices(
        title=connector.title,
        given={setting: text for setting, text in facts.given.items() if setting not in hidden},
        kinds=[kind.value],
        currencies=[facts.currency],
        preferred=[kind.value],
        offers=offers_of(provider, [kind], [facts.currency], SAVED),
        once=offers_of(provider, [kind], [facts.currency], ONCE),
        countries={},
    )
    if not choices.offers:
        raise LookupError(f"{name} saves no {kind.value} in {facts.currency}")
    at, limit = datetime.now(UTC), connector.calls_per_second
    async with staff.begin("drill.connect") as tx:
        await managed.add(tx, connection, choices, connector=name, mode="sandbox", calls_per_second=limit, at=at)
        for each in hidden:
            await managed.add_secret(tx, workshop.envelopes, connection, each, facts.given[each], by="duly drill", at=at)
        await managed.switch(tx, connection, on=True, at=at)
    return far
