"""Nothing becomes telemetry that nobody listed: planted names, values and exception texts are dropped."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import navette_chassis
import pytest
import structlog
from fastapi import APIRouter
from navette_chassis.auth import public
from navette_chassis.origin import Origin, originating_from
from navette_chassis.telemetry import logs, tracing
from navette_chassis.telemetry.catalogue import LOG_KEYS, METRICS, SPAN_ATTRIBUTES
from navette_chassis.telemetry.http_client import TracedTransport
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, Field

CANARY = "CANARY-DUPONT-284057512345678"


@pytest.fixture
def lines() -> Iterator[Any]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("edge", "INFO", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def spans() -> Iterator[Any]:
    exporter = InMemorySpanExporter()
    tracing.configure("edge", [SimpleSpanProcessor(tracing.AllowListExporter(exporter))])
    yield exporter.get_finished_spans
    tracing.configure("edge")


class Patient(BaseModel):
    birth_name: str = Field(max_length=3)


def validation_error() -> Exception:
    try:
        Patient(birth_name=CANARY)
    except ValueError as error:
        return error
    raise AssertionError


# Logs


def test_a_log_line_keeps_listed_keys_and_drops_the_rest(lines, fresh_metrics):
    structlog.get_logger("navette.test").info("report.signed", report_id="r1", patient_name=CANARY, code=[CANARY])
    [line] = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "report.signed",
        "level": "info",
        "logger": "navette.test",
        "report_id": "r1",
        "service": "edge",
        "dropped_keys": 2,
    }
    assert 'navette_telemetry_dropped_total{kind="log_key"} 2' in fresh_metrics.text()


def test_an_event_name_made_of_data_is_replaced(lines):
    structlog.get_logger("navette.test").info(f"Patient {CANARY} signed")
    assert lines()[0]["event"] == "log.event_name_refused"
    assert CANARY not in json.dumps(lines())


def test_an_exception_is_logged_by_type_code_and_place_only(lines):
    try:
        raise validation_error()
    except ValueError:
        structlog.get_logger("navette.test").error("report.failed", exc_info=True)
    [line] = lines()
    assert line["error"] == "pydantic_core._pydantic_core.ValidationError"
    assert line["error_at"].startswith("pydantic/main.py:")
    assert CANARY not in json.dumps(line)


def test_lines_of_libraries_keep_their_template_and_lose_their_values(lines):
    library = logging.getLogger("aiokafka.consumer")
    library.warning("cannot decode %s", CANARY)
    library.warning(f"cannot decode {CANARY}")
    library.debug("record %s", CANARY)
    try:
        raise validation_error()
    except ValueError:
        library.exception(f"handler failed on {CANARY}")
    first, second, third = lines()
    assert (first["event"], first["library_template"]) == ("library.message", "cannot decode %s")
    assert "library_template" not in second
    assert third["error"].endswith("ValidationError")
    assert CANARY not in json.dumps(lines())


def test_what_a_library_repeats_is_told_once_a_minute_with_how_often(lines, monkeypatch):
    now = [1000.0]
    handler = next(one for one in logging.getLogger().handlers if isinstance(one, logs._LibraryHandler))
    monkeypatch.setattr(handler._recurrence, "_monotonic", lambda: now[0])
    library = logging.getLogger("aiokafka.conn")

    def complain() -> None:
        library.error("Unable connect to node with id %s", 1)

    for _ in range(500):
        complain()
    library.error("another place of %s", "the code")
    assert [line["library_template"][:7] for line in lines()] == ["Unable ", "another"]
    now[0] += 60
    complain()
    complain()
    assert [line.get("repeated") for line in lines()] == [None, None, 499]


def test_a_log_line_names_its_correlation_and_its_trace(lines, spans):
    with originating_from(Origin("c-1")), tracing.span("work"):
        structlog.get_logger("navette.test").info("work.done")
    [line] = lines()
    [span] = spans()
    assert line["correlation_id"] == "c-1"
    assert int(line["trace_id"], 16) == span.context.trace_id


def test_every_log_call_of_the_chassis_uses_static_names_and_listed_keys():
    calls = 0
    for path in Path(navette_chassis.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "log"):
                continue
            calls += 1
            where = f"{path.name}:{node.lineno}"
            assert isinstance(node.args[0], ast.Constant), where
            assert logs._EVENT_NAME.fullmatch(str(node.args[0].value)), where
            unlisted = {word.arg for word in node.keywords if word.arg} - LOG_KEYS - {"exc_info"}
            assert not unlisted, f"{where}: {unlisted}"
    assert calls > 20


# Traces


def test_a_span_keeps_listed_attributes_and_drops_the_rest(spans, fresh_metrics):
    attributes = {"navette.channel": "dmp", "db.statement": CANARY, "messaging.kafka.message.key": CANARY}
    with tracing.span("deliver dmp", attributes=attributes) as current:
        current.add_event(f"saw {CANARY}", {"patient": CANARY, "navette.code": "ok"})
        current.set_attribute("navette.outcome", "x" * 500)
    with tracing.span(f"patient='{CANARY}'"):
        pass
    first, second = spans()
    assert dict(first.attributes) == {"navette.channel": "dmp", "navette.outcome": "x" * 128}
    assert [(event.name, dict(event.attributes)) for event in first.events] == [("event", {"navette.code": "ok"})]
    assert second.name == "span"
    assert CANARY not in first.to_json() + second.to_json()
    assert 'navette_telemetry_dropped_total{kind="span_attribute"} 3' in fresh_metrics.text()


def test_an_exception_in_a_span_leaves_its_type_and_no_message(spans):
    with pytest.raises(ValueError, match="birth_name"), tracing.span("work"):
        raise validation_error()
    [span] = spans()
    [event] = span.events
    assert dict(event.attributes) == {"exception.type": "pydantic_core._pydantic_core.ValidationError"}
    assert span.status.description is None
    assert not span.status.is_ok
    assert CANARY not in span.to_json()


def test_what_an_instrumentation_records_of_an_exception_on_its_own_is_reduced_too(spans):
    tracer = tracing._Process.provider.get_tracer("library")
    with pytest.raises(ValueError, match="birth_name"), tracer.start_as_current_span("work"):
        raise validation_error()
    assert CANARY not in spans()[0].to_json()


def test_a_trace_goes_on_across_a_message(spans):
    with tracing.span("send", SpanKind.PRODUCER):
        header = tracing.current_traceparent()
    with tracing.span("receive", SpanKind.CONSUMER, traceparent=header):
        pass
    sent, received = spans()
    assert received.context.trace_id == sent.context.trace_id
    assert received.parent.span_id == sent.context.span_id


def test_a_malformed_traceparent_starts_a_trace_of_its_own(spans):
    with tracing.span("outer"), tracing.span("receive", traceparent=CANARY):
        pass
    received, outer = spans()
    assert received.parent is None
    assert received.context.trace_id != outer.context.trace_id


async def test_a_trace_and_a_correlation_go_on_across_http(client_of, spans):
    router = APIRouter(dependencies=[public()])

    @router.get("/reports/{report_id}")
    async def read(report_id: str, q: Annotated[str, Field()] = "") -> str:
        return report_id

    async with client_of(router, caller="") as client:
        inner = httpx.ASGITransport(app=client.app)
        with originating_from(Origin("correlation-1")), tracing.span("caller"):
            traced = TracedTransport(inner, "report")
            async with httpx.AsyncClient(transport=traced, base_url="http://edge") as caller:
                answer = await caller.get(f"/reports/{CANARY}", params={"q": CANARY})
    assert answer.headers["x-correlation-id"] == "correlation-1"
    server, sent, caller_span = spans()
    assert (server.name, server.attributes["http.route"]) == ("GET /reports/{report_id}", "/reports/{report_id}")
    assert server.parent.span_id == sent.context.span_id
    assert sent.parent.span_id == caller_span.context.span_id
    assert CANARY not in "".join(span.to_json() for span in spans())


async def test_a_foreign_server_is_not_told_our_ids(spans):
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    transport = TracedTransport(httpx.MockTransport(answer), "annuaire", hand_on=False)
    with originating_from(Origin("correlation-1")):
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get("https://annuaire.example/")
    assert "traceparent" not in seen[0].headers
    assert "x-correlation-id" not in seen[0].headers


# Metrics


def test_a_metric_nobody_listed_is_dropped_and_so_is_a_planted_label(fresh_metrics):
    fresh_metrics.count("patients_by_name", name=CANARY)
    fresh_metrics.count("navette_notices", endpoint="dmp", kind="outage_started", patient=CANARY)
    fresh_metrics.set("navette_deliveries", 3, channel="dmp", state="failed")
    fresh_metrics.set("navette_deliveries", 2, channel="dmp", state="failed")
    text = fresh_metrics.text()
    assert 'navette_notices_total{endpoint="dmp",kind="outage_started"} 1' in text
    assert 'navette_deliveries{channel="dmp",state="failed"} 2' in text
    assert 'navette_telemetry_dropped_total{kind="metric"} 1' in text
    assert 'navette_telemetry_dropped_total{kind="label"} 1' in text
    assert "patients_by_name" not in text
    assert CANARY not in text


def test_durations_are_cumulative_histograms(fresh_metrics):
    for seconds in (0.004, 0.2, 99.0):
        fresh_metrics.record("navette_endpoint_seconds", seconds, endpoint='d"m\\p', outcome="delivered")
    text = fresh_metrics.text()
    labels = 'endpoint="d\\"m\\\\p"'
    assert f'navette_endpoint_seconds_bucket{{{labels},le="0.005",outcome="delivered"}} 1' in text
    assert f'navette_endpoint_seconds_bucket{{{labels},le="0.25",outcome="delivered"}} 2' in text
    assert f'navette_endpoint_seconds_bucket{{{labels},le="+Inf",outcome="delivered"}} 3' in text
    assert f'navette_endpoint_seconds_count{{{labels},outcome="delivered"}} 3' in text
    assert "# TYPE navette_endpoint_seconds histogram\n# UNIT navette_endpoint_seconds seconds" in text
    assert text.endswith("# EOF\n")


async def test_metrics_and_probes_are_served(client_of, fresh_metrics):
    async with client_of(caller="") as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        metrics = await client.get("/metrics")
    assert metrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "navette_outbox_oldest_pending_seconds 0" in metrics.text
    assert "navette_outbox_pending 7" in metrics.text
    assert 'route="/readyz",status="200"' in fresh_metrics.text()


@pytest.mark.parametrize("part", ["broker", "database", "relay", "dispatcher"])
async def test_the_service_is_not_ready_while_a_part_is_not(settings, part):
    from navette_chassis.health import health_router

    class Host:
        async def checks(self) -> dict[str, str]:
            return {"broker": "ok", "database": "ok", "relay": "ok", "dispatcher": "ok"} | {part: "stalled"}

    [readyz] = [route for route in health_router(Host()).routes if route.path == "/readyz"]
    answer = await readyz.endpoint()
    assert answer.status_code == 503
    assert json.loads(answer.body)["checks"][part] == "stalled"


def test_the_catalogue_lists_no_name_that_could_hold_an_identity():
    words = {"ins", "matricule", "nir", "birth", "patient_name", "title", "text", "payload", "body", "key"}
    for name in [*LOG_KEYS, *SPAN_ATTRIBUTES, *(label for metric in METRICS.values() for label in metric.labels)]:
        assert name not in words
