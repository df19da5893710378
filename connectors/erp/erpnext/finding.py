"""Documents of Duly's in ERPNext's books, by their reference.

What moves money into or out of the bank is a Payment Entry that bears our reference as its *Cheque/Reference No*. A credit
note that is put on invoices is a Journal Entry that does. What only moves a payment between invoices leaves no document
in ERPNext: for that there is a task (*ToDo*) on the payment, open until it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.client import ErpNextClient
from connectors.erp.erpnext.ledger import CANCELLED, CUSTOMER, JOURNAL, PAYMENT, SUBMITTED, Ledger
from connectors.erp.ports import PostedDocument
from domain.money import Money

TASK: Final = "ToDo"
PAYMENT_FIELDS: Final = (
    *("name", "docstatus", "payment_type", "party", "paid_amount", "unallocated_amount", "paid_from", "paid_to"),
    *("paid_from_account_currency", "paid_to_account_currency", "reference_no", "posting_date", "remarks", "modified"),
    *("owner", "party_type"),
)
_JOURNAL_FIELDS: Final = ("name", "docstatus", "cheque_no", "modified")
_TASK_FIELDS: Final = ("name", "status", "description", "reference_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document that bears a reference of ours. `plan` is what it has to do, where that is more than to be submitted."""

    kind: str
    name: str
    reference: str
    amount: Money
    customer: str
    docstatus: int
    modified: str
    is_finished: bool
    plan: Mapping[str, Any] | None
    row: Mapping[str, Any]

    @property
    def stands(self) -> bool:
        """False once a person cancelled it."""
        return self.docstatus != CANCELLED

    def posted(self) -> PostedDocument:
        """In the port's words."""
        state = {0: "draft", SUBMITTED: "submitted", CANCELLED: "cancelled"}[self.docstatus]
        return PostedDocument(
            erp_id=f"{self.kind}/{self.name}",
            number=self.name,
            amount=self.amount,
            reference=self.reference,
            stands=self.stands,
            is_finished=self.is_finished,
            facts={"state": state, "customer_erp_id": self.customer},
        )


def currency_of(payment: Mapping[str, Any]) -> str:
    """The currency in which a payment stands with the customer."""
    side = "paid_from" if payment["payment_type"] == "Receive" else "paid_to"
    return str(payment[f"{side}_account_currency"])


def account_of(payment: Mapping[str, Any]) -> str:
    """The receivable account of a payment."""
    return str(payment["paid_from" if payment["payment_type"] == "Receive" else "paid_to"])


class Finding:
    """Look-ups. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: ErpNextClient, ledger: Ledger, *, company: str) -> None:
        self._client = client
        self._ledger = ledger
        self._company = ["company", "=", company]

    async def documents(self, reference: str) -> list[Found]:
        """Every document that bears the reference, drafts and cancelled ones too, in the order of their kinds and names."""
        return [
            *await self.payments(reference),
            *await self._journals(reference),
            *await self._tasks(reference),
        ]

    async def payments(self, reference: str) -> list[Found]:
        """Payment Entries of customers that bear the reference."""
        filters = [["reference_no", "=", reference], ["party_type", "=", CUSTOMER], self._company]
        rows = await self._client.every(PAYMENT, filters, PAYMENT_FIELDS)
        # The database compares without regard to case; we do not.
        return [await self.read(row) for row in rows if row["reference_no"] == reference]

    async def payment(self, name: str) -> Mapping[str, Any] | None:
        """A Payment Entry by its name."""
        rows = await self._client.every(PAYMENT, [["name", "=", name], self._company], PAYMENT_FIELDS)
        return rows[0] if rows else None

    async def read(self, row: Mapping[str, Any]) -> Found:
        """A Payment Entry as a document of ours."""
        currency = currency_of(row)
        plan = wire.plan_in(row["remarks"])
        is_finished = row["docstatus"] != 0
        if plan is not None and row["docstatus"] == SUBMITTED:
            # The last step of such a document is that it is matched as a whole.
            is_finished = not (await self._ledger.open_of((PAYMENT, row["name"]), currency)).minor
        return Found(
            kind=PAYMENT,
            name=str(row["name"]),
            reference=row["reference_no"],
            amount=wire.amount(row["paid_amount"], currency),
            customer=str(row["party"]),
            docstatus=row["docstatus"],
            modified=str(row["modified"]),
            is_finished=is_finished,
            plan=plan,
            row=row,
        )

    async def _journals(self, reference: str) -> list[Found]:
        rows = await self._client.every(JOURNAL, [["cheque_no", "=", reference], self._company], _JOURNAL_FIELDS)
        found = []
        for row in rows:
            whole = await self._client.document(JOURNAL, str(row["name"])) if row["cheque_no"] == reference else None
            lines = [each for each in (whole or {}).get("accounts", ()) if each.get("party_type") == CUSTOMER]
            if not lines:
                continue
            currency = lines[0]["account_currency"]
            credited = sum(wire.amount(each["credit_in_account_currency"], currency).minor for each in lines)
            found.append(
                Found(
                    kind=JOURNAL,
                    name=str(row["name"]),
                    reference=reference,
                    amount=Money.of(credited, currency),
                    customer=str(lines[0]["party"]),
                    docstatus=row["docstatus"],
                    modified=str(row["modified"]),
                    is_finished=row["docstatus"] != 0,
                    plan=None,
                    row=row,
                )
            )
        return found

    async def _tasks(self, reference: str) -> list[Found]:
        filters = [["reference_type", "=", PAYMENT], ["description", "like", f"%{reference}%"]]
        rows: Sequence[Mapping[str, Any]] = await self._client.every(TASK, filters, _TASK_FIELDS)
        found = []
        for row in rows:
            plan = wire.plan_in(row["description"])
            if plan is None or plan["reference"] != reference:
                continue
            found.append(
                Found(
                    kind=TASK,
                    name=str(row["name"]),
                    reference=reference,
                    amount=wire.amount(plan["amount"], plan["currency"]),
                    customer=plan["customer"],
                    docstatus=SUBMITTED,
                    modified="",
                    is_finished=row["status"] == "Closed",
                    plan=plan,
                    row=row,
                )
            )
        return found
