"""A real test account in the words of the conformance kit: what the vendor's test tokens allow, and no more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import pytest

from connectors.conformance.payment_harness import ProviderHarness, Saved, first_currency
from connectors.conformance.payments import Delivery, Enters, Fault, Looks, Operation, PaymentConformance, RefundPath

# Nothing is delivered here, but a connector is not built without a secret.
NO_DELIVERIES: Final = ("nobody-signs-with-this-secret",)


class Wanted(NamedTuple):
    """What a variable of the environment takes, and the page that tells of it."""

    what: str
    page: str


ACCOUNTS: Final = {
    "DULY_LIVE_STRIPE_KEY": Wanted("the key of a test account", "stripe.md"),
    "DULY_LIVE_GOCARDLESS_TOKEN": Wanted("the token of a sandbox account", "gocardless.md"),
    "DULY_LIVE_ADYEN_KEY": Wanted("the API key of a test account", "adyen.md"),
    "DULY_LIVE_ADYEN_ACCOUNT": Wanted("the name of that key's merchant account", "adyen.md"),
}
"""Where the keys are read from."""


def missing(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Why an account is not asked, in a sentence; None where it is."""
    if environment.get("CI") == "true":
        return "Real accounts are never asked in CI."
    if not environment.get(name):
        return f"{name} is not set: it takes {ACCOUNTS[name].what} (docs/how-to/{ACCOUNTS[name].page})."
    return None


def given(name: str) -> str:
    """A key from the environment; the test is skipped without one."""
    why = missing(name)
    if why is not None:
        pytest.skip(why)
    return os.environ[name]


class RealAccount:
    """A harness without a browser, faults or a clock: what the kit asks of those is left out by declaration."""

    leaving_closes = False
    looks = Looks(brand="visa", last4="4242")

    def begins(self) -> None:
        """A test begins: what was made before it is not counted."""
        raise AssertionError

    async def saved(self, what: Enters, currency: str) -> Saved:
        """A payer with a method, saved by a token of the vendor's instead of on a page."""
        raise AssertionError(what, currency)

    async def enter(self, url: str, what: Enters) -> None:
        """Nobody is at the pages."""
        raise AssertionError(url, what)

    async def answer_bank(self, url: str, *, approve: bool) -> None:
        """Nobody is at the pages."""
        raise AssertionError(url, approve)

    async def leave(self, url: str) -> None:
        """Nobody is at the pages."""
        raise AssertionError(url)

    async def verify_account(self, url: str) -> None:
        """Nobody is at the pages."""
        raise AssertionError(url)

    async def kept_methods(self, our_ref: str) -> int:
        """Asked only after something was done on a page."""
        raise AssertionError(our_ref)

    async def advance(self, by: timedelta) -> None:
        """The vendor's clock is the world's."""
        raise AssertionError(by)

    async def break_next(self, operation: Operation, fault: Fault) -> None:
        """Nothing goes wrong on order."""
        raise AssertionError(operation, fault)

    async def refund_path(self, path: RefundPath) -> None:
        """Refunds take the path that they take."""
        raise AssertionError(path)

    async def bank_says(self, our_ref: str, *, succeeded: bool) -> None:
        """Banks say what they say."""
        raise AssertionError(our_ref, succeeded)

    async def deliveries(self, our_ref: str, *, at_least: int) -> list[Delivery]:
        """Nothing is delivered to a computer that nobody can reach."""
        raise AssertionError(our_ref, at_least)

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:
        """What nobody delivers, nobody signs."""
        raise AssertionError(raw, at, secret)


class ByToken(PaymentConformance):
    """The suite, whose methods are saved by the vendor's test tokens."""

    async def saved(self, harness: ProviderHarness, what: Enters, currency: str | None = None) -> Saved:
        assert isinstance(harness, RealAccount)
        return await harness.saved(what, currency or first_currency(harness))
