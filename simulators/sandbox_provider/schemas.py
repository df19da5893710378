"""What the API accepts. Unknown fields are refused, numbers are not read from text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from simulators.sandbox_provider.faults import FaultKind

Reference = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_:.\-]+$")]
Kind = Literal["card", "us_bank_account", "sepa_debit", "bacs_debit"]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Address = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")]
Seconds = Annotated[int, Field(ge=0, le=10**9)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PayerBody(_Body):
    """A payer: `id` when known, else who it is."""

    id: str | None = None
    customer_id: Annotated[str, Field(min_length=1, max_length=128)]
    name: Annotated[str, Field(max_length=300)]
    email: Annotated[str, Field(max_length=320)] | None = None


class AmountBody(_Body):
    """Minor units of a currency."""

    minor: Annotated[int, Field(gt=0, lt=10**12)]
    currency: Currency


class SetupBody(_Body):
    """POST /v1/setups."""

    our_ref: Reference
    payer: PayerBody
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=8)]
    currency: Currency
    return_url: Address
    cancel_url: Address


class ChargeBody(_Body):
    """POST /v1/charges."""

    our_ref: Reference
    payer: str | None = None
    method: str
    amount: AmountBody
    description: Annotated[str, Field(max_length=1000)]
    return_url: Address


class PageBody(_Body):
    """POST /v1/payment_pages."""

    our_ref: Reference
    payer: PayerBody
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=8)]
    amount: AmountBody
    description: Annotated[str, Field(max_length=1000)]
    return_url: Address
    cancel_url: Address
    save_method: bool
    expires_at: AwareDatetime


class RefundBody(_Body):
    """POST /v1/refunds. `charge` is an id of ours."""

    our_ref: Reference
    charge: str
    amount: AmountBody


class ChargeMoveBody(_Body):
    """POST /v1/test/charges/move: what the bank says of a charge that succeeded."""

    our_ref: Reference
    status: Literal["settled", "disputed", "returned"]


class RefundMoveBody(_Body):
    """POST /v1/test/refunds/move: what the bank says of a refund."""

    our_ref: Reference
    status: Literal["succeeded", "failed"]


class BalanceBody(_Body):
    """POST /v1/test/balance: something that the next payout of its currency is to hold; minor units, with their sign."""

    kind: Literal["charge", "refund", "fee", "dispute", "adjustment"]
    gross: Annotated[int, Field(gt=-(10**12), lt=10**12)]
    fee: Annotated[int, Field(ge=0, lt=10**12)] = 0
    currency: Currency
    our_ref: Reference | None = None
    source: str | None = None


class PayoutBody(_Body):
    """POST /v1/test/payouts: pay out now; `off_by` makes each amount another than its parts sum up to."""

    off_by: Annotated[int, Field(gt=-(10**12), lt=10**12)] = 0


class PayoutMoveBody(_Body):
    """POST /v1/test/payouts/move: what the bank says of a payout."""

    payout: str
    status: Literal["failed"]


class EmptyBody(_Body):
    """A write that needs no more than its address."""


class EndpointBody(_Body):
    """PUT /v1/webhook_endpoint."""

    url: Address | None


class AdvanceBody(_Body):
    """POST /v1/test/clock/advance."""

    seconds: Seconds


class FaultBody(_Body):
    """POST /v1/test/faults."""

    op: Annotated[str, Field(max_length=40)]
    kind: FaultKind
    our_ref: Reference | None = None
    seconds: Seconds = 15
    skip: Annotated[int, Field(ge=0, le=10_000)] = 0
    times: Annotated[int, Field(ge=1, le=10_000)] = 1


class WebhookKnobsBody(_Body):
    """POST /v1/test/webhooks; what is absent stays as it is."""

    mode: Literal["deliver", "hold", "drop"] | None = None
    duplicates: Annotated[int, Field(ge=0, le=100)] | None = None
    reorder: bool | None = None
    bad_signature_first: bool | None = None
    skew_seconds: Annotated[int, Field(ge=-(10**7), le=10**7)] | None = None


class ReleaseBody(_Body):
    """POST /v1/test/webhooks/release."""

    newest_first: bool = False


class ResendBody(_Body):
    """POST /v1/test/webhooks/resend."""

    event_id: str
    times: Annotated[int, Field(ge=1, le=1000)] = 1


class SettingsBody(_Body):
    """POST /v1/test/settings; what is absent stays as it is."""

    debit_succeed_seconds: Seconds | None = None
    debit_settle_seconds: Seconds | None = None
    debit_return_seconds: Seconds | None = None
    search_lag_seconds: Seconds | None = None
    magic_amounts: bool | None = None
    refund_path: Literal["succeeds", "stays_pending", "fails", "fails_after_success"] | None = None
