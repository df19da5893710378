"""Writing a document of Duly's into Odoo's books, whole or not at all, with our reference on all of it.

1. What it consists of is made as drafts in one call: a payment of Odoo's for each amount (one for each invoice, one for
   what is for none), or, where no money comes or goes, one entry with a line for each. Odoo puts a line on an invoice as
   far as both have something left: an exact part of a payment is a payment of its own.
2. All of it is posted in one call: from here on it is money.
3. Each line is put on its invoice, or taken off (`settling`).

Drafts of an earlier try are gone on with, or thrown away where they differ; a posted document is only settled. So it is
never there twice. A payment without an entry (Odoo 18 and later, without an outstanding account) is taken back at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from connectors.erp.odoo import wire
from connectors.erp.odoo.client import OdooClient
from connectors.erp.odoo.documents import Documents, Invoice, Mark
from connectors.erp.odoo.finding import Finding, Found
from connectors.erp.odoo.settling import Settling
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money

_NOT_BOOKED: Final = "Odoo would book no payments: give the payment methods of journal {journal} an outstanding account."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a document shall do: `onto` puts amounts on invoices (negative: takes them off), `pool` leaves money with the
    customer or uses it, `cash` came in or (negative) went out; what is put somewhere is what came. `key` names whose money
    it is: the reference of the payment, or the credit's id.
    """

    key: str
    customer: int
    currency: str
    on: date
    onto: Mapping[int, Money]
    pool: Money
    cash: Money
    pool_account: int | None = None

    @property
    def parts(self) -> dict[Mark, Money]:
        """Each amount with its mark, credit positive."""
        parts = {Mark(key=self.key, target=each): amount for each, amount in self.onto.items()}
        if self.pool.minor:
            parts[Mark(key=self.key, target=None)] = self.pool
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Journals:
    """Where Duly's documents are written."""

    payments: int
    entries: int


class Posting:
    """One writer of one company: two documents at once would read each other's half."""

    def __init__(self, client: OdooClient, documents: Documents, finding: Finding, *, journal: str, entries: str) -> None:
        self._client = client
        self._documents = documents
        self._finding = finding
        self._settling = Settling(client, documents, finding)
        self._codes = (journal, entries)
        self._journals: Journals | None = None
        self._one_at_a_time = asyncio.Lock()

    async def ready(self) -> None:
        """Raises Misconfigured where Odoo has nowhere to write documents, or would write payments that are no money."""
        journals = await self._read_journals()
        setup = await self._client.setup()
        if setup.may_skip_entries:
            methods = await self._client.rows(
                "account.payment.method.line",
                [("journal_id", "=", journals.payments)],
                ["payment_account_id", "payment_type"],
            )
            booked = {row["payment_type"] for row in methods if wire.linked(row["payment_account_id"]) is not None}
            bare = [row for row in methods if wire.linked(row["payment_account_id"]) is None]
            if bare or booked != {"inbound", "outbound"}:
                raise Misconfigured(_NOT_BOOKED.format(journal=self._codes[0]))

    async def post(self, reference: str, memo: str, planned: Callable[[], Awaitable[Plan]]) -> Found:
        """Write the document, or finish or find what an earlier try wrote. Raises ConnectorError; Rejected when nothing is
        there of it.
        """
        async with self._one_at_a_time:
            earlier = await self._finding.documents(reference)
            for each in earlier:
                if not each.is_draft:
                    return await self._finish(reference, each)
            await self.ready()
            plan = await planned()
            invoices = await self._documents.invoices(plan.onto)
            _check(plan, invoices)
            begun = await self._begun_before(earlier, plan)
            ids = begun if begun is not None else await self._make(reference, memo, plan, invoices)
            with _begun():
                await self._book(ids, plan)
            return await self._settle(reference, tuple(plan.parts), ids[0])

    async def _begun_before(self, drafts: Sequence[Found], plan: Plan) -> list[int] | None:
        """The drafts that can be gone on with; others are thrown away."""
        kept: list[int] | None = None
        for each in drafts:
            ids = list(each.payments) if each.entry is None else [each.entry]
            same = {part.mark: part.amount for part in each.parts} == dict(plan.parts)
            if same and (each.entry is None) == bool(plan.cash.minor) and kept is None:
                kept = ids
                continue
            with _begun(but_refused=True):
                model = "account.payment" if each.entry is None else "account.move"
                await self._client.write(model, "unlink", ids=ids)
        return kept

    async def _make(self, reference: str, memo: str, plan: Plan, invoices: Mapping[int, Invoice]) -> list[int]:
        if plan.cash.minor:
            payments = await self._payments(reference, memo, plan, invoices)
            made = await self._client.write("account.payment", "create", vals_list=payments)
        else:
            entry = await self._entry(reference, plan, invoices)
            made = await self._client.write("account.move", "create", vals_list=[entry])
        if not isinstance(made, list) or not all(isinstance(each, int) for each in made):
            raise OutcomeUnknown("Odoo's answer to a document cannot be read.")
        return made

    async def _book(self, ids: Sequence[int], plan: Plan) -> None:
        """Post it; what is refused here takes the drafts back."""
        model = "account.payment" if plan.cash.minor else "account.move"
        try:
            await self._client.write(model, "action_post", ids=list(ids))
        except Rejected:
            with _begun(but_refused=True):
                await self._client.write(model, "unlink", ids=list(ids))
            raise
        if not plan.cash.minor:
            return
        if await self._documents.booked(ids) != set(ids):
            with _begun(but_refused=True):
                await self._client.write(model, "action_draft", ids=list(ids))
                await self._client.write(model, "unlink", ids=list(ids))
            raise Misconfigured(_NOT_BOOKED.format(journal=self._codes[0]))

    async def _finish(self, reference: str, found: Found) -> Found:
        if found.is_finished or not found.stands:
            return found
        return await self._settle(reference, found.marks, found.id)

    async def _settle(self, reference: str, marks: Sequence[Mark], first: int) -> Found:
        with _begun(but_refused=True):
            await self._settling.settle(marks)
            for again in await self._finding.documents(reference):
                if again.id == first:
                    if not again.is_finished:
                        raise OutcomeUnknown("Odoo took the document, and has not put it where it belongs.")
                    return again
            raise OutcomeUnknown("Odoo wrote a document and does not show it.")

    # ------------------------------------------------------------ what is made

    async def _payments(self, reference: str, memo: str, plan: Plan, invoices: Mapping[int, Invoice]) -> list[wire.Wire]:
        setup, journals = await self._client.setup(), await self._read_journals()
        made = []
        for mark, amount in plan.parts.items():
            account = invoices[mark.target].account if mark.target is not None else await self._pool_account(plan)
            made.append(
                {
                    "payment_type": "inbound" if amount.minor > 0 else "outbound",
                    "partner_type": "customer",
                    "partner_id": plan.customer,
                    "journal_id": journals.payments,
                    "currency_id": await self._currency(plan.currency),
                    "destination_account_id": account,
                    "amount": wire.number(amount if amount.minor > 0 else -amount),
                    "date": plan.on,
                    setup.memo: reference,
                    "payment_reference": f"{mark.text()} {memo}".strip(),
                }
            )
        return made

    async def _entry(self, reference: str, plan: Plan, invoices: Mapping[int, Invoice]) -> wire.Wire:
        setup, journals = await self._client.setup(), await self._read_journals()
        currency = await self._currency(plan.currency)
        parts = list(plan.parts.items())
        home = await self._at_home([amount for _, amount in parts], plan, setup.currency)
        lines = []
        for (mark, amount), there in zip(parts, home, strict=True):
            account = invoices[mark.target].account if mark.target is not None else await self._pool_account(plan)
            nothing = Money.zero(there.currency)
            lines.append(
                (
                    0,
                    0,
                    {
                        "name": mark.text(),
                        "account_id": account,
                        "partner_id": plan.customer,
                        "currency_id": currency,
                        "amount_currency": wire.number(-amount),
                        "debit": wire.number(-there if there.minor < 0 else nothing),
                        "credit": wire.number(there if there.minor > 0 else nothing),
                    },
                )
            )
        return {
            "move_type": "entry",
            "journal_id": journals.entries,
            "date": plan.on,
            "ref": reference,
            "line_ids": lines,
        }

    async def _at_home(self, amounts: Sequence[Money], plan: Plan, home: str) -> list[Money]:
        """The amounts in the company's currency; what rounding leaves over is on the last line."""
        if plan.currency == home:
            return list(amounts)
        domain = [("name", "in", [plan.currency, home])]
        rows = await self._client.rows("res.currency", domain, ["name", "rate"], date=plan.on.isoformat())
        rates = {row["name"]: Fraction(str(row["rate"])) for row in rows if row["rate"]}
        if rates.keys() != {plan.currency, home}:
            raise Rejected("NO_RATE", f"Odoo has no exchange rate between {plan.currency} and {home}.")
        found = [wire.converted(each, rates[home] / rates[plan.currency], home) for each in amounts]
        found[-1] -= Money.of(sum(each.minor for each in found), home)
        return found

    async def _read_journals(self) -> Journals:
        if self._journals is None:
            setup = await self._client.setup()
            domain = [("code", "in", list(self._codes)), ("company_id", "=", setup.company)]
            rows = await self._client.rows("account.journal", domain, ["code", "type"])
            payments = [row["id"] for row in rows if row["code"] == self._codes[0] and row["type"] in {"bank", "cash"}]
            entries = [row["id"] for row in rows if row["code"] == self._codes[1] and row["type"] == "general"]
            if len(payments) != 1:
                raise Misconfigured(f"Odoo has no bank journal with the code {self._codes[0]}.")
            if len(entries) != 1:
                raise Misconfigured(f"Odoo has no general journal with the code {self._codes[1]}.")
            self._journals = Journals(payments=payments[0], entries=entries[0])
        return self._journals

    async def _pool_account(self, plan: Plan) -> int:
        """Where the money stands that is used, else the customer's own receivable account."""
        if plan.pool_account is not None:
            return plan.pool_account
        rows = await self._client.rows(
            "res.partner", [("id", "=", plan.customer)], ["property_account_receivable_id"], active_test=False
        )
        account = wire.linked(rows[0]["property_account_receivable_id"]) if rows else None
        if account is None:
            raise Rejected("CUSTOMER_NOT_FOUND", f"Odoo has no customer {plan.customer} with a receivable account.")
        return account

    async def _currency(self, code: str) -> int:
        rows = await self._client.rows("res.currency", [("name", "=", code)], ["id"])
        if not rows:
            raise Rejected("NO_CURRENCY", f"{code} is not active in Odoo.")
        currency: int = rows[0]["id"]
        return currency


@contextmanager
def _begun(*, but_refused: bool = False) -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true, and (`but_refused`) not even
    where they say no.
    """
    try:
        yield
    except (Unavailable, Throttled, KeyError, TypeError, ValueError, IndexError) as silent:
        raise OutcomeUnknown("Odoo stopped answering in the middle of a document.") from silent
    except (Rejected, Misconfigured) as refused:
        if but_refused:
            raise OutcomeUnknown(f"Odoo has the document, and refuses what belongs to it: {refused}") from refused
        raise


def _check(plan: Plan, invoices: Mapping[int, Invoice]) -> None:
    """What Odoo would take and must not, or would refuse only after something is written."""
    if plan.cash.minor > 0 > plan.pool.minor:
        raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
    for each, amount in plan.onto.items():
        invoice = invoices.get(each)
        if invoice is None or invoice.is_note or not invoice.lines:
            raise Rejected("INVOICE_NOT_FOUND", f"Odoo has no posted invoice {each}.")
        number = invoice.row["name"]
        if invoice.customer != plan.customer:
            raise Rejected("OTHER_CUSTOMER", f"Invoice {number} belongs to another customer.")
        if invoice.currency != plan.currency:
            raise Rejected("OTHER_CURRENCY", f"Invoice {number} is in {invoice.currency}.")
        if amount.minor > 0 and (not invoice.is_posted or amount > invoice.open):
            raise Rejected("OVER_APPLIED", f"Invoice {number} has {invoice.open.plain()} open, less than {amount.plain()}.")
