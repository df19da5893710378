"""Counting charges where the money is: at the provider, by our reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from activities.asking import Asking
from activities.providers import Providers
from connectors.errors import ConnectorError
from connectors.payments.ports import (
    TERMINAL_WITHOUT_MONEY,
    ChargeStatus,
    PaymentProvider,
    ProviderCharge,
)
from domain.ids import attempt_of
from launch.checking.tally import PAGE, Advance, Tally, listed, nobody_watches, of_each
from store import far_checks
from store.checks import Finding
from store.database import Database
from store.far_checks import Sent

_MONEY: Final = frozenset({ChargeStatus.CAPTURED, ChargeStatus.SETTLED, ChargeStatus.RETURNED, ChargeStatus.DISPUTED})
_NO_MONEY: Final = TERMINAL_WITHOUT_MONEY | {ChargeStatus.NEEDS_CUSTOMER}


async def charged_once(
    database: Database, connected: Mapping[str, PaymentProvider], *, most: int = 5, advance: Advance = nobody_watches
) -> Finding:
    """Each captured payment has one charge of its amount at its provider, each that ended without money has none."""
    asking = Asking(database, Providers(connected))
    tally = Tally(
        name="charged_once",
        says="The provider has one charge of the amount of each captured payment, and none where no money was taken.",
        most=most,
    )

    async def ask(payment: Sent) -> None:
        wrong = _wrong(payment, await _charges(asking, payment))
        if wrong is not None:
            tally.blame(payment.id, wrong)

    after = ""
    try:
        while True:
            async with database.begin("check.sent") as tx:
                page = await far_checks.sent(tx, after=after, limit=PAGE)
            await of_each(page, ask)
            tally.looked_at += len(page)
            advance(len(page))
            if len(page) < PAGE:
                return tally.finding()
            after = page[-1].id
    except ConnectorError as error:
        return tally.finding(problem=str(error))


async def _charges(asking: Asking, payment: Sent) -> Sequence[ProviderCharge]:
    """Everything that the provider shows for all attempts."""
    found: list[ProviderCharge] = []
    for attempt in range(1, payment.attempts + 1):
        found += await asking.charges_of(payment.connection_id, attempt_of(payment.id, attempt))
    return found


def _wrong(payment: Sent, charges: Sequence[ProviderCharge]) -> str | None:
    moving = [charge for charge in charges if charge.status not in _NO_MONEY]
    shown = listed(f"{charge.provider_id} ({charge.status.value}, {charge.amount.plain()})" for charge in moving)
    if not payment.took:
        return f"ended without money here; the provider shows {shown}" if moving else None
    if len(moving) != 1 or moving[0].status not in _MONEY or moving[0].amount != payment.amount:
        return f"one charge of {payment.amount.plain()} expected; the provider shows {shown}"
    return None
