"""Guards of statements and documents: whose they are, that they tell the truth about the past, and harm no reader."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant, one

VIEW: Final = "store/views/statements.py"
RULES: Final = "store/migrations/versions/0015_statements.sql"
BOOKS: Final = "tests/store/test_statements.py"
PAGES: Final = "tests/api/test_portal_statements.py"
FILES: Final = "store/document_files.py"
PAPERS: Final = "tests/api/test_portal_papers.py"
STORY: Final = f"{BOOKS}::test_a_statement_made_again_is_the_one_of_that_moment_along_a_story_of_random_turns"

DOCUMENTS: Final = (
    one(
        "journal_of_others",
        RULES,
        "USING (account IN (''receivable'', ''unapplied'', ''credits'')\n               AND (customer_id",
        "USING (account IN (''receivable'', ''unapplied'', ''credits'')\n               AND (true OR customer_id",
        f"{BOOKS}::test_a_child_sees_what_its_parent_paid_and_nothing_else_of_the_parents_journal",
        "a customer reads everybody's payments",
    ),
    one(
        "settlement_of_ours_counted_twice",
        VIEW,
        'if (each.get("reference") or "")[:30] not in ours:',
        "if each:",
        f"{BOOKS}::test_what_the_erp_shows_of_ours_is_counted_once_and_what_a_person_changed_there_is_said",
        "a payment is on the statement twice",
    ),
    one(
        "parents_on_statements",
        VIEW,
        "AND NOT i.is_parent AND NOT i.deleted AND i.status NOT IN ('draft', 'void')\n  AND (cast",
        "AND NOT i.deleted AND i.status NOT IN ('draft', 'void')\n  AND (cast",
        f"{BOOKS}::test_drafts_void_paused_parents_and_others_are_on_no_statement_and_sites_are_once",
        "a multi-site invoice is owed twice",
    ),
    one(
        "later_entries_in_the_past",
        "domain/statements.py",
        "if entry.at <= as_of.at:",
        "if entry.at:",
        STORY,
        "an old statement knows what came later",
    ),
    one(
        "later_settlements_in_the_past",
        "domain/statements.py",
        "return as_of.is_now or on <= as_of.day",
        "return as_of.is_now or bool(on)",
        STORY,
        "an old statement knows what came later",
    ),
    one(
        "end_of_an_invoice",
        RULES,
        "    ELSIF TG_OP = 'INSERT' OR OLD.ended_at IS NULL THEN\n        NEW.ended_at := NEW.changed_at;\n",
        "    ELSIF TG_OP = 'INSERT' OR OLD.ended_at IS NULL THEN\n        NEW.ended_at := NEW.issued_on;\n",
        f"{BOOKS}::test_what_is_written_off_or_closed_counts_until_duly_read_so_and_each_currency_has_a_section",
        "what was written off today was never owed",
    ),
    one(
        "statement_formats",
        "api/portal/statements.py",
        "if form not in offered:",
        "if not form:",
        f"{PAGES}::test_customers_get_the_forms_that_staff_chose_and_staff_get_all",
        "customers get files that the business does not give",
    ),
    one(
        "formulas_in_files",
        "api/documents/cells.py",
        'return f"\'{text}" if text.startswith(_FORMULAS) else text',
        "return text",
        f"{PAGES}::test_the_three_files_say_the_same_and_no_cell_is_a_formula",
        "an invoice's number runs in the reader's spreadsheet",
    ),
    one(
        "formulas_in_workbooks",
        "api/documents/statements.py",
        "                written.data_type = \"s\"  # what begins with '=' is one as well\n",
        "",
        f"{PAGES}::test_the_three_files_say_the_same_and_no_cell_is_a_formula",
        "an invoice's number runs in the reader's spreadsheet",
    ),
    one(
        "documents_that_are_not_theirs",
        "api/portal/papers.py",
        "if known.keys() != set(ids):",
        "if not known:",
        f"{PAPERS}::test_what_is_not_to_be_seen_is_in_no_file_alone_or_among_others",
        "a ZIP tells which ids exist",
    ),
    Mutant(
        name="version_of_the_erps_file",
        why="a paid invoice's PDF says that it is owed",
        edits=(
            (FILES, 'AND d.version = v.version AND d.state = \'kept\'"""', 'AND d.state = \'kept\'"""'),
            (FILES, 'd ON d.document_id = v.id AND d.version = v.version"""', 'd ON d.document_id = v.id"""'),
        ),
        tests=(f"{PAPERS}::test_the_erps_own_file_is_given_of_the_version_that_it_is_of_and_of_no_other",),
    ),
    one(
        "digest_of_the_erps_file",
        FILES,
        "if row is None or hashlib.sha256(row.content).hexdigest() != row.digest:",
        "if row is None:",
        f"{PAPERS}::test_the_erps_own_file_is_given_of_the_version_that_it_is_of_and_of_no_other",
        "a file that was changed is given as the ERP's",
    ),
)
