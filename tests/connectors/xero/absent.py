"""Traps that Xero has not, and why."""

from typing import Final

from tests.connectors.traps import Trap

ABSENT: Final = {
    Trap.STALE_VERSION: "its writes carry no version, and Duly changes nothing that people edit",
    Trap.NEGATIVE_AMOUNTS: "amounts are never negative: what a document is, its type says",
    Trap.ONE_INVOICE_A_LINE: "one call allocates to any number of invoices, all of them or none",
    Trap.NOT_BOOKED: "what is authorised is in the ledger; only drafts are not, and Duly's drafts are over nothing",
}
