"""A running simulated GoCardless, its connector, a customer's browser and a receiver of deliveries."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from connectors.conformance.payments import Delivery, Enters, Looks, Trait
from connectors.payments.gocardless import GoCardlessConfig, GoCardlessProvider, build
from domain.methods import MethodKind
from tests.connectors.sandbox_harness import Receiver
from tests.connectors.vendor_harness import VendorHarness
from tests.machine import free_port
from tests.simulators.running import Program, start

ACCESS_TOKEN: Final = "sandbox_of_the_simulated_one"
SECRETS: Final = ("newest-secret-of-gocardless", "older-secret-of-gocardless")
STRANGERS_SECRET: Final = "somebody-elses-secret-entirely"
READ_TIMEOUT: Final = timedelta(milliseconds=600)

_ENTERS: Final[Mapping[Enters, str]] = {
    Enters.GOOD: "ok",
    Enters.DECLINED: "declined",
    Enters.DECLINED_LATER: "fails",
    Enters.GOOD_DEBIT: "ok",
    Enters.FAILING_DEBIT: "fails",
    Enters.RETURNING_DEBIT: "returns",
    Enters.DEBIT_TO_VERIFY: "verify",
}


def start_gocardless() -> Program:
    """Start the simulated GoCardless on a free port."""
    environment = {"GOCARDLESS_SIMULATOR_TOKEN": ACCESS_TOKEN, "GOCARDLESS_SIMULATOR_SECRET": SECRETS[0]}
    return start("simulators.gocardless", "--port", "0", environment=environment)


class GoCardlessReceiver(Receiver):
    """Takes GoCardless's deliveries, whose reference of ours is in the resource's metadata."""

    def about(self, our_ref: str) -> list[Delivery]:
        return [each for each in self.deliveries if _reference_in(each.raw) == our_ref]


def _reference_in(raw: bytes) -> object:
    return json.loads(raw)["events"][0]["resource_metadata"].get("our_ref")


class GoCardlessHarness(VendorHarness):
    """The laboratory of a running simulated GoCardless, in the words of the kit."""

    kinds: Mapping[str, MethodKind] = {
        "GBP": MethodKind.BACS_DEBIT,
        "EUR": MethodKind.SEPA_DEBIT,
        "USD": MethodKind.US_BANK_ACCOUNT,
    }
    page_kinds: Mapping[str, MethodKind] = {
        "GBP": MethodKind.INSTANT_BANK,
        "EUR": MethodKind.INSTANT_BANK,
    }
    looks = Looks(brand="BARCLAYS BANK PLC", last4="0001", declined_as="insufficient_funds")
    lacks: Mapping[Trait, int] = {
        Trait.BANK_QUESTIONS: 4,  # it has no cards
        Trait.DEBITS_ON_PAGES: 1,  # what a page takes is captured at once
        Trait.ENDING_PAGES: 2,
        Trait.SIGNED_TIME: 1,
        Trait.REPEATED_ERRORS: 1,  # a key names what it made instead
        Trait.MASKED_CHARGES: 1,  # a payment names its mandate only
    }
    debit_kind = MethodKind.US_BANK_ACCOUNT
    debit_currency = "USD"

    def __init__(self, url: str, receiver: Receiver) -> None:
        super().__init__(url, receiver)
        self.config = GoCardlessConfig(
            base_url=url,
            access_token=ACCESS_TOKEN,
            webhook_secrets=SECRETS,
            is_live=False,
            page_origins=frozenset({url}),
            read_timeout=READ_TIMEOUT,
        )
        self.provider: GoCardlessProvider = build(self.config, clock=self.now)
        elsewhere = replace(self.config, base_url=f"http://127.0.0.1:{free_port()}")
        self.unreachable: GoCardlessProvider = build(elsewhere, clock=self.now)

    async def enter(self, url: str, what: Enters, use: str | None = None) -> None:
        assert (await self.browser.post(url, data={"use": use or _ENTERS[what]})).status_code < 400

    async def answer_bank(self, url: str, *, approve: bool) -> None:  # noqa: ARG002
        raise AssertionError("no bank asks about a debit")

    async def verify_account(self, url: str) -> None:
        asked = urlsplit(url).path.rpartition("/")[2]
        (await self.desk.post("/_test/approve", json={"billing_request": asked})).raise_for_status()

    async def bank_says(self, our_ref: str, *, succeeded: bool) -> None:
        status = "paid" if succeeded else "bounced"
        moved = (await self.desk.post("/_test/refunds", json={"our_ref": our_ref, "status": status})).json()["moved"]
        assert moved == 1

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:  # noqa: ARG002
        key = STRANGERS_SECRET if secret is None else SECRETS[secret]
        return {"Webhook-Signature": hmac.new(key.encode(), raw, hashlib.sha256).hexdigest()}
