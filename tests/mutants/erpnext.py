"""Guards at ERPNext's edge: a lost answer, a draft, money half moved, changes that leave no time."""

from __future__ import annotations

from typing import Final

from tests.mutants.calls import CALLS, SILENT
from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/erpnext"
TESTS: Final = "tests/connectors/erpnext"
LOST: Final = f"{TESTS}/test_erpnext_traps.py::test_whichever_answer_is_lost_the_payment_is_booked_once"
INTERRUPTED: Final = f"{TESTS}/test_erpnext_interrupted.py"

ERPNEXT: Final = (
    one(
        "erpnext_unread_answer",
        CALLS,
        SILENT,
        SILENT.replace("OutcomeUnknown", "Unavailable"),
        LOST,
        "a write whose answer was lost counts as nothing",
    ),
    one(
        "erpnext_looks_first",
        f"{ROOM}/posting.py",
        "for earlier in await self._finding.payments(reference):",
        "for earlier in ():",
        LOST,
        "a payment that is there is written a second time",
    ),
    one(
        "erpnext_draft_is_no_payment",
        f"{ROOM}/finding.py",
        'is_finished = row["docstatus"] != 0',
        "is_finished = True",
        LOST,
        "a draft counts as booked",
    ),
    one(
        "erpnext_draft_as_made",
        f"{ROOM}/posting.py",
        '{"docstatus": SUBMITTED, "modified": draft.modified}',
        '{"docstatus": SUBMITTED}',
        f"{TESTS}/test_erpnext_traps.py::test_a_draft_that_a_person_changed_is_not_booked",
        "what a person made of our draft is booked",
    ),
    one(
        "erpnext_takes_back",
        f"{ROOM}/posting.py",
        "await self._moving.reach(plan.payment, plan.currency, plan.before)",
        "pass",
        f"{INTERRUPTED}::test_what_is_refused_half_way_is_taken_back_to_where_it_was",
        "what was refused leaves an invoice open that was paid",
    ),
    one(
        "erpnext_ledger_changes_too",
        f"{ROOM}/reading.py",
        "self.invoices: Stream[ErpInvoice] = Stream(sources=[of_invoice, *changes], read=self._invoices, **given)",
        "self.invoices: Stream[ErpInvoice] = Stream(sources=[of_invoice], read=self._invoices, **given)",
        f"{TESTS}/test_erpnext_reading_traps.py::test_an_invoice_whose_own_copy_stays_behind_is_told_by_its_ledger",
        "a payment that does not touch its invoice is not seen",
    ),
    one(
        "a_template_that_is_gone",
        "connectors/erp/compared.py",
        "        if name not in found:",
        "        if False:",
        f"{TESTS}/test_erpnext_conformance.py::TestErpNext"
        "::test_a_template_is_told_and_told_again_when_it_ends_or_is_deleted",
        "a template that was deleted goes on being shown",
    ),
)
