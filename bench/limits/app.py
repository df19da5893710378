"""An ASGI callable without a framework: a page by f-strings, a list by one dump, and bytes that are there already."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from html import escape
from pathlib import Path
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import psycopg
from psycopg_pool import AsyncConnectionPool
from pydantic_core import to_json

from bench.limits.direct import Direct
from domain.business import BusinessSettings
from store.database import Transaction
from store.views.integration import InvoiceFilter, InvoiceRow, invoices
from store.views.portal import Choice, Filter, OverviewRow, overview

_FRAME: Final = Path(os.environ["BENCH_FRAME"])
_CUSTOMER: Final = os.environ["BENCH_CUSTOMER"]
_LONDON: Final = ZoneInfo("Europe/London")
_MONTHS: Final = ("", *["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"])


def create() -> Callable[[Any, Any, Any], Awaitable[None]]:
    """The callable, for uvicorn."""
    before, after = (_FRAME / "before.html").read_bytes(), (_FRAME / "after.html").read_bytes()
    whole = (_FRAME / "whole.html").read_bytes()
    portal, staff = _pool("BENCH_PORTAL_URL"), _pool("BENCH_STAFF_URL")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, [portal, staff])
        elif scope["path"] == "/overview":
            await _answer(send, b"".join([before, await _rows(portal), after]), b"text/html; charset=utf-8")
        elif scope["path"] == "/invoices":
            await _answer(send, await _list(staff), b"application/json")
        elif scope["path"] == "/same-bytes":
            await _answer(send, whole, b"text/html; charset=utf-8")
        else:
            await _answer(send, b"ok", b"text/plain")

    return app


def _pool(variable: str) -> AsyncConnectionPool[Any]:
    url = os.environ[variable].replace("postgresql+psycopg://", "postgresql://")
    return AsyncConnectionPool(url, min_size=4, max_size=8, open=False, kwargs={"autocommit": True})


async def _lifespan(receive: Any, send: Any, pools: Sequence[AsyncConnectionPool[Any]]) -> None:
    while (await receive())["type"] == "lifespan.startup":
        for each in pools:
            await each.open()
        await send({"type": "lifespan.startup.complete"})
    for each in pools:
        await each.close()
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(send: Any, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def _reading(pool: AsyncConnectionPool[Any], *, as_customer: bool) -> AsyncIterator[Transaction]:
    """Row-level security sees the customer, as in the product."""
    async with pool.connection() as connection, connection.transaction():
        if as_customer:
            await _bind(connection)
        yield cast("Transaction", Direct(connection))


async def _bind(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(
        "SELECT set_config('duly.customers', %s, true), set_config('duly.hide_paused', 'on', true)", [_CUSTOMER]
    )


async def _rows(pool: AsyncConnectionPool[Any]) -> bytes:
    today = datetime.now(_LONDON).date()
    async with _reading(pool, as_customer=True) as tx:
        seen = await overview(tx, Filter(home="GBP"), Choice(), BusinessSettings(), today=today)
    parts: list[str] = []
    parent = ""
    for row in seen.rows:
        if row.depth == 0:
            parent = row.id
            parts.append(("</tbody>" if parts else "") + '    <tbody class="multi">    <tr>\n')
        else:
            parts.append('    <tr class="site">\n')
        parts.append(_row(row, parent, today))
    return "".join(parts).encode()


def _row(row: OverviewRow, parent: str, today: date) -> str:
    identifier, number, opened = escape(row.id), escape(row.number), _money(row.open)
    if row.leaves:
        box = (
            f'name="p" value="{identifier}" data-parent="{identifier}" '
            f'aria-label="Select every site of {number} that can be paid"></label></td>'
        )
        name, beside = number, (
            f'        <span class="beside">Multi-site · {row.leaves} sites · <label class="fold"><input type="checkbox" '
            f'name="open" value="{identifier}" aria-label="Show the sites of {number}"><span class="when-shut">show sites'
            '</span><span class="when-open">hide sites</span></label></span>\n'
        )  # fmt: skip
    else:
        box = (
            f'name="i" value="{identifier}" data-minor="{row.available}" data-group="{escape(parent)}" '
            f'aria-label="Select {number}, {opened}"></label></td>'
        )
        order = "" if not row.po_number else f" · {escape(row.po_number)}"
        name, beside = escape(f"{row.site}") + order, f'<span class="beside">{number}</span>'
    late = (today - row.due_on).days
    word = f'<span class="late is-bad">{late} day{"" if late == 1 else "s"} late</span>' if late > 0 else ""
    if late == 0:
        word = '<span class="late">due today</span>'
    state = '<span class="state state-red">Overdue</span>' if late > 0 else '<span class="state state-blue">Open</span>'
    return (
        f'      <td class="c-box"><label class="reach"><input type="checkbox" class="form-check-input" {box}\n'
        f'      <th scope="row" class="c-name">\n        <a class="number" href="/invoices/{identifier}">{name}</a>\n'
        f'{beside}      </th>\n      <td class="c-issued"><span>{_day(row.issued_on, today)}</span></td>\n'
        f'      <td class="c-due"><span class="due-day">{_day(row.due_on, today)}</span>{word}</td>\n'
        f'      <td class="c-status">{state}</td>\n      <td class="c-total">{_money(row.total)}</td>\n'
        f'      <td class="c-open">{opened}</td>\n    </tr>\n'
    )


def _money(minor: int) -> str:
    pounds, pence = divmod(minor, 100)
    return f"£{pounds:,}.{pence:02}"


def _day(on: date, today: date) -> str:
    return f"{on.day} {_MONTHS[on.month]}" if on.year == today.year else f"{on.day} {_MONTHS[on.month]} {on.year}"


async def _list(pool: AsyncConnectionPool[Any]) -> bytes:
    now = datetime.now(UTC)
    async with _reading(pool, as_customer=False) as tx:
        rows = await invoices(tx, InvoiceFilter(customer_id=_CUSTOMER), after=None, limit=200)
    today = now.astimezone(_LONDON).date()
    told = []
    for row in rows[:200]:
        each = dict(zip(InvoiceRow._fields, row, strict=True))
        del each["time_zone"]
        each["is_overdue"] = each.pop("counted") and row.due_on < today
        told.append(each)
    return to_json({"invoices": told, "next_cursor": None})
