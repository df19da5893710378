"""One workflow in two versions that cannot replay each other's history: the second begins with another step."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def first_step(version: str) -> str:
    return version


@activity.defn
async def other_step(version: str) -> str:
    return version


@workflow.defn(name="Story")
class StoryBefore:
    """Does a step, waits to be told, answers who it was."""

    def __init__(self) -> None:
        self._told = False

    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(first_step, "before", start_to_close_timeout=timedelta(seconds=20))
        await workflow.wait_condition(lambda: self._told)
        return await workflow.execute_activity(first_step, "before", start_to_close_timeout=timedelta(seconds=20))

    @workflow.signal
    def tell(self) -> None:
        self._told = True


@workflow.defn(name="Story")
class StoryAfter:
    """The same by another step: what the first one did has no place in it."""

    def __init__(self) -> None:
        self._told = False

    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(other_step, "after", start_to_close_timeout=timedelta(seconds=20))
        await workflow.wait_condition(lambda: self._told)
        return await workflow.execute_activity(other_step, "after", start_to_close_timeout=timedelta(seconds=20))

    @workflow.signal
    def tell(self) -> None:
        self._told = True


@workflow.defn(name="SendMail")
class Endless:
    """Has the name of one that never ends; when it is told, it answers which version told it."""

    def __init__(self) -> None:
        self._told = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._told)
        version = workflow.info().get_current_deployment_version()
        return version.build_id if version is not None else ""

    @workflow.signal
    def tell(self) -> None:
        self._told = True
