"""Building rows for the ERP: customers, invoices whose lines add up, and the documents that settle them.

All chance comes from one seeded generator, so the company is the same every time; all days are counted from `today`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from simulators.company import words

Row = dict[str, Any]

SEED: Final = 20_260_316


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer that was added."""

    id: str
    number: str
    currency: str


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What will be sent to the ERP, in its own shapes."""

    today: date
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311  (made-up data)
    customers: list[Row] = field(default_factory=list)
    invoices: list[Row] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)

    def add_customer(
        self,
        number: str,
        name: str,
        currency: str,
        country: str,
        time_zone: str,
        *,
        parent: Customer | None = None,
        paused: bool = False,
    ) -> Customer:
        """Add a customer with one to three contacts at an address of its own."""
        domain = f"{''.join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())}.example"
        people = self.chance.sample(words.PEOPLE, self.chance.randint(1, 3))
        contacts = [{"name": person, "email": f"{person.lower().replace(' ', '.')}@{domain}"} for person in people]
        customer = Customer(id=f"cust-{number.lower()}", number=number, currency=currency)
        self.customers.append(
            {
                "id": customer.id,
                "number": number,
                "name": name,
                "currency": currency,
                "country": country,
                "time_zone": time_zone,
                "email": f"accounts@{domain}",
                "parent_id": None if parent is None else parent.id,
                "paused": paused,
                "contacts": contacts,
            }
        )
        return customer

    def add_invoice(self, customer: Customer, *, due_in: int, net: int | None = None, **changed: Any) -> Row:
        """Add an invoice due so many days from today, 45 at most (negative: days ago). `net` is before tax."""
        # Nothing is issued after today.
        terms_days = self.chance.choice([days for days in words.TERMS if days >= due_in])
        due_on = self.today + timedelta(days=due_in)
        lines = self._lines(customer.currency, net)
        discount = 0
        if self.chance.random() < 0.08 and net is None:
            discount = sum(line["amount"] for line in lines) // 50
        number = f"INV-{20_000 + len(self.invoices)}"
        invoice = {
            "id": f"sinv-{number.lower()}",
            "number": number,
            "customer_id": customer.id,
            "currency": customer.currency,
            "total": sum(line["amount"] + line["tax"] for line in lines) - discount,
            "discount": discount or None,
            "issued_on": due_on - timedelta(days=terms_days),
            "due_on": due_on,
            "terms": words.TERMS[terms_days],
            "po_number": f"PO-{self.chance.randint(1000, 9999)}" if self.chance.random() < 0.4 else None,
            "contact_email": "accounts@northwind.example",
            "lines": lines,
            **changed,
        }
        self.invoices.append(invoice)
        return invoice

    def add_multi_site(self, customer: Customer, *, leaves: int, due_in: int) -> list[Row]:
        """Add a parent invoice with leaves, one a site; answers the leaves. The parent carries no money."""
        parent = self.add_invoice(customer, due_in=due_in, layout="parent")
        parent |= {"total": 0, "discount": None, "lines": []}
        sites = self.chance.sample(words.SITES, leaves)
        added = []
        for position, site in enumerate(sites, start=1):
            leaf = self.add_invoice(customer, due_in=due_in, layout="leaf", parent_id=parent["id"], site=site)
            leaf |= {name: parent[name] for name in ("issued_on", "due_on", "terms", "po_number")}
            leaf["number"] = f"{parent['number']}-{position:02d}"
            added.append(leaf)
        return added

    def settle(self, invoice: Row, *, kind: str = "Payment", amount: int | None = None, days_ago: int = 5) -> None:
        """Add a document that settles an invoice, whole unless an amount is given."""
        paid = invoice["total"] if amount is None else amount
        self.documents.append(
            {
                "kind": kind,
                "customer_id": invoice["customer_id"],
                "currency": invoice["currency"],
                "amount": paid,
                "on": self._not_before(invoice["issued_on"], days_ago),
                "lines": [{"invoice_id": invoice["id"], "amount": paid}],
                "method": self.chance.choice(("Bank transfer", "Cheque", "Card")) if kind == "Payment" else "",
            }
        )

    def keep_on_account(
        self, customer: Customer, *, kind: str, amount: int, on_invoice: Row | None = None, applied: int = 0
    ) -> None:
        """Add a credit note, prepayment or overpayment with something left of it."""
        lines = [] if on_invoice is None else [{"invoice_id": on_invoice["id"], "amount": applied}]
        days_ago = self.chance.randint(3, 40)
        earliest = date.min if on_invoice is None else on_invoice["issued_on"]
        self.documents.append(
            {
                "kind": kind,
                "customer_id": customer.id,
                "currency": customer.currency,
                "amount": amount,
                "on": self._not_before(earliest, days_ago),
                "lines": lines,
                "memo": {"Credit note": "Service missed", "Prepayment": "Deposit"}.get(kind, "Paid too much"),
            }
        )

    def _not_before(self, issued_on: date, days_ago: int) -> date:
        """A day that is not before the invoice's own, unless the invoice is dated in the future."""
        return min(self.today, max(issued_on, self.today - timedelta(days=days_ago)))

    def _lines(self, currency: str, net: int | None) -> list[Row]:
        """One to four lines; prices are round figures in the currency's own scale."""
        percent = words.TAX_PERCENT[currency]
        if net is not None:
            return [_line(words.SERVICES[0], 1, net, percent)]
        scale = 500 if currency != "JPY" else 1000
        return [
            _line(service, self.chance.randint(1, 6), self.chance.randint(5, 90) * scale, percent)
            for service in self.chance.sample(words.SERVICES, self.chance.randint(1, 4))
        ]


def _line(service: str, quantity: int, price: int, percent: int) -> Row:
    amount = quantity * price
    return {
        "description": service,
        "quantity": str(quantity),
        "unit_price": price,
        "amount": amount,
        "tax_rate": f"{percent} %",
        "tax": amount * percent // 10**2,
    }
