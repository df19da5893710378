"""What programs read of credits and of the requests to apply them. A promise: fields are added, never changed."""

from datetime import date, datetime

from api.v1.answers import Happening, Refusal, Told
from api.v1.fields import ApplyState, CreditId, CreditKind, CustomerId, InvoiceId, RequestId


class Credit(Told):
    """What the ERP holds for a customer. `held` is what open requests reserve; `available` is what a new one may ask for."""

    id: CreditId
    customer_id: CustomerId
    number: str
    kind: CreditKind
    currency: str
    issued_on: date
    origin: str | None
    total: int
    unapplied: int
    held: int
    available: int


class Application(Told):
    """Where some of a credit went in the ERP."""

    number: str
    amount: int
    on: date


class RequestOfCredit(Told):
    """A request about a credit."""

    id: RequestId
    state: ApplyState
    amount: int
    opened_at: datetime


class CreditWithUses(Credit):
    """A credit, where it went, and what is or was asked of it."""

    applications: list[Application]
    requests: list[RequestOfCredit]


class Credits(Told):
    """A page of credits, the newest first."""

    credits: list[Credit]
    next_cursor: str | None


class ApplyLine(Told):
    """What is asked for one invoice, and what of it was approved: null until somebody has."""

    invoice_id: InvoiceId
    number: str | None
    asked: int
    approved: int | None


class ApplyRequestLine(Told):
    """A request in a list."""

    id: RequestId
    customer_id: CustomerId
    credit_id: CreditId
    credit_number: str
    currency: str
    amount: int
    state: ApplyState
    version: int
    channel: str
    requested_by: str
    opened_at: datetime
    changed_at: datetime
    expires_at: datetime | None


class ApplyRequest(Told):
    """A request to apply a credit. What it asks for is held on both sides until it ends.

    `version` and `fingerprint` are what a decision sends back. Who decided is a member of staff's id or an API key's.
    """

    id: RequestId
    customer_id: CustomerId
    credit_id: CreditId
    credit_number: str
    currency: str
    amount: int
    state: ApplyState
    version: int
    fingerprint: str
    refusal: Refusal | None
    requested_by: str
    needs_second: bool
    first_by: str | None
    second_by: str | None
    ended_by: str | None
    reason: str | None
    question: str | None
    answer: str | None
    erp_words: str | None
    invoices: list[ApplyLine]
    opened_at: datetime
    expires_at: datetime | None
    timeline: list[Happening]


class ApplyRequests(Told):
    """A page of requests, the newest first."""

    apply_requests: list[ApplyRequestLine]
    next_cursor: str | None
