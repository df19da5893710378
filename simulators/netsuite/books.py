"""One account's books: records as they were written; what is open follows from the lists that tick it.

Records: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/article_0224093711.html (customer payment) and its
neighbours; lists are keyed by the document that a line is for. Errors: …/section_156570709583.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

Row = dict[str, Any]

ZONE: Final = ZoneInfo("America/New_York")
TYPES: Final = {
    "invoice": "CustInvc",
    "customerPayment": "CustPymt",
    "creditMemo": "CustCred",
    "journalEntry": "Journal",
    "estimate": "Estimate",
}
CURRENCIES: Final = {"1": "USD", "2": "GBP", "3": "EUR", "4": "JPY"}
RECEIVABLE: Final = "11"
BANK: Final = "12"
MEMO_MAX: Final = 999


class Refused(Exception):
    """An error; `detail` is the vendor's words."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {
            "type": "https://www.rfc-editor.org/rfc/rfc9110.html",
            "title": "Bad Request",
            "status": status,
            "o:errorDetails": [{"detail": detail, "o:errorCode": code}],
        }


class Books:
    """Records by id; `ticks` of a record are (document, amount) of its apply list, `takes` those of its credit list."""

    def __init__(self) -> None:
        self.records: dict[str, Row] = {}
        self.customers: dict[str, Row] = {}
        self.gone: list[tuple[str, str, datetime]] = []
        self.number = 100
        self.refused: dict[str, str] = {}
        self.closed_through = ""
        self.locked: set[str] = set()
        self.late_open: dict[str, Decimal] = {}
        self.touches_invoices = True
        self.hidden: set[str] = set()
        self.version = 0

    def changed(self, row: Row, at: datetime | None = None) -> None:
        """It changed, now or (a transaction that took long) at an earlier time."""
        row["at"] = (at or datetime.now(UTC)).replace(microsecond=0)
        self.version += 1

    def make(self, kind: str, row: Row, *, at: datetime | None = None) -> Row:
        """A new record."""
        self.number += 1
        made = {"id": str(self.number), "kind": kind, "ticks": {}, "takes": {}, "memo": "", "voided": False, **row}
        made.setdefault("tranid", f"{TYPES[kind][:4].upper()}{self.number}")
        self.records[made["id"]] = made
        self.changed(made, at)
        return made

    def get(self, kind: str, named: str) -> Row:
        """A record by its id, or by `eid:` and its external id."""
        for row in self.records.values():
            if row["kind"] == kind and named in {row["id"], f"eid:{row.get('externalid')}"}:
                return row
        raise Refused(
            404, "NONEXISTENT_ID", f"The record instance does not exist. Provide a valid record instance ID. ({named})"
        )

    # ------------------------------------------------------------ writing

    def put(self, kind: str, external: str, body: Row) -> Row:
        """An upsert: a record that has the external id is changed, whatever it is."""
        found = [row for row in self.records.values() if (row["kind"], row.get("externalid")) == (kind, external)]
        return self.patch(found[0], body) if found else self.post(kind, {**body, "externalId": external})

    def post(self, kind: str, body: Row) -> Row:
        """A new record."""
        row = self._read(kind, body)
        self._check(row)
        made = self.make(kind, row)
        self._touch(made["ticks"])
        return made

    def patch(self, row: Row, body: Row, *, replace: bool = False) -> Row:
        """Fields and lines that are sent change; with `replace` its lists become what is sent."""
        before = dict(row["ticks"])
        kept = {} if replace else row["ticks"]
        read = self._read(row["kind"], body, kept=kept, takes=row["takes"])
        self._check({**row, **read})
        row.update(read)
        self.changed(row)
        self._touch({**before, **row["ticks"]})
        return row

    def delete(self, row: Row) -> None:
        """Gone: only the list of deleted records knows of it."""
        self._check_period(row)
        if row["id"] in self.locked:
            raise Refused(400, "USER_ERROR", "This transaction is reconciled with the bank and cannot be deleted.")
        if any(row["id"] in {**each["ticks"], **each["takes"]} for each in self.records.values()):
            raise Refused(400, "USER_ERROR", "This record cannot be deleted because it has dependent records.")
        del self.records[row["id"]]
        self.gone.append((row["id"], TYPES[row["kind"]], datetime.now(UTC).replace(microsecond=0)))
        self.version += 1
        self._touch(row["ticks"])

    def void(self, row: Row) -> None:
        """It stays, with nothing of it."""
        ticks = dict(row["ticks"])
        row.update(voided=True, ticks={}, takes={}, amount=Decimal(0))
        self.changed(row)
        self._touch(ticks)

    def process(self, row: Row) -> None:
        """An estimate became an order or an invoice."""
        row["status"] = "B"
        self.changed(row)

    def _read(self, kind: str, body: Row, *, kept: Row | None = None, takes: Row | None = None) -> Row:
        row: Row = {"ticks": dict(kept or {}), "takes": dict(takes or {})}
        for name, key in (("memo", "memo"), ("tranDate", "on"), ("externalId", "externalid")):
            if name in body:
                row[key] = body[name]
        if len(str(body.get("memo", ""))) > MEMO_MAX:
            raise Refused(
                400, "INVALID_VALUE", "The field memo contains more than the maximum number ( 999 ) of characters."
            )
        if "customer" in body or "entity" in body:
            row["customer"] = str((body.get("customer") or body["entity"])["id"])
        if "currency" in body:
            row["currency"] = CURRENCIES[str(body["currency"]["id"])]
        if "payment" in body:
            row["amount"] = Decimal(str(body["payment"]))
        for name, into in (("apply", "ticks"), ("credit", "takes")):
            for line in body.get(name, {}).get("items", ()):
                if line["apply"]:
                    row[into][str(line["doc"]["id"])] = Decimal(str(line["amount"]))
                else:
                    row[into].pop(str(line["doc"]["id"]), None)
        if kind == "journalEntry":
            row |= self._entry(body)
        return row

    def _entry(self, body: Row) -> Row:
        lines = body["line"]["items"]
        debit, credit = (sum(Decimal(str(each.get(name, 0))) for each in lines) for name in ("debit", "credit"))
        if debit != credit:
            raise Refused(400, "USER_ERROR", "The amounts in a journal entry must balance.")
        owed = next((each for each in lines if each["account"]["id"] == RECEIVABLE), None)
        if owed is None or "entity" not in owed:
            raise Refused(400, "USER_ERROR", "You must enter a customer on a line of accounts receivable.")
        return {"customer": str(owed["entity"]["id"]), "amount": Decimal(str(debit)), "is_debit": "debit" in owed}

    # ------------------------------------------------------------ checks

    def _check(self, row: Row) -> None:
        customer = str(row["customer"])
        if customer not in self.customers:
            raise Refused(400, "INVALID_KEY_OR_REF", f"Invalid reference key {customer}.")
        if customer in self.refused:
            raise Refused(400, "USER_ERROR", self.refused[customer])
        self._check_period(row)
        for each, amount in {**row["ticks"], **row["takes"]}.items():
            target = self.records.get(each)
            if target is None or self._family(target["customer"]) != self._family(customer):
                raise Refused(400, "INVALID_KEY_OR_REF", f"Invalid apply reference key {each} for this customer.")
            if amount <= 0 or amount > target["amount"] - self.used(each, but=row.get("id")):
                raise Refused(400, "USER_ERROR", f"The amount applied to {target['tranid']} is more than what is due.")
        if row.get("kind") != "journalEntry" and self.unused(row) < 0:
            raise Refused(400, "USER_ERROR", "The applied amounts are more than the payment.")

    def _check_period(self, row: Row) -> None:
        if self.closed_through and str(row.get("on", "9999")) <= self.closed_through:
            raise Refused(400, "USER_ERROR", "The posting period of this transaction is closed.")

    def _family(self, customer: str) -> str:
        parent = self.customers[customer].get("parent")
        return self._family(parent) if parent else customer

    def _touch(self, ticks: Row) -> None:
        self.version += 1
        for each in ticks:
            if each in self.records and self.touches_invoices:
                self.changed(self.records[each])

    # ------------------------------------------------------------ the ledger

    def used(self, row_id: str, *, but: str | None = None) -> Decimal:
        """What is ticked of a document by others."""
        ticked = (
            {**each["ticks"], **each["takes"]}.get(row_id, Decimal(0)) for each in self.records.values() if each["id"] != but
        )
        return sum(ticked, start=Decimal(0))

    def unused(self, row: Row) -> Decimal:
        """What of a payment or a memo lies on nothing."""
        given: Decimal = sum(row["takes"].values(), start=Decimal(row["amount"]))
        return given - sum(row["ticks"].values(), start=Decimal(0))

    def open(self, row: Row) -> Decimal:
        """What is left to pay of an invoice."""
        left: Decimal = row["amount"] - self.used(row["id"])
        return self.late_open.get(row["id"], left)

    def owed(self, customer: str) -> Decimal:
        """What the general ledger says that a customer owes."""
        whole = Decimal(0)
        for row in self.records.values():
            if row["customer"] == customer and row["kind"] != "estimate":
                is_debit = row["kind"] == "invoice" or (row["kind"] == "journalEntry" and row["is_debit"])
                whole += row["amount"] if is_debit else -row["amount"]
        return whole

    # ------------------------------------------------------------ showing

    def shown(self, row: Row) -> Row:
        """A record as it is answered; its lists are read by themselves."""
        number = next(each for each, symbol in CURRENCIES.items() if symbol == row["currency"])
        who = {"customerPayment": "customer"}.get(row["kind"], "entity")
        told: Row = {
            "id": row["id"],
            "tranId": row["tranid"],
            "memo": row["memo"],
            "tranDate": row.get("on"),
            "currency": {"id": number, "refName": row["currency"]},
            who: {"id": row["customer"]},
            "payment" if row["kind"] == "customerPayment" else "total": row["amount"],
            "voided": row["voided"],
        }
        if row.get("externalid"):
            told["externalId"] = row["externalid"]
        return told

    def listed(self, row: Row, name: str) -> Iterator[Row]:
        """A list of a record: what is ticked, and everything that could be."""
        if name == "line":
            side, other = ("debit", "credit") if row["is_debit"] else ("credit", "debit")
            yield {"account": {"id": RECEIVABLE}, side: row["amount"], "entity": {"id": row["customer"]}}
            yield {"account": {"id": BANK}, other: row["amount"]}
            return
        ticked = row["ticks" if name == "apply" else "takes"]
        for each in self.records.values():
            is_debit = each["kind"] == "invoice" or (each["kind"] == "journalEntry" and each["is_debit"])
            if each["customer"] != row["customer"] or each["kind"] in {"customerPayment", "estimate"}:
                continue
            is_open = each["amount"] > self.used(each["id"])
            if is_debit == (name == "apply") and (each["id"] in ticked or is_open):
                kind = {"invoice": "Invoice", "journalEntry": "Journal"}.get(each["kind"], "Credit Memo")
                line = {"doc": {"id": each["id"]}, "type": kind, "apply": each["id"] in ticked, "line": 0}
                yield {**line, "amount": ticked.get(each["id"], Decimal(0))}
