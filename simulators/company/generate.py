"""The whole company: the showcase, then the other customers with ordinary months of invoices."""

from __future__ import annotations

from datetime import date
from typing import Final

from simulators.company import words
from simulators.company.ledger import Customer, Ledger
from simulators.company.showcase import add_showcase

FIRST_NUMBER: Final = 1101
PAUSED_CUSTOMERS: Final = ("C-1105", "C-1119")
MULTI_SITE_CUSTOMER: Final = "C-1106"


def generate(today: date) -> Ledger:
    """The company as of a day; the same rows for the same day."""
    ledger = Ledger(today=today)
    add_showcase(ledger)
    for number, (name, currency, country, time_zone) in enumerate(words.CUSTOMERS, start=FIRST_NUMBER):
        code = f"C-{number}"
        customer = ledger.add_customer(code, name, currency, country, time_zone, paused=code in PAUSED_CUSTOMERS)
        if code == MULTI_SITE_CUSTOMER:
            ledger.add_multi_site(customer, leaves=5, due_in=-4)
        for _ in range(ledger.chance.randint(23, 33)):
            _add_ordinary_invoice(ledger, customer)
        _add_something_on_account(ledger, customer)
    return ledger


def _add_ordinary_invoice(ledger: Ledger, customer: Customer) -> None:
    """About half are paid, most of the rest open, a few late; every other state turns up now and then."""
    draw = ledger.chance.randint(1, 100)
    days = ledger.chance.randint(1, 200)
    if draw <= 48:
        ledger.settle(ledger.add_invoice(customer, due_in=-days), days_ago=max(days - ledger.chance.randint(-5, 20), 0))
    elif draw <= 74:
        ledger.add_invoice(customer, due_in=days % 45)
    elif draw <= 88:
        ledger.add_invoice(customer, due_in=-(days % 60))
    elif draw <= 93:
        invoice = ledger.add_invoice(customer, due_in=-(days % 40))
        ledger.settle(invoice, amount=max(invoice["total"] // 3, 1), days_ago=days % 20)
    elif draw <= 95:
        ledger.settle(ledger.add_invoice(customer, due_in=-days), kind="Credit note", days_ago=days)
    else:
        _add_rare_invoice(ledger, customer, draw)


def _add_rare_invoice(ledger: Ledger, customer: Customer, draw: int) -> None:
    if draw == 96:
        ledger.add_invoice(customer, due_in=-18, state="Disputed")
    elif draw == 97:
        ledger.add_invoice(customer, due_in=-25, state="Instalment plan")
    elif draw == 98:
        ledger.add_invoice(customer, due_in=20, state="Draft")
    elif draw == 99:
        ledger.add_invoice(customer, due_in=-31, state="Voided")
    else:
        ledger.add_invoice(customer, due_in=-14, paused=True)


def _add_something_on_account(ledger: Ledger, customer: Customer) -> None:
    kind = ledger.chance.choice(("Credit note", "Prepayment", "Overpayment", "", ""))
    if kind:
        ledger.keep_on_account(customer, kind=kind, amount=ledger.chance.randint(5, 400) * 250)
