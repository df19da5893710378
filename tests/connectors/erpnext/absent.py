"""Which traps ERPNext has not, and why."""

from typing import Final

from tests.connectors.traps import Trap

ABSENT: Final = {
    Trap.SEARCH_LAG: "a list is read from the tables that were written, in the same database; there is no index beside it.",
    Trap.REPLAYED_KEY: "Frappe takes no idempotency key; our reference is looked up instead.",
    Trap.UPSERT_OVERWRITES: "a POST always makes a new record under a new name, and only our own drafts are changed.",
    Trap.NESTED_CREDITS: "a credit note is an invoice of its own; what it settles is read from the Payment Ledger.",
    Trap.NEGATIVE_AMOUNTS: "a payment's direction is its payment_type, and its amounts are above zero.",
    Trap.ONE_INVOICE_A_LINE: "a Payment Entry has a table of references, one row for each invoice.",
    Trap.PARALLEL_RENEWAL: "an API key and its secret are not renewed.",
}
