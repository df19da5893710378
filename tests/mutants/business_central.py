"""Guards at Business Central's edge: a lost answer, a line twice, what a person changed, a part that leaves no time."""

from __future__ import annotations

from typing import Final

from tests.mutants.calls import CALLS, SILENT
from tests.mutants.mutant import one

ROOM: Final = "connectors/erp/business_central"
TRAPS: Final = "tests/connectors/business_central/test_business_central_traps.py"
LOST: Final = f"{TRAPS}::test_whichever_answer_is_lost_the_payment_is_booked_once"

BUSINESS_CENTRAL: Final = (
    one(
        "business_central_unread_answer",
        CALLS,
        SILENT,
        SILENT.replace("OutcomeUnknown", "Unavailable"),
        LOST,
        "a write whose answer was lost counts as nothing",
    ),
    one(
        "business_central_sign",
        f"{ROOM}/posting.py",
        '"amount": -said.amount,',
        '"amount": said.amount,',
        f"{TRAPS}::test_a_payment_makes_the_customer_owe_less",
        "who paid owes more",
    ),
    one(
        "business_central_as_made",
        f"{ROOM}/posting.py",
        'return Said.read(line["description"]) == said and amount == -said.amount',
        'return Said.read(line["description"]) == said',
        f"{TRAPS}::test_a_line_that_a_person_changed_is_not_posted",
        "what a person made of our line is posted",
    ),
    one(
        "business_central_once_back",
        f"{ROOM}/connector.py",
        "if document.amount > left:",
        "if False:",
        f"{TRAPS}::test_what_cannot_be_unapplied_is_taken_back_by_the_opposite_line_and_told_to_a_person",
        "a payment is taken back twice",
    ),
    one(
        "business_central_open_ones",
        f"{ROOM}/cursors.py",
        'else (_OPEN, "", "")',
        'else (_ENDED, "", "")',
        "tests/connectors/business_central/test_business_central_reading_traps.py"
        "::test_a_part_that_leaves_no_time_on_the_invoice_is_told",
        "a part payment of others is not seen",
    ),
)
