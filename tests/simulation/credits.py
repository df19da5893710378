"""The part of a simulation's ERP that keeps credits: notes that a person enters, told, applied and taken off again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from connectors.erp.ports import CreditApplicationDocument, CreditKind, ErpApplied, ErpCredit, Page
from connectors.errors import Rejected
from domain.money import Money

if TYPE_CHECKING:
    from tests.simulation.ledger import Document, FarErp

ISSUED_ON: Final = date(2026, 3, 1)


class Credits:
    """What `FarErp` answers about credits. Those are the documents that bear no reference of ours."""

    def __init__(self, erp: FarErp) -> None:
        self._erp = erp

    def shown(self, document: Document) -> ErpCredit:
        currency = document.amount.currency
        return ErpCredit(
            erp_id=document.id,
            customer_erp_id=document.customer,
            number=document.id,
            kind=CreditKind.CREDIT_NOTE if document.kind == "credit" else CreditKind.PAYMENT,
            issued_on=ISSUED_ON,
            total=document.amount,
            used=Money.of(document.amount.minor - document.unapplied, currency),
            applications=tuple(
                ErpApplied(invoice_number=each, amount=Money.of(minor, currency), on=ISSUED_ON)
                for each, minor in document.on.items()
            ),
            deleted=document.is_deleted,
        )

    def since(self, cursor: str, most: int) -> Page[ErpCredit]:
        after = int(cursor or "0")
        waiting = sorted((each.change, each.id) for each in self._all() if each.change > after)
        found = waiting[:most]
        by_id = {each.id: each for each in self._all()}
        return Page(
            rows=tuple(self.shown(by_id[each]) for _, each in found),
            cursor=str(found[-1][0] if found else after),
            more=len(waiting) > len(found),
        )

    def by_id(self, erp_ids: Sequence[str]) -> Sequence[ErpCredit]:
        return [self.shown(each) for each in self._all() if each.id in set(erp_ids)]

    def _all(self) -> list[Document]:
        return [each for each in self._erp.documents if each.reference is None and each.kind in {"payment", "credit"}]

    def apply(self, order: CreditApplicationDocument, takes: Callable[[str, int], None]) -> tuple[Document, int]:
        """Check and move; the credit and what moved in all."""
        credit = next((each for each in self._all() if each.id == order.credit_erp_id and not each.is_deleted), None)
        if credit is None:
            raise Rejected("CREDIT_NOT_FOUND", f"There is no standing credit {order.credit_erp_id}.")
        total = sum(line.amount.minor for line in order.lines)
        if total > credit.unapplied:
            raise Rejected("NOT_UNAPPLIED", f"{credit.id} does not have that much left.")
        for line in order.lines:
            if line.amount.minor > 0:
                takes(line.invoice_erp_id, line.amount.minor)
            elif -line.amount.minor > credit.on.get(line.invoice_erp_id, 0):
                raise Rejected("NOT_APPLIED", f"{credit.id} does not have that much on {line.invoice_erp_id}.")
        for line in order.lines:
            self._erp.move(credit, line.invoice_erp_id, line.amount.minor)
        return credit, total
