"""Which traps Business Central's API has not, and why."""

from typing import Final

from tests.connectors.traps import Trap

ABSENT: Final = {
    Trap.REPLAYED_KEY: "the API takes no idempotency key; the numbers of journals and lines are what it takes once.",
    Trap.UPSERT_OVERWRITES: "a POST makes a new record or is refused; nothing is written by a PUT of our own name.",
    Trap.NESTED_CREDITS: "the standard API shows no allocations at all, inside an invoice or elsewhere.",
    Trap.WRONG_OUTSTANDING: "remainingAmount is computed from the customer ledger entries whenever it is read.",
    Trap.PARALLEL_RENEWAL: "client credentials have no refresh token: a second token does not end the first.",
}
