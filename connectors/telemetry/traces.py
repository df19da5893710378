"""Traces with OpenTelemetry: one from the click through the workflow and its activities to the provider and the ERP.

Imported only where a traces endpoint is set. What leaves this process is made from a list of what may leave: no address
of a request, no query, no header, no message of an error. Portal links and keys open accounts, and all of those can hold
one. No trace comes in from strangers, and none is told to vendors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.propagators.textmap import CarrierT, Getter, Setter, TextMapPropagator, default_getter, default_setter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider

from connectors.telemetry.following import follow_with

ALLOWED: Final = frozenset(
    {
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "server.address",
        "server.port",
        "error.type",
        "exception.type",
        "temporalWorkflowID",
        "temporalRunID",
        "temporalActivityID",
        "temporalUpdateID",
    }
)
"""Everything else that a library writes on a span stays here. Ids are ours and opaque: they find a payment's trace."""

_TODAYS_NAMES: Final = {"http.method": "http.request.method", "http.status_code": "http.response.status_code"}
_ADDRESSES: Final = ("url.full", "http.url")

_STEP: Final = re.compile(r"[A-Za-z]+:[A-Za-z_]+|[a-z]+( [A-Za-z]+)*")
_TRACEPARENT: Final = TraceContextTextMapPropagator()


class OnlyWhatMayLeave(SpanExporter):
    """Hands spans on, each remade from what is allowed."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Theirs, with less in it."""
        return self._exporter.export([_remade(span) for span in spans])

    def shutdown(self) -> None:
        """Theirs."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Theirs."""
        return self._exporter.force_flush(timeout_millis)


def _remade(span: ReadableSpan) -> ReadableSpan:
    attributes = _allowed(span.attributes)
    if span.kind is SpanKind.SERVER:  # whoever asks chooses by which name
        attributes = {name: value for name, value in attributes.items() if not name.startswith("server.")}
    return ReadableSpan(
        name=_name(span.name, attributes),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=[
            Event("exception", _allowed(event.attributes), event.timestamp)
            for event in span.events
            if event.name == "exception"
        ],
        links=(),
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),  # its description is an error's message
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _allowed(attributes: Mapping[str, object] | None) -> dict[str, str | int]:
    given = {_TODAYS_NAMES.get(name, name): value for name, value in (attributes or {}).items()}
    kept = {
        name: value
        for name, value in given.items()
        if name in ALLOWED and isinstance(value, str | int) and "://" not in str(value)
    }
    return kept | _host_of(given)


def _host_of(given: Mapping[str, object]) -> dict[str, str | int]:
    """Of a whole address only whom it names."""
    address = next((given[name] for name in _ADDRESSES if name in given), None)
    if not isinstance(address, str):
        return {}
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return {}
    host: dict[str, str | int] = {} if parts.hostname is None else {"server.address": parts.hostname}
    return host if port is None else host | {"server.port": port}


def _name(name: str, attributes: Mapping[str, str | int]) -> str:
    """A method and a route's template, Temporal's own words, or nothing that somebody else chose."""
    method = attributes.get("http.request.method")
    if method is not None:
        return f"{method} {attributes['http.route']}" if "http.route" in attributes else str(method)
    return name if _STEP.fullmatch(name) else "step"


class Closed(TextMapPropagator):
    """Requests carry no trace in and none out: a stranger's is not believed, and a vendor has no use for ours."""

    def extract(
        self,
        carrier: CarrierT,  # noqa: ARG002 - theirs
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,  # noqa: ARG002 - theirs
    ) -> Context:
        """Whatever came: a new beginning."""
        return Context() if context is None else context

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """Nothing."""

    @property
    def fields(self) -> set[str]:
        """None."""
        return set()


class Tracing:
    """Tracing of this process. Give `plugin` to the Temporal client; `close` sends what is left."""

    def __init__(self, exporter: SpanExporter, *, service: str, percent: int) -> None:
        self.plugin = OpenTelemetryPlugin(add_temporal_spans=True)
        self._provider = create_tracer_provider(
            sampler=ParentBased(TraceIdRatioBased(percent * 0.01)),
            resource=Resource.create({"service.name": service}),
        )
        self._provider.add_span_processor(BatchSpanProcessor(OnlyWhatMayLeave(exporter)))

    def switch_on(self) -> None:
        """Once for each process: OpenTelemetry keeps its provider for good."""
        trace.set_tracer_provider(self._provider)
        propagate.set_global_textmap(Closed())  # Temporal has a carrier of its own
        HTTPXClientInstrumentor().instrument(tracer_provider=self._provider)
        follow_with(self)

    def flush(self) -> None:
        """Send what has ended so far."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what is left, and stop. It may wait for the endpoint."""
        follow_with(None)
        HTTPXClientInstrumentor().uninstrument()
        self._provider.shutdown()

    def current(self) -> str | None:
        """The W3C `traceparent` of this moment."""
        carrier: dict[str, str] = {}
        _TRACEPARENT.inject(carrier)
        return carrier.get("traceparent")

    @contextmanager
    def followed(self, trace: str, step: str) -> Iterator[None]:
        """A step of that trace."""
        context = _TRACEPARENT.extract({"traceparent": trace}, Context())
        with self._provider.get_tracer("duly").start_as_current_span(step, context=context, kind=SpanKind.CONSUMER):
            yield


def over_http(endpoint: str, headers: Mapping[str, str], *, service: str, percent: int) -> Tracing:
    """Tracing that sends OTLP over HTTP to an endpoint of ours."""
    return Tracing(OTLPSpanExporter(endpoint=endpoint, headers=dict(headers)), service=service, percent=percent)
