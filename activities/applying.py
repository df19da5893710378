"""A request to apply a credit: opened under lock, decided under lock, reminded of, expired. The row owns the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from temporalio import activity

from activities.pokes import Pokes
from activities.requests import ApplyOrder, Decision, FirstAnswer
from domain import deciding
from domain.allocation import Line
from domain.business import BusinessSettings
from domain.credits import plan_application, why_not_requested
from domain.deciding import Decider
from domain.ids import is_id
from domain.lifecycles import APPLY_ENDED, APPLY_OPEN, ApplyState
from domain.payments import Plan
from domain.preview import application_hash
from domain.refusals import Refusal
from store import api_keys, apply_requests, business, erp_credits, invoices, outbox, request_books, staff_accounts, timeline
from store.api_keys import Scope
from store.apply_requests import AskedLine, RequestRow
from store.database import Database, Transaction
from store.staff_accounts import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """An order and the run that carries it."""

    order: ApplyOrder
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is told first, and whether the request goes on from here."""

    answer: FirstAnswer
    goes_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where a request stands, and when its next alarm is due (UTC); None while it waits for no time."""

    state: str
    ended: bool
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A request whose alarm may be due, and what time it is for its process."""

    request_id: str
    at: datetime


_MOVED_ON = Refusal(rule="request_moved_on")


class Applying:
    """The activities; what they need is given once by the worker. `erp` is where postings of wanted money go."""

    def __init__(self, database: Database, clock: Callable[[], datetime], pokes: Pokes, *, erp: str) -> None:
        self._database = database
        self._clock = clock
        self._pokes = pokes
        self._erp = erp

    @activity.defn
    async def open_request(self, given: OpenRequest) -> Opened:
        """The request's own row first, then both sides under lock. A refusal is stored with its rule. Safe to run again."""
        order, at = given.order, self._clock()
        async with self._database.begin("open_request") as tx:
            new = apply_requests.NewRequest(
                id=order.request_id,
                customer_id=order.customer_id,
                credit_id=order.credit_id,
                run_id=given.run_id,
                request_hash=order.request_hash,
                channel=order.channel,
                requested_by=order.requested_by,
            )
            if not order.lines or not await apply_requests.claim(tx, new, at=at):
                return await self._again(tx, order)
            decision = await self._decide_opening(tx, order)
            if isinstance(decision, Refusal):
                await apply_requests.refuse(tx, order.request_id, order.customer_id, decision, at=at)
                return Opened(answer=_refused(decision), goes_on=False)
            due = deciding.deadlines(at, await business.load(tx))
            await apply_requests.submit(tx, order.request_id, decision, due, at=at)
            return Opened(answer=FirstAnswer(state=ApplyState.SUBMITTED.value), goes_on=True)

    async def _again(self, tx: Transaction, order: ApplyOrder) -> Opened:
        """The row exists: another copy of this run made it, another run, or another form; or there is no such credit."""
        row = await apply_requests.load(tx, order.request_id, lock=True)
        if row is None:
            rule = "credit_not_found" if order.lines else "request_not_found"
            return Opened(answer=_refused(Refusal(rule=rule)), goes_on=False)
        if order.lines and row.customer_id != order.customer_id:
            return Opened(answer=_refused(Refusal(rule="not_found")), goes_on=False)
        if order.lines and row.request_hash != order.request_hash:
            return Opened(answer=_refused(Refusal(rule="form_used_differently")), goes_on=False)
        if row.state is ApplyState.REFUSED:
            refusal = Refusal(rule=row.refused_rule or "not_found", facts=row.refused_facts)
            return Opened(answer=_refused(refusal), goes_on=False)
        return Opened(answer=FirstAnswer(state=row.state.value), goes_on=row.state not in APPLY_ENDED)

    async def _decide_opening(self, tx: Transaction, order: ApplyOrder) -> Plan | Refusal:
        settings = await business.load(tx)
        ids = [line.invoice_id for line in order.lines]
        await erp_credits.lock(tx, order.credit_id)
        await invoices.lock(tx, ids)
        credit = await erp_credits.facts(tx, order.credit_id, order.customer_ids)
        found = await invoices.facts(tx, ids, order.customer_ids)
        if credit is None:
            return Refusal(rule="credit_not_found")
        refusal = why_not_requested(credit.kind, settings)
        if refusal is not None:
            return refusal
        decision = plan_application(order.lines, credit, found, settings)
        if isinstance(decision, Plan) and order.facts_hash not in {"", application_hash(credit, found.values())}:
            return Refusal(rule="facts_moved", facts={"what": "what is left of the credit, or what is open"})
        return decision

    @activity.defn
    async def decide_request(self, decision: Decision) -> FirstAnswer:
        """One decision under the request's row. Taken again by the same `decision_id`, it answers what it did."""
        at = self._clock()
        async with self._database.begin("decide_request") as tx:
            row = await apply_requests.load(tx, decision.request_id, lock=True)
            if row is None or (decision.customer_ids and row.customer_id not in decision.customer_ids):
                return _refused(Refusal(rule="request_not_found"))
            if await apply_requests.was_taken(tx, row.id, decision.decision_id):
                return FirstAnswer(state=row.state.value)
            refusal = await self._decided(tx, row, decision, at=at)
            if refusal is not None:
                return _refused(refusal)
            await timeline.tell(
                tx,
                process_id=row.id,
                customer_id=row.customer_id,
                kind="decided",
                at=at,
                once=decision.decision_id,
                facts={"action": decision.action, "by": decision.by},
            )
            now = await apply_requests.load(tx, row.id)
            assert now is not None
        self._pokes.poster()
        self._pokes.mailer()
        return FirstAnswer(state=now.state.value)

    async def _decided(self, tx: Transaction, row: RequestRow, decision: Decision, *, at: datetime) -> Refusal | None:
        """Carry out one action; the refusal, or None when it is done."""
        text = decision.text.strip()
        if decision.action == "withdraw":
            done = await self._end(tx, row, ApplyState.WITHDRAWN, decision, None, at=at, any_version=True)
            return None if done else _MOVED_ON
        if row.version != decision.version:
            return _MOVED_ON
        if decision.action == "answer":
            if not text:
                return Refusal(rule="answer_needed")
            told = await apply_requests.say(tx, row, ApplyState.SUBMITTED, question=None, answer=text, by=decision.by, at=at)
            return None if told else _MOVED_ON
        if decision.action == "ask":
            return await self._ask(tx, row, decision, text, at=at)
        if decision.action == "reject":
            if not text:
                return Refusal(rule="reason_needed")
            return None if await self._end(tx, row, ApplyState.REJECTED, decision, text, at=at) else _MOVED_ON
        if decision.action == "undo":
            return await self._undo(tx, row, decision, text, at=at)
        return await self._approve(tx, row, decision, at=at)

    async def _ask(self, tx: Transaction, row: RequestRow, decision: Decision, text: str, *, at: datetime) -> Refusal | None:
        if not text:
            return Refusal(rule="question_needed")
        if not await apply_requests.say(tx, row, ApplyState.ASKED, question=text, answer=None, by=decision.by, at=at):
            return _MOVED_ON
        await apply_requests.mail_customer(tx, row, "request_question", at=at, once=str(row.version))
        return None

    async def _end(
        self,
        tx: Transaction,
        row: RequestRow,
        to: ApplyState,
        decision: Decision,
        reason: str | None,
        *,
        at: datetime,
        any_version: bool = False,
    ) -> bool:
        done = await apply_requests.end(
            tx, row, to, by=decision.by, reason=reason, erp=self._erp, at=at, any_version=any_version
        )
        if done and to is not ApplyState.WITHDRAWN:
            await apply_requests.mail_customer(tx, row, "request_decided", at=at, outcome=to.value)
        return done

    async def _undo(
        self, tx: Transaction, row: RequestRow, decision: Decision, text: str, *, at: datetime
    ) -> Refusal | None:
        if not text:
            return Refusal(rule="reason_needed")
        asked = await apply_requests.lines(tx, row.id)
        await apply_requests.lock_documents(tx, row, asked)
        if row.state is ApplyState.APPLIED and not await request_books.lies(tx, row, apply_requests.applied_of(asked)):
            return Refusal(rule="application_gone")
        return None if await apply_requests.undo(tx, row, by=decision.by, reason=text, at=at) else _MOVED_ON

    async def _approve(self, tx: Transaction, row: RequestRow, decision: Decision, *, at: datetime) -> Refusal | None:
        """Revalidate both sides under lock, with what this request itself holds added back; then one or two people."""
        if row.state not in APPLY_OPEN:
            return _MOVED_ON
        asked = await apply_requests.lines(tx, row.id)
        approved = _approved(asked, decision.lines, row.state)
        if isinstance(approved, Refusal):
            return approved
        await apply_requests.lock_documents(tx, row, asked)
        settings = await business.load(tx)
        credit, found = await apply_requests.both_sides(tx, row.id, row.credit_id, [line.invoice_id for line in asked])
        plan = plan_application(approved, credit, found, _staff_may(settings))
        if isinstance(plan, Refusal):
            return plan
        assert credit is not None
        if decision.facts_hash not in {"", application_hash(credit, found.values())}:
            return Refusal(rule="facts_moved", facts={"what": "what is left of the credit, or what is open"})
        decider = await _decider(tx, decision.by)
        refusal = deciding.refuse_decider(plan.amount, settings.approval_limit, decider, first_by=row.first_by)
        if refusal is not None:
            return refusal
        two = deciding.needs_second(plan.amount, settings.approval_limit)
        if two and row.first_by is None:
            done = await apply_requests.approve_first(tx, row, plan.lines, by=decision.by, at=at)
        else:
            done = await apply_requests.approve(
                tx, row, plan.lines, by=decision.by, needs_second=row.needs_second or two, erp=self._erp, at=at
            )
        return None if done else _MOVED_ON

    @activity.defn
    async def watch_request(self, request_id: str) -> Watch:
        """Where it stands and when to look again."""
        async with self._database.begin("watch_request") as tx:
            row = await apply_requests.load(tx, request_id)
        if row is None:
            return Watch(state="", ended=True)
        due = [each for each in (row.remind_at, row.escalate_at, row.expires_at) if each is not None]
        return Watch(
            state=row.state.value,
            ended=row.state in APPLY_ENDED,
            next_at=min(due) if due and row.state in APPLY_OPEN else None,
        )

    @activity.defn
    async def alarm_request(self, alarm: Alarm) -> None:
        """Remind, tell approvers, or expire: whatever is due of it at this moment, once each."""
        async with self._database.begin("alarm_request") as tx:
            row = await apply_requests.load(tx, alarm.request_id, lock=True)
            if row is None or row.state not in APPLY_OPEN:
                return
            if row.expires_at is not None and row.expires_at <= alarm.at:
                if await apply_requests.end(
                    tx, row, ApplyState.EXPIRED, by="duly", reason=None, erp=self._erp, at=alarm.at, any_version=True
                ):
                    await apply_requests.mail_customer(tx, row, "request_decided", at=alarm.at, outcome="expired")
            else:
                await self._remind(tx, row, at=alarm.at)
        self._pokes.poster()
        self._pokes.mailer()

    async def _remind(self, tx: Transaction, row: RequestRow, *, at: datetime) -> None:
        for column, due, kind, least in (
            ("remind_at", row.remind_at, "reminded", Role.AGENT),
            ("escalate_at", row.escalate_at, "escalated", Role.APPROVER),
        ):
            if due is None or due > at:
                continue
            await apply_requests.alarmed(tx, row.id, column)
            once = str(row.version)
            await timeline.tell(tx, process_id=row.id, customer_id=row.customer_id, kind=kind, at=at, once=once)
            for address in await staff_accounts.addresses(tx, least):
                await outbox.queue(
                    tx,
                    template="request_waits_staff",
                    to_address=address,
                    at=at,
                    process_id=row.id,
                    facts={"kind": kind},
                    once=f"{kind}/{once}",
                )


async def _decider(tx: Transaction, by: str) -> Decider:
    """Who that is, with the role or the scope of this moment: a session may be older than it, and so may a request."""
    if is_id(by, "key"):
        return Decider(id=by, is_approver=await api_keys.has_scope(tx, by, Scope.REQUESTS_APPROVE))
    role = await staff_accounts.role_of(tx, by)
    return Decider(id=by, is_approver=role is not None and role >= Role.APPROVER)


def _approved(asked: Sequence[AskedLine], lines: Sequence[Line], state: ApplyState) -> tuple[Line, ...] | Refusal:
    """What is approved: part of what was asked for; of what a first person approved, exactly that."""
    most: Mapping[str, int] = {each.invoice_id: each.minor if each.approved is None else each.approved for each in asked}
    if not lines:
        return tuple(Line(invoice_id=key, minor=minor) for key, minor in most.items() if minor)
    if any(line.minor > most.get(line.invoice_id, 0) for line in lines):
        return Refusal(rule="lines_differ")
    if state is ApplyState.SECOND and {line.invoice_id: line.minor for line in lines} != {
        key: minor for key, minor in most.items() if minor
    }:
        return Refusal(rule="lines_differ")
    return tuple(lines)


def _staff_may(settings: BusinessSettings) -> BusinessSettings:
    """What a customer may not pay here, staff may still settle with a credit: disputes, instalments, paused ones."""
    return replace(settings, pay_disputed=True, pay_instalments=True, exclude_paused=False)


def _refused(refusal: Refusal) -> FirstAnswer:
    return FirstAnswer(state=ApplyState.REFUSED.value, rule=refusal.rule, facts=dict(refusal.facts))
