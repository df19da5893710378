"""A simulated Odoo in the words of the ERP kit: a database of its own for each test, its desk, and a naive client."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any, Final

import httpx

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.erp.odoo import Odoo, OdooConfig, build
from connectors.erp.ports import ErpInvoice
from domain.money import Money
from tests.simulators.running import Program, start

API_KEY: Final = "key_of_the_simulated_one"
_numbers: Final = count(1)


def start_odoo() -> Program:
    """Start the simulated Odoo on a free port."""
    return start("simulators.odoo", "--port", "0")


class OdooHarness:
    """One database with its people. Ids are text, as the port has them."""

    lacks: Mapping[ErpTrait, int] = {ErpTrait.PAUSES: 1}

    def __init__(self, url: str, *, series: int = 19) -> None:
        self.desk = httpx.AsyncClient(base_url=url, trust_env=False, timeout=10, verify=False)
        self.series = series
        self.url = url

    async def open(self) -> "OdooHarness":
        """Found the database and connect to it."""
        made = await self.desk.post("/_test/databases", json={"series": self.series, "key": API_KEY})
        self.database: str = made.raise_for_status().json()["database"]
        self.config = OdooConfig(
            base_url=self.url,
            database=self.database,
            user="duly",
            api_key=API_KEY,
            is_json2=self.series >= 19,
            request_timeout_seconds=5,
        )
        self.erp: Odoo = build(self.config)
        return self

    async def aclose(self) -> None:
        await self.erp.aclose()
        await self.desk.aclose()

    async def act(self, what: str, /, **given: Any) -> Any:
        """Somebody does something there."""
        answer = await self.desk.post(f"/_test/{self.database}/{what}", json=given)
        return answer.raise_for_status().json()

    async def fault(self, what: str, on: str = "documents") -> None:
        """What goes wrong next, at which call."""
        await self.act("fault", fault=[what, on])

    async def requests(self) -> list[dict[str, Any]]:
        """Every request that was sent to this database."""
        found: list[dict[str, Any]] = (await self.desk.get(f"/_test/{self.database}/requests")).json()
        return found

    # ------------------------------------------------------------ the kit

    async def make_customer(self, *, currency: str) -> str:  # noqa: ARG002 - a partner buys in any
        return str(await self.act("customer", name=f"Customer {next(_numbers)}"))

    async def make_invoice(self, *, customer: str, total: Money, **more: Any) -> str:
        given = {"customer": int(customer), "total": total.plain(), "currency": total.currency}
        days = {"on": (ON - timedelta(days=30)).isoformat(), "due": ON.isoformat()}
        return str(await self.act("invoice", **given, **days, **more))

    async def make_quote(self, *, customer: str, total: Money) -> str:
        given = {"customer": int(customer), "total": total.plain(), "currency": total.currency}
        return str(await self.act("quote", **given, on=ON.isoformat()))

    async def accept_quote(self, *, quote: str) -> None:
        await self.act("decide", quote=int(quote), state="sale")

    async def delete_quote(self, *, quote: str) -> None:
        """It must be cancelled before it can be deleted, and Odoo says no more than that."""
        await self.act("decide", quote=int(quote), state="cancel")

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        await self.act("pay", invoice=int(invoice), amount=amount.plain(), on=ON.isoformat())

    async def delete_payment(self, *, reference: str) -> None:
        await self.act("cancel_payments", reference=reference)

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        await self.act("say", invoice=int(invoice), word=word)

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to pause {customer}")

    async def go_down(self) -> None:
        await self.act("fault", down=True)

    async def come_back(self) -> None:
        await self.act("fault")

    async def lose_next_answer(self) -> None:
        await self.fault("answer_lost")

    async def fail_after_next_write(self) -> None:
        await self.fault("broken_after")

    async def refuse_customer(self, *, customer: str) -> str:
        sentence = "The audit of this partner has not ended."
        await self.act("refuse", customer=int(customer), sentence=sentence)
        return sentence

    async def count_documents(self, *, reference: str) -> int:
        counted: int = await self.act("count", reference=reference)
        return counted

    # ------------------------------------------------------------ what the kit does not ask for

    async def read(self, invoice: str) -> ErpInvoice:
        """One invoice as the connector tells it."""
        (found,) = await self.erp.invoices_by_id([invoice])
        return found

    async def since(self, cursor: str) -> tuple[list[ErpInvoice], str]:
        """Everything that changed after a cursor, and the cursor after it."""
        found: list[ErpInvoice] = []
        more = True
        while more:
            page = await self.erp.invoices_since(cursor, limit=100)
            found.extend(page.rows)
            cursor, more = page.cursor, page.more
        return found, cursor

    async def books(self, **named: Any) -> dict[str, Any]:
        """What the ledger over there says."""
        told: dict[str, Any] = await self.act("books", **named)
        return told

    async def naively(self, model: str, method: str, **body: Any) -> Any:
        """A call as somebody makes it who has read the first page of the documentation. Not judged as one of ours."""
        headers = {"Authorization": f"bearer {API_KEY}", "X-Odoo-Database": self.database, "User-Agent": "Naive"}
        answer = await self.desk.post(f"/json/2/{model}/{method}", json=body, headers=headers)
        return answer.json()
