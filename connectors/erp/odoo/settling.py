"""Putting what stands in the books onto invoices, and off them, with the two calls that Odoo has for people: assign a line,
remove what settles. What is to be done is read from the marks every time, so that it can stop anywhere and be done again.

Odoo settles as much as both lines have left, never a chosen amount. So each amount of ours has a line of its own, and what
comes off an invoice is settled with the line that put it there, whose rest goes back.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.erp.odoo.client import OdooClient
from connectors.erp.odoo.documents import Documents, Line, Mark
from connectors.erp.odoo.finding import Finding
from domain.money import total


class Settling:
    """Each method raises ConnectorError; a refusal of Odoo's comes as it is."""

    def __init__(self, client: OdooClient, documents: Documents, finding: Finding) -> None:
        self._client = client
        self._documents = documents
        self._finding = finding

    async def settle(self, marks: Sequence[Mark]) -> None:
        """Do what those marks say, as far as it is not done."""
        wanted = sorted({(mark.key, mark.target) for mark in marks if mark.target is not None})
        for key in sorted({mark.key for mark in marks}):
            lines = await self._finding.money(key)
            for invoice in (target for each, target in wanted if each == key):
                freed = await self._take_off(lines, invoice)
                if freed is not None:
                    lines = await self._finding.money(key)
                await self._put_on(lines, invoice, also=freed or set())
            await self._use(lines)

    async def _take_off(self, lines: Sequence[Line], invoice: int) -> set[int] | None:
        """Settle what comes off an invoice with what is on it of that money; answers which lines were taken off for that,
        whose rest goes back. None where nothing comes off.
        """
        takes = [line for line in lines if _is_for(line, invoice) and line.residual.minor < 0]
        if not takes:
            return None
        freed: set[int] = set()
        free = [line for line in lines if _is_for(line, invoice) and line.residual.minor > 0]
        short = total((each.residual for each in (*takes, *free)), currency=takes[0].amount.currency)
        on_it = [each for each in await self._finding.on_invoices(lines) if each[0].move == invoice]
        # The newest first: what was put there last comes off first.
        for _, (partial, credit), amount in reversed(on_it):
            if short.minor >= 0:
                break
            await self._client.write("account.move", "js_remove_outstanding_partial", ids=[invoice], partial_id=partial)
            free.append(credit)
            freed.add(credit.id)
            short += amount
        await self._reconcile([*takes, *free])
        return freed

    async def _put_on(self, lines: Sequence[Line], invoice: int, *, also: set[int]) -> None:
        for line in lines:
            is_meant = _is_for(line, invoice) or line.id in also
            if is_meant and line.residual.minor > 0 and await self._documents.open_among([invoice]):
                await self._client.write("account.move", "js_assign_outstanding_line", ids=[invoice], line_id=line.id)

    async def _use(self, lines: Sequence[Line]) -> None:
        """Settle what uses money that is for no invoice with that money, the oldest first."""
        uses = [line for line in lines if _is_free(line) and line.residual.minor < 0]
        if not uses:
            return
        free = [line for line in lines if _is_free(line) and line.residual.minor > 0]
        if total((each.residual for each in (*uses, *free)), currency=uses[0].amount.currency).minor < 0:
            # A person took money off an invoice: what is meant for one is free now, too.
            fresh = await self._finding.money(uses[0].mark.key) if uses[0].mark is not None else lines
            free = [line for line in fresh if line.residual.minor > 0]
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
