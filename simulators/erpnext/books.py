"""The small ledger behind a site: what submitting, cancelling, reconciling and un-reconciling do to it.

Written from what ERPNext documents and what its public source says (erpnext/accounts: payment_entry.py, journal_entry.py,
payment_reconciliation.py, unreconcile_payment.py, utils.py); sentences are ERPNext's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from simulators.erpnext.site import COMPANY, Record, Refused, Site

NOTHING: Final = Decimal(0)
LEDGER: Final = "Payment Ledger Entry"
INVOICE: Final = "Sales Invoice"
PAYMENT: Final = "Payment Entry"
JOURNAL: Final = "Journal Entry"


def made(site: Site, doctype: str, values: Record) -> Record:
    """A new record, as far as ERPNext checks a draft."""
    if doctype == PAYMENT:
        return site.put(doctype, _payment(site, values))
    if doctype == JOURNAL:
        return site.put(doctype, _journal(site, values))
    if doctype == "ToDo":
        return site.put(doctype, {"status": "Open", **values})
    raise Refused("PermissionError", f"No permission for {doctype}", status=403)


def changed(site: Site, record: Record, doctype: str, values: Record) -> None:
    """A record changed; where its docstatus moves on, it is booked or taken back."""
    if "modified" in values and values["modified"] != record["modified"]:
        raise Refused("TimestampMismatchError", "Document has been modified after you have opened it. Please refresh.")
    wanted = values.get("docstatus", record["docstatus"])
    if (record["docstatus"], wanted) not in {(0, 0), (0, 1), (1, 1), (1, 2)}:
        raise Refused("DocstatusTransitionError", f"Cannot change docstatus from {record['docstatus']} to {wanted}")
    moves = wanted != record["docstatus"]
    if moves and wanted == 1:
        submit(site, doctype, record)
    if moves and wanted == 2:
        cancel(site, doctype, record)
    record.update({name: value for name, value in values.items() if name != "modified"})
    site.touch(record)


def deleted(site: Site, doctype: str, name: str) -> None:
    """A record that is gone. What is submitted is cancelled first, by somebody else."""
    if site.get(doctype, name)["docstatus"] == 1:
        raise Refused("ValidationError", f"Submitted Record cannot be deleted. You must Cancel {doctype} {name} first.")
    del site.table(doctype)[name]


# ---------------------------------------------------------------- checks of a draft


def _payment(site: Site, values: Record) -> Record:
    party = site.get("Customer", str(values.get("party")))
    if (said := site.refused.get(party["name"])) is not None:
        raise Refused("ValidationError", said)
    sides = [site.get("Account", str(values.get(side))) for side in ("paid_from", "paid_to")]
    is_receipt = values.get("payment_type") == "Receive"
    receivable, bank = sides if is_receipt else reversed(sides)
    if bank["account_type"] == "Bank" and not (values.get("reference_no") and values.get("reference_date")):
        raise Refused("ValidationError", "Reference No and Reference Date is mandatory for Bank transaction")
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(values.get("references", ()), start=1):
        _check_reference(site, values, receivable, number, row, seen)
    allocated = sum((row["allocated_amount"] for row in values.get("references", ())), start=NOTHING)
    if allocated > values["paid_amount"]:
        raise Refused("ValidationError", "Difference Amount must be zero")
    return {
        **values,
        "references": [dict(row) for row in values.get("references", ())],
        "paid_from_account_currency": sides[0]["account_currency"],
        "paid_to_account_currency": sides[1]["account_currency"],
        "unallocated_amount": values["paid_amount"] - allocated,
        "remarks": values.get("remarks") if values.get("custom_remarks") else f"Amount received from {party['name']}",
    }


def _check_reference(
    site: Site, values: Record, receivable: Record, number: int, row: Record, seen: set[tuple[str, str]]
) -> None:
    key = (str(row["reference_doctype"]), str(row["reference_name"]))
    if key in seen:
        raise Refused("ValidationError", f"Row #{number}: Duplicate entry in References {key[0]} {key[1]}")
    seen.add(key)
    found = site.table(key[0]).get(key[1])
    if found is None:
        raise Refused("ValidationError", f"{key[0]} {key[1]} does not exist")
    if found.get("customer") != values["party"]:
        raise Refused("ValidationError", f"{key[0]} {key[1]} is not associated with Customer {values['party']}")
    if found["docstatus"] != 1:
        raise Refused("ValidationError", f"{key[0]} {key[1]} must be submitted")
    if found["debit_to"] != receivable["name"]:
        said = f"{key[0]} {key[1]} is associated with {found['debit_to']}, but Party Account is {receivable['name']}"
        raise Refused("ValidationError", said)
    if row["allocated_amount"] > open_of(site, *key):
        raise Refused("ValidationError", f"Row #{number}: Allocated Amount cannot be greater than outstanding amount.")


def _journal(site: Site, values: Record) -> Record:
    rows = [dict(row) for row in values["accounts"]]
    for number, row in enumerate(rows, start=1):
        row["account_currency"] = site.get("Account", row["account"])["account_currency"]
        for side in ("credit_in_account_currency", "debit_in_account_currency"):
            row[side] = row.get(side, NOTHING)
        if (said := site.refused.get(row["party"])) is not None:
            raise Refused("ValidationError", said)
        found = site.get(INVOICE, row["reference_name"])
        if (found["customer"], found["debit_to"]) != (row["party"], row["account"]):
            said = f"Row {number}: Party / Account does not match with Customer / Debit To in {INVOICE} {found['name']}"
            raise Refused("ValidationError", said)
    if sum((row["credit_in_account_currency"] - row["debit_in_account_currency"] for row in rows), start=NOTHING):
        raise Refused("ValidationError", "Total Debit must be equal to Total Credit.")
    return {**values, "accounts": rows}


# ---------------------------------------------------------------- booking


def submit(site: Site, doctype: str, record: Record) -> None:
    """Book it: its rows are in the ledger from now on."""
    if site.closed_until is not None and record["posting_date"] <= site.closed_until:
        said = f"You cannot create or cancel any accounting entries with in the closed Accounting Period {site.closed_until}"
        raise Refused("ClosedAccountingPeriod", said)
    if doctype == PAYMENT:
        _book_payment(site, record)
    elif doctype == JOURNAL:
        for row in record["accounts"]:
            amount = row["debit_in_account_currency"] - row["credit_in_account_currency"]
            _row(site, record, doctype, (INVOICE, row["reference_name"]), amount, row)
    elif doctype == INVOICE:
        side = {"account": record["debit_to"], "account_currency": record["currency"], "party": record["customer"]}
        _row(site, record, doctype, (INVOICE, record["name"]), record["grand_total"], side)
    record["docstatus"] = 1
    _refresh(site, {each["against_voucher_no"] for each in _written(site, doctype, record["name"])})


def _book_payment(site: Site, record: Record) -> None:
    is_receipt = record["payment_type"] == "Receive"
    name = "paid_from" if is_receipt else "paid_to"
    side = {"account": record[name], "account_currency": record[f"{name}_account_currency"], "party": record["party"]}
    sign = -1 if is_receipt else 1
    for row in record["references"]:
        if row["allocated_amount"] > open_of(site, row["reference_doctype"], row["reference_name"]):
            raise Refused("ValidationError", "Allocated Amount cannot be greater than outstanding amount.")
    for row in record["references"]:
        against = (row["reference_doctype"], row["reference_name"])
        _row(site, record, PAYMENT, against, sign * row["allocated_amount"], side)
    if record["unallocated_amount"]:
        _row(site, record, PAYMENT, (PAYMENT, record["name"]), sign * record["unallocated_amount"], side)


def cancel(site: Site, doctype: str, record: Record) -> None:
    """Take it back: its rows no longer count."""
    if site.closed_until is not None and record["posting_date"] <= site.closed_until:
        said = f"You cannot create or cancel any accounting entries with in the closed Accounting Period {site.closed_until}"
        raise Refused("ClosedAccountingPeriod", said)
    if record.get("bank_transaction"):
        said = f"Cannot delete or cancel because {doctype} {record['name']} is linked with Bank Transaction"
        raise Refused("LinkExistsError", f"{said} {record['bank_transaction']}")
    rows = _written(site, doctype, record["name"])
    for row in rows:
        row["delinked"] = 1
        site.touch(row)
    record["docstatus"] = 2
    record["status"] = "Cancelled"
    _refresh(site, {row["against_voucher_no"] for row in rows})


def _row(
    site: Site, record: Record, doctype: str, against: tuple[str, str], amount: Decimal, side: Mapping[str, Any]
) -> None:
    site.put(
        LEDGER,
        {
            "company": COMPANY,
            "party_type": "Customer",
            "party": side["party"],
            "posting_date": record["posting_date"],
            "account": side["account"],
            "account_currency": side["account_currency"],
            "voucher_type": doctype,
            "voucher_no": record["name"],
            "against_voucher_type": against[0],
            "against_voucher_no": against[1],
            "amount_in_account_currency": amount,
            "delinked": 0,
        },
    )


def _written(site: Site, doctype: str, name: str) -> list[Record]:
    rows = site.table(LEDGER).values()
    return [row for row in rows if (row["voucher_type"], row["voucher_no"]) == (doctype, name) and not row["delinked"]]


def open_of(site: Site, doctype: str, name: str) -> Decimal:
    """What the ledger has open of a document."""
    rows = (
        row["amount_in_account_currency"]
        for row in site.table(LEDGER).values()
        if (row["against_voucher_type"], row["against_voucher_no"]) == (doctype, name) and not row["delinked"]
    )
    return sum(rows, start=NOTHING)


def _refresh(site: Site, names: set[str]) -> None:
    """An invoice's own copy of what is open; left as it is where a knob says so (frappe/erpnext, pull request 48650)."""
    for name in names & site.table(INVOICE).keys():
        invoice = site.table(INVOICE)[name]
        if site.knobs.get("outstanding_stays") or invoice["docstatus"] != 1:
            continue
        left = open_of(site, INVOICE, name)
        invoice["outstanding_amount"] = left
        if invoice["is_return"]:
            invoice["status"] = "Return"
        else:
            invoice["status"] = "Paid" if left <= 0 else "Partly Paid" if left < invoice["grand_total"] else "Unpaid"
        site.touch(invoice)


# ---------------------------------------------------------------- reconciling


def reconcile(site: Site, tool: Record) -> None:
    """`Payment Reconciliation.reconcile`: money of a payment on account is put on a document that is owed."""
    if not tool.get("invoices") or not tool.get("payments"):
        raise Refused("ValidationError", "No records found in the Invoices table")
    for row in tool["allocation"]:
        payment = site.get(PAYMENT, row["reference_name"])
        if payment["docstatus"] != 1 or payment["unallocated_amount"] != row["unreconciled_amount"]:
            said = "Payment Entry has been modified after you pulled it. Please pull it again."
            raise Refused("ValidationError", said)
        if row["allocated_amount"] > row["amount"]:
            said = (
                f"Allocated amount:{row['allocated_amount']} must be less than or equal to Payment Entry {payment['name']}"
            )
            raise Refused("ValidationError", f"Row #1: {said} unallocated amount:{row['amount']}")
        key = (row["invoice_type"], row["invoice_number"])
        if row["allocated_amount"] > open_of(site, *key):
            said = f"Row #1: Allocated amount:{row['allocated_amount']} must be less than or equal to {key[1]} outstanding"
            raise Refused("ValidationError", said)
        reference = {"reference_doctype": key[0], "reference_name": key[1], "allocated_amount": row["allocated_amount"]}
        _rebooked(site, payment, [*payment["references"], reference])


def loosen(site: Site, selections: Sequence[Record]) -> None:
    """`create_unreconcile_doc_for_selection`: all that a payment has on a document goes back on account."""
    for row in selections:
        payment = site.get(PAYMENT, row["voucher_no"])
        key = (row["against_voucher_type"], row["against_voucher_no"])
        kept: list[Record] = []
        gone: list[Record] = []
        for each in payment["references"]:
            (gone if (each["reference_doctype"], each["reference_name"]) == key else kept).append(each)
        side = {"voucher_type": PAYMENT, "voucher_no": payment["name"], "company": COMPANY}
        site.put("Unreconcile Payment", {**side, "docstatus": 1, "allocations": gone})
        for each in _written(site, PAYMENT, payment["name"]):
            if (each["against_voucher_type"], each["against_voucher_no"]) == key:
                # The row stays, and stands against its own payment from now on.
                each |= {"against_voucher_type": PAYMENT, "against_voucher_no": payment["name"]}
                site.touch(each)
        payment["references"] = kept
        _unallocated(payment)
        _refresh(site, {key[1]})


def _rebooked(site: Site, payment: Record, references: list[Record]) -> None:
    """Its rows are taken back and written anew, as ERPNext does it."""
    rows = _written(site, PAYMENT, payment["name"])
    for row in rows:
        row["delinked"] = 1
        site.touch(row)
    payment["references"] = references
    _unallocated(payment)
    _book_payment(site, payment)
    site.touch(payment)
    _refresh(site, {row["reference_name"] for row in references})


def _unallocated(payment: Record) -> None:
    taken = sum((row["allocated_amount"] for row in payment["references"]), start=NOTHING)
    payment["unallocated_amount"] = payment["paid_amount"] - taken
