"""Auto Repeats over Sales Invoices: templates of invoices. A deleted one leaves no trace, so all are read and compared.

Fields: frappe/automation/doctype/auto_repeat/auto_repeat.json in github.com/frappe/frappe.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from connectors.erp.compared import compared
from connectors.erp.erpnext import translate
from connectors.erp.erpnext.client import ErpNextClient
from connectors.erp.erpnext.ledger import INVOICE
from connectors.erp.ports import ErpRecurring, Page

_REPEAT: Final = "Auto Repeat"
_FIELDS: Final = (
    *("name", "reference_document", "frequency", "start_date", "end_date", "next_schedule_date", "status", "disabled"),
)
_INVOICE_FIELDS: Final = ("name", "customer", "currency", "grand_total", "rounded_total", "disable_rounded_total")


class Templates:
    """Raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: ErpNextClient, home: Callable[[], Awaitable[str]], *, company: str) -> None:
        self._client = client
        self._home = home
        self._company = company

    async def page(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Up to so many that differ from what the cursor knows; those of another company's invoices are left out."""
        rows = await self._client.every(_REPEAT, [["reference_doctype", "=", INVOICE]], _FIELDS)
        names = list(dict.fromkeys(str(row["reference_document"]) for row in rows))
        own = [["company", "=", self._company]]
        invoices = {str(row["name"]): row for row in await self._client.named(INVOICE, "name", names, own, _INVOICE_FIELDS)}
        listed = {
            str(row["name"]): translate.recurring(row, invoices[str(row["reference_document"])])
            for row in rows
            if str(row["reference_document"]) in invoices
        }
        return compared(listed, cursor, limit=limit, currency=await self._home())
