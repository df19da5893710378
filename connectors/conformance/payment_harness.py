"""What the payment suite needs of a connector under test: its far side, and a customer at the provider's pages."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

import pytest

from connectors.conformance.leaving_out import leave_out
from connectors.conformance.payment_declared import Trait, missing, page_kinds
from connectors.payments.ports import (
    Capability,
    ChargeOrder,
    Charges,
    ChargeStatus,
    HasPages,
    HostedPage,
    KeepsMethods,
    PageOrder,
    Payer,
    PaymentProvider,
    ProviderCharge,
    ProviderEvent,
    ProviderRefund,
    ProviderSetup,
    RefundOrder,
    Refunds,
    SetsUpMethods,
    SetupOrder,
    SignsWebhooks,
)
from domain import ids
from domain.methods import MethodDetails, MethodKind
from domain.money import Money

RETURN_URL: Final = "http://127.0.0.1:9/back?step=2"
CANCEL_URL: Final = "http://127.0.0.1:9/cancel"
DAYS_OF_A_DEBIT: Final = 20
AMOUNTS: Final = (Money.of(123_456, "USD"), Money.of(5_010, "EUR"), Money.of(2_345, "GBP"), Money.of(98_765, "JPY"))


class ProviderUnderTest(PaymentProvider, SetsUpMethods, Charges, KeepsMethods, SignsWebhooks, HasPages, Protocol):
    """A connector that does all that the suite asks for."""


class RefundsUnderTest(ProviderUnderTest, Refunds, Protocol):
    """A connector that gives money back too."""


class RefundPath(StrEnum):
    """What becomes of the next refunds."""

    SUCCEEDS = "succeeds"
    STAYS_PENDING = "stays_pending"
    FAILS = "fails"


class Enters(StrEnum):
    """What the customer enters on a hosted page: of the kind that the page is for, such as a card, or a bank debit."""

    GOOD = "good"
    DECLINED = "declined"  # refused on the page
    DECLINED_LATER = "declined_later"  # saves, is declined when charged
    BANK_ASKS = "bank_asks"  # 3-D Secure, each time
    GOOD_DEBIT = "good_debit"
    FAILING_DEBIT = "failing_debit"
    RETURNING_DEBIT = "returning_debit"  # comes back after it settled
    DEBIT_TO_VERIFY = "debit_to_verify"  # small deposits must be confirmed first


class Operation(StrEnum):
    """A call that can be made to go wrong."""

    SETUP = "setup"
    CHARGE = "charge"
    PAGE = "page"
    FIND_CHARGE = "charge_find"
    DETACH = "detach"
    REFUND = "refund"
    FIND_REFUND = "refund_find"


class Fault(StrEnum):
    """How the next such call goes wrong."""

    REQUEST_LOST = "request_lost"  # nothing is executed, the connection dies
    ANSWER_LOST = "answer_lost"  # executed, the connection dies
    NO_ANSWER = "no_answer"  # executed, silence for longer than the connector waits
    BROKEN_AFTER = "broken_after"  # executed, answered 500, which the key replays
    UNREADABLE = "unreadable"  # executed, half an answer
    UNKNOWN_STATUS = "unknown_status"  # executed, with a status nobody has heard of
    THROTTLED = "throttled"
    UNDER_WAY = "under_way"  # the same key is at work elsewhere
    KEY_REFUSED = "key_refused"  # our API key
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook as it arrived."""

    raw: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What is shown of the method that Enters.GOOD saves, and the word for its decline by Enters.DECLINED_LATER."""

    brand: str
    last4: str
    declined_as: str = "declined"


class ProviderHarness(Protocol):
    """One running far side and a connector to it."""

    @property
    def provider(self) -> ProviderUnderTest:
        """The connector."""
        ...

    @property
    def unreachable(self) -> ProviderUnderTest:
        """The same, to an address where nobody listens."""
        ...

    @property
    def kinds(self) -> Mapping[str, MethodKind]:
        """The kind that moves each of the suite's currencies, where one does. Most tests use the first.

        Whether it is captured at once or after days is the connector's to say (Capability.SETTLES_LATER).
        """
        ...

    @property
    def looks(self) -> Looks:
        """What can be seen of it."""
        ...

    @property
    def lacks(self) -> Mapping[Trait, int]:
        """What this far side has not, and how many tests of the suite that takes away."""
        ...

    @property
    def debit_kind(self) -> MethodKind:
        """A bank debit that this provider knows; any kind where it knows none, and claims nothing for it."""
        ...

    @property
    def debit_currency(self) -> str:
        """What it moves."""
        ...

    @property
    def leaving_closes(self) -> bool:
        """Whether the provider closes a page that the customer leaves. Where it waits for them, we close it."""
        ...

    async def enter(self, url: str, what: Enters) -> None:
        """The customer opens the page and enters a method."""
        ...

    async def answer_bank(self, url: str, *, approve: bool) -> None:
        """The customer answers the bank's question."""
        ...

    async def leave(self, url: str) -> None:
        """The customer cancels on the page."""
        ...

    async def verify_account(self, url: str) -> None:
        """The customer confirms the small deposits."""
        ...

    async def moving(self, our_ref: str) -> int:
        """Charges of a reference that moved or will move money, as the provider counts them."""
        ...

    async def kept_methods(self, our_ref: str) -> int:
        """Methods that the provider keeps because of a reference."""
        ...

    async def advance(self, by: timedelta) -> None:
        """The provider's clock moves on."""
        ...

    async def break_next(self, operation: Operation, fault: Fault) -> None:
        """The next such call goes wrong, once."""
        ...

    async def deliveries(self, our_ref: str, *, at_least: int) -> list[Delivery]:
        """What the provider delivered about a reference, waiting a while for that many."""
        ...

    def sign(self, raw: bytes, *, at: datetime, secret: int | None = 0) -> Mapping[str, str]:
        """The provider's own signature, by one of our configured secrets; None: by a secret that is not ours."""
        ...


class RefundHarness(ProviderHarness, Protocol):
    """A far side that also gives money back."""

    @property
    def provider(self) -> RefundsUnderTest:
        """The connector."""
        ...

    @property
    def unreachable(self) -> RefundsUnderTest:
        """The same, to an address where nobody listens."""
        ...

    async def refund_path(self, path: RefundPath) -> None:
        """What becomes of the next refunds, from now on."""
        ...

    async def bank_says(self, our_ref: str, *, succeeded: bool) -> None:
        """A refund that is pending, or that succeeded, goes on."""
        ...

    async def given_back(self, our_ref: str) -> int:
        """Minor units that refunds of a reference gave back or will, as the provider counts them."""
        ...


class PayoutHarness(RefundHarness, Protocol):
    """A harness whose far side pays out."""

    async def pay_out(self) -> None:
        """Let everything be paid out that was taken and given back so far, and let it arrive at the bank."""
        ...


@runtime_checkable
class Hears(Protocol):
    """A far side that cannot be searched: what it delivered is part of each question (`LearnsFromEvents`)."""

    async def heard(self, our_ref: str) -> Sequence[ProviderEvent]:
        """What verified deliveries told of a reference, the oldest first, once everything was delivered."""
        ...


def fresh_ref(prefix: str) -> str:
    """A reference of ours that nobody has used."""
    made = ids.compose(prefix, at_ms=time.time_ns() // 1_000_000, entropy=os.urandom(10))
    return f"{made}:1" if prefix == "pay" else made


def a_payer(provider_ref: str | None = None) -> Payer:
    """A customer nobody has seen."""
    customer_id = fresh_ref("cus")
    return Payer(customer_id=customer_id, name="Zoë Ångström & Söhne", email="z@example.com", provider_ref=provider_ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A payer with a saved method."""

    payer: Payer
    method: MethodDetails
    currency: str = "USD"


class PaymentSuite:
    """What the parts of the suite share."""

    @pytest.fixture(autouse=True)
    def _as_declared(self, harness: ProviderHarness, request: pytest.FixtureRequest) -> None:
        """Leaves a test out where what it needs is declared not to be there."""
        leave_out(missing(getattr(type(self), request.node.originalname), harness))

    def setup_order(
        self,
        harness: ProviderHarness,
        our_ref: str,
        *,
        kind: MethodKind | None = None,
        currency: str | None = None,
        payer: Payer | None = None,
    ) -> SetupOrder:
        """Save a method of the first kind, of the kind of a currency, or of the kind that is given."""
        currency = currency or (harness.debit_currency if kind is harness.debit_kind else first_currency(harness))
        return SetupOrder(
            our_ref=our_ref,
            payer=payer or a_payer(),
            kinds=(kind or harness.kinds[currency],),
            currency=currency,
            return_url=RETURN_URL,
            cancel_url=CANCEL_URL,
        )

    async def start_setup(
        self,
        harness: ProviderHarness,
        our_ref: str,
        *,
        kind: MethodKind | None = None,
        currency: str | None = None,
        payer: Payer | None = None,
    ) -> HostedPage:
        """Open a set-up page, for a fresh customer where none is given."""
        order = self.setup_order(harness, our_ref, kind=kind, currency=currency, payer=payer)
        return await harness.provider.start_setup(order, key=f"setup:{our_ref}")

    async def saved(self, harness: ProviderHarness, what: Enters, currency: str | None = None) -> Saved:
        """A payer who saved a method, answering the bank where it asks."""
        our_ref, payer = fresh_ref("set"), a_payer()
        is_debit = what.value.endswith("debit")
        currency = harness.debit_currency if is_debit else currency or first_currency(harness)
        kind = harness.debit_kind if is_debit else harness.kinds[currency]
        page = await self.start_setup(harness, our_ref, kind=kind, currency=currency, payer=payer)
        await harness.enter(page.url, what)
        if what is Enters.BANK_ASKS:
            await harness.answer_bank(page.url, approve=True)
        setup = await self.setup_now(harness, our_ref)
        assert setup.method is not None
        known = Payer(customer_id=payer.customer_id, name=payer.name, email=payer.email, provider_ref=setup.payer_ref)
        return Saved(payer=known, method=setup.method, currency=currency)

    def charge_order(self, saved: Saved, our_ref: str, amount: Money | None = None) -> ChargeOrder:
        """Charge what was saved."""
        return ChargeOrder(
            our_ref=our_ref,
            payer=saved.payer,
            method_token=saved.method.token,
            kind=saved.method.kind,
            amount=amount or Money.of(12_345, saved.currency),
            description="Invoices INV-1 and INV-2",
            return_url=RETURN_URL,
        )

    async def charge(
        self, harness: ProviderHarness, saved: Saved, our_ref: str, amount: Money | None = None
    ) -> ProviderCharge:
        """Charge what was saved, with the key of this reference."""
        return await harness.provider.charge(self.charge_order(saved, our_ref, amount), key=f"charge:{our_ref}")

    async def outcome(self, harness: ProviderHarness, charge: ProviderCharge) -> ProviderCharge:
        """What becomes of a charge: known at once, or, where the connector claims that its kind takes days, days later."""
        currency = str(charge.amount.currency)
        claimed = harness.provider.capabilities(harness.kinds[currency], currency)
        if charge.status is not ChargeStatus.PROCESSING or Capability.SETTLES_LATER not in claimed:
            return charge
        for _ in range(DAYS_OF_A_DEBIT):
            await harness.advance(timedelta(days=1))
            latest = await self.charge_now(harness, charge.our_ref)
            if latest.status is not ChargeStatus.PROCESSING:
                return latest
        raise AssertionError(f"the charge is still processing after {DAYS_OF_A_DEBIT} days")

    async def open_page(
        self,
        harness: ProviderHarness,
        our_ref: str,
        *,
        save: bool = False,
        payer: Payer | None = None,
        kind: MethodKind | None = None,
        lasts: timedelta = timedelta(days=1),
        amount: Money | None = None,
    ) -> ProviderCharge:
        """Open a payment page of the first kind, of the kind of an amount, or of the kind that is given; for a day."""
        currency = harness.debit_currency if kind is harness.debit_kind else first_currency(harness)
        amount = amount or Money.of(12_345, currency)
        order = PageOrder(
            our_ref=our_ref,
            payer=payer or a_payer(),
            kinds=(kind or page_kinds(harness)[str(amount.currency)],),
            amount=amount,
            description="Invoices INV-1 and INV-2",
            return_url=RETURN_URL,
            cancel_url=CANCEL_URL,
            save_method=save,
            expires_at=now() + lasts,
        )
        return await harness.provider.open_payment_page(order, key=f"page:{our_ref}")

    async def refund(
        self, harness: RefundHarness, charge: ProviderCharge, our_ref: str, minor: int | None = None
    ) -> ProviderRefund:
        """Give back a part of a charge, or all of it, with the key of this reference."""
        amount = charge.amount if minor is None else Money.of(minor, charge.amount.currency)
        order = RefundOrder(our_ref=our_ref, charge_id=charge.provider_id, amount=amount)
        return await harness.provider.refund(order, key=f"refund:{our_ref}")

    async def heard(self, harness: ProviderHarness, our_ref: str) -> Sequence[ProviderEvent]:
        """What a far side that cannot be searched delivered; nothing of one that can."""
        return await harness.heard(our_ref) if isinstance(harness, Hears) else ()

    async def setup_now(self, harness: ProviderHarness, our_ref: str) -> ProviderSetup:
        """A set-up that must exist, as it stands."""
        setup = await harness.provider.find_setup(our_ref, heard=await self.heard(harness, our_ref))
        assert setup is not None
        assert setup.our_ref == our_ref
        return setup

    async def charge_now(self, harness: ProviderHarness, our_ref: str) -> ProviderCharge:
        """A charge that must exist, as it stands."""
        charge = await harness.provider.find_charge(our_ref, heard=await self.heard(harness, our_ref))
        assert charge is not None
        assert charge.our_ref == our_ref
        return charge


def first_currency(harness: ProviderHarness) -> str:
    """What most of the suite is played in."""
    return next(iter(harness.kinds))


def first_kind(harness: ProviderHarness) -> MethodKind:
    """The kind that most of the suite uses."""
    return harness.kinds[first_currency(harness)]


def origin_of(url: str | None) -> str:
    """Where a page lives, as `page_origins` names it."""
    address = urlsplit(url or "")
    return f"{address.scheme}://{address.netloc}"


def now() -> datetime:
    """Real time: what signatures and expiries are measured by."""
    return datetime.now(UTC)
