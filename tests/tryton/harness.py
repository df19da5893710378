"""Tryton in the words of the ERP kit: a person at its desk, and a line to it that breaks."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.erp.ports import ErpInvoice
from connectors.erp.tryton import Tryton, TrytonConfig, build
from domain.money import Money
from tests.tryton.company import PAYMENT_METHOD, Accounts, accounts_of
from tests.tryton.desk import Desk
from tests.tryton.faults import Proxy

WRITES_A_DOCUMENT: Final = "model.account.move.create"
_numbers: Final = count(1)


class TrytonHarness:
    """One running Tryton with its accountant. Ids are text, as the port has them."""

    lacks: Mapping[ErpTrait, int] = {ErpTrait.STATUS_WORDS: 2, ErpTrait.PAUSES: 1}

    def __init__(self, desk: Desk, proxy: Proxy, config: TrytonConfig) -> None:
        self.desk = desk
        self.config = config
        self.proxy = proxy
        self.erp: Tryton = build(config)
        self._accounts: Accounts = accounts_of(desk)
        self._currencies = {row["code"]: row["id"] for row in desk.rows("currency.currency", [], ["code"])}
        self._closed: list[int] = []

    async def make_customer(self, *, currency: str) -> str:  # noqa: ARG002 - a party buys in any
        number = next(_numbers)
        mail = {"type": "email", "value": f"office{number}@example.com", "name": "Office"}
        return str(
            self.desk.create(
                "party.party",
                name=f"Customer {number}",
                addresses=[("create", [{"city": "Leeds"}])],
                contact_mechanisms=[("create", [mail])],
            )
        )

    async def make_invoice(self, *, customer: str, total: Money, is_taxed: bool = False) -> str:
        """A posted invoice over one line; a negative total makes a credit note. `is_taxed` adds a fifth to it, nearly."""
        party, on = int(customer), ON - timedelta(days=30)
        address = self.desk.search("party.address", ("party", "=", party))[0]
        amount = total.as_decimal()
        line: dict[str, Any] = {
            "type": "line",
            "description": "Consulting",
            "quantity": 1.0 if amount > 0 else -1.0,
            "account": self._accounts.revenue,
            "unit_price": abs(amount),
            "currency": self._currencies[total.currency],
        }
        if is_taxed:
            line["taxes"] = [("add", self.desk.search("account.tax"))]
        invoice = self.desk.create(
            "account.invoice",
            type="out",
            party=party,
            invoice_address=address,
            journal=self.desk.search("account.journal", ("type", "=", "revenue"))[0],
            account=self._accounts.receivable,
            currency=self._currencies[total.currency],
            invoice_date=on,
            accounting_date=on,
            payment_term=self.desk.search("account.invoice.payment_term", ("name", "=", "In ten years"))[0],
            lines=[("create", [line])],
        )
        self.desk.press("account.invoice", "post", invoice)
        return str(invoice)

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        row = self.desk.rows("account.invoice", [("id", "=", int(invoice))], ["party", "account", "company"])[0]
        currency = self._currencies[amount.currency]
        method = self.desk.search("account.invoice.payment.method", ("name", "=", PAYMENT_METHOD))[0]
        entered: dict[str, Any] = {
            "payee": row["party"],
            "payees": [row["party"]],
            "amount": amount.as_decimal(),
            "currency": currency,
            "company": row["company"],
            "invoice_account": row["account"],
            "payment_method": method,
            "date": ON,
            "description": "Bank transfer",
        }
        with self.desk.opened("account.invoice.pay", model="account.invoice", records=[int(invoice)]) as step:
            step("start", {})
            said = step("choice", {"start": entered})
            if "view" in said:
                known = said["view"].get("defaults") or said["view"].get("values") or {}
                asked = {**{name: value for name, value in known.items() if "." not in name}, "type": "partial"}
                step("pay", {"start": entered, "ask": asked})

    async def delete_payment(self, *, reference: str) -> None:
        """Off its invoices first, then taken back by the wizard: so it is done in Tryton."""
        (move,) = self.desk.search("account.move", ("description", "=", reference))
        lines = self.desk.rows("account.move.line", [("move", "=", move)], ["reconciliation", "invoice_payment"])
        groups = sorted({line["reconciliation"] for line in lines if line["reconciliation"]})
        if groups:
            reconciled = self.desk.search("account.move.line", ("reconciliation", "in", groups))
            self.desk.walk(
                "account.move.unreconcile_lines", ("unreconcile", {}), model="account.move.line", records=reconciled
            )
        for line in lines:
            if line["invoice_payment"]:
                self.desk.write("account.invoice", line["invoice_payment"], payment_lines=[("remove", [line["id"]])])
        self.cancel(reference=reference)

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to give {invoice} the status {word}")

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to pause {customer}")

    async def go_down(self) -> None:
        await self.proxy.stop()

    async def come_back(self) -> None:
        self.proxy.fault = None
        await self.proxy.start()

    async def lose_next_answer(self) -> None:
        self.proxy.lose_answer(method=WRITES_A_DOCUMENT)

    async def fail_after_next_write(self) -> None:
        self.proxy.fail_after(method=WRITES_A_DOCUMENT)

    async def refuse_customer(self, *, customer: str) -> str:  # noqa: ARG002 - everybody is
        """Nothing is refused to one customer alone; what is closed refuses everybody."""
        period = self.desk.search("account.period", ("start_date", "<=", ON), ("end_date", ">=", ON))[0]
        journal = self.desk.search("account.journal", ("type", "=", "cash"))[0]
        books = self.desk.search("account.journal.period", ("period", "=", period), ("journal", "=", journal))
        self._closed = books or [self.desk.create("account.journal.period", period=period, journal=journal)]
        self.desk.press("account.journal.period", "close", *self._closed)
        name = self.desk.rows("account.journal.period", [("id", "in", self._closed)], ["rec_name"])[0]["rec_name"]
        return f'You cannot add/modify/delete lines on closed journal-period "{name}".'

    def open_again(self) -> None:
        if self._closed:
            self.desk.press("account.journal.period", "reopen", *self._closed)
            self._closed = []

    async def count_documents(self, *, reference: str) -> int:
        return len(self.desk.search("account.move", ("description", "=", reference)))

    # ------------------------------------------------------------ what the kit does not ask for

    async def read(self, invoice: str) -> ErpInvoice:
        """One invoice as it stands."""
        (found,) = await self.erp.invoices_by_id([invoice])
        return found

    def cancel(self, *, reference: str) -> None:
        """A move is taken back by Tryton's wizard, and nothing else is done."""
        (move,) = self.desk.search("account.move", ("description", "=", reference))
        step = ("cancel", {"default": {"reversal": True, "description": "Entered twice"}})
        self.desk.walk("account.move.cancel", step, model="account.move", records=[move])

    def changed_at(self, invoice: str) -> datetime:
        """When Tryton says that an invoice changed last."""
        (row,) = self.desk.rows("account.invoice", [("id", "=", int(invoice))], ["write_date"])
        at: datetime = row["write_date"]
        return at

    def receive(self, *, customer: str, amount: Money, said: str = "Bank transfer") -> int:
        """A person books money of a customer that is for no invoice; answers its receivable line."""
        period = self.desk.search("account.period", ("start_date", "<=", ON), ("end_date", ">=", ON))[0]
        value, party = amount.as_decimal(), int(customer)
        lines: Sequence[dict[str, Any]] = (
            {"account": self._accounts.cash, "debit": value, "credit": Decimal(0)},
            {
                "account": self._accounts.receivable,
                "party": party,
                "description": said,
                "debit": Decimal(0),
                "credit": value,
            },
        )
        journal = self.desk.search("account.journal", ("type", "=", "cash"))[0]
        move = self.desk.create(
            "account.move", journal=journal, period=period, date=ON, description=said, lines=[("create", list(lines))]
        )
        self.desk.press("account.move", "post", move)
        return self.desk.search("account.move.line", ("move", "=", move), ("credit", ">", Decimal(0)))[0]

    def owed_minor(self, customer: str) -> int:
        """What the general ledger says that a customer owes, in cents of the company's euro."""
        posted = [("party", "=", int(customer)), ("account.type.receivable", "=", True), ("move.state", "=", "posted")]
        rows = self.desk.rows("account.move.line", posted, ["debit", "credit"])
        return int(sum((row["debit"] - row["credit"] for row in rows), start=Decimal(0)).scaleb(2))
