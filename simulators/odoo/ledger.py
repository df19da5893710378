"""The ledger of one company: entries, what settles what, payments. Amounts are Decimals; residuals follow what settles.

After odoo/addons/account/models: account_move.py (js_assign_outstanding_line, js_remove_outstanding_partial),
account_move_line.py (reconcile), account_payment.py (action_post; since 18 no entry is made without an outstanding account),
account_partial_reconcile.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from simulators.odoo.records import Record, Records, Refused, user_error

ZERO: Final = Decimal(0)
_PLACES: Final = {"JPY": 0}
_WITHOUT_ENTRIES_SINCE: Final = 18

_MOVE: Final = frozenset(
    {
        *("name", "ref", "move_type", "state", "posted_before", "date", "journal_id", "company_id", "currency_id"),
        *("partner_id", "commercial_partner_id", "partner_shipping_id", "invoice_date", "invoice_date_due"),
        *("invoice_payment_term_id", "reversed_entry_id"),
    }
)
_LINE: Final = frozenset(
    {
        *("name", "move_id", "account_id", "partner_id", "currency_id", "company_id", "date_maturity", "amount_currency"),
        *("debit", "credit", "display_type", "quantity", "price_unit", "tax_ids", "sale_line_ids"),
    }
)
_PAYMENT: Final = frozenset(
    {
        *("name", "state", "payment_type", "partner_type", "partner_id", "journal_id", "currency_id", "amount", "date"),
        *("payment_reference", "destination_account_id", "move_id", "company_id"),
    }
)


# addons/sale/models/sale_order.py and sale_order_line.py: the module Sales, which need not be installed.
_SALES: Final[Mapping[str, frozenset[str]]] = {
    "sale.order": frozenset(
        {
            *("name", "state", "invoice_status", "partner_invoice_id", "currency_id", "company_id", "amount_total"),
            *("date_order", "validity_date"),
        }
    ),
    "sale.order.line": frozenset(
        {"order_id", "name", "product_uom_qty", "price_unit", "price_subtotal", "price_total", "display_type"}
    ),
}


class Ledger:
    """The books of one database. `series` is Odoo's version; `quiet` leaves out what another version would touch."""

    def __init__(self, series: int) -> None:
        self.series = series
        self.memo = "memo" if series >= _WITHOUT_ENTRIES_SINCE else "ref"
        self.locked_until = ""
        self.refused: dict[int, str] = {}
        self.silent_assignments = 0
        self.books_nothing = False  # whatever the payment methods show
        self.said: dict[int, str] = {}  # what an invoice's payment_state says, whatever its ledger says
        self.stale: dict[int, Decimal] = {}  # what an invoice's own field says is open, likewise
        self.matched: set[int] = set()  # payments that a bank statement confirmed
        self._sequences: dict[str, itertools.count[int]] = {}
        kind = "account_type" if series >= 16 else "internal_type"
        self.records = Records(
            {
                "res.users": {"login", "company_id"},
                "res.company": {"name", "currency_id"},
                "res.currency": {"name", "rate"},
                "res.country": {"name", "code"},
                "res.partner": {
                    *("name", "ref", "email", "country_id", "tz", "active", "parent_id", "is_company", "customer_rank"),
                    "property_account_receivable_id",
                },
                "account.account": {"name", "code", kind, "reconcile"},
                "account.journal": {"name", "code", "type", "company_id"},
                "account.payment.method.line": {"name", "journal_id", "payment_type", "payment_account_id"},
                "account.payment.term": {"name"},
                "account.tax": {"name", "amount", "amount_type", "active"},
                "account.move": set(_MOVE),
                "account.move.line": set(_LINE),
                "account.payment": {*_PAYMENT, self.memo},
                **{model: set(names) for model, names in _SALES.items()},
                "account.partial.reconcile": {
                    *("debit_move_id", "credit_move_id", "amount", "debit_amount_currency", "credit_amount_currency"),
                },
            },
            self._computed(),
        )
        self._found()

    def remove_sales(self) -> None:
        """As where the module Sales was never installed: neither its models are there, nor what it adds to others."""
        for model in _SALES:
            del self.records.fields[model]
        self.records.fields["account.move.line"].discard("sale_line_ids")

    def _computed(self) -> Mapping[str, Mapping[str, Callable[[Record], Any]]]:
        def of_move(name: str) -> Callable[[Record], Any]:
            return lambda line: self.records.get("account.move", line["move_id"])[name]

        return {
            "res.partner": {"commercial_partner_id": self.commercial},
            "account.move": {
                "amount_total": lambda move: abs(sum((each["amount_currency"] for each in self.owed(move)), start=ZERO)),
                "amount_residual": self._residual_field,
                "payment_state": self._payment_state,
                "invoice_line_ids": lambda move: [e["id"] for e in self.lines(move) if e["display_type"] == "product"],
                "line_ids": lambda move: [each["id"] for each in self.lines(move)],
            },
            "account.move.line": {
                "parent_state": of_move("state"),
                "date": of_move("date"),
                "ref": of_move("ref"),
                "payment_id": lambda line: self.payment_of(line["move_id"]),
                "balance": lambda line: line["debit"] - line["credit"],
                "amount_residual_currency": self.residual,
                "price_subtotal": lambda line: abs(line["amount_currency"]) if line["display_type"] == "product" else ZERO,
                "price_total": lambda line: abs(line["amount_currency"]) if line["display_type"] == "product" else ZERO,
            },
        }

    def _found(self) -> None:
        """A company with its chart of accounts, journals and currencies."""
        make = self.records.make
        for name, rate in (("EUR", "1"), ("USD", "1.25"), ("GBP", "0.8"), ("JPY", "160")):
            make("res.currency", name=name, rate=Decimal(rate))
        make("res.country", name="United Kingdom", code="GB")
        make("res.company", name="Brightwater Supplies", currency_id=self.currency("EUR"))
        make("res.users", login="duly", company_id=1)
        kind, receivable, other = (
            ("account_type", "asset_receivable", "asset_current")
            if self.series >= 16
            else ("internal_type", "receivable", "other")
        )
        for code, name, word in (
            ("1100", "Receivable", receivable),
            ("1200", "Outstanding", other),
            ("4000", "Sales", other),
        ):
            make("account.account", code=code, name=name, reconcile=code != "4000", **{kind: word})
        for code, word in (("DULY", "bank"), ("MISC", "general"), ("INV", "sale"), ("BNK1", "bank")):
            make("account.journal", name=code, code=code, type=word, company_id=1)
        for journal in (1, 4):
            for word in ("inbound", "outbound"):
                make(
                    "account.payment.method.line", name="Manual", journal_id=journal, payment_type=word, payment_account_id=2
                )

    # ------------------------------------------------------------ asking

    def currency(self, code: str) -> int:
        """A currency's id."""
        return next(int(each["id"]) for each in self.records.all("res.currency") if each["name"] == code)

    def commercial(self, partner: Record) -> int:
        """Who is billed: the company that a person belongs to, or the person."""
        if partner["is_company"] or not partner["parent_id"]:
            return int(partner["id"])
        return self.commercial(self.records.get("res.partner", partner["parent_id"]))

    def lines(self, move: Record) -> list[Record]:
        """All lines of an entry."""
        return [each for each in self.records.all("account.move.line") if each["move_id"] == move["id"]]

    def owed(self, move: Record) -> list[Record]:
        """Its lines on the receivable account."""
        return [each for each in self.lines(move) if each["account_id"] == 1]

    def payment_of(self, move_id: int) -> int | bool:
        """The payment that an entry is of."""
        found = (each["id"] for each in self.records.all("account.payment") if each["move_id"] == move_id)
        return next(found, False)

    def residual(self, line: Record) -> Decimal:
        """What of a line is not settled, in its currency; debit positive."""
        left: Decimal = line["amount_currency"]
        for each in self.records.all("account.partial.reconcile"):
            if each["debit_move_id"] == line["id"]:
                left -= each["debit_amount_currency"]
            if each["credit_move_id"] == line["id"]:
                left += each["credit_amount_currency"]
        return left

    def _residual_field(self, move: Record) -> Decimal:
        if move["id"] in self.stale:
            return self.stale[move["id"]]
        return abs(sum((self.residual(each) for each in self.owed(move)), start=ZERO)) if move["state"] == "posted" else ZERO

    def _payment_state(self, move: Record) -> str:
        if move["id"] in self.said:
            return self.said[move["id"]]
        lines = self.owed(move)
        total = sum((each["amount_currency"] for each in lines), start=ZERO)
        left = sum((self.residual(each) for each in lines), start=ZERO)
        if move["move_type"] == "entry" or left == total:
            return "not_paid"
        if left:
            return "partial"
        payments = [self.payment_of(each["move_id"]) for each in self._others(lines)]
        if all(not each for each in payments):
            return "reversed"
        return "paid" if all(not each or each in self.matched for each in payments) else "in_payment"

    def _others(self, lines: Iterable[Record]) -> list[Record]:
        mine = {each["id"] for each in lines}
        sides = [(each["debit_move_id"], each["credit_move_id"]) for each in self.records.all("account.partial.reconcile")]
        other = {second if first in mine else first for first, second in sides if {first, second} & mine}
        return [self.records.get("account.move.line", each) for each in sorted(other)]

    def balance(self, partner: int | None = None) -> Decimal:
        """What the receivable account says, of one customer or of all, in the company's currency."""
        return sum(
            (
                each["debit"] - each["credit"]
                for each in self.records.all("account.move.line")
                if each["account_id"] == 1
                and (partner is None or each["partner_id"] == partner)
                and self.records.get("account.move", each["move_id"])["state"] == "posted"
            ),
            start=ZERO,
        )

    # ------------------------------------------------------------ entries

    def enter(self, values: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Record:
        """A draft entry with its lines, which must balance."""
        move = self.records.make("account.move", **{"state": "draft", "company_id": 1, "currency_id": 1, **values})
        for each in lines:
            partner = each.get("partner_id")
            self._refuse(partner)
            given = {**each, "debit": _decimal(each.get("debit")), "credit": _decimal(each.get("credit"))}
            given["amount_currency"] = _decimal(each.get("amount_currency", given["debit"] - given["credit"]))
            self.records.make("account.move.line", **{"currency_id": 1, "company_id": 1, **given, "move_id": move["id"]})
        made = self.lines(move)
        if sum((each["debit"] - each["credit"] for each in made), start=ZERO):
            raise user_error("The entry is not balanced.")
        return move

    def _refuse(self, partner: Any) -> None:
        if partner in self.refused:
            raise user_error(self.refused[partner])

    def post(self, move: Record) -> None:
        """From here on it is money."""
        if move["state"] != "draft":
            raise user_error(f"The entry {move['name']} (id {move['id']}) must be in draft.")
        self._check_date(move["date"])
        name = move["name"] or self._next_name(move)
        self.records.change("account.move", move, state="posted", posted_before=True, name=name)

    def _next_name(self, move: Record) -> str:
        journal = self.records.get("account.journal", move["journal_id"])
        code, year = journal["code"], str(move["date"])[:4]
        prefix = f"P{code}" if journal["type"] == "bank" else code
        return f"{prefix}/{year}/{next(self._sequences.setdefault(code, itertools.count(1))):05}"

    def _check_date(self, day: str) -> None:
        if self.locked_until and str(day) <= self.locked_until:
            raise user_error(
                f"You cannot add/modify entries prior to and inclusive of: Global Lock Date ({self.locked_until})."
            )

    def to_draft(self, move: Record) -> None:
        """Taken back to a draft: what settled its lines goes with it."""
        mine = {each["id"] for each in self.lines(move)}
        for each in self.records.all("account.partial.reconcile"):
            if mine & {each["debit_move_id"], each["credit_move_id"]}:
                del self.records.tables["account.partial.reconcile"][each["id"]]
        self.records.change("account.move", move, state="draft")

    def remove(self, move: Record) -> None:
        """Gone for good, as only a draft may be."""
        if move["state"] == "posted":
            raise user_error("You cannot delete a posted entry.")
        for each in self.lines(move):
            del self.records.tables["account.move.line"][each["id"]]
        del self.records.tables["account.move"][move["id"]]

    # ------------------------------------------------------------ what settles what

    def reconcile(self, ids: Sequence[int]) -> None:
        """Settle debits with credits, the oldest first, each as far as both have something left. Touches no entry."""
        lines = [self.records.get("account.move.line", each) for each in ids]
        if any(self.records.get("account.move", each["move_id"])["state"] != "posted" for each in lines):
            raise user_error("You can only reconcile posted entries.")
        if len({each["account_id"] for each in lines}) > 1:
            raise user_error("Entries are not from the same account: 1100, 1200")
        if any(not self.residual(each) for each in lines):
            raise user_error("You are trying to reconcile some entries that are already reconciled.")
        lines.sort(key=lambda each: (str(each["date_maturity"] or ""), each["id"]))
        debits = [each for each in lines if each["amount_currency"] > 0]
        credited = [each for each in lines if each["amount_currency"] < 0]
        for debit in debits:
            for credit in credited:
                amount = min(self.residual(debit), -self.residual(credit))
                if amount > 0:
                    self.records.make(
                        "account.partial.reconcile",
                        debit_move_id=debit["id"],
                        credit_move_id=credit["id"],
                        amount=amount,
                        debit_amount_currency=amount,
                        credit_amount_currency=amount,
                    )

    def assign(self, move_id: int, line_id: int) -> None:
        """js_assign_outstanding_line: put a line on an invoice, as far as both have something left."""
        if self.silent_assignments:
            self.silent_assignments -= 1
            return
        line = self.records.get("account.move.line", line_id)
        open_lines = [each["id"] for each in self.owed(self.records.get("account.move", move_id)) if self.residual(each)]
        if open_lines:
            self.reconcile([line["id"], *open_lines])

    def unassign(self, move_id: int, partial_id: int) -> None:
        """js_remove_outstanding_partial: leaves no trace but that it is gone."""
        self.records.get("account.move", move_id)
        self.records.get("account.partial.reconcile", partial_id)
        del self.records.tables["account.partial.reconcile"][partial_id]

    # ------------------------------------------------------------ payments

    def pay(self, values: Mapping[str, Any]) -> Record:
        """A draft payment; before 18 with its entry."""
        given = {"state": "draft", "company_id": 1, **values, "amount": _decimal(values.get("amount"))}
        if given["amount"] < 0:
            raise Refused("odoo.exceptions.ValidationError", "The payment amount cannot be negative.")
        self._refuse(values.get("partner_id"))
        payment = self.records.make("account.payment", **given)
        if self.series < _WITHOUT_ENTRIES_SINCE:
            self._enter_payment(payment, outstanding=2)
        return payment

    def _enter_payment(self, payment: Record, outstanding: int) -> Record:
        code = self.records.get("res.currency", payment["currency_id"])
        amount: Decimal = payment["amount"]
        home = round(amount / code["rate"], 2)
        is_in = payment["payment_type"] == "inbound"
        ours = {
            "partner_id": payment["partner_id"],
            "currency_id": payment["currency_id"],
            "name": payment["payment_reference"],
        }
        nothing = {"debit": ZERO, "credit": ZERO}
        taken = {**nothing, "debit" if is_in else "credit": home, "amount_currency": amount if is_in else -amount}
        owed = {**nothing, "credit" if is_in else "debit": home, "amount_currency": -amount if is_in else amount}
        values = {
            "move_type": "entry",
            "date": payment["date"],
            "ref": payment[self.memo],
            "journal_id": payment["journal_id"],
        }
        lines = [
            {"account_id": outstanding, **ours, **taken},
            {"account_id": payment["destination_account_id"] or 1, "date_maturity": payment["date"], **ours, **owed},
        ]
        move = self.enter({**values, "partner_id": payment["partner_id"]}, lines)
        self.records.change("account.payment", payment, move_id=move["id"])
        return move

    def post_payment(self, payment: Record) -> None:
        """action_post. Since 18 a method without an outstanding account makes no entry, and says that it is paid."""
        if payment["state"] != "draft":
            raise user_error("Only draft payments can be posted.")
        self._check_date(payment["date"])
        outstanding = self._outstanding(payment)
        if self.series >= _WITHOUT_ENTRIES_SINCE and not payment["move_id"] and outstanding:
            self._enter_payment(payment, outstanding=outstanding)
        state = "posted"
        if self.series >= _WITHOUT_ENTRIES_SINCE:
            state = "in_process" if payment["move_id"] else "paid"
        name = f"PAY/{payment['id']}"
        if payment["move_id"]:
            move = self.records.get("account.move", payment["move_id"])
            self.post(move)
            name = move["name"]
        self.records.change("account.payment", payment, state=state, name=name)

    def _outstanding(self, payment: Record) -> int:
        methods = self.records.search(
            "account.payment.method.line",
            [("journal_id", "=", payment["journal_id"]), ("payment_type", "=", payment["payment_type"])],
        )
        return int(methods[0]["payment_account_id"]) if methods and not self.books_nothing else 0

    def payment_to_draft(self, payment: Record) -> None:
        """action_draft; what a bank statement confirmed stays."""
        if payment["id"] in self.matched:
            raise user_error("You can't reset to draft a payment that was matched with a bank statement.")
        if payment["move_id"]:
            self.to_draft(self.records.get("account.move", payment["move_id"]))
        self.records.change("account.payment", payment, state="draft")

    def cancel_payment(self, payment: Record) -> None:
        """action_cancel."""
        if payment["move_id"]:
            self.records.change("account.move", self.records.get("account.move", payment["move_id"]), state="cancel")
        word = "canceled" if self.series >= _WITHOUT_ENTRIES_SINCE else "cancel"
        self.records.change("account.payment", payment, state=word)

    def remove_payment(self, payment: Record) -> None:
        """unlink."""
        if payment["state"] != "draft":
            raise user_error("You cannot delete a payment that is not a draft.")
        if payment["move_id"]:
            self.remove(self.records.get("account.move", payment["move_id"]))
        del self.records.tables["account.payment"][payment["id"]]


def _decimal(told: Any) -> Decimal:
    return Decimal(str(told or 0))
