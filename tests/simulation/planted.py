"""Planted faults: each swaps one rule of the house for a broken one, and the simulation has to find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connectors.erp.ports import PostedDocument
from connectors.payments.ports import ChargeOrder, PageOrder, ProviderCharge
from tests.simulation.ledger import FarErp
from tests.simulation.listener import FarListener
from tests.simulation.processes import Habits
from tests.simulation.provider import FarProvider
from tests.simulation.town import Rules


class KeyOfEachTry(FarProvider):
    """As if each request were sent under a key of its own instead of the payment's."""

    tries = 0

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        self.tries += 1
        return await super().charge(order, key=f"{key}/{self.tries}")

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        self.tries += 1
        return await super().open_payment_page(order, key=f"{key}/{self.tries}")


class NothingIsFound(FarErp):
    """As if a posting without an answer were sent again without a look for its document."""

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        found = await super().find_document(reference)
        return () if self.stage.is_played else found


class SilenceIsANo(FarListener):
    """As if a far side that cannot be searched were believed when it shows nothing: nobody asks what its events told."""

    @property
    def keeps_answers_for(self) -> timedelta:
        raise AttributeError("not one that learns from events")


class BelievedAtOnce(FarProvider):
    """As if 'we know of no such charge' were believed while the request may still be on its way."""

    @property
    def search_lag_seconds(self) -> int:
        return -60


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Broken rules, a word of the promise that they break, and the seed from which on that is soon seen."""

    rules: Rules
    breaks: str
    first_seed: int


PLANTED: Final[Mapping[str, Planted]] = {
    "a key of each try": Planted(rules=Rules(provider=KeyOfEachTry), breaks="charge", first_seed=12),
    "no look before a document is sent again": Planted(rules=Rules(erp=NothingIsFound), breaks="written", first_seed=4),
    "nothing found is believed at once": Planted(rules=Rules(provider=BelievedAtOnce), breaks="is failed", first_seed=27),
    "silence is a no": Planted(rules=Rules(provider=SilenceIsANo), breaks="is failed", first_seed=1),
    "a decline on a page ends the payment": Planted(
        rules=Rules(habits=Habits(a_decline_on_a_page_ends=True)), breaks="is declined", first_seed=9
    ),
    "an unanswered cancel ends the payment": Planted(
        rules=Rules(habits=Habits(an_unanswered_cancel_ends=True)), breaks="is failed", first_seed=95
    ),
}
