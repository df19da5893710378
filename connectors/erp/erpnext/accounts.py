"""Accounts that a payment is written with: an account of ERPNext has one currency, so there is one of each kind for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.erp.erpnext.client import ErpNextClient
from connectors.erp.erpnext.ledger import INVOICE, SUBMITTED
from connectors.errors import Misconfigured, Rejected

_FIELDS: Final = ("name", "account_currency", "account_type", "is_group")


class Accounts:
    """Reads of the company and its accounts, kept once read. Each raises ConnectorError."""

    def __init__(self, client: ErpNextClient, *, company: str, deposits: Sequence[str]) -> None:
        self._client = client
        self._company = company
        self._deposits = deposits
        self._deposit_of: dict[str, str] | None = None
        self._home: tuple[str, str | None] | None = None

    async def ready(self) -> None:
        """Raises Misconfigured where the company or an account of ours is not there."""
        await self.home()
        await self._read_deposits()

    async def home(self) -> str:
        """The company's own currency."""
        return (await self._read_company())[0]

    async def is_foreign(self, currency: str) -> bool:
        """Whether a currency is not the company's own."""
        return currency != await self.home()

    async def deposit(self, currency: str) -> str:
        """Where money of a currency comes in. Raises Rejected where we were given no account of that currency."""
        found = (await self._read_deposits()).get(currency)
        if found is None:
            raise Rejected("NO_ACCOUNT", f"Duly was given no account of ERPNext for money in {currency}.")
        return found

    async def receivable(self, customer: str, currency: str) -> str:
        """Where money of a customer is that is for no invoice: the account of its newest invoice, else the company's.

        Raises Rejected where there is none, or several to choose from.
        """
        filters = [
            ["company", "=", self._company],
            ["customer", "=", customer],
            ["party_account_currency", "=", currency],
            ["docstatus", "=", SUBMITTED],
        ]
        newest = await self._client.page(INVOICE, filters, ("debit_to",), order="posting_date desc, name desc", limit=1)
        if newest:
            return str(newest[0]["debit_to"])
        rows = [row for row in await self.receivables() if row[1] == currency]
        default = (await self._read_company())[1]
        names = [name for name, _ in rows]
        if default in names:
            return str(default)
        if len(names) != 1:
            raise Rejected("NO_ACCOUNT", f"ERPNext has {len(names)} receivable accounts in {currency}, not one.")
        return names[0]

    async def receivables(self) -> list[tuple[str, str]]:
        """The company's receivable accounts, each with its currency."""
        filters = [["company", "=", self._company], ["account_type", "=", "Receivable"], ["is_group", "=", 0]]
        rows = await self._client.every("Account", filters, _FIELDS)
        return [(str(row["name"]), str(row["account_currency"])) for row in rows]

    async def _read_deposits(self) -> dict[str, str]:
        if self._deposit_of is None:
            rows = await self._client.named("Account", "name", self._deposits, [["company", "=", self._company]], _FIELDS)
            missing = sorted(set(self._deposits) - {str(row["name"]) for row in rows})
            if missing:
                raise Misconfigured(f"ERPNext has no account {missing[0]} in {self._company}.")
            found = {str(row["account_currency"]): str(row["name"]) for row in rows}
            if len(found) != len(rows):
                raise Misconfigured("Two of the accounts for Duly's payments have one currency.")
            self._deposit_of = found
        return self._deposit_of

    async def _read_company(self) -> tuple[str, str | None]:
        if self._home is None:
            fields = ("name", "default_currency", "default_receivable_account")
            rows = await self._client.every("Company", [["name", "=", self._company]], fields)
            if not rows:
                raise Misconfigured(f"ERPNext has no company {self._company} that our user may see.")
            self._home = (str(rows[0]["default_currency"]), rows[0]["default_receivable_account"])
        return self._home
