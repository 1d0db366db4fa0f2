"""Input from outside that nobody wrote on purpose, and settings that must not go to production."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_mss.domain import names
from navette_mss.domain.directory import read_bundles
from navette_mss.domain.receipts import read_receipt
from navette_mss.domain.resolution import resolve_professional
from navette_mss.settings import MssSettings
from navette_sandbox.pki import Pki
from pydantic import ValidationError

DSN = b"""Return-Path: <>
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

texte
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x
Original-Envelope-Id: NAV6c1f0c2e5a555d5e9a4c2f6b6a1d0e11

Final-Recipient: rfc822; a@b.example
Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822

Message-ID: <6c1f0c2e-5a55-5d5e-9a4c-2f6b6a1d0e11@x.example>

corps
--b--
"""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
KEYS = st.sampled_from(["entry", "resource", "resourceType", "telecom", "extension", "identifier", "code", "url"])


@given(st.binary(max_size=400))
def test_any_bytes_are_a_receipt_or_not(raw: bytes) -> None:
    read_receipt(raw)


@given(st.lists(st.tuples(st.integers(0, len(DSN) - 1), st.integers(0, 255)), max_size=12), st.integers(0, len(DSN)))
def test_a_damaged_notification_is_read_or_left(changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(DSN)
    for position, value in changes:
        damaged[position] = value
    read_receipt(bytes(damaged[:length]))


@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_any_json_of_the_directory_is_read(bundle: dict[str, Any]) -> None:
    resource = {"resourceType": "Practitioner"} | bundle
    directory = read_bundles([bundle, {"entry": [{"resource": resource}]}])
    assert resolve_professional(directory, "99700002001", "990000010").address is None


@given(st.text(max_size=40))
def test_names_lose_accents_and_nothing_makes_a_new_line(text: str) -> None:
    plain = names.without_accents(text)
    assert "\n" not in plain
    assert "\r" not in plain
    assert names.without_accents(plain) == plain


@pytest.fixture
def settings(pki: Pki, tmp_path: Path) -> dict[str, Any]:
    """Settings that production accepts."""
    secret, sites = tmp_path / "secret", tmp_path / "sites.json"
    secret.write_text("un-secret\n")
    sites.write_text("[]")
    return {
        "kafka_bootstrap": "broker:9093",
        "kafka_ca": pki.internal_ca,
        "mongo_uri": "mongodb://db/?tls=true",
        "http_cert": pki.cert("service-mss"),
        "http_key": pki.key("service-mss"),
        "internal_ca": pki.internal_ca,
        "psc_auth_url": "https://psc-auth",
        "service_urls": {"report": "https://report"},
        "service_key": secret,
        "keyring": sites,
        "sites_file": sites,
        "smtp_host": "smtp.operateur.mssante.fr",
        "imap_host": "imap.operateur.mssante.fr",
        "operator_ca": pki.igc_ca,
        "mss_cert": pki.cert("mss-client"),
        "mss_key": pki.key("mss-client"),
        "annuaire_key_file": secret,
        "product_reference": "DEV000000",
    }


def test_safe_settings_are_accepted(settings: dict[str, Any]) -> None:
    assert MssSettings(**settings).recipient_domains == ("*.mssante.fr",)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"accept_test_ins": True}, "accept_test_ins"),
        ({"annuaire_url": "http://annuaire"}, "annuaire_url"),
        ({"recipient_domains": ("*",)}, "recipient_domains"),
        ({"recipient_domains": ()}, "recipient_domains"),
        ({"service_urls": {}}, "report"),
        ({"sites_file": None}, "sites_file"),
        ({"sasl": "plain"}, "sasl_password_file"),
        ({"product_reference": "x\r\nBcc: y"}, "product_reference"),
        ({"mss_cert": Path("/nulle/part.pem")}, "mss_cert"),
        ({"annuaire_calls_per_second": 40}, "annuaire_calls_per_second"),
    ],
)
def test_unsafe_settings_are_refused_by_name(settings: dict[str, Any], changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MssSettings(**settings | changes)
    assert named in str(refused.value)


def test_the_same_settings_serve_development(settings: dict[str, Any]) -> None:
    changes = {"environment": "development", "accept_test_ins": True, "annuaire_url": "http://localhost:1"}
    assert MssSettings(**settings | changes).accept_test_ins
