"""Tryton's own sums: what each party owes by the invoices that are to be paid, and the receivable accounts of its ledger.

The first are Tryton's figures of invoices, the second are added up of move lines: neither is made of what was told before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.erp.ports import ErpOpenTotal, Page
from connectors.erp.tryton import wire
from connectors.erp.tryton.client import TrytonClient
from domain.money import Money, total

_LINES: Final = 2_000
_AMOUNTS: Final = ("debit", "credit", "amount_second_currency", "second_currency.code", "account.company.currency.code")


class Totals:
    """Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: TrytonClient) -> None:
        self._client = client

    async def open_totals(self, cursor: str, *, limit: int) -> Page[ErpOpenTotal]:
        """So many parties after one, those who owe something; parties that are no longer used may still owe."""
        after = [("id", ">", int(cursor or "0")), ("active", "in", [True, False])]
        parties = [row["id"] for row in await self._client.rows("party.party", after, ["id"], limit=limit + 1)]
        shown = parties[:limit]
        to_pay = [("type", "=", "out"), ("state", "=", "posted"), ("party", "in", shown)]
        found: dict[tuple[int, str], list[Money]] = {}
        for row in await self._client.rows("account.invoice", to_pay, ["party", "currency.code", "amount_to_pay"]):
            currency = row["currency."]["code"]
            left = wire.amount(row["amount_to_pay"], currency)
            if left.minor > 0:
                found.setdefault((row["party"], currency), []).append(left)
        return Page(
            rows=tuple(
                ErpOpenTotal(customer_erp_id=str(party), count=len(each), open=total(each, currency=currency))
                for (party, currency), each in sorted(found.items())
            ),
            cursor=str(shown[-1]) if shown else cursor,
            more=len(parties) > limit,
        )

    async def receivable_balances(self) -> Sequence[Money]:
        """What the posted lines of receivable accounts come to, in each currency that they are in. Lines that settle each
        other come to nothing, and are not asked for.
        """
        sums: dict[str, Money] = {}
        after, more = 0, True
        while more:
            lines = await self._client.rows(
                "account.move.line",
                [
                    ("id", ">", after),
                    ("account.type.receivable", "=", True),
                    ("move.state", "=", "posted"),
                    ("reconciliation", "=", None),
                ],
                _AMOUNTS,
                limit=_LINES,
            )
            for row in lines:
                amount = _amount(row)
                sums[amount.currency] = sums.get(amount.currency, Money.zero(amount.currency)) + amount
            after, more = lines[-1]["id"] if lines else after, len(lines) == _LINES
        return [sums[each] for each in sorted(sums)]


def _amount(row: wire.Wire) -> Money:
    """A line's debit less its credit, in its own currency."""
    second = row.get("second_currency.")
    if second:
        return wire.amount(row["amount_second_currency"], second["code"])
    currency = row["account."]["company."]["currency."]["code"]
    return wire.amount(row["debit"], currency) - wire.amount(row["credit"], currency)
