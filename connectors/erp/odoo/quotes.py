"""Quotations of one company, where Odoo has its module Sales: as they stand now and as they changed.

A quotation that was sent can be deleted only after it was cancelled, so cancelling is what is told as deleting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.erp.odoo import translate, wire
from connectors.erp.odoo.client import OdooClient
from connectors.erp.ports import ErpQuote
from connectors.erp.sweeps import Key, Stream

_ORDER: Final = 0
_FIELDS: Final = (
    *("name", "state", "invoice_status", "partner_invoice_id", "currency_id", "amount_total", "date_order"),
    "validity_date",
)
_LINE_FIELDS: Final = ("order_id", "name", "product_uom_qty", "price_unit", "price_subtotal", "price_total")


class Quotes:
    """The stream. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: OdooClient, *, overlap: timedelta) -> None:
        self._client = client
        self.stream = Stream(changed=self._changed, read=self._read, clock=client.clock, overlap=overlap)

    async def _changed(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        setup = await self._client.setup()
        if not setup.has_sales:
            return []
        domain: list[object] = [("company_id", "=", setup.company), ("id", ">", max(after[1], 0))]
        if since is not None:
            domain.append(("write_date", ">=", since))
        rows = await self._client.rows("sale.order", domain, ["id"], limit=limit)
        return [(_ORDER, row["id"]) for row in rows]

    async def _read(self, keys: Sequence[Key]) -> Mapping[Key, ErpQuote]:
        ids = [number for _, number in keys]
        rows = await self._client.rows("sale.order", [("id", "in", ids)], _FIELDS)
        sold = [("order_id", "in", ids), ("display_type", "=", False)]
        lines: dict[int, list[Mapping[str, Any]]] = {}
        for line in await self._client.rows("sale.order.line", sold, _LINE_FIELDS):
            lines.setdefault(wire.linked(line["order_id"]) or 0, []).append(line)
        billed = sorted({partner for row in rows if (partner := wire.linked(row["partner_invoice_id"])) is not None})
        people = await self._client.rows("res.partner", [("id", "in", billed)], ["commercial_partner_id"], active_test=False)
        customers = {row["id"]: wire.linked(row["commercial_partner_id"]) or row["id"] for row in people}
        return {
            (_ORDER, row["id"]): translate.quote(
                row, lines.get(row["id"], ()), customer=customers[wire.linked(row["partner_invoice_id"]) or 0]
            )
            for row in rows
        }
