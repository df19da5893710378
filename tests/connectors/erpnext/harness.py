"""A running simulated ERPNext in the words of the ERP kit: a site of its own for each test, and a desk at it."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import httpx

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.erp.erpnext import ErpNext, ErpNextConfig, build
from connectors.erp.ports import ErpInvoice
from domain.money import Money
from tests.connectors.erpnext import described
from tests.simulators.running import Program, start

COMPANY: Final = "Northwind"
ACCOUNTS: Final = tuple(f"Duly Clearing {currency} - NW" for currency in ("EUR", "USD", "GBP", "JPY"))
SENTENCE: Final = "Customer is frozen by the auditors: no accounting entries until they are done."
DUE: Final = date(2036, 3, 16)


def start_erpnext() -> Program:
    """Start the simulated ERPNext on a free port."""
    return start("simulators.erpnext", "--port", "0")


class ErpNextHarness:
    """One site with its accountant. ERPNext has no states that people invent, and no customer who is not chased."""

    lacks: Mapping[ErpTrait, int] = {ErpTrait.STATUS_WORDS: 2, ErpTrait.PAUSES: 1}

    def __init__(self, url: str, people: httpx.AsyncClient, key: str, secret: str) -> None:
        self.people = people
        self.key = key
        self.secret = secret
        self.config = ErpNextConfig(
            base_url=url,
            api_key=key,
            api_secret=secret,
            company=COMPANY,
            deposit_accounts=ACCOUNTS,
            request_timeout_seconds=5,
        )
        self.erp: ErpNext = build(self.config)

    async def act(self, what: str, **given: Any) -> Any:
        """Something done at the desk."""
        answer = await self.people.post(f"/_test/{self.key}/{what}", json=given)
        assert answer.is_success, answer.text
        return answer.json()["done"]

    async def make_customer(self, *, currency: str) -> str:
        made: str = await self.act("customer", currency=currency)
        return made

    async def make_invoice(self, *, customer: str, total: Money, **more: Any) -> str:
        given = {"customer": customer, "currency": total.currency, "total": total.plain()}
        on = (ON - timedelta(days=30)).isoformat()
        made: str = await self.act("invoice", **given, on=on, due=DUE.isoformat(), **more)
        return made

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        rows = await self.act("rows", doctype="Sales Invoice")
        customer = next(row["customer"] for row in rows if row["name"] == invoice)
        await self.receive(customer=customer, amount=amount, invoice=invoice)

    async def receive(self, *, customer: str, amount: Money, invoice: str | None = None) -> str:
        """A person enters money of a customer; answers the payment's name."""
        given = {"customer": customer, "currency": amount.currency, "amount": amount.plain()}
        made: str = await self.act("receive", **given, on=ON.isoformat(), invoice=invoice)
        return made

    async def delete_payment(self, *, reference: str) -> None:
        await self.act("cancel", reference=reference)

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to give {invoice} the status {word}")

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to pause {customer}")

    async def make_quote(self, *, customer: str, total: Money) -> str:
        line = {"item_name": "Consulting", "description": "Consulting", "qty": 1}
        values = {
            "company": COMPANY,
            "quotation_to": "Customer",
            "party_name": customer,
            "status": "Open",
            "docstatus": 1,
            "currency": total.currency,
            "transaction_date": ON.isoformat(),
            "valid_till": DUE.isoformat(),
            "grand_total": float(total.plain()),
            "rounded_total": 0,
            "disable_rounded_total": 1,
            "total_taxes_and_charges": 0,
            "items": [{**line, "net_rate": float(total.plain()), "net_amount": float(total.plain())}],
        }
        made: str = await self.act("put", doctype="Quotation", values=values)
        return made

    async def accept_quote(self, *, quote: str) -> None:
        await self.act("change", doctype="Quotation", name=quote, values={"status": "Ordered"})

    async def delete_quote(self, *, quote: str) -> None:
        """What is submitted is cancelled: only then it could be deleted."""
        await self.act("change", doctype="Quotation", name=quote, values={"status": "Cancelled", "docstatus": 2})

    async def make_template(self, *, customer: str, amount: Money) -> str:
        invoice = await self.make_invoice(customer=customer, total=amount)
        values = {
            "reference_doctype": "Sales Invoice",
            "reference_document": invoice,
            "frequency": "Monthly",
            "start_date": ON.isoformat(),
            "end_date": None,
            "next_schedule_date": DUE.isoformat(),
            "status": "Active",
            "disabled": 0,
        }
        made: str = await self.act("put", doctype="Auto Repeat", values=values)
        return made

    async def stop_template(self, *, template: str) -> None:
        await self.act("change", doctype="Auto Repeat", name=template, values={"status": "Disabled", "disabled": 1})

    async def delete_template(self, *, template: str) -> None:
        await self.act("remove", doctype="Auto Repeat", name=template)

    async def go_down(self) -> None:
        await self.act("turn", down=True)

    async def come_back(self) -> None:
        await self.act("reset")

    async def lose_next_answer(self) -> None:
        await self.act("turn", lose=True)

    async def fail_after_next_write(self) -> None:
        await self.act("turn", fail=502)

    async def refuse_customer(self, *, customer: str) -> str:
        await self.act("turn", refused={customer: SENTENCE})
        return SENTENCE

    async def count_documents(self, *, reference: str) -> int:
        counted: int = await self.act("count", reference=reference)
        return counted

    # ------------------------------------------------------------ what the kit does not ask for

    async def read(self, invoice: str) -> ErpInvoice:
        """One invoice as it stands."""
        (found,) = await self.erp.invoices_by_id([invoice])
        return found

    async def open_minor(self, name: str, doctype: str = "Sales Invoice") -> int:
        """What the site's ledger has open of a document, in euro cents."""
        return Money.of(0, "EUR").minor + _minor(await self.act("open", name=name, doctype=doctype))

    async def owed_minor(self, customer: str) -> int:
        """What a customer owes by the site's ledger, in euro cents."""
        return _minor(await self.act("owed", customer=customer))

    async def raw(self, method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        """A call as somebody makes it who knows ERPNext less well."""
        headers = {"Authorization": f"token {self.key}:{self.secret}"}
        content = None if body is None else json.dumps(body)
        marked = {**query, described.BY_HAND: "1"}
        return await self.people.request(method, path, content=content, params=marked, headers=headers)

    async def requests(self) -> list[dict[str, Any]]:
        """Every request to the site so far."""
        sent: list[dict[str, Any]] = await self.act("requests")
        return sent


def _minor(text: str) -> int:
    whole, _, part = text.partition(".")
    sign = -1 if whole.startswith("-") else 1
    return int(whole) * 100 + sign * int(part.ljust(2, "0")[:2] or 0)
