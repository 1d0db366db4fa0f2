"""What the catalogue declares is measured: a name nobody feeds would be an empty panel and a deaf alarm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from navette_chassis import Received, UnitOfWork
from navette_chassis import broker as broker_module
from navette_chassis import health as health_module
from navette_chassis.deliveries import BreakerPolicy, Channel, Outcome, RetryPolicy
from navette_chassis.deliveries import dispatcher as dispatcher_module
from navette_chassis.telemetry.catalogue import METRICS
from navette_chassis.telemetry.http_client import TracedTransport
from navette_chassis.telemetry.metrics import Metrics, metrics, use
from navette_chassis.testing import running, until

ELSEWHERE = {
    "navette_mllp_messages": "test_mllp.py",
    "navette_mllp_refused": "test_mllp.py",
    "navette_certificate_days_to_expiry": "edges/test_tls.py",
    "navette_delivery_leases_lost": "deliveries/test_delivery_workers.py",
}
"""Fed by parts that this service does not have."""

RENDERED = {"counter": "_total", "histogram": "_count", "gauge": ""}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = metrics()
    use(Metrics())
    monkeypatch.setattr(broker_module, "LAG_SECONDS", 0.05)
    monkeypatch.setattr(dispatcher_module, "SAMPLE_SECONDS", 0.05)
    yield
    use(before)


def busy_service(world: Any) -> Any:
    """A service that does a little of everything: handles, schedules, delivers, finds an endpoint down once."""
    service = world.service(delivery_poll_seconds=0.1)
    answers = [Outcome.transient("connection_refused", endpoint_down=True)]

    @service.on(world.event)
    async def schedule(received: Received[Any], uow: UnitOfWork) -> None:
        await uow.schedule("fax.send", key=received.subject, group=received.subject, payload={})

    async def attempt(_: Any) -> Outcome:
        return answers.pop() if answers else Outcome.delivered()

    async def settle(*_: Any) -> None:
        """Nothing to tell."""

    soon = BreakerPolicy(failures=1, probe_after_seconds=0.1, probe_cap_seconds=0.1)
    service.deliver(Channel("fax.send", "fax", breaker=soon, retry=RetryPolicy()), attempt=attempt, settle=settle)
    return service


def measured() -> set[str]:
    """Names of the catalogue that have at least one value."""
    lines = re.findall(r"^(navette_[a-z_]+)[{ ]", metrics().text(), flags=re.MULTILINE)
    return {name for name, metric in METRICS.items() if name + RENDERED[metric.kind] in lines}


async def test_every_metric_of_the_catalogue_is_fed_by_a_service_at_work(world: Any) -> None:
    service = busy_service(world)
    headers, _ = world.message("k", 1)
    metrics().count("navette_nobody_listed_this")
    async with running(service), asking(service) as client:
        await service.transact(world.emit, "a", 1)
        await world.send((headers, b"{}"))
        assert (await client.get("/ops/deliveries")).status_code == 401
        await until(lambda: "outage_ended" in metrics().text())
        await client.get("/metrics")
        await until(lambda: set(METRICS) - measured() <= set(ELSEWHERE))
        assert set(METRICS) - measured() == set(ELSEWHERE), "what is measured here needs no excuse"


def asking(service: Any) -> httpx.AsyncClient:
    inner = TracedTransport(httpx.ASGITransport(app=service.asgi), "service")
    return httpx.AsyncClient(transport=inner, base_url="http://service")


async def test_events_that_wait_are_counted_and_their_age_is_told(world: Any) -> None:
    service = world.service(kafka_bootstrap="127.0.0.1:1")
    await service.start()
    try:
        await service.transact(world.emit, "a", 1, 2, 3)
        async with asking(service) as client:
            text = (await client.get("/metrics")).text
        assert "navette_outbox_pending 3" in text
        assert float(re.search(r"^navette_outbox_oldest_pending_seconds ([\d.]+)", text, re.M)[1]) >= 0  # type: ignore[index]
    finally:
        await service.stop()


async def test_where_metrics_are_pushed_the_outbox_is_looked_at_without_being_asked(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "SAMPLE_SECONDS", 0.05)
    async with running(world.service(otlp_endpoint="http://127.0.0.1:1")):
        await until(lambda: "navette_outbox_pending 0" in metrics().text())
