"""Customers, invoices and credit memos of one company, as they stand now and as they changed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from connectors.erp.business_central import translate
from connectors.erp.business_central.books import Books, Posted, Said
from connectors.erp.business_central.client import BusinessCentralClient
from connectors.erp.business_central.cursors import Row, Stream
from connectors.erp.ports import ErpCredit, ErpCustomer, ErpInvoice

T = TypeVar("T")
CUSTOMERS: Final = "customers"
INVOICES: Final = "salesInvoices"
MEMOS: Final = "salesCreditMemos"
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BATCH: Final = 20
_EXPAND: Final[Mapping[str, str]] = {INVOICES: "salesInvoiceLines"}
_OPEN: Final = "status eq 'Open'"
Rows = Sequence[Mapping[str, Any]]


class Reading:
    """What the connector reads. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: BusinessCentralClient, books: Books, *, time_zone: str, overlap: timedelta) -> None:
        self._client = client
        self._books = books
        self._time_zone = time_zone
        self.customers: Stream[ErpCustomer] = Stream(
            listed=self._listed(CUSTOMERS, self._customers),
            by_id=self._by_id(CUSTOMERS, self._customers),
            clock=client.clock,
            overlap=overlap,
        )
        self.invoices: Stream[ErpInvoice] = Stream(
            listed=self._listed(INVOICES, self._invoices),
            by_id=self._by_id(INVOICES, self._invoices),
            clock=client.clock,
            overlap=overlap,
            open_filter=_OPEN,
        )
        self.credits: Stream[ErpCredit] = Stream(
            listed=self._listed(MEMOS, self._memos),
            by_id=self._by_id(MEMOS, self._memos),
            clock=client.clock,
            overlap=overlap,
            open_filter=_OPEN,
        )

    async def invoices_by_id(self, ids: Sequence[str]) -> Sequence[ErpInvoice]:
        """Those invoices; what is none is left out."""
        return [row.value for row in await self.invoices.by_id(ids)]

    async def credits_by_id(self, ids: Sequence[str]) -> Sequence[ErpCredit]:
        """Those credit memos; what is none is left out."""
        return [row.value for row in await self.credits.by_id(ids)]

    async def rows(self, path: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Rows by their ids, in as few requests as an address holds; a text that is no id is left out."""
        wanted = [each for each in dict.fromkeys(ids) if is_id(each)]
        found: list[dict[str, Any]] = []
        for start in range(0, len(wanted), _BATCH):
            batch = " or ".join(f"id eq {each}" for each in wanted[start : start + _BATCH])
            found += await self._client.rows(path, {"filter": batch, **_expanded(path)})
        return found

    def _listed(
        self, path: str, read: Callable[[Rows], Awaitable[Sequence[Row[T]]]]
    ) -> Callable[[str, str, int], Awaitable[Sequence[Row[T]]]]:
        async def listed(condition: str, order: str, limit: int) -> Sequence[Row[T]]:
            query = {"orderby": order, **({"filter": condition} if condition else {}), **_expanded(path)}
            return await read(await self._client.rows(path, limit=limit, query=query))

        return listed

    def _by_id(
        self, path: str, read: Callable[[Rows], Awaitable[Sequence[Row[T]]]]
    ) -> Callable[[Sequence[str]], Awaitable[Sequence[Row[T]]]]:
        async def by_id(ids: Sequence[str]) -> Sequence[Row[T]]:
            return await read(await self.rows(path, ids))

        return by_id

    async def _customers(self, rows: Rows) -> Sequence[Row[ErpCustomer]]:
        return [_row(row, translate.customer(row, time_zone=self._time_zone), is_open=False) for row in rows]

    async def _invoices(self, rows: Rows) -> Sequence[Row[ErpInvoice]]:
        issued = [row for row in rows if row["status"] not in translate.DRAFTS]
        ours = await self._ours([str(row["number"]) for row in issued])
        return [
            _row(row, translate.invoice(row, ours.get(str(row["number"]), ())), is_open=row["status"] == "Open")
            for row in issued
        ]

    async def _ours(self, numbers: Sequence[str]) -> dict[str, list[tuple[Posted, Said]]]:
        """What our own standing documents say that they put on these invoices."""
        found: dict[str, list[tuple[Posted, Said]]] = {}
        for start in range(0, len(numbers), _BATCH):
            for posted in await self._books.about(numbers[start : start + _BATCH]):
                for said in posted.said if posted.stands else ():
                    if said.about in numbers and said not in [each for _, each in found.get(said.about, ())]:
                        found.setdefault(said.about, []).append((posted, said))
        return found

    async def _memos(self, rows: Rows) -> Sequence[Row[ErpCredit]]:
        issued = [row for row in rows if row["status"] not in translate.DRAFTS]
        return [_row(row, translate.credit_memo(row), is_open=row["status"] == "Open") for row in issued]


def is_id(text: str) -> bool:
    """Whether a text can be an id of theirs."""
    return _GUID.fullmatch(text) is not None


def _expanded(path: str) -> dict[str, str]:
    return {"expand": _EXPAND[path]} if path in _EXPAND else {}


def _row(row: Mapping[str, Any], value: T, *, is_open: bool) -> Row[T]:
    return Row(
        id=str(row["id"]),
        modified=str(row["lastModifiedDateTime"]),
        number=str(row["number"]),
        is_open=is_open,
        value=value,
    )
