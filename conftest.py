"""Sorts every test into a layer and says at the end which layers ran, which did not, and why."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator

import hypothesis
import pytest

# A slow machine is no failure, and the same commit gives the same result; NAVETTE_TEST_PROPERTIES=search looks for
# examples nobody has met yet.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("search", parent=hypothesis.settings.get_profile("steady"), derandomize=False)
hypothesis.settings.load_profile(os.environ.get("NAVETTE_TEST_PROPERTIES", "steady"))

LAYERS = {
    "pure": "nothing but Python: documents, rules, state machines, contracts",
    "service": "embedded broker and database, real sockets: handlers, APIs, chassis, simulators",
    "conformance": "official schemas, rule files and examples (NAVETTE_CONFORMANCE_DIR)",
    "platform": "the sandbox: every service a process, outages, kill -9, canaries",
    "kafka": "on Apache Kafka itself: chassis, embedded broker, the whole platform",
    "peers": "software nobody here wrote: xmlsec1, oidc-provider, postfix, dovecot",
    "containers": "the real images, through testcontainers",
}
SERVICE_FIXTURES = {"mongo_server", "mongo_database", "kafka_broker", "pki", "frail_world"}
LAYER = pytest.StashKey[str]()


def layer_of(item: pytest.Item) -> str:
    """Name the layer of one test: an explicit mark wins, then the fixtures it asks for."""
    for name in ("containers", "kafka", "peers", "platform", "conformance"):
        if item.get_closest_marker(name):
            return name
    fixtures = set(getattr(item, "fixturenames", ()))
    if "apache_kafka" in fixtures:
        return "kafka"
    return "service" if fixtures & SERVICE_FIXTURES else "pure"


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Remember each test's layer before selection takes place."""
    for item in items:
        item.stash[LAYER] = layer_of(item)
        item.user_properties.append(("layer", item.stash[LAYER]))
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line per layer."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            layer = dict(getattr(report, "user_properties", [])).get("layer", "pure")
            outcomes[layer][outcome] += 1
            if outcome == "skipped" and isinstance(report.longrepr, tuple):
                reasons[layer][report.longrepr[2].removeprefix("Skipped: ")] += 1
    terminalreporter.section("layers")
    for layer, meaning in LAYERS.items():
        counts = outcomes.get(layer, Counter())
        ran = counts["passed"] + counts["failed"] + counts["error"]
        state = (
            f"{counts['passed']:5} passed {counts['failed'] + counts['error']:3} failed {counts['skipped']:3} skipped"
        )
        terminalreporter.line(
            f"{layer:<12} {state if ran or counts['skipped'] else 'not run: no test selected':<38} {meaning}"
        )
        for reason, number in reasons[layer].items():
            terminalreporter.line(f"{'':<12}   {number} skipped: {reason}")
