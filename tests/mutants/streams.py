"""Guards of reading an ERP: what a kill costs, what a failure keeps from nobody, what is written, what a sum finds."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

SYNCING: Final = "activities/syncing.py"
TOTALS: Final = "activities/totals.py"
SNAPSHOTS: Final = "store/snapshots.py"
READ: Final = "tests/launch/test_streams.py"
AGAIN: Final = "tests/store/test_reading_again.py"
SUMS: Final = "tests/launch/test_control_totals.py"

STREAMS: Final = (
    one(
        "streams_one_failure_ends_all",
        SYNCING,
        "if await self._is_away(error):\n                        break",
        "if error:\n                        break",
        f"{READ}::test_a_stream_that_fails_keeps_no_other_from_being_read",
        "a stream that fails keeps the ones after it from being read",
    ),
    one(
        "streams_a_failing_page_loses_the_batch",
        SYNCING,
        "if asked == 1:\n                    raise",
        "raise",
        f"{READ}::test_what_was_read_of_a_first_load_before_it_failed_is_kept",
        "what was read before a page failed is thrown away, and an ERP that often fails is never loaded",
    ),
    one(
        "streams_our_money_is_not_judged_again",
        SNAPSHOTS,
        "OR {_OURS}",
        "",
        f"{AGAIN}::test_an_invoice_with_money_of_ours_is_written_with_each_read",
        "an invoice from which somebody deleted our payment stays paid, since the ERP shows what it showed before",
    ),
    one(
        "streams_everything_is_written",
        SNAPSHOTS,
        "WHERE o.id IS NULL OR {_NEWS} ORDER BY r.erp_id",
        "ORDER BY r.erp_id",
        f"{AGAIN}::test_rows_without_news_are_neither_written_nor_locked",
        "a read without news rewrites every row",
    ),
    one(
        "totals_never_told_rows_stay_away",
        TOTALS,
        "if new:",
        "if not found:",
        f"{SUMS}::test_an_invoice_that_was_never_told_is_a_difference_until_everything_was_read_again",
        "an invoice that a cursor missed is never read",
    ),
    one(
        "streams_hiccup_is_an_outage",
        "store/views/erps_away.py",
        "s.failures >= {AWAY_AFTER}",
        "s.failures > 0",
        "tests/api/test_staff_reading.py::"
        "test_above_every_page_stands_which_erp_cannot_be_read_since_when_and_how_much_waits_for_it",
        "each lost answer is called an outage above every page",
    ),
    one(
        "streams_off_is_not_away",
        "store/views/erps_away.py",
        "c.role = 'erp' AND c.enabled",
        "c.role = 'erp'",
        "tests/api/test_staff_reading.py::"
        "test_above_every_page_stands_which_erp_cannot_be_read_since_when_and_how_much_waits_for_it",
        "an ERP that was switched off is missed for ever",
    ),
)
