"""What an ERP can be read for: its streams, in the order in which they are read. One that it cannot tell is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from connectors.erp.ports import LedgerErp, Page, ReadsPayments, ReadsQuotes, ReadsRecurring
from domain.receivables import ErpCredit, ErpCustomer, ErpInvoice, ErpPayment, ErpQuote, ErpRecurring
from store import erp_credits, erp_streams, snapshots
from store.database import Transaction

CUSTOMERS: Final = "customers"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """Where rows go: into one transaction, read after `read_seq` was drawn."""

    tx: Transaction
    read_seq: int
    connection_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[T]):
    """One stream: how a page of it is asked for, whose a row is (None: nobody's), and how rows are taken in."""

    name: str
    since: Callable[..., Awaitable[Page[T]]]
    owner: Callable[[T], str | None]
    take: Callable[[Taking, Sequence[T]], Awaitable[object]]

    def owners(self, rows: Sequence[T]) -> list[str]:
        """The ERP's ids of the customers that these rows belong to, each once."""
        return sorted({owner for each in rows if (owner := self.owner(each)) is not None})


def streams_of(erp: LedgerErp) -> list[Stream[Any]]:
    """Its streams. Customers come first, since everything belongs to one; invoices before what settles them."""
    found: list[Stream[Any]] = [
        Stream(name=CUSTOMERS, since=erp.customers_since, owner=lambda _: None, take=_customers),
        Stream(name="invoices", since=erp.invoices_since, owner=_owner, take=_invoices),
        Stream(name="credits", since=erp.credits_since, owner=_owner, take=_credits),
    ]
    if isinstance(erp, ReadsPayments):
        found.append(Stream(name="payments", since=erp.payments_since, owner=_owner, take=_payments))
    if isinstance(erp, ReadsQuotes):
        found.append(Stream(name="quotes", since=erp.quotes_since, owner=_owner, take=_quotes))
    if isinstance(erp, ReadsRecurring):
        found.append(Stream(name="recurring", since=erp.recurring_since, owner=_owner, take=_recurring))
    return found


def _owner(row: ErpInvoice | ErpCredit | ErpPayment | ErpQuote | ErpRecurring) -> str | None:
    return row.customer_erp_id or None  # of what is gone an ERP may no longer say whose it was


async def _customers(to: Taking, rows: Sequence[ErpCustomer]) -> object:
    return await snapshots.take_customers(to.tx, rows, connection_id=to.connection_id, at=to.at)


async def _invoices(to: Taking, rows: Sequence[ErpInvoice]) -> object:
    return await snapshots.take(to.tx, rows, to.read_seq, connection_id=to.connection_id, at=to.at)


async def _credits(to: Taking, rows: Sequence[ErpCredit]) -> object:
    return await erp_credits.take(to.tx, rows, to.read_seq, connection_id=to.connection_id, at=to.at)


async def _payments(to: Taking, rows: Sequence[ErpPayment]) -> object:
    return await erp_streams.take_payments(to.tx, rows, to.read_seq, connection_id=to.connection_id, at=to.at)


async def _quotes(to: Taking, rows: Sequence[ErpQuote]) -> object:
    return await erp_streams.take_quotes(to.tx, rows, connection_id=to.connection_id, at=to.at)


async def _recurring(to: Taking, rows: Sequence[ErpRecurring]) -> object:
    return await erp_streams.take_recurring(to.tx, rows, connection_id=to.connection_id, at=to.at)
