"""What the books say: rows of the Payment Ledger, from which all that is open, settled or on account is summed up here.

An invoice's own `outstanding_amount` and a payment's own `unallocated_amount` are copies that ERPNext refreshes late or not
at all; the ledger is what it computes them from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.client import ErpNextClient
from connectors.errors import Rejected
from domain.money import Money, total

LEDGER: Final = "Payment Ledger Entry"
INVOICE: Final = "Sales Invoice"
PAYMENT: Final = "Payment Entry"
JOURNAL: Final = "Journal Entry"
CUSTOMER: Final = "Customer"
SUBMITTED: Final = 1
CANCELLED: Final = 2

Voucher = tuple[str, str]
"""A document's type and name."""

ENTRY_FIELDS: Final = (
    *("name", "posting_date", "party", "account", "voucher_type", "voucher_no"),
    *("against_voucher_type", "against_voucher_no", "amount_in_account_currency", "account_currency"),
)
INVOICE_FIELDS: Final = (
    *("name", "customer", "docstatus", "is_return", "currency", "grand_total", "rounded_total", "disable_rounded_total"),
    *("debit_to", "party_account_currency", "status"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the ledger. `amount` is what it adds to what is owed (payments are below zero), in the account's currency."""

    voucher: Voucher
    against: Voucher
    amount: Money
    on: date
    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the money of a payment is: taken by documents, and still on account with the customer."""

    onto: Mapping[Voucher, Money]
    pool: Money

    def of(self, invoice: str) -> Money:
        """What stands on an invoice."""
        return self.onto.get((INVOICE, invoice), Money.zero(self.pool.currency))

    @property
    def on_invoices(self) -> Mapping[str, Money]:
        """What stands on each invoice."""
        return {name: amount for (kind, name), amount in self.onto.items() if kind == INVOICE}

    @property
    def whole(self) -> Money:
        """All that is left of it: what went back, and was matched with that, is no longer there."""
        return total((self.pool, *self.on_invoices.values()), currency=self.pool.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A submitted invoice with what the ledger has open of it; that of a credit note is below zero."""

    name: str
    customer: str
    account: str
    currency: str
    is_return: bool
    open: Money


class Ledger:
    """Reads of the ledger. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: ErpNextClient, *, company: str) -> None:
        self._client = client
        self._live = [["company", "=", company], ["party_type", "=", CUSTOMER], ["delinked", "=", 0]]
        self._company = company

    async def against(self, names: Iterable[str]) -> list[Entry]:
        """What stands against documents of these names, their own rows included."""
        rows = await self._client.named(LEDGER, "against_voucher_no", list(names), self._live, ENTRY_FIELDS)
        return [entry(row) for row in rows]

    async def of(self, vouchers: Iterable[str]) -> list[Entry]:
        """What documents of these names wrote."""
        rows = await self._client.named(LEDGER, "voucher_no", list(vouchers), self._live, ENTRY_FIELDS)
        return [entry(row) for row in rows]

    async def standing(self, payment: str, currency: str) -> Standing:
        """Where the money of one payment is."""
        return standing(payment, currency, [each for each in await self.of([payment]) if each.voucher[0] == PAYMENT])

    async def open_of(self, document: Voucher, currency: str) -> Money:
        """What is open of one document."""
        entries = await self.against([document[1]])
        return total((each.amount for each in entries if each.against == document), currency=currency)

    async def invoices(self, names: Iterable[str]) -> dict[str, Invoice]:
        """Submitted invoices and credit notes of the company by name, in the currency of their own account."""
        wanted = list(dict.fromkeys(names))
        filters = [["company", "=", self._company], ["docstatus", "=", SUBMITTED]]
        rows = await self._client.named(INVOICE, "name", wanted, filters, INVOICE_FIELDS)
        entries = await self.against(row["name"] for row in rows) if rows else []
        found = {}
        for row in rows:
            currency = row["party_account_currency"] or row["currency"]
            mine = (each.amount for each in entries if each.against == (INVOICE, row["name"]))
            found[str(row["name"])] = Invoice(
                name=str(row["name"]),
                customer=row["customer"],
                account=row["debit_to"],
                currency=currency,
                is_return=bool(row["is_return"]),
                open=total(mine, currency=currency),
            )
        return found

    async def payable(self, customer: str, currency: str, lines: Mapping[str, Money]) -> dict[str, Invoice]:
        """The invoices of some lines, each of which can take what is put on it (taking off is not looked at). Raises
        Rejected.
        """
        invoices = await self.invoices(lines)
        for name, amount in lines.items():
            invoice = invoices.get(name)
            if invoice is None or invoice.is_return:
                raise Rejected("INVOICE_NOT_FOUND", f"ERPNext has no submitted invoice {name}.")
            if invoice.customer != customer:
                raise Rejected("OTHER_CUSTOMER", f"Invoice {name} belongs to another customer.")
            if invoice.currency != currency:
                raise Rejected("OTHER_CURRENCY", f"Invoice {name} is kept in {invoice.currency}.")
            if amount.minor > 0 and amount > invoice.open:
                left = f"{invoice.open.plain()} open, less than {amount.plain()}"
                raise Rejected("OVER_APPLIED", f"Invoice {name} has {left}.")
        return invoices


def entry(row: Mapping[str, Any]) -> Entry:
    """A row of the ledger from ERPNext's. Raises KeyError, ValueError."""
    voucher = (str(row["voucher_type"]), str(row["voucher_no"]))
    return Entry(
        voucher=voucher,
        # A row that says against nothing stands on its own.
        against=(str(row["against_voucher_type"] or voucher[0]), str(row["against_voucher_no"] or voucher[1])),
        amount=wire.amount(row["amount_in_account_currency"], row["account_currency"]),
        on=date.fromisoformat(row["posting_date"]),
        party=str(row["party"]),
    )


def standing(payment: str, currency: str, entries: Sequence[Entry]) -> Standing:
    """Where a payment's money is, by the rows that it wrote."""
    onto: dict[Voucher, Money] = {}
    for each in entries:
        onto[each.against] = onto.get(each.against, Money.zero(currency)) - each.amount
    pool = onto.pop((PAYMENT, payment), Money.zero(currency))
    return Standing(onto={each: amount for each, amount in onto.items() if amount.minor}, pool=pool)
