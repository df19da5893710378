"""One trace over a gap: what is queued now is done later, in another process, and belongs to the same click.

Nothing of OpenTelemetry is imported here. Until `connectors/telemetry/traces.py` is switched on, there is no trace, and
asking costs one comparison.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Follows(Protocol):
    """What tracing can do for us."""

    def current(self) -> str | None:
        """The trace of this moment as a W3C `traceparent`; None outside one."""

    def followed(self, trace: str, step: str) -> AbstractContextManager[None]:
        """A step of that trace, while inside."""


_tracing: Follows | None = None


def follow_with(tracing: Follows | None) -> None:
    """Switch tracing on for this process, or off again."""
    global _tracing
    _tracing = tracing


def current_trace() -> str | None:
    """The trace of this moment, to be kept with what is queued; None when nothing is traced."""
    return None if _tracing is None else _tracing.current()


def followed(trace: str | None, step: str) -> AbstractContextManager[None]:
    """Do a step as part of the trace that was kept with it. `step` is a word of ours, never an id."""
    return nullcontext() if _tracing is None or trace is None else _tracing.followed(trace, step)
