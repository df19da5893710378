"""A running simulated QuickBooks, one fresh company of it, and its connector; in the words of the ERP kit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.declaring import TokenPair
from connectors.erp.ports import ErpInvoice
from connectors.erp.quickbooks import QuickBooks, QuickBooksConfig
from connectors.erp.quickbooks.tokens import Keys
from domain.money import Money
from tests.simulators.running import Program, start

CLIENT_ID: Final = "client-of-the-simulated-one"
CLIENT_SECRET: Final = "secret-of-the-simulated-one"
SENTENCE: Final = "Business Validation Error: This customer's account is blocked until the audit ends."


def start_quickbooks() -> Program:
    """Start the simulated QuickBooks on a free port."""
    return start("simulators.quickbooks", "--port", "0")


class MemoryTokens:
    """One connection's tokens, in memory."""

    def __init__(self, pair: TokenPair) -> None:
        self.pair = pair
        self._one_at_a_time = asyncio.Lock()

    async def current(self) -> TokenPair:
        return self.pair

    async def renewed(self, used: TokenPair, renew: Callable[[TokenPair], Awaitable[TokenPair]]) -> TokenPair:
        async with self._one_at_a_time:
            if self.pair == used:
                self.pair = await renew(used)
            return self.pair


class QuickBooksHarness:
    """One company, the person at its desk, and a connector to it."""

    lacks: Mapping[ErpTrait, int] = {ErpTrait.STATUS_WORDS: 2, ErpTrait.PAUSES: 1}

    def __init__(self, desk: httpx.AsyncClient, realm: str, tokens: MemoryTokens) -> None:
        self.desk = desk
        self.realm = realm
        self.tokens = tokens
        self.erp: QuickBooks = self.connected()

    @classmethod
    async def opened(cls, url: str) -> QuickBooksHarness:
        """A company that nobody wrote into."""
        desk = httpx.AsyncClient(base_url=url, trust_env=False, timeout=20, verify=False)
        made = (await desk.post("/_test/company")).json()
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        pair = TokenPair(access=made["access"], refresh=made["refresh"], expires_at=expires_at)
        return cls(desk, made["realm"], MemoryTokens(pair))

    def connected(self, **settings: Any) -> QuickBooks:
        """A connector to this company; its limits of calls are far away where the test says nothing."""
        url = str(self.desk.base_url).rstrip("/")
        given: dict[str, Any] = {
            "calls_per_minute": 100_000,
            "calls_per_second": 100_000,
            "request_timeout_seconds": 5,
            "read_every_seconds": 0,
            **settings,
        }
        config = QuickBooksConfig(
            base_url=url,
            keys=Keys(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, consent_url=url, login_url=url),
            realm_id=self.realm,
            **given,
        )
        return QuickBooks(config, self.tokens)

    async def aclose(self) -> None:
        await self.erp.aclose()
        await self.desk.aclose()

    async def act(self, name: str, **given: Any) -> Any:
        """Something that a person does at the desk."""
        answer = await self.desk.post(f"/_test/{self.realm}/act/{name}", json=given)
        return answer.raise_for_status().json()

    async def turn(self, **knobs: Any) -> None:
        (await self.desk.post(f"/_test/{self.realm}/set", json=knobs)).raise_for_status()

    async def asked(self, path: str, **query: str) -> Any:
        return (await self.desk.get(f"/_test/{self.realm}/{path}", params=query)).raise_for_status().json()

    async def shown(self, entity: str, erp_id: str) -> Any:
        """An object as the far side has it, None where it is gone."""
        return await self.asked(f"shown/{entity}/{erp_id}")

    async def requests(self) -> list[dict[str, Any]]:
        """What the connector sent; what a naive one did is left out."""
        return [each for each in await self.asked("requests") if not each["is_naive"]]

    async def naive(self, method: str, path: str, *, requestid: str = "", **options: Any) -> httpx.Response:
        """A call of somebody who does not know the traps; it is not judged."""
        query = {"minorversion": "75", **({"requestid": requestid} if requestid else {}), **options.pop("params", {})}
        headers = {"Authorization": f"Bearer {self.tokens.pair.access}", "X-Naive": "1"}
        return await self.desk.request(method, f"/v3/company/{self.realm}/{path}", params=query, headers=headers, **options)

    async def queried(self, query: str) -> list[dict[str, Any]]:
        """What a query answers somebody who writes it as the examples are written."""
        response = (await self.naive("GET", "query", params={"query": query})).json()["QueryResponse"]
        return next((each for each in response.values() if isinstance(each, list)), [])

    async def read(self, invoice: str) -> ErpInvoice:
        (found,) = await self.erp.invoices_by_id([invoice])
        return found

    async def changed(self, cursor: str, *, limit: int) -> tuple[list[ErpInvoice], str]:
        """Every invoice that changed after a cursor, page by page, and the cursor after them."""
        found: list[ErpInvoice] = []
        while True:
            page = await self.erp.invoices_since(cursor, limit=limit)
            found.extend(page.rows)
            cursor = page.cursor
            if not page.more:
                return found, cursor

    # ------------------------------------------------------------ the kit's

    async def make_customer(self, *, currency: str, **more: Any) -> str:
        made: str = await self.act("customer", currency=currency, **more)
        return made

    async def make_invoice(self, *, customer: str, total: Money, **more: Any) -> str:
        return (await self.make_invoices(customer=customer, total=total, **more))[0]

    async def make_invoices(self, *, customer: str, total: Money, **more: Any) -> list[str]:
        on = (ON - timedelta(days=30)).isoformat()
        made: list[str] = await self.act("invoice", customer=customer, total=total.plain(), on=on, **more)
        return made

    async def make_memo(self, *, customer: str, total: Money) -> str:
        made = await self.act("memo", customer=customer, total=total.plain(), on=ON.isoformat())
        return str(made[0])

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        await self.act("pay", invoice=invoice, amount=amount.plain(), on=ON.isoformat())

    async def delete_payment(self, *, reference: str) -> None:
        """Voided, which QuickBooks still tells of; of what is deleted it forgets even the reference."""
        await self.act("void", reference=reference)

    async def make_quote(self, *, customer: str, total: Money) -> str:
        fields = {"TxnStatus": "Pending"}
        made = await self.act("estimate", customer=customer, total=total.plain(), on=ON.isoformat(), fields=fields)
        return str(made[0])

    async def accept_quote(self, *, quote: str) -> None:
        await self.act("edit", entity="Estimate", id=quote, fields={"TxnStatus": "Accepted"})

    async def delete_quote(self, *, quote: str) -> None:
        await self.act("delete", entity="Estimate", id=quote)

    async def make_template(self, *, customer: str, amount: Money) -> str:
        given = {"title": "Hosting", "starts": "2026-01-01", "next": "2026-04-01"}
        made: str = await self.act("template", customer=customer, amount=amount.plain(), **given)
        return made

    async def stop_template(self, *, template: str) -> None:
        await self.act("stop_template", id=template)

    async def delete_template(self, *, template: str) -> None:
        await self.act("delete_template", id=template)

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to give {invoice} the status {word}")

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to pause {customer}")

    async def go_down(self) -> None:
        await self.turn(down=True)

    async def come_back(self) -> None:
        await self.turn(reset=True)

    async def lose_next_answer(self) -> None:
        await self.turn(lose_answer=True)

    async def fail_after_next_write(self) -> None:
        await self.turn(fail_after=True)

    async def refuse_customer(self, *, customer: str) -> str:
        await self.turn(refuse={customer: SENTENCE})
        return SENTENCE

    async def count_documents(self, *, reference: str) -> int:
        counted: int = await self.asked("count", reference=reference)
        return counted
