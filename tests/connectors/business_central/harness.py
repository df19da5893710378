"""A running simulated Business Central in the words of the ERP kit: a company of its own for each test, and a desk at it."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import httpx

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.erp.business_central import BusinessCentral, BusinessCentralConfig, build
from connectors.erp.business_central.books import number_of
from connectors.erp.ports import ErpInvoice
from domain.money import Money
from tests.connectors.business_central import described
from tests.simulators.running import Program, start

BANK: Final = "2920"
SENTENCE: Final = "You cannot create this type of document when Customer is blocked with type All."
DUE: Final = date(2036, 3, 16)


def start_business_central() -> Program:
    """Start the simulated Business Central on a free port."""
    return start("simulators.business_central", "--port", "0")


class BusinessCentralHarness:
    """One company with its accountant. It has no states that people invent, no customer who is not chased, and its API moves
    no money that is booked.
    """

    lacks: Mapping[ErpTrait, int] = {ErpTrait.STATUS_WORDS: 2, ErpTrait.PAUSES: 1, ErpTrait.MOVES: 6}

    def __init__(self, url: str, people: httpx.AsyncClient, client: str, secret: str, company: str) -> None:
        self.people = people
        self.client = client
        self.company = company
        self.config = BusinessCentralConfig(
            base_url=url,
            token_url=f"{url}/contoso/oauth2/v2.0/token",
            client_id=client,
            client_secret=secret,
            company="Northwind",
            balancing_account=BANK,
            request_timeout_seconds=5,
        )
        self.erp: BusinessCentral = build(self.config)

    async def act(self, what: str, **given: Any) -> Any:
        """Something done at the desk."""
        answer = await self.people.post(f"/_test/{self.client}/{what}", json=given)
        assert answer.is_success, answer.text
        return answer.json()["done"]

    async def make_customer(self, *, currency: str) -> str:
        made: str = await self.act("customer", currency=currency)
        return made

    async def make_invoice(self, *, customer: str, total: Money) -> str:
        given = {"customer": customer, "currency": total.currency, "total": total.plain()}
        on = (ON - timedelta(days=30)).isoformat()
        made: str = await self.act("invoice", **given, on=on, due=DUE.isoformat())
        return made

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        await self.act("pay", invoice=invoice, amount=amount.plain(), on=ON.isoformat())

    async def delete_payment(self, *, reference: str) -> None:
        await self.act("reverse", number=number_of(reference))

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to give {invoice} the status {word}")

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to pause {customer}")

    async def go_down(self) -> None:
        await self.act("turn", down=True)

    async def come_back(self) -> None:
        await self.act("reset")

    async def lose_next_answer(self) -> None:
        await self.act("turn", lose=True)

    async def fail_after_next_write(self) -> None:
        await self.act("turn", fail=504)

    async def refuse_customer(self, *, customer: str) -> str:
        await self.act("turn", refused={customer: SENTENCE})
        return SENTENCE

    async def count_documents(self, *, reference: str) -> int:
        counted: int = await self.act("count", number=number_of(reference))
        return counted

    # ------------------------------------------------------------ what the kit does not ask for

    async def read(self, invoice: str) -> ErpInvoice:
        """One invoice as it stands."""
        (found,) = await self.erp.invoices_by_id([invoice])
        return found

    async def left_minor(self, invoice: str) -> int:
        """What the company has open of an invoice, in cents."""
        return _cents((await self.act("record", table="salesInvoices", id=invoice))["remainingAmount"])

    async def owed_minor(self, customer: str) -> int:
        """What a customer owes by the company's ledger, in cents."""
        return _cents(float(await self.act("owed", customer=customer)))

    async def raw(self, method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        """A call as somebody makes it who knows Business Central less well."""
        form = {"grant_type": "client_credentials", "client_id": self.client, "client_secret": self.config.client_secret}
        told = await self.people.post("/contoso/oauth2/v2.0/token", data={**form, "scope": described.SCOPE})
        headers = {"Authorization": f"Bearer {told.json()['access_token']}"}
        content = None if body is None else json.dumps(body)
        marked = {**query, described.BY_HAND: "1"}
        address = path if path.startswith("http") else f"/api/v2.0/companies({self.company})/{path}"
        return await self.people.request(method, address, content=content, params=marked, headers=headers)

    async def requests(self) -> list[dict[str, Any]]:
        """Every request to the company so far."""
        sent: list[dict[str, Any]] = await self.act("requests")
        return sent


def _cents(value: float) -> int:
    return round(value * 100)
