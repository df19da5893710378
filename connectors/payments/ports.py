"""What a payment provider can do, in protocols sized by capability. A connector claims only what it can do.

A status that a connector does not know is `PENDING`, never failed and never paid. Every write takes a `key`: the same
key for the same attempt, for ever. `our_ref` is Duly's own id (`pay_…:1` for a payment's first attempt, `set_…`), sent
as the provider's reference or metadata, and is what `find_…` searches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Flag, StrEnum, auto
from typing import Protocol, runtime_checkable

from domain.methods import MethodDetails, MethodKind
from domain.money import Money


class Capability(Flag):
    """What a provider can do for one method kind and currency."""

    NONE = 0
    SET_UP = auto()  # save a method by redirect to a hosted page
    CHARGE_SAVED = auto()  # charge a saved method without the customer being there
    PAY_ONCE = auto()  # a hosted page that takes one payment
    PAY_ONCE_AND_SAVE = auto()  # the same, keeping the method when the customer agrees
    SETTLES_LATER = auto()  # accepted today, confirmed or failed days later
    CAN_RETURN = auto()  # may come back after success
    REFUND = auto()  # give back what was captured, whole or in parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """The customer as a provider may know it: our id and a name; `provider_ref` once it gave us one."""

    customer_id: str
    name: str
    email: str | None = None
    provider_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedPage:
    """A page of the provider's that the customer is sent to."""

    session_id: str
    url: str
    expires_at: datetime
    payer_ref: str | None = None


class SetupStatus(StrEnum):
    """State of a method set-up as the provider tells it. EXPIRED, CANCELED, FAILED and COMPLETED are terminal."""

    OPEN = "open"
    VERIFYING = "verifying"  # micro-deposits sent, mandate pending: the method exists, not usable yet
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSetup:
    """A method set-up, as fetched. `method` is set when VERIFYING or COMPLETED; `page` while OPEN, where the provider
    still tells it: whose first answer was lost (or is a 500 that its key repeats for ever) is brought there after all.
    """

    session_id: str
    our_ref: str
    status: SetupStatus
    method: MethodDetails | None = None
    failure_code: str | None = None
    payer_ref: str | None = None
    page: HostedPage | None = None


class ChargeStatus(StrEnum):
    """State of one charge as the provider tells it.

    DECLINED, CANCELED, EXPIRED are terminal failures *at the provider*; a decline on a hosted page that still takes
    another card is NEEDS_CUSTOMER. RETURNED and DISPUTED follow CAPTURED or SETTLED.
    """

    PENDING = "pending"
    NEEDS_CUSTOMER = "needs_customer"
    PROCESSING = "processing"
    CAPTURED = "captured"
    SETTLED = "settled"
    DECLINED = "declined"
    CANCELED = "canceled"
    EXPIRED = "expired"
    RETURNED = "returned"
    DISPUTED = "disputed"


TERMINAL_WITHOUT_MONEY = frozenset({ChargeStatus.DECLINED, ChargeStatus.CANCELED, ChargeStatus.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCharge:
    """One charge (or payment page), as answered or fetched.

    `amount` is what the provider took or will take, to be compared with what was asked. `action_url` is set when
    NEEDS_CUSTOMER. `saved_method` is set when the customer's method was kept. `masked` describes what paid
    (brand, last4) even when it was not kept.
    """

    provider_id: str
    our_ref: str
    status: ChargeStatus
    amount: Money
    action_url: str | None = None
    action_expires_at: datetime | None = None
    failure_code: str | None = None  # a word of ours: insufficient_funds, card_expired, declined, processing_error, …
    saved_method: MethodDetails | None = None
    masked: MethodDetails | None = None
    payer_ref: str | None = None
    expected_on: str | None = None  # ISO date a debit is expected to settle
    return_code: str | None = None


class RefundStatus(StrEnum):
    """State of one refund as the provider tells it. FAILED may follow SUCCEEDED: the customer's bank did not take it."""

    PENDING = "pending"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRefund:
    """One refund, as answered or fetched. `charge_id` is the provider's own id of the charge that it gives back."""

    provider_id: str
    our_ref: str
    charge_id: str
    status: RefundStatus
    amount: Money
    failure_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Give back `amount` of a charge, which the provider knows as `charge_id`."""

    our_ref: str
    charge_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOrder:
    """Save a method: kinds to offer, where the browser goes afterwards."""

    our_ref: str
    payer: Payer
    kinds: tuple[MethodKind, ...]
    currency: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """Charge a saved method. `return_url` is used when the provider wants the customer (3-D Secure)."""

    our_ref: str
    payer: Payer
    method_token: str
    kind: MethodKind
    amount: Money
    description: str
    return_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOrder:
    """Take one payment on a hosted page; `save_method` only with the customer's recorded consent."""

    our_ref: str
    payer: Payer
    kinds: tuple[MethodKind, ...]
    amount: Money
    description: str
    return_url: str
    cancel_url: str
    save_method: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationProblem:
    """What is wrong with a connection, in a sentence for staff; `is_fatal` where it cannot work at all like that."""

    code: str
    sentence: str
    is_fatal: bool = False


class EventSubject(StrEnum):
    """What an event is about."""

    SETUP = "setup"
    CHARGE = "charge"
    METHOD = "method"
    REFUND = "refund"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """One event of a verified delivery: a hint only, the truth is fetched; but for a provider that `LearnsFromEvents`.

    Without `our_ref` it is matched by `provider_id`, or parked. `facts` are the few short words that the connector needs to
    make a state of events later: nothing personal, no card's number, and what was not signed named as such. `received_at` is
    when Duly stored it, by its own clock; None before that.
    """

    event_id: str
    dedupe_key: str
    kind: str  # the provider's own word, for staff's evidence
    subject: EventSubject
    our_ref: str | None
    provider_id: str | None
    occurred_at: datetime
    claims: ChargeStatus | None = None  # what a charge's event says happened: never believed, but no news is no work
    facts: Mapping[str, str] = field(default_factory=dict)
    received_at: datetime | None = None


class PaymentProvider(Protocol):
    """What every payment connector has. `heard`, where something takes it, is empty but for one that `LearnsFromEvents`."""

    name: str

    def capabilities(self, kind: MethodKind, currency: str) -> Capability:
        """What this connection can do for a kind in a currency; NONE when nothing."""
        ...

    async def check_configuration(self) -> Sequence[ConfigurationProblem]:
        """A cheap authenticated read; empty when all is well. Raises Unavailable when nobody answers."""
        ...

    @property
    def search_lag_seconds(self) -> int:
        """A `find_…` that found nothing is believed only this long after the send."""
        ...


@runtime_checkable
class SetsUpMethods(Protocol):
    """Saves methods by redirect."""

    async def start_setup(self, order: SetupOrder, *, key: str) -> HostedPage:
        """Open a hosted set-up page. Raises ConnectorError."""
        ...

    async def find_setup(
        self, our_ref: str, *, session_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderSetup | None:
        """The set-up as it stands now; None when the provider knows none. Raises ConnectorError."""
        ...

    async def cancel_setup(self, session_id: str, *, key: str) -> ProviderSetup:
        """Close the page; the answer is the state afterwards, which may be COMPLETED. Raises ConnectorError."""
        ...


@runtime_checkable
class Charges(Protocol):
    """Moves money."""

    async def charge(self, order: ChargeOrder, *, key: str) -> ProviderCharge:
        """Charge a saved method. A decline is an answer. Raises ConnectorError; OutcomeUnknown when it may have happened."""
        ...

    async def open_payment_page(self, order: PageOrder, *, key: str) -> ProviderCharge:
        """Open a hosted page for one payment: NEEDS_CUSTOMER with its action_url. Raises ConnectorError."""
        ...

    async def find_charge(
        self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderCharge | None:
        """The charge as it stands now; None when the provider knows none. Raises ConnectorError."""
        ...

    async def cancel_charge(self, provider_id: str, *, key: str) -> ProviderCharge:
        """Cancel or expire what waits for the customer; the answer is the state afterwards. Raises ConnectorError."""
        ...


@runtime_checkable
class CountsCharges(Protocol):
    """Shows everything that bears a reference, so that 'once' can be counted where the money is."""

    async def charges_of(self, our_ref: str, *, heard: Sequence[ProviderEvent] = ()) -> Sequence[ProviderCharge]:
        """Every charge with that reference, whatever became of it; empty when none. Raises ConnectorError."""
        ...


@runtime_checkable
class Refunds(Protocol):
    """Gives money back."""

    async def refund(self, order: RefundOrder, *, key: str) -> ProviderRefund:
        """Give back a part of a charge, or all of it. A refund that fails at once is an answer; one above what is left of
        the charge is Rejected. Raises ConnectorError; OutcomeUnknown when it may have happened.
        """
        ...

    async def find_refund(
        self, our_ref: str, *, provider_id: str | None = None, heard: Sequence[ProviderEvent] = ()
    ) -> ProviderRefund | None:
        """The refund as it stands now; None when the provider knows none. Raises ConnectorError."""
        ...

    async def refunds_of(self, our_ref: str, *, heard: Sequence[ProviderEvent] = ()) -> Sequence[ProviderRefund]:
        """Every refund with that reference, so that 'once' can be counted; empty when none. Raises ConnectorError."""
        ...


@runtime_checkable
class KeepsMethods(Protocol):
    """Lists and forgets saved methods."""

    async def list_methods(self, payer_ref: str) -> Sequence[MethodDetails]:
        """What the provider keeps for a payer, masked. Raises ConnectorError."""
        ...

    async def detach_method(self, token: str, *, key: str) -> None:
        """Forget a method; already gone is success. Raises ConnectorError."""
        ...


@runtime_checkable
class SignsWebhooks(Protocol):
    """Verifies and reads deliveries: pure, no I/O."""

    def read_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[ProviderEvent]:
        """Verify the raw body, then its events. Raises WebhookRejected and nothing else."""
        ...


@runtime_checkable
class LearnsFromEvents(Protocol):
    """Cannot be searched by our reference. Whoever asks it says what was `heard`: the events of verified deliveries with
    this reference or the provider's own id of it, the oldest first. Where they tell nothing, the same order is sent again
    under the same key while that has one answer; then a person looks. That it knows nothing is never believed.
    """

    @property
    def keeps_answers_for(self) -> timedelta:
        """How long after the first send the same order under the same key surely has the first one's answer."""
        ...


@runtime_checkable
class HasPages(Protocol):
    """Sends the customer to pages of its own."""

    @property
    def page_origins(self) -> frozenset[str]:
        """Where they live, as scheme://host or scheme://host:port: nobody is sent anywhere else."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events as a provider lists them, the oldest first, and the cursor after them. `has_more`: ask again from there."""

    events: Sequence[ProviderEvent]
    cursor: str | None
    has_more: bool = False


@runtime_checkable
class ListsEvents(Protocol):
    """Tells again what it told by webhooks, so that a lost delivery is found."""

    async def events_after(self, cursor: str | None, *, since: datetime) -> EventPage:
        """Events after the one that `cursor` names, as many as one look may take; where it is None or forgotten, all since
        that moment. They may have been delivered: the dedupe key tells. Raises ConnectorError.
        """
        ...


@runtime_checkable
class NamesReferences(Protocol):
    """Finds our reference for an event that carries the provider's own id only, such as a dispute."""

    async def reference_of(self, provider_id: str) -> str | None:
        """Our reference of the charge or refund which that id names; None when it is none of ours. Raises ConnectorError:
        that nobody answers does not say that it is nobody's.
        """
        ...
