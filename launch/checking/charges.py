"""Counting charges where the money is: at the provider, by our reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activities.asking import Asking
from activities.providers import Providers
from activities.reconciling import judged_charges
from activities.several import of_each
from connectors.errors import ConnectorError
from connectors.payments.ports import (
    PaymentProvider,
    ProviderCharge,
)
from launch.checking.tally import PAGE, Advance, Tally, nobody_watches
from store import far_checks
from store.checks import Finding
from store.database import Database
from store.far_checks import Sent


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
        wrong = _wrong(payment, await asking.every_charge_of(payment.connection_id, payment.id, payment.attempts))
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


def _wrong(payment: Sent, charges: Sequence[ProviderCharge]) -> str | None:
    judged = judged_charges(payment, charges)
    if judged is None:
        return None
    shown = judged.facts.get("shown") or "nothing"
    if not payment.took:
        return f"ended without money here; the provider shows {shown}"
    return f"one charge of {payment.amount.plain()} expected; the provider shows {shown}"
