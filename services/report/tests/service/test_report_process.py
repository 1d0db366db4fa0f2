"""`python -m navette_report` as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest
from navette_contracts.catalogue import TOPICS
from navette_report.settings import ReportSettings
from navette_sandbox.embedded.tansu import TansuBroker
from navette_sandbox.ports import free_port


def environment(samples, folder, **changes):
    keyring = {"current": "k1", "keys": [{"kty": "oct", "kid": "k1", "k": "A" * 43, "alg": "A256GCM"}]}
    (folder / "keyring.json").write_text(json.dumps(keyring))
    (folder / "sites.json").write_text(json.dumps([samples.site().model_dump(mode="json")]))
    values = {
        "NAVETTE_ENVIRONMENT": "development",
        "NAVETTE_PSC_AUTH_URL": "http://127.0.0.1:1",
        "NAVETTE_KEYRING": str(folder / "keyring.json"),
        "NAVETTE_SITES_FILE": str(folder / "sites.json"),
        "NAVETTE_HTTP_HOST": "127.0.0.1",
    }
    return {"PATH": os.environ["PATH"], **values, **changes}


@pytest.fixture
def own_broker(tmp_path):
    """A broker that no other test uses: a second process of the service would join the groups of the first."""
    broker = TansuBroker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def test_the_service_starts_gets_ready_and_stops_when_told(own_broker, mongo_server, mongo_database, samples, tmp_path):
    names = [topic.name for topic in TOPICS]
    own_broker.create_topics([*names, *(f"{name}.dlq" for name in names)], partitions=2)
    port = free_port()
    started = subprocess.Popen(
        [sys.executable, "-m", "navette_report", "serve"],
        env=environment(
            samples,
            tmp_path,
            NAVETTE_KAFKA_BOOTSTRAP=own_broker.bootstrap,
            NAVETTE_KAFKA_IDEMPOTENT=str(own_broker.idempotent),
            NAVETTE_MONGO_URI=mongo_server.uri,
            NAVETTE_MONGO_DATABASE=mongo_database,
            NAVETTE_HTTP_PORT=str(port),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert started.poll() is None, started.communicate()[0]
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.1)
        assert httpx.get(f"http://127.0.0.1:{port}/reports").status_code == 401
        started.send_signal(signal.SIGTERM)
        output, _ = started.communicate(timeout=60)
    finally:
        if started.poll() is None:
            started.kill()
            started.communicate()
    assert started.returncode == 0, output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"NAVETTE_TIMEZONE": "Europe/Atlantide"}, "NAVETTE_TIMEZONE"),
        ({"NAVETTE_ENVIRONMENT": "production"}, "http_cert"),
    ],
)
def test_unusable_settings_are_told_in_one_sentence(samples, tmp_path, change, told):
    ended = subprocess.run(
        [sys.executable, "-m", "navette_report", "serve"],
        env=environment(
            samples,
            tmp_path,
            NAVETTE_KAFKA_BOOTSTRAP="127.0.0.1:1",
            NAVETTE_MONGO_URI="mongodb://127.0.0.1:1",
            **change,
        ),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode != 0
    assert told in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_service_without_sites_does_not_start(samples, tmp_path):
    settings = ReportSettings(
        environment="development",
        kafka_bootstrap="127.0.0.1:1",
        mongo_uri="mongodb://127.0.0.1:1",
        psc_auth_url="http://127.0.0.1:1",
    )
    with pytest.raises(LookupError, match="NAVETTE_SITES_FILE"):
        settings.required_sites_file()
