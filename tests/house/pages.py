"""Documents that are made from code, as text: what the business decides, why something is refused, how a file is refused."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Final

from api.staff.differences import SENTENCES
from connectors.files import RULES as FILE_RULES
from domain.business import BusinessSettings
from domain.differences import CLASSES
from domain.refusals import RULES

IMPORT_HEADING: Final = "## Why a row or a file is refused"

BUSINESS_WORDS: Final[Mapping[str, str]] = {
    "business_name": "The name that customers read on every page and in every mail.",
    "accent_colour": "The one colour of buttons and links.",
    "contact_email": "Whom customers ask. Shown with each invoice and payment; nothing is shown while it is empty.",
    "time_zone": "Decides which day it is for customers of whom no time zone is known.",
    "bank_account_holder": "To whom the account belongs that payments by bank go to. Shown beside them.",
    "bank_account": "The account that payments by bank go to: an IBAN, or a sort code and number. Empty: none are offered.",
    "show_overdue_balance": "Show what is overdue at the top of the overview.",
    "show_balance": "Show the whole balance at the top of the overview.",
    "show_amount_selected": "Show the amount of what is selected.",
    "show_invoices_to_pay": "Show how many invoices are selected.",
    "exclude_paused": "Hide invoices that the ERP has paused, from lists, balances and payments.",
    "pay_disputed": "Invoices in dispute may be paid.",
    "pay_instalments": "Invoices in instalments may be paid.",
    "partial_payment": "An invoice may be paid in part.",
    "minimum_partial": "The smallest payment in part, in minor units by currency; none where a currency is missing.",
    "minimum_payment": "The smallest payment: none, or the customer's overdue, due or total balance.",
    "card_limit": "The largest payment by card, in minor units by currency; no limit where a currency is missing.",
    "one_time_payment": "Customers may pay with a method that is not kept.",
    "charge_on_file": "Customers may pay with a saved method.",
    "show_payments": "Show the list of payments.",
    "show_methods": "Show the payment methods that are saved, where customers add and delete them.",
    "columns": "The columns of the list of invoices, in their order; `number` and `open`, what is left to pay, stay.",
    "show_contact": "Show the contact on invoices and payments.",
    "requests_credit_notes": "Customers may ask to use credit notes.",
    "requests_prepayments": "Customers may ask to use prepayments and overpayments.",
    "show_credits": "Show customers their credit notes and unapplied payments.",
    "show_statements": "Show customers their statements of account.",
    "statement_formats": "As which files customers get their statements; none where it is empty, and the page stays.",
    "approval_limit": "Above this amount, in minor units by currency, an approval or a refund needs a second person.",
    "reminder_working_days": "After how many working days staff are reminded of a request that waits.",
    "escalation_working_days": "After how many working days approvers are told of a request that still waits.",
    "request_expiry_days": "After how many days a request that nobody decided expires.",
    "working_week": "The days on which staff work.",
    "holidays": "Days on which staff do not work, each as 2026-12-25.",
    "link_days": "How many days a portal link works, 1 to 90.",
    "session_hours": "How many hours a session lasts that a link has opened, 1 to 24.",
    "require_second_factor": "Staff without a second factor reach the page that sets one up, and nothing else.",
}


def business_settings_page() -> str:
    """docs/business-settings.md."""
    parts = [
        "# What the business decides",
        "",
        "Limits, switches and texts, kept as versions in the database. `duly settings get` shows them, `duly settings set`",
        "changes one from then on. Duly works with none of them set: one provider and one ERP are enough.",
        "",
        "What one process is told about its surroundings is another page: [settings](settings.md).",
        "",
        "This page is made from `domain/business.py` by `make docs`; a test compares them.",
        "",
    ]
    defaults = asdict(BusinessSettings())
    for name in (each.name for each in fields(BusinessSettings)):
        default = json.dumps(defaults[name])
        parts += [f"### `{name}`", "", f"{BUSINESS_WORDS[name]} Default: `{default}`.", ""]
    return "\n".join(parts)


def rules_page() -> str:
    """docs/reference/rules.md."""
    parts = [
        "# Why something is refused",
        "",
        "Each refusal has a rule with a name. Pages show its sentence, logs and the staff's timeline its name. The words in",
        "braces are filled with the case's own facts.",
        "",
        "This page is made from `domain/refusals.py` by `make docs`; a test compares them. Files have rules of their own:",
        "[importing](../how-to/import.md).",
        "",
        "| rule | HTTP | what a person reads |",
        "|---|---|---|",
    ]
    # The anchor is what a problem of the JSON API names as its type.
    parts += [f'| <a id="{rule}"></a>`{rule}` | {status} | {sentence} |' for rule, (status, sentence) in RULES.items()]
    return "\n".join([*parts, ""])


def with_file_rules(page: str) -> str:
    """docs/how-to/import.md with its last part as the code has it."""
    written, heading, _ = page.partition(IMPORT_HEADING)
    table = ["| rule | why |", "|---|---|", *(f"| `{rule}` | {sentence} |" for rule, sentence in FILE_RULES.items())]
    said = "Made from `connectors/files/refusals.py` by `make docs`."
    return written + "\n".join([heading, "", said, "", *table, ""])


DIFFERENCES_BEGIN: Final = "<!-- made from api/staff/differences.py by `make docs` -->\n"
DIFFERENCES_END: Final = "<!-- end -->"


def with_differences(page: str) -> str:
    """docs/operations/differences.md with its table of kinds made anew."""
    rows = [f"| *{kind.value}* | {CLASSES[kind].code} | {told.what}. | {told.do} |" for kind, told in SENTENCES.items()]
    table = "\n".join(["| Kind | Class | What it is | What to do |", "|---|---|---|---|", *rows])
    before, _, rest = page.partition(DIFFERENCES_BEGIN)
    after = rest.partition(DIFFERENCES_END)[2]
    return f"{before}{DIFFERENCES_BEGIN}\n{table}\n\n{DIFFERENCES_END}{after}"
