"""What staff decide about postings that the ERP refused, and about differences that only a person can end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities.pokes import Pokes
from activities.requests import CloseOrder, FirstAnswer, SendAgain
from domain.resolving import Resolution
from store import differences, mending, resolving
from store.database import Database


class Decisions:
    """The activities; what they need is given once by the worker."""

    def __init__(self, database: Database, clock: Callable[[], datetime], pokes: Pokes) -> None:
        self._database = database
        self._clock = clock
        self._pokes = pokes

    @activity.defn
    async def send_again(self, order: SendAgain) -> FirstAnswer:
        """Carry the decision out and wake the poster, or say that it has moved on. Safe to run again."""
        async with self._database.begin("send_again") as tx:
            is_taken = await resolving.resolve(
                tx,
                order.posting_id,
                Resolution(order.how),
                attempts=order.attempts,
                by=order.by,
                reason=order.reason,
                at=self._clock(),
            )
        if not is_taken:
            return FirstAnswer(state="refused", rule="posting_moved_on")
        if order.how == Resolution.NOW:
            self._pokes.poster_at_once()
        else:
            self._pokes.poster()
        return FirstAnswer(state="queued")

    @activity.defn
    async def close_difference(self, order: CloseOrder) -> FirstAnswer:
        """Write the reason down, or have a document taken back; or say that it has moved on. Safe to run again."""
        if order.take_back is not None:
            return await self._take_back(order, order.take_back)
        async with self._database.begin("close_difference") as tx:
            is_taken = await differences.close(tx, order.difference_id, reason=order.reason, by=order.by, at=self._clock())
        return FirstAnswer(state="closed") if is_taken else FirstAnswer(state="refused", rule="difference_moved_on")

    async def _take_back(self, order: CloseOrder, surplus: str) -> FirstAnswer:
        async with self._database.begin("take_back") as tx:
            is_taken = await mending.take_back_surplus(
                tx, order.difference_id, surplus=surplus, by=order.by, at=self._clock()
            )
        if not is_taken:
            return FirstAnswer(state="refused", rule="difference_moved_on")
        self._pokes.poster()
        return FirstAnswer(state="queued")
