"""A heartbeat while a call is on its way: a killed worker is noticed in seconds, not after the call's whole time-out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from temporalio import activity

EVERY_SECONDS: Final = 0.8


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Beat until the block ends."""

    async def beat() -> None:
        # The server counts from the activity's start, so a call that is over sooner needs none: each costs it a write.
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
