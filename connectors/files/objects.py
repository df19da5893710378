"""JSON as a table: a list of objects, or objects one after the other (JSON lines). Their names are the headings.

Objects are decoded one at a time out of a window that never holds more than one of them and a piece of the file, so that a
file of any size is read in the same memory. Each is told by the line that it begins in, or by its number. Numbers stay as
they are written: none of them becomes binary on its way to an amount.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from connectors.files.refusals import FileRefused
from connectors.files.rows import COLUMNS_MOST, OBJECT_MOST, Mark, Row

_PIECE: Final = 64 * 1024
_BLANK: Final = " \t\r\n"


class _Number(str):
    """A number as the file writes it."""

    __slots__ = ()


def begins_as_objects(head: str) -> bool:
    """Whether a text begins as JSON that can be a table does; no CSV that is known has headings like that."""
    bare = head.lstrip(_BLANK)
    if bare.startswith("["):
        return bare[1:].lstrip(_BLANK)[:1] in {"{", "]", ""}
    return bare.startswith("{") and bare[1:].lstrip(_BLANK)[:1] in {'"', "}", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a first look at all objects tells: their names in the order in which they come first, and whether each of them
    begins in a line of its own.
    """

    names: tuple[str, ...]
    has_lines: bool


def outline(path: Path, encoding: str) -> Outline:
    """Look at all of the file: a name that the first object lacks would be lost else. Raises FileRefused."""
    names: dict[str, None] = {}
    before, has_lines = 0, True
    for line, pairs in _objects(path, encoding):
        names.update((name, None) for name, _ in pairs)
        if len(names) > COLUMNS_MOST:
            raise FileRefused("line_too_long", f"the objects have more than {COLUMNS_MOST} names", line=line)
        has_lines = has_lines and line > before
        before = line
    return Outline(names=tuple(names), has_lines=has_lines)


def object_rows(path: Path, encoding: str, seen: Outline) -> Iterator[Row]:
    """The headings as line 0, then a row for each object. Raises FileRefused."""
    yield Row(line=0, cells=seen.names)
    positions = {name: position for position, name in enumerate(seen.names)}
    for number, (line, pairs) in enumerate(_objects(path, encoding), start=1):
        cells, marks = [""] * len(positions), {}
        for name, value in pairs:
            position = positions[name]
            cells[position] = _as_text(value)
            if isinstance(value, _Number):
                marks[position] = Mark.NUMBER
            elif isinstance(value, list | dict):
                marks[position] = Mark.NESTED
        place, unit = (line, "line") if seen.has_lines else (number, "object")
        yield Row(line=place, cells=tuple(cells), marks=marks, unit=unit)


def _objects(path: Path, encoding: str) -> Iterator[tuple[int, list[tuple[str, object]]]]:
    try:
        with path.open(encoding=encoding) as file:
            yield from _Window(file).objects()
    except LookupError as unknown:
        raise FileRefused("encoding_unknown", f"there is no encoding called {encoding!r}") from unknown
    except UnicodeError as error:
        raise FileRefused("encoding_unknown", f"this is not {encoding} text") from error


class _Window:
    """A piece of the file that moves on over it: where in the piece it stands, and in which line that is."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._line = 1
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=str
        )

    def objects(self) -> Iterator[tuple[int, list[tuple[str, object]]]]:
        """Each object with the line in which it begins. Raises FileRefused."""
        is_list = self._next() == "["
        if is_list:
            self._pass(1)
        is_first = True
        while (letter := self._next()) and not (is_list and is_first and letter == "]"):
            self._expect("{", letter)
            line = self._line
            yield line, self._one()
            is_first = False
            if is_list:
                if self._next() != ",":
                    break
                self._pass(1)
        if is_list:
            self._expect("]", self._next())
            self._pass(1)
            self._expect("", self._next())

    def _one(self) -> list[tuple[str, object]]:
        while True:
            try:
                pairs, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # An object that the window cuts off looks broken until the rest of it is there.
                if len(self._text) - self._at <= OBJECT_MOST and self._read():
                    continue
                if len(self._text) - self._at > OBJECT_MOST and (
                    error.msg.startswith("Unterminated") or error.pos - self._at >= OBJECT_MOST
                ):
                    raise self._too_long() from error
                line = self._line + self._text.count("\n", self._at, error.pos)
                raise FileRefused("file_broken", f"this is not JSON ({error.msg})", line=line) from error
            except RecursionError as error:
                raise FileRefused("file_broken", "lists in lists without an end", line=self._line) from error
            if end - self._at > OBJECT_MOST:
                raise self._too_long()
            self._require_each_once([name for name, _ in pairs])
            self._pass(end - self._at)
            return list(pairs)

    def _require_each_once(self, names: list[str]) -> None:
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise FileRefused("heading_twice", f"“{twice[:40]}” occurs twice in one object", line=self._line)

    def _too_long(self) -> FileRefused:
        said = f"an object that begins here does not end within {OBJECT_MOST:,} characters"
        return FileRefused("line_too_long", said, line=self._line)

    def _next(self) -> str:
        """The next letter that is not blank, and there it then stands; '' at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._pass(1)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def _expect(self, wanted: str, found: str) -> None:
        if found != wanted:
            said = f"“{wanted}” is expected here" if wanted else "nothing more is expected here"
            raise FileRefused("file_broken", f"this is not a list of objects: {said}", line=self._line)

    def _pass(self, letters: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + letters)
        self._at += letters

    def _read(self) -> bool:
        piece = self._file.read(_PIECE)
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)


class _Pairs(list[tuple[str, object]]):
    """An object as its names and values: one that has a name twice must be seen."""


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip() if isinstance(value, str) else "…"
