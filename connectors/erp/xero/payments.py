"""Payment documents of one organisation: ours (overpayments), and people's (on invoices, overpayments, prepayments).

A payment of ours has its money on one overpayment. Only where a refund came back does another bear it, which is looked for
where something was paid out of the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from connectors.erp.ports import ErpPayment
from connectors.erp.xero import translate, wire
from connectors.erp.xero.client import XeroClient, XeroConfig
from connectors.erp.xero.cursors import List, Stream
from connectors.erp.xero.documents import INCOMING, WITHDRAWN, Documents, Kind, Source, is_our_reference, source

SELDOM: Final = 3
"""What says nothing of what is open is read so many times seldomer: a day has few calls."""
Found = list[tuple[str, ErpPayment, datetime]]


class Payments:
    """The stream. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(
        self, client: XeroClient, documents: Documents, config: XeroConfig, home: Callable[[], Awaitable[str]]
    ) -> None:
        self._documents = documents
        self._home = home
        onto: List[ErpPayment] = List(room="Payments", where='PaymentType=="ACCRECPAYMENT"', rows=self._on_invoices)
        # Ours bear a reference and people's do not, so that both are in one list.
        money = [
            List(room=kind.room, where=None, rows=partial(self._sources, kind))
            for kind in (Kind.OVERPAYMENT, Kind.PREPAYMENT)
        ]
        overlap = timedelta(seconds=config.overlap_seconds)
        self.stream = Stream(client, [onto, *money], overlap=overlap, every_seconds=config.read_every_seconds * SELDOM)

    async def _on_invoices(self, rows: Sequence[Mapping[str, Any]]) -> Found:
        home = await self._home()
        found = [translate.payment_on_invoice(row, home) for row in rows]
        return [(each.erp_id, each, _changed(row)) for each, row in zip(found, rows, strict=True)]

    async def _sources(self, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> Found:
        found: Found = []
        ours: dict[str, list[Source]] = {}
        for each in (source(kind, row) for row in rows if row["Type"] in INCOMING):
            if is_our_reference(each.reference.removeprefix(WITHDRAWN)):
                ours.setdefault(payment_of(each), []).append(each)
            else:
                found.append((each.key.text, translate.payment_of_a_person(each), each.changed_at))
        await self._with_what_came_back(ours)
        for reference, parts in ours.items():
            whole = [each for each in parts if "/" not in each.reference]
            for each in whole:
                # A withdrawn one had nothing on it and nothing behind it.
                told = parts if each.reference == reference else [each]
                row = translate.payment(reference, each, told)
                found.append((row.erp_id, row, max(part.changed_at for part in told)))
        return found

    async def _with_what_came_back(self, ours: dict[str, list[Source]]) -> None:
        """Every overpayment of a payment where there may be more than the one that is listed."""
        wanted = [
            reference
            for reference, parts in ours.items()
            if any(each.has_payments or "/" in each.reference for each in parts)
        ]
        for reference, parts in (await self._documents.families(wanted)).items():
            listed = {each.key: each for each in ours[reference] if each.reference.startswith(WITHDRAWN)}
            ours[reference] = [*listed.values(), *parts]


def payment_of(found: Source) -> str:
    """The payment whose money it is: 'pay_…' of 'pay_…/req_…'."""
    return found.reference.removeprefix(WITHDRAWN).partition("/")[0]


def _changed(row: Mapping[str, Any]) -> datetime:
    return wire.moment(row["UpdatedDateUTC"])
