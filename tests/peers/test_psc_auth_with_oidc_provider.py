"""psc-auth against `oidc-provider`, a certified OpenID provider: our own double must not flatter us."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.secantus import MongoServer
from navette_sandbox.keys import create_keys
from navette_sandbox.pki import Pki
from navette_sandbox.ports import free_ports, is_listening
from navette_sandbox.processes import Child
from navette_sandbox.simulators.psc import professionals

pytestmark = pytest.mark.peers

HERE = Path(__file__).parent / "oidc_provider"
PEOPLE = Path(professionals.__file__).parent.parent / "data" / "professionals.json"
SUBJECT = "899700001003"


@dataclass
class Peer:
    url: str
    trust: ssl.SSLContext
    log: Path


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider, installed from its lock file into a folder of this run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: no oidc-provider to meet")
    directory = tmp_path_factory.mktemp("oidc-provider")
    for path in (*HERE.glob("*.json"), *HERE.glob("*.mjs")):
        shutil.copy(path, directory)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, check=False, timeout=150)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install oidc-provider in time: no registry within reach")
    if done.returncode:
        pytest.skip("npm could not install oidc-provider: no registry within reach")
    return directory


@pytest.fixture(scope="module")
def peer(
    node_modules: Path, pki: Pki, kafka_broker: EmbeddedBroker, mongo_server: MongoServer, tmp_path_factory: Any
) -> Iterator[Peer]:
    directory = tmp_path_factory.mktemp("psc-peer")
    kafka_broker.create_topics(["access.recorded"])
    keys = create_keys(directory / "keys", ["dmp"])
    roles = [{"site_id": "site-a", "role": "radiologist"}]
    (directory / "accounts.json").write_text(json.dumps([{"rpps": SUBJECT[1:], "name": "Alix", "roles": roles}]))
    main, http = free_ports(2)
    url, issuer = f"https://localhost:{http}", f"https://localhost:{main}"
    (directory / "provider.json").write_text(json.dumps(_provider(pki, issuer, main, url)))
    settings = {
        "environment": "development",
        "kafka_idempotent": str(kafka_broker.idempotent).lower(),
        "kafka_bootstrap": kafka_broker.bootstrap,
        "mongo_uri": mongo_server.uri,
        "mongo_database": "psc_auth_peer",
        "http_host": "127.0.0.1",
        "http_port": http,
        "http_cert": pki.cert("service-psc-auth"),
        "http_key": pki.key("service-psc-auth"),
        "internal_ca": pki.internal_ca,
        "psc_auth_url": url,
        "public_url": url,
        "psc_issuer": issuer,
        "psc_discovery_path": "/.well-known/openid-configuration",
        "psc_client_id": "navette-peer",
        "psc_client_cert": pki.cert("psc-client"),
        "psc_client_key": pki.key("psc-client"),
        "psc_ca": pki.igc_ca,
        "keyring": keys.keyring,
        "signing_keys": keys.signing_keys,
        "service_keys": keys.service_keys,
        "accounts_file": directory / "accounts.json",
    }
    trust = ssl.create_default_context(cafile=str(pki.internal_ca))
    trust.load_verify_locations(str(pki.igc_ca))
    provider = Child(
        "oidc-provider",
        [str(shutil.which("node")), str(node_modules / "server.mjs"), str(directory / "provider.json")],
        log=directory / "provider.log",
        ready=lambda: is_listening(main),
        env=dict(os.environ),
    )

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", verify=trust).status_code == 200
        except httpx.TransportError:
            return False

    service = Child(
        "psc-auth",
        [sys.executable, "-m", "navette_psc_auth", "serve"],
        log=directory / "psc-auth.log",
        ready=ready,
        env={**os.environ, **{f"NAVETTE_{name.upper()}": str(value) for name, value in settings.items()}},
    )
    try:
        provider.start()
        service.start()
        yield Peer(url, trust, directory / "psc-auth.log")
    finally:
        service.stop()
        provider.stop()


def _provider(pki: Pki, issuer: str, port: int, url: str) -> dict[str, Any]:
    person = professionals.load(PEOPLE)[SUBJECT]
    claims = {name: value for name, value in person.userinfo().items() if name != "sub"}
    certificate = x509.load_pem_x509_certificate(pki.cert("psc-client").read_bytes())
    # Node writes a subject as one attribute a line, in the order of the certificate.
    subject = "\n".join(reversed(certificate.subject.rfc4514_string().split(",")))
    return {
        "issuer": issuer,
        "port": port,
        "client_id": "navette-peer",
        "client_subject": subject,
        "redirect_uri": f"{url}/auth/psc/callback",
        "post_logout_redirect_uri": f"{url}/auth/psc/logged-out",
        "account": "peer-account-1",
        "claims": claims,
        "certificate": str(pki.cert("psc-server")),
        "key": str(pki.key("psc-server")),
        "authorities": str(pki.igc_ca),
    }


def log_in(peer: Peer, browser: httpx.Client) -> httpx.Response:
    answer = browser.get("/auth/psc/login")
    while answer.is_redirect and "/api/" not in answer.headers["location"]:
        answer = browser.send(answer.next_request)  # type: ignore[arg-type]  # a redirect has a next request
    return answer


@pytest.mark.dsr("RIS.PSC.01")
def test_a_radiologist_logs_in_through_a_provider_nobody_here_wrote(peer: Peer) -> None:
    with httpx.Client(base_url=peer.url, verify=peer.trust, timeout=60) as browser:
        answer = log_in(peer, browser)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/api/report/pages/journey")
        session = browser.get("/auth/session").json()
    assert session["rpps"] == SUBJECT[1:]
    assert session["grants"] == [{"site_id": "site-a", "role": "radiologist"}]


def test_a_code_of_that_provider_works_once(peer: Peer) -> None:
    with httpx.Client(base_url=peer.url, verify=peer.trust, timeout=60) as browser:
        answer = browser.get("/auth/psc/login")
        while "/auth/psc/callback" not in str(answer.url):
            answer = browser.send(answer.next_request)  # type: ignore[arg-type]  # a redirect has a next request
        again = browser.get(str(answer.url))
    assert answer.status_code == 303
    assert again.status_code >= 400
