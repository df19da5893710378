"""A running simulated Xero with an organisation for each test, and its connector, in the words of the ERP kit."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.declaring import TokenPair
from connectors.erp.ports import ErpInvoice
from connectors.erp.xero import Keys, Xero, XeroConfig, build
from domain.money import Money
from tests.simulators.running import Program, start

CLIENT: Final = "client-of-the-tests"
SECRET: Final = "secret-of-the-tests"
ISSUED: Final = (ON - timedelta(days=30)).isoformat()


def start_xero() -> Program:
    """Start the simulated Xero on a free port."""
    environment = {"XERO_SIMULATOR_CLIENT": CLIENT, "XERO_SIMULATOR_SECRET": SECRET}
    return start("simulators.xero", "--port", "0", environment=environment)


class KeptTokens:
    """Tokens of one connection, in memory: what several connectors of a test share."""

    def __init__(self, pair: TokenPair) -> None:
        self.pair = pair

    async def current(self) -> TokenPair:
        return self.pair

    async def renewed(self, used: TokenPair, renew: Callable[[TokenPair], Awaitable[TokenPair]]) -> TokenPair:
        if used == self.pair:
            self.pair = await renew(used)
        return self.pair


class XeroHarness:
    """One organisation with a person at its desk. What is counted is counted there."""

    lacks: Mapping[ErpTrait, int] = {ErpTrait.STATUS_WORDS: 2, ErpTrait.PAUSES: 1}

    def __init__(self, url: str, browser: httpx.AsyncClient, founded: Mapping[str, str]) -> None:
        self.url = url
        self.browser = browser
        self.tenant = founded["tenant"]
        pair = TokenPair(
            access=founded["access"], refresh=founded["refresh"], expires_at=datetime.now(UTC) + timedelta(minutes=30)
        )
        self.config = XeroConfig(
            keys=Keys(client_id=CLIENT, client_secret=SECRET, login_url=url, identity_url=url, connections_url=url),
            organisation=self.tenant,
            deposit_account="090",
            api_url=url,
            request_timeout_seconds=5,
            read_every_seconds=0,
            calls_per_minute=100_000,
            calls_per_day=1_000_000,
            tokens=KeptTokens(pair),
        )
        self.erp: Xero = build(self.config)
        self.others: list[Xero] = []

    def another(self, **changes: Any) -> Xero:
        """Another connector to the same organisation."""
        made = build(replace(self.config, **changes))
        self.others.append(made)
        return made

    async def aclose(self) -> None:
        for each in (self.erp, *self.others):
            await each.aclose()

    async def do(self, deed: str, **given: Any) -> Any:
        """Something at the desk."""
        answer = await self.browser.post(f"{self.url}/_test/{self.tenant}/{deed}", json=given)
        assert answer.is_success, answer.text
        return answer.json()

    async def faults(self, **given: Any) -> None:
        """What goes wrong from now on."""
        await self.do("faults", **given)

    async def requests(self) -> list[dict[str, Any]]:
        """What was asked of the organisation."""
        found: list[dict[str, Any]] = (await self.browser.get(f"{self.url}/_test/{self.tenant}/requests")).json()
        return found

    # ------------------------------------------------------------ the kit's words

    async def make_customer(self, *, currency: str) -> str:
        return str(await self.do("make_contact", currency=currency))

    async def make_invoice(self, *, customer: str, total: Money) -> str:
        given = {"contact": customer, "currency": total.currency, "total": total.plain(), "on": ISSUED}
        return str(await self.do("make_invoice", **given))

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        await self.do("pay", invoice=invoice, amount=amount.plain(), on=ON.isoformat())

    async def make_quote(self, *, customer: str, total: Money) -> str:
        given = {"contact": customer, "currency": total.currency, "total": total.plain(), "on": ISSUED}
        return str(await self.do("make_quote", **given))

    async def accept_quote(self, *, quote: str) -> None:
        await self.do("set_status", room="Quotes", row=quote, status="ACCEPTED")

    async def delete_quote(self, *, quote: str) -> None:
        await self.do("set_status", room="Quotes", row=quote, status="DELETED")

    async def make_template(self, *, customer: str, amount: Money) -> str:
        given = {"contact": customer, "currency": amount.currency, "total": amount.plain(), "on": ISSUED}
        return str(await self.do("make_template", **given))

    async def stop_template(self, *, template: str) -> None:
        await self.do("end_template", template=template)

    async def delete_template(self, *, template: str) -> None:
        await self.do("delete_template", template=template)

    async def delete_payment(self, *, reference: str) -> None:
        await self.do("remove_payment", reference=reference)

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to give {invoice} the status {word}")

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking, but asked to pause {customer}")

    async def go_down(self) -> None:
        await self.faults(down=True)

    async def come_back(self) -> None:
        await self.faults(reset=True)

    async def lose_next_answer(self) -> None:
        await self.faults(lose_answers=1)

    async def fail_after_next_write(self) -> None:
        await self.faults(fail_after=1)

    async def refuse_customer(self, *, customer: str) -> str:
        await self.do("archive", contact=customer)
        number = (await self.erp.customers_since("", limit=100)).rows
        name = next(each.name for each in number if each.erp_id == customer)
        return f"The Contact {name} has been archived. The Contact must be un-archived before creating new documents."

    async def count_documents(self, *, reference: str) -> int:
        counted: int = (await self.do("count", reference=reference))["documents"]
        return counted

    # ------------------------------------------------------------ what the kit does not ask for

    async def read(self, invoice: str) -> ErpInvoice:
        """One invoice as it stands."""
        (found,) = await self.erp.invoices_by_id([invoice])
        return found

    async def owed(self, customer: str) -> str:
        """What a customer owes, by the far side's own ledger."""
        return str(await self.do("owed", contact=customer))

    async def paid_out(self, reference: str) -> int:
        """How often money went out for a document."""
        counted: int = (await self.do("count", reference=reference))["out"]
        return counted
