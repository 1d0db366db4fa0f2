"""Everything that may leave a process as telemetry, by name. What is not listed here is dropped.

The reason is health data: a log key, span attribute or metric label that nobody decided about could carry
an identity (engineering.md §13). Adding a name is a reviewed change of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Keys of log lines, besides event, level, logger, timestamp and service. Ids are opaque, codes are words of
#: a table, the rest are numbers and names of our own configuration.
LOG_KEYS = frozenset(
    {
        "action", "attempt", "audience", "bootstrap_kind", "certificate", "channel", "code", "consumer",
        "correlation_id", "count", "delay_seconds", "delivery_id", "document_id", "dropped_keys",
        "duration_ms", "endpoint", "error", "error_at", "error_code", "event_id", "event_type", "fence", "group_id",
        "handler", "holder", "index", "key_id", "kind", "lag", "lease", "library_template", "message_id", "method",
        "mode", "name", "notice_id", "offset", "operation", "outcome", "partition", "patient_id", "port", "probes",
        "ratio", "reason", "recipient_id", "repeated", "report_id", "resource", "role", "route", "seconds", "sequence",
        "service", "setting", "signal", "site_id", "span_id", "state", "status", "step", "task", "token", "topic",
        "trace_id", "version",
    }
)  # fmt: skip

#: Attributes of spans; their events and links are held to the same list.
SPAN_ATTRIBUTES = frozenset(
    {
        "error.type",
        "exception.code",
        "exception.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "messaging.consumer.group.name",
        "messaging.destination.name",
        "messaging.operation.type",
        "messaging.system",
        "navette.attempt",
        "navette.channel",
        "navette.code",
        "navette.correlation_id",
        "navette.delivery_id",
        "navette.endpoint",
        "navette.event_id",
        "navette.handler",
        "navette.must_query",
        "navette.operation",
        "navette.outcome",
        "navette.report_id",
        "navette.site_id",
        "server.name",
    }
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what it counts and which labels it may carry."""

    kind: Literal["counter", "gauge", "histogram"]
    description: str
    labels: frozenset[str]
    unit: str = ""


def _metric(kind: Literal["counter", "gauge", "histogram"], description: str, *labels: str, unit: str = "") -> Metric:
    return Metric(kind, description, frozenset(labels), unit)


METRICS: dict[str, Metric] = {
    "navette_auth_refused": _metric("counter", "Refused requests by broken rule", "code"),
    "navette_breaker_open": _metric("gauge", "1 while the endpoint counts as down", "endpoint"),
    "navette_certificate_days_to_expiry": _metric("gauge", "Days left of a certificate", "certificate"),
    "navette_consumer_lag": _metric("gauge", "Messages behind the end of the topic", "consumer", "topic"),
    "navette_consumer_messages": _metric("counter", "Messages handled by outcome", "consumer", "outcome"),
    "navette_consumer_seconds": _metric("histogram", "Time to handle a message", "consumer", unit="seconds"),
    "navette_consumer_stopped": _metric("gauge", "1 while a consumer stopped itself", "consumer"),
    "navette_dead_letters": _metric("counter", "Messages put aside by reason", "consumer", "reason"),
    "navette_deliveries": _metric("gauge", "Open and failed deliveries by state", "channel", "state"),
    "navette_deliveries_ended": _metric("counter", "Deliveries that reached a final state", "channel", "state"),
    "navette_delivery_attempts": _metric("counter", "Attempts by outcome", "channel", "outcome"),
    "navette_delivery_leases_lost": _metric("counter", "Attempts whose lease was taken over", "channel"),
    "navette_delivery_oldest_pending_seconds": _metric(
        "gauge", "Age of the oldest delivery that is due and not ended", "channel", unit="seconds"
    ),
    "navette_endpoint_seconds": _metric(
        "histogram", "Time an endpoint took to answer an attempt", "endpoint", "outcome", unit="seconds"
    ),
    "navette_http_client_seconds": _metric(
        "histogram", "Time of outgoing HTTP requests", "server", "status", unit="seconds"
    ),
    "navette_http_server_seconds": _metric(
        "histogram", "Time of served HTTP requests", "route", "method", "status", unit="seconds"
    ),
    "navette_mllp_messages": _metric("counter", "HL7 messages taken", "listener"),
    "navette_mllp_refused": _metric("counter", "Pieces and connections refused by reason", "listener", "reason"),
    "navette_notices": _metric("counter", "Notices to the operator", "endpoint", "kind"),
    "navette_outbox_oldest_pending_seconds": _metric(
        "gauge", "Age of the oldest event not yet published", unit="seconds"
    ),
    "navette_outbox_pending": _metric("gauge", "Events not yet published"),
    "navette_outbox_published": _metric("counter", "Events published", "topic"),
    "navette_relay_active": _metric("gauge", "1 in the process that holds the relay lease"),
    "navette_telemetry_dropped": _metric("counter", "Names dropped because nobody listed them", "kind"),
}
