"""Connector errors as Temporal understands them: what may be tried again, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from connectors.errors import ConnectorError, Misconfigured, Rejected, Throttled


def as_failure(error: ConnectorError, *, waits_for_a_person: bool = False) -> ApplicationError:
    """An ApplicationError whose type is the error's name. Nothing of a vendor's body is in it.

    `waits_for_a_person`: a wrong key is tried again, since what must be done stays to be done once it is right.
    """
    delay = timedelta(seconds=error.retry_after_seconds) if isinstance(error, Throttled) else None
    return ApplicationError(
        str(error),
        type=type(error).__name__,
        non_retryable=isinstance(error, Rejected) or (isinstance(error, Misconfigured) and not waits_for_a_person),
        next_retry_delay=delay,
        category=ApplicationErrorCategory.BENIGN,
    )


@asynccontextmanager
async def told_to_temporal(*, waits_for_a_person: bool = False) -> AsyncIterator[None]:
    """Turns a connector's error into a failure of the activity."""
    try:
        yield
    except ConnectorError as error:
        raise as_failure(error, waits_for_a_person=waits_for_a_person) from error
