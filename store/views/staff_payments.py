"""The evidence of one payment, for staff: what we asked, what the provider and the ERP said, and what we booked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.database import Transaction
from store.views import staff_postings
from store.views.staff import Event, shaped
from store.views.staff_postings import PostingFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """A payment's row, with whose it is."""

    id: str
    customer_id: str
    customer_name: str
    connection_id: str
    currency: str
    amount: int
    captured: int
    returned: int
    refunding: int
    refunded: int
    state: str
    refused_rule: str | None
    refused_facts: Mapping[str, Any]
    way: str
    method_kind: str
    method_label: str
    channel: str
    started_by: str
    attempt: int
    provider_ref: str | None
    charge_key: str | None
    failure_code: str | None
    expected_on: str | None
    opened_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    deadline_at: datetime | None
    unknown_since: datetime | None
    last_checked_at: datetime | None
    next_check_at: datetime | None
    check_note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFacts:
    """A set-up's row, with whose it is."""

    id: str
    customer_id: str
    customer_name: str
    connection_id: str
    kind: str
    currency: str
    state: str
    refused_rule: str | None
    refused_facts: Mapping[str, Any]
    channel: str
    started_by: str
    request_hash: str
    session_id: str | None
    page_url: str | None
    failure_code: str | None
    consent_wording: str
    opened_at: datetime
    deadline_at: datetime | None
    last_checked_at: datetime | None
    next_check_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredInvoice:
    """An invoice of a payment: what was asked for, what is held, and what was allocated in the end (minor units)."""

    invoice_id: str
    number: str
    asked: int
    held: int
    allocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEventFacts:
    """An event that the provider sent. `deliveries` above 1: duplicates, which changed nothing."""

    id: str
    event_id: str
    kind: str
    state: str
    reason: str | None
    deliveries: int
    occurred_at: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFacts:
    """A mail about a process."""

    template: str
    to_address: str
    state: str
    attempts: int
    error_text: str | None
    queued_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One line of the ledger: a debit is positive, a credit negative."""

    booked_at: datetime
    kind: str
    account: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvidence:
    """All of it."""

    payment: PaymentFacts
    invoices: Sequence[CoveredInvoice]
    postings: Sequence[PostingFacts]
    provider_events: Sequence[ProviderEventFacts]
    mails: Sequence[MailFacts]
    journal: Sequence[JournalLine]
    events: Sequence[Event]


async def payment(tx: Transaction, payment_id: str) -> PaymentEvidence | None:
    """Everything that is known of a payment, or None."""
    row = await tx.row(
        "SELECT p.*, c.name AS customer_name FROM payments p JOIN customers c ON c.id = p.customer_id WHERE p.id = :id",
        id=payment_id,
    )
    if row is None:
        return None
    facts = shaped(PaymentFacts, row)
    return PaymentEvidence(
        payment=facts,
        invoices=await _invoices(tx, payment_id),
        postings=await staff_postings.of_payment(tx, payment_id),
        provider_events=await provider_events(tx, payment_id, provider_ref=facts.provider_ref, attempts=facts.attempt),
        mails=await mails(tx, payment_id),
        journal=await _journal(tx, payment_id),
        events=await timeline(tx, payment_id),
    )


async def customer_of(tx: Transaction, payment_id: str) -> str | None:
    """Whose a payment is, or None where there is none."""
    row = await tx.row("SELECT customer_id FROM payments WHERE id = :id", id=payment_id)
    return None if row is None else str(row.customer_id)


async def setup(tx: Transaction, setup_id: str) -> SetupFacts | None:
    """A set-up of a payment method, or None."""
    row = await tx.row(
        "SELECT s.*, c.name AS customer_name FROM method_setups s JOIN customers c ON c.id = s.customer_id WHERE s.id = :id",
        id=setup_id,
    )
    return None if row is None else shaped(SetupFacts, row)


async def timeline(tx: Transaction, process_id: str) -> Sequence[Event]:
    """A process's events in the order in which they were told."""
    rows = await tx.rows(
        "SELECT at, kind, process_id, facts FROM timeline WHERE process_id = :id ORDER BY at, seq", id=process_id
    )
    return [shaped(Event, row) for row in rows]


async def provider_events(
    tx: Transaction, process_id: str, *, provider_ref: str | None, attempts: int = 1
) -> Sequence[ProviderEventFacts]:
    """What the provider sent about a process: by our reference (the id, or the id and an attempt), or by its own."""
    rows = await tx.rows(
        """SELECT id, event_id, kind, state, reason, deliveries, occurred_at, received_at FROM inbox
           WHERE our_ref = ANY(CAST(:ours AS text[])) OR provider_id = :ref
           ORDER BY received_at, id""",
        ours=[process_id, *(f"{process_id}-{attempt}" for attempt in range(1, attempts + 1))],
        ref=provider_ref,
    )
    return [shaped(ProviderEventFacts, row) for row in rows]


async def mails(tx: Transaction, process_id: str) -> Sequence[MailFacts]:
    """The mails about a process, in their order."""
    rows = await tx.rows(
        """SELECT template, to_address, state, attempts, error_text, queued_at, sent_at FROM outbox
           WHERE process_id = :id ORDER BY seq""",
        id=process_id,
    )
    return [shaped(MailFacts, row) for row in rows]


async def _invoices(tx: Transaction, payment_id: str) -> Sequence[CoveredInvoice]:
    rows = await tx.rows(
        """SELECT l.invoice_id, i.number, l.amount AS asked,
                  coalesce((SELECT h.amount FROM holds h
                            WHERE h.holder_id = l.payment_id AND h.invoice_id = l.invoice_id), 0) AS held,
                  coalesce((SELECT sum(a.amount) FROM allocations a
                            WHERE a.payment_id = l.payment_id AND a.invoice_id = l.invoice_id), 0)::bigint AS allocated
           FROM payment_lines l JOIN invoices i ON i.id = l.invoice_id WHERE l.payment_id = :id ORDER BY l.position""",
        id=payment_id,
    )
    return [shaped(CoveredInvoice, row) for row in rows]


async def _journal(tx: Transaction, payment_id: str) -> Sequence[JournalLine]:
    rows = await tx.rows(
        """SELECT e.booked_at, e.kind, l.account, l.amount, l.currency
           FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
           WHERE e.process_id = :id ORDER BY e.seq, l.position""",
        id=payment_id,
    )
    return [shaped(JournalLine, row) for row in rows]
