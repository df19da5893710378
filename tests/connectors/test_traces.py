"""What leaves with a trace is made from a list: no address, no message and no header, whatever a library writes down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span

from connectors.telemetry import following
from connectors.telemetry.traces import Closed, OnlyWhatMayLeave, Tracing

ROOT: Final = Path(__file__).parents[2]
CANARY: Final = "canary-7f3a"


def left(name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: dict[str, str | int] | None = None) -> ReadableSpan:
    """What is exported of a span that carries the canary wherever a span can."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OnlyWhatMayLeave(exporter)))
    span = provider.get_tracer("test").start_span(name, kind=kind, attributes=attributes)
    span.add_event(f"event {CANARY}", {"exception.message": CANARY})
    span.record_exception(ValueError(CANARY))
    span.set_status(Status(StatusCode.ERROR, CANARY))
    span.end()
    (found,) = exporter.get_finished_spans()
    return found


def test_nothing_of_a_request_leaves_but_its_method_route_status_and_host() -> None:
    found = left(
        f"GET /l/{CANARY}",
        kind=SpanKind.CLIENT,
        attributes={
            "http.method": "GET",
            "http.url": f"http://{CANARY}:{CANARY}@provider.test:9000/l/{CANARY}?q={CANARY}",
            "http.target": f"/l/{CANARY}?q={CANARY}",
            "url.query": CANARY,
            "client.address": CANARY,
            "user_agent.original": CANARY,
            "http.request.header.authorization": CANARY,
            "http.route": f"http://{CANARY}",
            "http.status_code": 200,
        },
    )
    assert CANARY not in found.to_json()
    assert found.name == "GET"
    assert dict(found.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "provider.test",
        "server.port": 9000,
        "http.response.status_code": 200,
    }
    assert found.status.status_code is StatusCode.ERROR


def test_the_name_by_which_a_stranger_calls_us_does_not_leave() -> None:
    found = left("GET", kind=SpanKind.SERVER, attributes={"http.request.method": "GET", "server.address": CANARY})
    assert CANARY not in found.to_json()


@pytest.mark.parametrize("name", ["RunActivity:charge", "StartWorkflowUpdate:first_answer", "post to the ERP"])
def test_words_of_temporal_and_ours_are_names(name: str) -> None:
    assert left(name).name == name


def test_a_name_that_somebody_else_could_have_chosen_is_no_name() -> None:
    assert left(f"/l/{CANARY}").name == "step"


def test_a_trace_that_was_kept_goes_on_under_the_same_click() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, service="test", percent=100)
    tracer = tracing._provider.get_tracer("test")
    with tracer.start_as_current_span("RunActivity:record_outcome") as span:
        kept = tracing.current()
        clicked = span.get_span_context()
    assert tracing.current() is None
    assert kept is not None
    with tracing.followed(kept, "post to the ERP"):
        pass
    tracing.flush()
    first, second = exporter.get_finished_spans()
    assert second.parent is not None
    assert (second.parent.span_id, second.context.trace_id) == (clicked.span_id, first.context.trace_id)


def test_no_trace_comes_in_from_a_stranger_and_none_goes_out_to_a_vendor() -> None:
    closed, carrier = Closed(), dict[str, str]()
    claimed = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage": CANARY}
    assert not get_current_span(closed.extract(claimed)).get_span_context().is_valid
    tracing = Tracing(InMemorySpanExporter(), service="test", percent=100)
    with tracing._provider.get_tracer("test").start_as_current_span("step"):
        closed.inject(carrier)
    assert carrier == {}


def test_of_no_click_when_none_is_wanted() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, service="test", percent=0)
    with tracing._provider.get_tracer("test").start_as_current_span("RunActivity:charge"):
        pass
    tracing.flush()
    assert exporter.get_finished_spans() == ()


def test_without_tracing_nothing_is_kept_and_nothing_is_opened() -> None:
    assert following.current_trace() is None
    with following.followed("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "post to the ERP"):
        assert following.current_trace() is None


def test_a_process_that_traces_nothing_loads_nothing_of_it() -> None:
    """OpenTelemetry's bare interface comes with FastAPI; what records, changes other libraries or sends does not."""
    script = "import sys, wiring, worker, api.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "api.app" in loaded
    parts = tuple(f"opentelemetry.{part}" for part in ("sdk", "instrumentation", "exporter"))
    assert [name for name in loaded if name.startswith(parts)] == []
