"""Kafka's certificates: mutual TLS when configured, renewed without a restart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from navette_chassis import ServiceSettings, tls
from navette_chassis.producer import KafkaConnection


@pytest.fixture
def files(pki: Any, tmp_path: Path) -> dict[str, Path]:
    names = {"kafka_ca": "internal-ca.pem", "kafka_cert": "service-dmp.pem", "kafka_key": "service-dmp.key"}
    for setting, name in names.items():
        shutil.copy(pki.directory / name, tmp_path / setting)
    return {setting: tmp_path / setting for setting in names}


def connection(files: dict[str, Path]) -> KafkaConnection:
    settings = ServiceSettings.model_validate(
        {
            "environment": "development",
            "kafka_bootstrap": "kafka:9093",
            "mongo_uri": "mongodb://localhost",
            "psc_auth_url": "http://localhost",
            **files,
        }
    )
    return KafkaConnection.of(settings)


def test_every_client_of_the_process_shows_the_certificate_and_checks_that_of_the_broker(
    files: dict[str, Path],
) -> None:
    made = connection(files)
    assert made.tls is not None
    assert made.tls.context.check_hostname is True
    assert made.arguments["security_protocol"] == "SSL"


def test_without_a_ca_the_connection_is_plain_which_production_refuses(files: dict[str, Path]) -> None:
    assert connection({}).tls is None


def test_a_renewed_pair_is_taken_and_a_broken_one_is_not(
    pki: Any, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "CHECK_INTERVAL", 0.0)
    made = connection(files)
    assert made.tls is not None
    assert not made.tls.refresh()
    files["kafka_key"].write_text("half written")
    assert not made.tls.refresh()
    for setting, name in (("kafka_cert", "service-mss.pem"), ("kafka_key", "service-mss.key")):
        shutil.copy(pki.directory / name, files[setting])
        os.utime(files[setting])
    assert made.tls.refresh()
    assert not made.tls.refresh()
