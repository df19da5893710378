"""Documents of rows and figures as PDF, drawn line by line: as fast for ten thousand lines as the drawing itself.

`api/documents/typesetting.py` lays out what flows, such as evidence of many paragraphs. Here a row is measured only where it
may not fit, columns stand where they stand, and a head is repeated on each page.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from reportlab.lib.colors import Color
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics

from api.documents.typesetting import BOLD, INK, LINE, MARGIN, PLAIN, QUIET, clean, numbered, register_fonts

# In whole points.
_LEFT: Final = int(MARGIN)
_RIGHT: Final = int(A4[0] - MARGIN)
_TOP: Final = int(A4[1] - MARGIN)
_BOTTOM: Final = int(20 * mm)
_NAMES: Final = int(38 * mm)
_SUMS: Final = int(80 * mm)
_SIZE: Final = 8
_LEADING: Final = 11
_GAP: Final = 6


class _Place(NamedTuple):
    """Where the cells of a column stand, in points."""

    start: int
    end: int
    is_right: bool


class Column(NamedTuple):
    """A column: its head, its part of the page's width, and at which side its cells stand."""

    head: str
    part: int
    side: Literal["left", "right"] = "left"


class Sheets:
    """A document under way. Texts of others are freed of what only steers (`typesetting.clean`)."""

    def __init__(self, *, title: str, foot: str) -> None:
        register_fonts()
        self._written = io.BytesIO()
        self._canvas = numbered(clean(foot))(self._written, pagesize=A4, invariant=1)
        self._canvas.setTitle(clean(title))
        self._y = _TOP

    def heading(self, text: str, *, size: int = 16) -> None:
        """What comes next is about this."""
        self._lines(text, _BOLD_OF[True], size, INK, before=size // 2 if self._y < _TOP else 0)

    def text(self, text: str, *, quiet: bool = False, bold: bool = False) -> None:
        """A paragraph."""
        self._lines(text, _BOLD_OF[bold], 9, QUIET if quiet else INK)

    def gap(self) -> None:
        """Room between two parts."""
        self._y -= 14

    def pairs(self, told: Iterable[tuple[str, str]], *, side: Literal["left", "right"] = "left") -> None:
        """Names and values below each other; on the right side as sums are written, the last one stressed."""
        rows = [(clean(name), clean(value)) for name, value in told]
        name_at, value_at = (_LEFT, _LEFT + _NAMES) if side == "left" else (_RIGHT - _SUMS, _RIGHT)
        for index, (name, value) in enumerate(rows):
            self._room(13)
            is_sum = side == "right" and index == len(rows) - 1
            self._draw(name, name_at, PLAIN if not is_sum else BOLD, 9, QUIET if not is_sum else INK)
            if side == "left":
                self._draw(value, value_at, PLAIN, 9, INK)
            else:
                self._draw_right(value, value_at, BOLD if is_sum else PLAIN, 9, INK)
            self._y -= 13

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, sums: Sequence[str] | None = None) -> None:
        """Rows under a head that is repeated on each page; `sums` is a last row, stressed."""
        whole = _RIGHT - _LEFT
        parts = sum(each.part for each in columns)
        places: list[_Place] = []
        x = _LEFT
        for each in columns:
            width = whole * each.part // parts
            places.append(_Place(x, x + width - _GAP, each.side == "right"))
            x += width
        heads = [each.head for each in columns]
        self._row(heads, places, heads=None, font=BOLD, colour=QUIET)
        for row in rows:
            self._row(row, places, heads=heads, font=PLAIN, colour=INK)
        if sums is not None:
            self._row(sums, places, heads=heads, font=BOLD, colour=INK)

    def finish(self) -> bytes:
        """The PDF. It says nothing of the machine that made it: the same document is the same file."""
        self._canvas.showPage()
        self._canvas.save()
        return self._written.getvalue()

    def _row(
        self,
        cells: Sequence[str],
        places: Sequence[_Place],
        *,
        heads: Sequence[str] | None,
        font: str,
        colour: Color,
    ) -> None:
        split = [_fitted(cell, end - start, font) for cell, (start, end, _) in zip(cells, places, strict=True)]
        height = max(len(lines) for lines in split) * _LEADING + 3
        if self._y - height < _BOTTOM:
            self._canvas.showPage()
            self._y = _TOP
            if heads is not None:
                self._row(heads, places, heads=None, font=BOLD, colour=QUIET)
        canvas = self._canvas
        canvas.setFont(font, _SIZE)
        canvas.setFillColor(colour)
        y = self._y
        for lines, (start, end, is_right) in zip(split, places, strict=True):
            below = y - _LEADING
            for line in lines:
                if is_right:
                    canvas.drawString(end - pdfmetrics.stringWidth(line, font, _SIZE), below, line)
                elif line:
                    canvas.drawString(start, below, line)
                below -= _LEADING
        self._y = y - height
        canvas.setStrokeColor(LINE)
        canvas.setLineWidth(0.4)
        canvas.line(_LEFT, self._y - 1, _RIGHT, self._y - 1)

    def _lines(self, text: str, font: str, size: int, colour: Color, *, before: int = 0) -> None:
        self._y -= before
        for line in simpleSplit(clean(text), font, size, _RIGHT - _LEFT):
            self._room(size * 7 // 5)
            self._draw(line, _LEFT, font, size, colour)
            self._y -= size * 7 // 5

    def _room(self, height: int) -> None:
        if self._y - height < _BOTTOM:
            self._canvas.showPage()
            self._y = _TOP

    def _draw(self, text: str, x: int, font: str, size: int, colour: Color) -> None:
        self._canvas.setFont(font, size)
        self._canvas.setFillColor(colour)
        self._canvas.drawString(x, self._y - size, text)

    def _draw_right(self, text: str, x: int, font: str, size: int, colour: Color) -> None:
        self._draw(text, x - int(pdfmetrics.stringWidth(text, font, size)), font, size, colour)


_BOLD_OF: Final = {True: BOLD, False: PLAIN}


@lru_cache(maxsize=4096)
def _fitted(text: str, width: int, font: str) -> tuple[str, ...]:
    """The cell's lines. One that fits if every letter were the widest is not measured; a word that is too long is cut."""
    told = clean(text)
    if len(told) * _SIZE <= width or pdfmetrics.stringWidth(told, font, _SIZE) <= width:
        return (told,)
    found: list[str] = []
    for line in simpleSplit(told, font, _SIZE, width):
        while pdfmetrics.stringWidth(line, font, _SIZE) > width and len(line) > 1:
            fits = next(
                n for n in range(len(line) - 1, 0, -1) if n == 1 or pdfmetrics.stringWidth(line[:n], font, _SIZE) <= width
            )
            found.append(line[:fits])
            line = line[fits:]
        found.append(line)
    return tuple(found)
