"""What the connector reads of one company: as it stands now and as it changed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, TypeVar

from connectors.erp.compared import compared
from connectors.erp.ports import ErpCredit, ErpCustomer, ErpInvoice, ErpOpenTotal, ErpPayment, ErpQuote, ErpRecurring, Page
from connectors.erp.quickbooks import translate, wire
from connectors.erp.quickbooks.client import QuickBooksClient, QuickBooksConfig
from connectors.erp.quickbooks.cursors import Rows, Stream
from connectors.erp.quickbooks.documents import BATCH, INVOICE, MEMO, Documents, Payment, currency_of, is_number, payment
from connectors.erp.rests import Rest
from domain.money import Money, total

T = TypeVar("T")

_PAYMENT: Final = "Payment"
_GENERATIONS: Final = 5


class Reading:
    """Each method raises ConnectorError, and KeyError, TypeError or ValueError on what is malformed."""

    def __init__(self, client: QuickBooksClient, documents: Documents, config: QuickBooksConfig) -> None:
        self._client = client
        self._documents = documents
        self._time_zone = config.time_zone
        self._overlap = timedelta(seconds=config.overlap_seconds)
        self._every_seconds = config.read_every_seconds
        self.customers = self._stream("Customer", read=self._customers)
        self.invoices = self._stream(INVOICE, touching=(_PAYMENT, MEMO), read=self._invoices)
        self.credits = self._stream(MEMO, _PAYMENT, read=self._credits)
        self.payments = self._stream(_PAYMENT, read=self._payments)
        self.quotes = self._stream("Estimate", read=self._quotes)
        self.recurring = Templates(client, self._documents, every_seconds=self._every_seconds)

    def _stream(
        self, *entities: str, read: Callable[[Rows], Awaitable[Mapping[str, T]]], touching: Sequence[str] = ()
    ) -> Stream[T]:
        return Stream(
            client=self._client,
            entities=entities,
            touching=touching,
            read=read,
            overlap=self._overlap,
            rest=Rest(self._every_seconds),
        )

    async def invoices_by_id(self, erp_ids: Iterable[str]) -> Sequence[ErpInvoice]:
        """Those invoices; what is none is left out."""
        rows = await self._documents.by_id(INVOICE, set(erp_ids))
        return list((await self._told(rows)).values())

    async def credits_by_id(self, erp_ids: Iterable[str]) -> Sequence[ErpCredit]:
        """Those credits; what is none is left out."""
        named = [each.partition("-") for each in set(erp_ids)]
        rows = {
            MEMO: await self._documents.by_id(MEMO, (each for kind, _, each in named if kind == "memo")),
            _PAYMENT: await self._documents.by_id(_PAYMENT, (each for kind, _, each in named if kind == "payment")),
        }
        found = await self._credits(rows)
        return [found[each] for each in sorted(found) if each in set(erp_ids)]

    async def payers(self, customers: Iterable[str]) -> Mapping[str, str]:
        """Who pays for a sub-customer that is billed with its parent, by its id; those who pay themselves are left out."""
        return {each: payer for each, (payer, _) in (await self._billed(customers)).items() if payer != each}

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What each customer owes, by one reading of all open invoices for each page."""
        home = await self._documents.home()
        sums: dict[tuple[str, str], list[Money]] = {}
        rows = await self._client.every(INVOICE, "Balance > '0'")
        billed = await self._billed(str(row["CustomerRef"]["value"]) for row in rows)
        for row in rows:
            payer, _ = billed[str(row["CustomerRef"]["value"])]
            sums.setdefault((payer, currency_of(row, home)), []).append(translate.open_of(row, home))
        names = sorted(sums)
        after: tuple[str, ...] = tuple(json.loads(cursor)) if cursor else ()
        rest = [each for each in names if each > after]
        found = [
            ErpOpenTotal(
                customer_erp_id=payer,
                count=len(sums[payer, currency]),
                open=total(sums[payer, currency], currency=currency),
            )
            for payer, currency in rest[:limit]
        ]
        last = json.dumps(rest[:limit][-1]) if found else cursor
        return Page(rows=tuple(found), cursor=last, more=len(rest) > limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """The general ledger's receivables accounts, summed up by their currencies."""
        home = await self._documents.home()
        sums: dict[str, Money] = {}
        for row in await self._client.rows("Account", "AccountType = 'Accounts Receivable'"):
            currency = currency_of(row, home)
            balance = wire.amount(row.get("CurrentBalance"), currency)
            sums[currency] = sums.get(currency, Money.zero(currency)) + balance
        return [sums[each] for each in sorted(sums)]

    # ------------------------------------------------------------ what changed, by key

    async def _customers(self, rows: Rows) -> Mapping[str, ErpCustomer]:
        home = await self._documents.home()
        found = [each for each in rows.get("Customer", ()) if _is_there(each)]
        return {each["Id"]: translate.customer(each, home=home, time_zone=self._time_zone) for each in found}

    async def _invoices(self, rows: Rows) -> Mapping[str, ErpInvoice]:
        """Invoices that changed, and those of customers whose payments or credits did: neither need touch an invoice."""
        known = {row["Id"]: row for row in rows.get(INVOICE, ())}
        home = await self._documents.home()
        changed = [payment(row, home) for row in rows.get(_PAYMENT, ()) if _is_there(row)]
        linked = {each for found in changed for each in found.onto()}
        for row in await self._documents.by_id(INVOICE, linked - known.keys()):
            known[row["Id"]] = row
        touched = [row for name in (_PAYMENT, MEMO) for row in rows.get(name, ()) if _is_there(row)]
        owing = sorted({str(row["CustomerRef"]["value"]) for row in touched})
        for at in range(0, len(owing), BATCH):
            names = ",".join(f"'{each}'" for each in owing[at : at + BATCH])
            for row in await self._client.every(INVOICE, f"CustomerRef in ({names}) and Balance > '0'"):
                known.setdefault(row["Id"], row)
        found = dict(await self._told([row for row in known.values() if _is_there(row)]))
        for row in known.values():
            if not _is_there(row):
                found[row["Id"]] = translate.deleted_invoice(str(row["Id"]), home, _day_of(row))
        return found

    async def _told(self, rows: Sequence[wire.Wire]) -> Mapping[str, ErpInvoice]:
        found = await self._documents.invoices(rows)
        billed = await self._billed(each.customer for each in found.values())
        memos = {link.id for each in found.values() for paid in each.paying for link in paid.links if link.kind == MEMO}
        numbers = {row["Id"]: str(row.get("DocNumber") or row["Id"]) for row in await self._documents.by_id(MEMO, memos)}
        terms = {str(row["SalesTermRef"]["value"]) for row in rows if row.get("SalesTermRef")}
        named = {row["Id"]: str(row.get("Name") or "") for row in await self._documents.by_id("Term", terms)}
        return {
            each.id: translate.invoice(
                each, payer=billed[each.customer][0], site=billed[each.customer][1], memo_numbers=numbers, terms=named
            )
            for each in found.values()
        }

    async def _credits(self, rows: Rows) -> Mapping[str, ErpCredit]:
        """Credit memos, and payments of people; what Duly wrote is none, nor a payment of zero, which moves credits."""
        home = await self._documents.home()
        by_hand = [payment(row, home) for row in rows.get(_PAYMENT, ()) if _is_there(row)]
        memos = {row["Id"]: row for row in rows.get(MEMO, ()) if _is_there(row)}
        moved = {link.id for each in by_hand for link in each.links if link.kind == MEMO} - memos.keys()
        memos |= {row["Id"]: row for row in await self._documents.by_id(MEMO, moved)}
        linked = {each["TxnId"] for row in memos.values() for each in row.get("LinkedTxn", ())}
        payments = await self._documents.payments(linked)
        numbers = await self._numbers([*by_hand, *payments.values()])
        found: dict[str, ErpCredit] = {}
        for row in memos.values():
            of_memo = {
                str(each["TxnId"]): payments[str(each["TxnId"])]
                for each in row.get("LinkedTxn", ())
                if str(each["TxnId"]) in payments
            }
            found[f"memo-{row['Id']}"] = translate.memo(row, of_memo, numbers, home)
        for each in by_hand:
            if each.reference is None and (each.total.minor or not each.stands):
                found[f"payment-{each.id}"] = translate.payment_by_hand(each, numbers)
        for kind, name in ((MEMO, "memo"), (_PAYMENT, "payment")):
            for row in rows.get(kind, ()):
                if not _is_there(row):
                    erp_id = f"{name}-{row['Id']}"
                    found[erp_id] = translate.deleted_credit(erp_id, home, _day_of(row))
        return found

    async def _payments(self, rows: Rows) -> Mapping[str, ErpPayment]:
        home = await self._documents.home()
        found: dict[str, ErpPayment] = {}
        for row in rows.get(_PAYMENT, ()):
            if _is_there(row):
                found[row["Id"]] = translate.payment(payment(row, home))
            else:
                found[row["Id"]] = _deleted_payment(row, home)
        return found

    async def _quotes(self, rows: Rows) -> Mapping[str, ErpQuote]:
        home = await self._documents.home()
        return {
            row["Id"]: translate.quote(row, home)
            if _is_there(row)
            else translate.deleted_quote(row["Id"], home, _day_of(row))
            for row in rows.get("Estimate", ())
        }

    # ------------------------------------------------------------ who and which

    async def _billed(self, customers: Iterable[str]) -> Mapping[str, tuple[str, str | None]]:
        """Who is billed for each customer, and the name of its site where that is somebody else: a job that is billed with
        its parent has no bill of its own.
        """
        wanted = set(customers)
        known: dict[str, wire.Wire] = {}
        missing = wanted
        for _ in range(_GENERATIONS):
            if not missing:
                break
            known |= {row["Id"]: row for row in await self._documents.by_id("Customer", missing)}
            parents = {str(row["ParentRef"]["value"]) for row in known.values() if _is_billed_with_parent(row)}
            missing = parents - known.keys()
        found: dict[str, tuple[str, str | None]] = {}
        for each in wanted:
            payer = each
            while payer in known and _is_billed_with_parent(known[payer]):
                payer = str(known[payer]["ParentRef"]["value"])
            site = str(known[each].get("DisplayName") or "") if payer != each else None
            found[each] = (payer, site)
        return found

    async def _numbers(self, payments: Iterable[Payment]) -> Mapping[str, str]:
        """Invoices' numbers by their ids."""
        ids = {each for found in payments for each in found.onto()}
        return {row["Id"]: str(row.get("DocNumber") or row["Id"]) for row in await self._documents.by_id(INVOICE, ids)}


class Templates:
    """Templates of invoices: QuickBooks neither says when they changed nor captures it, so all are read and compared."""

    def __init__(self, client: QuickBooksClient, documents: Documents, *, every_seconds: int) -> None:
        self._client = client
        self._documents = documents
        self._rest = Rest(every_seconds)

    async def page(self, cursor: str, *, limit: int) -> Page[ErpRecurring]:
        """Up to so many that differ from what the cursor knows."""
        if self._rest.holds(cursor):
            return Page(rows=(), cursor=cursor, more=False)
        home = await self._documents.home()
        found: dict[str, ErpRecurring] = {}
        for row in await self._client.rows("RecurringTransaction"):
            template = row.get(INVOICE)
            if template is not None and is_number(str(template.get("Id"))):
                found[str(template["Id"])] = translate.recurring(template, home)
        page = compared(found, cursor, limit=limit, currency=home)
        if not page.more:
            self._rest.begin(page.cursor)
        return page


def _is_there(row: wire.Wire) -> bool:
    return row.get("status") != "Deleted"


def _is_billed_with_parent(row: wire.Wire) -> bool:
    return bool(row.get("Job") and row.get("BillWithParent") and row.get("ParentRef"))


def _day_of(row: wire.Wire) -> date:
    return wire.moment(row["MetaData"]["LastUpdatedTime"]).date()


def _deleted_payment(row: wire.Wire, home: str) -> ErpPayment:
    nothing = Money.zero(home)
    erp_id = str(row["Id"])
    return ErpPayment(
        erp_id=f"payment-{erp_id}",
        customer_erp_id="",
        number=erp_id,
        amount=nothing,
        unapplied=nothing,
        received_on=_day_of(row),
        stands=False,
    )
