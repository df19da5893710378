"""The customers that a demo is shown on: stable numbers, one thing each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from simulators.company.ledger import Customer, Ledger

LONDON: Final = ("GB", "Europe/London")

SHOWCASE: Final[Mapping[str, str]] = {
    "C-1001": "Brightwater Facilities Ltd: an everyday account in pounds; overdue, partly paid, a credit note, a deposit",
    "C-1002": "Harbour & Hearth Hotels Inc: a multi-site invoice with 12 sites, in dollars",
    "C-1003": "Meridian Retail Group SAS: multi-site invoices with paid, disputed and open sites, in euros",
    "C-1004": "Cascade Logistics Inc: 450 open invoices",
    "C-1005": "Sakura Trading KK: an account in yen",
    "C-1006": "Kaleidoscope Interiors Ltd: an invoice of every status",
    "C-1007": "Willow & Finch Cafés Ltd: deposits and overpayments left on the account",
}
"""Customer number → name and what it shows."""


def add_showcase(ledger: Ledger) -> None:
    """Add the showcase customers and everything of theirs."""
    adders: Mapping[str, Callable[[Ledger], None]] = {
        "C-1001": _brightwater,
        "C-1002": _harbour_and_hearth,
        "C-1003": _meridian,
        "C-1004": _cascade,
        "C-1005": _sakura,
        "C-1006": _kaleidoscope,
        "C-1007": _willow_and_finch,
    }
    assert adders.keys() == SHOWCASE.keys()
    for add in adders.values():
        add(ledger)


def _add(ledger: Ledger, number: str, currency: str, country: str, time_zone: str) -> Customer:
    name = SHOWCASE[number].partition(":")[0]
    return ledger.add_customer(number, name, currency, country, time_zone)


def _brightwater(ledger: Ledger) -> None:
    customer = _add(ledger, "C-1001", "GBP", *LONDON)
    for due_in in (-62, -41, -33, -20, -12, -8, -5, -2, -1, 0, 3, 9, 14, 21, 28):
        ledger.add_invoice(customer, due_in=due_in)
    for days in (120, 95, 80, 64, 50, 44):
        ledger.settle(ledger.add_invoice(customer, due_in=-days), days_ago=days + 2)
    part_paid = ledger.add_invoice(customer, due_in=-15, net=200_000)
    ledger.settle(part_paid, amount=90_000, days_ago=9)
    credited = ledger.add_invoice(customer, due_in=-7, net=150_000)
    ledger.keep_on_account(customer, kind="Credit note", amount=60_000, on_invoice=credited, applied=25_000)
    ledger.keep_on_account(customer, kind="Prepayment", amount=120_000)
    ledger.add_multi_site(customer, leaves=4, due_in=6)
    ledger.add_invoice(customer, due_in=30, state="Draft")
    for number, place in (("C-1011", "Leeds"), ("C-1012", "Bristol")):
        child = ledger.add_customer(number, f"Brightwater Facilities {place} Ltd", "GBP", *LONDON, parent=customer)
        for due_in in (-18, -4, 11, 25):
            ledger.add_invoice(child, due_in=due_in)


def _harbour_and_hearth(ledger: Ledger) -> None:
    customer = _add(ledger, "C-1002", "USD", "US", "America/New_York")
    ledger.add_multi_site(customer, leaves=12, due_in=-3)
    paid = ledger.add_multi_site(customer, leaves=3, due_in=-45)
    for leaf in paid:
        ledger.settle(leaf, days_ago=40)
    for due_in in (-25, -10, 4, 18):
        ledger.add_invoice(customer, due_in=due_in)


def _meridian(ledger: Ledger) -> None:
    customer = _add(ledger, "C-1003", "EUR", "FR", "Europe/Paris")
    paid, disputed, *_ = ledger.add_multi_site(customer, leaves=4, due_in=-6)
    ledger.settle(paid, days_ago=3)
    disputed["state"] = "Disputed"
    # Pay one site of this one, and it is a parent with a paid, a pending and two open leaves.
    part_paid, *_ = ledger.add_multi_site(customer, leaves=4, due_in=10)
    ledger.settle(part_paid, days_ago=2)
    for due_in in (-30, -14, 7, 20):
        ledger.add_invoice(customer, due_in=due_in)


def _cascade(ledger: Ledger) -> None:
    customer = _add(ledger, "C-1004", "USD", "US", "America/Los_Angeles")
    for position in range(450):
        ledger.add_invoice(customer, due_in=30 - position // 2)


def _sakura(ledger: Ledger) -> None:
    customer = _add(ledger, "C-1005", "JPY", "JP", "Asia/Tokyo")
    for due_in in (-40, -21, -9, -3, 0, 6, 13, 27):
        ledger.add_invoice(customer, due_in=due_in)
    ledger.settle(ledger.add_invoice(customer, due_in=-55), days_ago=50)
    ledger.settle(ledger.add_invoice(customer, due_in=-11, net=300_000), amount=120_001, days_ago=6)


def _kaleidoscope(ledger: Ledger) -> None:
    """One invoice of each status of the ERP's, and each way of being settled."""
    customer = _add(ledger, "C-1006", "GBP", *LONDON)
    ledger.add_invoice(customer, due_in=12)
    ledger.add_invoice(customer, due_in=-12)
    ledger.settle(ledger.add_invoice(customer, due_in=-35), days_ago=30)
    ledger.settle(ledger.add_invoice(customer, due_in=-16, net=100_000), amount=40_000)
    for state in ("Disputed", "Instalment plan", "In mediation", "Draft", "Voided"):
        ledger.add_invoice(customer, due_in=-10, state=state)
    for state, kind in (("Bad debt", "Write-off"), ("Closed", "Adjustment")):
        ledger.settle(ledger.add_invoice(customer, due_in=-90, state=state), kind=kind, days_ago=20)
    ledger.add_invoice(customer, due_in=-22, paused=True)
    ledger.settle(ledger.add_invoice(customer, due_in=-28), kind="Credit note", days_ago=12)


def _willow_and_finch(ledger: Ledger) -> None:
    customer = _add(ledger, "C-1007", "GBP", *LONDON)
    for due_in in (-26, -13, -6, 2, 16):
        ledger.add_invoice(customer, due_in=due_in)
    ledger.keep_on_account(customer, kind="Prepayment", amount=250_000)
    ledger.keep_on_account(customer, kind="Overpayment", amount=7_550)
    ledger.keep_on_account(customer, kind="Credit note", amount=32_000)
    deposited = ledger.add_invoice(customer, due_in=-9, net=80_000)
    ledger.keep_on_account(customer, kind="Prepayment", amount=100_000, on_invoice=deposited, applied=50_000)
