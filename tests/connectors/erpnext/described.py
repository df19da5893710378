"""What ERPNext's own descriptions of its records allow, as a judge of requests.

Copied field by field from the descriptions that ERPNext makes its tables and forms of, for what the connector uses:
erpnext/accounts/doctype/{payment_entry,payment_entry_reference,journal_entry,journal_entry_account,sales_invoice,
sales_invoice_item,payment_ledger_entry,unreconcile_payment,payment_reconciliation*}.json, erpnext/selling/doctype/
{customer,quotation}.json, erpnext/setup/doctype/company.json, frappe/desk/doctype/todo.json,
frappe/automation/doctype/auto_repeat.json and
frappe/contacts/doctype/contact.json in github.com/frappe/erpnext and github.com/frappe/frappe; lists and their query from
frappe/api/v1.py and frappe/client.py
(docs.frappe.io/framework/user/en/api/rest).
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

Schema = Mapping[str, str]
BY_HAND: Final = "x-by-hand"
_EVERY: Final[Schema] = {
    **dict.fromkeys(("name", "owner", "modified_by"), "text"),
    **dict.fromkeys(("creation", "modified"), "moment"),
    "docstatus": "docstatus",
}
_CHILD: Final[Schema] = {**_EVERY, **dict.fromkeys(("parent", "parenttype", "parentfield"), "text"), "idx": "whole"}

RECORDS: Final[Mapping[str, Schema]] = {
    "Payment Entry": {
        **_EVERY,
        "payment_type": "Receive|Pay|Internal Transfer",
        **dict.fromkeys(("company", "party_type", "party", "paid_from", "paid_to", "reference_no", "remarks"), "text"),
        **dict.fromkeys(("paid_from_account_currency", "paid_to_account_currency"), "text"),
        **dict.fromkeys(("paid_amount", "received_amount", "unallocated_amount"), "amount"),
        **dict.fromkeys(("posting_date", "reference_date"), "day"),
        "custom_remarks": "check",
        "references": "Payment Entry Reference",
    },
    "Payment Entry Reference": {
        **_CHILD,
        **dict.fromkeys(("reference_doctype", "reference_name", "payment_term"), "text"),
        "allocated_amount": "amount",
    },
    "Journal Entry": {
        **_EVERY,
        "voucher_type": "Journal Entry|Bank Entry|Cash Entry|Credit Note|Debit Note|Write Off Entry",
        **dict.fromkeys(("company", "cheque_no", "user_remark"), "text"),
        **dict.fromkeys(("posting_date", "cheque_date"), "day"),
        "multi_currency": "check",
        "accounts": "Journal Entry Account",
    },
    "Journal Entry Account": {
        **_CHILD,
        **dict.fromkeys(("account", "party_type", "party", "reference_name", "account_currency"), "text"),
        "reference_type": "Sales Invoice|Purchase Invoice|Journal Entry|Sales Order|Purchase Order",
        **dict.fromkeys(("debit_in_account_currency", "credit_in_account_currency"), "amount"),
    },
    "ToDo": {
        **_EVERY,
        "status": "Open|Closed|Cancelled",
        "priority": "High|Medium|Low",
        **dict.fromkeys(("description", "reference_type", "reference_name"), "text"),
        "date": "day",
    },
    "Sales Invoice": {
        **_EVERY,
        **dict.fromkeys(("customer", "company", "status", "currency", "party_account_currency", "debit_to"), "text"),
        **dict.fromkeys(("po_no", "payment_terms_template", "contact_email", "return_against"), "text"),
        **dict.fromkeys(("posting_date", "due_date"), "day"),
        **dict.fromkeys(("grand_total", "rounded_total", "total_taxes_and_charges", "outstanding_amount"), "amount"),
        **dict.fromkeys(("is_return", "disable_rounded_total"), "check"),
    },
    "Sales Invoice Item": {
        **_CHILD,
        **dict.fromkeys(("item_name", "description"), "text"),
        **dict.fromkeys(("qty", "net_rate", "net_amount"), "amount"),
    },
    "Payment Ledger Entry": {
        **_EVERY,
        **dict.fromkeys(("company", "party_type", "party", "account", "account_currency"), "text"),
        **dict.fromkeys(("voucher_type", "voucher_no", "against_voucher_type", "against_voucher_no"), "text"),
        "posting_date": "day",
        "amount_in_account_currency": "amount",
        "delinked": "check",
    },
    "Unreconcile Payment": {**_EVERY, **dict.fromkeys(("company", "voucher_type", "voucher_no"), "text")},
    "Customer": {
        **_EVERY,
        **dict.fromkeys(("customer_name", "default_currency", "email_id"), "text"),
        "disabled": "check",
    },
    "Contact": {**_EVERY, **dict.fromkeys(("full_name", "email_id"), "text")},
    "Dynamic Link": {**_CHILD, **dict.fromkeys(("link_doctype", "link_name"), "text")},
    "Account": {
        **_EVERY,
        **dict.fromkeys(("company", "account_type", "account_currency"), "text"),
        "is_group": "check",
    },
    "Company": {**_EVERY, **dict.fromkeys(("default_currency", "default_receivable_account"), "text")},
    "Quotation": {
        **_EVERY,
        **dict.fromkeys(("company", "quotation_to", "party_name", "status", "currency"), "text"),
        **dict.fromkeys(("transaction_date", "valid_till"), "day"),
        **dict.fromkeys(("grand_total", "rounded_total", "total_taxes_and_charges"), "amount"),
        "disable_rounded_total": "check",
    },
    "Quotation Item": {
        **_CHILD,
        **dict.fromkeys(("item_name", "description"), "text"),
        **dict.fromkeys(("qty", "net_rate", "net_amount"), "amount"),
    },
    "Auto Repeat": {
        **_EVERY,
        **dict.fromkeys(("reference_doctype", "reference_document"), "text"),
        "frequency": "Daily|Weekly|Fortnightly|Monthly|Quarterly|Half-yearly|Yearly",
        **dict.fromkeys(("start_date", "end_date", "next_schedule_date"), "day"),
        "status": "Active|Disabled|Completed",
        "disabled": "check",
    },
    "Payment Reconciliation": {
        "doctype": "Payment Reconciliation",
        **dict.fromkeys(("company", "party_type", "party", "receivable_payable_account"), "text"),
        "payments": "Payment Reconciliation Payment",
        "invoices": "Payment Reconciliation Invoice",
        "allocation": "Payment Reconciliation Allocation",
    },
    "Payment Reconciliation Payment": {
        **dict.fromkeys(("reference_type", "reference_name", "currency"), "text"),
        "posting_date": "day",
        "amount": "amount",
    },
    "Payment Reconciliation Invoice": {
        **dict.fromkeys(("invoice_type", "invoice_number", "currency"), "text"),
        "outstanding_amount": "amount",
    },
    "Payment Reconciliation Allocation": {
        **dict.fromkeys(("reference_type", "reference_name", "invoice_type", "invoice_number", "currency"), "text"),
        **dict.fromkeys(("allocated_amount", "unreconciled_amount", "amount", "difference_amount"), "amount"),
    },
    "Unreconcile Selection": {
        **dict.fromkeys(("company", "voucher_type", "voucher_no", "against_voucher_type", "against_voucher_no"), "text"),
    },
}
REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "Payment Entry": frozenset(
        {"payment_type", "company", "posting_date", "party_type", "party", "paid_from", "paid_to", "paid_amount"}
        | {"received_amount", "reference_no", "reference_date"}
    ),
    "Payment Entry Reference": frozenset({"reference_doctype", "reference_name", "allocated_amount"}),
    "Journal Entry": frozenset({"voucher_type", "company", "posting_date", "accounts"}),
    "Journal Entry Account": frozenset({"account", "party_type", "party"}),
    "ToDo": frozenset({"description"}),
    "Payment Reconciliation": frozenset(RECORDS["Payment Reconciliation"]),
    "Payment Reconciliation Allocation": frozenset(RECORDS["Payment Reconciliation Allocation"]) - {"difference_amount"},
    "Unreconcile Selection": frozenset(RECORDS["Unreconcile Selection"]),
}
_TABLES: Final = frozenset({"Sales Invoice Item", "Quotation Item", "Dynamic Link"})
_OPERATORS: Final = frozenset({"=", "in", "like", ">", ">="})
_LOOSEN: Final = "erpnext.accounts.doctype.unreconcile_payment.unreconcile_payment.create_unreconcile_doc_for_selection"
READS: Final[Mapping[str, frozenset[str]]] = {
    "frappe.auth.get_logged_user": frozenset(),
    "frappe.client.get_time_zone": frozenset(),
    "frappe.utils.print_format.download_pdf": frozenset({"doctype", "name"}),
    "erpnext.accounts.utils.get_balance_on": frozenset({"account", "company"}),
}


def operation_of(request: Mapping[str, Any]) -> str:
    """What a request does: the method and the record's type, or the name of the method that it calls."""
    path = request["path"]
    return f"{request['method']} {path[1] if path[0] == 'resource' else path[1].rpartition('.')[2]}"


def is_by_hand(request: Mapping[str, Any]) -> bool:
    """Whether a test sent it itself, in the place of somebody who knows less."""
    return BY_HAND in request["query"]


def violations(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with one request, in words; empty when the descriptions allow it."""
    return [f"{operation_of(request)}: {fault}" for fault in _faults(request)]


def _faults(request: Mapping[str, Any]) -> Iterator[str]:
    path, query, method = request["path"], request["query"], request["method"]
    body = json.loads(request["raw"], parse_float=Decimal) if request["raw"] else None
    if path[0] == "method":
        yield from _called(path[1], method, query, body)
        return
    doctype = path[1]
    if doctype not in RECORDS:
        yield f"there is no {doctype}"
    elif method == "GET" and len(path) == 2:
        yield from _listed(doctype, query)
    elif method in {"POST", "PUT"}:
        yield from _record(doctype, body, is_whole=method == "POST")
    elif body is not None or query:
        yield "nothing else is said when a record is read or deleted"


def _called(name: str, method: str, query: Mapping[str, str], body: Any) -> Iterator[str]:
    if name == "run_doc_method" and method == "POST":
        if set(body) != {"method", "docs"} or body["method"] != "reconcile":
            yield "not reconcile over docs"
        else:
            yield from _record("Payment Reconciliation", json.loads(body["docs"], parse_float=Decimal), is_whole=True)
    elif name == _LOOSEN and method == "POST":
        if set(body) != {"selections"} or not isinstance(body["selections"], str):
            yield "selections are one text of JSON"
        else:
            for row in json.loads(body["selections"]):
                yield from _record("Unreconcile Selection", row, is_whole=True)
    elif name not in READS or method != "GET" or set(query) != READS[name]:
        yield f"{name} is not called so"


def _listed(doctype: str, query: Mapping[str, str]) -> Iterator[str]:
    wanted = {"fields", "filters", "order_by", "limit_start", "limit_page_length"}
    if set(query) - {"parent"} != wanted:
        yield f"a list says {', '.join(sorted(wanted))}"
        return
    if ("parent" in query) is not (doctype in _TABLES):
        yield "rows of a table are read under their parent"
    if not (query["limit_start"].isdigit() and query["limit_page_length"].isdigit()):
        yield "a page is counted in whole numbers"
    terms = {term.strip().partition(" ")[0] for term in query["order_by"].split(",")}
    unknown = (set(json.loads(query["fields"])) | terms) - set(RECORDS[doctype])
    if unknown:
        yield f"it has no {', '.join(sorted(unknown))}"
    for condition in json.loads(query["filters"]):
        column, operator, value = condition
        if column not in RECORDS[doctype] or operator not in _OPERATORS:
            yield f"no filter {condition}"
        elif (operator == "in") is not isinstance(value, list):
            yield f"{operator} with {value!r}"


def _record(doctype: str, values: Any, *, is_whole: bool) -> Iterator[str]:
    if not isinstance(values, dict):
        yield f"{doctype} is no object"
        return
    missing = REQUIRED.get(doctype, frozenset()) - set(values) if is_whole else set()
    if missing:
        yield f"{doctype} without {', '.join(sorted(missing))}"
    for name, value in values.items():
        kind = RECORDS[doctype].get(name)
        if kind is None:
            yield f"{doctype} has no {name}"
        elif kind in RECORDS and isinstance(value, list):
            for row in value:
                yield from _record(kind, row, is_whole=True)
        elif not _is(kind, value):
            yield f"{doctype}.{name} is {value!r}"


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "text":
            return isinstance(value, str) and len(value) < 10_000
        case "amount":
            return type(value) in {int, Decimal}
        case "day":
            return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
        case "moment":
            return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value) is not None
        case "check":
            return type(value) is int and value in {0, 1}
        case "whole":
            return type(value) is int
        case "docstatus":
            return type(value) is int and value in {0, 1, 2}
        case choices:
            return value in choices.split("|")
