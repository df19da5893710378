"""P9: an invoice and statements as PDF, beside the bare canvas that draws the same texts at places written down by hand."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pypdf import PdfReader
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from api.documents import papers, typesetting
from api.documents import statements as documents
from api.documents.statements import ACTS, Asked, Statement
from api.formatting import Writer, writer_for
from bench.case import Different, Prepared, Sample, Variant
from bench.cpu import watching
from domain.business import BusinessSettings
from domain.statements import AsOf, Facts, StatementInvoice, transactions
from store.views.invoice import InvoiceLine, InvoicePage

_AT: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
_ZONE: Final = ZoneInfo("Europe/London")
_LINES: Final = 200
_MANY: Final = 10_000
_INVOICE_LINES: Final = 12


class Documents:
    """Ours from the facts to the file; the canvas with everything computed before; platypus as one uses it."""

    id = "P9"
    title = "Typeset an invoice and a statement of account"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """Facts in memory: what the database does for a statement is not looked at."""
        write = writer_for(country="GB", time_zone="Europe/London", now=_AT)
        few, many, invoice = _facts(_LINES), _facts(1_000 if quick else _MANY), _invoice()
        rows, printed = _rows(few, write), _printed(invoice, write)

        async def same() -> None:
            for name, file in (("ours", _ours(few, write)), ("canvas", _canvas(rows)), ("platypus", _platypus(rows))):
                _require(name, file, [cell for row in rows for cell in row])
            for name, file in (("ours", _our_invoice(invoice, write)), ("canvas", _canvas(printed))):
                _require(name, file, [cell for row in printed for cell in row])

        turns = 1 if quick else 8
        yield Prepared(
            variants=[
                Variant(name="canvas_200", role="limit", once=_timed(lambda: _canvas(rows), turns, lines=len(rows))),
                Variant(name="ours_200", role="ours", once=_timed(lambda: _ours(few, write), turns, lines=len(rows))),
                Variant(
                    name="ours_10k",
                    role="ours",
                    once=_timed(lambda: _ours(many, write), 1, lines=len(many.invoices)),
                ),
                Variant(name="platypus_200", role="plain", once=_timed(lambda: _platypus(rows), turns, lines=len(rows))),
                Variant(name="canvas_invoice", role="limit", once=_timed(lambda: _canvas(printed), turns * 10)),
                Variant(name="ours_invoice", role="ours", once=_timed(lambda: _our_invoice(invoice, write), turns * 10)),
            ],
            same=same,
        )


def _timed(make: Callable[[], bytes], turns: int, *, lines: int = 1) -> Callable[[], Awaitable[Sample]]:
    async def once() -> Sample:
        with watching() as watch:
            for _ in range(turns):
                make()
        return Sample(operations=turns * lines, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds)

    return once


def _facts(lines: int) -> Facts:
    """So many invoices, two a day."""
    first = date(2026, 11, 20) - timedelta(days=lines // 2)
    invoices = [
        StatementInvoice(
            id=f"inv_{n}",
            number=f"INV-{10_000 + n}",
            site=None,
            currency="GBP",
            issued_on=first + timedelta(days=n // 2),
            due_on=first + timedelta(days=n // 2 + 30),
            total=12_345 + n * 7,
        )
        for n in range(lines)
    ]
    return Facts(invoices=invoices, credits=(), booked=())


def _asked() -> Asked:
    as_of = AsOf(_AT, _AT.date(), is_now=True)
    return Asked(kind="transactions", currency=None, from_on=date(1990, 1, 1), as_of=as_of)


def _ours(facts: Facts, write: Writer) -> bytes:
    statement = Statement(
        asked=_asked(),
        customer_name="Brightwater Facilities Ltd",
        customer_number="C0042",
        business_name="Northwind Services",
        sections=documents.sections_of(facts, _asked(), _ZONE),
    )
    return documents.file_of(statement, documents.PDF, write)


def _rows(facts: Facts, write: Writer) -> list[tuple[str, ...]]:
    (section,) = transactions(facts, date(1990, 1, 1), _asked().as_of, zone=_ZONE)
    return [
        (
            line.on.isoformat(),
            ACTS[line.act],
            line.document,
            write.money(line.owed, "GBP"),
            write.money(line.balance, "GBP"),
        )
        for line in section.lines
    ]


def _invoice() -> InvoicePage:
    lines = [
        InvoiceLine(f"Cleaning of site {n}", "2", 5_000 + n, 10_000 + 2 * n, "20 %", 2_000) for n in range(_INVOICE_LINES)
    ]
    total = sum(line.amount + line.tax for line in lines)
    return InvoicePage(
        id="inv_1", number="INV-2041", site="Leeds", po_number="PO-88", terms="30 days", currency="GBP",
        issued_on=date(2026, 10, 22), due_on=date(2026, 11, 21), paid_on=None, status="open", shown="open", is_parent=False,
        parent_id=None, parent_number=None, customer_name="Brightwater Facilities Ltd", total=total, open=total, held=0,
        available=total, discount=None, is_selectable=True, contact_email=None, held_by=None, held_at=None, holder_id=None,
        lines=lines, settlements=(), sites=(),
    )  # fmt: skip


def _our_invoice(invoice: InvoicePage, write: Writer) -> bytes:
    return papers.invoice_pdf(invoice, BusinessSettings(business_name="Northwind Services"), write)


def _printed(invoice: InvoicePage, write: Writer) -> list[tuple[str, ...]]:
    """The same texts, line by line."""

    def money(minor: int) -> str:
        return write.money(minor, "GBP")

    told = [
        ("Northwind Services",), (f"Invoice {invoice.number}",), ("Customer", invoice.customer_name), ("Site", "Leeds"),
        ("Issued", write.long_day(invoice.issued_on)), ("Due", write.long_day(invoice.due_on)), ("Terms", "30 days"),
        ("Your PO", "PO-88"), ("Description", "Quantity", "Price", "Tax", "Amount"),
    ]  # fmt: skip
    rows: list[tuple[str, ...]] = [*told]
    rows += [
        (each.description, each.quantity, money(each.unit_price), each.tax_rate, money(each.amount))
        for each in invoice.lines
    ]
    rows += [("Without tax", money(invoice.net)), *((f"Tax {rate}", money(tax)) for rate, tax in invoice.taxes.items())]
    return [*rows, ("Total", money(invoice.total)), ("Open", money(invoice.open))]


def _canvas(rows: Sequence[Sequence[str]]) -> bytes:
    """Fixed places, one font, a line below each row: the least that draws these texts."""
    typesetting.register_fonts()
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4, invariant=1)
    canvas.setFont(typesetting.PLAIN, 8)
    places = (51, 130, 250, 440, 540)
    y = 790
    for row in rows:
        if y < 60:
            canvas.showPage()
            canvas.setFont(typesetting.PLAIN, 8)
            y = 790
        for index, cell in enumerate(row):
            if index < 3:
                canvas.drawString(places[index], y, cell)
            else:
                canvas.drawRightString(places[index], y, cell)
        canvas.line(51, y - 3, 540, y - 3)
        y -= 14
    canvas.showPage()
    canvas.save()
    return written.getvalue()


def _platypus(rows: Sequence[Sequence[str]]) -> bytes:
    table = typesetting.table(("Date", "What", "Document", "Change", "Balance"), rows, (3, 5, 6, 4, 4))
    return typesetting.typeset([typesetting.heading("Statement of account"), table], title="Statement", foot="Northwind")


def _require(name: str, file: bytes, cells: Sequence[str]) -> None:
    said = "".join(page.extract_text() for page in PdfReader(io.BytesIO(file)).pages).replace("\xa0", " ")
    if missing := [cell for cell in cells if cell.replace("\xa0", " ") not in said]:
        raise Different(f"{name} does not say {missing[0]!r}, and {len(missing) - 1} more")


CASE: Final = Documents()
