"""Pages of A4 as PDF: the font, the styles, a heading, paragraphs, tables, and 'page x of y' at the foot.

A text of others is never markup here, and never steers: `clean` takes out what is not to be seen.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

FONTS: Final = Path(__file__).parent.parent / "static" / "vendor" / "fonts"
LONGEST: Final = 500
INK: Final = HexColor("#1d2433")
QUIET: Final = HexColor("#5b6475")
LINE: Final = HexColor("#d9dee7")
MARGIN: Final = 18 * mm
PLAIN, BOLD = "DejaVuSans", "DejaVuSans-Bold"


def clean(text: str) -> str:
    """The text as it can be printed: one line, no character that only steers, and no longer than anybody reads."""
    # What Python calls printable has none of what is taken out below, and no space but the plain one.
    if text.isprintable() and len(text) <= LONGEST and "  " not in text and text == text.strip():
        return text
    visible = "".join(" " if each.isspace() else each for each in text if each.isspace() or _is_seen(each))
    told = " ".join(visible.split())
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"


def heading(text: str) -> Flowable:
    """What the document is."""
    return Paragraph(escape(clean(text)), _style(16, bold=True, after=4))


def paragraph(text: str, *, quiet: bool = False) -> Flowable:
    """A text that breaks where the line ends."""
    return Paragraph(escape(clean(text)), _style(9, quiet=quiet, after=2))


def gap() -> Flowable:
    """Room between two parts."""
    return Spacer(1, 6 * mm)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Flowable:
    """Rows under a head that is repeated on each page. `widths` are parts of the page's width."""
    whole = A4[0] - 2 * MARGIN
    head = [Paragraph(escape(each), _style(8, bold=True, quiet=True)) for each in columns]
    body = [[Paragraph(escape(clean(cell)), _style(8)) for cell in row] for row in rows]
    cells: list[list[Any]] = [head, *body]
    set_out = Table(cells, colWidths=[whole * each / sum(widths) for each in widths], repeatRows=1)
    set_out.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ]
        )
    )
    return set_out


def typeset(story: Sequence[Flowable], *, title: str, foot: str) -> bytes:
    """The PDF. It says nothing of the machine that made it: the same story is the same file."""
    register_fonts()
    written = io.BytesIO()

    document = SimpleDocTemplate(
        written,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=clean(title),
        author="",
        invariant=1,
    )
    document.build(list(story), canvasmaker=numbered(clean(foot)))
    return written.getvalue()


def numbered(foot: str) -> type[Canvas]:
    """A canvas that knows at the end how many pages there are, and writes it at the foot of each, beside `foot`."""

    class Numbered(Canvas):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.finished: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802, the library's name
            self.finished.append(dict(self.__dict__))
            self._startPage()  # type: ignore[attr-defined]

        def save(self) -> None:
            for number, each in enumerate(self.finished, start=1):
                self.__dict__.update(each)
                self.setFont(PLAIN, 7)
                self.setFillColor(QUIET)
                self.drawString(MARGIN, 10 * mm, foot)
                self.drawRightString(A4[0] - MARGIN, 10 * mm, f"page {number} of {len(self.finished)}")
                super().showPage()
            super().save()

    return Numbered


def _is_seen(character: str) -> bool:
    """Not a control, a mark of direction, half a pair, or a place that nobody has given a letter."""
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


@cache
def register_fonts() -> None:
    """Once a process."""
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(FONTS / f"{name}.ttf")))


def _style(size: int, *, bold: bool = False, quiet: bool = False, after: int = 0) -> ParagraphStyle:
    register_fonts()
    return ParagraphStyle(
        "duly",
        fontName=BOLD if bold else PLAIN,
        fontSize=size,
        leading=size * 1.4,
        textColor=QUIET if quiet else INK,
        spaceAfter=after,
    )
