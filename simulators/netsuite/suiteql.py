"""SuiteQL over the books, as tables of a database in memory that is made anew when they changed.

Columns: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156257770590.html (SuiteQL) and the records
catalog: transaction, transactionline, transactionaccountingline, account, nexttransactionlinelink, customer, currency,
deletedrecord. A time that is not made text by TO_CHAR comes as a day in the form of the user who asks, in that user's zone.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from simulators.netsuite.books import CURRENCIES, RECEIVABLE, TYPES, ZONE, Books

_TABLES: Final = """
CREATE TABLE "transaction" (id INTEGER, type, tranid, entity INTEGER, currency INTEGER, foreigntotal,
    foreignamountunpaid,
    foreignpaymentamountunused, memo, externalid, voided, status, otherrefnum, createdby, trandate, duedate,
    lastmodifieddate);
CREATE TABLE transactionline ("transaction" INTEGER, id INTEGER, linesequencenumber, mainline, taxline, memo, quantity,
    rate, foreignamount);
CREATE TABLE transactionaccountingline ("transaction" INTEGER, transactionline INTEGER, account INTEGER, posting);
CREATE TABLE account (id INTEGER, accttype);
CREATE TABLE nexttransactionlinelink (previousdoc INTEGER, nextdoc INTEGER, linktype, foreignamount);
CREATE TABLE customer (id INTEGER, entityid, altname, companyname, email, parent INTEGER, isinactive, currency INTEGER,
    lastmodifieddate);
CREATE TABLE currency (id INTEGER, symbol);
CREATE TABLE deletedrecord (recordid INTEGER, type, deleteddate);
"""
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_TEXT: Final = "\x00"


class Unreadable(Exception):
    """A query that is none."""


class Database:
    """The tables of one account."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._version = -1
        self._tables = sqlite3.connect(":memory:", check_same_thread=False)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows with the names in small letters; everything is text, and what is null is left out."""
        if self._version != self._books.version:
            self._fill()
        try:
            cursor = self._tables.execute(_as_sqlite(query))
        except sqlite3.Error as wrong:
            raise Unreadable(str(wrong)) from wrong
        names = [each[0].lower() for each in cursor.description]
        return [
            {"links": [], **{name: _told(value) for name, value in zip(names, row, strict=True) if value is not None}}
            for row in cursor
        ]

    def _fill(self) -> None:
        self._tables.close()
        self._tables = sqlite3.connect(":memory:", check_same_thread=False)
        self._tables.executescript(_TABLES)
        self._tables.create_aggregate("SUM", 1, cast("Any", _Sum))
        self._tables.create_function("TO_CHAR", 2, _to_char)
        self._tables.create_function("TO_DATE", 2, lambda text, _: text)
        books = self._books
        ids = {symbol: number for number, symbol in CURRENCIES.items()}
        for row in books.records.values():
            if row["id"] in books.hidden:
                continue
            is_credit = row["kind"] in {"customerPayment", "creditMemo"}
            whole = f"{-row['amount'] if is_credit else row['amount']}"
            left = str(books.open(row)) if row["kind"] == "invoice" else None
            unused = str(books.unused(row)) if is_credit else None
            values = [
                int(row["id"]),
                TYPES[row["kind"]],
                row["tranid"],
                int(row["customer"]),
                int(ids[row["currency"]]),
                whole,
            ]
            values += [
                left,
                unused,
                row["memo"] or None,
                row.get("externalid"),
                "T" if row["voided"] else "F",
                row.get("status", "A"),
            ]
            values += [row.get("po"), "7", row.get("on"), row.get("due"), _local(row["at"])]
            self._tables.execute(f'INSERT INTO "transaction" VALUES ({",".join("?" * len(values))})', values)
            self._fill_lines(row, whole)
            for each, amount in row["ticks"].items():
                link = (int(each), int(row["id"]), "Payment", str(amount))
                self._tables.execute("INSERT INTO nexttransactionlinelink VALUES (?,?,?,?)", link)
        for each, row in books.customers.items():
            parent = int(row["parent"]) if row.get("parent") else None
            values = [int(each), f"C{each}", f"Customer {each}", None, row["email"], parent]
            values += ["T" if row.get("inactive") else "F", int(ids[row["currency"]]), _local(row["at"])]
            self._tables.execute("INSERT INTO customer VALUES (?,?,?,?,?,?,?,?,?)", values)
        self._tables.executemany(
            "INSERT INTO currency VALUES (?,?)", [(int(each), name) for each, name in CURRENCIES.items()]
        )
        gone = [(int(each), kind, _local(at)) for each, kind, at in books.gone]
        self._tables.executemany("INSERT INTO deletedrecord VALUES (?,?,?)", gone)
        self._tables.execute("INSERT INTO account VALUES (?, 'AcctRec')", (int(RECEIVABLE),))
        self._version = books.version

    def _fill_lines(self, row: dict[str, Any], whole: str) -> None:
        """The line of what is owed, which is in the ledger but of an estimate, and what was sold."""
        number, is_quote = int(row["id"]), row["kind"] == "estimate"
        is_debit = row["kind"] != "journalEntry" or row["is_debit"]
        owed = whole if is_debit else f"-{whole}"
        line = "INSERT INTO transactionline VALUES (?,?,?,?,?,?,?,?,?)"
        self._tables.execute(line, (number, 0, 0, "T", "F", None, None, None, owed))
        booked = (number, 0, int(RECEIVABLE), "F" if is_quote else "T")
        self._tables.execute("INSERT INTO transactionaccountingline VALUES (?,?,?,?)", booked)
        if is_quote or row["kind"] == "invoice":
            self._tables.execute(line, (number, 1, 1, "F", "F", "Services", "-1", whole, f"-{whole}"))


class _Sum:
    """Exact, as a sum of money is over there."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, value: Any) -> None:
        """One more."""
        self._sum += Decimal(str(value))

    def finalize(self) -> str:
        """All of them."""
        return str(self._sum)


def _as_sqlite(query: str) -> str:
    """A name that is a word of its own here; and an amount, which is kept with all its decimals, compared as a number."""
    named = re.sub(r"\btransaction\b", '"transaction"', query)
    return re.sub(r"(\w\.foreignamountunpaid) >", r"CAST(\1 AS NUMERIC) >", named)


def _local(at: datetime) -> str:
    return at.astimezone(ZONE).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def _to_char(value: str | None, form: str) -> str | None:
    if value is None:
        return None
    return _TEXT + (value[:10] if form == "YYYY-MM-DD" else value)


def _told(value: Any) -> str:
    text = str(value)
    if text.startswith(_TEXT):
        return text[1:]
    if _MOMENT.fullmatch(text):
        return f"{text[5:7]}/{text[8:10]}/{text[:4]}"
    return text
