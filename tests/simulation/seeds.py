"""One seed is one story: a town, its people and its bad luck, looked at after every step and once more when it rests."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from store.database import Database
from tests.simulation.acts import Acts
from tests.simulation.listener import FarListener
from tests.simulation.looks import Witness
from tests.simulation.stage import StagedDatabase
from tests.simulation.town import Rules, Town

LEAST_FAULTS: Final = 5
LUCK: Final = (0.02, 0.08, 0.2)
SOUND: Final = Rules()
LISTENING: Final = Rules(provider=FarListener)
"""The house is sound in both; every other seed has a far side that is believed by its events only."""


@dataclass(slots=True, kw_only=True)
class Story:
    """What became of a seed. `broken` is the promise that did not hold, or None."""

    seed: int
    operations: int
    steps: list[str] = field(default_factory=list)
    faults: int = 0
    turns: int = 0
    looks: int = 0
    payments: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    refunds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    broken: str | None = None

    def told(self) -> str:
        """The seed, its steps and the command that plays it again."""
        lines = [f"{number:3} {step}" for number, step in enumerate(self.steps)]
        again = f"python -m tests.simulation.soak --seed {self.seed} --operations {self.operations} --count 1"
        return "\n".join([f"seed {self.seed}: {self.broken}", *lines, f"play it again: {again}"])


class Ground:
    """A database for one seed after the other, as the worker and as the portal; emptied by the superuser between them."""

    def __init__(self, *, worker_url: str, portal_url: str, admin_url: str) -> None:
        self.worker = StagedDatabase(worker_url)
        self.portal = Database(portal_url, pool_size=1)
        self.admin = Database(admin_url, pool_size=1)
        self._empty = ""

    async def open(self) -> None:
        """Take the connections, and see what there is to empty."""
        await self.worker.hold()
        async with self.admin.begin("simulation") as tx:
            rows = await tx.rows(
                """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                   AND relname <> 'alembic_version' ORDER BY relname"""
            )
        self._empty = f"TRUNCATE {', '.join(row.relname for row in rows)} RESTART IDENTITY"

    async def clear(self) -> None:
        """Nobody has lived here."""
        async with self.admin.begin("simulation") as tx:
            await tx.run(self._empty)
            await tx.rows("SELECT setval('erp_seq', 1)")

    async def close(self) -> None:
        """Give everything back."""
        for each in (self.worker, self.portal, self.admin):
            await each.close()


async def play(
    ground: Ground, seed: int, *, operations: int | None = None, rules: Rules | None = None, luck: float | None = None
) -> Story:
    """Play one seed from beginning to rest. A broken promise is in the story, not raised.

    `luck` is how likely something goes wrong at each stop; drawn where it is not given. `rules` are the house's where none
    are given, with the far side that the seed has.
    """
    random = Random(seed)
    count = operations if operations is not None else random.randint(50, 80)
    story = Story(seed=seed, operations=count)
    began = time.perf_counter()
    await ground.clear()
    town = Town(ground.worker, random, rules or (SOUND, LISTENING)[seed % 2])
    try:
        await _live(town, Witness(town, ground.portal), story, luck)
    except AssertionError as promise:
        story.broken = str(promise).partition("\n")[0] or "an assertion without words"
    except Exception as error:
        story.broken = f"{type(error).__name__}: {error}"
    finally:
        await town.stage.close()
    story.faults, story.turns, story.seconds = town.faults, town.stage.turns, time.perf_counter() - began
    return story


async def _live(town: Town, witness: Witness, story: Story, luck: float | None) -> None:
    await town.settle_in()
    await witness.look()
    acts = Acts(town)
    drawn = town.random.choice(LUCK)
    town.luck = drawn if luck is None else luck
    while len(story.steps) < story.operations or town.faults < LEAST_FAULTS:
        story.steps.append(await acts.act())
        await town.go_on(town.random.randrange(8))
        await witness.look()
        if town.random.random() < 0.15:
            await witness.read(town.random.choice(town.residents))
    story.steps.append("rest")
    await town.come_to_rest()
    await witness.look_at_rest()
    for resident in town.residents[:3]:
        await witness.read(resident)
    story.looks = witness.looks
    story.payments = Counter(state.value for state in witness.states.values())
    story.refunds = Counter(row.state for row in await town.rows("SELECT state FROM refunds"))
    story.requests = Counter(row.state for row in await town.rows("SELECT state FROM apply_requests"))
