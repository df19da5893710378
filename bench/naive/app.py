"""The idiomatic application: FastAPI as its tutorial has it, the ORM, Jinja on dictionaries, babel for each cell."""

import hashlib
import hmac
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload

from bench.naive import page
from bench.naive.models import Invoice, Received
from store.identity import fresh_id

_TOLERANCE_SECONDS: Final = 300
_SUBJECTS: Final = {"charge": "charge", "setup": "setup", "method": "method"}
_CLAIMS: Final = {"charge.captured": "captured", "charge.settled": "settled", "charge.failed": "declined"}


class EventObject(BaseModel):
    """What an event is about."""

    type: str
    id: str


class Event(BaseModel):
    """A delivery's body."""

    id: str
    type: str
    mode: str
    created_at: datetime
    our_ref: str | None = None
    object: EventObject


class InvoiceOut(BaseModel):
    """An invoice as the list tells it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    customer_id: str
    number: str
    site: str | None
    po_number: str | None
    currency: str
    issued_on: date
    due_on: date
    paid_on: date | None
    status: str
    is_parent: bool
    parent_id: str | None
    total: int
    open: int
    held: int
    available: int
    is_overdue: bool


class InvoicesOut(BaseModel):
    """A page of invoices."""

    invoices: list[InvoiceOut]
    next_cursor: str | None


_engine = create_async_engine(os.environ["BENCH_DATABASE_URL"], pool_size=8)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with _sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


def create() -> FastAPI:
    """The application, for uvicorn."""
    app = FastAPI()
    app.get("/health")(health)
    app.post("/webhooks/sandbox", status_code=202)(receive)
    app.get("/overview", response_class=HTMLResponse)(overview)
    app.get("/same-bytes", response_class=HTMLResponse)(same_bytes)
    app.get("/invoices", response_model=InvoicesOut)(list_invoices)
    return app


async def health() -> dict[str, str]:
    """It answers."""
    return {"status": "ok"}


async def receive(request: Request, session: Session) -> dict[str, str]:
    """Verify, look whether it is known, add it."""
    raw = await request.body()
    _verify(raw, request.headers.get("x-sandbox-signature", ""))
    event = Event.model_validate(json.loads(raw))
    async with session.begin():
        known = await session.scalar(
            select(Received).where(Received.connection_id == "sandbox", Received.dedupe_key == event.id)
        )
        if known is not None:
            known.deliveries += 1
        else:
            session.add(
                Received(
                    id=fresh_id("evt"), connection_id="sandbox", dedupe_key=event.id, event_id=event.id, kind=event.type,
                    subject=_SUBJECTS.get(event.object.type, "other"), our_ref=event.our_ref, provider_id=event.object.id,
                    claims=_CLAIMS.get(event.type), state="received", occurred_at=event.created_at,
                    received_at=datetime.now(UTC), deliveries=1,
                )
            )  # fmt: skip
    return {"status": "stored"}


def _verify(raw: bytes, header: str) -> None:
    """What a provider's library does behind `construct_event`: the mark and the age."""
    marks = dict(part.partition("=")[::2] for part in header.split(","))
    secret = os.environ["BENCH_WEBHOOK_SECRET"].encode()
    expected = hmac.new(secret, marks.get("t", "").encode() + b"." + raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, marks.get("v1", "")):
        raise HTTPException(400, "bad signature")
    if abs(time.time() - int(marks["t"])) > _TOLERANCE_SECONDS:
        raise HTTPException(400, "too old")


async def overview(customer: str, session: Session) -> HTMLResponse:
    """The account's page: every invoice of the customer as an object, a dictionary for each row, a template."""
    found = (await session.scalars(select(Invoice).where(Invoice.customer_id == customer))).all()
    return HTMLResponse(page.rendered(found, frame=os.environ["BENCH_FRAME"]))


async def same_bytes() -> HTMLResponse:
    """The page's bytes without making them: what FastAPI itself costs."""
    return HTMLResponse(_BYTES)


async def list_invoices(customer_id: str, limit: int, session: Session) -> Any:
    """Objects, handed to FastAPI, which validates them by the response model and serializes them."""
    found = await session.scalars(
        select(Invoice)
        .where(Invoice.customer_id == customer_id, ~Invoice.deleted, Invoice.status.not_in(["draft", "void"]))
        .order_by(Invoice.issued_on.desc(), Invoice.id.desc())
        .limit(limit)
        .options(selectinload(Invoice.customer))
    )
    told = []
    for each in found:
        owed = each.counted and not each.is_parent
        today = datetime.now(ZoneInfo(each.customer.time_zone)).date()
        told.append(
            {
                **{name: getattr(each, name) for name in InvoiceOut.model_fields if name not in {"status", "is_overdue"}},
                "status": each.shown,
                "is_overdue": owed and each.due_on < today,
            }
        )
    return {"invoices": told, "next_cursor": None}


_FRAME = os.environ.get("BENCH_FRAME")
_BYTES: Final = Path(_FRAME, "whole.html").read_bytes() if _FRAME else b""
