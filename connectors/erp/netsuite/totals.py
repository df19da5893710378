"""NetSuite's own sums, to be compared with ours: open invoices by customer, and the receivables accounts of the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from connectors.erp.netsuite import wire
from connectors.erp.netsuite.client import ROWS_MAX, NetSuiteClient
from connectors.erp.netsuite.documents import is_number
from connectors.erp.ports import ErpOpenTotal, Page
from domain.money import Money

_OPEN: Final = """SELECT t.entity, c.symbol, COUNT(t.id) AS invoices, SUM(t.foreignamountunpaid) AS unpaid
FROM transaction t JOIN currency c ON c.id = t.currency WHERE t.type = 'CustInvc' AND t.foreignamountunpaid > 0{behind}
GROUP BY t.entity, c.symbol ORDER BY t.entity, c.symbol"""
# A line may be in several accounting books: that it is on such an account counts once.
_LEDGER: Final = """SELECT c.symbol, SUM(n.foreignamount) AS balance
FROM transactionline n JOIN transaction t ON t.id = n.transaction JOIN currency c ON c.id = t.currency
WHERE EXISTS (SELECT 1 FROM transactionaccountingline a JOIN account k ON k.id = a.account
WHERE a.transaction = n.transaction AND a.transactionline = n.id AND a.posting = 'T' AND k.accttype = 'AcctRec')
GROUP BY c.symbol ORDER BY c.symbol"""


async def open_totals(client: NetSuiteClient, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
    """So many after one. Raises ConnectorError, and KeyError or ValueError on what is malformed."""
    behind = ""
    if cursor:
        customer, symbol = json.loads(cursor)
        if not is_number(customer):
            raise ValueError("a cursor that is none of ours")
        behind = f" AND (t.entity > {customer} OR (t.entity = {customer} AND c.symbol > {wire.quoted(symbol)}))"
    most = min(limit, ROWS_MAX)
    rows, _ = await client.rows_at(" ".join(_OPEN.format(behind=behind).split()), most=most)
    found = tuple(
        ErpOpenTotal(
            customer_erp_id=str(row["entity"]),
            count=int(row["invoices"]),
            open=wire.amount(row["unpaid"], row["symbol"]),
        )
        for row in rows
    )
    last = json.dumps([found[-1].customer_erp_id, found[-1].open.currency]) if found else cursor
    return Page(rows=found, cursor=last, more=len(rows) == most)


async def receivable_balances(client: NetSuiteClient) -> Sequence[Money]:
    """Of all receivables accounts together, in the currencies that their transactions are in."""
    return [wire.amount(row.get("balance"), row["symbol"]) for row in await client.rows(" ".join(_LEDGER.split()))]
