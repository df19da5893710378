"""A running simulated NetSuite, one fresh account of it, and its connector; in the words of the ERP kit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_harness import ON
from connectors.erp.netsuite import NetSuite, NetSuiteConfig
from connectors.erp.ports import ErpInvoice
from domain.money import Money
from tests.simulators.running import Program, start

SENTENCE: Final = "This customer is on hold until the audit ends."
RECEIVABLE: Final = "11"
BANK: Final = "12"


def start_netsuite() -> Program:
    """Start the simulated NetSuite on a free port."""
    return start("simulators.netsuite", "--port", "0")


@cache
def keys() -> tuple[str, str]:
    """A private key and its public half, made once: it takes a while."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class NetSuiteHarness:
    """One account, the person at its desk, and a connector to it."""

    lacks: Mapping[ErpTrait, int] = {ErpTrait.STATUS_WORDS: 2, ErpTrait.PAUSES: 1}

    def __init__(self, desk: httpx.AsyncClient, account: str) -> None:
        self.desk = desk
        self.account = account
        self.erp: NetSuite = self.connected()
        self._is_signed_in = False

    @classmethod
    async def opened(cls, url: str) -> NetSuiteHarness:
        """An account that nobody wrote into."""
        desk = httpx.AsyncClient(base_url=url, trust_env=False, timeout=20, verify=False)
        made = (await desk.post("/_test/account", json={"public_key": keys()[1]})).json()
        return cls(desk, made["name"])

    def connected(self, **settings: Any) -> NetSuite:
        """A connector to this account."""
        url = str(self.desk.base_url).rstrip("/")
        given: dict[str, Any] = {"request_timeout_seconds": 5, "private_key": keys()[0], **settings}
        config = NetSuiteConfig(
            base_url=f"{url}/{self.account}",
            client_id="client-of-the-simulated-one",
            certificate_id="certificate-of-the-simulated-one",
            deposit_account=BANK,
            receivable_account=RECEIVABLE,
            time_zone="America/New_York",
            **given,
        )
        return NetSuite(config)

    async def aclose(self) -> None:
        await self.erp.aclose()
        await self.desk.aclose()

    async def told(self, path: str, **given: Any) -> Any:
        """Something that a person does at the desk."""
        answer = await self.desk.post(f"/_test/{self.account}/{path}", json=given)
        return answer.raise_for_status().json()

    async def turn(self, **knobs: Any) -> None:
        await self.told("set", **knobs)

    async def asked(self, path: str, **query: str) -> Any:
        return (await self.desk.get(f"/_test/{self.account}/{path}", params=query)).raise_for_status().json()

    async def requests(self) -> list[dict[str, Any]]:
        """What the connector sent; what a naive one did is left out."""
        return [each for each in await self.asked("requests") if not each["is_naive"]]

    async def naive(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of somebody who does not know the traps; it is not judged."""
        if not self._is_signed_in:
            await self.erp.ping()
            self._is_signed_in = True
        token = f"{self.account}-token-1"
        headers = {"Authorization": f"Bearer {token}", "X-Naive": "1", **options.pop("headers", {})}
        return await self.desk.request(method, f"/{self.account}/services/rest/{path}", headers=headers, **options)

    async def queried(self, query: str, *, limit: int = 1000, offset: int = 0) -> list[dict[str, Any]]:
        """A page of a query as somebody writes it who does not know the traps."""
        page = {"limit": str(limit), "offset": str(offset)}
        told = await self.naive("POST", "query/v1/suiteql", json={"q": query}, params=page)
        rows: list[dict[str, Any]] = told.raise_for_status().json()["items"]
        return rows

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

    async def make(self, kind: str, customer: str, amount: Money, **more: Any) -> list[str]:
        on = (ON - timedelta(days=30) if kind == "invoice" else ON).isoformat()
        made: list[str] = await self.told(f"make/{kind}", customer=customer, amount=amount.plain(), on=on, **more)
        return made

    # ------------------------------------------------------------ the kit's

    async def make_customer(self, *, currency: str, **more: Any) -> str:
        made: str = await self.told("customer", currency=currency, **more)
        return made

    async def make_invoice(self, *, customer: str, total: Money, **more: Any) -> str:
        return (await self.make("invoice", customer, total, **more))[0]

    async def make_quote(self, *, customer: str, total: Money) -> str:
        return (await self.make("estimate", customer, total))[0]

    async def accept_quote(self, *, quote: str) -> None:
        await self.told(f"do/process/{quote}")

    async def delete_quote(self, *, quote: str) -> None:
        await self.told(f"do/delete/{quote}")

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        customer = (await self.asked(f"shown/{invoice}"))["entity"]["id"]
        (payment,) = await self.make("customerPayment", customer, amount)
        await self.told(f"tick/{payment}", **{invoice: amount.plain()})

    async def delete_payment(self, *, reference: str) -> None:
        """Voided, which NetSuite still tells of; of what is deleted it keeps the number and nothing else."""
        await self.told(f"do/void/{reference}")

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
