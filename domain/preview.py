"""The fingerprint of what a person was shown before money moves (I3).

The page computes it when it is drawn and the form carries it; the process computes it again under lock, with the same
function. Different means that what the person agreed to is no longer so: nothing is charged and the page says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from domain.credits import CreditFacts
from domain.invoices import InvoiceFacts, status_of


def application_hash(credit: CreditFacts, invoices: Iterable[InvoiceFacts]) -> str:
    """The same over both sides of an application: what is left of the credit, and each invoice."""
    told = f"{credit.id}\t{credit.unapplied_minor}\t{credit.deleted}\n{facts_hash(invoices)}"
    return hashlib.sha256(told.encode()).hexdigest()


def facts_hash(invoices: Iterable[InvoiceFacts]) -> str:
    """Hex SHA-256 over each invoice's id, what is available (minor units) and status; the order does not matter.

    '' for no invoices at all, which is also what a form says that showed nothing.
    """
    facts = sorted((each.id, each.available_minor, status_of(each).value) for each in invoices)
    if not facts:
        return ""
    told = "\n".join(f"{invoice_id}\t{available_minor}\t{status}" for invoice_id, available_minor, status in facts)
    return hashlib.sha256(told.encode()).hexdigest()
