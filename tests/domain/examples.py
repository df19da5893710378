"""Invoices and wishes that tests of the domain start from; each test names only what matters to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from domain.allocation import Line
from domain.invoices import InvoiceFacts
from domain.methods import MethodKind
from domain.payments import Wish

TODAY: Final = date(2026, 3, 10)

AN_INVOICE: Final = InvoiceFacts(
    id="inv_a",
    customer_id="cus_a",
    number="INV-1",
    currency="USD",
    issued_on=date(2026, 2, 1),
    due_on=date(2026, 3, 1),
    erp_status="open",
    is_parent=False,
    paused=False,
    total_minor=10_000,
    open_minor=10_000,
    held_minor=0,
)


def an_invoice(**changes: Any) -> InvoiceFacts:
    """An open invoice of 100.00 USD with some facts changed."""
    return replace(AN_INVOICE, **changes)


def some_invoices(amounts: Iterable[int]) -> list[InvoiceFacts]:
    """Invoices with these open amounts, each issued a day after the one before."""
    return [
        an_invoice(
            id=f"inv_{index:03}",
            number=f"INV-{index:03}",
            issued_on=date(2026, 1, 1) + timedelta(days=index),
            total_minor=amount,
            open_minor=amount,
        )
        for index, amount in enumerate(amounts)
    ]


def a_wish(*lines: tuple[str, int], **changes: Any) -> Wish:
    """A wish to pay amounts of invoices by id, by a card that is not kept."""
    wish = Wish(
        currency="USD",
        lines=tuple(Line(invoice_id=invoice_id, minor=minor) for invoice_id, minor in lines),
        kind=MethodKind.CARD,
        keeps_method=False,
    )
    return replace(wish, **changes)


open_amounts = st.lists(st.integers(min_value=0, max_value=100_000), min_size=1, max_size=12)
