"""A running simulated Stripe, its connector, a customer's browser and a receiver of deliveries."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.conformance.payments import Delivery, Enters, Looks, Trait
from connectors.payments.stripe import StripeConfig, StripeProvider, build
from domain.methods import MethodKind
from tests.connectors.sandbox_harness import Receiver
from tests.connectors.vendor_harness import VendorHarness
from tests.machine import free_port
from tests.simulators.running import Program, start

API_KEY: Final = "sk_test_of_the_simulated_one"
SECRETS: Final = ("whsec_newest_of_the_simulated_one", "whsec_older_of_the_simulated_one")
STRANGERS_SECRET: Final = "whsec_somebody_elses_entirely"
READ_TIMEOUT: Final = timedelta(milliseconds=600)

_ENTERS: Final[Mapping[Enters, str]] = {
    Enters.GOOD: "card_ok",
    Enters.DECLINED: "card_declined",
    Enters.DECLINED_LATER: "card_charge_declined",
    Enters.BANK_ASKS: "card_asks",
}
_ENTERS_DEBIT: Final[Mapping[Enters, str]] = {
    Enters.GOOD_DEBIT: "ok",
    Enters.FAILING_DEBIT: "fails",
    Enters.RETURNING_DEBIT: "returns",
    Enters.DEBIT_TO_VERIFY: "verify",
}


def start_stripe() -> Program:
    """Start the simulated Stripe on a free port."""
    environment = {"STRIPE_SIMULATOR_KEY": API_KEY, "STRIPE_SIMULATOR_SECRET": SECRETS[0]}
    return start("simulators.stripe", "--port", "0", environment=environment)


class StripeReceiver(Receiver):
    """Takes Stripe's deliveries, whose reference of ours is in the metadata."""

    def about(self, our_ref: str) -> list[Delivery]:
        return [each for each in self.deliveries if _reference_in(each.raw) == our_ref]


def _reference_in(raw: bytes) -> object:
    return json.loads(raw)["data"]["object"].get("metadata", {}).get("our_ref")


class StripeHarness(VendorHarness):
    """The laboratory of a running simulated Stripe, in the words of the kit."""

    kinds: Mapping[str, MethodKind] = dict.fromkeys(("USD", "EUR", "GBP", "JPY"), MethodKind.CARD)
    looks = Looks(brand="visa", last4="4242")
    lacks: Mapping[Trait, int] = {}

    def __init__(self, url: str, receiver: Receiver, debit_kind: MethodKind = MethodKind.US_BANK_ACCOUNT) -> None:
        super().__init__(url, receiver)
        self.config = StripeConfig(
            base_url=url,
            api_key=API_KEY,
            webhook_secrets=SECRETS,
            is_live=False,
            account="acct_simulated",
            page_origins=frozenset({url}),
            read_timeout=READ_TIMEOUT,
        )
        self.debit_kind = debit_kind
        self.debit_currency = "USD" if debit_kind is MethodKind.US_BANK_ACCOUNT else "EUR"
        self.provider: StripeProvider = build(self.config, clock=self.now)
        elsewhere = replace(self.config, base_url=f"http://127.0.0.1:{free_port()}")
        self.unreachable: StripeProvider = build(elsewhere, clock=self.now)

    async def enter(self, url: str, what: Enters) -> None:
        debit = "ach" if self.debit_kind is MethodKind.US_BANK_ACCOUNT else "sepa"
        use = _ENTERS.get(what) or f"{debit}_{_ENTERS_DEBIT[what]}"
        await self.browser.post(url, data={"use": use})

    async def answer_bank(self, url: str, *, approve: bool) -> None:
        await self.browser.post(f"{url}/challenge", data={"answer": "approve" if approve else "refuse"})

    async def verify_account(self, url: str) -> None:
        await self.browser.post(f"{url}/deposits")

    async def bank_says(self, our_ref: str, *, succeeded: bool) -> None:
        status = "succeeded" if succeeded else "failed"
        moved = (await self.desk.post("/_test/refunds", json={"our_ref": our_ref, "status": status})).json()["moved"]
        assert moved == 1

    async def dispute(self, our_ref: str, status: str, **facts: Any) -> None:
        """The bank asks for a payment back, or a dispute that is open goes on."""
        told = await self.desk.post("/_test/disputes", json={"our_ref": our_ref, "status": status, **facts})
        assert told.raise_for_status().json() == {"moved": 1}

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:
        key = STRANGERS_SECRET if secret is None else SECRETS[secret]
        moment = str(int(at.timestamp()))
        mark = hmac.new(key.encode(), moment.encode() + b"." + raw, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={moment},v1={mark}"}
