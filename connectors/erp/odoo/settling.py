"""Putting what stands in the books onto invoices, and off them, with the two calls that Odoo has for people: assign a line,
remove what settles. What is to be done is read from the marks every time, so that it can stop anywhere and be done again.

Odoo settles as much as both lines have left, never a chosen amount. So each amount of ours has a line of its own, and what
comes off an invoice is settled with the line that put it there, whose rest goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors.erp.odoo.client import OdooClient
from connectors.erp.odoo.documents import Documents, Line, Mark
from connectors.erp.odoo.finding import Finding
from domain.money import Money


class Settling:
    """Each method raises ConnectorError; a refusal of Odoo's comes as it is."""

    def __init__(self, client: OdooClient, documents: Documents, finding: Finding) -> None:
        self._client = client
        self._documents = documents
        self._finding = finding

    async def settle(self, marks: Iterable[Mark]) -> None:
        """Do what those marks say, as far as it is not done."""
        wanted = sorted({(mark.key, mark.target) for mark in marks if mark.target is not None})
        for key, invoice in wanted:
            await self._take_off(key, invoice)
            await self._put_on(key, invoice)
        for key in sorted({mark.key for mark in marks}):
            await self._use(key)

    async def _take_off(self, key: str, invoice: int) -> None:
        """Settle what comes off an invoice with what is on it of that money."""
        lines = await self._finding.money(key)
        takes = [line for line in lines if _is_for(line, invoice) and line.residual.minor < 0]
        if not takes:
            return
        free = [line for line in lines if _is_for(line, invoice) and line.residual.minor > 0]
        short = _sum(takes, takes[0].amount.currency) + _sum(free, takes[0].amount.currency)
        on_it = [each for each in await self._finding.on_invoices(lines) if each[0].move == invoice]
        # The newest first: what was put there last comes off first.
        for _, (partial, credit), amount in reversed(on_it):
            if short.minor >= 0:
                break
            await self._client.write("account.move", "js_remove_outstanding_partial", ids=[invoice], partial_id=partial)
            free.append(credit)
            short += amount
        await self._reconcile([*takes, *free])

    async def _put_on(self, key: str, invoice: int) -> None:
        waiting = [line for line in await self._finding.money(key) if _is_for(line, invoice) and line.residual.minor > 0]
        for line in waiting:
            found = (await self._documents.invoices([invoice])).get(invoice)
            if found is None or not found.is_posted or found.open.minor <= 0:
                return
            await self._client.write("account.move", "js_assign_outstanding_line", ids=[invoice], line_id=line.id)

    async def _use(self, key: str) -> None:
        """Settle what uses money that is for no invoice with that money, the oldest first."""
        lines = await self._finding.money(key)
        uses = [line for line in lines if _is_free(line) and line.residual.minor < 0]
        if not uses:
            return
        free = [line for line in lines if _is_free(line) and line.residual.minor > 0]
        if (_sum(uses, uses[0].amount.currency) + _sum(free, uses[0].amount.currency)).minor < 0:
            free = [line for line in lines if line.residual.minor > 0]
        await self._reconcile([*uses, *free])

    async def _reconcile(self, lines: Sequence[Line]) -> None:
        """Settle lines with each other, account by account: Odoo refuses more than one at once."""
        for account in sorted({line.account for line in lines}):
            ids = sorted({line.id for line in lines if line.account == account})
            if len(ids) > 1:
                await self._client.write("account.move.line", "reconcile", ids=ids)


def _is_for(line: Line, invoice: int) -> bool:
    return line.mark is not None and line.mark.target == invoice


def _is_free(line: Line) -> bool:
    """Money for no invoice: marked so, or what a credit of the ERP's own came with."""
    return line.mark is None or line.mark.target is None


def _sum(lines: Sequence[Line], currency: str) -> Money:
    whole = Money.zero(currency)
    for line in lines:
        whole += line.residual
    return whole
