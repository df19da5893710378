"""The exports that Duly knows, by their headings: its own, Xero's and QuickBooks Online's, invoices and customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from connectors.files.refusals import FileRefused
from domain.receivables import ErpInvoiceStatus

Kind = Literal["invoices", "customers"]

_STATUS: Final[Mapping[str, ErpInvoiceStatus]] = {each.value.replace("_", ""): each for each in ErpInvoiceStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One kind of file. Headings are compared in lower case without blanks and signs ('*ContactName' = 'contact name').

    `columns` is field → headings, the best first; all of `required` must be there. `many_rows` says that an invoice has
    a row for each of its lines; `has_totals` that the file is a report, with headings and totals between its rows.
    `invoice_types` are the words of the type column that mean an invoice; other types are left out.
    """

    name: str
    kind: Kind
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    many_rows: bool = False
    has_totals: bool = False
    invoice_types: frozenset[str] = frozenset()
    statuses: Mapping[str, ErpInvoiceStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file has what: field → position; `headings` as the file wrote them, for what is told to people."""

    layout: Layout
    positions: Mapping[str, int]
    headings: tuple[str, ...]
    line: int

    def heading(self, name: str) -> str:
        """The file's own word for a field."""
        return self.headings[self.positions[name]]


OWN_INVOICES: Final = Layout(
    name="Duly's own columns, invoices",
    kind="invoices",
    columns={
        "number": ("invoicenumber",),
        "customer_number": ("customernumber",),
        "customer": ("customername",),
        "email": ("customeremail",),
        "currency": ("currency",),
        "issued_on": ("issuedon",),
        "due_on": ("dueon",),
        "total": ("total",),
        "paid": ("paid",),
        "status": ("status",),
        "po_number": ("ponumber",),
        "terms": ("terms",),
        "site": ("site",),
    },
    required=("number", "customer_number", "customer", "issued_on", "due_on", "total"),
    statuses=_STATUS,
)

XERO_INVOICES: Final = Layout(
    name="Xero, sales invoices",
    kind="invoices",
    columns={
        "number": ("invoicenumber",),
        "customer": ("contactname",),
        "email": ("emailaddress",),
        "country": ("pocountry",),
        "currency": ("currency",),
        "issued_on": ("invoicedate",),
        "due_on": ("duedate",),
        "total": ("total",),
        "open": ("invoiceamountdue",),
        "paid": ("invoiceamountpaid",),
        "status": ("status",),
        "type": ("type",),
        "po_number": ("reference",),
        "line_text": ("description",),
        "line_quantity": ("quantity",),
        "line_price": ("unitamount",),
        "line_amount": ("lineamount",),
        "line_tax_rate": ("taxtype",),
        "line_tax": ("taxamount",),
    },
    required=("number", "customer", "issued_on", "due_on", "total"),
    many_rows=True,
    invoice_types=frozenset({"salesinvoice", "accrec", "invoice"}),
    statuses={
        "draft": ErpInvoiceStatus.DRAFT,
        "awaitingapproval": ErpInvoiceStatus.DRAFT,
        "submitted": ErpInvoiceStatus.DRAFT,
        "awaitingpayment": ErpInvoiceStatus.OPEN,
        "authorised": ErpInvoiceStatus.OPEN,
        "paid": ErpInvoiceStatus.PAID,
        "voided": ErpInvoiceStatus.VOID,
        "deleted": ErpInvoiceStatus.VOID,
    },
)

QUICKBOOKS_INVOICES: Final = Layout(
    name="QuickBooks Online, invoices",
    kind="invoices",
    columns={
        "number": ("num", "no", "invoiceno", "number"),
        "customer": ("customerfullname", "customer", "name", "customername"),
        "email": ("email", "customeremail"),
        "currency": ("currency",),
        "issued_on": ("date", "transactiondate", "invoicedate"),
        "due_on": ("duedate",),
        "total": ("amount", "total", "totalamount"),
        "open": ("openbalance", "balance", "balancedue"),
        "status": ("status",),
        "type": ("transactiontype", "type"),
        "terms": ("terms",),
        "po_number": ("ponumber",),
    },
    required=("number", "customer", "issued_on", "due_on", "total", "open"),
    has_totals=True,
    invoice_types=frozenset({"invoice"}),
    statuses={
        "paid": ErpInvoiceStatus.PAID,
        "deposited": ErpInvoiceStatus.PAID,
        "closed": ErpInvoiceStatus.PAID,
        "open": ErpInvoiceStatus.OPEN,
        "unpaid": ErpInvoiceStatus.OPEN,
        "overdue": ErpInvoiceStatus.OPEN,
        "due": ErpInvoiceStatus.OPEN,
        "notdue": ErpInvoiceStatus.OPEN,
        "partiallypaid": ErpInvoiceStatus.OPEN,
        "partial": ErpInvoiceStatus.OPEN,
        "sent": ErpInvoiceStatus.OPEN,
        "viewed": ErpInvoiceStatus.OPEN,
        "voided": ErpInvoiceStatus.VOID,
    },
)

OWN_CUSTOMERS: Final = Layout(
    name="Duly's own columns, customers",
    kind="customers",
    columns={
        "customer_number": ("customernumber",),
        "customer": ("customername",),
        "email": ("customeremail",),
        "currency": ("currency",),
        "country": ("country",),
        "time_zone": ("timezone",),
        "parent": ("parentnumber",),
    },
    required=("customer_number", "customer"),
)

XERO_CUSTOMERS: Final = Layout(
    name="Xero, contacts",
    kind="customers",
    columns={
        "customer": ("contactname",),
        "shown_number": ("accountnumber",),
        "email": ("emailaddress",),
        "currency": ("defaultcurrency", "currency"),
        "country": ("pocountry",),
    },
    required=("customer", "email"),
)

QUICKBOOKS_CUSTOMERS: Final = Layout(
    name="QuickBooks Online, customers",
    kind="customers",
    columns={
        "customer": ("customerfullname", "customer", "name"),
        "email": ("email", "emails"),
        "currency": ("currency",),
        "country": ("billcountry", "country"),
    },
    required=("customer", "email"),
    has_totals=True,
)

LAYOUTS: Final = (
    OWN_INVOICES,
    XERO_INVOICES,
    QUICKBOOKS_INVOICES,
    OWN_CUSTOMERS,
    XERO_CUSTOMERS,
    QUICKBOOKS_CUSTOMERS,
)


def plain(heading: str) -> str:
    """A heading, or a status, as it is compared: letters and digits only, in lower case."""
    return "".join(letter for letter in heading.lower() if letter.isalnum())


def recognise(cells: tuple[str, ...], line: int) -> Columns | None:
    """The columns, if this row is the headings of a file that Duly knows. Raises FileRefused 'heading_twice'."""
    found = [plain(cell) for cell in cells]
    for layout in LAYOUTS:
        positions = _positions(layout, found)
        if all(name in positions for name in layout.required):
            for name, position in positions.items():
                if found.count(found[position]) > 1:
                    raise FileRefused("heading_twice", f"“{cells[position]}” ({name}) occurs twice", line=line)
            return Columns(layout=layout, positions=positions, headings=cells, line=line)
    return None


def status(layout: Layout, word: str) -> ErpInvoiceStatus | None:
    """What a status cell means: None for an empty one, UNKNOWN for a word that Duly does not know."""
    found = plain(word)
    if not found:
        return None
    if found in layout.statuses:
        return layout.statuses[found]
    if layout.has_totals:  # reports write 'Overdue 12 days'
        begins = [known for known in layout.statuses if found.startswith(known)]
        if begins:
            return layout.statuses[max(begins, key=len)]
    return ErpInvoiceStatus.UNKNOWN


def missing(cells: tuple[str, ...]) -> tuple[str, list[str]]:
    """The layout that comes nearest to some headings, and which of its columns they lack."""
    found = [plain(cell) for cell in cells]
    lacks = {
        layout.name: [layout.columns[name][0] for name in layout.required if name not in _positions(layout, found)]
        for layout in LAYOUTS
    }
    nearest = min(lacks, key=lambda name: len(lacks[name]))
    return nearest, lacks[nearest]


def _positions(layout: Layout, found: list[str]) -> dict[str, int]:
    positions = {}
    for name, headings in layout.columns.items():
        for heading in headings:
            if heading in found:
                positions[name] = found.index(heading)
                break
    return positions
