"""Guards of payouts: their sums, whose each part is, what is not paid out, and their deposits."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

PAID_OUT: Final = "tests/activities/test_payouts.py"
DEPOSITED: Final = "tests/activities/test_deposits.py"

PAYOUTS: Final = (
    one(
        "payout_sums_up",
        "domain/payouts.py",
        "if left.minor or any(",
        "if any(",
        f"{PAID_OUT}::test_a_payout_is_waited_for_until_its_parts_sum_up_to_it",
        "a payout whose parts are not all told is taken for whole",
    ),
    one(
        "payout_part_once",
        "domain/payouts.py",
        "if part.kind is PayoutPart.CHARGE and ours.copies > 1:",
        "if part.kind is PayoutPart.CHARGE and ours.copies > 9:",
        f"{PAID_OUT}::test_parts_that_are_not_ours_twice_or_of_another_amount_are_told_by_class",
        "a payment that is paid out twice is never found",
    ),
    one(
        "payout_of_nobody",
        "domain/payouts.py",
        "strangers = [each for each in parts if each.kind in OF_PAYMENTS and each.ours is None]",
        "strangers = [each for each in parts if each.kind not in OF_PAYMENTS and each.ours is not None]",
        f"{PAID_OUT}::test_parts_that_are_not_ours_twice_or_of_another_amount_are_told_by_class",
        "money that is none of ours passes for ours",
    ),
    one(
        "looked_for_until_paid_out",
        "store/payouts.py",
        "WHERE p.connection_id = :connection AND p.captured > 0\n             AND (p.id IN (",
        "WHERE p.connection_id = :connection AND p.captured > 0\n             AND (false AND p.id IN (",
        f"{PAID_OUT}::test_a_payment_that_is_not_paid_out_within_the_term_is_told_until_it_is",
        "a payment that is paid out late stays a difference for ever",
    ),
    one(
        "deposit_once",
        "domain/payouts.py",
        "if gap.minor or len(alike) != len(shown):",
        "if gap.minor < 0 or len(alike) != len(shown):",
        f"{DEPOSITED}::test_payouts_and_deposits_agree_one_by_one_from_the_first_that_was_entered",
        "a deposit that was entered twice is never found",
    ),
    one(
        "deposit_elsewhere",
        "store/payouts.py",
        "WHERE (p.deposit_erp IS NULL OR p.deposit_erp = :erp) AND p.amount <> 0",
        "WHERE p.amount <> 0",
        f"{DEPOSITED}::test_a_payout_that_another_erp_shows_is_missed_by_nobody",
        "an ERP is asked for the deposits of another",
    ),
)
