"""Guards around what staff connect: sealed secrets, versions, and what may be offered."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

PAGES: Final = "api/staff/connecting/pages.py"
TWO_ERPS: Final = "tests/processes/test_two_erps.py"
TESTS: Final = "tests/api/test_staff_connections.py"
BY_BANK: Final = "tests/store/test_by_bank.py::test_an_account_a_country_and_a_currency_are_needed_when_it_is_opened"

CONNECTIONS: Final = (
    one(
        "secret_bound_to_owner",
        "store/managed.py",
        '    return f"{connection_id}/{name}"',
        '    return f"{connection_id[:0]}{name[:0]}"',
        f"{TESTS}::test_a_connection_whose_secrets_cannot_be_opened_does_not_start_and_says_why",
        "a secret can be moved to another connection, or to another name, and be opened there",
    ),
    one(
        "secret_ended",
        "store/managed.py",
        "           WHERE connection_id = :connection AND name = :name AND ended_at IS NULL AND id <> (",
        "           WHERE connection_id = :connection AND name = :name AND ended_at IS NULL AND false AND id <> (",
        f"{TESTS}::test_old_and_new_webhook_secrets_are_believed_until_the_old_one_is_ended",
        "a secret that was ended is still believed",
    ),
    one(
        "connection_version",
        PAGES,
        '        if version != str(row.version):\n            refusal = Refusal(rule="connection_moved_on")',
        '        if version == "":\n            refusal = Refusal(rule="connection_moved_on")',
        f"{TESTS}::test_two_who_change_it_at_once_are_told",
        "of two who save at once, the second overwrites the first unseen",
    ),
    one(
        "connection_checked_before_on",
        PAGES,
        "        if not turn_on or fatal is None:",
        "        if True:",
        f"{TESTS}::test_a_key_that_the_provider_refuses_is_told_and_cannot_be_switched_on",
        "customers are offered a provider that refuses our key",
    ),
    one(
        "connection_followed",
        "activities/connecting.py",
        "                if self._built.get(row.id) != row.version:",
        "                if row.id not in self._built:",
        f"{TESTS}::test_a_process_that_did_not_make_the_change_hears_of_it",
        "a worker goes on with a key that was taken away",
    ),
    one(
        "connection_preferred",
        "store/access.py",
        "    return next((each for each in serving if kind in each.preferred), next(iter(serving), None))",
        "    return next(iter(serving), None)",
        f"{TESTS}::test_the_preferred_connection_takes_new_methods_of_its_kind_and_currency",
        "a method goes over a connection that staff did not choose for it",
    ),
    one(
        "connection_that_starts",
        "api/services.py",
        "        return tuple(each for each in offers if each.connection_id not in broken) if broken else offers",
        "        return offers",
        f"{TESTS}::test_what_cannot_start_is_not_offered_to_customers",
        "customers are sent over a connection that cannot even be built",
    ),
    one(
        "only_tests_where_money_is_real",
        PAGES,
        "    offered = [each for each in _installed(given, role).values() if not (each.only_tests and is_live)]",
        "    offered = list(_installed(given, role).values())",
        f"{TESTS}::test_where_money_is_real_nothing_is_offered_that_only_tests",
        "a provider that moves nothing marks real invoices as paid",
    ),
    one(
        "erp_off_is_not_read",
        "activities/syncing.py",
        "                if not await connections.is_enabled(tx, self._connection_id):",
        "                if False:",
        f"{TWO_ERPS}::test_one_that_is_switched_off_is_read_no_more",
        "an ERP that staff switched off is read all the same",
    ),
    one(
        "every_erp_is_woken",
        "activities/pokes.py",
        "            for erp, queue in dict(self._erps).items():",
        "            for erp, queue in list(self._erps.items())[:1]:",
        f"{TWO_ERPS}::test_each_customers_money_is_entered_in_the_erp_that_has_its_invoices",
        "what was paid on the invoices of a second ERP is never entered there",
    ),
    one(
        "erp_asked_before_it_is_on",
        "api/staff/connecting/checking.py",
        '        return [_problem("not_accepted", str(error), is_fatal=True)]',
        "        return []",
        "tests/api/test_staff_erps.py::test_one_that_refuses_the_key_is_not_switched_on",
        "an ERP that refuses the key is switched on, and nothing is ever read",
    ),
    one(
        "unbuilt_erp_waits",
        "activities/erps.py",
        '        raise Misconfigured("The connection to the ERP does not start: see its page.")',
        "        from connectors.errors import Rejected\n\n"
        '        raise Rejected("gone", "The connection to the ERP does not start: see its page.")',
        "tests/activities/test_standing_still.py::test_while_the_erp_s_connection_cannot_be_built_its_postings_wait",
        "a key that cannot be opened looks like the ERP's refusal of every document",
    ),
    one(
        "time_zone_exists",
        "connectors/erp/tryton/declared.py",
        "    if time_zone not in available_timezones():",
        "    if False:",
        "tests/api/test_staff_erps.py::test_a_time_zone_that_is_none_is_refused_before_a_customer_would_live_in_it",
        "every page of a customer fails on a time zone that is none",
    ),
    one(
        "limited_rate",
        "worker.py",
        "max_task_queue_activities_per_second=calls_per_second,",
        "max_task_queue_activities_per_second=None,",
        "tests/launch/test_limited_queues.py::test_each_limited_connection_has_a_queue_with_its_rate",
        "a vendor's limit of calls is run into",
    ),
    one(
        "limited_queue_used",
        "workflows/payment_course.py",
        "                Payments.cancel_charge, payment_id, **policies.SEND.options(self.queue)",
        "                Payments.cancel_charge, payment_id, **policies.SEND.options()",
        "tests/workflows/test_waiting.py::test_every_call_of_a_limited_connection_goes_on_its_own_queue",
        "calls go past the queue that keeps the rate",
    ),
    one(
        "by_bank_needs_an_account",
        "activities/opening.py",
        "        if by_bank and not settings.may_pay_by_bank:",
        "        if False:",
        BY_BANK,
        "a payment by bank begins although nobody said where it goes",
    ),
    one(
        "by_bank_needs_the_country",
        "store/connections.py",
        "        return currency in self.once.get(kind, ()) and (asked is None or country in asked.get(currency, ()))",
        "        return currency in self.once.get(kind, ())",
        BY_BANK,
        "a customer is sent to a bank that the provider does not reach",
    ),
    one(
        "by_bank_takes_what_it_said",
        "api/portal/pay.py",
        "    if str(sum(amounts.values())) != shown:",
        '    if shown == "":',
        "tests/api/test_portal_by_bank.py::test_what_the_button_did_not_say_is_not_asked_for",
        "one click pays another sum than the button said",
    ),
)
