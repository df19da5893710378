"""Guards of accounts and doors: who may see what, who may come in, and who is believed."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import one

RULES: Final = "store/migrations/versions/0001_rules.sql"
LINKS: Final = "tests/api/test_security_links.py"
TOGETHER: Final = "tests/api/test_deliveries_together.py"
WALL: Final = "tests/api/test_security_wall.py"

DOORS: Final = (
    one(
        "rows_of_others",
        RULES,
        "ON invoices TO duly_portal USING (customer_id = ANY (%s)\n",
        "ON invoices TO duly_portal USING (true OR customer_id = ANY (%s)\n",
        "tests/store/test_row_level_security.py::test_an_unguarded_select_shows_only_the_customers_own_rows",
        "a forgotten WHERE shows everybody's invoices",
    ),
    one(
        "rows_forced",
        RULES,
        "        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);\n",
        "",
        "tests/store/test_row_level_security.py::test_the_house_as_it_is_built_has_no_hole",
        "a view's owner sees everything",
    ),
    one(
        "webhook_signature",
        "connectors/deliveries.py",
        "believed |= hmac.compare_digest(expected, mark)",
        "believed = True",
        "tests/connectors/test_sandbox_webhooks.py::test_a_header_must_be_whole",
        "anybody tells us of money",
    ),
    one(
        "webhook_age",
        "connectors/deliveries.py",
        "if abs(age) > _TOLERANCE:",
        "if age > timedelta(days=9999):",
        "tests/connectors/test_sandbox_webhooks.py::test_a_distant_moment_that_is_signed_is_refused_by_age",
        "a recorded delivery is played again",
    ),
    one(
        "form_signature",
        "api/security/forms.py",
        "if not any(genuine) or not timedelta",
        "if not timedelta",
        "tests/api/test_portal_pay.py::test_a_foreign_stale_or_changed_form_starts_nothing",
        "an id is guessed",
    ),
    one(
        "rate_limit",
        "store/rate_limits.py",
        "if hits <= limit:",
        "if hits >= 0:",
        "tests/store/test_access.py::test_hits_at_the_same_moment_are_all_counted",
        "links are asked for without end",
    ),
    one(
        "links_hashed",
        "store/tokens.py",
        "return hashlib.sha256(token.encode()).hexdigest()",
        "return token",
        "tests/store/test_access.py::test_neither_a_links_token_nor_a_sessions_is_stored",
        "a copy of the database opens accounts",
    ),
    one(
        "links_end",
        "store/access.py",
        "WHERE l.token_hash = :link AND l.revoked_at IS NULL AND l.expires_at > :at\n",
        "WHERE l.token_hash = :link AND l.revoked_at IS NULL\n",
        "tests/store/test_access.py::test_a_link_opens_again_and_again_until_it_expires_and_never_later_than_ninety_days",
        "a link opens for ever",
    ),
    one(
        "sessions_rotate",
        "api/access/links.py",
        "await access.end_session(tx, before, at=at)",
        "pass",
        f"{LINKS}::test_each_way_in_gives_a_fresh_session_and_ends_the_one_before",
        "a planted session stays open",
    ),
    one(
        "form_token",
        "api/security/cross_site.py",
        "return cookie is not None and hmac.compare_digest",
        "return cookie is not None or hmac.compare_digest",
        WALL,
        "another site pays in a customer's name",
    ),
    one(
        "same_origin",
        "api/security/cross_site.py",
        'if site is not None and site != "same-origin":',
        "if False:",
        WALL,
        "another site posts our forms",
    ),
    one(
        "body_bound",
        "api/security/body.py",
        "        if size > limit:",
        "        if False:",
        WALL,
        "a body fills the memory",
    ),
    one(
        "failed_batch_answers_nobody",
        "api/webhooks.py",
        "known = delivery.events if arrived is None else arrived.known",
        "known = [] if arrived is None else arrived.known",
        f"{TOGETHER}::test_one_that_cannot_be_stored_is_not_acknowledged_and_those_beside_it_are",
        "events that came together with one that cannot be stored are answered and lost",
    ),
    one(
        "batch_waits_for_nobody",
        "store/inbox.py",
        "ON CONFLICT (connection_id, dedupe_key) DO NOTHING RETURNING id",
        "ON CONFLICT (connection_id, dedupe_key) DO UPDATE SET deliveries = inbox.deliveries RETURNING id",
        f"{TOGETHER}::test_a_repeat_whose_row_somebody_holds_keeps_no_other_delivery_waiting",
        "whoever holds one event's row stops every delivery",
    ),
    one(
        "repeat_hears",
        "workflows/pay_invoices.py",
        "await self._course.hear_out(request.payment_id)",
        "pass",
        "tests/workflows/test_waiting.py::test_a_hint_that_reaches_a_repeated_run_is_looked_at_before_it_closes",
        "an event that reaches a run with nothing to do is lost",
    ),
)
