"""Deciding and recording refunds, each in one transaction: asked for under the payment's lock, the second person's word,
and what a provider told. Every way in (answer, look, late event) ends in `record`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from activities.requests import FirstAnswer, RefundDecision, RefundRequest
from connectors.payments.ports import ProviderRefund, RefundStatus
from domain import refunds as rules
from domain.deciding import TELL_STAFF_AFTER
from domain.lifecycles import RefundState
from domain.money import Money
from domain.refusals import Refusal
from store import business, differences, inbox, outbox, payments, refund_books, refunds, staff_accounts
from store.database import Database, Transaction
from store.refunds import NewRefund, RefundRow
from store.staff_accounts import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """A refund's state after recording. `changed` says whether this telling was news."""

    state: RefundState
    changed: bool


class Refunding:
    """Writes refunds; `erp` is the connection that postings go to."""

    def __init__(self, database: Database, clock: Callable[[], datetime], *, erp: str) -> None:
        self._database = database
        self._clock = clock
        self._erp = erp

    async def open(self, request: RefundRequest, run_id: str, *, key: str) -> tuple[str, FirstAnswer | None]:
        """One transaction: the payment's lock, the refund's own row, then the decision, stored whatever it is. A second
        copy waits at the lock and reads what was decided.
        """
        at = self._clock()
        async with self._database.begin("open_refund") as tx:
            # Before the row that refers to it: to strengthen that reference's lock afterwards would be a deadlock.
            payment = await payments.load(tx, request.payment_id, lock=True)
            if payment is None:
                return "answer", FirstAnswer(state="refused", rule="payment_not_found")
            new = NewRefund(
                id=request.refund_id,
                payment_id=request.payment_id,
                customer_id=payment.customer_id,
                amount=Money.of(request.minor, request.currency),
                lines=request.lines,
                reason=request.reason,
                note=request.note,
                by=request.by,
                run_id=run_id,
                request_hash=request.request_hash,
                key=key,
            )
            if request.minor <= 0:
                return "answer", FirstAnswer(state="refused", rule="amount_not_positive")
            if not await refunds.claim(tx, new, at=at):
                return await _already(tx, request, run_id)
            refusal, second = await self._decide(tx, new, request.facts_hash, at=at)
            if refusal is not None:
                await refunds.refuse(tx, new.id, refusal)
                return "answer", FirstAnswer(state="refused", rule=refusal.rule, facts=dict(refusal.facts))
        if second:
            return "wait", FirstAnswer(state=RefundState.AWAITING_SECOND.value)
        return "send", None

    async def _decide(self, tx: Transaction, new: NewRefund, shown: str, *, at: datetime) -> tuple[Refusal | None, bool]:
        facts = await refunds.refundable(tx, new.payment_id)
        assert facts is not None
        if shown and shown != rules.facts_hash(facts):
            what = "what is left of the payment, or of its invoices"
            return Refusal(rule="refund_facts_changed", facts={"what": what}), False
        refusal = rules.check(new.amount, new.lines, new.reason, facts)
        if refusal is not None:
            return refusal, False
        second = rules.needs_second(new.amount, await business.load(tx))
        if not await refunds.reserve(tx, new, needs_second=second, at=at):
            return Refusal(rule="refund_above_captured"), False
        return None, second

    async def decide(self, decision: RefundDecision) -> FirstAnswer:
        """The second person's word: a compare-and-set on what they saw."""
        at = self._clock()
        async with self._database.begin("decide_refund") as tx:
            row = await refunds.load(tx, decision.refund_id, lock=True)
            if row is None:
                return FirstAnswer(state="refused", rule="refund_not_found")
            refusal = rules.may_decide(requested_by=row.requested_by, by=decision.by)
            if refusal is None and not await _may_approve(tx, decision.by):
                refusal = Refusal(rule="not_allowed")
            if refusal is not None:
                return FirstAnswer(state="refused", rule=refusal.rule)
            if decision.agrees:
                done = await refunds.approve(tx, row.id, version=decision.version, by=decision.by, at=at)
            else:
                done = await refunds.reject(tx, row, version=decision.version, by=decision.by, at=at)
                if done:
                    await refund_books.serve_payment(tx, row.payment_id, erp=self._erp, at=at)
            if not done and decision.by != (row.second_by if decision.agrees else row.ended_by):
                return FirstAnswer(state="refused", rule="refund_moved_on")
            # Not done, and by the same person: the answer to the first saying was lost. It stands.
        return FirstAnswer(state=(RefundState.REQUESTED if decision.agrees else RefundState.REJECTED).value)

    async def record(
        self,
        refund_id: str,
        why: str,
        told: ProviderRefund | None,
        note: str | None,
        *,
        asked_at: datetime | None = None,
    ) -> Now:
        """`why` is 'told' with a refund, or 'unknown', 'no_news', 'nothing', 'no' without."""
        at = self._clock()
        async with self._database.begin("record_refund") as tx:
            before = await refunds.load(tx, refund_id, lock=True)
            if before is None:
                raise LookupError(refund_id)
            if told is None:
                await self._without_refund(tx, before, why, note, at=at)
            elif told.amount != before.amount or told.charge_id != before.charge_ref:
                # Another amount, or another charge's: nothing to guess about, a person looks.
                await refunds.move(tx, before.id, RefundState.UNKNOWN, provider_ref=None, at=at)
                await refunds.checked(tx, before.id, at=at, next_at=None, note="the provider shows another refund")
                await differences.open_of_process(
                    tx, before.payment_id, before.customer_id, kind="another_refund", amount=told.amount, at=at
                )
            else:
                await self._with_refund(tx, before, told, at=at)
            after = await refunds.load(tx, refund_id)
            assert after is not None
            if asked_at is not None:
                await inbox.heard(
                    tx,
                    [refund_id],
                    connection_id=before.connection_id,
                    provider_id=before.provider_ref if told is None else told.provider_id,
                    asked_at=asked_at,
                    is_news=after.state is not before.state,
                    at=at,
                )
        return Now(state=after.state, changed=after.state is not before.state)

    async def note_check(self, refund_id: str, *, next_at: datetime) -> bool:
        """The last look, the next look, and who is told when it lasts. Whether somebody is told."""
        at = self._clock()
        async with self._database.begin("note_refund_check") as tx:
            await refunds.checked(tx, refund_id, at=at, next_at=next_at, note=None)
            lasted = await refunds.unknown_for(tx, refund_id, at=at)
            told = sum(lasted >= length for length in TELL_STAFF_AFTER)
            people = await staff_accounts.addresses(tx, Role.AGENT) if told else ()
            for address in people:
                await outbox.queue(
                    tx,
                    template="unknown_refund_staff",
                    to_address=address,
                    at=at,
                    process_id=refund_id,
                    once=str(told),
                )
        return bool(people)

    async def _without_refund(self, tx: Transaction, before: RefundRow, why: str, note: str | None, *, at: datetime) -> None:
        if why == "no":
            code = note or "provider_refused"
            await refund_books.fail(tx, before, code=code, provider_ref=None, erp=self._erp, at=at)
            return
        if why == "no_news":
            await refunds.checked(tx, before.id, at=at, next_at=None, note=None)
            return
        # Silence is no answer: it stays reserved, and is asked about, or sent once more under its own key.
        await refunds.move(tx, before.id, RefundState.UNKNOWN, provider_ref=None, at=at)
        await refunds.checked(tx, before.id, at=at, next_at=None, note=note)

    async def _with_refund(self, tx: Transaction, before: RefundRow, told: ProviderRefund, *, at: datetime) -> None:
        if told.status is RefundStatus.SUCCEEDED:
            await refund_books.succeed(tx, before, provider_ref=told.provider_id, erp=self._erp, at=at)
        elif told.status is RefundStatus.FAILED:
            code = told.failure_code or "refund_failed"
            if before.state is RefundState.REFUNDED:
                await refund_books.come_back(tx, before, code=code, erp=self._erp, at=at)
            else:
                await refund_books.fail(tx, before, code=code, provider_ref=told.provider_id, erp=self._erp, at=at)
        else:
            await refunds.move(tx, before.id, RefundState.PROCESSING, provider_ref=told.provider_id, at=at)
            await refunds.checked(tx, before.id, at=at, next_at=None, note=None)


async def _already(tx: Transaction, request: RefundRequest, run_id: str) -> tuple[str, FirstAnswer | None]:
    """Another copy was first: the answer is what it decided. Another run never sends before it has asked."""
    row = await refunds.load(tx, request.refund_id)
    assert row is not None
    if row.request_hash != request.request_hash:
        return "answer", FirstAnswer(state="refused", rule="form_used_differently")
    if row.state is RefundState.REFUSED:
        return "answer", FirstAnswer(state="refused", rule=row.refused_rule, facts=dict(row.refused_facts))
    if row.state is RefundState.AWAITING_SECOND:
        return "wait", FirstAnswer(state=row.state.value)
    if row.state is RefundState.REQUESTED and row.run_id == run_id:
        return "send", None
    if row.state in {RefundState.REFUNDED, RefundState.FAILED, RefundState.REJECTED}:
        return "answer", FirstAnswer(state=row.state.value)
    return "ask", None


async def _may_approve(tx: Transaction, by: str) -> bool:
    """An approver or an admin who still works here."""
    person = await tx.row("SELECT 1 FROM staff WHERE id = :id AND active AND role IN ('approver', 'admin')", id=by)
    return person is not None
