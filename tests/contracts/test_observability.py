"""Dashboards and alarms ask only for what the services measure: a name nobody feeds is an alarm that never rings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from navette_chassis.telemetry.catalogue import METRICS

OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"
OF_PROMETHEUS = {"job", "instance", "le"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
SERIES = {name + suffix: metric for name, metric in METRICS.items() for suffix in SUFFIXES[metric.kind]}


def panels() -> Iterator[tuple[str, str]]:
    for path in sorted((OBSERVABILITY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            yield from ((f"panel {panel['title']}", target["expr"]) for target in panel["targets"])


def alarms() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load((OBSERVABILITY / "alerts.yaml").read_text("utf-8"))["groups"]:
        yield from ((f"alarm {rule['alert']}", rule["expr"]) for rule in group["rules"])


QUESTIONS = dict([*panels(), *alarms()])


def unknown(question: str) -> set[str]:
    """Series nobody feeds and labels they do not have."""
    asked = set(re.findall(r"\bnavette_[a-z_]+", question))
    allowed = OF_PROMETHEUS.union(*(SERIES[one].labels for one in asked & SERIES.keys()))
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", question) for label in group.split(",")}
    matched = set(re.findall(r"[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)", question))
    return (asked - SERIES.keys()) | ((grouped | matched) - allowed)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_panel_or_alarm_asks_for_what_is_measured(name: str) -> None:
    assert "navette_" in QUESTIONS[name]
    assert unknown(QUESTIONS[name]) == set()


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("navette_outbox_waiting > 1", {"navette_outbox_waiting"}),
        ("rate(navette_dead_letters[5m])", {"navette_dead_letters"}),
        ("sum by (topic) (navette_consumer_stopped)", {"topic"}),
        ('navette_breaker_open{service="dmp"}', {"service"}),
    ],
)
def test_what_is_not_measured_is_seen(question: str, missing: set[str]) -> None:
    assert unknown(question) == missing


def test_the_alarms_worth_waking_somebody_are_there_and_loaded() -> None:
    asked = " ".join(question for name, question in QUESTIONS.items() if name.startswith("alarm"))
    for metric in ("consumer_stopped", "relay_active", "outbox_oldest_pending_seconds", "dead_letters_total"):
        assert f"navette_{metric}" in asked
    prometheus = yaml.safe_load((OBSERVABILITY / "prometheus.yaml").read_text("utf-8"))
    assert prometheus["rule_files"] == ["/etc/prometheus/alerts.yaml"]
