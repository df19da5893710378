"""Changing a saved method: which is the default, and removing one here and at the provider, truthfully reported."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from activities.failures import told_to_temporal
from activities.heartbeats import beating
from activities.providers import Providers
from activities.requests import FirstAnswer, MethodChange
from connectors.errors import Rejected
from domain.refusals import Refusal
from store import faults, methods, timeline
from store.database import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeStep:
    """`answer` when it is decided, else `detach` at the provider. `queue` is the task queue of the connection's calls, where
    those are limited.
    """

    next: str
    answer: FirstAnswer
    queue: str | None = None


class MethodChanges:
    """The activities; what they need is given once by the worker."""

    def __init__(self, database: Database, providers: Providers, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock

    @activity.defn
    async def decide_change(self, change: MethodChange) -> ChangeStep:
        """Under the customer's lock: set the default, or mark the method as being removed, or refuse. Safe to repeat."""
        at = self._clock()
        async with self._database.begin("decide_change") as tx:
            await methods.lock_customer(tx, change.customer_id)
            method = await methods.load(tx, change.method_id, lock="FOR UPDATE")
            if method is None or method.customer_id != change.customer_id or method.state == "detached":
                return _no(Refusal(rule="method_not_found"))
            if change.action == "default":
                if method.state != "active":
                    facts = {"label": method.label, "reason": "it is not ready"}
                    return _no(Refusal(rule="method_not_usable", facts=facts))
                await methods.make_default(tx, method, by=change.by, at=at, once=change.change_id)
                return ChangeStep(next="answer", answer=FirstAnswer(state="default"))
            refusal = await self._refuse_removal(tx, method, change, at=at)
            if refusal is not None:
                return _no(refusal)
            await methods.change_state(tx, method, "detaching", at=at)
            queue = self._providers.queue_of(method.connection_id)
            return ChangeStep(next="detach", answer=FirstAnswer(state="detaching"), queue=queue)

    async def _refuse_removal(
        self, tx: Transaction, method: methods.Method, change: MethodChange, *, at: datetime
    ) -> Refusal | None:
        if await methods.is_used(tx, method.id):
            return Refusal(rule="method_in_use", facts={"label": method.label})
        others = [
            each
            for each in await methods.of_customer(tx, change.customer_id)
            if each.id != method.id and each.state == "active"
        ]
        if not method.is_default or not others:
            return None
        following = next((each for each in others if each.id == change.next_default_id), None)
        if following is None:
            return Refusal(rule="new_default_needed", facts={"label": method.label})
        await methods.make_default(tx, following, by=change.by, at=at, once=change.change_id)
        return None

    @activity.defn
    async def detach_method(self, change: MethodChange) -> str | None:
        """Ask the provider to forget it; already gone is success. Answers its refusal, or None when it is gone."""
        async with beating(), told_to_temporal(waits_for_a_person=True):
            async with self._database.begin("detach_method.read") as tx:
                method = await methods.load(tx, change.method_id)
            assert method is not None
            key = hashlib.sha256(f"{method.connection_id}|detach|{method.id}".encode()).hexdigest()[:52]
            await faults.reach("detach_method.before_send")
            try:
                await self._providers.keeps(method.connection_id).detach_method(method.token, key=key)
            except Rejected as error:
                return error.sentence
            await faults.reach("detach_method.after_answer")
            return None

    @activity.defn
    async def record_detach(self, change: MethodChange, refusal: str | None) -> FirstAnswer:
        """Gone, or still there with the provider's reason: said truthfully."""
        at = self._clock()
        async with self._database.begin("record_detach") as tx:
            method = await methods.load(tx, change.method_id, lock="FOR UPDATE")
            assert method is not None
            state = "detached" if refusal is None else "kept"
            if method.state == "detaching":
                await methods.change_state(tx, method, state, at=at, error=refusal)
            await timeline.tell(
                tx,
                process_id=method.id,
                customer_id=method.customer_id,
                kind="removed" if refusal is None else "remove_refused",
                at=at,
                once=change.change_id,
                facts={"by": change.by},
            )
        return FirstAnswer(state="removed" if refusal is None else "remove_refused")


def _no(refusal: Refusal) -> ChangeStep:
    return ChangeStep(next="answer", answer=FirstAnswer(state="refused", rule=refusal.rule, facts=dict(refusal.facts)))
