"""The tests' company in Tryton, founded at the desk: currencies, chart, years, journals, Duly's own user."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from tests.tryton.desk import Desk
from tests.tryton.server import DULY, DULY_PASSWORD

YEARS: Final = range(2025, 2032)
RATES: Final = {
    "EUR": ("Euro", Decimal(1), 2),
    "USD": ("US dollar", Decimal("1.10"), 2),
    "GBP": ("Pound sterling", Decimal("0.85"), 2),
    "JPY": ("Yen", Decimal(160), 0),
}
PAYMENT_METHOD: Final = "Duly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Accounts of the chart that the tests use, by id."""

    receivable: int
    payable: int
    revenue: int
    expense: int
    cash: int


def found(desk: Desk) -> None:
    """A company that keeps its books in euro and invoices in others too."""
    currencies = {code: _currency(desk, code) for code in RATES}
    party = desk.create("party.party", name="Brightwater Supplies", addresses=[("create", [{"city": "Berlin"}])])
    company = desk.create("company.company", party=party, currency=currencies["EUR"])
    desk.write("res.user", desk.user_id, companies=[("add", [company])], company=company)
    desk.refresh()
    accounts = _chart(desk, company)
    for year in YEARS:
        _year(desk, company, year)
    cash_journal = desk.search("account.journal", ("type", "=", "cash"))[0]
    desk.create(
        "account.invoice.payment.method",
        name=PAYMENT_METHOD,
        company=company,
        journal=cash_journal,
        credit_account=accounts.cash,
        debit_account=accounts.cash,
    )
    _exchange(desk, accounts)
    # Long, so that no invoice of the tests is overdue when it is posted: Tryton asks whether that is meant.
    days = [("create", [{"days": 3650}])]
    desk.create(
        "account.invoice.payment_term",
        name="In ten years",
        lines=[("create", [{"type": "remainder", "relativedeltas": days}])],
    )
    _tax(desk, company, accounts)
    groups = [desk.do("model.ir.model.data.get_id", f"account.{name}") for name in ("group_account",)]
    desk.create(
        "res.user",
        name="Duly",
        login=DULY,
        password=DULY_PASSWORD,
        groups=[("add", groups)],
        companies=[("add", [company])],
        company=company,
    )


def _currency(desk: Desk, code: str) -> int:
    name, rate, digits = RATES[code]
    return desk.create(
        "currency.currency",
        name=name,
        code=code,
        symbol=code,
        digits=digits,
        rounding=Decimal(1).scaleb(-digits),
        rates=[("create", [{"date": date(2020, 1, 1), "rate": rate}])],
    )


def _chart(desk: Desk, company: int) -> Accounts:
    template = desk.do("model.ir.model.data.get_id", "account.account_template_root_en")
    with desk.opened("account.create_chart") as step:
        step("account", {"start": {}})
        step("create_account", {"account": {"company": company, "account_template": template}})
        accounts = accounts_of(desk)
        properties = {
            "company": company,
            "account_receivable": accounts.receivable,
            "account_payable": accounts.payable,
        }
        step("create_properties", {"properties": properties})
    return accounts


def accounts_of(desk: Desk) -> Accounts:
    """The first account of each kind; cash by its code in Tryton's own chart."""

    def first(*clause: Any) -> int:
        return desk.search("account.account", ("closed", "!=", True), clause)[0]

    return Accounts(
        receivable=first("type.receivable", "=", True),
        payable=first("type.payable", "=", True),
        revenue=first("type.revenue", "=", True),
        expense=first("type.expense", "=", True),
        cash=first("code", "=", "1.1.1"),
    )


def _year(desk: Desk, company: int, year: int) -> None:
    kinds = {row["name"]: row["id"] for row in desk.rows("ir.sequence.type", [], ["name"])}
    moves = desk.create(
        "ir.sequence.strict", name=f"Move {year}", sequence_type=kinds["Account Move"], company=company, prefix=f"{year}-"
    )
    numbered = {
        prefix: desk.create(
            "ir.sequence.strict",
            name=f"{prefix} {year}",
            sequence_type=kinds["Invoice"],
            company=company,
            prefix=f"{prefix}-{year}-",
        )
        for prefix in ("INV", "CN")
    }
    sequences = {
        "company": company,
        "out_invoice_sequence": numbered["INV"],
        "out_credit_note_sequence": numbered["CN"],
        "in_invoice_sequence": numbered["INV"],
        "in_credit_note_sequence": numbered["CN"],
    }
    made = desk.create(
        "account.fiscalyear",
        name=str(year),
        start_date=date(year, 1, 1),
        end_date=date(year, 12, 31),
        company=company,
        move_sequence=moves,
        invoice_sequences=[("create", [sequences])],
    )
    desk.press("account.fiscalyear", "create_period", made)


def _exchange(desk: Desk, accounts: Accounts) -> None:
    """Where differences between exchange rates go."""
    journal = desk.create("account.journal", name="Exchange", code="EXCH", type="write-off")
    settings = desk.search("account.configuration")
    values = {
        "currency_exchange_journal": journal,
        "currency_exchange_debit_account": accounts.expense,
        "currency_exchange_credit_account": accounts.revenue,
    }
    if settings:
        desk.write("account.configuration", settings[0], **values)
    else:
        desk.create("account.configuration", **values)


def _tax(desk: Desk, company: int, accounts: Accounts) -> None:
    desk.create(
        "account.tax",
        name="VAT 19 %",
        description="VAT 19 %",
        type="percentage",
        rate=Decimal("0.19"),
        company=company,
        invoice_account=accounts.payable,
        credit_note_account=accounts.payable,
    )
