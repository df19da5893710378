"""Writing a document of Duly's into Tryton's books: one move that bears our reference, whole or not at all.

A document takes up to three writes, and each leaves what the next try goes on from:

1. the move is made as a draft with all its lines, each on its invoice (one transaction: refused means nothing is there);
2. it is posted: from here on it is money;
3. what is paid in full by now is reconciled, which only marks it as paid.

A draft that bears the reference is thrown away and made anew, a posted one is marked; so a document is never there twice.
Where money comes off an invoice that is marked as paid, that mark goes first, and comes back if nothing else happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from connectors.erp.tryton import wire
from connectors.erp.tryton.client import TrytonClient
from connectors.erp.tryton.documents import Documents, Invoice, MoveLine, in_currency
from connectors.erp.tryton.finding import Finding, Found
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a move shall do: `onto` puts amounts on invoices (negative: takes them off), `pool` leaves money with the
    customer or uses it, `cash` came in or (negative) went out; what is put somewhere is what came. `key` names what money
    it is: the reference of the payment, or the credit's id.
    """

    key: str
    party: int
    currency: str
    on: date
    onto: Mapping[int, Money]
    pool: Money
    cash: Money
    origin: str | None = None
    pool_account: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Where Duly's moves are written: the payment method's journal and accounts, the company's currency."""

    journal: int
    cash_in: int
    cash_out: int
    currency: str


class Posting:
    """One writer of one company: two documents at once would read each other's half."""

    def __init__(self, client: TrytonClient, *, payment_method: str) -> None:
        self._client = client
        self._documents = Documents(client)
        self._finding = Finding(client)
        self._payment_method = payment_method
        self._books: Books | None = None
        self._one_at_a_time = asyncio.Lock()

    async def ready(self) -> None:
        """Raises Misconfigured where Tryton has nowhere to write payments, as named by our configuration."""
        await self._read_books()

    async def post(self, reference: str, memo: str, planned: Callable[[], Awaitable[Plan]]) -> Found:
        """Write the document, or finish or find what an earlier try wrote. Raises ConnectorError; Rejected when nothing is
        there of it.
        """
        async with self._one_at_a_time:
            for earlier in await self._finding.documents(reference):
                if earlier.is_posted:
                    return await self._finish(reference, earlier)
                with _begun(but_refused=True):
                    await self._client.write("model.account.move.delete", [earlier.move])
            plan = await planned()
            invoices = await self._documents.invoices(plan.onto)
            _check(plan, invoices)
            values = await self._values(reference, memo, plan, invoices)
            is_opened = await self._unmark(plan, invoices)
            with _begun() if is_opened else nullcontext():
                move = await self._make(values, plan)
            with _begun():
                await self._book(move, plan)
                written = await self._finding.documents(reference)
                if not written:
                    raise OutcomeUnknown("Tryton wrote a document and does not show it.")
                return written[0]

    async def _make(self, values: wire.Wire, plan: Plan) -> int:
        try:
            move: int = (await self._client.write("model.account.move.create", [values]))[0]
        except Rejected:
            await self._mark(plan.onto, (plan.key,))
            raise
        return move

    async def _book(self, move: int, plan: Plan) -> None:
        """Post it; what is refused here takes the draft back."""
        try:
            await self._client.write("model.account.move.post", [move])
        except Rejected:
            with _begun(but_refused=True):
                await self._client.write("model.account.move.delete", [move])
                await self._mark(plan.onto, (plan.key,))
            raise
        await self._mark(plan.onto, (plan.key,))

    async def _finish(self, reference: str, found: Found) -> Found:
        if found.is_finished or not found.stands:
            return found
        with _begun():
            await self._mark(found.invoices, found.keys)
            again = await self._finding.documents(reference)
            return again[0] if again else found

    # ------------------------------------------------------------ the move

    async def _values(self, reference: str, memo: str, plan: Plan, invoices: Mapping[int, Invoice]) -> wire.Wire:
        books = await self._read_books()
        parts: list[tuple[Money, wire.Wire]] = [
            (amount, {**_side_of_invoice(invoices[each]), "account": invoices[each].account, "party": invoices[each].party})
            for each, amount in plan.onto.items()
        ]
        if plan.pool.minor:
            account = plan.pool_account or await self._account_of(plan.party)
            side = "credit" if plan.pool.minor > 0 else "debit"
            parts.append((plan.pool, {"side": side, "account": account, "party": plan.party}))
        if plan.cash.minor:
            side, account = ("debit", books.cash_in) if plan.cash.minor > 0 else ("credit", books.cash_out)
            parts.append((-plan.cash, {"side": side, "account": account}))
        home = await self._at_home([amount for amount, _ in parts], plan, books.currency)
        second = await self._currency(plan.currency) if plan.currency != books.currency else None
        return {
            "journal": books.journal,
            "period": await self._period(plan.on),
            "date": plan.on,
            "description": reference,
            "origin": plan.origin,
            "lines": [
                ("create", [_line(plan.key, memo, each, there, second) for each, there in zip(parts, home, strict=True)])
            ],
        }

    async def _at_home(self, amounts: Sequence[Money], plan: Plan, home: str) -> list[Money]:
        """The amounts in the company's currency; what rounding leaves over is on the last line."""
        if plan.currency == home:
            return list(amounts)
        domain = [("code", "in", [plan.currency, home])]
        rows = await self._client.rows("currency.currency", domain, ["code", "rate"], date=plan.on)
        rates = {row["code"]: Fraction(row["rate"]) for row in rows if row["rate"]}
        if rates.keys() != {plan.currency, home}:
            raise Rejected("NO_RATE", f"Tryton has no exchange rate between {plan.currency} and {home}.")
        found = [wire.converted(each, rates[home] / rates[plan.currency], home) for each in amounts]
        left = sum(each.minor for each in found)
        found[-1] -= Money.of(left, home)
        return found

    async def _read_books(self) -> Books:
        if self._books is None:
            fields = ("journal", "debit_account", "credit_account", "company.currency.code")
            domain = [("name", "=", self._payment_method)]
            found = await self._client.rows("account.invoice.payment.method", domain, fields)
            if len(found) != 1:
                raise Misconfigured(f"Tryton has {len(found)} payment methods named {self._payment_method!r}, not one.")
            self._books = Books(
                journal=found[0]["journal"],
                cash_in=found[0]["debit_account"],
                cash_out=found[0]["credit_account"],
                currency=found[0]["company."]["currency."]["code"],
            )
        return self._books

    async def _account_of(self, party: int) -> int:
        """The party's own receivable account, else the company's."""
        rows = await self._client.rows("party.party", [("id", "=", party)], ["account_receivable"])
        if not rows:
            raise Rejected("CUSTOMER_NOT_FOUND", f"Tryton has no active party {party}.")
        account: int | None = rows[0]["account_receivable"]
        if account is None:
            settings = await self._client.rows("account.configuration", [], ["default_account_receivable"])
            account = settings[0]["default_account_receivable"] if settings else None
        if account is None:
            raise Misconfigured("Tryton has no receivable account for customers who have none of their own.")
        return account

    async def _period(self, on: date) -> int:
        """The period of a day, open or not: whether it is closed is Tryton's to say, in its own words."""
        domain = [("start_date", "<=", on), ("end_date", ">=", on), ("type", "=", "standard")]
        rows = await self._client.rows("account.period", domain, ["id"])
        if not rows:
            raise Rejected("NO_PERIOD", f"Tryton has no period for {on.isoformat()}.")
        period: int = rows[0]["id"]
        return period

    async def _currency(self, code: str) -> int:
        rows = await self._client.rows("currency.currency", [("code", "=", code)], ["id"])
        if not rows:
            raise Rejected("NO_CURRENCY", f"Tryton does not know {code}.")
        currency: int = rows[0]["id"]
        return currency

    # ------------------------------------------------------------ marks: which lines settle each other

    async def _unmark(self, plan: Plan, invoices: Mapping[int, Invoice]) -> bool:
        """Open what money comes off: Tryton reconciles whole groups only. Answers whether anything was marked."""
        groups: set[int] = set()
        for each, amount in plan.onto.items():
            comes_off = amount.minor > 0 if invoices[each].total.minor < 0 else amount.minor < 0
            if comes_off:
                groups |= {line.reconciliation for line in invoices[each].to_pay if line.reconciliation is not None}
        if not groups:
            return False
        lines = await self._documents.lines(("reconciliation", "in", sorted(groups)))
        own = {line.move for each in plan.onto for line in invoices[each].to_pay}
        others = {line.move_origin for line in lines if line.move not in own and _is_issue(line)}
        if others:
            raise Rejected(
                "RECONCILED_TOGETHER",
                "In Tryton it was reconciled together with other documents: take that apart there first.",
            )
        first = {line.reconciliation: line.id for line in lines}
        await self._walk("account.move.unreconcile_lines", "unreconcile", sorted(first.values()))
        return True

    async def _mark(self, invoices: Iterable[int], keys: Iterable[str]) -> None:
        """Reconcile what adds up to nothing. A refusal changes no money: the mark can be made by hand."""
        groups: list[list[MoveLine]] = []
        for each in (await self._documents.invoices(invoices)).values():
            waiting = [line for line in (*each.to_pay, *each.paying) if line.reconciliation is None]
            if each.state == "posted" and not each.open.minor and len(waiting) > 1:
                groups.append(waiting)
        for key in keys:
            pool = await self._pool(key)
            if len(pool) > 1 and _is_nothing(pool):
                groups.append(pool)
        if not groups:
            return
        for group in groups:
            with suppress(Rejected):
                # The wizard and nothing else may do it for an accountant; it books what exchange rates leave over, too.
                await self._walk("account.move.reconcile_lines", "start", [line.id for line in group])

    async def _pool(self, key: str) -> list[MoveLine]:
        waiting = (("reconciliation", "=", None), ("move.state", "=", "posted"))
        pool = await self._documents.lines(("description", "=", key), *waiting)
        if key.startswith("line-"):
            pool += await self._documents.lines(("id", "=", int(key.removeprefix("line-"))), *waiting)
        return [line for line in pool if line.invoice is None]

    async def _walk(self, wizard: str, state: str, lines: Sequence[int]) -> None:
        """Open a wizard over lines and go through one state of it."""
        context: dict[str, Any] = {"active_model": "account.move.line", "active_id": lines[0], "active_ids": list(lines)}
        session, *_ = await self._client.write(f"wizard.{wizard}.create", **context)
        await self._client.write(f"wizard.{wizard}.execute", session, {}, state, **context)
        # The wizard's own memory of itself; it forgets by itself too.
        with suppress(OutcomeUnknown, Unavailable, Throttled, Rejected):
            await self._client.write(f"wizard.{wizard}.delete", session, **context)


@contextmanager
def _begun(*, but_refused: bool = False) -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true, and (`but_refused`) not even
    where they say no.
    """
    try:
        yield
    except (Unavailable, Throttled, Misconfigured, KeyError, TypeError, ValueError, IndexError) as silent:
        raise OutcomeUnknown("Tryton stopped answering in the middle of a document.") from silent
    except Rejected as refused:
        if but_refused:
            raise OutcomeUnknown("Tryton keeps a draft of ours that it does not give back.") from refused
        raise


def _check(plan: Plan, invoices: Mapping[int, Invoice]) -> None:
    """What Tryton would take and must not, or would refuse only after something is written."""
    if plan.cash.minor > 0 > plan.pool.minor:
        raise Rejected("LINES_EXCEED_AMOUNT", "The lines come to more than the document.")
    for each, amount in plan.onto.items():
        invoice = invoices.get(each)
        if invoice is None:
            raise Rejected("INVOICE_NOT_FOUND", f"Tryton has no posted invoice {each}.")
        number = invoice.row["number"]
        if invoice.party != plan.party:
            raise Rejected("OTHER_CUSTOMER", f"Invoice {number} belongs to another customer.")
        if invoice.currency != plan.currency:
            raise Rejected("OTHER_CURRENCY", f"Invoice {number} is in {invoice.currency}.")
        if invoice.total.minor < 0:
            if amount < invoice.open:
                raise Rejected("NOT_UNAPPLIED", f"Credit note {number} does not have that much left.")
        elif amount.minor > 0 and (invoice.state != "posted" or amount > invoice.open):
            raise Rejected("OVER_APPLIED", f"Invoice {number} has {invoice.open.plain()} open, less than {amount.plain()}.")


def _side_of_invoice(invoice: Invoice) -> wire.Wire:
    """Tryton lets only one side of a line settle an invoice: what comes off again is there with a minus."""
    return {"side": "debit" if invoice.total.minor < 0 else "credit", "invoice_payment": invoice.id}


def _line(key: str, memo: str, planned: tuple[Money, wire.Wire], home: Money, second: int | None) -> wire.Wire:
    """A line's values; its amount and `home` count towards the credit side."""
    amount, part = planned
    values = {name: value for name, value in part.items() if name != "side"}
    # The receivable lines say whose money it is, by which everything of one payment is found again.
    values["description"] = key if "party" in part else memo
    is_credit = part["side"] == "credit"
    values["credit"] = wire.decimal(home if is_credit else Money.zero(home.currency))
    values["debit"] = wire.decimal(Money.zero(home.currency) if is_credit else -home)
    if second is not None:
        values |= {"second_currency": second, "amount_second_currency": wire.decimal(-amount)}
    return values


def _is_issue(line: MoveLine) -> bool:
    """Whether a line is what an invoice or a credit note itself put on the account."""
    return (line.move_origin or "").startswith("account.invoice,") and line.journal_kind == "revenue"


def _is_nothing(lines: Sequence[MoveLine]) -> bool:
    currency = lines[0].amount.currency
    return not sum(in_currency(line, currency).minor for line in lines)
