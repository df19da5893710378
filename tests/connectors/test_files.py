"""Exports are read as people have them: encodings, separators, dates and amounts; and what cannot be read says why."""

import re
import tracemalloc
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest

from connectors.files import RULES, DateOrder, FileRefused, Problem, Read, Skipped, open_export
from connectors.files.refusals import RowRefused
from domain.money import MoneyError, parse_amount
from domain.receivables import ErpInvoice, ErpInvoiceStatus
from tests.launch.exports import OWN, QUICKBOOKS_REPORT, XERO, as_csv, own_file, own_row, workbook, write, xero_row


def everything(
    path: Path, *, currency: str | None = None, dates: DateOrder | None = None, encoding: str | None = None
) -> list[Read | Skipped | Problem]:
    opened = open_export(path, encoding=encoding)
    return list(opened.read(opened.count(dates), currency=currency))


def invoices(path: Path, currency: str | None = None, dates: DateOrder | None = None) -> list[ErpInvoice]:
    found = everything(path, currency=currency, dates=dates)
    problems = [str(each) for each in found if isinstance(each, Problem)]
    assert problems == []
    return [each.invoice for each in found if isinstance(each, Read) and each.invoice is not None]


def problems(path: Path, *, dates: DateOrder | None = None) -> list[tuple[int, str]]:
    return [(each.line, each.rule) for each in everything(path, dates=dates) if isinstance(each, Problem)]


def refusal(path: Path) -> tuple[int, str]:
    with pytest.raises(FileRefused) as refused:
        everything(path)
    return refused.value.problem.line, refused.value.problem.rule


def test_a_xero_export_has_a_row_for_each_line_of_an_invoice(tmp_path: Path) -> None:
    second = xero_row(Description="Windows", Quantity="3", UnitAmount="12.3456", LineAmount="37.04", TaxAmount="7.41")
    other = xero_row(InvoiceNumber="INV-2", Total="60.00", InvoiceAmountDue="0.00", InvoiceAmountPaid="60.00", Status="Paid")
    note = xero_row(InvoiceNumber="CN-1", Type="Sales credit note", Total="-12.00")
    found = everything(write(tmp_path, as_csv([XERO, xero_row(), second, other, note])))
    first, paid, credit_note = found
    assert isinstance(first, Read)
    assert first.invoice is not None
    assert first.customer.name == "Acme Ltd"
    assert first.customer.email == "accounts@acme.example"
    assert (first.invoice.total.minor, first.invoice.settled.minor) == (12000, 0)
    assert (first.invoice.issued_on, first.invoice.due_on) == (date(2026, 3, 16), date(2026, 4, 30))
    assert [line.amount.minor for line in first.invoice.lines] == [10000, 3704]
    assert first.invoice.lines[0].unit_price.minor == 5000
    assert "12.3456" in first.invoice.lines[1].description
    assert isinstance(paid, Read)
    assert paid.invoice is not None
    assert paid.invoice.status is ErpInvoiceStatus.PAID
    assert credit_note == Skipped(line=5, rows=1, why="Sales credit note")


def test_a_quickbooks_report_has_titles_totals_and_a_foot_around_its_rows(tmp_path: Path) -> None:
    path = write(tmp_path, QUICKBOOKS_REPORT)
    first, second = invoices(path, currency="USD")
    assert (first.number, first.total.minor, first.settled.minor, first.status) == ("1001", 125000, 0, ErpInvoiceStatus.OPEN)
    assert (second.total.minor, second.settled.minor, second.due_on) == (200050, 150000, date(2026, 3, 3))
    assert [each.why for each in everything(path, currency="USD") if isinstance(each, Skipped) and each.why] == [
        "Credit Memo"
    ]


def test_a_quickbooks_file_without_a_currency_asks_for_one(tmp_path: Path) -> None:
    assert {rule for _, rule in problems(write(tmp_path, QUICKBOOKS_REPORT))} == {"currency_missing"}


@pytest.mark.parametrize(
    ("word", "status"),
    [("Overdue 12 days", "open"), ("Paid", "paid"), ("Voided", "void"), ("In limbo", "unknown"), ("", "open")],
)
def test_a_status_is_translated_and_an_unknown_one_says_so(tmp_path: Path, word: str, status: str) -> None:
    rows = [["Date", "No.", "Customer", "Due date", "Balance", "Total", "Status"]]
    rows.append(["2026-03-16", "7", "Acme", "2026-04-16", "10.00", "10.00", word])
    (found,) = invoices(write(tmp_path, as_csv(rows)), currency="USD")
    assert found.status == status


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separators_and_encodings_are_found_out(tmp_path: Path, separator: str, encoding: str) -> None:
    text = as_csv([OWN, own_row(customer_name="Café Zoë", total="1.250,50")], separator=separator)
    (found,) = everything(write(tmp_path, text, encoding=encoding))
    assert isinstance(found, Read)
    assert found.customer.name == "Café Zoë"
    assert found.invoice is not None
    assert found.invoice.total.minor == 125050


def test_a_workbook_is_read_with_its_own_dates_and_numbers(tmp_path: Path) -> None:
    row = ["N-7", "C-1", "Acme", "EUR", datetime(2026, 3, 4), date(2026, 4, 3), 1234.1, 0, None]  # noqa: DTZ001
    (found,) = invoices(workbook(tmp_path, [OWN, row]))
    assert (found.total.minor, found.issued_on, found.due_on) == (123410, date(2026, 3, 4), date(2026, 4, 3))


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (("03/04/2026", "16/04/2026"), date(2026, 4, 3)),
        (("03/04/2026", "04/16/2026"), date(2026, 3, 4)),
        (("03.04.2026", "05.04.2026"), date(2026, 4, 3)),
        (("3 Apr 2026", "5-Apr-26"), date(2026, 4, 3)),
        (("Apr 3, 2026", "2026/04/05"), date(2026, 4, 3)),
        (("2026-04-03T00:00:00", "2026-04-05"), date(2026, 4, 3)),
    ],
)
def test_the_file_as_a_whole_decides_what_its_dates_mean(tmp_path: Path, dates: tuple[str, str], expected: date) -> None:
    (found,) = invoices(own_file(tmp_path, own_row(issued_on=dates[0], due_on=dates[1])))
    assert found.issued_on == expected


def test_dates_that_nothing_decides_are_refused_until_somebody_says(tmp_path: Path) -> None:
    path = own_file(tmp_path, own_row(issued_on="03/04/2026", due_on="05/06/2026"))
    assert refusal(path) == (2, "dates_ambiguous")
    assert invoices(path, dates=DateOrder.MONTH_FIRST)[0].issued_on == date(2026, 3, 4)
    assert invoices(path, dates=DateOrder.DAY_FIRST)[0].issued_on == date(2026, 4, 3)


def test_dates_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    rows = own_row(issued_on="16/03/2026", due_on="17/03/2026"), own_row("N-2", issued_on="03/16/2026", due_on="03/17/2026")
    assert refusal(own_file(tmp_path, *rows)) == (3, "dates_contradict")


HOSTILE = {
    "formula": own_row(total="=1+1"),
    "cell_empty": own_row(customer_name=""),
    "cell_too_long": own_row(customer_name="x" * 501),
    "cell_unprintable": own_row(customer_name="Ac\0me"),
    "cells_beyond_headings": [*own_row(status="open"), "1", "250.00"],
    "date_unreadable": own_row(issued_on="31/02/2026", due_on="2026-13-01"),
    "due_before_issued": own_row(due_on="2026-03-15"),
    "currency_unknown": own_row(currency="XXQ"),
    "amount_unreadable": own_row(total="a lot"),
    "amount_ambiguous": own_row(total="1.250"),
    "amount_too_precise": own_row(total="1.2345"),
    "amount_out_of_range": own_row(total="99999999999999999"),
    "amount_negative": own_row(total="-5.00"),
    "balance_impossible": own_row(paid="100.01"),
}


@pytest.mark.parametrize("rule", HOSTILE)
def test_a_bad_row_is_refused_with_its_line_and_rule(tmp_path: Path, rule: str) -> None:
    path = own_file(tmp_path, own_row("N-0"), HOSTILE[rule], own_row("N-2"))
    assert problems(path, dates=DateOrder.DAY_FIRST) == [(3, rule)]


def test_an_accountants_brackets_are_a_minus(tmp_path: Path) -> None:
    assert problems(own_file(tmp_path, own_row(total="($5.00)"))) == [(2, "amount_negative")]


def test_a_number_that_occurs_twice_names_both_lines(tmp_path: Path) -> None:
    found = everything(own_file(tmp_path, own_row("N-1"), own_row("N-2"), own_row("N-1")))
    (problem,) = [each for each in found if isinstance(each, Problem)]
    assert (problem.line, problem.rule) == (4, "number_twice")
    assert "line 2" in problem.sentence


def test_rows_of_one_invoice_must_agree(tmp_path: Path) -> None:
    path = write(tmp_path, as_csv([XERO, xero_row(), xero_row(Total="121.00")]))
    assert problems(path) == [(3, "lines_disagree")]


def test_lines_count_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = own_file(tmp_path, own_row(customer_name="Acme\nof two\nlines"), own_row("N-2", total="?"))
    assert problems(path) == [(5, "amount_unreadable")]


def test_an_address_and_a_time_zone_are_looked_at(tmp_path: Path) -> None:
    headings = ["customer_number", "customer_name", "customer_email", "currency", "time_zone"]
    rows = [headings, ["1", "A", "nobody", "USD", ""], ["2", "B", "b@b.example", "USD", "Mars/Olympus"]]
    assert problems(write(tmp_path, as_csv(rows))) == [(2, "email_unreadable"), (3, "time_zone_unknown")]


def test_broken_quotes_are_found_before_anything_is_read(tmp_path: Path) -> None:
    text = as_csv([OWN, own_row()]) + 'N-2,C-1,"Acme,USD,2026-03-16,2026-04-15,1.00,,\n'
    assert refusal(write(tmp_path, text)) == (3, "file_broken")


def test_ten_megabytes_in_one_line_are_not_held_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path, as_csv([OWN]) + "x" * 10_000_000)
    tracemalloc.start()
    try:
        assert refusal(path) == (2, "line_too_long")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "file_empty"),
        (b"\n\n\n", "file_empty"),
        (b"\xd0\xcf\x11\xe0 an old workbook", "file_not_a_table"),
        (b"%PDF-1.7", "file_not_a_table"),
        (b"a,b,c\n1,2,3\n", "columns_unknown"),
        (b"name\x81\x8d\n", "encoding_unknown"),
        (b"PK\x03\x04 no archive", "file_broken"),
        (",".join(OWN).encode() + b"\n", "file_empty"),
        (",".join([*OWN, "total"]).encode() + b"\n", "heading_twice"),
        (b",".join([b"x"] * 400) + b"\n", "line_too_long"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    assert refusal(path)[1] == rule


def test_headings_that_are_not_known_are_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="duedate"):
        everything(write(tmp_path, "ContactName,InvoiceNumber,InvoiceDate,Total\n"))


def test_a_workbook_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/worksheets/sheet1.xml", "w") as part:
        for _ in range(64):
            part.write(b"\0" * 1_000_000)
    assert path.stat().st_size < 200_000
    assert refusal(path)[1] == "file_too_large_inside"


def test_a_workbook_with_a_document_type_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [OWN, own_row()])
    evil = tmp_path / "evil.xlsx"
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(evil, "w") as bad:
        for part in good.namelist():
            content = good.read(part)
            if part.endswith("sheet1.xml"):
                content = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + content
            bad.writestr(part, content)
    assert refusal(evil)[1] == "file_broken"


def test_a_formula_in_a_workbook_is_refused_and_one_in_a_reports_total_is_not_seen(tmp_path: Path) -> None:
    path = workbook(tmp_path, [OWN, own_row()], named={"G2": "=SUM(1,2)"})
    assert problems(path) == [(2, "formula")]
    report = [["Date", "Num", "Customer", "Due date", "Amount", "Open balance"]]
    report += [["2026-03-16", "7", "Acme", "2026-04-16", "10.00", "10.00"], ["TOTAL", "", "", "", "=SUM(E2)", "=SUM(F2)"]]
    assert len(invoices(workbook(tmp_path, report), currency="USD")) == 1


def test_reading_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as out:
        out.write(as_csv([OWN]))
        for number in range(5_000):
            out.write(f"N-{number},C-{number % 50},Acme,USD,2026-03-16,2026-04-15,100.00,,\n")
    opened = open_export(path)
    counted = opened.count(None)
    assert counted.rows == 5_000
    tracemalloc.start()
    try:
        assert sum(isinstance(each, Read) for each in opened.read(counted, currency=None)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000, "the numbers are kept, the rows are not"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", ["", "x", "1.250", "1.2345", "99999999999999999"])
def test_every_rule_of_amounts_is_a_rule_of_files(text: str) -> None:
    with pytest.raises(MoneyError) as error:
        parse_amount(text, "USD")
    assert RowRefused.of_amount(1, "Total", error.value).problem.rule in RULES


def test_every_rule_can_be_broken() -> None:
    """Each rule's name occurs in a test here: one that nothing can break would be found out."""
    written = "".join(Path(__file__).with_name(name).read_text() for name in ("test_files.py", "test_files_hostile.py"))
    assert [rule for rule in RULES if not re.search(rf'"{rule}"', written)] == []
