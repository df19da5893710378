"""What programs send to the JSON API: bodies and filters. A promise: fields are added, never changed."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.v1.fields import (
    ApplyState,
    ContactId,
    CreditId,
    CurrencyCode,
    Cursor,
    CustomerId,
    Day,
    InvoiceId,
    Limit,
    MethodId,
    MethodKind,
    Minor,
    Moment,
    PaymentState,
    Switch,
    Text,
)
from domain.money import LARGEST_MINOR


class Asked(BaseModel):
    """What is sent. A field that is not described here is a mistake, not a wish that is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Page(Asked):
    """Where a list goes on."""

    limit: Limit = 50
    cursor: Cursor = None


class CustomerFilter(Page):
    """Which customers."""

    search: Annotated[Text, Field(max_length=100, description="Part of a name, number or e-mail address.")] = ""
    number: Annotated[Text | None, Field(max_length=100, description="Exactly this number.")] = None


class OfCustomer(Page):
    """Of one customer, or of all."""

    customer_id: CustomerId | None = None


class InvoiceQuery(OfCustomer):
    """Which invoices. What is overdue is owed, and due before today."""

    number: Annotated[Text | None, Field(max_length=100, description="Exactly this number.")] = None
    owed: Annotated[Switch | None, Field(description="Only what a balance adds up, or only what it does not.")] = None
    due_before: Annotated[Day | None, Field(description="Due before this day.")] = None


class StatementQuery(Asked):
    """Which statement: of now, of the end of a day where the customer is, or of a moment."""

    kind: Annotated[Literal["open", "transactions"], Field(description="What is open, or what happened.")] = "open"
    currency: Annotated[CurrencyCode | None, Field(description="Only in this currency.")] = None
    from_on: Annotated[Day | None, Field(description="The first day of a list of transactions.")] = None
    as_of_on: Annotated[Day | None, Field(description="As of the end of this day.")] = None
    as_of: Annotated[Moment | None, Field(description="As of this moment.")] = None

    @model_validator(mode="after")
    def _is_of_one_moment(self) -> Self:
        if self.as_of_on is not None and self.as_of is not None:
            raise ValueError("name as_of_on or as_of, and not both")
        return self


class PaymentQuery(OfCustomer):
    """Which payments."""

    state: PaymentState | None = None


class PayLine(Asked):
    """How much of which invoice."""

    invoice_id: InvoiceId
    amount: Minor


class NewRefund(Asked):
    """Give back this amount. `invoices` reopen by their amounts; the rest comes off what is unapplied of the payment."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amount": 2500,
                    "currency": "GBP",
                    "invoices": [{"invoice_id": "inv_01kb8g3h5m7n9p1q3r5s7t9v1w", "amount": 2500}],
                    "reason": "Goods sent back",
                }
            ]
        }
    )

    amount: Minor
    currency: CurrencyCode
    invoices: Annotated[list[PayLine], Field(max_length=200)] = []
    reason: Annotated[Text, Field(min_length=1, max_length=300)]
    note: Annotated[Text, Field(max_length=300)] = ""


class ApplyQuery(OfCustomer):
    """Which requests to apply a credit; `open` is every one that waits for a person."""

    state: ApplyState | Literal["open"] | None = None


class NewApplyRequest(Asked):
    """Ask that these amounts of a credit be put on these invoices, as the customer asks in the portal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "cus_01kb8g3h5m7n9p1q3r5s7t9v1w",
                    "credit_id": "crd_01kb8g3h5m7n9p1q3r5s7t9v1w",
                    "invoices": [{"invoice_id": "inv_01kb8g3h5m7n9p1q3r5s7t9v1w", "amount": 2500}],
                }
            ]
        }
    )

    customer_id: CustomerId
    credit_id: CreditId
    invoices: Annotated[list[PayLine], Field(min_length=1, description="At most 200.")]


class Deciding(Asked):
    """A decision is about what was read: a request that has moved on since is not decided."""

    version: Annotated[int, Field(ge=0, le=1_000_000, description="The `version` that was read.")]


class Approval(Deciding):
    """Approve all of it, or these amounts of these invoices and nothing of the others."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1}]})

    invoices: Annotated[list[PayLine] | None, Field(min_length=1, max_length=200)] = None
    fingerprint: Annotated[
        Text, Field(max_length=64, description="The `fingerprint` that was read: other figures since then are refused.")
    ] = ""


class Reasoned(Deciding):
    """Say no, or take it back, and why: the customer reads it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "reason": "This credit is for another site."}]})

    reason: Annotated[Text, Field(min_length=1, max_length=2000)]


class Reply(Deciding):
    """What the customer answers to the question that was read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 2, "answer": "The one in Leeds."}]})

    answer: Annotated[Text, Field(min_length=1, max_length=2000)]


class Question(Deciding):
    """What the customer is asked."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"version": 1, "question": "Which of the two sites is it for?"}]}
    )

    question: Annotated[Text, Field(min_length=1, max_length=2000)]


class NewMethod(Asked):
    """A method that the customer enters on the provider's page. It is kept only if the customer agreed to these words."""

    kind: MethodKind
    save: bool = False
    consent_wording: Annotated[Text | None, Field(min_length=10, max_length=1000)] = None


class NewPayment(Asked):
    """Pay these amounts of these invoices, with a saved method or a new one: name one of both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "cus_01kb8g3h5m7n9p1q3r5s7t9v1w",
                    "currency": "GBP",
                    "invoices": [{"invoice_id": "inv_01kb8g3h5m7n9p1q3r5s7t9v1w", "amount": 12500}],
                    "method_id": "pm_01kb8g3h5m7n9p1q3r5s7t9v1w",
                }
            ],
            "oneOf": [
                {"required": ["method_id"], "properties": {"method_id": {"type": "string"}, "new_method": {"type": "null"}}},
                {
                    "required": ["new_method"],
                    "properties": {"method_id": {"type": "null"}, "new_method": {"type": "object"}},
                },
            ],
        }
    )

    customer_id: CustomerId
    currency: CurrencyCode
    invoices: Annotated[list[PayLine], Field(min_length=1, description="At most 200.")]
    method_id: MethodId | None = None
    new_method: NewMethod | None = None

    @model_validator(mode="after")
    def _has_one_way(self) -> Self:
        if (self.method_id is None) == (self.new_method is None):
            raise ValueError("name method_id or new_method, and not both")
        return self


class NewSetup(Asked):
    """Have a customer save a method on the provider's page. The words are what the customer agreed to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "cus_01kb8g3h5m7n9p1q3r5s7t9v1w",
                    "kind": "card",
                    "consent_wording": "Save this card for future payments.",
                }
            ]
        }
    )

    customer_id: CustomerId
    kind: MethodKind
    consent_wording: Annotated[Text, Field(min_length=10, max_length=1000)]
    currency: Annotated[CurrencyCode | None, Field(description="The customer's own, when it is not named.")] = None


class Removal(Asked):
    """Which method is the default next, where the default is removed and others stay."""

    next_default_id: MethodId | None = None


class NewLink(Asked):
    """A portal link that opens this customer's whole account, at this invoice first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer_id": "cus_01kb8g3h5m7n9p1q3r5s7t9v1w", "days": 30}]}
    )

    customer_id: CustomerId
    invoice_id: InvoiceId | None = None
    contact_id: ContactId | None = None
    days: Annotated[int | None, Field(ge=1, le=90, description="The setting `link_days`, when it is not named.")] = None


class SettingChange(Asked):
    """The value from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"value": 30}]})

    value: (
        bool
        | int
        | Annotated[Text, Field(max_length=1000)]
        | dict[Annotated[Text, Field(max_length=10)], Annotated[int, Field(ge=0, lt=LARGEST_MINOR)]]
    )
