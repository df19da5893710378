"""Metrics for Prometheus, served on an address of their own, never on the port that customers reach.

A label is a word of ours (a state, a route's template, a connection's name): no id, no address, nothing that a customer
or a stranger chose, so that neither personal data nor an endless list of series can come about.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from connectors.temporal.logs import LOGGING
from domain.differences import DifferenceKind

logger = logging.getLogger(__name__)

Figures = Sequence[tuple[str, str, int]]
"""(gauge's name, label's value or '', number)."""

READ_WITHIN_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One gauge: its sentence, its label's name, and the labels that are shown as 0 when nothing has them."""

    says: str
    label: str = ""
    always: tuple[str, ...] = ()


IN_FLIGHT: Final = ("charging", "awaiting_customer", "processing", "unknown")
DIFFERENCES: Final = tuple(each.value for each in DifferenceKind)
POSTING_STATES: Final = ("queued", "sent", "unknown", "refused")

GAUGES: Final[Mapping[str, Gauge]] = {
    "duly_payments_in_flight": Gauge(says="Payments that are open, by state.", label="state", always=IN_FLIGHT),
    "duly_payments_last_hour": Gauge(
        says="Payments opened within the last hour, by the state they have now.", label="state"
    ),
    "duly_unknown_charge_oldest_seconds": Gauge(
        says="For how long the oldest charge has been unknown; 0 without one.", always=("",)
    ),
    "duly_inbox_waiting": Gauge(says="Provider events that are stored and have woken nobody yet.", always=("",)),
    "duly_inbox_oldest_seconds": Gauge(says="How long the oldest of these has waited.", always=("",)),
    "duly_outbox_waiting": Gauge(says="Mails that wait to be sent.", always=("",)),
    "duly_outbox_oldest_seconds": Gauge(says="How long the oldest of these has waited.", always=("",)),
    "duly_postings_waiting": Gauge(
        says="Postings that the ERP has not confirmed, by state.", label="state", always=POSTING_STATES
    ),
    "duly_postings_oldest_seconds": Gauge(says="How long the oldest of these has waited.", always=("",)),
    "duly_differences_open": Gauge(says="Differences that wait for a person, by kind.", label="kind", always=DIFFERENCES),
    "duly_erp_read_age_seconds": Gauge(says="How long ago the ERP's invoices were last read.", label="connection"),
}


class BooksCollector(Collector):
    """Reads the books when it is asked, one question at a time; what cannot be read is left out, and says so.

    A number that is missing is honest; one that is old is not.
    """

    def __init__(self, read: Callable[[], Figures]) -> None:
        self._read = read
        self._one_at_a_time = threading.Lock()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names only: registering asks the database nothing."""
        yield from (GaugeMetricFamily(name, gauge.says) for name, gauge in GAUGES.items())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """`duly_books_readable`, and every gauge when they are."""
        readable = GaugeMetricFamily("duly_books_readable", "Whether the figures of the books could be read: 1 or 0.")
        try:
            with self._one_at_a_time:
                figures = self._read()
        except Exception as error:  # whatever it was: the scrape is answered, and says that the figures are missing
            logger.warning("the figures of the books cannot be read: %s", type(error).__name__)
            readable.add_metric([], 0)
            yield readable
            return
        readable.add_metric([], 1)
        yield readable
        for name, gauge in GAUGES.items():
            numbers = dict.fromkeys(gauge.always, 0) | {label: number for told, label, number in figures if told == name}
            family = GaugeMetricFamily(name, gauge.says, labels=[gauge.label] if gauge.label else None)
            for label, number in numbers.items():
                family.add_metric([label] if gauge.label else [], number)
            yield family


def from_loop(
    read: Callable[[], Awaitable[Figures]],
    loop: asyncio.AbstractEventLoop,
    *,
    within_seconds: float = READ_WITHIN_SECONDS,
) -> Callable[[], Figures]:
    """Ask a coroutine of a running loop from the thread that answers a scrape. Raises TimeoutError."""

    async def bounded() -> Figures:
        async with asyncio.timeout(within_seconds):
            return await read()

    def ask() -> Figures:
        future = asyncio.run_coroutine_threadsafe(bounded(), loop)
        try:
            return future.result(within_seconds + 1)
        except (TimeoutError, CancelledError):
            future.cancel()
            raise

    return ask


def new_registry() -> CollectorRegistry:
    """A registry with what the process itself uses: memory, processor time, open files, its start."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


@contextmanager
def served(address: str | None, registry: CollectorRegistry) -> Iterator[None]:
    """Answer /metrics at host:port while inside; nothing without an address. Raises OSError where the port is taken."""
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), addr=host, registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def runtime(address: str | None) -> Runtime | None:
    """Temporal's own runtime with its metrics at host:port; one for each process. None, the usual one, without.

    Times are in seconds, as everybody else's are.
    """
    if address is None:
        return None
    prometheus = PrometheusConfig(bind_address=address, durations_as_seconds=True)
    return Runtime(telemetry=TelemetryConfig(logging=LOGGING, metrics=prometheus))
