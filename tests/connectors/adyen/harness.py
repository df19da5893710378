"""A running simulated Adyen, its connector, a customer's browser and a receiver of deliveries."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

from connectors.conformance.payments import Delivery, Enters, Looks, Trait
from connectors.payments.adyen import AdyenConfig, AdyenProvider, build
from connectors.payments.ports import ProviderEvent
from domain.methods import MethodKind
from tests.connectors.sandbox_harness import Receiver
from tests.connectors.vendor_harness import VendorHarness
from tests.machine import free_port
from tests.simulators.running import Program, start

API_KEY: Final = "AQE_simulated"
ACCOUNT: Final = "SimulatedMerchant"
KEYS: Final = ("0f" * 32, "a1" * 32)
STRANGERS_KEY: Final = "5e" * 32
READ_TIMEOUT: Final = timedelta(milliseconds=600)

_CARDS: Final[Mapping[Enters, str]] = {
    Enters.GOOD: "card_ok",
    Enters.DECLINED: "card_declined",
    Enters.DECLINED_LATER: "card_charge_declined",
    Enters.BANK_ASKS: "card_asks",
}
_DEBITS: Final[Mapping[Enters, str]] = {
    Enters.GOOD_DEBIT: "ok",
    Enters.FAILING_DEBIT: "fails",
    Enters.RETURNING_DEBIT: "returns",
}
_DEBIT_NAMES: Final = {MethodKind.US_BANK_ACCOUNT: "ach", MethodKind.SEPA_DEBIT: "sepa"}


def start_adyen(*arguments: str) -> Program:
    """Start the simulated Adyen on a free port."""
    environment = {"ADYEN_SIMULATOR_KEY": API_KEY, "ADYEN_SIMULATOR_HMAC": KEYS[0], "ADYEN_SIMULATOR_ACCOUNT": ACCOUNT}
    return start("simulators.adyen", "--port", "0", *arguments, environment=environment)


class AdyenReceiver(Receiver):
    """Takes Adyen's deliveries, whose reference of ours is written as Adyen was told it."""

    def about(self, our_ref: str) -> list[Delivery]:
        return [each for each in self.deliveries if bears(item_of(each.raw)["merchantReference"], our_ref)]


def item_of(raw: bytes) -> dict[str, Any]:
    """The one item of a delivery."""
    (wrapped,) = json.loads(raw)["notificationItems"]
    item: dict[str, Any] = wrapped["NotificationRequestItem"]
    return item


def escaped(our_ref: str) -> str:
    """Our reference as Adyen is told it, before what the connector puts behind it."""
    return quote(our_ref, safe="").replace(".", "%2E")


def bears(reference: str, our_ref: str) -> bool:
    return reference == escaped(our_ref) or reference.startswith(f"{escaped(our_ref)}.")


class AdyenHarness(VendorHarness):
    """The laboratory of a running simulated Adyen, in the words of the kit."""

    kinds: Mapping[str, MethodKind] = dict.fromkeys(("USD", "EUR", "GBP", "JPY"), MethodKind.CARD)
    looks = Looks(brand="visa", last4="4242")
    lacks: Mapping[Trait, int] = {
        Trait.SIGNED_TIME: 1,
        Trait.VERIFICATION: 1,  # no small deposits
        Trait.MASKED_CHARGES: 1,  # Duly keeps none of what an event tells of a card
    }

    def __init__(self, url: str, receiver: Receiver, debit_kind: MethodKind) -> None:
        super().__init__(url, receiver)
        self.config = AdyenConfig(
            base_url=url,
            api_key=API_KEY,
            merchant_account=ACCOUNT,
            hmac_keys=KEYS,
            is_live=False,
            page_origins=frozenset({url}),
            read_timeout=READ_TIMEOUT,
        )
        self.debit_kind = debit_kind
        self.debit_currency = "USD" if debit_kind is MethodKind.US_BANK_ACCOUNT else "EUR"
        self.provider: AdyenProvider = build(self.config, clock=self.now)
        elsewhere = replace(self.config, base_url=f"http://127.0.0.1:{free_port()}")
        self.unreachable: AdyenProvider = build(elsewhere, clock=self.now)

    @asynccontextmanager
    async def elsewhere(self, **changes: Any) -> AsyncIterator[AdyenProvider]:
        """A connector that was given something else."""
        provider = build(replace(self.config, **changes), clock=self.now)
        yield provider
        await provider.aclose()

    async def first_day(self) -> None:
        """Nothing has happened yet."""
        self.passed = timedelta()
        self.receiver.deliveries.clear()
        await self.turn(reset=True, hook=self.receiver.url)

    def named(self, our_ref: str) -> str:
        return escaped(our_ref)

    async def heard(self, our_ref: str) -> Sequence[ProviderEvent]:
        """What was delivered about a reference, as Duly's inbox would keep it."""
        await self.turn()  # its clock runs what is due
        for _ in range(100):
            if not await self.ledger(our_ref, "untold"):
                break
            await asyncio.sleep(0.02)
        else:
            raise AssertionError("not everything was delivered")
        told: dict[str, ProviderEvent] = {}
        for each in self.receiver.about(our_ref):
            for event in self.provider.read_webhook(each.raw, each.headers, now=self.now()):
                told.setdefault(event.dedupe_key, replace(event, received_at=event.occurred_at))
        return list(told.values())

    async def tell(self, our_ref: str, code: str, *, success: bool = True) -> None:
        """Adyen tells something of a charge by itself."""
        body = {"reference": escaped(our_ref), "code": code, "success": success}
        assert (await self.desk.post("/_test/tell", json=body)).json()["told"]

    async def enter(self, url: str, what: Enters, use: str | None = None) -> None:
        debit = f"{_DEBIT_NAMES[self.debit_kind]}_{_DEBITS.get(what, 'ok')}"
        answer = await self.browser.post(url, data={"use": use or _CARDS.get(what, debit)})
        assert answer.is_redirect

    async def answer_bank(self, url: str, *, approve: bool) -> None:
        answer = {"answer": "approve" if approve else "refuse"}
        assert (await self.browser.post(f"{url}/challenge", data=answer)).is_redirect

    async def verify_account(self, url: str) -> None:
        raise AssertionError(f"no small deposits are made on {urlsplit(url).path}")

    async def bank_says(self, our_ref: str, *, succeeded: bool) -> None:
        body = {"reference": escaped(our_ref), "succeeded": succeeded}
        assert (await self.desk.post("/_test/refunds", json=body)).json()["moved"] == 1

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:  # noqa: ARG002
        """As Adyen signs what is no batch: the whole body, in a header."""
        return {"HmacSignature": mark_of(raw, STRANGERS_KEY if secret is None else KEYS[secret])}


def mark_of(signed: bytes, key: str) -> str:
    return base64.b64encode(hmac.new(bytes.fromhex(key), signed, hashlib.sha256).digest()).decode()


def again_signed(raw: bytes, key: str, **changes: Any) -> bytes:
    """A delivery with something changed in it, signed by a key of ours or of somebody else's."""
    item = {**item_of(raw), **changes}
    fields = [str(item.get(name, "")) for name in ("pspReference", "originalReference", "merchantAccountCode")]
    fields += [item["merchantReference"], str(item["amount"]["value"]), item["amount"]["currency"]]
    mark = mark_of(":".join((*fields, item["eventCode"], item["success"])).encode(), key)
    item["additionalData"] = {**item["additionalData"], "hmacSignature": mark}
    return json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}).encode()
