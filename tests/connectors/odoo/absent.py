"""Traps that Odoo has not, and why."""

from typing import Final

from tests.connectors.traps import Trap

ABSENT: Final = {
    Trap.SEARCH_LAG: "a search reads the same PostgreSQL that the write was committed to before it was answered",
    Trap.STALE_VERSION: "no call names a version, and Duly changes no document of a person",
    Trap.REPLAYED_KEY: "there are no idempotency keys",
    Trap.UPSERT_OVERWRITES: "`create` always makes something new, and Duly writes over nothing",
    Trap.CUT_LIST: "`search_read` without a limit answers every row, and links to many are whole",
    Trap.NESTED_CREDITS: "what a credit note is on is read from what settles its own lines, never from inside an invoice",
    Trap.REPEATED_ALLOCATIONS: "assigning puts what both lines have left on an invoice: the second time that is nothing",
    Trap.NEGATIVE_AMOUNTS: "a payment says inbound or outbound, and a negative amount is refused",
    Trap.PARALLEL_RENEWAL: "an API key is not renewed",
}
