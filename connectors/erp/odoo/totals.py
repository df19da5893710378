"""Odoo's own sums: what each customer owes by the open invoices, and the receivable accounts of the general ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.erp.odoo import wire
from connectors.erp.odoo.client import OdooClient
from connectors.erp.ports import ErpOpenTotal, Page
from domain.money import Money

_BY: Final = ("commercial_partner_id", "currency_id")


async def open_totals(client: OdooClient, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
    """Pages in the order of customers' ids; `cursor` is the last customer that was told. Raises ConnectorError, ValueError.

    Odoo sorts groups by names, which change while pages are read: so all are asked for, and cut here.
    """
    setup = await client.setup()
    domain = [
        ("company_id", "=", setup.company),
        ("move_type", "=", "out_invoice"),
        ("state", "=", "posted"),
        ("amount_residual", "!=", 0),
        ("commercial_partner_id", ">", int(cursor or 0)),
    ]
    found = sorted(
        (row["commercial_partner_id"][0], wire.named(row["currency_id"]) or "", row["__count"], row["amount_residual"])
        for row in await _grouped(client, "account.move", domain, "amount_residual", _BY)
    )
    customers = sorted({each for each, *_ in found})
    told = set(customers[:limit])
    return Page(
        rows=tuple(
            ErpOpenTotal(customer_erp_id=str(each), count=int(count), open=wire.amount(amount, currency))
            for each, currency, count, amount in found
            if each in told
        ),
        cursor=str(customers[:limit][-1]) if customers else cursor,
        more=len(customers) > limit,
    )


async def receivable_balances(client: OdooClient) -> Sequence[Money]:
    """What is owed in all by the ledger, in the company's currency. Raises ConnectorError, ValueError."""
    setup = await client.setup()
    domain = [setup.receivable, ("company_id", "=", setup.company), ("parent_state", "=", "posted")]
    rows = await _grouped(client, "account.move.line", domain, "balance", ())
    return [wire.amount(row["balance"], setup.currency) for row in rows]


async def _grouped(
    client: OdooClient, model: str, domain: Sequence[object], summed: str, by: Sequence[str]
) -> list[wire.Wire]:
    """Sums of one field, a row for each group, in the words of either version."""
    if client.groups_by_aggregates:
        sums = [f"{summed}:sum", "__count"]
        rows = await client.read(model, "formatted_read_group", domain=list(domain), groupby=list(by), aggregates=sums)
        return [{**row, summed: row[f"{summed}:sum"]} for row in rows]
    fields = [f"{summed}:sum"]
    rows = await client.read(model, "read_group", domain=list(domain), fields=fields, groupby=list(by), lazy=False)
    return list(rows)
