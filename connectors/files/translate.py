"""Rows of an export as customers and invoices, in the words that the store takes from any ERP.

Ids are made from the file's own numbers, so that a second import of the same file finds the first. They begin with
`csv:`: no other ERP's id can be mistaken for one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.files.cells import Cells
from connectors.files.dates import DateOrder
from connectors.files.layouts import Columns, plain, status
from connectors.files.refusals import RowRefused
from connectors.files.rows import Row
from domain.money import Money, MoneyError, parse_amount
from domain.receivables import ErpCustomer, ErpInvoice, ErpInvoiceStatus, ErpLine

# What rows of one invoice must agree on.
_WHOLE_INVOICE = ("customer", "currency", "issued_on", "due_on", "total", "open", "paid", "status", "type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one row (or the rows of one invoice) says; `invoice` is None in a file of customers."""

    line: int
    rows: int
    customer: ErpCustomer
    invoice: ErpInvoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A row that is not meant to be taken in: a report's total, or a document that is no invoice."""

    line: int
    rows: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translator:
    """Translates rows of one file."""

    columns: Columns
    order: DateOrder
    currency: str | None

    def invoice(self, rows: Sequence[Row]) -> Read | Skipped:
        """One invoice from its row or rows. Raises RowRefused."""
        cells = [Cells(columns=self.columns, row=row) for row in rows]
        first = cells[0]
        layout = self.columns.layout
        kind = first.text("type")
        if kind and layout.invoice_types and plain(kind) not in layout.invoice_types:
            return Skipped(line=first.row.line, rows=len(rows), why=kind)
        for each in cells:
            each.require_headings()
            self._agrees(each, first)
        currency = first.currency(self.currency)
        number = first.needed("number")
        total = first.amount("total", currency)
        settled = self._settled(first, total)
        issued_on, due_on = first.on("issued_on", self.order), first.on("due_on", self.order)
        if due_on < issued_on:
            raise RowRefused(first.row.line, "due_before_issued", f"due on {due_on}, but issued on {issued_on}")
        word = first.text("status")
        derived = ErpInvoiceStatus.PAID if settled == total else ErpInvoiceStatus.OPEN
        customer = self._customer_of_invoice(first, currency)
        invoice = ErpInvoice(
            erp_id=f"csv:{number}",
            customer_erp_id=customer.erp_id,
            number=number,
            currency=currency,
            total=total,
            settled=settled,
            issued_on=issued_on,
            due_on=due_on,
            status=status(layout, word) or derived,
            status_word=word or derived.value,
            site=first.text("site") or None,
            po_number=first.text("po_number") or None,
            terms=first.text("terms") or None,
            lines=tuple(self._line(each, currency) for each in cells) if "line_amount" in self.columns.positions else (),
        )
        return Read(line=first.row.line, rows=len(rows), customer=customer, invoice=invoice)

    def customer(self, row: Row) -> Read:
        """One customer from its row. Raises RowRefused."""
        cells = Cells(columns=self.columns, row=row)
        cells.require_headings()
        name = cells.needed("customer")
        key = cells.needed(self._key_field)
        parent = cells.text("parent")
        customer = ErpCustomer(
            erp_id=f"csv:{key}",
            number=cells.text("shown_number") or key,
            name=name,
            currency=cells.currency(self.currency),
            email=cells.email(),
            country=cells.text("country") or None,
            time_zone=cells.time_zone(),
            parent_erp_id=f"csv:{parent}" if parent else None,
        )
        return Read(line=row.line, rows=1, customer=customer, invoice=None)

    def is_between_rows(self, row: Row) -> bool:
        """Whether a row of a report is a heading, a total or its foot, and no document."""
        if row.is_blank:
            return True
        if not self.columns.layout.has_totals:
            return False
        positions = self.columns.positions
        named = {name: row.cells[at] for name, at in positions.items() if at < len(row.cells) and row.cells[at]}
        filled = [cell for cell in row.cells if cell]
        if plain(filled[0]).startswith("total") and "number" not in named:
            return True
        if self.columns.layout.kind == "customers":
            return "customer" not in named
        # A report's foot, and the headings of its groups, stand alone in their row.
        return len(filled) == 1 or (
            named.keys().isdisjoint({"number", "issued_on"}) and not {"customer", "total"} <= named.keys()
        )

    def key(self, row: Row) -> str:
        """What names the invoice or customer of a row, before anything of it is checked."""
        field = "number" if self.columns.layout.kind == "invoices" else self._key_field
        position = self.columns.positions[field]
        return " ".join(row.cells[position].split()) if position < len(row.cells) else ""

    @property
    def _key_field(self) -> str:
        return "customer_number" if "customer_number" in self.columns.positions else "customer"

    def _customer_of_invoice(self, cells: Cells, currency: str) -> ErpCustomer:
        key = cells.needed(self._key_field)
        return ErpCustomer(
            erp_id=f"csv:{key}",
            number=key,
            name=cells.needed("customer"),
            currency=currency,
            email=cells.email(),
            country=cells.text("country") or None,
            time_zone="UTC",
        )

    def _agrees(self, cells: Cells, first: Cells) -> None:
        for field in _WHOLE_INVOICE:
            here, there = cells.text(field), first.text(field)
            if here != there:
                heading = self.columns.heading(field)
                sentence = f"{heading} is “{here[:40]}” here and “{there[:40]}” in line {first.row.line}"
                raise RowRefused(cells.row.line, "lines_disagree", sentence)

    def _settled(self, cells: Cells, total: Money) -> Money:
        """What the accounting system has of it already: the total without what it says is open, else what was paid."""
        zero = Money.zero(total.currency)
        if cells.text("open"):
            still_open = cells.amount("open", total.currency)
            settled = total - still_open
        else:
            settled = cells.amount("paid", total.currency) if cells.text("paid") else zero
        if not zero <= settled <= total:
            field = "open" if cells.text("open") else "paid"
            sentence = f"{self.columns.heading(field)} is {cells.text(field)}, the total {total.plain()}"
            raise RowRefused(cells.row.line, "balance_impossible", sentence)
        return settled

    def _line(self, cells: Cells, currency: str) -> ErpLine:
        zero = Money.zero(currency)

        def amount(field: str) -> Money | None:
            try:
                return parse_amount(cells.text(field), currency)
            except MoneyError:
                return None

        net = amount("line_amount")
        if net is None:
            heading = self.columns.heading("line_amount")
            raise RowRefused(cells.row.line, "amount_unreadable", f"{heading}: “{cells.text('line_amount')[:24]}”")
        description, quantity, price = cells.text("line_text"), cells.text("line_quantity") or "1", amount("line_price")
        if price is None:
            # Prices with more decimals than the currency has exist; the line's own amount is exact.
            description, quantity, price = f"{description} ({quantity} × {cells.text('line_price')})", "1", net
        return ErpLine(
            description=description,
            quantity=quantity,
            unit_price=price,
            amount=net,
            tax_rate=cells.text("line_tax_rate"),
            tax=amount("line_tax") or zero,
        )
