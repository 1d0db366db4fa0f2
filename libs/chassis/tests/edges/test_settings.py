"""A service that starts is a service that may run: what the settings refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from navette_chassis import ServiceSettings
from navette_chassis.settings import describe_problems
from pydantic import ValidationError


class DmpSettings(ServiceSettings):
    service_name: ClassVar[str] = "psc-auth"


@pytest.fixture
def safe(tmp_path: Path) -> dict[str, Any]:
    """Settings that production accepts."""
    files = {}
    for name in ("kafka_ca", "http_cert", "http_key", "internal_ca", "service_key", "keyring", "mongo_uri_file"):
        files[name] = tmp_path / name
        files[name].write_text("x")
    files["mongo_uri_file"].write_text("mongodb://navette:kB7-long-and-random@db1,db2/?replicaSet=rs0&tls=true\n")
    return files | {
        "kafka_bootstrap": "kafka:9093",
        "psc_auth_url": "https://psc-auth:8443",
        "service_urls": {"report": "https://report:8443"},
    }


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as error:
        ServiceSettings(**values)
    return "; ".join(describe_problems(error.value))


def test_a_safe_production_configuration_is_accepted(safe):
    settings = DmpSettings(**safe)
    assert settings.environment == "production", "production is what an unset variable means"
    assert settings.mongo_database == "navette_psc_auth"
    assert settings.mongo_connection().endswith("tls=true")
    assert settings.url_of("report") == "https://report:8443"
    assert settings.url_of("psc-auth") == "https://psc-auth:8443"
    with pytest.raises(LookupError, match="does not name dmp"):
        settings.url_of("dmp")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"log_level": "DEBUG"}, "DEBUG is refused"),
        ({"http_cert": None, "http_key": None}, "http_cert and http_key are required"),
        ({"internal_ca": None}, "internal_ca is required"),
        ({"kafka_ca": None}, "kafka_ca is required"),
        ({"kafka_idempotent": False}, "kafka_idempotent=false is refused"),
        ({"service_key": None}, "service_key is required"),
        ({"psc_auth_url": "http://psc-auth:8080"}, "psc_auth_url must be https"),
        ({"service_urls": {"report": "http://report"}}, "service_urls.report must be https"),
        ({"otlp_endpoint": "http://collector:4318"}, "otlp_endpoint must be https"),
    ],
)
def test_production_refuses_what_is_unsafe(safe, change, rule):
    assert rule in refused(**(safe | change))


@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("mongodb://navette:kB7-long@db1/", "no TLS and not loopback"),
        ("mongodb://navette:kB7-long@db1/?tls=true&tlsAllowInvalidCertificates=true", "no TLS and not loopback"),
        ("mongodb://navette:kB7-long@127.0.0.1,db2/", "no TLS and not loopback"),
        ("mongodb://navette:changeme@db1/?tls=true", "well-known default"),
        ("mongodb://navette:@db1/?tls=true", "well-known default"),
        ("mongodb://navette:p%61ssword@db1/?tls=true", "well-known default"),
    ],
)
def test_production_refuses_an_unsafe_database_connection(safe, uri, rule):
    safe["mongo_uri_file"].write_text(uri)
    assert rule in refused(**safe)


def test_production_refuses_the_published_keys_of_the_examples(safe):
    examples = Path(__file__).parents[4] / "contracts" / "examples" / "keyring.json"
    safe["keyring"].write_bytes(examples.read_bytes())
    assert "published keys" in refused(**safe)


def test_a_database_password_in_the_environment_is_refused(safe):
    del safe["mongo_uri_file"]
    said = refused(**safe, mongo_uri="mongodb://navette:kB7-long@db1/?tls=true")
    assert "belongs in mongo_uri_file" in said
    assert "kB7" not in said


def test_a_loopback_database_without_tls_is_accepted(safe):
    for uri in ("mongodb://127.0.0.1:1", "mongodb://[::1]:1", "mongodb://localhost/"):
        safe["mongo_uri_file"].write_text(uri)
        assert ServiceSettings(**safe).mongo_connection() == uri


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"http_key": None}, "http_cert and http_key go together"),
        ({"kafka_cert": "KEYRING"}, "kafka_cert and kafka_key go together"),
        ({"mongo_uri": "mongodb://localhost"}, "exactly one of mongo_uri_file and mongo_uri"),
        ({"psc_auth_url": "psc-auth:8443"}, "psc_auth_url must be an http(s) URL"),
        ({"keyring": Path("/nowhere/keyring")}, "NAVETTE_KEYRING: file does not exist"),
        ({"no_such_setting": 1}, "NAVETTE_NO_SUCH_SETTING: Extra inputs"),
        ({"http_port": 70_000}, "NAVETTE_HTTP_PORT"),
    ],
)
def test_what_cannot_be_meant_is_refused_everywhere(safe, change, rule):
    change = {name: safe["keyring"] if value == "KEYRING" else value for name, value in change.items()}
    assert rule in refused(environment="development", **(safe | change))


def test_settings_come_from_the_environment_and_errors_never_show_values(monkeypatch):
    monkeypatch.setenv("NAVETTE_KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("NAVETTE_PSC_AUTH_URL", "http://localhost:1")
    monkeypatch.setenv("NAVETTE_MONGO_URI", "mongodb://u:verysecret@h/")
    monkeypatch.setenv("NAVETTE_SERVICE_URLS", '{"report": "http://localhost:2"}')
    monkeypatch.setenv("NAVETTE_ENVIRONMENT", "development")
    settings = ServiceSettings()
    assert settings.url_of("report") == "http://localhost:2"
    assert "verysecret" not in repr(settings)
    monkeypatch.setenv("NAVETTE_ENVIRONMENT", "production")
    with pytest.raises(ValidationError) as error:
        ServiceSettings()
    assert "verysecret" not in str(error.value)
