"""What each process is started with: command lines of the simulators, environment of the services."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from navette_sandbox import group
from navette_sandbox.layout import SERVICES, Layout

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "NAVETTE_CONFORMANCE_DIR")
PSC_CLIENT_ID = "navette-sandbox"
_QUICK: dict[str, object] = {
    "kafka_session_seconds": 3,
    "lease_ttl_seconds": 3,
    "delivery_lease_seconds": 10,
}
"""Times that let a killed process be replaced within seconds: a laptop waits less patiently than a night."""


def _inherited() -> dict[str, str]:
    """The few variables a child gets from ours: nothing configures a service by accident."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


_DATA: dict[str, str] = {"dmp": "dmp.json"}
"""Simulators whose packaged data must be named; the others find theirs."""


def simulator_command(layout: Layout, name: str, data: Path | None = None) -> list[str]:
    """Command line of a simulator; `data` replaces its data file."""
    ports = layout.ports
    command = [sys.executable, "-m", f"navette_sandbox.simulators.{name}"]
    if name == "mss":
        command += ["--smtp-port", str(ports["sim-mss.smtp"]), "--imap-port", str(ports["sim-mss.imap"])]
    else:
        command += ["--port", str(ports[f"sim-{name}"])]
    command += ["--control-port", str(ports[f"sim-{name}.control"])]
    command += ["--pki", str(layout.pki.directory), "--state", str(layout.received(name))]
    if data is not None or name in _DATA:
        command += ["--data", str(data or files("navette_sandbox.simulators") / "data" / _DATA[name])]
    if name == "pfi":
        command += ["--receipts-port", str(ports["report.receipts"])]
    if name == "psc":
        public = layout.url("psc-auth")
        command += ["--client-id", PSC_CLIENT_ID, "--redirect-uri", f"{public}/auth/psc/callback"]
        command += ["--post-logout-redirect-uri", f"{public}/auth/psc/logged-out"]
        command += ["--backchannel-logout-uri", f"{public}/auth/backchannel-logout"]
    return command


def simulator_environment() -> dict[str, str]:
    """Environment of every simulator."""
    return _inherited()


def service_command(name: str) -> list[str]:
    """Command line of a service."""
    return [sys.executable, "-m", f"navette_{name.replace('-', '_')}", "serve"]


def service_environment(layout: Layout, name: str, *, idempotent: bool, fetch_wait_ms: int) -> dict[str, str]:
    """Environment of a service: what all have, and its own."""
    pki, keys = layout.pki, layout.keys
    certificate, key = pki.pair(f"service-{name}")
    common: dict[str, object] = {
        "environment": "development",
        "kafka_bootstrap": f"127.0.0.1:{layout.ports['broker']}",
        "kafka_idempotent": idempotent,
        "kafka_fetch_wait_ms": fetch_wait_ms,
        "mongo_uri_file": keys.mongo_uri,
        "http_host": "127.0.0.1",
        "http_port": layout.ports[name],
        "http_cert": certificate,
        "http_key": key,
        "internal_ca": pki.internal_ca,
        "psc_auth_url": layout.url("psc-auth"),
        "service_urls": {other: layout.url(other) for other in SERVICES if other != name},
        "service_key": keys.service(name),
        "keyring": keys.keyring,
        "sites_file": layout.config / "sites.json",
        **_QUICK,
    }
    own = _OWN.get(name, _nothing)(layout)
    variables = {f"NAVETTE_{key.upper()}": _text(value) for key, value in (common | own).items()}
    return _inherited() | variables


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _nothing(_layout: Layout) -> dict[str, object]:
    return {}


def _psc_auth(layout: Layout) -> dict[str, object]:
    certificate, key = layout.pki.pair("psc-client")
    return {
        "public_url": layout.url("psc-auth"),
        "psc_issuer": f"https://127.0.0.1:{layout.ports['sim-psc']}/auth/realms/esante-wallet",
        "psc_client_id": PSC_CLIENT_ID,
        "psc_client_cert": certificate,
        "psc_client_key": key,
        "psc_ca": layout.pki.igc_ca,
        "signing_keys": layout.keys.signing_keys,
        "service_keys": layout.keys.service_keys,
        "accounts_file": layout.config / "accounts.json",
        "upstreams": {name: layout.url(name) for name in SERVICES if name != "psc-auth"},
    }


def _dmp(layout: Layout) -> dict[str, object]:
    auth_certificate, auth_key = layout.pki.pair("dmp-auth")
    sign_certificate, sign_key = layout.pki.pair("dmp-sign")
    return {
        "dmp_url": f"https://localhost:{layout.ports['sim-dmp']}/si-dmp-server/v2/services",
        "dmp_ca": layout.pki.igc_ca,
        "dmp_auth_cert": auth_certificate,
        "dmp_auth_key": auth_key,
        "dmp_sign_cert": sign_certificate,
        "dmp_sign_key": sign_key,
        "dmp_homologation_file": layout.keys.directory / "dmp-homologation",
        "dmp_source_id": f"{group.OID_ROOT}.100",
        "dmp_read_seconds": 5,
        "dmp_connect_seconds": 2,
        "dmp_first_retry_seconds": 1,
        "dmp_probe_seconds": 1,
    }


def _ins(layout: Layout) -> dict[str, object]:
    certificate, key = layout.pki.pair("insi-client-manu")
    auto_certificate, auto_key = layout.pki.pair("insi-client")
    return {
        "insi_url": f"https://localhost:{layout.ports['sim-insi']}/lps",
        "insi_ca": layout.pki.igc_ca,
        "insi_client_cert": certificate,
        "insi_client_key": key,
        "insi_auto_cert": auto_certificate,
        "insi_auto_key": auto_key,
        "insi_verification": "sandbox",
        "insi_verification_url": f"https://localhost:{layout.ports['sim-insi']}",
        "pam_port": layout.ports["ins.mllp"],
        "pam_senders_file": layout.config / "pam-senders.json",
        "insi_idam_file": layout.keys.directory / "insi-idam",
        "index_key": layout.keys.directory / "index-key",
        "lps_instance": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:navette-sandbox:{layout.directory}")),
        "insi_connect_seconds": 2,
        "insi_read_seconds": 5,
        "insi_retry_first_seconds": 1,
        "insi_again_seconds": 0.5,
        "insi_breaker_open_seconds": 5,
    }


def _report(layout: Layout) -> dict[str, object]:
    certificate, key = layout.pki.pair("service-report")
    return {
        "index_key": layout.keys.directory / "index-key",
        "intake_port": layout.ports["report.intake"],
        "intake_cert": certificate,
        "intake_key": key,
        "intake_ca": layout.pki.internal_ca,
        "intake_senders_file": layout.config / "intake-senders.json",
        "intake_poll_seconds": 0.25,
        "pfi_file": layout.config / "pfi.json",
        "pfi_port": layout.ports["report.receipts"],
        "pfi_cert": certificate,
        "pfi_key": key,
        "pfi_ca": layout.pki.igc_ca,
        "pfi_retry_first_seconds": 1,
        "pfi_probe_seconds": 1,
    }


def _mss(layout: Layout) -> dict[str, object]:
    certificate, key = layout.pki.pair("mss-client")
    return {
        "smtp_host": "localhost",
        "smtp_port": layout.ports["sim-mss.smtp"],
        "imap_host": "localhost",
        "imap_port": layout.ports["sim-mss.imap"],
        "operator_ca": layout.pki.igc_ca,
        "mss_cert": certificate,
        "mss_key": key,
        "operator_timeout_seconds": 5,
        "annuaire_url": f"https://localhost:{layout.ports['sim-annuaire']}/fhir/v2",
        "annuaire_key_file": layout.keys.directory / "annuaire-key",
        "annuaire_ca": layout.pki.igc_ca,
        "product_reference": "DEV000000",
        "recipient_domains": ["*.mssante.example"],
        "patient_domain": group.PATIENT_DOMAIN,
        "receipt_grace_seconds": 5,
        "receipt_poll_seconds": 1,
        "mss_first_retry_seconds": 1,
        "mss_query_seconds": 1,
        "mss_probe_seconds": 1,
    }


_OWN: dict[str, Callable[[Layout], dict[str, object]]] = {
    "psc-auth": _psc_auth,
    "ins": _ins,
    "report": _report,
    "dmp": _dmp,
    "mss": _mss,
}
