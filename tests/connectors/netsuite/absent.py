"""Traps that NetSuite has not."""

from typing import Final

from tests.connectors.traps import Trap

ABSENT: Final = {
    Trap.NEGATIVE_AMOUNTS: "amounts that are written are positive: a journal entry has a side for each.",
    Trap.ONE_INVOICE_A_LINE: "a line of a list is named by its document, and there is one line for each.",
    Trap.NESTED_CREDITS: "what settles an invoice is asked for by its links, which have amounts, those of credit memos too.",
    Trap.NOT_BOOKED: "a customer payment is in the ledger when it is saved.",
    Trap.PARALLEL_RENEWAL: "there is no refresh token: each process signs in by itself, as often as it wants.",
}
