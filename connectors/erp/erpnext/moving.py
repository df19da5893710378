"""Moving the money of a payment between invoices: what ERPNext does by *Payment Reconciliation* and *Unreconcile Payment*.

Neither leaves a document that could bear our reference, and un-reconciling takes all off an invoice or nothing. So what is
wanted is said as where the money shall stand in the end, and each step begins with where it stands now: whoever is
interrupted goes on with the same words, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.erp.erpnext import wire
from connectors.erp.erpnext.client import ErpNextClient
from connectors.erp.erpnext.finding import Finding, account_of, currency_of
from connectors.erp.erpnext.ledger import CUSTOMER, INVOICE, PAYMENT, SUBMITTED, Ledger, Voucher
from connectors.errors import OutcomeUnknown, Rejected
from domain.money import Money

RUN: Final = "run_doc_method"
LOOSEN: Final = "erpnext.accounts.doctype.unreconcile_payment.unreconcile_payment.create_unreconcile_doc_for_selection"


class Moving:
    """One writer of one company. Each raises ConnectorError; Rejected where ERPNext refuses a step, others may be done."""

    def __init__(self, client: ErpNextClient, ledger: Ledger, finding: Finding, *, company: str) -> None:
        self._client = client
        self._ledger = ledger
        self._finding = finding
        self._company = company

    async def reach(self, payment: str, currency: str, wanted: Mapping[str, Money]) -> None:
        """Make the payment's money stand on these invoices as wanted; on others it stays."""
        standing = await self._ledger.standing(payment, currency)
        for invoice, amount in sorted(wanted.items()):
            if standing.of(invoice) > amount:
                await self.loosen(payment, (INVOICE, invoice))
        standing = await self._ledger.standing(payment, currency)
        for invoice, amount in sorted(wanted.items()):
            if amount > standing.of(invoice):
                await self.match(payment, (INVOICE, invoice), amount - standing.of(invoice))
        standing = await self._ledger.standing(payment, currency)
        if any(standing.of(invoice) != amount for invoice, amount in wanted.items()):
            raise OutcomeUnknown("ERPNext's ledger does not show a payment where it was just put.")

    async def loosen(self, payment: str, document: Voucher) -> None:
        """Take all of a payment off a document."""
        selection = {
            "company": self._company,
            "voucher_type": PAYMENT,
            "voucher_no": payment,
            "against_voucher_type": document[0],
            "against_voucher_no": document[1],
        }
        await self._client.call(LOOSEN, {"selections": wire.dumped([selection])})

    async def match(self, payment: str, document: Voucher, amount: Money) -> None:
        """Put money that a payment has on account on a document: an invoice, or money that went out."""
        row = await self._finding.payment(payment)
        if row is None or row["docstatus"] != SUBMITTED:
            raise Rejected("PAYMENT_NOT_FOUND", f"ERPNext has no submitted payment {payment}.")
        currency = currency_of(row)
        outstanding = await self._ledger.open_of(document, currency)
        await self._client.call(
            RUN, {"method": "reconcile", "docs": wire.dumped(self._tool(row, document, amount, outstanding))}
        )

    def _tool(self, row: Mapping[str, Any], document: Voucher, amount: Money, outstanding: Money) -> wire.Wire:
        currency = currency_of(row)
        on_account = wire.amount(row["unallocated_amount"], currency)
        payments: Sequence[wire.Wire] = [
            {
                "reference_type": PAYMENT,
                "reference_name": row["name"],
                "posting_date": row["posting_date"],
                "amount": on_account,
                "currency": currency,
            }
        ]
        invoices: Sequence[wire.Wire] = [
            {
                "invoice_type": document[0],
                "invoice_number": document[1],
                "outstanding_amount": outstanding,
                "currency": currency,
            }
        ]
        allocation = {
            "reference_type": PAYMENT,
            "reference_name": row["name"],
            "invoice_type": document[0],
            "invoice_number": document[1],
            "allocated_amount": amount,
            # Refused where it differs from what the payment has by then: nobody else took of it meanwhile.
            "unreconciled_amount": on_account,
            "amount": on_account,
            "difference_amount": Money.zero(currency),
            "currency": currency,
        }
        return {
            "doctype": "Payment Reconciliation",
            "company": self._company,
            "party_type": CUSTOMER,
            "party": row["party"],
            "receivable_payable_account": account_of(row),
            "payments": payments,
            "invoices": invoices,
            "allocation": [allocation],
        }
