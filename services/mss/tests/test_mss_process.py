"""`python -m navette_mss serve` as an operating-system process."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import ECKey
from navette_chassis.testing import until
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.pki import Pki
from navette_sandbox.ports import free_ports

TOPICS = ("report.composed", "report.withdrawn", "mss.sent", "mss.delivered", "mss.failed", "access.recorded")


@pytest.fixture
def environment(
    kafka_broker: EmbeddedBroker,
    mongo_server: MongoServer,
    mongo_database: str,
    pki: Pki,
    tmp_path: Path,
    sites_json: bytes,
) -> dict[str, str]:
    kafka_broker.create_topics([*TOPICS, *(f"{topic}.dlq" for topic in TOPICS)])
    key = ECKey.generate_key("P-256", {"kid": "mss-1", "use": "sig", "alg": "ES256"})
    (tmp_path / "service-key.json").write_text(json.dumps(key.as_dict(private=True)))
    (tmp_path / "sites.json").write_bytes(sites_json)
    (tmp_path / "annuaire-key").write_text("cle\n")
    http, elsewhere = free_ports(2)
    settings = {
        "environment": "development",
        "kafka_bootstrap": kafka_broker.bootstrap,
        "kafka_idempotent": str(kafka_broker.idempotent).lower(),
        "mongo_uri": mongo_server.uri,
        "mongo_database": mongo_database,
        "psc_auth_url": f"http://127.0.0.1:{elsewhere}",
        "service_urls": json.dumps({"report": f"http://127.0.0.1:{elsewhere}"}),
        "service_key": str(tmp_path / "service-key.json"),
        "sites_file": str(tmp_path / "sites.json"),
        "http_host": "127.0.0.1",
        "http_port": str(http),
        "http_cert": str(pki.cert("service-mss")),
        "http_key": str(pki.key("service-mss")),
        "internal_ca": str(pki.internal_ca),
        "smtp_host": "localhost",
        "smtp_port": str(elsewhere),
        "imap_host": "localhost",
        "imap_port": str(elsewhere),
        "operator_ca": str(pki.igc_ca),
        "mss_cert": str(pki.cert("mss-client")),
        "mss_key": str(pki.key("mss-client")),
        "annuaire_key_file": str(tmp_path / "annuaire-key"),
        "product_reference": "DEV000000",
        "recipient_domains": json.dumps(["*.mssante.example"]),
    }
    passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return passed_on | {f"NAVETTE_{name.upper()}": value for name, value in settings.items()}


def started(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "navette_mss", "serve"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def test_the_process_gets_ready_with_the_operator_away_and_stops_when_asked(
    environment: dict[str, str], pki: Pki
) -> None:
    process = started(environment)
    try:
        context = ssl.create_default_context(cafile=str(pki.internal_ca))
        base = f"https://localhost:{environment['NAVETTE_HTTP_PORT']}"
        async with httpx.AsyncClient(verify=context, base_url=base) as http:

            async def ready() -> bool:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                try:
                    return (await http.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready)
            assert (await http.get("/mails/report-1")).status_code == 401
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert all(json.loads(line)["event"] for line in out.splitlines())


def test_a_missing_setting_is_named_and_the_process_does_not_start(environment: dict[str, str]) -> None:
    del environment["NAVETTE_SMTP_HOST"]
    process = started(environment)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "NAVETTE_SMTP_HOST" in errors
    assert "Traceback" not in errors
