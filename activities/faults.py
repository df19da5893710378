"""Fault points before and after every activity, so that none is without them."""

from __future__ import annotations

from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from store import faults


class FaultPoints(Interceptor):
    """`{activity}.before` and `{activity}.after`."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - theirs
        """Wraps every activity of the worker."""
        return _Points(next)


class _Points(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - theirs
        info = activity.info()
        with faults.in_hand(info.workflow_id or ""):
            await faults.reach(f"{info.activity_type}.before")
            answer = await super().execute_activity(input)
            await faults.reach(f"{info.activity_type}.after")
            return answer
