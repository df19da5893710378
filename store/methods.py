"""Payment methods and their set-ups. Exactly one default, kept by a unique index and by locking the customer's row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.lifecycles import SETUP_IN_FLIGHT, SetupState, setup_sources
from domain.methods import MethodDetails, MethodKind
from domain.refusals import Refusal
from store import outbox, timeline
from store.database import Transaction
from store.identity import fresh_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A saved method."""

    id: str
    customer_id: str
    connection_id: str
    token: str
    kind: MethodKind
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    state: str
    is_default: bool

    @property
    def label(self) -> str:
        """How it is named to people: 'Visa ending 4242'."""
        return f"{self.brand.title() if self.kind.is_card else self.brand} ending {self.last4}"


def label_of(details: MethodDetails) -> str:
    """The same for a method that is not kept."""
    return f"{details.brand.title() if details.kind.is_card else details.brand} ending {details.last4}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRow:
    """A set-up as its process needs it."""

    id: str
    customer_id: str
    connection_id: str
    kind: MethodKind
    currency: str
    state: SetupState
    run_id: str
    request_hash: str
    refused_rule: str | None
    session_id: str | None
    page_url: str | None
    method_id: str | None
    return_path: str
    opened_at: datetime
    deadline_at: datetime | None


def _method(row: object) -> Method:
    names = Method.__dataclass_fields__
    values = {name: getattr(row, name) for name in names}
    values["kind"] = MethodKind(values["kind"])
    return Method(**values)


async def load(tx: Transaction, method_id: str, *, lock: str = "") -> Method | None:
    """A method; `lock` is '', 'FOR SHARE' (it is being used) or 'FOR UPDATE' (it is being changed)."""
    if lock not in {"", "FOR SHARE", "FOR UPDATE"}:
        raise ValueError(lock)
    row = await tx.row(f"SELECT * FROM payment_methods WHERE id = :id {lock}", id=method_id)
    return _method(row) if row is not None else None


async def of_customer(tx: Transaction, customer_id: str) -> Sequence[Method]:
    """What the customer has, the default first."""
    rows = await tx.rows(
        """SELECT * FROM payment_methods WHERE customer_id = :id AND state IN ('active', 'verifying', 'detaching')
           ORDER BY is_default DESC, added_at""",
        id=customer_id,
    )
    return [_method(row) for row in rows]


async def lock_customer(tx: Transaction, customer_id: str) -> None:
    """Changes of one customer's methods follow one another. NO KEY: a payment of the customer's may be opened meanwhile;
    it holds its method and needs the customer to exist, and the two would wait for each other.
    """
    await tx.row("SELECT 1 FROM customers WHERE id = :id FOR NO KEY UPDATE", id=customer_id)


async def keep(
    tx: Transaction, details: MethodDetails, *, customer_id: str, connection_id: str, state: str, by: str, at: datetime
) -> str:
    """Store a method that the provider keeps, once by its token; the customer's first usable one becomes the default."""
    await lock_customer(tx, customer_id)
    row = await tx.row(
        """INSERT INTO payment_methods AS m (id, customer_id, connection_id, token, kind, brand, last4, exp_month,
            exp_year, state, is_default,
                  added_by, added_at, changed_at)
           VALUES (:id, :customer, :connection, :token, :kind, :brand, :last4, :month, :year, :state,
                  :state = 'active' AND NOT EXISTS (SELECT 1 FROM payment_methods d WHERE d.customer_id = :customer
                      AND d.is_default), :by, :at, :at)
           ON CONFLICT (connection_id, token) DO UPDATE SET state = CASE WHEN m.state = 'verifying' THEN
               excluded.state ELSE m.state END,
                  is_default = m.is_default OR (m.state = 'verifying' AND excluded.is_default),
                      changed_at = excluded.changed_at
           RETURNING m.id""",
        id=fresh_id("pm"),
        customer=customer_id,
        connection=connection_id,
        token=details.token,
        kind=details.kind,
        brand=details.brand,
        last4=details.last4,
        month=details.exp_month,
        year=details.exp_year,
        state=state,
        by=by,
        at=at,
    )
    assert row is not None
    return str(row.id)


async def is_used(tx: Transaction, method_id: str) -> bool:
    """Whether a payment in flight charges it."""
    row = await tx.row(
        """SELECT 1 FROM payments WHERE method_id = :id AND state IN ('charging', 'awaiting_customer', 'processing',
            'unknown') LIMIT 1""",
        id=method_id,
    )
    return row is not None


async def make_default(tx: Transaction, method: Method, *, by: str, at: datetime, once: str) -> None:
    """This one and no other. The customer's row is locked by the caller."""
    await tx.run(
        """UPDATE payment_methods SET is_default = false, changed_at = :at
           WHERE customer_id = :customer AND is_default AND id <> :id""",
        id=method.id,
        customer=method.customer_id,
        at=at,
    )
    await tx.run("UPDATE payment_methods SET is_default = true, changed_at = :at WHERE id = :id", id=method.id, at=at)
    await timeline.tell(
        tx, process_id=method.id, customer_id=method.customer_id, kind="default_changed", at=at, facts={"by": by}, once=once
    )


async def change_state(tx: Transaction, method: Method, state: str, *, at: datetime, error: str | None = None) -> None:
    """detaching, detached, or 'kept': what it was before, with the reason why the provider keeps it."""
    await tx.run(
        """UPDATE payment_methods SET changed_at = :at,
                  state = CASE WHEN :state = 'kept' THEN coalesce(state_before, 'inactive') ELSE :state END,
                  state_before = CASE WHEN :state = 'detaching' AND state <> 'detaching' THEN state ELSE state_before END,
                  detach_error = :error, is_default = is_default AND :state <> 'detached' WHERE id = :id""",
        id=method.id,
        state=state,
        error=error,
        at=at,
    )


async def give_up(tx: Transaction, method_id: str, *, at: datetime) -> None:
    """A method whose verification failed is never usable."""
    await tx.run(
        """UPDATE payment_methods SET state = 'inactive', is_default = false, changed_at = :at
           WHERE id = :id AND state = 'verifying'""",
        id=method_id,
        at=at,
    )


async def payer_ref(tx: Transaction, customer_id: str, connection_id: str) -> str | None:
    """What the provider calls this customer, when it does."""
    row = await tx.row(
        "SELECT provider_ref FROM payers WHERE customer_id = :customer AND connection_id = :connection",
        customer=customer_id,
        connection=connection_id,
    )
    return str(row.provider_ref) if row is not None else None


async def remember_payer(tx: Transaction, customer_id: str, connection_id: str, provider_ref: str) -> None:
    """The first name wins: a second one would split the customer's methods."""
    await tx.run(
        """INSERT INTO payers (customer_id, connection_id, provider_ref) VALUES (:customer, :connection,
            :ref) ON CONFLICT DO NOTHING""",
        customer=customer_id,
        connection=connection_id,
        ref=provider_ref,
    )


async def claim_setup(
    tx: Transaction,
    *,
    setup_id: str,
    customer_id: str,
    connection_id: str,
    kind: MethodKind,
    currency: str,
    run_id: str,
    request_hash: str,
    consent_wording: str,
    started_by: str,
    channel: str,
    return_path: str,
    at: datetime,
) -> bool:
    """Take the set-up's own row, with the customer's consent: its wording, its time, who gave it."""
    row = await tx.row(
        """INSERT INTO method_setups (id, customer_id, connection_id, kind, currency, state, run_id, request_hash,
            consent_wording, consent_at,
                  started_by, channel, return_path, opened_at, changed_at)
           VALUES (:id, :customer, :connection, :kind, :currency, 'started', :run, :hash, :wording, :at, :by,
               :channel, :path, :at, :at)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        id=setup_id,
        customer=customer_id,
        connection=connection_id,
        kind=kind,
        currency=currency,
        run=run_id,
        hash=request_hash,
        wording=consent_wording,
        by=started_by,
        channel=channel,
        path=return_path,
        at=at,
    )
    if row is not None:
        await timeline.tell(tx, process_id=setup_id, customer_id=customer_id, kind="opened", at=at, facts={"by": started_by})
    return row is not None


async def load_setup(tx: Transaction, setup_id: str, *, lock: bool = False) -> SetupRow | None:
    """The row, locked when asked."""
    row = await tx.row(f"SELECT * FROM method_setups WHERE id = :id {'FOR UPDATE' if lock else ''}", id=setup_id)
    if row is None:
        return None
    values = {name: getattr(row, name) for name in SetupRow.__dataclass_fields__}
    values["kind"], values["state"] = MethodKind(values["kind"]), SetupState(values["state"])
    return SetupRow(**values)


async def setups_in_flight(tx: Transaction, *, opened_before: datetime) -> Sequence[str]:
    """Those that are still open and older than a moment: what a sweep compares with Temporal."""
    rows = await tx.rows(
        """SELECT id FROM method_setups WHERE state IN ('started', 'redirected', 'verifying') AND opened_at < :before
           ORDER BY opened_at LIMIT 20000""",
        before=opened_before,
    )
    return [row.id for row in rows]


async def refuse_setup(tx: Transaction, setup_id: str, customer_id: str, refusal: Refusal, *, at: datetime) -> None:
    """Store the decision with its rule."""
    await tx.run(
        """UPDATE method_setups SET state = 'refused', refused_rule = :rule, refused_facts = cast(:facts AS jsonb),
            changed_at = :at
           WHERE id = :id AND state = 'started'""",
        id=setup_id,
        rule=refusal.rule,
        facts=json.dumps(dict(refusal.facts)),
        at=at,
    )
    await timeline.tell(
        tx, process_id=setup_id, customer_id=customer_id, kind="refused", at=at, facts={"rule": refusal.rule}
    )


async def redirect_setup(
    tx: Transaction, setup_id: str, *, session_id: str, page_url: str, deadline_at: datetime, at: datetime
) -> bool:
    """The provider's page is open; its address is kept until the end, so that a lost answer can be given again."""
    row = await tx.row(
        """UPDATE method_setups SET state = 'redirected', session_id = :session, page_url = :url,
            deadline_at = :deadline, changed_at = :at
           WHERE id = :id AND state = 'started' RETURNING customer_id""",
        id=setup_id,
        session=session_id,
        url=page_url,
        deadline=deadline_at,
        at=at,
    )
    if row is not None:
        await timeline.tell(tx, process_id=setup_id, customer_id=row.customer_id, kind="redirected", at=at)
    return row is not None


async def move_setup(
    tx: Transaction,
    setup_id: str,
    state: SetupState,
    *,
    method_id: str | None = None,
    failure_code: str | None = None,
    at: datetime,
) -> bool:
    """A compare-and-set to a later state; with a completed one goes the mail that says so."""
    row = await tx.row(
        """UPDATE method_setups SET state = :state, method_id = coalesce(:method, method_id),
            failure_code = coalesce(:failure, failure_code),
                  page_url = CASE WHEN :ends THEN NULL ELSE page_url END, changed_at = :at
           WHERE id = :id AND state = ANY(:sources) RETURNING customer_id""",
        id=setup_id,
        state=state,
        method=method_id,
        failure=failure_code,
        ends=state not in SETUP_IN_FLIGHT,
        at=at,
        sources=list(setup_sources(state)),
    )
    if row is None:
        return False
    await timeline.tell(
        tx, process_id=setup_id, customer_id=row.customer_id, kind=state.value, at=at, facts={"code": failure_code}
    )
    if state is SetupState.COMPLETED:
        address = await tx.row("SELECT email FROM customers WHERE id = :id", id=row.customer_id)
        if address is not None and address.email:
            await outbox.queue(
                tx,
                template="method_ready",
                to_address=address.email,
                at=at,
                process_id=setup_id,
                customer_id=row.customer_id,
                facts={"method_id": method_id or ""},
            )
    return True


async def checked_setup(tx: Transaction, setup_id: str, *, at: datetime, next_at: datetime | None) -> None:
    """A look that changed nothing."""
    await tx.run(
        "UPDATE method_setups SET last_checked_at = :at, next_check_at = :next WHERE id = :id",
        id=setup_id,
        at=at,
        next=next_at,
    )
