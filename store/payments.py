"""Opening a payment and recording what became of it. Money writes are hand-written statements that survive running
again after their own commit and running twice at once: the process's own row first, documents in id order, a
compare-and-set on the state as the fence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.allocation import Line, adopt
from domain.lifecycles import IN_FLIGHT, PaymentState, payment_sources
from domain.money import Money
from domain.payments import Plan
from domain.refusals import Refusal
from store import invoices, snapshots, timeline, wanted
from store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """What is known before the first decision."""

    id: str
    customer_id: str
    connection_id: str
    currency: str
    run_id: str
    request_hash: str
    way: str
    method_id: str | None
    method_kind: str
    method_label: str
    save_consent: bool
    consent_wording: str | None
    channel: str
    started_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment as its process and its pages need it."""

    id: str
    customer_id: str
    connection_id: str
    amount: Money
    state: PaymentState
    run_id: str
    request_hash: str
    refused_rule: str | None
    refused_facts: Mapping[str, str | int]
    way: str
    method_id: str | None
    method_kind: str
    method_label: str
    save_consent: bool
    attempt: int
    sent_at: datetime | None
    provider_ref: str | None
    action_url: str | None
    failure_code: str | None
    captured: Money
    opened_at: datetime
    unknown_since: datetime | None
    deadline_at: datetime | None
    changed_at: datetime


async def claim(tx: Transaction, new: NewPayment, *, at: datetime) -> bool:
    """Take the payment's own row: True for the one who made it. A second copy waits here for the first to commit."""
    row = await tx.row(
        """INSERT INTO payments (id, customer_id, connection_id, currency, amount, state, run_id, request_hash, way,
                                 method_id, method_kind, method_label, save_consent, consent_wording, channel, started_by,
                                 opened_at, changed_at)
           VALUES (:id, :customer, :connection, :currency, 0, 'charging', :run, :hash, :way, :method, :kind, :label,
                   :save, :wording, :channel, :by, :at, :at)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        id=new.id,
        customer=new.customer_id,
        connection=new.connection_id,
        currency=new.currency,
        run=new.run_id,
        hash=new.request_hash,
        way=new.way,
        method=new.method_id,
        kind=new.method_kind,
        label=new.method_label,
        save=new.save_consent,
        wording=new.consent_wording,
        channel=new.channel,
        by=new.started_by,
        at=at,
    )
    return row is not None


async def load(tx: Transaction, payment_id: str, *, lock: bool = False) -> PaymentRow | None:
    """The row, locked when asked."""
    row = await tx.row(f"SELECT * FROM payments WHERE id = :id {'FOR UPDATE' if lock else ''}", id=payment_id)
    if row is None:
        return None
    return PaymentRow(
        id=row.id,
        customer_id=row.customer_id,
        connection_id=row.connection_id,
        amount=Money.of(row.amount, row.currency),
        state=PaymentState(row.state),
        run_id=row.run_id,
        request_hash=row.request_hash,
        refused_rule=row.refused_rule,
        refused_facts=row.refused_facts,
        way=row.way,
        method_id=row.method_id,
        method_kind=row.method_kind,
        method_label=row.method_label,
        save_consent=row.save_consent,
        attempt=row.attempt,
        sent_at=row.sent_at,
        provider_ref=row.provider_ref,
        action_url=row.action_url,
        failure_code=row.failure_code,
        captured=Money.of(row.captured, row.currency),
        opened_at=row.opened_at,
        unknown_since=row.unknown_since,
        deadline_at=row.deadline_at,
        changed_at=row.changed_at,
    )


class Standing(NamedTuple):
    """Where a payment is, as whoever waits for it wants to know."""

    state: PaymentState
    action_url: str | None
    deadline_at: datetime | None
    provider_ref: str | None


async def standing(tx: Transaction, payment_id: str) -> Standing | None:
    """Where a payment is: four columns where `load` reads all."""
    row = await tx.row("SELECT state, action_url, deadline_at, provider_ref FROM payments WHERE id = :id", id=payment_id)
    return None if row is None else Standing(PaymentState(row.state), row.action_url, row.deadline_at, row.provider_ref)


async def standings(tx: Transaction, payment_ids: Sequence[str]) -> Mapping[str, Standing]:
    """The same of several, by id; those that are not there are left out."""
    rows = await tx.rows(
        "SELECT id, state, action_url, deadline_at, provider_ref FROM payments WHERE id = ANY(:ids)", ids=list(payment_ids)
    )
    return {row.id: Standing(PaymentState(row.state), row.action_url, row.deadline_at, row.provider_ref) for row in rows}


async def lines(tx: Transaction, payment_id: str) -> tuple[Line, ...]:
    """What the payment was opened for, in order."""
    rows = await tx.rows(
        "SELECT invoice_id, amount FROM payment_lines WHERE payment_id = :id ORDER BY position", id=payment_id
    )
    return tuple(Line(invoice_id=row.invoice_id, minor=row.amount) for row in rows)


async def refuse(tx: Transaction, payment_id: str, customer_id: str, refusal: Refusal, *, at: datetime) -> None:
    """Store the decision that it was refused, with its rule: a second copy answers the same."""
    await tx.run(
        """UPDATE payments SET state = 'refused', refused_rule = :rule, refused_facts = cast(:facts AS jsonb),
            changed_at = :at
           WHERE id = :id AND state = 'charging'""",
        id=payment_id,
        rule=refusal.rule,
        facts=json.dumps(dict(refusal.facts)),
        at=at,
    )
    await timeline.tell(
        tx, process_id=payment_id, customer_id=customer_id, kind="refused", at=at, facts={"rule": refusal.rule}
    )


async def hold(tx: Transaction, payment_id: str, plan: Plan, *, key: str, at: datetime) -> None:
    """Reserve what the plan takes. The invoices are locked and the plan was made from facts read after that."""
    await tx.run(
        """WITH wished AS (SELECT * FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) WITH ORDINALITY
                           AS t(invoice_id, amount, position)),
                p AS (UPDATE payments SET amount = :amount, charge_key = :key WHERE id = :id RETURNING id,
                    customer_id, started_by),
                l AS (INSERT INTO payment_lines (payment_id, invoice_id, customer_id, amount, position)
                      SELECT p.id, w.invoice_id, i.customer_id, w.amount, w.position
                      FROM p, wished w JOIN invoices i ON i.id = w.invoice_id),
                h AS (INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at)
                      SELECT p.id, w.invoice_id, i.customer_id, w.amount, :at FROM p,
                          wished w JOIN invoices i ON i.id = w.invoice_id)
           INSERT INTO timeline (id, process_id, customer_id, kind, facts, at)
           SELECT p.id || '/' || k, p.id, p.customer_id, k, jsonb_build_object('invoices', cast(:count AS int), 'by',
               p.started_by), :at
           FROM p, unnest(ARRAY['opened', 'held']) WITH ORDINALITY AS t(k, n) ORDER BY n""",
        ids=[line.invoice_id for line in plan.lines],
        amounts=[line.minor for line in plan.lines],
        count=len(plan.lines),
        amount=plan.amount.minor,
        key=key,
        id=payment_id,
        at=at,
    )


async def sending(tx: Transaction, payment_id: str, *, at: datetime) -> bool:
    """Written before the charge leaves: from here on it may have happened. False when the payment has ended meanwhile."""
    row = await tx.row(
        """UPDATE payments SET sent_at = :at WHERE id = :id AND state IN ('charging', 'unknown') RETURNING 1""",
        id=payment_id,
        at=at,
    )
    return row is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the provider told, as it is stored. None leaves what is there."""

    state: PaymentState
    provider_ref: str | None = None
    action_url: str | None = None
    failure_code: str | None = None
    expected_on: str | None = None
    method_label: str | None = None
    deadline_at: datetime | None = None


async def move(tx: Transaction, payment_id: str, outcome: Outcome, *, at: datetime) -> bool:
    """A state in which no money moves and the holds stay: awaiting the customer, processing, unknown."""
    row = await tx.row(
        """UPDATE payments SET state = :state, provider_ref = coalesce(:ref, provider_ref), action_url = :url,
                  failure_code = coalesce(:failure, failure_code), expected_on = coalesce(:expected, expected_on),
                  method_label = coalesce(:label, method_label), deadline_at = coalesce(:deadline, deadline_at),
                      changed_at = :at,
                  unknown_since = CASE WHEN :state = 'unknown' THEN coalesce(unknown_since, :at) END,
                  next_check_at = CASE WHEN :state = 'unknown' THEN next_check_at END
           WHERE id = :id AND state = ANY(:sources) RETURNING customer_id""",
        id=payment_id,
        state=outcome.state,
        ref=outcome.provider_ref,
        url=outcome.action_url,
        failure=outcome.failure_code,
        expected=outcome.expected_on,
        label=outcome.method_label,
        deadline=outcome.deadline_at,
        at=at,
        sources=list(payment_sources(outcome.state)),
    )
    if row is None:
        return False
    kind = {PaymentState.AWAITING_CUSTOMER: "redirected"}.get(outcome.state, outcome.state.value)
    facts = {"expected_on": outcome.expected_on} if outcome.expected_on else None
    await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind=kind, at=at, facts=facts)
    return True


async def checked(tx: Transaction, payment_id: str, *, at: datetime, next_at: datetime | None, note: str | None) -> None:
    """A look that changed nothing: when it was, when the next will be, and why it is not known yet."""
    await tx.run(
        """UPDATE payments SET last_checked_at = :at, next_check_at = :next, check_note = coalesce(:note, check_note)
           WHERE id = :id""",
        id=payment_id,
        at=at,
        next=next_at,
        note=note,
    )


_CAPTURE = """
WITH p AS (UPDATE payments SET state = 'captured', captured = amount, provider_ref = coalesce(:ref, provider_ref),
    action_url = NULL,
                  failure_code = NULL, method_label = coalesce(:label, method_label), changed_at = :at,
                      unknown_since = NULL, next_check_at = NULL
           WHERE id = :id AND state = ANY(:sources) RETURNING *),
     h AS (DELETE FROM holds USING p WHERE holds.holder_id = p.id RETURNING holds.invoice_id, holds.customer_id,
         holds.amount),
     q AS (INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, currency, queued_at)
           SELECT p.id || '-captured',
                  coalesce((SELECT c.connection_id FROM customers c WHERE c.id = p.customer_id), :erp),
                  'payment', p.id, p.customer_id,
                  array_append(ARRAY(SELECT h.invoice_id FROM h ORDER BY 1), p.id), p.amount, p.currency, :at FROM p
           RETURNING id),
     a AS (INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
           SELECT q.id || '/' || h.invoice_id, p.id, h.invoice_id, h.customer_id, h.amount, q.id, :at FROM p, q, h),
     e AS (INSERT INTO journal_entries (id, process_id, customer_id, kind, currency, booked_at)
           SELECT p.id || '/captured', p.id, p.customer_id, 'captured', p.currency, :at FROM p),
     n AS (SELECT 'clearing' AS account, p.connection_id AS holder, NULL AS invoice_id, p.amount AS amount FROM p
           UNION ALL SELECT 'receivable', p.customer_id, h.invoice_id, -h.amount FROM p, h
           UNION ALL SELECT 'unapplied', p.customer_id, NULL, (SELECT coalesce(sum(h.amount), 0) FROM h) - p.amount FROM p),
     l AS (INSERT INTO journal_lines (entry_id, position, account, holder, customer_id, invoice_id, currency, amount)
           SELECT p.id || '/captured', row_number() OVER (ORDER BY n.account, n.invoice_id), n.account, n.holder,
               p.customer_id,
                  n.invoice_id, p.currency, n.amount FROM p, n WHERE n.amount <> 0),
     t AS (INSERT INTO timeline (id, process_id, customer_id, kind, facts, at)
           SELECT p.id || '/captured', p.id, p.customer_id, 'captured', jsonb_build_object('late',
               cast(:late AS boolean)), :at FROM p
           ON CONFLICT (id) DO NOTHING),
     m AS (INSERT INTO outbox (id, dedupe_key, template, to_address, customer_id, process_id, facts, queued_at)
           SELECT :mail, p.id || '/receipt/' || c.email || '/', 'receipt', c.email, c.id, p.id, '{}', :at
           FROM p JOIN customers c ON c.id = p.customer_id WHERE c.email IS NOT NULL ON CONFLICT (dedupe_key) DO NOTHING)
SELECT id, amount, (SELECT coalesce(sum(h.amount), 0) FROM h)::bigint AS allocated FROM p"""


async def capture(
    tx: Transaction, payment_id: str, outcome: Outcome, *, erp: str, mail_id: str, at: datetime, late: bool = False
) -> bool:
    """Money arrived: holds become allocations, a balanced entry, the posting, the receipt; in one statement."""
    sources = payment_sources(PaymentState.CAPTURED) if late else IN_FLIGHT
    row = await tx.row(
        _CAPTURE,
        id=payment_id,
        ref=outcome.provider_ref,
        label=outcome.method_label,
        sources=list(sources),
        erp=erp,
        mail=mail_id,
        at=at,
        late=late,
    )
    return row is not None


async def capture_late(tx: Transaction, payment_id: str, outcome: Outcome, *, erp: str, mail_id: str, at: datetime) -> bool:
    """Money arrived after we had given up: per invoice what is open and held by nobody else, the rest is unapplied
    and remembers what it wanted.
    """
    row = await load(tx, payment_id, lock=True)
    if row is None or row.state not in payment_sources(PaymentState.CAPTURED) or row.state in IN_FLIGHT:
        return False
    wishes = await lines(tx, payment_id)
    await invoices.lock(tx, [line.invoice_id for line in wishes])
    room = await tx.rows(
        "SELECT id, available FROM invoice_states WHERE id = ANY(:ids)", ids=[line.invoice_id for line in wishes]
    )
    adoption = adopt(wishes, {each.id: each.available for each in room})
    await tx.run(
        """INSERT INTO holds (holder_id, invoice_id, customer_id, amount, held_at)
           SELECT :id, t.invoice_id, i.customer_id, t.amount, :at
           FROM unnest(cast(:ids AS text[]), cast(:amounts AS bigint[])) AS t(invoice_id,
               amount) JOIN invoices i ON i.id = t.invoice_id""",
        id=payment_id,
        ids=[line.invoice_id for line in adoption.lines],
        amounts=[line.minor for line in adoption.lines],
        at=at,
    )
    done = await capture(tx, payment_id, outcome, erp=erp, mail_id=mail_id, at=at, late=True)
    await wanted.remember(tx, payment_id, adoption.wanted, erp=erp, at=at)
    if adoption.wanted:
        await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="adopted", at=at)
    return done


async def end_without_money(tx: Transaction, payment_id: str, outcome: Outcome, *, erp: str, at: datetime) -> bool:
    """Declined, failed, canceled or expired, as fetched: the holds end here, and what others wanted is served first."""
    row = await tx.row(
        """UPDATE payments SET state = :state, provider_ref = coalesce(:ref, provider_ref), action_url = NULL,
                  failure_code = coalesce(:failure, failure_code), changed_at = :at, unknown_since = NULL,
                      next_check_at = NULL
           WHERE id = :id AND state = ANY(:sources) RETURNING customer_id, amount, currency""",
        id=payment_id,
        state=outcome.state,
        ref=outcome.provider_ref,
        failure=outcome.failure_code,
        at=at,
        sources=list(payment_sources(outcome.state) & IN_FLIGHT),
    )
    if row is None:
        return False
    freed = [line.invoice_id for line in await lines(tx, payment_id)]
    await invoices.lock(tx, freed)
    await tx.run("DELETE FROM holds WHERE holder_id = :id", id=payment_id)
    await timeline.tell(
        tx,
        process_id=payment_id,
        customer_id=row.customer_id,
        kind=outcome.state.value,
        at=at,
        facts={"code": outcome.failure_code},
    )
    # What reserved more than there is no longer does: a sync that finds nothing new would not look again.
    await snapshots.note_differences(tx, freed, at=at)
    await wanted.serve(tx, freed, erp=erp, at=at)
    return True


async def settle(tx: Transaction, payment_id: str, *, at: datetime) -> bool:
    """The provider says the money is ours for good (until a return)."""
    row = await tx.row(
        """UPDATE payments SET state = 'settled',
            changed_at = :at WHERE id = :id AND state = ANY(:sources) RETURNING customer_id""",
        id=payment_id,
        at=at,
        sources=list(payment_sources(PaymentState.SETTLED)),
    )
    if row is not None:
        await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="settled", at=at)
    return row is not None


async def dispute(tx: Transaction, payment_id: str, *, at: datetime) -> bool:
    """The customer's bank asks for the money back; it is still ours until that is decided."""
    row = await tx.row(
        """UPDATE payments SET state = 'disputed', changed_at = :at WHERE id = :id AND state = ANY(:sources)
           RETURNING customer_id""",
        id=payment_id,
        at=at,
        sources=list(payment_sources(PaymentState.DISPUTED)),
    )
    if row is not None:
        once = at.isoformat()  # another may follow one that was won
        await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="disputed", at=at, once=once)
    return row is not None


async def win_dispute(tx: Transaction, payment_id: str, *, at: datetime) -> bool:
    """The bank has decided for us: the money is ours for good, and nothing was ever taken off the invoices."""
    row = await tx.row(
        """UPDATE payments SET state = 'settled', changed_at = :at WHERE id = :id AND state = 'disputed'
           RETURNING customer_id""",
        id=payment_id,
        at=at,
    )
    if row is not None:
        once = at.isoformat()
        await timeline.tell(tx, process_id=payment_id, customer_id=row.customer_id, kind="dispute_won", at=at, once=once)
    return row is not None


async def in_flight(tx: Transaction, *, opened_before: datetime) -> Sequence[tuple[str, str]]:
    """(payment id, state) of those that are still open and older than a moment: what a sweep compares with Temporal."""
    rows = await tx.rows(
        """SELECT id, state FROM payments WHERE state IN ('charging', 'awaiting_customer', 'processing', 'unknown')
           AND opened_at < :before ORDER BY opened_at LIMIT 20000""",
        before=opened_before,
    )
    return [(row.id, row.state) for row in rows]
