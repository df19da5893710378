"""A table out of a file, row by row: CSV text in the encodings and with the separators that people have, JSON, or XLSX.

Which it is, its content decides, not its name. A file is opened afresh for each pass over it.
"""

from __future__ import annotations

import codecs
import csv
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from numbers import Number
from pathlib import Path
from typing import Final, TextIO
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from connectors.files.merged import merged_cells
from connectors.files.objects import begins_as_objects, object_rows, outline
from connectors.files.refusals import FileRefused
from connectors.files.rows import COLUMNS_MOST, PLAIN, Mark, Row

SEPARATORS: Final = ",;\t|"
LINE_MOST: Final = 64 * 1024
_CHUNK: Final = 256 * 1024
_BEGINNING: Final = 4096
_UNPACKED_MOST: Final = 512 * 1024 * 1024
_RATIO_MOST: Final = 200
_RATIO_FROM: Final = 4 * 1024 * 1024  # small files of blanks pack well without being bombs
_STRINGS_MOST: Final = 64 * 1024 * 1024  # openpyxl keeps a workbook's shared strings in memory
_PARTS_MOST: Final = 1000
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    InvalidFileException,
    ParseError,
    KeyError,
    IndexError,
    ValueError,
    OSError,
    EOFError,
)
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


Rows = Callable[[], Iterator[Row]]


def readings(path: Path, *, encoding: str | None) -> list[Rows]:
    """The ways to read a file as a table, each to be called for a fresh pass: one for a workbook and for JSON, one a
    separator for other text.

    Raises FileRefused.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise FileRefused("file_empty", "the file is empty")
    if head.startswith(b"PK\x03\x04"):
        _check_workbook(path)
        return [lambda: _sheet_rows(path)]
    if head.startswith((b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b")):
        raise FileRefused("file_not_a_table", "this is neither CSV or JSON text nor an XLSX workbook")
    known = encoding or _encoding_of(path)
    if begins_as_objects(_beginning(path, known)):
        # JSON is UTF-8 by its standard: what is not, was broken on the way here, unless a person says otherwise.
        if known == "cp1252" and encoding is None:
            raise FileRefused("encoding_unknown", "this JSON is not UTF-8")
        seen = outline(path, known)
        return [lambda: object_rows(path, known, seen)]

    def reading(separator: str) -> Rows:
        return lambda: _text_rows(path, known, separator)

    return [reading(separator) for separator in SEPARATORS]


def _encoding_of(path: Path) -> str:
    """By its mark; else UTF-8 if all of it is, else Windows-1252 if all of it can be."""
    with path.open("rb") as file:
        head = file.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    for name in ("utf-8", "cp1252"):
        decoder = codecs.getincrementaldecoder(name)()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    raise FileRefused("encoding_unknown", "the text is neither UTF-8 nor Windows-1252")


def _beginning(path: Path, encoding: str) -> str:
    try:
        with path.open(encoding=encoding, errors="replace") as file:
            return file.read(_BEGINNING)
    except (LookupError, UnicodeError):
        return ""  # whoever reads it as a table says what is wrong


def _text_rows(path: Path, encoding: str, separator: str) -> Iterator[Row]:
    try:
        file = path.open(encoding=encoding, newline="")
    except LookupError as unknown:
        raise FileRefused("encoding_unknown", f"there is no encoding called {encoding!r}") from unknown
    with file:
        reader = csv.reader(_lines(file), delimiter=separator, strict=True)
        begins = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                too_long = "field larger" in str(error)
                rule = "line_too_long" if too_long else "file_broken"
                said = "a cell that began here does not end" if too_long else f"the quotes do not pair up ({error})"
                raise FileRefused(rule, said, line=begins) from error
            except UnicodeError as error:
                raise FileRefused("encoding_unknown", f"this is not {encoding} text", line=reader.line_num + 1) from error
            if cells is None:
                return
            yield _row(begins, [cell.strip() for cell in cells])
            begins = reader.line_num + 1


def _lines(file: TextIO) -> Iterator[str]:
    """The physical lines, none of them longer than fits: a file without line ends is not read whole."""
    number = 0
    while line := file.readline(LINE_MOST + 1):
        number += 1
        if len(line) > LINE_MOST:
            raise FileRefused("line_too_long", f"the line has more than {LINE_MOST:,} characters", line=number)
        yield line


def _check_workbook(path: Path) -> None:
    """Look at what it would unpack to before anything is unpacked. Sizes that lie are found out while unpacking."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            packed = sum(part.compress_size for part in parts) or 1
            strings = max((part.file_size for part in parts if part.filename.endswith("sharedStrings.xml")), default=0)
            if (
                len(parts) > _PARTS_MOST
                or unpacked > _UNPACKED_MOST
                or strings > _STRINGS_MOST
                or (unpacked > _RATIO_FROM and unpacked > packed * _RATIO_MOST)
            ):
                raise FileRefused("file_too_large_inside", f"the workbook would unpack to {unpacked:,} bytes")
            for part in parts:
                # Entities that unfold into more of themselves need a document type; no spreadsheet has one.
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as content:
                        if b"<!DOCTYPE" in content.read(2048).replace(b"\0", b""):
                            raise FileRefused("file_broken", f"{part.filename} declares a document type")
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        raise FileRefused("file_broken", f"the workbook is damaged ({error})") from error


def _sheet_rows(path: Path) -> Iterator[Row]:
    """The rows of the first sheet. Formulas stay formulas, so that they are seen."""
    try:
        with path.open("rb") as file:
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=False)
            try:
                sheet = workbook.worksheets[0]
                sheet.reset_dimensions()  # what the file claims about its size is not believed
                # A cell that another's value spans reads as an empty one, and that would be a guess about an amount.
                merged = merged_cells(path, vars(sheet)["_worksheet_path"])
                for line, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                    numbers = {at: Mark.NUMBER for at, value in enumerate(values) if _is_number(value)}
                    yield _row(line, [_as_text(value) for value in values], {**numbers, **merged(line)})
            finally:
                workbook.close()
    except _DAMAGED as error:
        raise FileRefused("file_broken", f"the workbook is damaged ({type(error).__name__})") from error


def _is_number(value: object) -> bool:
    return isinstance(value, Number)


def _as_text(value: object) -> str:
    """A cell as it would stand in a CSV; numbers with the fifteen digits that a spreadsheet shows."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int):
        return str(value).strip()
    try:
        return format(value, ".15g")
    except (TypeError, ValueError):
        return str(value).strip()


def _row(line: int, cells: list[str], marks: Mapping[int, Mark] = PLAIN) -> Row:
    while cells and not cells[-1] and marks.get(len(cells) - 1) is not Mark.MERGED:
        cells.pop()
    if len(cells) > COLUMNS_MOST:
        raise FileRefused("line_too_long", f"the row has more than {COLUMNS_MOST} columns", line=line)
    return Row(line=line, cells=tuple(cells), marks=marks)
