"""Settings that would be unsafe, or could never work, are refused at boot with a sentence and no value."""

from pathlib import Path
from typing import Any

import pytest
from navette_dmp.app import create_service
from navette_dmp.domain.lot_signature import LotDigest
from navette_dmp.settings import DmpSettings
from navette_sandbox.pki import Pki
from pydantic import ValidationError


@pytest.fixture
def values(pki: Pki, tmp_path: Path, sites_json: bytes) -> dict[str, Any]:
    (tmp_path / "sites.json").write_bytes(sites_json)
    (tmp_path / "homologation").write_text("HOMOLOGATION-SECRETE")
    (tmp_path / "key.json").write_text("{}")
    return {
        "environment": "production",
        "kafka_bootstrap": "kafka:9093",
        "kafka_ca": pki.internal_ca,
        "mongo_uri": "mongodb://db.example/?tls=true",
        "http_cert": pki.cert("service-dmp"),
        "http_key": pki.key("service-dmp"),
        "internal_ca": pki.internal_ca,
        "psc_auth_url": "https://psc-auth.example",
        "service_urls": {"report": "https://report.example"},
        "service_key": tmp_path / "key.json",
        "sites_file": tmp_path / "sites.json",
        "dmp_url": "https://dmp.example/si-dmp-server/v2/services",
        "dmp_ca": pki.igc_ca,
        "dmp_auth_cert": pki.cert("dmp-auth"),
        "dmp_auth_key": pki.key("dmp-auth"),
        "dmp_sign_cert": pki.cert("dmp-sign"),
        "dmp_sign_key": pki.key("dmp-sign"),
        "dmp_homologation_file": tmp_path / "homologation",
        "dmp_source_id": "1.2.250.1.999.9.1",
    }


def test_complete_settings_make_a_service(values: dict[str, Any]) -> None:
    service = create_service(DmpSettings(**values))
    assert [subscription.name for subscription in service.subscriptions] == [
        "schedule_publication",
        "schedule_withdrawal",
    ]
    assert [handler.channel.name for handler in service.delivery_handlers] == ["dmp.publish", "dmp.withdraw"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dmp_url": "http://dmp.example/"}, "must be an https URL"),
        ({"dmp_source_id": "not-an-oid"}, "dmp_source_id"),
        ({"service_urls": {}}, "service_urls must name report"),
        ({"dmp_vihf_mode_attribute": "Mode"}, "dmp_vihf_mode_attribute"),
        ({"dmp_lot_signature": "md5"}, "dmp_lot_signature"),
        ({"dmp_class_code": "99"}, "dmp_class_code"),
        ({"dmp_max_document_bytes": 0}, "dmp_max_document_bytes"),
        ({"dmp_ca": "/nowhere"}, "dmp_ca"),
    ],
)
def test_what_cannot_work_is_named(values: dict[str, Any], changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        DmpSettings(**(values | changes))
    assert sentence in str(refusal.value)


def test_swapped_certificates_are_named(values: dict[str, Any], pki: Pki) -> None:
    swapped = {"dmp_sign_cert": pki.cert("dmp-auth"), "dmp_sign_key": pki.key("dmp-auth")}
    with pytest.raises(ValidationError, match="an authentication certificate cannot sign"):
        DmpSettings(**(values | swapped))


def test_a_broken_sites_file_is_named(values: dict[str, Any]) -> None:
    values["sites_file"].write_text('[{"site_id": "lilas"}]')
    with pytest.raises(ValidationError, match="not a JSON array of sites"):
        DmpSettings(**values)


def test_no_secret_shows_in_the_settings_or_their_refusal(values: dict[str, Any]) -> None:
    assert "HOMOLOGATION-SECRETE" not in repr(DmpSettings(**values))
    with pytest.raises(ValidationError) as refusal:
        DmpSettings(**(values | {"dmp_url": "http://user:motdepasse@dmp.example"}))
    assert "motdepasse" not in str(refusal.value)


@pytest.mark.parametrize(("choice", "digest"), [("off", None), ("sha1", LotDigest.SHA1), ("sha256", LotDigest.SHA256)])
def test_the_lot_signature_is_a_choice(values: dict[str, Any], choice: str, digest: LotDigest | None) -> None:
    assert DmpSettings(**values, dmp_lot_signature=choice).lot_digest is digest
