"""Recording a captured payment through the ORM: load, change objects, commit."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import selectinload

from bench.naive.models import Allocation, JournalEntry, JournalLine, Mail, Payment, Posting, TimelineEvent
from store.identity import fresh_id


async def record(sessions: async_sessionmaker[AsyncSession], payment_id: str, provider_ref: str, *, at: datetime) -> str:
    """Holds become allocations, a balanced entry, the posting and the receipt; answers the payment's state."""
    async with sessions() as session, session.begin():
        payment = await session.get(
            Payment,
            payment_id,
            with_for_update={"of": Payment},
            options=[selectinload(Payment.holds), selectinload(Payment.customer)],
        )
        assert payment is not None
        if payment.state not in {"charging", "awaiting_customer", "processing", "unknown"}:
            return payment.state
        payment.state, payment.captured, payment.provider_ref = "captured", payment.amount, provider_ref
        payment.action_url, payment.failure_code, payment.changed_at = None, None, at
        _allocate(session, payment, at)
        _book(session, payment, at)
        session.add(
            TimelineEvent(
                id=f"{payment.id}/captured", process_id=payment.id, customer_id=payment.customer_id, kind="captured",
                facts={"late": False}, at=at,
            )
        )  # fmt: skip
        if payment.customer.email is not None:
            address = payment.customer.email
            session.add(
                Mail(
                    id=fresh_id("mal"), dedupe_key=f"{payment.id}/receipt/{address}/", template="receipt",
                    to_address=address, customer_id=payment.customer_id, process_id=payment.id, facts={}, queued_at=at,
                )
            )  # fmt: skip
        payment.holds.clear()
        return payment.state


def _allocate(session: AsyncSession, payment: Payment, at: datetime) -> None:
    posting = Posting(
        id=f"{payment.id}-captured", connection_id="demo", kind="payment", payment_id=payment.id,
        customer_id=payment.customer_id, docs=[*sorted(hold.invoice_id for hold in payment.holds), payment.id],
        amount=payment.amount, queued_at=at,
    )  # fmt: skip
    for hold in payment.holds:
        session.add(
            Allocation(
                id=f"{posting.id}/{hold.invoice_id}", payment_id=payment.id, invoice_id=hold.invoice_id,
                customer_id=hold.customer_id, amount=hold.amount, posting=posting, allocated_at=at,
            )
        )  # fmt: skip


def _book(session: AsyncSession, payment: Payment, at: datetime) -> None:
    entry = JournalEntry(
        id=f"{payment.id}/captured", process_id=payment.id, customer_id=payment.customer_id, kind="captured",
        currency=payment.currency, booked_at=at,
    )  # fmt: skip
    booked: list[tuple[str, str, str | None, int]] = [("clearing", payment.connection_id, None, payment.amount)]
    booked += [
        ("receivable", payment.customer_id, hold.invoice_id, -hold.amount)
        for hold in sorted(payment.holds, key=lambda hold: hold.invoice_id)
    ]
    for position, (account, holder, invoice_id, amount) in enumerate(booked, start=1):
        entry.lines.append(
            JournalLine(
                position=position, account=account, holder=holder, customer_id=payment.customer_id,
                invoice_id=invoice_id, currency=payment.currency, amount=amount,
            )
        )  # fmt: skip
    session.add(entry)
