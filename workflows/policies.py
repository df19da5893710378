"""Time-outs, retries and looks, named, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPolicy:
    """How an activity is tried. `heartbeat` None where nothing is waited for outside."""

    start_to_close: timedelta
    schedule_to_close: timedelta
    retry: RetryPolicy
    heartbeat: timedelta | None = None

    def options(self, queue: str | None = None) -> dict[str, Any]:
        """Keyword arguments of a regular activity; `queue` is the task queue of a connection whose calls are limited."""
        return {
            "task_queue": queue,
            "start_to_close_timeout": self.start_to_close,
            "schedule_to_close_timeout": self.schedule_to_close,
            "heartbeat_timeout": self.heartbeat,
            "retry_policy": self.retry,
            # Never compensate while a call is still on its way.
            "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        }

    def local_options(self) -> dict[str, Any]:
        """Keyword arguments of a local one: database steps that a customer waits for."""
        return {
            "start_to_close_timeout": self.start_to_close,
            "schedule_to_close_timeout": self.schedule_to_close,
            "retry_policy": self.retry,
        }


_QUICK: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=10)
)
_PATIENT: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)

DATABASE: Final = ActivityPolicy(
    start_to_close=timedelta(seconds=10),  # longer than the statement time-out: a stalled copy dies in the database first
    schedule_to_close=timedelta(days=30),  # a database that is away is waited for; no money decision is dropped
    retry=_QUICK,
)
SEND: Final = ActivityPolicy(
    start_to_close=timedelta(seconds=30),  # the connector gives up at 10 s; the rest is our own announcing
    schedule_to_close=timedelta(minutes=10),  # far inside every provider's key life
    heartbeat=timedelta(milliseconds=2500),  # a killed worker is noticed in seconds
    retry=_PATIENT,
)
ASK: Final = ActivityPolicy(
    start_to_close=timedelta(seconds=30),
    schedule_to_close=timedelta(minutes=2),
    heartbeat=timedelta(milliseconds=2500),
    retry=_PATIENT,
)
ROUND: Final = ActivityPolicy(
    start_to_close=timedelta(minutes=5),
    schedule_to_close=timedelta(hours=1),
    heartbeat=timedelta(seconds=5),
    retry=_PATIENT,
)
UNTIL_DONE: Final = ActivityPolicy(
    start_to_close=timedelta(minutes=1),
    schedule_to_close=timedelta(days=30),  # a provider that is away, or a key that is wrong, loses nothing
    heartbeat=timedelta(milliseconds=2500),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=10)
    ),
)
CATCH_UP: Final = ActivityPolicy(
    start_to_close=timedelta(minutes=5),
    schedule_to_close=timedelta(hours=20),  # a provider that is away is waited for until the next day's look
    heartbeat=timedelta(seconds=5),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=10)
    ),
)
READ_FIRST: Final = ActivityPolicy(
    start_to_close=timedelta(minutes=5),
    schedule_to_close=timedelta(
        minutes=10
    ),  # an ERP that is away is compared with what was read of it before, or not at all
    heartbeat=timedelta(seconds=5),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=2),
)
RECONCILE: Final = ActivityPolicy(
    start_to_close=timedelta(hours=2),
    schedule_to_close=timedelta(hours=20),  # until the next night's
    heartbeat=timedelta(seconds=5),
    retry=_PATIENT,
)
DRAIN: Final = ActivityPolicy(
    start_to_close=timedelta(minutes=5),
    schedule_to_close=timedelta(hours=1),
    heartbeat=timedelta(milliseconds=2500),
    # A round never fails because of the ERP or the mail server: only a dying worker ends it, and another takes over.
    retry=RetryPolicy(
        initial_interval=timedelta(milliseconds=500), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=2)
    ),
)

AWAITING_LOOKS: Final = (timedelta(seconds=20), timedelta(minutes=1), timedelta(minutes=5))
UNKNOWN_LOOKS: Final = (
    timedelta(seconds=2),
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=15),
)
PROCESSING_LOOKS: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
SECOND_LOOK: Final = timedelta(days=1)  # whether a refund that waits for a second person still does
VERIFYING_LOOKS: Final = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=12))

DOWN_PAUSES: Final = (
    timedelta(seconds=2),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),  # also how long a posting may wait after an ERP is back: one cheap read each is bearable
)
POSTING_LOOK: Final = timedelta(hours=1)
"""A request on its way to the ERP is looked at this often, should the poster's hint have been lost."""
IDLE_PAUSE: Final = timedelta(minutes=5)
ROUNDS_PER_RUN: Final = 500


def nth(steps: tuple[timedelta, ...], number: int) -> timedelta:
    """The step for the number-th try, the last one from then on."""
    return steps[min(number, len(steps) - 1)]
