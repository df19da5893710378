"""What the doors ask of the durable processes, and the first thing those can answer. Ids and domain values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.allocation import Line
from domain.methods import MethodKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PayRequest:
    """Pay these amounts of these invoices, in one currency, in one way.

    `customer_ids`: whose invoices the session may pay (the customer and its children). `method_id` names a saved
    method; None means a hosted page for a new one of `kind`, kept when `save` (then `consent_wording` is what the
    customer read). `facts_hash` is the fingerprint of what the page showed, '' when nothing was shown. `request_hash`
    covers all of this: the same payment_id with another hash is refused.
    """

    payment_id: str
    customer_id: str
    customer_ids: tuple[str, ...]
    currency: str
    lines: tuple[Line, ...]
    kind: MethodKind
    method_id: str | None = None
    save: bool = False
    consent_wording: str | None = None
    connection_id: str = "sandbox"
    facts_hash: str = ""
    request_hash: str = ""
    channel: str = "portal"
    started_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRequest:
    """Save a new payment method by redirect. `return_path` is a path of this portal; `consent_wording` was agreed to."""

    setup_id: str
    customer_id: str
    kind: MethodKind
    currency: str
    consent_wording: str
    return_path: str
    connection_id: str = "sandbox"
    request_hash: str = ""
    channel: str = "portal"
    started_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodChange:
    """Make a method the default, or remove it. `next_default_id` is needed when the default goes and others stay."""

    change_id: str
    method_id: str
    customer_id: str
    action: str  # default | remove
    next_default_id: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAgain:
    """What becomes of a posting that the ERP refused. `attempts`: how often it had been sent when `by` (a member of staff)
    looked; `how`: domain.resolving.Resolution, with a `reason` where it needs one.
    """

    posting_id: str
    attempts: int
    by: str
    how: str = "again"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOrder:
    """Close a difference, for a reason that `by` (a member of staff) gives; or, with `take_back`, have the ERP's document of
    that id taken back there: then it is the next comparison that closes it.
    """

    difference_id: str
    reason: str
    by: str
    take_back: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOrder:
    """Ask that a credit be put on these invoices; without lines: take up a request that exists.

    `customer_ids`: whose documents the session may use (the customer and its children). `facts_hash` is the fingerprint of
    what the page showed; `request_hash` covers all of this: the same request_id with another hash is refused.
    """

    request_id: str
    customer_id: str = ""
    customer_ids: tuple[str, ...] = ()
    credit_id: str = ""
    lines: tuple[Line, ...] = ()
    facts_hash: str = ""
    request_hash: str = ""
    channel: str = "portal"
    requested_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decides about a request: approve | reject | ask (staff), answer | withdraw (the customer), undo (staff).

    `version` is what the page showed; `lines` are what an approval puts on each invoice, all of it when empty; `text` is the
    reason, the question or the answer. `by` is a member of staff, an API key or the customer's person; `customer_ids` are
    set where a customer decides. The same `decision_id` decides once.
    """

    decision_id: str
    request_id: str
    action: str
    by: str
    version: int = 0
    lines: tuple[Line, ...] = ()
    text: str = ""
    facts_hash: str = ""
    customer_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Give back `minor` of a payment; `lines` come off its invoices, the rest off what is unapplied of it.

    `by` is a member of staff's id, or an API key's. `facts_hash` is the fingerprint of what the page showed, '' when
    nothing was shown. `request_hash` covers all of this: the same refund_id with another hash is refused.
    """

    refund_id: str
    payment_id: str
    minor: int
    currency: str
    lines: tuple[Line, ...]
    reason: str
    note: str
    by: str
    facts_hash: str = ""
    request_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDecision:
    """The second person agrees, or says no, to the version of a refund that they saw."""

    refund_id: str
    version: int
    agrees: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLinks:
    """Mail portal links: one mail a contact.

    `contacts` are (customer id, contact id) pairs; contact '' is the customer's own address.
    """

    batch_id: str
    contacts: tuple[tuple[str, str], ...]
    by: str
    invoice_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """The first thing that can be told: a state, where to send the browser if asked to, or the rule that refused."""

    state: str
    redirect_url: str | None = None
    rule: str | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict)
