"""Counting refunds where the money is: at the provider, by our reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from activities.asking import Asking
from activities.providers import Providers
from activities.several import of_each
from connectors.errors import ConnectorError
from connectors.payments.ports import PaymentProvider, ProviderRefund, RefundStatus
from launch.checking.tally import PAGE, Advance, Tally, listed, nobody_watches
from store import far_checks
from store.checks import Finding
from store.database import Database
from store.far_checks import SentRefund


async def refunded_once(
    database: Database, connected: Mapping[str, PaymentProvider], *, most: int = 5, advance: Advance = nobody_watches
) -> Finding:
    """Each refund that ended well is one there, each that failed none; together they never exceed what was captured."""
    asking = Asking(database, Providers(connected))
    tally = Tally(
        name="refunded_once",
        says="The provider has one refund of the amount of each of ours, none of one that failed, never above the capture.",
        most=most,
    )
    gone: dict[str, int] = defaultdict(int)

    async def ask(refund: SentRefund) -> None:
        shown = await asking.refunds_of(refund.connection_id, refund.id)
        moving = [each for each in shown if each.status is not RefundStatus.FAILED]
        gone[refund.payment_id] += sum(each.amount.minor for each in moving)
        wrong = _wrong(refund, moving)
        if wrong is None and gone[refund.payment_id] > refund.captured:
            wrong = f"the provider gave back {gone[refund.payment_id]} of {refund.captured} of {refund.payment_id}"
        if wrong is not None:
            tally.blame(refund.id, wrong)

    after = ""
    try:
        while True:
            async with database.begin("check.sent_refunds") as tx:
                page = await far_checks.sent_refunds(tx, after=after, limit=PAGE)
            await of_each(page, ask)
            tally.looked_at += len(page)
            advance(len(page))
            if len(page) < PAGE:
                return tally.finding()
            after = page[-1].id
    except ConnectorError as error:
        return tally.finding(problem=str(error))


def _wrong(refund: SentRefund, moving: Sequence[ProviderRefund]) -> str | None:
    shown = listed(f"{each.provider_id} ({each.status.value}, {each.amount.plain()})" for each in moving)
    if not refund.went:
        return f"failed here; the provider shows {shown}" if moving else None
    if len(moving) != 1 or moving[0].status is not RefundStatus.SUCCEEDED or moving[0].amount != refund.amount:
        return f"one refund of {refund.amount.plain()} expected; the provider shows {shown}"
    return None
