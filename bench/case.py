"""What a case is: several ways to do one job, each measured by itself, and a proof that they do the same job."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["limit", "ours", "plain", "peer"]
"""limit: what no implementation can beat. plain: the same job as one writes it idiomatically. peer: another product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one variant. `cpu_seconds` is of every process that worked for it; None where nobody looked.

    `facts` are further figures, such as `p99_ms`; they belong to the variant and are judged by their medians.
    """

    operations: int
    wall_seconds: float
    cpu_seconds: float | None = None
    facts: Mapping[str, float] = field(default_factory=dict)

    def figure(self, name: str) -> float | None:
        """`rate` (operations a second), `wall` or `cpu` (seconds an operation), or a fact; None where it was not seen."""
        if name == "rate":
            return self.operations / self.wall_seconds
        if name == "wall":
            return self.wall_seconds / self.operations
        if name == "cpu":
            return None if self.cpu_seconds is None else self.cpu_seconds / self.operations
        return self.facts.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to do the job. `before` puts everything back between rounds and is not timed."""

    name: str
    role: Role
    once: Callable[[], Awaitable[Sample]]
    before: Callable[[], Awaitable[None]] | None = None


async def no_facts() -> Mapping[str, float]:
    """For a case whose figures all come from its rounds."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case that is ready to be measured.

    `same` raises when the variants' answers differ; it runs before anything is timed. `facts` are figures of the case as
    a whole, measured once after the rounds.
    """

    variants: Sequence[Variant]
    same: Callable[[], Awaitable[None]]
    facts: Callable[[], Awaitable[Mapping[str, float]]] = no_facts


class Case(Protocol):
    """`prepared` starts what is needed and stops it again; `quick` asks for small sizes and short rounds."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    def prepared(self, quick: bool) -> AbstractAsyncContextManager[Prepared]: ...


class Different(Exception):
    """Two variants do not do the same job; the message says where they part."""


def require_same(what: str, answers: Mapping[str, object]) -> None:
    """Raises Different unless every variant's answer equals the first one's."""
    (first, expected), *others = answers.items()
    for name, answer in others:
        if answer != expected:
            raise Different(f"{what}: {name} answers {_short(answer)}, {first} {_short(expected)}")


def _short(answer: object) -> str:
    text = repr(answer)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
