"""`python -m navette_psc_auth serve` against the Pro Santé Connect double: two processes, mutual TLS, real sockets."""

import json
import os
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from navette_sandbox.keys import create_keys
from navette_sandbox.ports import free_ports, is_listening
from navette_sandbox.processes import Child

RADIOLOGIST = "899700001003"
CLIENT = "navette-sandbox"
ACCOUNTS = [
    {"rpps": "99700001003", "name": "Alix", "roles": [{"site_id": "site-a", "role": "radiologist"}]},
    {"rpps": "99700001045", "name": "Edith", "roles": [{"site_id": "site-a", "role": "secretary"}]},
]


@dataclass
class Platform:
    """The two processes and how to reach them."""

    url: str
    control: str
    trust: ssl.SSLContext
    service: Child
    certificate: Path
    key: Path

    def tell(self, path: str, **body: Any) -> Any:
        answer = httpx.post(self.control + path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def state(self, path: str) -> Any:
        return httpx.get(f"{self.control}/state/{path}").json()


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, pki: Any, kafka_broker: Any, mongo_server: Any
) -> Iterator[Platform]:
    directory = tmp_path_factory.mktemp("psc-platform")
    kafka_broker.create_topics(["access.recorded"])
    keys = create_keys(directory / "keys", ["dmp"])
    (directory / "accounts.json").write_text(json.dumps(ACCOUNTS))
    own = directory / "client"
    own.mkdir()
    for suffix in ("pem", "key"):
        (own / f"psc-client.{suffix}").write_bytes((pki.directory / f"psc-client.{suffix}").read_bytes())
    http, main, control = free_ports(3)
    url = f"https://localhost:{http}"
    double = [
        sys.executable,
        "-m",
        "navette_sandbox.simulators.psc",
        "--port",
        str(main),
        "--control-port",
        str(control),
    ]
    double += ["--pki", str(pki.directory), "--state", str(directory / "state"), "--client-id", CLIENT]
    double += ["--redirect-uri", f"{url}/auth/psc/callback", "--post-logout-redirect-uri", f"{url}/auth/psc/logged-out"]
    double += ["--backchannel-logout-uri", f"{url}/auth/backchannel-logout"]
    settings = {
        # The embedded broker speaks no TLS and knows no idempotent producer: the rest is as in production.
        "environment": "development",
        "kafka_idempotent": str(kafka_broker.idempotent).lower(),
        "kafka_bootstrap": kafka_broker.bootstrap,
        "mongo_uri": mongo_server.uri,
        "mongo_database": "psc_auth_double",
        "http_host": "127.0.0.1",
        "http_port": http,
        "http_cert": pki.directory / "service-psc-auth.pem",
        "http_key": pki.directory / "service-psc-auth.key",
        "internal_ca": pki.directory / "internal-ca.pem",
        "psc_auth_url": url,
        "public_url": url,
        "psc_issuer": f"https://127.0.0.1:{main}/auth/realms/esante-wallet",
        "psc_client_id": CLIENT,
        "psc_client_cert": own / "psc-client.pem",
        "psc_client_key": own / "psc-client.key",
        "psc_ca": pki.directory / "igc-ca.pem",
        "keyring": keys.keyring,
        "signing_keys": keys.signing_keys,
        "service_keys": keys.service_keys,
        "accounts_file": directory / "accounts.json",
    }
    environment = {**os.environ, **{f"NAVETTE_{name.upper()}": str(value) for name, value in settings.items()}}
    trust = ssl.create_default_context(cafile=str(pki.directory / "internal-ca.pem"))
    trust.load_verify_locations(str(pki.directory / "igc-ca.pem"))

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", verify=trust).status_code == 200
        except httpx.TransportError:
            return False

    provider = Child("psc", double, log=directory / "psc.log", ready=lambda: is_listening(main))
    service = Child(
        "psc-auth",
        [sys.executable, "-m", "navette_psc_auth", "serve"],
        log=directory / "psc-auth.log",
        ready=ready,
        env=environment,
        start_seconds=90,
    )
    try:
        provider.start()
        service.start()
        yield Platform(
            url, f"http://127.0.0.1:{control}", trust, service, own / "psc-client.pem", own / "psc-client.key"
        )
    finally:
        service.stop()
        provider.stop()


@pytest.fixture
def browser(platform: Platform) -> Iterator[httpx.Client]:
    httpx.delete(f"{platform.control}/faults")
    with httpx.Client(base_url=platform.url, verify=platform.trust, timeout=60) as client:
        yield client


def log_in(platform: Platform, browser: httpx.Client, subject: str = RADIOLOGIST) -> httpx.Response:
    platform.tell("/approve-next", subject=subject)
    answer = browser.get("/auth/psc/login")
    while answer.is_redirect and "/api/" not in answer.headers["location"]:
        answer = browser.send(answer.next_request)  # type: ignore[arg-type]  # a redirect has a next request
    return answer


@pytest.mark.dsr("RIS.PSC.01")
def test_a_radiologist_logs_in_through_the_wallet_and_mutual_tls(platform: Platform, browser: httpx.Client) -> None:
    answer = log_in(platform, browser)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/api/report/pages/journey"
    session = browser.get("/auth/session").json()
    assert session["rpps"] == "99700001003"
    assert session["grants"] == [{"site_id": "site-a", "role": "radiologist"}]


def test_a_secretary_known_by_role_only_logs_in(platform: Platform, browser: httpx.Client) -> None:
    log_in(platform, browser, "899700001045")
    assert browser.get("/auth/session").json()["grants"] == [{"site_id": "site-a", "role": "secretary"}]


@pytest.mark.parametrize("subject", ["899700001052", "899700001060", "899700001078", "ANS20260101000001"])
def test_people_without_account_or_role_are_told_so(platform: Platform, browser: httpx.Client, subject: str) -> None:
    answer = log_in(platform, browser, subject)
    assert answer.status_code == 403
    assert browser.get("/auth/session").status_code == 401


def test_somebody_who_gives_up_comes_back_to_a_kind_page(platform: Platform, browser: httpx.Client) -> None:
    answer = log_in(platform, browser, "")
    assert answer.status_code == 401
    assert "annulé" in answer.text


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        *(
            ("token", lie)
            for lie in (
                "wrong_nonce",
                "wrong_iss",
                "wrong_aud",
                "wrong_acr",
                "no_acr",
                "expired",
                "from_the_future",
                "alg_none",
                "alg_hs256",
                "alg_ps256",
                "bad_signature",
                "unknown_kid",
                "no_id_token",
            )
        ),
        ("userinfo", "other_sub"),
        ("authorization", "wrong_callback_iss"),
        ("authorization", "no_callback_iss"),
    ],
)
def test_a_provider_that_lies_is_not_believed(
    platform: Platform, browser: httpx.Client, target: str, kind: str
) -> None:
    platform.tell("/faults", target=target, kind=kind, count=1)
    answer = log_in(platform, browser)
    assert answer.status_code == 401, answer.text
    assert browser.get("/auth/session").status_code == 401


def test_the_double_had_nothing_to_refuse_in_our_requests(platform: Platform, browser: httpx.Client) -> None:
    before = platform.state("refusals")
    log_in(platform, browser)
    assert platform.state("refusals") == before


@pytest.mark.dsr("RIS.PSC.01")
def test_logging_out_ends_the_session_at_the_provider_too(platform: Platform, browser: httpx.Client) -> None:
    log_in(platform, browser)
    csrf = browser.get("/auth/session").json()["csrf_token"]
    redirect = browser.post("/auth/logout", headers={"X-CSRF-Token": csrf}).json()["redirect"]
    page = browser.get(redirect, follow_redirects=True)
    assert page.status_code == 200, page.text
    assert "déconnecté" in page.text
    assert browser.get("/auth/session").status_code == 401
    assert platform.state("sessions")[-1]["ended"]


def test_a_logout_at_the_provider_ends_our_session(platform: Platform, browser: httpx.Client) -> None:
    log_in(platform, browser)
    sid = platform.state("sessions")[-1]["sid"]
    told = platform.tell("/logout", sid=sid)
    assert told["ended"] == 1
    assert browser.get("/auth/session").status_code == 401


@pytest.mark.parametrize("lie", ["wrong_iss", "wrong_aud", "wrong_nonce", "alg_none", "bad_signature", "expired"])
def test_a_false_logout_order_ends_nothing(platform: Platform, browser: httpx.Client, lie: str) -> None:
    log_in(platform, browser)
    platform.tell("/faults", target="logout", kind=lie, count=1)
    platform.tell("/logout", sid=platform.state("sessions")[-1]["sid"])
    assert browser.get("/auth/session").status_code == 200


def test_a_provider_that_is_down_is_told_in_french_and_comes_back(platform: Platform, browser: httpx.Client) -> None:
    platform.tell("/faults", target="token", kind="http_error", status=503, count=1)
    assert log_in(platform, browser).status_code == 503
    assert log_in(platform, browser).status_code == 303


def test_a_session_survives_the_end_of_the_process(platform: Platform, browser: httpx.Client) -> None:
    log_in(platform, browser)
    platform.service.kill()
    platform.service.start()
    assert browser.get("/auth/session").status_code == 200


def test_the_client_certificate_is_read_again_when_it_changes(
    platform: Platform, pki: Any, browser: httpx.Client
) -> None:
    own = platform.certificate.read_bytes(), platform.key.read_bytes()
    try:
        platform.certificate.write_bytes((pki.directory / "dmp-auth.pem").read_bytes())
        platform.key.write_bytes((pki.directory / "dmp-auth.key").read_bytes())
        answers = [log_in(platform, browser)]
        while answers[-1].status_code == 303 and len(answers) < 100:
            answers.append(log_in(platform, browser))
        # A certificate of the same authority that is registered for nobody: the provider refuses us.
        assert answers[-1].status_code == 401
    finally:
        platform.certificate.write_bytes(own[0])
        platform.key.write_bytes(own[1])
    answers = [log_in(platform, browser)]
    while answers[-1].status_code != 303 and len(answers) < 100:
        answers.append(log_in(platform, browser))
    assert answers[-1].status_code == 303


def test_the_process_ends_well_when_asked(platform: Platform) -> None:
    platform.service.stop()
    assert platform.service.exit_code == 0
    log = platform.service.log.read_text()
    for secret in ("eyJ", "code_verifier", "code=", "RADIOLOGUE"):
        assert secret not in log
    platform.service.start()
