"""One company's books: what is written is kept, what is open follows from the links of payments.

Entities and their fields: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/payment (and
…/invoice, …/creditmemo, …/journalentry, …/customer, …/account). Errors:
https://developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting/error-codes
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from simulators.quickbooks.queries import PACIFIC

Row = dict[str, Any]

ENTITIES: Final = (
    "Customer", "Invoice", "CreditMemo", "Payment", "JournalEntry", "Estimate", "RefundReceipt", "Account", "Term"
)  # fmt: skip
_TEXT_MAX: Final = {"PaymentRefNum": 21, "DocNumber": 21, "PrivateNote": 4000}
_CREDITS: Final = {"CreditMemo"}


class Refused(Exception):
    """A fault; `message` and `detail` are the vendor's words."""

    def __init__(self, code: str, message: str, detail: str, status: int = 400, kind: str = "ValidationFault") -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"Fault": {"Error": [{"Message": message, "Detail": detail, "code": code, "element": ""}], "type": kind}}


class Books:
    """Rows by entity and id, as they were written; what is computed is added by `shown`."""

    def __init__(self, home: str = "USD") -> None:
        self.home = home
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in ENTITIES}
        self.gone: dict[str, dict[str, datetime]] = {name: {} for name in ENTITIES}
        self.at: dict[tuple[str, str], datetime] = {}
        self.hidden: set[tuple[str, str]] = set()
        self.templates: list[Row] = []
        self.number = 0
        self.refused: dict[str, str] = {}
        self.closed_through = ""
        self.deposited: set[str] = set()
        self.stale_balances: dict[str, Decimal] = {}
        self.touches_invoices = True
        for name in ("Undeposited Funds", "Checking"):
            self.make("Account", {"Name": name, "AccountType": "Other Current Asset", "Active": True})
        for currency in ("USD", "EUR", "GBP", "JPY"):
            row = {"Name": f"Accounts Receivable - {currency}", "AccountType": "Accounts Receivable", "Active": True}
            self.make("Account", {**row, "CurrencyRef": {"value": currency}})

    def make(self, entity: str, row: Row, *, at: datetime | None = None) -> Row:
        """Write a new row. Its check is the caller's."""
        self.number += 1
        made = {**row, "Id": str(self.number), "SyncToken": "0"}
        self.rows[entity][made["Id"]] = made
        self.touch(entity, made["Id"], at)
        return made

    def touch(self, entity: str, row_id: str, at: datetime | None = None) -> None:
        """It changed, now or (a transaction that took long) at an earlier time."""
        self.at[entity, row_id] = (at or datetime.now(UTC)).replace(microsecond=0)

    def get(self, entity: str, row_id: str) -> Row:
        found = self.rows[entity].get(row_id)
        if found is None:
            raise Refused(
                "610",
                "Object Not Found",
                f"Object Not Found : Something you're trying to use has been made inactive. ({row_id})",
            )
        return found

    # ------------------------------------------------------------ writing

    def write(self, entity: str, body: Row) -> Row:
        """Create, or change by Id and SyncToken: sparse merges, full empties what is not sent."""
        self._check_texts(body)
        before = self._before(entity, body)
        if before is None:
            row = {name: each for name, each in body.items() if name != "sparse"}
        elif body.get("sparse"):
            row = {**before, **{name: each for name, each in body.items() if name != "sparse"}}
        else:
            row = {name: each for name, each in body.items() if name != "sparse"}
        if entity in {"Payment", "JournalEntry"}:
            row.setdefault("TxnDate", datetime.now(PACIFIC).date().isoformat())
        self._check_customer(entity, row)
        self._check_period(row, before)
        if entity == "Payment":
            self._check_payment(row, before)
        if entity == "JournalEntry":
            self._check_entry(row, before)
        if before is None:
            made = self.make(entity, row)
            self._touch_linked(made)
            return made
        row["SyncToken"] = str(int(before["SyncToken"]) + 1)
        self.rows[entity][row["Id"]] = row
        self.touch(entity, row["Id"])
        self._touch_linked(before)
        self._touch_linked(row)
        return row

    def delete(self, entity: str, body: Row) -> Row:
        """Soft: nothing shows it any more but the capture of changes."""
        before = self._before(entity, body)
        assert before is not None
        self._check_period(before, None)
        self._check_deposited(before)
        linked = any(entity in self._linked(each) and before["Id"] in self._linked(each)[entity] for each in self.payments())
        if linked and entity != "Payment":
            raise Refused("6540", "Linked transaction", "Deletion Not Allowed : It is linked to another transaction.")
        del self.rows[entity][before["Id"]]
        self.gone[entity][before["Id"]] = datetime.now(UTC).replace(microsecond=0)
        self._touch_linked(before)
        return {"Id": before["Id"], "domain": "QBO", "status": "Deleted"}

    def void(self, body: Row) -> Row:
        """A payment of nothing: amounts are zeroed, lines cleared, and its note begins with the word."""
        before = self._before("Payment", body)
        assert before is not None
        self._check_deposited(before)
        note = " ".join(filter(None, ("Voided", before.get("PrivateNote", ""))))
        row = {**before, "TotalAmt": Decimal(0), "Line": [], "PrivateNote": note}
        row["SyncToken"] = str(int(before["SyncToken"]) + 1)
        self.rows["Payment"][row["Id"]] = row
        self.touch("Payment", row["Id"])
        self._touch_linked(before)
        return row

    # ------------------------------------------------------------ checks

    def _before(self, entity: str, body: Row) -> Row | None:
        if "Id" not in body:
            return None
        before = self.get(entity, body["Id"])
        if body.get("SyncToken") != before["SyncToken"]:
            detail = "Stale Object Error : You and another user were working on this at the same time."
            raise Refused("5010", "Stale Object Error", detail)
        return before

    def _check_texts(self, body: Row) -> None:
        for name, most in _TEXT_MAX.items():
            if len(str(body.get(name, ""))) > most:
                detail = f"String length is either shorter or longer than supported by specification. ({name})"
                raise Refused("2050", "Invalid String Length", detail)

    def _check_customer(self, entity: str, row: Row) -> None:
        if entity not in {"Payment", "Invoice", "CreditMemo"}:
            return
        customer = str(row.get("CustomerRef", {}).get("value", ""))
        self.get("Customer", customer)
        if customer in self.refused:
            raise Refused("6000", "A business validation error has occurred", self.refused[customer])

    def _check_period(self, row: Row, before: Row | None) -> None:
        """Its number is that of a stale object: https://github.com/routablehq/python-quickbooks/issues/208"""
        for each in (row, before or row):
            if self.closed_through and each.get("TxnDate", "9999") <= self.closed_through:
                raise Refused("5010", "Account Period Closed", "The account period has closed. {1}")

    def _check_deposited(self, before: Row) -> None:
        if before["Id"] in self.deposited:
            detail = "Business Validation Error: You must delete the deposit of this payment first."
            raise Refused("6000", "A business validation error has occurred", detail)

    def _check_payment(self, row: Row, before: Row | None) -> None:
        if before is not None and before["TotalAmt"] != row["TotalAmt"]:
            self._check_deposited(before)
        customer = self.get("Customer", row["CustomerRef"]["value"])
        own = before["Id"] if before is not None else None
        debits = from_credits = Decimal(0)
        if any(len(line.get("LinkedTxn", ())) != 1 for line in row.get("Line", ())):
            detail = "Request has invalid or unsupported property : a line of a payment is for one transaction."
            raise Refused("2010", "Request has invalid or unsupported property", detail)
        for kind, amounts in self._linked(row).items():
            for each, amount in amounts.items():
                target = self.get(kind, each)
                if amount <= 0 or amount > self._free(kind, target, own):
                    detail = f"Business Validation Error: The amount is more than what is open of {kind} {each}."
                    raise Refused("6000", "A business validation error has occurred", detail)
                if self._family(self._customer_of(kind, target)) != self._family(customer["Id"]):
                    detail = f"Business Validation Error: {kind} {each} is of another customer."
                    raise Refused("6000", "A business validation error has occurred", detail)
                if self._is_credit(kind, target):
                    from_credits += amount
                else:
                    debits += amount
        if debits > row["TotalAmt"] + from_credits:
            detail = "Business Validation Error: The lines come to more than the payment."
            raise Refused("6000", "A business validation error has occurred", detail)

    def _check_entry(self, row: Row, before: Row | None) -> None:
        sides = {"Debit": Decimal(0), "Credit": Decimal(0)}
        for line in row["Line"]:
            detail = line["JournalEntryLineDetail"]
            sides[detail["PostingType"]] += line["Amount"]
            account = self.get("Account", detail["AccountRef"]["value"])
            if account["AccountType"] == "Accounts Receivable" and "Entity" not in detail:
                told = "Business Validation Error: When you use Accounts Receivable, you must choose a customer."
                raise Refused("6000", "A business validation error has occurred", told)
        if sides["Debit"] != sides["Credit"]:
            told = "Business Validation Error: Debits and credits are not the same."
            raise Refused("6000", "A business validation error has occurred", told)
        if before is None and any(each.get("DocNumber") == row["DocNumber"] for each in self.rows["JournalEntry"].values()):
            told = f"Duplicate Document Number Error : You must specify a different number. ({row['DocNumber']})"
            raise Refused("6140", "Duplicate Document Number Error", told)

    # ------------------------------------------------------------ the ledger

    def payments(self) -> list[Row]:
        return list(self.rows["Payment"].values())

    def _linked(self, payment: Row) -> dict[str, dict[str, Decimal]]:
        """Amounts of a payment's lines, by kind and id."""
        found: dict[str, dict[str, Decimal]] = {}
        for line in payment.get("Line", ()):
            for each in line.get("LinkedTxn", ()):
                kind = found.setdefault(each["TxnType"], {})
                kind[each["TxnId"]] = kind.get(each["TxnId"], Decimal(0)) + Decimal(str(line["Amount"]))
        return found

    def used(self, kind: str, row_id: str, *, but: str | None = None) -> Decimal:
        """What payments link with a document, without one of them."""
        linked = (self._linked(each).get(kind, {}).get(row_id) for each in self.payments() if each["Id"] != but)
        return sum((each for each in linked if each), start=Decimal(0))

    def _free(self, kind: str, target: Row, own: str | None) -> Decimal:
        whole = self._receivable_line(target)["Amount"] if kind == "JournalEntry" else target["TotalAmt"]
        return Decimal(str(whole)) - self.used(kind, target["Id"], but=own)

    def _is_credit(self, kind: str, target: Row) -> bool:
        if kind == "JournalEntry":
            return bool(self._receivable_line(target)["JournalEntryLineDetail"]["PostingType"] == "Credit")
        return kind in _CREDITS

    def _receivable_line(self, entry: Row) -> Row:
        return next(each for each in entry["Line"] if "Entity" in each["JournalEntryLineDetail"])

    def _customer_of(self, kind: str, target: Row) -> str:
        if kind == "JournalEntry":
            return str(self._receivable_line(target)["JournalEntryLineDetail"]["Entity"]["EntityRef"]["value"])
        return str(target["CustomerRef"]["value"])

    def _family(self, customer: str) -> str:
        row = self.rows["Customer"][customer]
        return self._family(row["ParentRef"]["value"]) if row.get("BillWithParent") else customer

    def _touch_linked(self, payment: Row) -> None:
        for kind, amounts in self._linked(payment).items():
            for each in amounts:
                if each in self.rows[kind] and (self.touches_invoices or kind not in {"Invoice", "CreditMemo"}):
                    self.touch(kind, each)

    def unapplied(self, payment: Row) -> Decimal:
        """What lies on nothing."""
        rest = Decimal(str(payment["TotalAmt"]))
        for kind, amounts in self._linked(payment).items():
            for each, amount in amounts.items():
                rest += amount if self._is_credit(kind, self.rows[kind][each]) else -amount
        return rest

    def owed(self, customer: str) -> Decimal:
        """What the general ledger says that a customer owes."""
        whole = Decimal(0)
        for kind, sign in (("Invoice", 1), ("CreditMemo", -1), ("Payment", -1)):
            for row in self.rows[kind].values():
                if row["CustomerRef"]["value"] == customer:
                    whole += sign * Decimal(str(row["TotalAmt"]))
        for row in self.rows["JournalEntry"].values():
            line = self._receivable_line(row)
            if self._customer_of("JournalEntry", row) == customer:
                sign = 1 if line["JournalEntryLineDetail"]["PostingType"] == "Debit" else -1
                whole += sign * Decimal(str(line["Amount"]))
        return whole

    # ------------------------------------------------------------ showing

    def shown(self, entity: str, row: Row) -> Row:
        """As the interface shows it: with what is computed, and its times in the company's zone."""
        at = self.at[entity, row["Id"]].astimezone(PACIFIC).isoformat()
        told = {**copy.deepcopy(row), "domain": "QBO", "sparse": False}
        told["MetaData"] = {"CreateTime": at, "LastUpdatedTime": at}
        if entity in {"Invoice", "CreditMemo"}:
            used = self.used(entity, row["Id"])
            told["Balance"] = self.stale_balances.get(row["Id"], Decimal(str(row["TotalAmt"])) - used)
            told["LinkedTxn"] = [
                {"TxnId": each["Id"], "TxnType": "Payment"}
                for each in self.payments()
                if row["Id"] in self._linked(each).get(entity, {})
            ]
        if entity == "CreditMemo":
            told["RemainingCredit"] = told["Balance"]
        if entity == "Payment":
            told["UnappliedAmt"] = self.unapplied(row)
        if entity == "Account" and row["AccountType"] == "Accounts Receivable":
            told["CurrentBalance"] = self._balance_of(row["CurrencyRef"]["value"])
        return told

    def _balance_of(self, currency: str) -> Decimal:
        owing = [each for each, row in self.rows["Customer"].items() if row["CurrencyRef"]["value"] == currency]
        return sum((self.owed(each) for each in owing), start=Decimal(0))

    def listed(self, entity: str) -> list[Row]:
        """What a query can see."""
        if entity == "Preferences":
            return [{"CurrencyPrefs": {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": self.home}}}]
        if entity == "RecurringTransaction":
            return copy.deepcopy(self.templates)
        rows = self.rows.get(entity)
        if rows is None:
            raise Refused("4000", "Error parsing query", f"QueryParserError: invalid entity {entity}")
        return [self.shown(entity, row) for each, row in rows.items() if (entity, each) not in self.hidden]

    def captured(self, entity: str, since: datetime) -> list[Row]:
        """What changed since then, deletions included."""
        found = [
            self.shown(entity, row)
            for each, row in self.rows[entity].items()
            if self.at[entity, each] >= since and (entity, each) not in self.hidden
        ]
        return found + [
            {"domain": "QBO", "status": "Deleted", "Id": each, "MetaData": {"LastUpdatedTime": at.isoformat()}}
            for each, at in self.gone[entity].items()
            if at >= since
        ]
