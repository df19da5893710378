"""Duly's tables as ORM classes, as far as the naive variants need them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """What the classes share: text, moments with a time zone, amounts of 64 bits."""

    type_annotation_map = {  # noqa: RUF012 SQLAlchemy wants a plain dictionary
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class Customer(Base):
    """A customer."""

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    time_zone: Mapped[str]


class Invoice(Base):
    """An invoice as the ERP told it, with what the books add: the view `invoice_states`."""

    __tablename__ = "invoice_states"

    id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    parent_id: Mapped[str | None]
    is_parent: Mapped[bool]
    number: Mapped[str]
    site: Mapped[str | None]
    po_number: Mapped[str | None]
    currency: Mapped[str]
    issued_on: Mapped[date]
    due_on: Mapped[date]
    paid_on: Mapped[date | None]
    status: Mapped[str]
    paused: Mapped[bool]
    deleted: Mapped[bool]
    total: Mapped[int]
    open: Mapped[int]
    held: Mapped[int]
    available: Mapped[int]
    shown: Mapped[str]
    counted: Mapped[bool]
    customer: Mapped[Customer] = relationship()


class Hold(Base):
    """What a payment in flight reserves."""

    __tablename__ = "holds"

    holder_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str]
    amount: Mapped[int]


class Payment(Base):
    """A payment with its holds."""

    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    connection_id: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int]
    state: Mapped[str]
    provider_ref: Mapped[str | None]
    action_url: Mapped[str | None]
    failure_code: Mapped[str | None]
    captured: Mapped[int]
    changed_at: Mapped[datetime]
    customer: Mapped[Customer] = relationship()
    holds: Mapped[list[Hold]] = relationship(cascade="all, delete-orphan")


class Posting(Base):
    """What the ERP is told of a payment."""

    __tablename__ = "postings"

    id: Mapped[str] = mapped_column(primary_key=True)
    connection_id: Mapped[str]
    kind: Mapped[str]
    payment_id: Mapped[str]
    customer_id: Mapped[str]
    docs: Mapped[list[str]]
    amount: Mapped[int]
    queued_at: Mapped[datetime]


class Allocation(Base):
    """What a payment settles of an invoice."""

    __tablename__ = "allocations"

    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    invoice_id: Mapped[str]
    customer_id: Mapped[str]
    amount: Mapped[int]
    posting_id: Mapped[str] = mapped_column(ForeignKey("postings.id"))
    allocated_at: Mapped[datetime]
    posting: Mapped[Posting] = relationship()


class JournalLine(Base):
    """One line of a journal entry."""

    __tablename__ = "journal_lines"

    entry_id: Mapped[str] = mapped_column(ForeignKey("journal_entries.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str]
    holder: Mapped[str]
    customer_id: Mapped[str]
    invoice_id: Mapped[str | None]
    currency: Mapped[str]
    amount: Mapped[int]


class JournalEntry(Base):
    """An entry with its lines."""

    __tablename__ = "journal_entries"

    id: Mapped[str] = mapped_column(primary_key=True)
    process_id: Mapped[str]
    customer_id: Mapped[str]
    kind: Mapped[str]
    currency: Mapped[str]
    booked_at: Mapped[datetime]
    lines: Mapped[list[JournalLine]] = relationship()


class TimelineEvent(Base):
    """What happened to a process."""

    __tablename__ = "timeline"

    id: Mapped[str] = mapped_column(primary_key=True)
    process_id: Mapped[str]
    customer_id: Mapped[str]
    kind: Mapped[str]
    facts: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Mail(Base):
    """A mail that waits to be sent."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str]
    template: Mapped[str]
    to_address: Mapped[str]
    customer_id: Mapped[str]
    process_id: Mapped[str]
    facts: Mapped[dict[str, Any]]
    queued_at: Mapped[datetime]


class Received(Base):
    """An event of a provider, as it came in."""

    __tablename__ = "inbox"

    id: Mapped[str] = mapped_column(primary_key=True)
    connection_id: Mapped[str]
    dedupe_key: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    our_ref: Mapped[str | None]
    provider_id: Mapped[str | None]
    claims: Mapped[str | None]
    state: Mapped[str]
    occurred_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    deliveries: Mapped[int] = mapped_column(server_default="1")
