"""Traps that QuickBooks Online has not."""

from typing import Final

from tests.connectors.traps import Trap

ABSENT: Final = {
    Trap.UPSERT_OVERWRITES: "there is no write by a reference of ours: a change needs QuickBooks's own id and version.",
    Trap.NEGATIVE_AMOUNTS: "amounts of a payment and of its lines are positive; others are refused.",
    Trap.NOT_BOOKED: "a payment is in the ledger when it is saved: there are no drafts of it.",
}
