"""P4: a page of two hundred invoices of the JSON API, by processor time."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from bench import load
from bench.api_server import product
from bench.case import Prepared, Sample, Variant, require_same
from bench.cpu import watching
from bench.data import Books
from bench.ground import Ground, Server, ground
from bench.signing_in import key_of

CONNECTIONS: Final = 4
ROWS: Final = 200


class List:
    """The rows alone, our list with its key and its scope, and FastAPI with a response model over the ORM."""

    id = "P4"
    title = "Answer a JSON list of two hundred invoices"

    @asynccontextmanager
    async def prepared(self, quick: bool) -> AsyncIterator[Prepared]:
        """One customer with exactly as many invoices as a page takes."""
        async with ground() as under:
            books = Books(under.admin_url)
            customer = books.customers(1)[0]
            books.invoices(customer, ROWS)
            books.settle_down("invoices", "customers")
            frame = under.folder / "frame"
            frame.mkdir()
            for name in ("whole", "before", "after"):
                (frame / f"{name}.html").touch()
            environment = {
                "BENCH_DATABASE_URL": under.url("duly_staff"),
                "BENCH_STAFF_URL": under.url("duly_staff"),
                "BENCH_PORTAL_URL": under.url("duly_portal"),
                "BENCH_CUSTOMER": customer,
                "BENCH_FRAME": str(frame),
            }
            with (
                product(under) as ours,
                under.serving("bench.limits.app:create", name="limits", environment=environment) as limits,
                under.serving("bench.naive.app:create", name="naive", environment=environment) as naive,
            ):
                asked = f"/invoices?customer_id={customer}&limit={ROWS}"
                key = {"Authorization": f"Bearer {await key_of(under)}"}
                yield _prepared(
                    under,
                    {
                        "direct": (limits, load.request("GET", "/invoices", limits.port)),
                        "ours": (ours, load.request("GET", f"/v1{asked}", ours.port, headers=key)),
                        "response_model": (naive, load.request("GET", asked, naive.port)),
                    },
                    pages=80 if quick else 300,
                )


def _prepared(under: Ground, asked: dict[str, tuple[Server, bytes]], *, pages: int) -> Prepared:
    def timed(server: Server, asking: bytes) -> Callable[[], Awaitable[Sample]]:
        async def once() -> Sample:
            with watching(trees=[server.pid, under.pid], ourselves=False) as watch:
                seen = await load.closed(server.port, [asking] * pages, connections=CONNECTIONS)
            seen.require(200)
            facts = {"generator_busy": seen.own_cpu_seconds / watch.wall_seconds}
            return Sample(operations=pages, wall_seconds=watch.wall_seconds, cpu_seconds=watch.cpu_seconds, facts=facts)

        return once

    async def same() -> None:
        answers = {name: (await load.ask(server.port, asking)).body for name, (server, asking) in asked.items()}
        require_same("the list", {name: json.loads(answer) for name, answer in answers.items()})
        require_same("how many rows", {"asked": ROWS, "answered": len(json.loads(answers["ours"])["invoices"])})

    return Prepared(
        variants=[
            Variant(name="direct", role="limit", once=timed(*asked["direct"])),
            Variant(name="ours", role="ours", once=timed(*asked["ours"])),
            Variant(name="response_model", role="plain", once=timed(*asked["response_model"])),
        ],
        same=same,
    )


CASE: Final = List()
