"""Quotes and repeating invoices of one organisation, and what its open invoices come to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.erp.compared import compared
from connectors.erp.ports import ErpOpenTotal, ErpQuote, ErpRecurring, Page
from connectors.erp.rests import Rest
from connectors.erp.xero import translate, wire
from connectors.erp.xero.client import XeroClient, XeroConfig
from connectors.erp.xero.cursors import List, Stream
from connectors.erp.xero.payments import SELDOM
from domain.money import Money, total

_RARELY: Final = 12
"""Templates are all read each time, and change seldom."""
_ROWS: Final = 1_000


def quotes(client: XeroClient, config: XeroConfig) -> Stream[ErpQuote]:
    """The stream of quotes. Their list knows neither filters nor sizes of pages."""
    listed: List[ErpQuote] = List(room="Quotes", where=None, rows=_quotes, is_sized=False)
    overlap = timedelta(seconds=config.overlap_seconds)
    return Stream(client, [listed], overlap=overlap, every_seconds=config.read_every_seconds * SELDOM)


async def _quotes(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ErpQuote, datetime]]:
    return [(row["QuoteID"], translate.quote(row), wire.moment(row["UpdatedDateUTC"])) for row in rows]


class Templates:
    """Repeating invoices: Xero neither says when one changed nor pages them, so all are read and compared."""

    def __init__(self, client: XeroClient, home: Callable[[], Awaitable[str]], *, every_seconds: int) -> None:
        self._client = client
        self._home = home
        self._rest = Rest(every_seconds * _RARELY)

    async def page(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Up to so many that differ from what the cursor knows. Raises ConnectorError, ValueError, KeyError."""
        if self._rest.holds(cursor):
            return Page(rows=(), cursor=cursor, more=False)
        told = await self._client.read("/RepeatingInvoices", where='Type=="ACCREC"')
        listed = {row["RepeatingInvoiceID"]: translate.recurring(row) for row in told["RepeatingInvoices"]}
        page = compared(listed, cursor, limit=limit, currency=await self._home())
        if not page.more:
            self._rest.begin(page.cursor)
        return page


class OpenTotals:
    """What customers owe by open invoices. They are read once for all pages: a page for each would cost a day's calls."""

    def __init__(self, client: XeroClient) -> None:
        self._client = client
        self._sums: Sequence[ErpOpenTotal] | None = None

    async def page(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """So many after one. Raises ConnectorError, ValueError, KeyError."""
        if not cursor or self._sums is None:
            self._sums = await self._read()
        after: tuple[str, ...] = tuple(json.loads(cursor)) if cursor else ()
        rest = [each for each in self._sums if _key(each) > after]
        shown = tuple(rest[:limit])
        return Page(rows=shown, cursor=json.dumps(_key(shown[-1])) if shown else cursor, more=len(rest) > limit)

    async def _read(self) -> list[ErpOpenTotal]:
        found: dict[tuple[str, str], list[Money]] = {}
        number, is_full = 1, True
        where = 'Type=="ACCREC" AND Status=="AUTHORISED"'
        while is_full:
            told = await self._client.read(
                "/Invoices", where=where, order="InvoiceID ASC", summaryOnly="true", page=number, pageSize=_ROWS
            )
            rows: Sequence[Mapping[str, Any]] = told["Invoices"]
            for row in rows:
                currency = row["CurrencyCode"]
                if (due := wire.amount(row["AmountDue"], currency)).minor > 0:
                    found.setdefault((row["Contact"]["ContactID"], currency), []).append(due)
            is_full, number = len(rows) >= _ROWS, number + 1
        return [
            ErpOpenTotal(customer_erp_id=customer, count=len(each), open=total(each, currency=currency))
            for (customer, currency), each in sorted(found.items())
        ]


def _key(found: ErpOpenTotal) -> tuple[str, str]:
    return (found.customer_erp_id, found.open.currency)
