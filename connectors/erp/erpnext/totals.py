"""ERPNext's own sums, to be compared with ours: open invoices by the Payment Ledger, and accounts by the general ledger."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.accounts import Accounts
from connectors.erp.erpnext.client import ErpNextClient
from connectors.erp.erpnext.ledger import CUSTOMER, ENTRY_FIELDS, INVOICE, LEDGER, entry
from connectors.erp.ports import ErpOpenTotal, Page
from domain.money import Money


class Totals:
    """Reads of sums. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: ErpNextClient, accounts: Accounts, *, company: str) -> None:
        self._client = client
        self._accounts = accounts
        self._company = company

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """What customers owe by open invoices, customer by customer behind a name; credit notes are not counted."""
        behind = [["name", ">", cursor]] if cursor else []
        rows = await self._client.page(CUSTOMER, behind, ("name",), limit=limit)
        names = [str(row["name"]) for row in rows]
        live = [["company", "=", self._company], ["delinked", "=", 0], ["against_voucher_type", "=", INVOICE]]
        found: dict[tuple[str, str, str], Money] = {}
        for row in await self._client.named(LEDGER, "party", names, live, ENTRY_FIELDS):
            each = entry(row)
            key = (each.party, each.amount.currency, each.against[1])
            found[key] = found.get(key, Money.zero(each.amount.currency)) + each.amount
        sums: dict[tuple[str, str], tuple[int, Money]] = {}
        for (party, currency, _), amount in found.items():
            if amount.minor > 0:
                count, known = sums.get((party, currency), (0, Money.zero(currency)))
                sums[party, currency] = (count + 1, known + amount)
        totals: list[ErpOpenTotal] = []
        last = cursor
        for name in names:
            owed = [(count, amount) for (party, _), (count, amount) in sorted(sums.items()) if party == name]
            if totals and len(totals) + len(owed) > limit:
                return Page(rows=tuple(totals), cursor=last, more=True)
            totals += [ErpOpenTotal(customer_erp_id=name, count=count, open=amount) for count, amount in owed]
            last = name
        return Page(rows=tuple(totals), cursor=last, more=len(rows) == limit)

    async def receivable_balances(self) -> Sequence[Money]:
        """The receivable accounts by the general ledger, one amount for each currency."""
        found: dict[str, Money] = {}
        for name, currency in await self._accounts.receivables():
            query = {"account": name, "company": self._company}
            told = await self._client.asked("erpnext.accounts.utils.get_balance_on", query)
            found[currency] = found.get(currency, Money.zero(currency)) + wire.amount(told, currency)
        return list(found.values())
