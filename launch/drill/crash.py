"""The whole drill: which storms there are, in which order, and what must be true of the books afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Final

import wiring
from launch.checking.everything import FarSides, check
from launch.drill import weather
from launch.drill.applying import CreditApplied, CreditTakenOff
from launch.drill.beside import EventsListed, MailedLink, ReadErp, Swept
from launch.drill.comparing import Compared
from launch.drill.deciding import SentAgain
from launch.drill.ground import Ground, settings_of
from launch.drill.keeping import AddMethod, MakeDefault, RemoveMethod
from launch.drill.over_vendors import OVER_VENDORS, OVER_VENDORS_NAMED
from launch.drill.paying import AnswerLost, BankDebit, DebitReturned, PostingLost, ProviderPage, SavedCard
from launch.drill.points import EXCUSED, written
from launch.drill.process import Process
from launch.drill.refunding import Refunded
from launch.drill.row import Row
from launch.drill.storm import API, ERP, POSTGRES, REPLY, TEMPORAL, WORKER, Storm, Target, dry_run
from store.checks import Finding, Horizons

PROCESSES: Final[Sequence[type[Process]]] = (
    SavedCard,
    AddMethod,
    ProviderPage,
    AnswerLost,
    PostingLost,
    BankDebit,
    DebitReturned,
    MakeDefault,
    RemoveMethod,
    SentAgain,
    Refunded,
    CreditApplied,
    CreditTakenOff,
    MailedLink,
    ReadErp,
    Swept,
    EventsListed,
    Compared,
)
CROWDS: Final[Mapping[str, Sequence[type[Process]]]] = {
    **{kind.name: (kind,) for kind in PROCESSES},
    OVER_VENDORS_NAMED: OVER_VENDORS,
}
"""Which kinds storm together, by a glob of their names: mostly one alone."""
THOROUGH: Final = (SavedCard, AddMethod)
DEATHS: Final = (WORKER, REPLY, TEMPORAL, POSTGRES, API, ERP)
AT_THE_ERP: Final[Mapping[type[Process], tuple[str, ...]]] = {
    SavedCard: ("post", "read_back"),
    ReadErp: ("sync",),
    Compared: ("reconcile.", "totals."),
}
"""Where the ERP itself dies: while it is written to, read, and compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be drilled: `only` is a glob of process/point/what dies; `seed` shuffles who meets which point."""

    only: str = "*"
    seed: int = 0
    workers: int = 2
    restless: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether a point that was not met is a fault of the drill."""
        return self.only == "*"

    def takes(self, process: str, point: str, dies: str) -> bool:
        """Whether a row is wanted."""
        return fnmatch(f"{process}/{point}/{dies}", self.only)

    def may_take(self, process: str) -> bool:
        """Whether any row of a process can be wanted."""
        head, slash, _ = self.only.partition("/")
        return not slash or fnmatch(process, head)


@dataclass
class Outcome:
    """What a drill found: its rows, what the books say, and points of the source that nobody died at."""

    rows: list[Row] = field(default_factory=list)
    findings: Sequence[Finding] = ()
    missed: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Whether everything is proven and right."""
        return all(row.holds for row in self.rows) and all(each.holds for each in self.findings) and not self.missed


Say = Callable[[str], None]


async def drill(ground: Ground, choice: Choice, *, say: Say, tell: Callable[[Sequence[Row]], None]) -> Outcome:
    """Everything that was chosen. `say` hears what begins, `tell` the rows of each storm as it ends."""
    outcome = Outcome()
    chance = random.Random(choice.seed)  # noqa: S311 - a drill must be repeatable

    def keep(rows: Sequence[Row]) -> None:
        outcome.rows += rows
        tell(rows)

    for name, crowd in CROWDS.items():
        kinds = [each for each in crowd if choice.may_take(each.name)]
        if not kinds:
            continue
        say(f"{name}: finding its points")
        targets = await dry_run(ground, *kinds)
        for dies in DEATHS:
            chosen = list(_aims(kinds[0], dies, targets, choice))
            if chosen:
                say(f"{name}: {_words(dies)} at {len(chosen)} points")
                storm = Storm(ground, kinds[0], dies, chosen, chance, workers=choice.workers, restless=choice.restless)
                keep(await storm.rows())
    await _weather(ground, choice, say, keep)
    say("Looking at the books, the provider and the ERP")
    outcome.findings = await findings(ground)
    if choice.is_everything:
        met = {row.point for row in outcome.rows}
        outcome.missed = sorted(set(written()) - met - set(EXCUSED))
    return outcome


def _aims(alone: type[Process], dies: str, targets: Sequence[Target], choice: Choice) -> Iterator[Target]:
    """What is chosen of this: a commit's reply is lost where it is awaited. The API dies at each point of its own. What is
    shared dies at every point of the two processes that all others are made of (the API just after something became
    true); in the others PostgreSQL and Temporal die just after something became true. The ERP dies where it is spoken to.
    """
    for target in targets:
        kind = target.kind or alone
        if (kind.only_workers_die and dies != WORKER) or not choice.takes(kind.name, target.point, dies):
            continue
        just_after = target.point.endswith((".after_commit", ".after_answer"))
        if dies == REPLY:
            wanted = target.point.endswith(".after_commit")
        elif dies == ERP:
            wanted = not target.in_api and target.point.startswith(AT_THE_ERP.get(kind, ()))
        elif target.in_api:
            wanted = dies == API
        else:
            is_thorough = kind in THOROUGH
            wanted = dies == WORKER or (just_after and (is_thorough or dies != API)) or (is_thorough and dies != API)
        if wanted:
            yield target


def _words(dies: str) -> str:
    return "the reply to a commit is lost" if dies == REPLY else f"{dies} dies"


async def _weather(ground: Ground, choice: Choice, say: Say, keep: Callable[[Sequence[Row]], None]) -> None:
    for call in weather.CALLS:
        name = call.kind.name
        faults = [each for each in weather.faults_of(call) if choice.takes(name, call.operation, f"provider: {each}")]
        if faults:
            say(f"{name}: {len(faults)} ways in which the provider's answer goes wrong")
            keep(await weather.at_the_provider(ground, call, faults))
    for knob in weather.ERP_KNOBS:
        if choice.takes(SavedCard.name, "post_payment", f"ERP: {knob}"):
            say(f"{SavedCard.name}: the ERP's {knob}")
            keep(await weather.at_the_erp(ground, knob))


async def findings(ground: Ground) -> Sequence[Finding]:
    """Every invariant of `duly check`, over everything that this drill has done."""
    current = settings_of(ground.machine)
    async with AsyncExitStack() as stack:
        connected = wiring.connections_of(current, ground.database, erps={wiring.ERP: wiring.erp(current)})
        for each in (*connected.by_connection.values(), *connected.erps.values()):
            wiring.close_with(stack, each)
        stack.push_async_callback(connected.aclose)
        await connected.refresh()
        far = FarSides(providers=connected.by_connection, erps=connected.erps, client=ground.client)
        return await check(ground.database, far, at=datetime.now(UTC), horizons=Horizons())
