"""What the connector reads of one account, by SuiteQL: as it stands now and as it changed.

A document and what settles it come in one answer, by a join: two answers could be of two moments. Dates are made text by
TO_CHAR: without it a time comes as a day, in the form of the user who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from connectors.erp.netsuite import translate, wire
from connectors.erp.netsuite.client import NetSuiteClient
from connectors.erp.netsuite.cursors import Stream
from connectors.erp.netsuite.documents import BATCH, is_number
from connectors.erp.ports import CreditKind, ErpCredit, ErpCustomer, ErpInvoice, ErpPayment, ErpQuote
from domain.ids import is_our_reference

_DAY: Final = wire.DAY
_INVOICES: Final = f"""
SELECT t.id, t.tranid, t.entity, c.symbol, t.foreigntotal, t.foreignamountunpaid AS unpaid, t.status, t.voided,
t.otherrefnum, TO_CHAR(t.trandate, '{_DAY}') AS trandate, TO_CHAR(t.duedate, '{_DAY}') AS duedate,
l.nextdoc, l.foreignamount AS applied, p.type AS ptype, p.tranid AS ptranid, p.externalid AS pexternal,
TO_CHAR(p.trandate, '{_DAY}') AS pdate
FROM transaction t JOIN currency c ON c.id = t.currency
LEFT JOIN nexttransactionlinelink l ON l.previousdoc = t.id AND l.linktype = 'Payment'
LEFT JOIN transaction p ON p.id = l.nextdoc
WHERE t.type = 'CustInvc' AND t.id IN ({{ids}}) ORDER BY t.id, l.nextdoc"""  # noqa: S608 - ids are numbers
_MONEY: Final = f"""
SELECT t.id, t.type, t.tranid, t.entity, c.symbol, t.foreigntotal, t.foreignpaymentamountunused AS unused, t.memo, t.voided,
t.externalid, t.createdby, TO_CHAR(t.trandate, '{_DAY}') AS trandate,
l.previousdoc, l.foreignamount AS applied, i.type AS itype, i.tranid AS itranid
FROM transaction t JOIN currency c ON c.id = t.currency
LEFT JOIN nexttransactionlinelink l ON l.nextdoc = t.id AND l.linktype = 'Payment'
LEFT JOIN transaction i ON i.id = l.previousdoc
WHERE t.type IN ({{types}}) AND t.id IN ({{ids}}) ORDER BY t.id, l.previousdoc"""  # noqa: S608 - ids are numbers
_QUOTES: Final = f"""
SELECT t.id, t.tranid, t.entity, c.symbol, t.foreigntotal, t.status, t.voided,
TO_CHAR(t.trandate, '{_DAY}') AS trandate, TO_CHAR(t.duedate, '{_DAY}') AS duedate
FROM transaction t JOIN currency c ON c.id = t.currency
WHERE t.type = 'Estimate' AND t.id IN ({{ids}}) ORDER BY t.id"""  # noqa: S608 - ids are numbers
_LINES: Final = """
SELECT n.transaction, n.linesequencenumber, n.memo, n.quantity, n.rate, n.foreignamount FROM transactionline n
WHERE n.mainline = 'F' AND n.taxline = 'F' AND n.transaction IN ({ids}) ORDER BY n.transaction, n.linesequencenumber"""
_CUSTOMERS: Final = """
SELECT k.id, k.entityid, k.altname, k.companyname, k.email, k.parent, k.isinactive, c.symbol FROM customer k
JOIN currency c ON c.id = k.currency WHERE k.id IN ({ids}) ORDER BY k.id"""
_CHANGED: Final = "SELECT t.id AS id, t.lastmodifieddate AS at FROM transaction t WHERE t.type IN ({types})"
_DELETED: Final = "SELECT d.recordid AS id, d.deleteddate AS at FROM deletedrecord d WHERE d.type IN ({types})"
_GONE: Final = "SELECT d.recordid, d.type FROM deletedrecord d WHERE d.recordid IN ({ids}) ORDER BY d.recordid"
# A payment need not touch the invoice that it pays; one that it no longer pays is open again.
_PAID: Final = """SELECT l.previousdoc AS id, p.lastmodifieddate AS at FROM nexttransactionlinelink l
JOIN transaction p ON p.id = l.nextdoc JOIN transaction i ON i.id = l.previousdoc
WHERE p.type IN ('CustPymt', 'CustCred') AND i.type = 'CustInvc'"""
_OWING: Final = """SELECT i.id AS id, p.lastmodifieddate AS at FROM transaction p JOIN transaction i ON i.entity = p.entity
WHERE p.type IN ('CustPymt', 'CustCred') AND i.type = 'CustInvc' AND i.foreignamountunpaid > 0"""


class Reading:
    """Each method raises ConnectorError, and KeyError, TypeError or ValueError on what is malformed."""

    def __init__(self, client: NetSuiteClient, *, zone: ZoneInfo, time_zone: str, overlap: timedelta) -> None:
        self._client = client
        self._time_zone = time_zone

        def changes(types: str) -> list[str]:
            return [_CHANGED.format(types=types), _DELETED.format(types=types)]

        invoices = [*changes("'CustInvc'"), _PAID, _OWING]
        customers = ["SELECT k.id AS id, k.lastmodifieddate AS at FROM customer k"]
        self.customers = Stream(client=client, changes=customers, read=self._customers, zone=zone, overlap=overlap)
        self.invoices = Stream(client=client, changes=invoices, read=self._invoices, zone=zone, overlap=overlap)
        self.credits = Stream(
            client=client, changes=changes("'CustCred', 'CustPymt'"), read=self._credits, zone=zone, overlap=overlap
        )
        self.quotes = Stream(client=client, changes=changes("'Estimate'"), read=self._quotes, zone=zone, overlap=overlap)
        self.payments = Stream(client=client, changes=changes("'CustPymt'"), read=self._payments, zone=zone, overlap=overlap)

    async def invoices_by_id(self, erp_ids: Iterable[str]) -> Sequence[ErpInvoice]:
        """Those invoices; what is none is left out."""
        found = await self._invoices(sorted(filter(is_number, set(erp_ids))))
        return [each for each in found.values() if not each.deleted]

    async def credits_by_id(self, erp_ids: Iterable[str]) -> Sequence[ErpCredit]:
        """Those credits; what is none is left out."""
        wanted = set(erp_ids)
        ids = sorted({number for each in wanted if is_number(number := each.partition("-")[2])})
        return [each for each in (await self._credits(ids)).values() if each.erp_id in wanted and not each.is_forgotten]

    async def _customers(self, ids: Sequence[str]) -> Mapping[str, ErpCustomer]:
        rows = await self._rows(_CUSTOMERS, ids)
        return {str(row["id"]): translate.customer(row, time_zone=self._time_zone) for row in rows}

    async def _invoices(self, ids: Sequence[str]) -> Mapping[str, ErpInvoice]:
        lines = await self._lines(ids)
        documents = translate.grouped(await self._rows(_INVOICES, ids))
        found = {each: translate.invoice(rows, lines.get(each, ())) for each, rows in documents.items()}
        today = datetime.now(UTC).date()
        return {each: found[each] if each in found else translate.forgotten_invoice(each, today) for each in ids}

    async def _credits(self, ids: Sequence[str]) -> Mapping[str, ErpCredit]:
        found: dict[str, ErpCredit] = {}
        documents = translate.grouped(await self._rows(_MONEY, ids, types="'CustCred', 'CustPymt'"))
        for each, rows in documents.items():
            if not is_our_reference(str(rows[0].get("externalid") or "")):
                found[each] = translate.credit(rows)
        today = datetime.now(UTC).date()
        for row in await self._rows(_GONE, sorted(set(ids) - documents.keys())):
            kind = CreditKind.CREDIT_NOTE if row["type"] == "CustCred" else CreditKind.PAYMENT
            name = "memo" if kind is CreditKind.CREDIT_NOTE else "payment"
            found[str(row["recordid"])] = translate.forgotten_credit(f"{name}-{row['recordid']}", kind, today)
        return found

    async def _payments(self, ids: Sequence[str]) -> Mapping[str, ErpPayment]:
        documents = translate.grouped(await self._rows(_MONEY, ids, types="'CustPymt'"))
        today = datetime.now(UTC).date()
        return {
            each: translate.payment(documents[each]) if each in documents else translate.forgotten_payment(each, today)
            for each in ids
        }

    async def _quotes(self, ids: Sequence[str]) -> Mapping[str, ErpQuote]:
        lines = await self._lines(ids)
        rows = {str(row["id"]): row for row in await self._rows(_QUOTES, ids)}
        today = datetime.now(UTC).date()
        return {
            each: translate.quote(rows[each], lines.get(each, ()))
            if each in rows
            else translate.forgotten_quote(each, today)
            for each in ids
        }

    async def _lines(self, ids: Sequence[str]) -> Mapping[str, Sequence[wire.Wire]]:
        """What was sold, by document."""
        lines: dict[str, list[wire.Wire]] = {}
        for row in await self._rows(_LINES, ids):
            lines.setdefault(str(row["transaction"]), []).append(row)
        return lines

    async def _rows(self, query: str, ids: Sequence[str], **more: str) -> list[wire.Wire]:
        found: list[wire.Wire] = []
        for at in range(0, len(ids), BATCH):
            found += await self._client.rows(" ".join(query.format(ids=",".join(ids[at : at + BATCH]), **more).split()))
        return found
