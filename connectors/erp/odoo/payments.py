"""Every customer payment in the books, those that Duly posted and those of people alike, as they stand and as they change.

What Duly writes as one payment is several of Odoo's with one reference: it is told once, under the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from connectors.erp.odoo import translate, wire
from connectors.erp.odoo.client import OdooClient
from connectors.erp.odoo.documents import Documents, Line
from connectors.erp.odoo.finding import Finding, Found
from connectors.erp.odoo.reading import Reading
from connectors.erp.ports import ErpPayment
from connectors.erp.sweeps import Key, Stream
from domain.ids import is_our_reference
from domain.money import Money

_PAYMENT: Final = 0
_RECEIVED: Final = (("payment_type", "=", "inbound"), ("partner_type", "=", "customer"))


class Payments:
    """Each method raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(
        self, client: OdooClient, documents: Documents, finding: Finding, reading: Reading, *, overlap: timedelta
    ) -> None:
        self._client = client
        self._documents = documents
        self._finding = finding
        self._reading = reading
        self.stream = Stream(changed=self._changed, read=self._read, clock=client.clock, overlap=overlap)

    async def _changed(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        setup = await self._client.setup()
        domain = [("company_id", "=", setup.company), *_RECEIVED, ("id", ">", max(after[1], 0))]
        if since is None:
            rows = await self._client.rows("account.payment", domain, ["id"], limit=limit)
            return [(_PAYMENT, row["id"]) for row in rows]
        lines = await self._reading.touched_lines(since)
        keys = {line.mark.key for line in lines if line.is_ours and line.mark is not None}
        touched = {line.payment for line in lines if line.payment is not None}
        ours = await self._rows([(setup.memo, "in", sorted(keys))]) if keys else []
        ids = sorted({*touched, *(row["id"] for row in ours)})
        rows = await self._client.rows("account.payment", [*domain, ("id", "in", ids)], ["id"]) if ids else []
        return [(_PAYMENT, row["id"]) for row in rows[:limit]]

    async def _rows(self, domain: Sequence[object]) -> list[wire.Wire]:
        setup = await self._client.setup()
        fields = ("state", "partner_id", "currency_id", "amount", "date", "name", setup.memo)
        return await self._client.rows("account.payment", [("company_id", "=", setup.company), *_RECEIVED, *domain], fields)

    async def _read(self, keys: Sequence[Key]) -> Mapping[Key, ErpPayment]:
        setup = await self._client.setup()
        rows = {row["id"]: row for row in await self._rows([("id", "in", [number for _, number in keys])])}
        lines: dict[int, list[Line]] = {}
        for line in await self._documents.lines(("payment_id", "in", sorted(rows))) if rows else []:
            lines.setdefault(line.payment or 0, []).append(line)
        found: dict[Key, ErpPayment] = {}
        for number, row in rows.items():
            reference = wire.text(row[setup.memo])
            if is_our_reference(reference):
                told = await self._ours(number, reference or "")
            else:
                told = await self._of_a_person(row, lines.get(number, []))
            if told is not None:
                found[_PAYMENT, number] = told
        return found

    async def _ours(self, number: int, reference: str) -> ErpPayment | None:
        """None for what is no payment (a refund that came back), and for its parts but the first."""
        document = next((each for each in await self._finding.documents(reference) if each.id == number), None)
        if document is None or document.is_draft or not any(mark.key == reference for mark in document.marks):
            return None
        standing = await self._finding.standing(reference, document.amount.currency)
        stands = document.stands and not await self._is_reversed(document, standing.whole)
        return translate.payment(
            document,
            on=next((part.line.on for part in document.parts if part.line is not None), None),
            paid=list(standing.onto.items()) if stands else (),
            unapplied=standing.pool if stands else document.amount,
            stands=stands,
        )

    async def _is_reversed(self, document: Found, left: Money) -> bool:
        return not left.minor and await self._finding.has_followers(document.reference)

    async def _of_a_person(self, row: wire.Wire, lines: Sequence[Line]) -> ErpPayment | None:
        """None for a draft that was never posted, and for what no entry was made for: it is no money in the books."""
        if not lines or not lines[0].was_posted or lines[0].customer is None:
            return None
        line = lines[0]
        stands = line.is_posted and line.move not in await self._finding.taken_back([line.move])
        on = [(each[0].move, each[2]) for each in await self._finding.on_invoices([line])] if stands else []
        return translate.payment_of_a_person(row["id"], line, paid=on, stands=stands)
