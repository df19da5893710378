"""Customers, invoices and credits of one organisation, as they stand now and as they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from connectors.erp.ports import ErpCredit, ErpCustomer, ErpInvoice
from connectors.erp.xero import translate, wire
from connectors.erp.xero.client import XeroClient, XeroConfig
from connectors.erp.xero.cursors import List, Stream
from connectors.erp.xero.documents import INCOMING, WITHDRAWN, Documents, Kind, Source, SourceKey, is_our_reference, source
from connectors.errors import Unavailable

_TRIES: Final = 3
_DRAFTS: Final = frozenset({"DRAFT", "SUBMITTED"})


class Reading:
    """What the connector reads. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: XeroClient, documents: Documents, config: XeroConfig) -> None:
        self._client = client
        self._documents = documents
        self._time_zone = config.time_zone
        self._home_currency: str | None = None
        overlap, every = timedelta(seconds=config.overlap_seconds), config.read_every_seconds
        people: List[ErpCustomer] = List(
            room="Contacts", where=None, rows=self._customers, query={"includeArchived": "true"}
        )
        self.customers = Stream(client, [people], overlap=overlap, every_seconds=every)
        sales: List[ErpInvoice] = List(room="Invoices", where='Type=="ACCREC"', rows=self._listed)
        # An allocation need not touch the invoice that it pays.
        leading: list[List[ErpInvoice]] = [
            List(room=each.room, where=None, rows=partial(self._led_to, each), is_derived=True) for each in Kind
        ]
        self.invoices = Stream(client, [sales, *leading], overlap=overlap, every_seconds=every)
        own: list[List[ErpCredit]] = [List(room=each.room, where=None, rows=partial(self._credits, each)) for each in Kind]
        self.credits = Stream(client, own, overlap=overlap, every_seconds=every)

    async def home(self) -> str:
        """The organisation's own currency, which never changes."""
        if self._home_currency is None:
            (organisation,) = (await self._client.read("/Organisation"))["Organisations"]
            self._home_currency = str(organisation["BaseCurrency"])
        return self._home_currency

    async def invoices_by_id(self, ids: Iterable[str]) -> Sequence[ErpInvoice]:
        """Those invoices; what is none is left out."""
        return await self._told(list((await self._documents.invoices(ids)).values()))

    async def credits_by_id(self, erp_ids: Iterable[str]) -> Sequence[ErpCredit]:
        """Those credits; what is none, or is ours, is left out."""
        keys = [key for each in erp_ids if (key := SourceKey.parsed(each)) is not None]
        found = await self._documents.sources(keys)
        return [translate.credit(each) for each in found.values() if _is_credit(each)]

    # ------------------------------------------------------------ lists

    async def _customers(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ErpCustomer, datetime]]:
        home = await self.home()
        return [
            (row["ContactID"], translate.customer(row, home, self._time_zone), _changed(row))
            for row in rows
            if row.get("IsCustomer") or not row.get("IsSupplier")
        ]

    async def _listed(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ErpInvoice, datetime]]:
        changed = {row["InvoiceID"]: _changed(row) for row in rows}
        return [(each.erp_id, each, changed[each.erp_id]) for each in await self._told(rows)]

    async def _led_to(self, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ErpInvoice, datetime]]:
        changed: dict[str, datetime] = {}
        for row in rows:
            for each in source(kind, row).allocations:
                changed[each.invoice] = max(_changed(row), changed.get(each.invoice, _changed(row)))
        return [(each.erp_id, each, changed[each.erp_id]) for each in await self.invoices_by_id(changed)]

    async def _credits(self, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ErpCredit, datetime]]:
        found = [source(kind, row) for row in rows if row["Type"] in INCOMING]
        return [(each.key.text, translate.credit(each), each.changed_at) for each in found if _is_credit(each)]

    # ------------------------------------------------------------ invoices with what settled them

    async def _told(self, rows: Sequence[Mapping[str, Any]]) -> list[ErpInvoice]:
        """Each of one moment: where the invoice and what settles it were read in different ones, both are read again."""
        waiting = {row["InvoiceID"]: row for row in rows}
        found: dict[str, ErpInvoice] = {}
        for tried in range(_TRIES):
            if tried:
                waiting = dict(await self._documents.invoices(waiting))
            sources = await self._documents.sources(key for row in waiting.values() for key in _settling(row))
            for number, row in list(waiting.items()):
                made = translate.invoice(row, [each for each in sources.values() if each.stands])
                if made is not None:
                    found[number] = made
                    del waiting[number]
            if not waiting:
                return [found[row["InvoiceID"]] for row in rows if row["InvoiceID"] in found]
        raise Unavailable("An invoice in Xero changes while it is read.")


def _settling(row: wire.Wire | Mapping[str, Any]) -> list[SourceKey]:
    return [
        SourceKey(kind=kind, id=each[kind.id_field]) for kind in Kind for each in row.get(kind.room) or []
    ]  # fmt: skip


def _is_credit(found: Source) -> bool:
    """What a person entered: not ours, and no draft."""
    return not is_our_reference(found.reference.removeprefix(WITHDRAWN)) and found.status not in _DRAFTS


def _changed(row: Mapping[str, Any]) -> datetime:
    return wire.moment(row["UpdatedDateUTC"])
