"""P3: the portal's page with two hundred invoices, from the database to the last byte, by processor time."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import load
from bench.api_server import product
from bench.case import Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.data import Books
from bench.ground import Ground, Server, ground
from bench.signing_in import cookie_of

CONNECTIONS: Final = 4
_ASSET: Final = "/static/duly.css"

# Fifty invoices that are split into three sites each: two hundred rows on one page.
_SPLIT = """
INSERT INTO invoices (id, connection_id, erp_id, customer_id, parent_id, is_parent, number, site, po_number, currency,
                      issued_on, due_on, status, status_word, total, settled, read_seq, changed_at)
SELECT 'inv_' || lpad((p * 4 + s)::text, 26, '0'), 'demo', (p * 4 + s)::text, %(customer)s,
       CASE WHEN s > 0 THEN 'inv_' || lpad((p * 4)::text, 26, '0') END, s = 0,
       'INV-' || lpad(p::text, 6, '0') || CASE WHEN s > 0 THEN '-' || s ELSE '' END, CASE WHEN s > 0 THEN 'Site ' || s END,
       CASE WHEN p %% 3 = 0 THEN 'PO-' || p * 7 END, 'GBP', date %(on)s - p, date %(on)s - p + 25, 'open', 'open',
       CASE WHEN s = 0 THEN 0 ELSE 1000 + (p * 4 + s) * 7919 %% 250000 END, 0, 1, %(at)s
FROM generate_series(1, 50) p, generate_series(0, 3) s"""


class Page:
    """Processor time of the web server and of PostgreSQL together, for each page."""

    id = "P3"
    title = "Show a customer's two hundred invoices"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """The product's page first: its frame is what the others put around their rows."""
        async with ground() as under:
            books = Books(under.admin_url)
            customer = books.customers(1)[0]
            _split(books, customer)
            with product(under) as ours:
                wire = _asking(ours, "/", Cookie=await cookie_of(under, ours.port, customer))
                frame = _framed(under, (await load.ask(ours.port, wire)).body)
                environment = {
                    "BENCH_DATABASE_URL": under.url("duly_staff"),
                    "BENCH_STAFF_URL": under.url("duly_staff"),
                    "BENCH_PORTAL_URL": under.url("duly_portal"),
                    "BENCH_CUSTOMER": customer,
                    "BENCH_FRAME": str(frame),
                }
                with (
                    under.serving("bench.limits.app:create", name="limits", environment=environment) as limits,
                    under.serving("bench.naive.app:create", name="naive", environment=environment) as naive,
                ):
                    orm = _asking(naive, f"/overview?customer={customer}")
                    yield await _prepared(under, ours, wire, limits, naive, orm, pages=40 if quick else 120)


async def _prepared(
    under: Ground, ours: Server, wire: bytes, limits: Server, naive: Server, orm: bytes, *, pages: int
) -> Prepared:
    by_hand, raw = _asking(limits, "/overview"), _asking(limits, "/same-bytes")
    asset = await load.ask(ours.port, _asking(ours, _ASSET))
    known = re.search(rb"\r\netag: ([^\r]+)", asset.head)
    assert known is not None
    unchanged = load.request("GET", _ASSET, ours.port, headers={"If-None-Match": known[1].decode()})

    def timed(server: Server, asking: bytes, *, times: int = 1, status: int = 200) -> Callable[[], Awaitable[Sample]]:
        async def once() -> Sample:
            with watching(trees=[server.pid, under.pid], ourselves=False) as watch:
                seen = await load.closed(server.port, [asking] * (pages * times), connections=CONNECTIONS)
            seen.require(status)
            facts = {"generator_busy": seen.own_cpu_seconds / watch.wall_seconds}
            return Sample(
                operations=pages * times, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds, facts=facts
            )

        return once

    async def same() -> None:
        asked = {"ours": (ours, wire), "by_hand": (limits, by_hand), "raw": (limits, raw), "orm": (naive, orm)}
        require_same("the page", {name: (await load.ask(at.port, what)).body for name, (at, what) in asked.items()})

    return Prepared(
        variants=[
            Variant(name="raw", role="limit", once=timed(limits, raw, times=10)),
            Variant(name="by_hand", role="limit", once=timed(limits, by_hand)),
            Variant(name="ours", role="ours", once=timed(ours, wire)),
            Variant(name="orm", role="plain", once=timed(naive, orm)),
            Variant(name="unchanged", role="ours", once=timed(ours, unchanged, times=10, status=304)),
            Variant(name="fastapi_static", role="plain", once=timed(naive, _asking(naive, "/same-bytes"), times=10)),
        ],
        same=same,
    )


def _split(books: Books, customer: str) -> None:
    at = datetime.now(UTC)
    books.run((_SPLIT, {"customer": customer, "at": at, "on": at.date().isoformat()}))
    books.settle_down("invoices", "customers")


def _asking(server: Server, path: str, **headers: str) -> bytes:
    return load.request("GET", path, server.port, headers=headers)


def _framed(under: Ground, page: bytes) -> Path:
    """The page, and what stands before and after its rows, as files."""
    frame = under.folder / "frame"
    frame.mkdir(exist_ok=True)
    begins, ends = page.index(b"    <tbody"), page.rindex(b"    </tbody>")
    for name, part in (("whole", page), ("before", page[:begins]), ("after", page[ends:])):
        (frame / f"{name}.html").write_bytes(part)
    return frame


CASE: Final = Page()
