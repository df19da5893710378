"""Writing to the ERP: a round of postings, several at once, each claimed just before it is sent; then one read-back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from activities.erps import erp_of
from activities.heartbeats import beating
from activities.pokes import Pokes
from connectors.erp.ports import (
    ApplicationDocument,
    CreditApplicationDocument,
    LedgerErp,
    PaymentDocument,
    PaymentLine,
    PostedDocument,
    PostsRefunds,
    RefundDocument,
    RefundReversalDocument,
    ReversalDocument,
    ReversesSurplus,
    SurplusDocument,
)
from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.telemetry.following import followed
from domain.lifecycles import PostingState
from domain.money import Money
from store import erp_credits, faults, postings, snapshots
from store.database import Database
from store.postings import Posting

WINDOW: Final = timedelta(seconds=5)
"""A posting leaves this soon after its claim, or is given back."""
LOOKS_BEFORE_RESEND: Final = 3
LOOK_EVERY: Final = (
    timedelta(seconds=2),
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round did: `down` when the ERP could not be reached; `next_look_at` when something waits for a time."""

    confirmed: int
    waiting: int
    down: bool
    next_look_at: datetime | None = None


class Postings:
    """The activities of one ERP connection. `erps` are the connectors by connection, which may be built anew meanwhile."""

    def __init__(
        self,
        database: Database,
        erps: Mapping[str, LedgerErp],
        clock: Callable[[], datetime],
        *,
        connection_id: str,
        pokes: Pokes | None = None,
        width: int = 8,
        batch: int = 50,
    ) -> None:
        self._database = database
        self._erps = erps
        self._clock = clock
        self._pokes = pokes
        self._connection_id = connection_id
        self._width = width
        self._batch = batch

    @activity.defn
    async def post_round(self, probe: bool) -> Round:
        """Post what is ready. With `probe` one cheap read first: while the ERP is down nothing else is tried."""
        async with beating():
            if probe and not await self._answers():
                return await self._summary(confirmed=0, down=True)
            async with self._database.begin("post_round.fence") as tx:
                fence = await postings.fence(tx, self._connection_id)
                ready = await postings.ready(tx, self._connection_id, limit=self._batch, at=self._clock())
            down = asyncio.Event()
            gate = asyncio.Semaphore(self._width)
            done = await asyncio.gather(*(self._one(each, fence, gate, down) for each in ready))
            if not down.is_set():
                await self._read_back(down)
            return await self._summary(confirmed=sum(done), down=down.is_set())

    @property
    def _erp(self) -> LedgerErp:
        return erp_of(self._erps, self._connection_id)

    async def _answers(self) -> bool:
        try:
            await self._erp.ping()
        except ConnectorError:
            return False
        return True

    async def _summary(self, *, confirmed: int, down: bool) -> Round:
        async with self._database.begin("post_round.summary") as tx:
            waiting = await postings.waiting(tx, self._connection_id)
            next_look = await postings.next_look_at(tx, self._connection_id)
        return Round(confirmed=confirmed, waiting=waiting, down=down, next_look_at=next_look)

    async def _one(self, posting_id: str, fence: int, gate: asyncio.Semaphore, down: asyncio.Event) -> bool:
        async with gate:
            if down.is_set():
                return False
            with faults.in_hand(posting_id):
                return await self._bring(posting_id, fence, down)

    async def _bring(self, posting_id: str, fence: int, down: asyncio.Event) -> bool:
        async with self._database.begin("post.load") as tx:
            posting = await postings.load(tx, posting_id)
        with followed(posting.trace, "post to the ERP"):
            if posting.state is PostingState.QUEUED:
                return await self._post(posting, fence, down)
            return await self._look_up(posting, fence, down)

    async def _post(self, posting: Posting, fence: int, down: asyncio.Event) -> bool:
        """Claim, send, record. What was never claimed was never sent, so it is posted without a look-up."""
        claimed_at = self._clock()
        async with self._database.begin("post.claim") as tx:
            if not await postings.claim(tx, posting.id, connection_id=self._connection_id, fence=fence, at=claimed_at):
                return False
        await faults.reach("post.before_send")
        if self._clock() - claimed_at > WINDOW:
            await self._aside(posting, fence, PostingState.QUEUED, "the worker stood still", looked=False)
            return False
        try:
            document = await self._send(posting)
        except (Unavailable, Throttled, Misconfigured) as error:
            # A wrong key is nobody's refusal of this document: everything waits until it is right.
            down.set()
            await self._aside(posting, fence, PostingState.QUEUED, str(error), looked=False)
            return False
        except OutcomeUnknown as error:
            await self._aside(posting, fence, PostingState.UNKNOWN, str(error), looked=False)
            return False
        except Rejected as error:
            async with self._database.begin("post.refuse") as tx:
                await postings.refuse(
                    tx, posting.id, fence=fence, code=error.code, sentence=error.sentence, at=self._clock()
                )
            self._told(posting)
            return False
        await faults.reach("post.after_answer")
        return await self._confirm(posting, fence, document)

    async def _confirm(self, posting: Posting, fence: int, document: PostedDocument) -> bool:
        async with self._database.begin("post.confirm") as tx:
            is_ours = await postings.confirm(
                tx, posting.id, fence=fence, erp_id=document.erp_id, erp_number=document.number, at=self._clock()
            )
        self._told(posting)
        return is_ours

    def _told(self, posting: Posting) -> None:
        """Whoever waits for what the ERP says of this posting looks at its rows."""
        if posting.request_id is not None and self._pokes is not None:
            self._pokes.request(posting.request_id)
            self._pokes.mailer()

    async def _aside(self, posting: Posting, fence: int, state: PostingState, error: str, *, looked: bool) -> None:
        look_at = None
        if state is PostingState.UNKNOWN:
            looks = posting.looks + (1 if looked else 0)
            look_at = self._clock() + LOOK_EVERY[min(looks, len(LOOK_EVERY) - 1)]
        async with self._database.begin("post.aside") as tx:
            await postings.set_aside(tx, posting.id, fence=fence, state=state, look_at=look_at, error=error, looked=looked)

    async def _look_up(self, posting: Posting, fence: int, down: asyncio.Event) -> bool:
        """Sent by somebody else, or unknown: ask by reference; resend only after its quiet time."""
        async with self._database.begin("post.take_over") as tx:
            if not await postings.take_over(tx, posting.id, connection_id=self._connection_id, fence=fence):
                return False
        try:
            found = await self._erp.find_document(posting.id)
        except ConnectorError as error:
            if not isinstance(error, Rejected):
                down.set()
            await self._aside(posting, fence, PostingState.UNKNOWN, str(error), looked=False)
            return False
        if found and found[0].is_finished:
            return await self._confirm(posting, fence, found[0])
        # What was begun there is waited for like what is not there: the request that makes it may still be at work.
        quiet = WINDOW + timedelta(seconds=self._erp.request_life_seconds)
        rested = posting.sent_at is not None and self._clock() > posting.sent_at + quiet
        again = posting.looks + 1 >= LOOKS_BEFORE_RESEND and rested
        state = PostingState.QUEUED if again else PostingState.UNKNOWN
        await self._aside(posting, fence, state, "the ERP does not show it whole", looked=True)
        return False

    async def _send(self, posting: Posting) -> PostedDocument:
        lines = tuple(
            PaymentLine(invoice_erp_id=line.invoice_id, amount=Money.of(abs(line.minor), posting.currency))
            for line in posting.lines
        )
        amount = Money.of(posting.amount, posting.currency)
        memo = f"Duly {posting.request_id or posting.payment_id}"
        if posting.kind == "payment":
            return await self._erp.post_payment(
                PaymentDocument(
                    reference=posting.id,
                    customer_erp_id=posting.customer_erp_id,
                    amount=amount,
                    received_on=posting.on,
                    lines=lines,
                    memo=memo,
                    method_label=posting.method_label,
                )
            )
        if posting.kind == "reversal":
            return await self._erp.post_reversal(
                ReversalDocument(
                    reference=posting.id,
                    payment_reference=posting.payment_posting_id,
                    customer_erp_id=posting.customer_erp_id,
                    amount=amount,
                    reversed_on=posting.on,
                    lines=lines,
                    memo=memo,
                )
            )
        if posting.kind == "surplus":
            return await self._take_back_surplus(posting, amount, memo)
        if posting.kind in {"refund", "refund_reversal"}:
            if not isinstance(self._erp, PostsRefunds):
                raise Rejected("refunds_not_supported", "This ERP's connector cannot write refunds: book it there by hand.")
            if posting.kind == "refund":
                return await self._erp.post_refund(_refund(posting, lines, amount, memo))
            return await self._erp.post_refund_reversal(_refund_reversal(posting, lines, amount, memo))
        if posting.credit_erp_id is not None:
            return await self._erp.post_credit_application(_credit_application(posting, posting.credit_erp_id, memo))
        return await self._erp.post_application(_application(posting, memo))

    async def _take_back_surplus(self, posting: Posting, amount: Money, memo: str) -> PostedDocument:
        """Only while the payment stands there beside it: what a person did meanwhile is not done twice."""
        if not isinstance(self._erp, ReversesSurplus):
            raise Rejected("surplus_not_supported", "This ERP's connector cannot take back one of two: reverse it there.")
        reference, surplus = posting.payment_posting_id, posting.about_erp_id or ""
        found = await self._erp.find_document(reference)
        standing = {each.erp_id for each in found if each.stands and each.reference == reference}
        if surplus not in standing or len(standing) < 2:
            raise Rejected("not_there_twice", "The ERP has this payment once by now: nothing was taken back.")
        document = SurplusDocument(
            reference=posting.id,
            surplus_erp_id=surplus,
            payment_reference=reference,
            customer_erp_id=posting.customer_erp_id,
            amount=amount,
            reversed_on=posting.on,
            memo=memo,
        )
        return await self._erp.post_surplus_reversal(document)

    async def _read_back(self, down: asyncio.Event) -> None:
        """Every invoice and credit whose snapshot is older than a confirmation of ours; the set is derived, so no kill
        loses it.
        """
        async with self._database.begin("read_back.start") as tx:
            await postings.mark_read_back(tx, self._connection_id, at=self._clock())
            stale = await postings.unread(tx, self._connection_id, limit=500)
            used = await erp_credits.unread(tx, self._connection_id, limit=500)
            if not stale and not used:
                return
            read_seq = await snapshots.next_seq(tx)
        try:
            rows = await self._erp.invoices_by_id(stale) if stale else ()
            found = await self._erp.credits_by_id(used) if used else ()
        except ConnectorError:
            down.set()
            return
        async with self._database.begin("read_back.take") as tx:
            at = self._clock()
            await erp_credits.take(tx, found, read_seq, connection_id=self._connection_id, at=at)
            await snapshots.take(tx, rows, read_seq, connection_id=self._connection_id, at=at)
            await postings.mark_read_back(tx, self._connection_id, at=self._clock())


def _moved(posting: Posting) -> tuple[PaymentLine, ...]:
    """The amounts with their signs: an undo takes them off."""
    return tuple(
        PaymentLine(invoice_erp_id=line.invoice_id, amount=Money.of(line.minor, posting.currency)) for line in posting.lines
    )


def _application(posting: Posting, memo: str) -> ApplicationDocument:
    return ApplicationDocument(
        reference=posting.id,
        payment_reference=posting.payment_posting_id,
        customer_erp_id=posting.customer_erp_id,
        lines=_moved(posting),
        on=posting.on,
        memo=memo,
    )


def _credit_application(posting: Posting, credit_erp_id: str, memo: str) -> CreditApplicationDocument:
    return CreditApplicationDocument(
        reference=posting.id,
        credit_erp_id=credit_erp_id,
        customer_erp_id=posting.customer_erp_id,
        lines=_moved(posting),
        on=posting.on,
        memo=memo,
    )


def _refund(posting: Posting, lines: tuple[PaymentLine, ...], amount: Money, memo: str) -> RefundDocument:
    return RefundDocument(
        reference=posting.id,
        payment_reference=posting.payment_posting_id,
        customer_erp_id=posting.customer_erp_id,
        amount=amount,
        refunded_on=posting.on,
        lines=lines,
        memo=memo,
    )


def _refund_reversal(posting: Posting, lines: tuple[PaymentLine, ...], amount: Money, memo: str) -> RefundReversalDocument:
    return RefundReversalDocument(
        reference=posting.id,
        refund_reference=posting.refund_posting_id,
        payment_reference=posting.payment_posting_id,
        customer_erp_id=posting.customer_erp_id,
        amount=amount,
        reversed_on=posting.on,
        lines=lines,
        memo=memo,
    )
