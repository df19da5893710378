"""Guards around what staff connect: sealed secrets, versions, and what may be offered."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

PAGES: Final = "api/staff/connecting/pages.py"
TESTS: Final = "tests/api/test_staff_connections.py"

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
)
