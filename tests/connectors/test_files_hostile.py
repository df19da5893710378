"""JSON files, and workbooks that look right: what is in them is read exactly, or refused by its rule and its place."""

import json
import zipfile
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.files import open_export
from tests.connectors.test_files import everything, invoices, problems, refusal
from tests.launch.exports import OWN, own_row, workbook, write


def own_object(number: str = "N-1", **facts: object) -> dict[str, Any]:
    """One invoice in Duly's own columns, as JSON has it: what is empty is left out."""
    cells = {name: cell for name, cell in zip(OWN, own_row(number), strict=True) if cell}
    return {**cells, **facts}


def as_list(*objects: dict[str, Any], indent: int | None = 2) -> str:
    return json.dumps(objects, indent=indent)


def as_lines(*objects: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in objects)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("shape", [as_list, as_lines])
def test_a_list_of_objects_and_json_lines_are_tables(tmp_path: Path, shape: Any, encoding: str) -> None:
    # What the first object lacks is not lost in the second: a payment that is not seen would be asked for again.
    text = shape(own_object(customer_name="Zoë"), own_object("N-2", total=1250.5, paid=50, note={"any": ["thing"]}))
    first, second = invoices(write(tmp_path, text, encoding=encoding))
    assert (first.number, first.total.minor, first.settled.minor) == ("N-1", 10000, 0)
    assert (second.number, second.total.minor, second.settled.minor) == ("N-2", 125050, 5000)
    assert (second.issued_on, second.due_on) == (date(2026, 3, 16), date(2026, 4, 15))


def test_a_row_of_json_is_told_by_its_line_and_by_its_number_where_lines_are_shared(tmp_path: Path) -> None:
    objects = [own_object("N-0"), own_object("N-1", total="?"), own_object("N-0")]
    assert problems(write(tmp_path, as_lines(*objects))) == [(2, "amount_unreadable"), (3, "number_twice")]
    # Pretty-printed, an object is ten lines: one for its brace and one for each of its names.
    width = len(own_object()) + 2
    assert problems(write(tmp_path, as_list(*objects))) == [
        (2 + width, "amount_unreadable"),
        (2 + 2 * width, "number_twice"),
    ]
    found = everything(write(tmp_path, as_list(*objects, indent=None)))
    assert [str(each).split(":")[0] for each in found[1:]] == ["object 2", "object 3"]
    assert "object 1 too" in str(found[2])


ROWS = {
    "cell_nested": own_object(customer_name=["Acme"]),
    "formula": own_object(customer_name="=1+1"),
    "cell_unprintable": own_object(customer_name="Ac\ud800me"),
    "cell_too_long": own_object(customer_name="x" * 501),
    "cell_empty": own_object(customer_name=None),
    "amount_unreadable": own_object(total=1e300),
    "amount_negative": own_object(total=-1),
    "date_unreadable": own_object(issued_on=46097),
}


@pytest.mark.parametrize("rule", ROWS)
def test_a_bad_object_is_refused_by_its_rule_and_its_neighbours_are_read(tmp_path: Path, rule: str) -> None:
    assert problems(write(tmp_path, as_lines(own_object("N-0"), ROWS[rule], own_object("N-2")))) == [(2, rule)]


GOOD = json.dumps(own_object())
FILES = {
    "a list without its end": (f"[{GOOD}", 1, "file_broken"),
    "an object without its end": (f"{GOOD}\n{GOOD[:-1]}", 2, "file_broken"),
    "no comma": (f"[{GOOD}\n{GOOD}]", 2, "file_broken"),
    "a comma too many": (f"[{GOOD},]", 1, "file_broken"),
    "something after the list": (f"[{GOOD}]\n{GOOD}", 2, "file_broken"),
    "a number among the objects": (f"{GOOD}\n17\n", 2, "file_broken"),
    "a word that is not JSON": (f"{GOOD}\n{{'a': 1}}\n{GOOD * 1000}", 2, "file_broken"),
    "lists in lists": ('{"a":' + "[" * 60_000, 1, "file_broken"),
    "an endless cell": (GOOD[:-1] + ', "note": "' + "x" * 70_000, 1, "line_too_long"),
    "an endless object": ('{"a":[' + "1," * 70_000, 1, "line_too_long"),
    "too many names": (json.dumps({str(number): 1 for number in range(301)}), 1, "line_too_long"),
    "a name twice": (f'{GOOD}\n{{"total": 1, "total": 2}}', 2, "heading_twice"),
    "an empty list": ("[ ]", 0, "file_empty"),
    "other names": ('[{"a": 1}]', 0, "columns_unknown"),
}


@pytest.mark.parametrize("what", FILES)
def test_json_that_is_no_table_is_refused_with_its_line(tmp_path: Path, what: str) -> None:
    text, line, rule = FILES[what]
    assert refusal(write(tmp_path, text)) == (line, rule)


def test_json_in_another_encoding_is_refused_unless_a_person_names_it(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(own_object(customer_name="Zoë"), ensure_ascii=False), encoding="cp1252")
    assert refusal(path) == (0, "encoding_unknown")
    opened = open_export(path, encoding="cp1252")
    (read,) = opened.read(opened.count(None), currency=None)
    assert "Zoë" in str(read)


def test_a_number_is_never_taken_for_a_thousand_times_itself(tmp_path: Path) -> None:
    # As text 1.125 is a thousand and more in many countries; a number's point is none of those.
    yen = own_object(currency="JPY", total=1.125)
    assert problems(write(tmp_path, as_lines(yen))) == [(1, "amount_too_precise")]
    assert problems(workbook(tmp_path, [OWN, [*own_row(currency="JPY")[:6], 1.125]])) == [(2, "amount_too_precise")]
    (dinars,) = invoices(write(tmp_path, as_lines(own_object(currency="KWD", total=1.125))))
    assert dinars.total.minor == 1125


def test_a_cell_that_another_spans_is_not_read_as_an_empty_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["What is open"])
    for row in (OWN, *(own_row(f"N-{number}", paid="40.00") for number in range(4))):
        sheet.append(list(row))
    sheet.merge_cells("A1:I1")  # a title over all columns is as it should be
    sheet.merge_cells("H4:H5")  # what was paid, once for two invoices
    path = tmp_path / "merged.xlsx"
    book.save(path)
    assert problems(path) == [(5, "merged")]


def test_a_date_that_is_a_bare_number_in_a_workbook_is_refused(tmp_path: Path) -> None:
    row: list[object] = [*own_row()]
    row[OWN.index("issued_on")] = 46097
    assert problems(workbook(tmp_path, [OWN, row])) == [(2, "date_unreadable")]


def test_a_workbook_that_breaks_off_inside_its_sheet_is_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path, [OWN, *(own_row(f"N-{number}") for number in range(200))])
    bad = tmp_path / "bad.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as copy:
        for part in source.namelist():
            content = source.read(part)
            told = zipfile.ZipInfo(part)
            if not part.endswith("sheet1.xml"):
                copy.writestr(told, content)
                continue
            packer = zlib.compressobj(wbits=-15)
            packed = packer.compress(content[:20_000]) + packer.flush(zlib.Z_FULL_FLUSH)
            copy.writestr(told, packed + b"\xff" * 50)  # a block of a kind that there is not
            told.compress_type, told.file_size = zipfile.ZIP_DEFLATED, len(content)
    assert refusal(bad)[1] == "file_broken"
