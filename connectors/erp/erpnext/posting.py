"""Writing documents of Duly's into ERPNext's books: each made as a draft, moved where it has to, submitted, matched.

A draft is in no ledger; submitting it is what books it. So a document takes several requests, and each leaves what the next
try goes on from: the draft bears our reference and says what is still to do. What ERPNext refuses before it is booked takes
the draft back, and the payment to where it stood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.accounts import Accounts
from connectors.erp.erpnext.client import STALE, ErpNextClient
from connectors.erp.erpnext.finding import TASK, Finding, Found, account_of
from connectors.erp.erpnext.ledger import CUSTOMER, INVOICE, JOURNAL, PAYMENT, SUBMITTED, Ledger
from connectors.erp.erpnext.moving import Moving
from connectors.erp.erpnext.plans import Plan
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from domain.money import Money


class Posting:
    """One writer of one company: two documents at once would read each other's half."""

    def __init__(self, client: ErpNextClient, ledger: Ledger, finding: Finding, accounts: Accounts, *, company: str) -> None:
        self._client = client
        self._ledger = ledger
        self._finding = finding
        self._accounts = accounts
        self._moving = Moving(client, ledger, finding, company=company)
        self._company = company
        self.one_at_a_time = asyncio.Lock()

    # ------------------------------------------------------------ money that came

    async def receive(
        self, reference: str, memo: str, customer: str, amount: Money, on: date, lines: Mapping[str, Money]
    ) -> Found:
        """Write a payment with its allocations."""
        for earlier in await self._finding.payments(reference):
            _same(earlier, customer, amount)
            if earlier.docstatus != 0:
                return earlier
            await self._unchanged(earlier, lines)
            with _begun():
                return await self._submitted(earlier)
        invoices = await self._ledger.payable(customer, amount.currency, lines)
        receivable = {each.account for each in invoices.values()}
        if len(receivable) > 1:
            raise Rejected("SEVERAL_ACCOUNTS", "Invoices of one payment must be on one receivable account.")
        account = receivable.pop() if receivable else await self._accounts.receivable(customer, amount.currency)
        values = await self._payment("Receive", reference, customer, amount, on, account)
        values |= {"remarks": memo, "references": [_reference(name, part) for name, part in lines.items()]}
        draft = await self._client.create(PAYMENT, values)
        with _begun():
            return await self._submitted(await self._finding.read(draft))

    async def _unchanged(self, draft: Found, lines: Mapping[str, Money]) -> None:
        """A draft of ours is submitted as we made it, or not at all."""
        whole = await self._client.document(PAYMENT, draft.name) or {}
        there = {
            str(row["reference_name"]): wire.amount(row["allocated_amount"], draft.amount.currency)
            for row in whole.get("references", ())
        }
        if there != dict(lines):
            raise Rejected("DRAFT_CHANGED", f"A person changed our draft {draft.name} in ERPNext: delete it there.")

    # ------------------------------------------------------------ money that went back

    async def pay_back(self, plan: Plan, memo: str, on: date) -> Found:
        """Write that money of a payment went back, and take it off where it stood."""
        payment = await self._finding.payment(plan.payment)
        assert payment is not None, "it was just read"
        values = await self._payment(
            "Pay", plan.reference, plan.customer, plan.amount, on, account_of(payment), plan=plan, memo=memo
        )
        draft = await self._client.create(PAYMENT, values)
        with _begun():
            return await self.go_on(await self._finding.read(draft))

    async def take_again(self, plan: Plan, memo: str, on: date) -> Found:
        """Write that money which went back came again: the payment has it as before."""
        payment = await self._finding.payment(plan.payment)
        assert payment is not None, "it was just read"
        account = account_of(payment)
        values = await self._payment(
            "Receive", plan.reference, plan.customer, plan.amount, on, account, plan=plan, memo=memo
        )
        draft = await self._client.create(PAYMENT, values)
        with _begun():
            return await self.go_on(await self._finding.read(draft))

    async def move(self, plan: Plan, memo: str, on: date) -> Found:
        """Move a payment's money on or off invoices."""
        values = {
            "description": wire.with_plan(f"{memo} ({plan.reference})", plan.packed()),
            "reference_type": PAYMENT,
            "reference_name": plan.payment,
            "date": on.isoformat(),
            "status": "Open",
            "priority": "Low",
        }
        task = await self._client.create(TASK, values)
        with _begun():
            return await self.go_on(await self._written(plan.reference, TASK, str(task["name"])))

    async def go_on(self, found: Found) -> Found:
        """Do what is left to do of a document that was begun. Raises Rejected when nothing is there of it any more."""
        if found.is_finished or not found.stands:
            return found
        with _begun():
            if found.plan is None:
                return await self._submitted(found)
            plan = Plan.unpacked(found.plan)
            try:
                await self._steps_until_booked(found, plan)
            except Rejected:
                with _begun(but_refused=True):
                    await self._moving.reach(plan.payment, plan.currency, plan.before)
                    await self._client.delete(found.kind, found.name)
                raise
            with _begun(but_refused=True):
                await self._steps_when_booked(found, plan)
            return await self._written(found.reference, found.kind, found.name)

    async def _steps_until_booked(self, found: Found, plan: Plan) -> None:
        if found.kind == TASK:
            await self._moving.reach(plan.payment, plan.currency, plan.after)
        elif found.docstatus != SUBMITTED:
            if plan.refund is None:
                await self._moving.reach(plan.payment, plan.currency, plan.after)
            await self._submit(found)

    async def _steps_when_booked(self, found: Found, plan: Plan) -> None:
        """From here on nothing can be refused that a person need not look at."""
        if found.kind == TASK:
            await self._client.update(TASK, found.name, {"status": "Closed"})
            return
        standing = await self._ledger.standing(plan.payment, plan.currency)
        if plan.refund is None:
            taken = standing.onto.get((PAYMENT, found.name), Money.zero(plan.currency))
            if taken != plan.amount:
                await self._moving.match(plan.payment, (PAYMENT, found.name), plan.amount - taken)
            return
        if (PAYMENT, plan.refund) in standing.onto:
            await self._moving.loosen(plan.payment, (PAYMENT, plan.refund))
        await self._moving.reach(plan.payment, plan.currency, plan.after)
        await self._moving.match(found.name, (PAYMENT, plan.refund), plan.amount)

    # ------------------------------------------------------------ credit notes

    async def journal(
        self, reference: str, memo: str, customer: str, credit: str, account: str, on: date, lines: Mapping[str, Money]
    ) -> Found:
        """Put a credit note on invoices, or take it off: a Journal Entry such as ERPNext's own reconciliation makes."""
        rest = Money.zero(next(iter(lines.values())).currency)
        for amount in lines.values():
            rest -= amount
        side = {"account": account, "party_type": CUSTOMER, "party": customer, "reference_type": INVOICE}
        rows = [{**side, "reference_name": name, **_sided(amount)} for name, amount in lines.items()]
        if rest.minor:
            rows.append({**side, "reference_name": credit, **_sided(rest)})
        values = {
            "voucher_type": "Credit Note",
            "company": self._company,
            "posting_date": on.isoformat(),
            "cheque_no": reference,
            "cheque_date": on.isoformat(),
            "user_remark": memo,
            "multi_currency": int(await self._accounts.is_foreign(rest.currency)),
            "accounts": rows,
        }
        draft = await self._client.create(JOURNAL, values)
        with _begun():
            return await self._submitted(await self._written(reference, JOURNAL, str(draft["name"])))

    # ------------------------------------------------------------ parts

    async def _payment(
        self,
        kind: str,
        reference: str,
        customer: str,
        amount: Money,
        on: date,
        receivable: str,
        *,
        plan: Plan | None = None,
        memo: str = "",
    ) -> wire.Wire:
        deposit = await self._accounts.deposit(amount.currency)
        sides = (receivable, deposit) if kind == "Receive" else (deposit, receivable)
        values: wire.Wire = {
            "payment_type": kind,
            "company": self._company,
            "posting_date": on.isoformat(),
            "party_type": CUSTOMER,
            "party": customer,
            "paid_from": sides[0],
            "paid_to": sides[1],
            "paid_amount": amount,
            "received_amount": amount,
            "reference_no": reference,
            "reference_date": on.isoformat(),
            "custom_remarks": 1,
        }
        if plan is not None:
            values["remarks"] = wire.with_plan(memo, plan.packed())
        return values

    async def _submitted(self, draft: Found) -> Found:
        await self._submit(draft)
        return await self._written(draft.reference, draft.kind, draft.name)

    async def _submit(self, draft: Found) -> None:
        """Book a draft as we know it: one that a person changed meanwhile is refused, and looked at again."""
        try:
            await self._client.update(draft.kind, draft.name, {"docstatus": SUBMITTED, "modified": draft.modified})
        except Rejected as refused:
            if refused.code == STALE:
                raise OutcomeUnknown(f"A person changed our draft {draft.name} in ERPNext; it was not booked.") from refused
            if draft.plan is None:
                with _begun(but_refused=True):
                    await self._client.delete(draft.kind, draft.name)
            raise

    async def _written(self, reference: str, kind: str, name: str) -> Found:
        """What we just wrote."""
        finds = self._finding.payments if kind == PAYMENT else self._finding.documents
        for found in await finds(reference):
            if (found.kind, found.name) == (kind, name):
                return found
        raise OutcomeUnknown("ERPNext wrote a document and does not show it.")


@contextmanager
def _begun(*, but_refused: bool = False) -> Iterator[None]:
    """Something of the document may be there already: that nothing happened is no longer true, and (`but_refused`) not even
    where they say no.
    """
    try:
        yield
    except (Unavailable, Throttled, Misconfigured, KeyError, TypeError, ValueError, IndexError) as silent:
        raise OutcomeUnknown("ERPNext stopped answering in the middle of a document.") from silent
    except Rejected as refused:
        if but_refused:
            raise OutcomeUnknown(f"A document of ours is in ERPNext in part: {refused.sentence}") from refused
        raise


def _same(earlier: Found, customer: str, amount: Money) -> None:
    if earlier.customer != customer or earlier.amount != amount:
        raise Rejected("REFERENCE_CONFLICT", f"{earlier.name} bears our reference, and is another payment.")


def _reference(invoice: str, amount: Money) -> Mapping[str, Any]:
    return {"reference_doctype": INVOICE, "reference_name": invoice, "allocated_amount": amount}


def _sided(amount: Money) -> Mapping[str, Any]:
    """What settles an invoice is on the credit side, what opens it again on the debit side."""
    side = "credit" if amount.minor > 0 else "debit"
    return {f"{side}_in_account_currency": amount if amount.minor > 0 else -amount}
