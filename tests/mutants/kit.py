"""The conformance kit's own guards: a test that is left out in silence protects nothing."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

DECLARED: Final = "connectors/conformance/payment_declared.py"
TESTS: Final = "tests/connectors/test_declarations.py"

KIT: Final = (
    one(
        "kit_unasked_claim",
        DECLARED,
        "        if not missing(test, harness):",
        "        if True:",
        f"{TESTS}::test_a_claim_that_no_test_uses_is_named",
        "a connector claims what nothing has tried",
    ),
    one(
        "kit_uncounted_lack",
        DECLARED,
        "sum(trait in each for each in wanted)",
        "harness.lacks[trait]",
        f"{TESTS}::test_every_trait_takes_tests_away_and_they_are_counted",
        "whatever number is declared is right, and tests go missing unseen",
    ),
    one(
        "kit_older_port",
        DECLARED,
        "except (AttributeError, TypeError) as unfit:",
        "except AttributeError as unfit:",
        f"{TESTS}::test_a_method_that_does_not_take_what_duly_passes_is_named",
        "a connector written against older ports fails when money is asked for, not when it is tried",
    ),
)
