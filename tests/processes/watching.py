"""A Duly that is watched: a worker and an API of the house with their metrics shown and their traces sent to a receiver."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from launch.health import answers_over_http
from launch.machine import api_arguments
from tests.machine import free_port
from tests.processes.house import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One span that was received."""

    trace: str
    id: str
    parent: str
    service: str
    name: str
    facts: dict[str, str]


@dataclass
class Receiver:
    """Where traces go: OTLP over HTTP, kept as it came."""

    address: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Seen]:
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                of = {each.key: each.value.string_value for each in resource.resource.attributes}
                found += [
                    Seen(
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        service=of.get("service.name", ""),
                        name=span.name,
                        facts={each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes},
                    )
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
        return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    receiver.address = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a watched house has beside others."""

    door: str
    metrics: dict[str, str]

    async def scrape(self, name: str) -> str:
        """The text of one of the addresses that show metrics."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            return (await client.get(self.metrics[name])).text


@asynccontextmanager
async def watched(house: House, receiver: Receiver) -> AsyncIterator[Watched]:
    """The only worker of the house, and one API more, as `duly up` starts them, with traces. Stopping sends what is left."""
    traced = {"DULY_TRACES_ENDPOINT": receiver.address, "DULY_ERP_REQUEST_LIFE_SECONDS": "2"}
    programs = {each.name: each for each in house.machine.ourselves()}
    port = free_port()
    door = f"http://127.0.0.1:{port}"
    api = dataclasses.replace(
        programs["api"],
        arguments=[programs["api"].arguments[0], *api_arguments(port)],
        environment={**programs["api"].environment, **traced},
        is_ready=partial(answers_over_http, f"{door}/health"),
    )
    worker = dataclasses.replace(programs["worker"], environment={**programs["worker"].environment, **traced})
    house.stop_workers()
    running = [worker.start(), api.start()]
    try:
        await asyncio.to_thread(running[1].wait_until_ready)
        addresses = house.machine.addresses()
        yield Watched(door=door, metrics={name: addresses[name] for name in addresses if name.endswith("_metrics")})
    finally:
        for each in running:
            await asyncio.to_thread(each.stop)
        house.start_worker()
