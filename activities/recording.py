"""Recording what a provider told about a payment. Every way in (return, webhook, poll, late event) ends here, so every
order of them has one end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.payments.ports import ChargeStatus, ProviderCharge
from connectors.telemetry.following import current_trace
from domain import ids
from domain.lifecycles import IN_FLIGHT, WITHOUT_MONEY, PaymentState
from domain.money import Money
from store import differences, inbox, methods, outbox, payments, postings, returns
from store.database import Database, Transaction
from store.identity import fresh_id
from store.payments import Outcome, PaymentRow

_HOLDS: dict[ChargeStatus, PaymentState] = {
    ChargeStatus.PENDING: PaymentState.PROCESSING,
    ChargeStatus.PROCESSING: PaymentState.PROCESSING,
    ChargeStatus.NEEDS_CUSTOMER: PaymentState.AWAITING_CUSTOMER,
}
_ENDS: dict[ChargeStatus, PaymentState] = {
    ChargeStatus.DECLINED: PaymentState.DECLINED,
    ChargeStatus.CANCELED: PaymentState.CANCELED,
    ChargeStatus.EXPIRED: PaymentState.EXPIRED,
}
_MONEY = frozenset({ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.RETURNED, ChargeStatus.DISPUTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """A payment's state after recording. `changed` says whether this telling was news; `stale`, that it is older than what
    is known, which it contradicts: it was not recorded, and the provider is to be asked again.
    """

    state: PaymentState
    ended: bool
    changed: bool
    stale: bool = False
    redirect_url: str | None = None
    deadline_at: datetime | None = None


PAGE_LIFE = timedelta(minutes=30)
"""How long a customer is waited for where the provider names no end."""


def _deadline(charge: ProviderCharge, before: PaymentRow, at: datetime) -> datetime | None:
    if charge.status is not ChargeStatus.NEEDS_CUSTOMER:
        return None
    return charge.action_expires_at or before.deadline_at or at + PAGE_LIFE


def _whole_again(before: PaymentRow, charge: ProviderCharge) -> bool:
    """The provider shows money as ours that its bank had taken back or asked for."""
    gone = {PaymentState.DISPUTED, PaymentState.RETURNED}
    return before.state in gone and charge.status in {ChargeStatus.CAPTURED, ChargeStatus.SETTLED}


def _is_outdated(before: PaymentRow, charge: ProviderCharge, asked_at: datetime | None) -> bool:
    """It was asked for before a bank's word was recorded that it contradicts: two looks overtook each other."""
    return _whole_again(before, charge) and asked_at is not None and asked_at <= before.changed_at


class Recording:
    """Writes outcomes; `erp` is the connection that postings go to."""

    def __init__(self, database: Database, clock: Callable[[], datetime], *, erp: str) -> None:
        self._database = database
        self._clock = clock
        self._erp = erp

    async def record(
        self,
        payment_id: str,
        why: str,
        charge: ProviderCharge | None,
        note: str | None,
        *,
        asked_at: datetime | None = None,
    ) -> Now:
        """One transaction. `why` is 'told' with a charge, or 'unknown', 'no_news', 'nothing', 'no' without. Events that
        came before `asked_at` are done with.
        """
        at = self._clock()
        async with self._database.begin("record_outcome") as tx:
            before = await payments.load(tx, payment_id, lock=True)
            if before is None:
                raise LookupError(payment_id)
            is_stale = charge is not None and _is_outdated(before, charge, asked_at)
            if charge is None:
                await self._without_charge(tx, before, why, note, at=at)
            elif charge.amount != before.amount and charge.status in _MONEY:
                # Another amount than we asked for is nothing to guess about: a person looks.
                await payments.move(tx, payment_id, Outcome(state=PaymentState.UNKNOWN), at=at)
                await payments.checked(tx, payment_id, at=at, next_at=None, note="the provider shows another amount")
                await differences.open_of_process(
                    tx, before.id, before.customer_id, kind="another_amount", amount=charge.amount - before.amount, at=at
                )
            elif not is_stale:
                await self._with_charge(tx, before, charge, asked_at=asked_at, at=at)
                if (trace := current_trace()) is not None:
                    await postings.keep_trace(tx, payment_id, trace)
            after = await payments.standing(tx, payment_id)
            assert after is not None
            if asked_at is not None and not is_stale:
                await inbox.heard(
                    tx,
                    [ids.attempt_of(payment_id, each) for each in range(1, before.attempt + 1)],
                    connection_id=before.connection_id,
                    provider_id=before.provider_ref if charge is None else charge.provider_id,
                    asked_at=asked_at,
                    is_news=after.state is not before.state,
                    at=at,
                )
        return Now(
            state=after.state,
            ended=after.state not in IN_FLIGHT,
            changed=after.state is not before.state,
            stale=is_stale,
            redirect_url=after.action_url,
            deadline_at=after.deadline_at,
        )

    async def _without_charge(
        self, tx: Transaction, before: PaymentRow, why: str, note: str | None, *, at: datetime
    ) -> None:
        if why == "unknown":
            await payments.move(tx, before.id, Outcome(state=PaymentState.UNKNOWN), at=at)
            await payments.checked(tx, before.id, at=at, next_at=None, note=note)
            return
        if why == "no_news":
            await payments.checked(tx, before.id, at=at, next_at=None, note=None)
            return
        # Nothing was ever sent, the provider knows nothing after its quiet time, or it refused: no money moved.
        code = "not_sent" if why == "nothing" else "provider_refused"
        outcome = Outcome(state=PaymentState.FAILED, failure_code=code)
        if await payments.end_without_money(tx, before.id, outcome, erp=self._erp, at=at):
            await self._mail_failure(tx, before, code, at=at)

    async def _with_charge(
        self, tx: Transaction, before: PaymentRow, charge: ProviderCharge, *, asked_at: datetime | None, at: datetime
    ) -> None:
        label = methods.label_of(charge.masked) if charge.masked is not None else None
        if charge.payer_ref is not None:
            await methods.remember_payer(tx, before.customer_id, before.connection_id, charge.payer_ref)
        if charge.status in _HOLDS:
            outcome = Outcome(
                state=_HOLDS[charge.status],
                provider_ref=charge.provider_id,
                action_url=charge.action_url,
                failure_code=charge.failure_code,
                expected_on=charge.expected_on,
                method_label=label,
                deadline_at=_deadline(charge, before, at),
            )
            if before.state is not outcome.state:
                await payments.move(tx, before.id, outcome, at=at)
            else:
                await payments.checked(tx, before.id, at=at, next_at=None, note=None)
        elif charge.status in _ENDS:
            outcome = Outcome(state=_ENDS[charge.status], provider_ref=charge.provider_id, failure_code=charge.failure_code)
            if await payments.end_without_money(tx, before.id, outcome, erp=self._erp, at=at):
                await self._mail_failure(tx, before, charge.failure_code or charge.status.value, at=at)
        else:
            if _whole_again(before, charge):
                await self._came_back(tx, before, asked_at=asked_at, at=at)
            else:
                await self._money(tx, before, charge, label, at=at)

    async def _came_back(self, tx: Transaction, before: PaymentRow, *, asked_at: datetime | None, at: datetime) -> None:
        """What the bank had taken or asked for is ours again. Only an answer that was asked for since then says so: the
        answer to the charge itself may come in late, too.
        """
        if asked_at is None:
            return
        if before.state is PaymentState.DISPUTED:
            await payments.win_dispute(tx, before.id, at=at)
            return
        # Its invoices are open again and may have been paid in another way: a person decides what this money is for.
        returned = Money.of(await returns.returned(tx, before.id), before.amount.currency)
        if returned.minor > 0:
            await differences.open_of_process(
                tx, before.id, before.customer_id, kind="return_undone", amount=returned, at=at
            )

    async def _money(
        self, tx: Transaction, before: PaymentRow, charge: ProviderCharge, label: str | None, *, at: datetime
    ) -> None:
        """Captured, and perhaps settled or returned since: each step is booked, in order, once."""
        outcome = Outcome(state=PaymentState.CAPTURED, provider_ref=charge.provider_id, method_label=label)
        if before.state in IN_FLIGHT:
            await payments.capture(tx, before.id, outcome, erp=self._erp, mail_id=fresh_id("mal"), at=at)
        elif before.state in WITHOUT_MONEY:
            await payments.capture_late(tx, before.id, outcome, erp=self._erp, mail_id=fresh_id("mal"), at=at)
        if charge.saved_method is not None and before.save_consent:
            await methods.keep(
                tx,
                charge.saved_method,
                customer_id=before.customer_id,
                connection_id=before.connection_id,
                state="active",
                by=before.id,
                at=at,
            )
        if charge.status is ChargeStatus.SETTLED:
            await payments.settle(tx, before.id, at=at)
        elif charge.status is ChargeStatus.RETURNED:
            await returns.take_back(tx, before.id, code=charge.return_code, erp=self._erp, at=at)
        elif charge.status is ChargeStatus.DISPUTED:
            await payments.dispute(tx, before.id, at=at)

    async def _mail_failure(self, tx: Transaction, before: PaymentRow, code: str, *, at: datetime) -> None:
        """A customer who left the page is told; one who looks at a decline reads it there, and has it in writing too."""
        row = await tx.row("SELECT email FROM customers WHERE id = :id", id=before.customer_id)
        if row is None or not row.email or before.state is PaymentState.AWAITING_CUSTOMER:
            return
        await outbox.queue(
            tx,
            template="payment_failed",
            to_address=row.email,
            at=at,
            process_id=before.id,
            customer_id=before.customer_id,
            facts={"code": code},
        )

    async def note_check(self, payment_id: str, *, next_at: datetime, tell_staff: bool) -> None:
        """C9: the last look, the next look, and who is told when it lasts."""
        at = self._clock()
        async with self._database.begin("note_check") as tx:
            await payments.checked(tx, payment_id, at=at, next_at=next_at, note=None)
            if not tell_staff:
                return
            people = await tx.rows("SELECT email FROM staff WHERE active AND role <> 'viewer'")
            row = await payments.load(tx, payment_id)
            for person in people:
                await outbox.queue(
                    tx,
                    template="unknown_outcome_staff",
                    to_address=person.email,
                    at=at,
                    process_id=payment_id,
                    customer_id=row.customer_id if row is not None else None,
                    once=at.date().isoformat(),
                )
