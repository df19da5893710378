"""Statements of account as files. PDF and XLSX are for people; CSV has one head and one row a line, for programs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from starlette.datastructures import QueryParams

from api.documents.cells import csv_of, guarded
from api.documents.sheets import Column, Sheets
from api.documents.typesetting import clean
from api.formatting import Writer
from domain.money import Money, exponent
from domain.refusals import Refused
from domain.statements import KINDS, Act, AsOf, Facts, Line, Section, StatementKind, open_items, transactions

PDF: Final = "pdf"
XLSX: Final = "xlsx"
CSV: Final = "csv"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    PDF: "application/pdf",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    CSV: "text/csv; charset=utf-8",
}
TITLES: Final[Mapping[StatementKind, str]] = {"open": "Open items", "transactions": "Transactions"}
ACTS: Final[Mapping[Act, str]] = {
    Act.INVOICE: "Invoice",
    Act.CREDIT_NOTE: "Credit note",
    Act.PREPAYMENT: "Prepayment",
    Act.OVERPAYMENT: "Overpayment",
    Act.PAYMENT_ELSEWHERE: "Payment",
    Act.SETTLED: "Settled",
    Act.WRITTEN_OFF: "Written off",
    Act.CLOSED: "Closed",
    Act.USED: "Credit used",
    Act.CAPTURED: "Payment",
    Act.RETURNED: "Payment taken back by the bank",
    Act.REFUNDED: "Refund",
    Act.REFUND_CAME_BACK: "Refund that came back",
    Act.APPLIED: "Applied to invoices",
    Act.UNAPPLIED: "Taken off invoices again",
    Act.CHANGED: "Corrected in the books",
    Act.BEYOND: "Paid beyond what was owed",
}
AGES: Final = ("Not due", "1 to 30 days late", "31 to 60", "61 to 90", "Over 90")
_MONTHS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which statement: `currency` None is each by itself, `from_on` is the first day of a list of transactions."""

    kind: StatementKind
    currency: str | None
    from_on: date
    as_of: AsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement and whom it is for."""

    asked: Asked
    customer_name: str
    customer_number: str
    business_name: str
    sections: Sequence[Section]


def asked_of(query: QueryParams, *, now: datetime, zone: ZoneInfo) -> Asked:
    """What an address asks for; what cannot be read is as if it had not been said. Raises Refused 'statement_ahead' for a
    day that has not come, 'statement_backwards' for a period that ends before it begins.
    """
    kind: StatementKind = "transactions" if query.get("kind") == "transactions" else "open"
    currency = query.get("currency", "")
    return asked(
        kind,
        currency if len(currency) == 3 and currency.isascii() and currency.isupper() else None,
        _day(query.get("from", "")),
        _day(query.get("to", "")),
        now=now,
        zone=zone,
    )


def asked(
    kind: StatementKind, currency: str | None, from_on: date | None, to_on: date | None, *, now: datetime, zone: ZoneInfo
) -> Asked:
    """A statement as of the end of a day where the customer is, or of this moment; from the first of the month before last
    where no day is given. Raises Refused as `asked_of` does.
    """
    assert kind in KINDS
    today = now.astimezone(zone).date()
    to_on = to_on or today
    if to_on > today:
        raise Refused("statement_ahead", day=to_on.isoformat(), today=today.isoformat())
    end = datetime.combine(to_on + timedelta(days=1), datetime.min.time(), zone) - timedelta(microseconds=1)
    as_of = AsOf(now, today, is_now=True) if to_on == today else AsOf(end, to_on, is_now=False)
    return since(kind, currency, from_on, as_of)


def since(kind: StatementKind, currency: str | None, from_on: date | None, as_of: AsOf) -> Asked:
    """The same as of any moment."""
    if from_on is None:
        month = as_of.day.year * 12 + as_of.day.month - _MONTHS_SHOWN
        from_on = date(max(month // 12, 1), month % 12 + 1, 1)
    if from_on > as_of.day and kind == "transactions":
        raise Refused("statement_backwards", first=from_on.isoformat(), last=as_of.day.isoformat())
    return Asked(kind=kind, currency=currency, from_on=from_on, as_of=as_of)


def sections_of(found: Facts, wanted: Asked, zone: ZoneInfo) -> Sequence[Section]:
    """The statement's sections, one a currency."""
    if wanted.kind == "open":
        return open_items(found, wanted.as_of, zone=zone)
    return transactions(found, wanted.from_on, wanted.as_of, zone=zone)


def file_of(statement: Statement, form: str, write: Writer) -> bytes:
    """The file. Raises KeyError for a form that there is none of."""
    forms: dict[str, Callable[[Statement, Writer], bytes]] = {PDF: _pdf, XLSX: _xlsx, CSV: _csv}
    return forms[form](statement, write)


def name_of(statement: Statement, form: str) -> str:
    """'statement-open-C0042-2026-11-22.pdf': safe in a header, whatever the customer's number is."""
    number = "".join(each if each.isascii() and each.isalnum() else "-" for each in statement.customer_number).strip("-")
    return f"statement-{statement.asked.kind}-{number or 'customer'}-{statement.asked.as_of.day.isoformat()}.{form}"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def about(line: Line) -> str:
    """The document of a line and what else it concerns: 'PAY-7Q2M4K for INV-1, INV-2 and 3 more'."""
    rest = f" and {len(line.about) - 2} more" if len(line.about) > 3 else ""
    told = ", ".join(line.about[:2] if rest else line.about) + rest
    if line.act is Act.INVOICE:
        return f"{line.document} · {told}" if told else line.document
    return f"{line.document} for {told}" if told and line.document else line.document or told


# ------------------------------------------------------------ for people


def head(statement: Statement, write: Writer) -> list[tuple[str, str]]:
    """What stands above every statement: whose it is, of when."""
    wanted = statement.asked
    told = [("Customer", f"{statement.customer_name} ({statement.customer_number})")]
    if wanted.kind == "transactions":
        told.append(("From", write.long_day(wanted.from_on)))
    told.append(("As of", write.long_day(wanted.as_of.day) + (f", {write.clock(write.now)}" if wanted.as_of.is_now else "")))
    return told


class _Table:
    """A table as people read it: its columns, its rows with typed cells, its sums."""

    def __init__(self, title: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]], sums: Sequence[Any]) -> None:
        self.title, self.columns, self.rows, self.sums = title, columns, rows, sums


class _Minor(NamedTuple):
    """A cell that is an amount."""

    minor: int


def _tables(section: Section, kind: StatementKind) -> Iterator[_Table]:
    if kind == "transactions":
        yield _transactions(section)
        return
    late = Column("Days late", 2, "right")
    columns = [Column("Invoice", 5), Column("Issued", 3), Column("Due", 3), late, Column("Total", 4, "right")]
    rows = [
        (f"{each.number} · {each.site}" if each.site else each.number, each.issued_on, each.due_on,
         each.days_late, _Minor(each.total), _Minor(each.open))
        for each in section.items
    ]  # fmt: skip
    sums = ("Balance", None, None, None, None, _Minor(section.owed))
    yield _Table("Open invoices", [*columns, Column("Open", 4, "right")], rows, sums)
    if section.credits:
        columns = [Column("Document", 5), Column("What", 6), Column("Date", 3), Column("Unapplied", 4, "right")]
        credit_rows = [(each.document, ACTS[each.act], each.on, _Minor(each.left)) for each in section.credits]
        yield _Table("Unapplied", columns, credit_rows, ("Unapplied", None, None, _Minor(section.unapplied)))


def _transactions(section: Section) -> _Table:
    """Where nothing is ever unapplied, two columns less."""
    has_left = section.opening_unapplied != 0 or any(line.unapplied for line in section.lines)
    columns = [Column("Date", 3), Column("What", 5), Column("Document", 6)]
    columns += [Column("Change", 4, "right"), Column("Balance", 4, "right")]
    columns += [Column("Unapplied", 4, "right")] if has_left else []

    def tail(*minor: int) -> list[_Minor]:
        return [_Minor(each) for each in (minor if has_left else minor[:-1])]

    rows: list[Sequence[Any]] = [(None, "Opening balance", "", None, *tail(section.opening_owed, section.opening_unapplied))]
    rows += [
        (line.on, ACTS[line.act], about(line), _Minor(line.owed), *tail(line.balance, line.left)) for line in section.lines
    ]
    return _Table("Transactions", columns, rows, (None, "Closing balance", "", None, *tail(section.owed, section.unapplied)))


def _pdf(statement: Statement, write: Writer) -> bytes:
    wanted, title = statement.asked, f"Statement of account: {TITLES[statement.asked.kind].lower()}"
    made = f"made {write.long_day(write.today)}, {write.clock(write.now)}"
    sheet = Sheets(title=f"{title} · {statement.business_name}", foot=f"{statement.business_name} · {made}")
    sheet.text(statement.business_name, quiet=True)
    sheet.heading(title)
    sheet.pairs(head(statement, write))
    for section in statement.sections:
        sheet.gap()
        sheet.heading(section.currency, size=12)
        for each in _tables(section, wanted.kind):
            rows = ([_said(cell, section.currency, write) for cell in row] for row in each.rows)
            sheet.table(each.columns, rows, sums=[_said(cell, section.currency, write) for cell in each.sums])
            sheet.gap()
        sheet.pairs(_closing(section, wanted.kind, write), side="right")
    if not statement.sections:
        sheet.gap()
        sheet.text(nothing(wanted))
    return sheet.finish()


def nothing(wanted: Asked) -> str:
    """What is said where there is nothing to list."""
    return "Nothing was open on that day." if wanted.kind == "open" else "Nothing had happened by that day."


def _said(cell: object, currency: str, write: Writer) -> str:
    if isinstance(cell, _Minor):
        return write.money(cell.minor, currency)
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(cell)


def _closing(section: Section, kind: StatementKind, write: Writer) -> list[tuple[str, str]]:
    def money(minor: int) -> str:
        return write.money(minor, section.currency)

    told = []
    if kind == "open":
        told = [(name, money(minor)) for name, minor in zip(AGES, section.ages, strict=True) if minor]
        told.append(("Overdue", money(section.overdue)))
    told.append(("Balance", money(section.owed)))
    if section.unapplied:
        told += [("Unapplied", money(-section.unapplied)), ("Balance less what is unapplied", money(section.net))]
    return told


def _xlsx(statement: Statement, write: Writer) -> bytes:
    """A sheet for each currency. Amounts and days are numbers and dates to the spreadsheet, every text is a text."""
    book = Workbook(write_only=True)
    for section in statement.sections:
        sheet = book.create_sheet(section.currency)
        places = exponent(section.currency)
        form = f"#,##0.{'0' * places}" if places else "#,##0"

        def cell(
            value: object, *, bold: bool = False, sheet: Any = sheet, form: str = form, of: str = section.currency
        ) -> Any:
            written = WriteOnlyCell(sheet)
            if isinstance(value, _Minor):
                written.value, written.number_format = Money.of(value.minor, of).as_decimal(), form
            elif isinstance(value, date | int):
                written.value = value
            elif value is not None:
                written.value = clean(str(value))
                written.data_type = "s"  # what begins with '=' is one as well
            if bold:
                written.font = Font(bold=True)
            return written

        sheet.append([cell(f"Statement of account: {TITLES[statement.asked.kind].lower()}", bold=True)])
        for name, told in [("Business", statement.business_name), *head(statement, write), ("Currency", section.currency)]:
            sheet.append([cell(name), cell(told)])
        for each in _tables(section, statement.asked.kind):
            sheet.append([])
            sheet.append([cell(column.head, bold=True) for column in each.columns])
            for row in each.rows:
                sheet.append([cell(value) for value in row])
            sheet.append([cell(value, bold=True) for value in each.sums])
    if not statement.sections:
        book.create_sheet("Statement").append([nothing(statement.asked)])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


# ------------------------------------------------------------ for programs

_OPEN_HEAD: Final = (
    "currency", "kind", "document", "site", "issued_on", "due_on", "days_late", "total", "open", "unapplied",
)  # fmt: skip
_TRANSACTIONS_HEAD: Final = (
    "currency", "date", "kind", "document", "about", "change", "unapplied_change", "balance", "unapplied",
)  # fmt: skip


def _csv(statement: Statement, _write: Writer) -> bytes:
    lines = _open_lines if statement.asked.kind == "open" else _transaction_lines
    return csv_of(lines(statement.sections)).encode()


def _open_lines(sections: Sequence[Section]) -> Iterator[Sequence[str]]:
    yield _OPEN_HEAD
    for section in sections:
        currency = section.currency
        for each in section.items:
            late = "" if each.days_late is None else str(each.days_late)
            yield (
                currency, Act.INVOICE.value, guarded(each.number), guarded(each.site or ""), each.issued_on.isoformat(),
                each.due_on.isoformat(), late, _plain(each.total, currency), _plain(each.open, currency), "",
            )  # fmt: skip
        for held in section.credits:
            yield (
                currency, held.act.value, guarded(held.document), "", held.on.isoformat(), "", "", "", "",
                _plain(held.left, currency),
            )  # fmt: skip


def _transaction_lines(sections: Sequence[Section]) -> Iterator[Sequence[str]]:
    yield _TRANSACTIONS_HEAD
    for section in sections:
        currency = section.currency

        def balances(owed: int, left: int, currency: str = currency) -> tuple[str, str]:
            return _plain(owed, currency), _plain(left, currency)

        yield (currency, "", "opening", "", "", "", "", *balances(section.opening_owed, section.opening_unapplied))
        for line in section.lines:
            yield (
                currency, line.on.isoformat(), line.act.value, guarded(line.document), guarded(" ".join(line.about)),
                *balances(line.owed, line.unapplied), *balances(line.balance, line.left),
            )  # fmt: skip
        yield (currency, "", "closing", "", "", "", "", *balances(section.owed, section.unapplied))


def _plain(minor: int, currency: str) -> str:
    return Money.of(minor, currency).plain()
