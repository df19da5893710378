"""What is read of QuickBooks's books: payments with their links, invoices, journal entries. Shapes of ours, words of theirs.

Entities: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/payment and its neighbours
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from connectors.erp.quickbooks import references, wire
from connectors.erp.quickbooks.client import QuickBooksClient
from connectors.errors import Misconfigured, Unavailable
from domain.money import Money

BATCH: Final = 200
INVOICE: Final = "Invoice"
MEMO: Final = "CreditMemo"
ENTRY: Final = "JournalEntry"
_LOOKS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A line of a payment: an amount, and the document that it is for (an invoice) or from (a credit)."""

    kind: str
    id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment as it stands; `row` is all of it, for a full update."""

    id: str
    row: wire.Wire
    customer: str
    total: Money
    unapplied: Money
    on: date
    links: tuple[Link, ...]
    note: str

    @property
    def version(self) -> str:
        return str(self.row["SyncToken"])

    @property
    def reference(self) -> str | None:
        """Duly's, where Duly wrote it: the note says it, and the number is made of it."""
        head = references.head_of(self.note)
        if head is None or self.row.get("PaymentRefNum") != references.number(references.owner(head[0])):
            return None
        return head[0]

    @property
    def stands(self) -> bool:
        """False once it was voided: everything of it is zero then, and the note begins with that word."""
        return not (self.note.startswith("Voided") and not self.total.minor and not self.links)

    def onto(self, kind: str = INVOICE) -> dict[str, Money]:
        """What lies on documents of a kind, by their ids."""
        found: dict[str, Money] = {}
        for link in self.links:
            if link.kind == kind:
                found[link.id] = found.get(link.id, Money.zero(link.amount.currency)) + link.amount
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice with the payments that settle it, all of one moment. `settled` is what is taken off it."""

    id: str
    row: wire.Wire
    customer: str
    currency: str
    total: Money
    settled: Money
    paying: tuple[Payment, ...]

    @property
    def open(self) -> Money:
        return self.total - self.settled


class Documents:
    """Reads of documents, batch by batch. Each raises ConnectorError, and KeyError, TypeError or ValueError on what is
    malformed.
    """

    def __init__(self, client: QuickBooksClient) -> None:
        self._client = client
        self._home: str | None = None
        self._receivable: dict[str, str] = {}

    async def home(self) -> str:
        """The company's currency: what is in no other says none."""
        if self._home is None:
            rows = await self._client.rows("Preferences")
            currencies = rows[0].get("CurrencyPrefs", {}) if rows else {}
            self._home = str(currencies.get("HomeCurrency", {}).get("value") or "")
            if not self._home:
                raise Misconfigured("QuickBooks does not say the company's currency.")
        return self._home

    async def in_currency(self, currency: str) -> wire.Wire:
        """What says in a body that it is in a currency; nothing where it is the company's, which may have no other."""
        return {} if currency == await self.home() else {"CurrencyRef": {"value": currency}}

    async def account(self, name: str) -> str:
        """The id of an account by its name. Raises Misconfigured without one."""
        rows = await self._client.rows("Account", f"Name = '{_quoted(name)}'")
        if len(rows) != 1:
            raise Misconfigured(f"QuickBooks has {len(rows)} active accounts named {name!r}, not one.")
        return str(rows[0]["Id"])

    async def receivable(self, currency: str) -> str:
        """The id of the receivables account of a currency. Raises Misconfigured without one."""
        if currency not in self._receivable:
            home = await self.home()
            rows = await self._client.rows("Account", "AccountType = 'Accounts Receivable'")
            self._receivable = {_currency(each, home): str(each["Id"]) for each in reversed(rows)}
        if currency not in self._receivable:
            raise Misconfigured(f"QuickBooks has no receivables account in {currency}.")
        return self._receivable[currency]

    async def by_id(self, entity: str, ids: Iterable[str]) -> list[wire.Wire]:
        """Objects by their ids. What a query does not show, which lags, is asked for by itself; what is gone is left out."""
        wanted = sorted({each for each in ids if is_number(each)}, key=int)
        found: dict[str, wire.Wire] = {}
        for batch in _batches(wanted):
            names = ",".join(f"'{each}'" for each in batch)
            found |= {row["Id"]: row for row in await self._client.rows(entity, f"Id in ({names})")}
        for each in wanted:
            if each not in found and (row := await self._client.one(entity, each)) is not None:
                found[each] = row
        return [found[each] for each in wanted if each in found]

    async def payments(self, ids: Iterable[str]) -> dict[str, Payment]:
        """Payments by id."""
        home = await self.home()
        return {row["Id"]: payment(row, home) for row in await self.by_id("Payment", ids)}

    async def invoices(self, rows: Sequence[wire.Wire]) -> dict[str, Invoice]:
        """Invoices with what pays them; one whose sum was not that of its payments is read again."""
        home = await self.home()
        found: dict[str, Invoice] = {}
        for look in range(_LOOKS):
            linked = {each["TxnId"] for row in rows for each in row.get("LinkedTxn", ()) if each["TxnType"] == "Payment"}
            payments = await self.payments(linked)
            read = [_invoice(row, payments, home) for row in rows]
            found |= {each.id: each for each, _ in read}
            torn = [each.id for each, is_whole in read if not is_whole]
            if not torn or look == _LOOKS - 1:
                break
            rows = await self.by_id(INVOICE, torn)
        return found


def payment(row: wire.Wire, home: str) -> Payment:
    """A payment from its row. Raises KeyError, TypeError, ValueError."""
    currency = _currency(row, home)
    return Payment(
        id=str(row["Id"]),
        row=row,
        customer=str(row["CustomerRef"]["value"]),
        total=wire.amount(row.get("TotalAmt"), currency),
        unapplied=wire.amount(row.get("UnappliedAmt"), currency),
        on=date.fromisoformat(row["TxnDate"]),
        links=tuple(
            Link(kind=str(linked["TxnType"]), id=str(linked["TxnId"]), amount=wire.amount(line["Amount"], currency))
            for line in row.get("Line", ())
            for linked in line.get("LinkedTxn", ())
        ),
        note=str(row.get("PrivateNote") or ""),
    )


def currency_of(row: Mapping[str, object], home: str) -> str:
    """The currency of an object; the company's where it says none."""
    return _currency(row, home)


def is_number(text: str) -> bool:
    """Whether a text can be an id of QuickBooks's."""
    return text.isascii() and text.isdigit() and len(text) < 20


def _invoice(row: wire.Wire, payments: Mapping[str, Payment], home: str) -> tuple[Invoice, bool]:
    """An invoice, and whether its balance and its payments are of one moment."""
    currency = _currency(row, home)
    total = wire.amount(row.get("TotalAmt"), currency)
    by_balance = total - wire.amount(row.get("Balance"), currency)
    linked = dict.fromkeys(str(each["TxnId"]) for each in row.get("LinkedTxn", ()) if each["TxnType"] == "Payment")
    paying = tuple(payments[each] for each in linked if each in payments and row["Id"] in payments[each].onto())
    by_links = Money.zero(currency)
    for each in paying:
        if each.total.currency != currency:
            raise Unavailable("A payment in QuickBooks has another currency than its invoice.")
        by_links += each.onto()[row["Id"]]
    # Where they stay apart, the larger: a deposit made on the invoice has no link, and a balance may be late.
    settled = max(by_balance, by_links, key=lambda each: each.minor)
    found = Invoice(
        id=str(row["Id"]),
        row=row,
        customer=str(row["CustomerRef"]["value"]),
        currency=currency,
        total=total,
        settled=settled,
        paying=paying,
    )
    return found, by_balance == by_links


def _currency(row: Mapping[str, object], home: str) -> str:
    told = row.get("CurrencyRef")
    return str(told["value"]) if isinstance(told, dict) and told.get("value") else home


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
