"""A running sandbox provider, its connector, a customer's browser and a receiver of deliveries."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from connectors.conformance.payments import Delivery, Enters, Fault, Looks, Operation, RefundPath, Trait
from connectors.payments.sandbox import SandboxConfig, SandboxProvider, build
from domain.methods import MethodKind
from tests.machine import free_port
from tests.simulators.running import Program, start

API_KEY: Final = "sandbox-key-for-tests"
SECRETS: Final = ("newest-secret-of-the-sandbox", "older-secret-of-the-sandbox")
STRANGERS_SECRET: Final = "somebody-elses-secret-entirely"
READ_TIMEOUT: Final = timedelta(milliseconds=600)

_BEHAVIOURS: Final[Mapping[Enters, str]] = {
    Enters.GOOD: "card_ok",
    Enters.DECLINED: "card_declined",
    Enters.DECLINED_LATER: "card_charge_declined",
    Enters.BANK_ASKS: "card_challenge_always",
    Enters.GOOD_DEBIT: "us_bank_account_6789",
    Enters.FAILING_DEBIT: "us_bank_account_1113",
    Enters.RETURNING_DEBIT: "us_bank_account_2227",
    Enters.DEBIT_TO_VERIFY: "us_bank_account_8885",
}
_FAULTS: Final[Mapping[Fault, str]] = {
    Fault.REQUEST_LOST: "drop_before",
    Fault.ANSWER_LOST: "drop_after",
    Fault.NO_ANSWER: "hang_after",
    Fault.BROKEN_AFTER: "status_500_after",
    Fault.UNREADABLE: "malformed_after",
    Fault.UNKNOWN_STATUS: "unknown_status",
    Fault.THROTTLED: "status_429",
    Fault.UNDER_WAY: "status_409",
    Fault.KEY_REFUSED: "status_401",
    Fault.REFUSED: "refuse",
}


def start_sandbox(data: Path, *arguments: str) -> Program:
    """Start the provider on a free port with this file."""
    environment = {"SANDBOX_API_KEY": API_KEY, "SANDBOX_WEBHOOK_SECRETS": ",".join(SECRETS)}
    return start("simulators.sandbox_provider", "--port", "0", "--data", str(data), *arguments, environment=environment)


class Receiver:
    """Takes deliveries over HTTP and answers what it is told to."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: list[int] = []  # the next statuses; 200 when there are none
        self.url = ""
        self._arrived = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            named = {name.lower(): value for name, value in headers.items()}
            raw = await reader.readexactly(int(named["content-length"]))
            status = self.answers.pop(0) if self.answers else 200
            async with self._arrived:
                self.deliveries.append(Delivery(raw=raw, headers=headers))
                self._arrived.notify_all()
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the provider was killed in the middle of a delivery
        finally:
            writer.close()

    async def more_than(self, count: int) -> list[Delivery]:
        """Everything that arrived, once it is more than that."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.deliveries) > count)
        return list(self.deliveries)

    def about(self, our_ref: str) -> list[Delivery]:
        """What arrived about a reference, in order."""
        return [delivery for delivery in self.deliveries if json.loads(delivery.raw)["our_ref"] == our_ref]

    async def wait_for(self, our_ref: str, *, at_least: int) -> list[Delivery]:
        """What arrived about a reference, once that much has."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.about(our_ref)) >= at_least)
        return self.about(our_ref)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()


class SandboxHarness:
    """The laboratory of a running sandbox provider, in the words of the kit."""

    kinds: Mapping[str, MethodKind] = dict.fromkeys(("USD", "EUR", "GBP", "JPY"), MethodKind.CARD)
    looks = Looks(brand="visa", last4="4242")
    lacks: Mapping[Trait, int] = {}
    debit_kind = MethodKind.US_BANK_ACCOUNT
    debit_currency = "USD"
    leaving_closes = True

    def __init__(self, url: str, receiver: Receiver) -> None:
        config = SandboxConfig(base_url=url, api_key=API_KEY, webhook_secrets=SECRETS, read_timeout=READ_TIMEOUT)
        self.config = config
        self.receiver = receiver
        self.provider: SandboxProvider = build(config)
        self.unreachable: SandboxProvider = build(replace(config, base_url=f"http://127.0.0.1:{free_port()}"))
        self.browser = httpx.AsyncClient(trust_env=False, timeout=10, verify=False)
        self.desk = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {API_KEY}"}, trust_env=False, timeout=10, verify=False
        )

    async def aclose(self) -> None:
        for client in (self.provider, self.unreachable, self.browser, self.desk):
            await client.aclose()

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A call to the provider that must succeed."""
        answer = await self.desk.request(method, path, json=body)
        assert answer.is_success, answer.text
        read: dict[str, Any] = answer.json()
        return read

    async def enter(self, url: str, what: Enters) -> None:
        await self.enter_number(url, _BEHAVIOURS[what])

    async def enter_number(self, url: str, behaviour: str) -> httpx.Response:
        """One click on a test number."""
        return await self.browser.post(url, data={"use": behaviour})

    async def answer_bank(self, url: str, *, approve: bool) -> None:
        await self.browser.post(f"{url}/challenge", data={"answer": "approve" if approve else "refuse"})

    async def leave(self, url: str) -> None:
        await self.browser.post(f"{url}/cancel")

    async def verify_account(self, url: str) -> None:
        await self.browser.post(f"{url}/deposits", data={"first": "32", "second": "45"})

    async def ledger(self, our_ref: str) -> dict[str, Any]:
        """What the provider counts for a reference."""
        return await self.ask("GET", f"/v1/test/ledger?our_ref={our_ref}")

    async def moving(self, our_ref: str) -> int:
        count: int = (await self.ledger(our_ref))["moving"]
        return count

    async def refund_path(self, path: RefundPath) -> None:
        await self.ask("POST", "/v1/test/settings", {"refund_path": path.value})

    async def bank_says(self, our_ref: str, *, succeeded: bool) -> None:
        status = "succeeded" if succeeded else "failed"
        assert (await self.ask("POST", "/v1/test/refunds/move", {"our_ref": our_ref, "status": status}))["moved"] == 1

    async def given_back(self, our_ref: str) -> int:
        refunds = (await self.ledger(our_ref))["refunds"]
        return sum(refund["amount"]["minor"] for refund in refunds if refund["status"] != "failed")

    async def pay_out(self) -> None:
        await self.ask("POST", "/v1/test/payouts", {})
        await self.advance(timedelta(days=1))

    async def kept_methods(self, our_ref: str) -> int:
        return sum(1 for method in (await self.ledger(our_ref))["methods"] if method["status"] != "detached")

    async def advance(self, by: timedelta) -> None:
        await self.ask("POST", "/v1/test/clock/advance", {"seconds": by // timedelta(seconds=1)})

    async def break_next(self, operation: Operation, fault: Fault) -> None:
        await self.order_fault(operation.value, _FAULTS[fault], seconds=2)

    async def order_fault(self, op: str, kind: str, **rest: int | str) -> None:
        """Let the next call of an operation go wrong."""
        await self.ask("POST", "/v1/test/faults", {"op": op, "kind": kind, **rest})

    async def turn_webhooks(self, **knobs: object) -> None:
        """Turn the knobs of the deliveries."""
        await self.ask("POST", "/v1/test/webhooks", knobs)

    async def deliveries(self, our_ref: str, *, at_least: int) -> list[Delivery]:
        return await self.receiver.wait_for(our_ref, at_least=at_least)

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:
        key = STRANGERS_SECRET if secret is None else SECRETS[secret]
        moment = str(int(at.timestamp()))
        mark = hmac.new(key.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
        return {"X-Sandbox-Signature": f"t={moment},v1={mark}"}
