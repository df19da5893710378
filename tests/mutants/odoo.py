"""Guards at Odoo's edge: a lost answer, a half document, a payment that is no money, changes that leave no time."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/odoo"
TRAPS: Final = "tests/connectors/odoo/test_odoo_traps.py"
KIT: Final = "tests/connectors/odoo/test_odoo_conformance.py::TestOdoo19"

ODOO: Final = (
    one(
        "odoo_page_is_no_answer",
        f"{ROOM}/client.py",
        'raise OutcomeUnknown(f"Odoo answered with {status} and nothing readable.")\n    if is_json2:',
        'raise Rejected("PAGE", "A page.")\n    if is_json2:',
        f"{TRAPS}::test_a_page_where_an_answer_should_be_says_nothing_about_the_write",
        "a write whose answer was a gateway's page counts as refused",
    ),
    one(
        "odoo_draft_is_gone_on_with",
        f"{ROOM}/posting.py",
        "if same and (each.entry is None) == bool(plan.cash.minor) and kept is None:",
        "if True:\n                continue\n            if same:",
        f"{TRAPS}::test_a_draft_that_was_left_is_gone_on_with_and_not_made_again",
        "a draft stays beside the document that is made anew",
    ),
    one(
        "odoo_looks_first",
        f"{ROOM}/posting.py",
        "if not each.is_draft:",
        "if False:",
        f"{TRAPS}::test_an_answer_that_is_lost_is_not_sent_again",
        "a posted document is written a second time",
    ),
    one(
        "odoo_asks_whether_it_is_there",
        f"{ROOM}/posting.py",
        "if not again.is_finished:",
        "if False:",
        f"{TRAPS}::test_what_is_open_is_what_the_ledger_says_and_an_assignment_that_did_nothing_is_noticed",
        "a payment that Odoo put on no invoice counts as written",
    ),
    one(
        "odoo_books_it",
        f"{ROOM}/posting.py",
        "if await self._documents.booked(ids) != set(ids):",
        "if False:",
        f"{TRAPS}::test_a_payment_that_was_accepted_and_made_no_entry_is_taken_back",
        "a payment without an entry counts as money",
    ),
    one(
        "odoo_settled_is_a_change",
        f"{ROOM}/reading.py",
        'ids |= {row["debit_move_id"][0], row["credit_move_id"][0]}',
        "pass",
        f"{TRAPS}::test_a_payment_that_leaves_the_invoices_time_alone_brings_it_back",
        "an invoice that was paid is read no more",
    ),
    one(
        "odoo_comes_off",
        f"{ROOM}/connector.py",
        "if amount > standing.onto.get(each, Money.zero(amount.currency)):",
        "if False:",
        f"{KIT}::test_several_refunds_never_take_off_more_than_the_payment_put_there",
        "a refund takes off an invoice what others paid there",
    ),
)
