"""Pro Santé Connect's double over real TLS: the way a login goes, and each thing it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import HttpServer, Request, Response, SimulatorConfig
from navette_sandbox.simulators.psc.clients import Client
from navette_sandbox.simulators.psc.professionals import DEFAULT_FILE, load
from navette_sandbox.simulators.psc.server import PscSimulator, subject_of
from navette_sandbox.simulators.psc.signing import LIES

RADIOLOGIST = "899700001003"
CALLBACK = "https://localhost:7443/auth/psc/callback"
SECRET = "un-secret-assez-long-pour-un-test"


class Clock:
    """Seconds since the epoch that a test moves."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A service (mutual TLS by default) in front of the double."""

    def __init__(self, simulator: PscSimulator, pki: Pki, clock: Clock) -> None:
        self.simulator = simulator
        self.pki = pki
        self.clock = clock
        self.base = simulator.base_url
        self.control = f"http://127.0.0.1:{simulator.control_port}"
        self.protocol = f"{self.base}/auth/realms/esante-wallet/protocol/openid-connect"
        self.verifier = secrets.token_urlsafe(48)

    def http(self, certificate: str | None = "psc-client") -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.pki.igc_ca))
        if certificate is not None:
            context.load_cert_chain(*self.pki.pair(certificate))
        return httpx.AsyncClient(verify=context, timeout=60)

    def parameters(self, **changes: str | None) -> dict[str, str]:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        values: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "navette",
            "redirect_uri": CALLBACK,
            "scope": "openid scope_all",
            "acr_values": "eidas1",
            "state": "etat-" + "s" * 22,
            "nonce": "nonce-" + "n" * 22,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | changes
        return {name: value for name, value in values.items() if value is not None}

    async def authorize(self, **changes: str | None) -> httpx.Response:
        async with self.http(None) as http:
            return await http.get(f"{self.base}/wallet/auth", params=self.parameters(**changes))

    async def script(self, path: str, **body: object) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            return await http.post(f"{self.control}{path}", json=body)

    async def code(self, subject: str = RADIOLOGIST, **changes: str | None) -> str:
        (await self.script("/approve-next", subject=subject)).raise_for_status()
        return answer_of(await self.authorize(**changes))["code"]

    async def post(self, endpoint: str, certificate: str | None = "psc-client", **form: str) -> httpx.Response:
        async with self.http(certificate) as http:
            return await http.post(f"{self.protocol}/{endpoint}", data=form)

    async def token(self, code: str, certificate: str | None = "psc-client", **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": "navette",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
        } | changes
        return await self.post("token", certificate, **form)

    async def login(self, subject: str = RADIOLOGIST) -> dict[str, Any]:
        answer = await self.token(await self.code(subject))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def userinfo(self, token: str) -> httpx.Response:
        async with self.http(None) as http:
            return await http.get(f"{self.protocol}/userinfo", headers={"authorization": f"Bearer {token}"})

    async def jwks(self) -> KeySet:
        async with self.http(None) as http:
            return KeySet.import_key_set((await http.get(f"{self.protocol}/certs")).json())

    def rules(self) -> list[str]:
        return [entry["detail"] for entry in self.simulator.refusals.entries]


def answer_of(response: httpx.Response) -> dict[str, str]:
    """The parameters of the redirect to the callback."""
    assert response.status_code == 302
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    return {name: values[0] for name, values in parse_qs(location.query).items()}


@pytest.fixture
async def told() -> AsyncIterator[tuple[HttpServer, list[Request]]]:
    """A service's back-channel logout endpoint."""
    received: list[Request] = []

    async def note(request: Request) -> Response:
        received.append(request)
        return Response(status=200)

    server = HttpServer(note)
    await server.start()
    yield server, received
    await server.stop()


@pytest.fixture
async def bench(pki: Pki, tmp_path: Path, told: tuple[HttpServer, list[Request]]) -> AsyncIterator[Bench]:
    dn = subject_of(pki.cert("psc-client").read_bytes())
    clients = [
        Client(
            client_id="navette",
            auth_method="tls_client_auth",
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=("https://localhost:7443/auth/psc/logged-out",),
            backchannel_logout_uri=f"http://127.0.0.1:{told[0].port}/auth/psc/backchannel-logout",
            subject_dn=dn,
        ),
        Client("ancien", "client_secret_basic", (CALLBACK,), client_secret=SECRET),
    ]
    clock = Clock()
    config = SimulatorConfig(pki=pki.directory, state=tmp_path)
    async with PscSimulator(config, clients, now=clock) as simulator:
        yield Bench(simulator, pki, clock)


async def test_discovery_is_at_the_path_of_the_wallet_only(bench: Bench) -> None:
    async with bench.http(None) as http:
        realm = f"{bench.base}/auth/realms/esante-wallet"
        document = (await http.get(f"{realm}/.well-known/wallet-openid-configuration")).json()
        usual = await http.get(f"{realm}/.well-known/openid-configuration")
    assert document["issuer"] == realm
    assert document["authorization_endpoint"] == f"{bench.base}/wallet/auth"
    assert usual.status_code == 404


async def test_a_login_gives_the_tokens_and_the_person(bench: Bench) -> None:
    tokens = await bench.login()
    assert (tokens["expires_in"], tokens["refresh_expires_in"], tokens["token_type"]) == (120, 1800, "Bearer")
    claims = jwt.decode(tokens["id_token"], await bench.jwks(), algorithms=["RS256"]).claims
    assert claims["iss"] == bench.simulator.issuer
    assert (claims["aud"], claims["nonce"], claims["acr"]) == ("navette", "nonce-" + "n" * 22, "eidas1")
    assert claims["exp"] - claims["iat"] == 120
    access = jwt.decode(tokens["access_token"], await bench.jwks(), algorithms=["RS256"]).claims
    assert "aud" not in access
    person = (await bench.userinfo(tokens["access_token"])).json()
    assert person["sub"] == claims["sub"]
    assert person["SubjectNameID"] == RADIOLOGIST
    activities = person["SubjectRefPro"]["exercices"][0]["activities"]
    assert [one["numeroFinessSite"] for one in activities] == ["990000010", "990000028", ""]


async def test_the_callback_carries_state_and_issuer(bench: Bench) -> None:
    await bench.script("/approve-next", subject=RADIOLOGIST)
    answer = answer_of(await bench.authorize())
    assert (answer["state"], answer["iss"]) == ("etat-" + "s" * 22, bench.simulator.issuer)


async def test_a_tester_chooses_a_person_on_a_french_page(bench: Bench) -> None:
    page = await bench.authorize()
    assert page.status_code == 200
    assert "RADIOLOGUE-FICTIF" in page.text
    handle = page.text.split('name="request" value="')[1].split('"')[0]
    async with bench.http(None) as http:
        form = {"request": handle, "subject": RADIOLOGIST}
        chosen = await http.post(f"{bench.base}/wallet/auth/decision", data=form)
        again = await http.post(f"{bench.base}/wallet/auth/decision", data=form)
    assert "code" in answer_of(chosen)
    assert again.status_code == 400


async def test_a_tester_who_cancels_sends_back_access_denied(bench: Bench) -> None:
    await bench.script("/approve-next", subject="")
    assert answer_of(await bench.authorize())["error"] == "access_denied"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "inconnu"},
        {"client_id": None},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": "https://localhost:7443/ailleurs"},
        {"redirect_uri": None},
    ],
)
async def test_nothing_is_sent_to_an_unregistered_address(bench: Bench, changes: dict[str, str | None]) -> None:
    answer = await bench.authorize(**changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "openid scope_all offline_access"}, "invalid_scope"),
        ({"acr_values": None}, "invalid_request"),
        ({"acr_values": "eidas2"}, "invalid_request"),
        ({"state": "court"}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"nonce": "court"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "court"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_a_request_that_breaks_a_rule_comes_back_with_its_error(
    bench: Bench, changes: dict[str, str | None], error: str
) -> None:
    answer = answer_of(await bench.authorize(**changes))
    assert answer["error"] == error
    assert "code" not in answer
    assert len(bench.rules()) == 1


async def test_a_parameter_given_twice_is_refused(bench: Bench) -> None:
    async with bench.http(None) as http:
        pairs = [*bench.parameters().items(), ("scope", "openid")]
        answer = await http.get(f"{bench.base}/wallet/auth", params=pairs)
    assert answer_of(answer)["error"] == "invalid_request"


async def test_a_code_serves_once_and_its_replay_ends_the_session(bench: Bench) -> None:
    code = await bench.code()
    tokens = (await bench.token(code)).json()
    replay = await bench.token(code)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert (await bench.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": "court"},
        {"redirect_uri": CALLBACK + "2"},
    ],
)
async def test_a_code_is_bound_to_its_request(bench: Bench, changes: dict[str, str]) -> None:
    answer = await bench.token(await bench.code(), **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_an_invented_code_is_refused(bench: Bench) -> None:
    assert (await bench.token("invente")).json()["error"] == "invalid_grant"


async def test_a_code_lives_one_minute(bench: Bench) -> None:
    code = await bench.code()
    bench.clock.now += 61
    assert (await bench.token(code)).json()["error"] == "invalid_grant"


async def test_a_code_of_another_service_is_refused(bench: Bench) -> None:
    code = await bench.code(client_id="ancien")
    assert (await bench.token(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("certificate", [None, "dmp-auth"])
async def test_the_certificate_of_the_service_is_asked_at_the_token_endpoint(
    bench: Bench, certificate: str | None
) -> None:
    answer = await bench.token(await bench.code(), certificate)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_certificate_of_an_unknown_authority_gets_no_connection(bench: Bench) -> None:
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        await bench.token(await bench.code(), "rogue-client")


@pytest.mark.parametrize("changes", [{"client_secret": SECRET}, {"client_id": "inconnu"}, {"client_id": "ancien"}])
async def test_a_service_uses_its_registered_method_only(bench: Bench, changes: dict[str, str]) -> None:
    assert (await bench.token(await bench.code(), **changes)).status_code == 401


async def test_a_secret_is_accepted_from_a_service_registered_with_one(bench: Bench) -> None:
    async def redeem(secret: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": await bench.code(client_id="ancien"),
            "redirect_uri": CALLBACK,
            "code_verifier": bench.verifier,
        }
        async with bench.http(None) as http:
            return await http.post(f"{bench.protocol}/token", data=form, auth=("ancien", secret))

    assert (await redeem(SECRET)).status_code == 200
    assert (await redeem(SECRET + "x")).json()["error"] == "invalid_client"


async def test_another_grant_body_or_method_is_refused(bench: Bench) -> None:
    assert (await bench.post("token", client_id="navette", grant_type="password")).json()["error"] == (
        "unsupported_grant_type"
    )
    async with bench.http() as http:
        as_json = await http.post(f"{bench.protocol}/token", json={"grant_type": "authorization_code"})
        as_get = await http.get(f"{bench.protocol}/token")
    assert (as_json.status_code, as_get.status_code) == (400, 405)


@pytest.mark.parametrize(
    "authorization",
    ["Bearer abc", "Basic ###", "Basic /w==", "Basic bmF2ZXR0ZTpzZWNyZXQ=", "Basic aW5jb25udTpzZWNyZXQ="],
)
async def test_credentials_in_another_form_are_refused(bench: Bench, authorization: str) -> None:
    form = {"grant_type": "authorization_code", "code": await bench.code(client_id="ancien")}
    async with bench.http(None) as http:
        answer = await http.post(f"{bench.protocol}/token", data=form, headers={"authorization": authorization})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "basic" in answer.headers["www-authenticate"].lower()


async def test_a_field_given_twice_is_refused(bench: Bench) -> None:
    async with bench.http() as http:
        answer = await http.post(
            f"{bench.protocol}/token",
            content=b"client_id=navette&grant_type=refresh_token&grant_type=refresh_token",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_choice_waits_ten_minutes(bench: Bench) -> None:
    page = await bench.authorize()
    handle = page.text.split('name="request" value="')[1].split('"')[0]
    bench.clock.now += 601
    async with bench.http(None) as http:
        late = await http.post(f"{bench.base}/wallet/auth/decision", data={"request": handle, "subject": RADIOLOGIST})
    assert late.status_code == 400


async def refresh(bench: Bench, token: str) -> httpx.Response:
    return await bench.post("token", client_id="navette", grant_type="refresh_token", refresh_token=token)


async def test_refresh_rotates_and_an_old_token_ends_everything(bench: Bench) -> None:
    first = await bench.login()
    second = (await refresh(bench, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await bench.userinfo(second["access_token"])).status_code == 200
    assert (await refresh(bench, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await refresh(bench, second["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await bench.userinfo(second["access_token"])).status_code == 401


async def test_the_session_ends_after_30_idle_minutes_and_after_4_hours(bench: Bench) -> None:
    tokens = await bench.login()
    bench.clock.now += 1801
    assert (await refresh(bench, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    tokens = await bench.login()
    for _ in range(8):
        bench.clock.now += 1799
        answer = await refresh(bench, tokens["refresh_token"])
        tokens = answer.json()
    bench.clock.now += 60
    assert (await refresh(bench, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_an_access_token_lives_two_minutes(bench: Bench) -> None:
    tokens = await bench.login()
    bench.clock.now += 121
    assert (await bench.userinfo(tokens["access_token"])).status_code == 401
    assert (await bench.userinfo(tokens["id_token"])).status_code == 401
    assert (await bench.userinfo("rien")).status_code == 401


async def introspect(bench: Bench, token: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await bench.post("token/introspect", client_id="navette", token=token)).json()
    return answer


async def test_introspection_names_the_person_for_an_access_token_only(bench: Bench) -> None:
    tokens = await bench.login()
    access = await introspect(bench, tokens["access_token"])
    assert (access["active"], access["SubjectNameID"], access["client_id"]) == (True, RADIOLOGIST, "navette")
    renewed = await introspect(bench, tokens["refresh_token"])
    assert renewed["active"] is True
    assert "SubjectNameID" not in renewed
    bench.clock.now += 121
    assert await introspect(bench, tokens["access_token"]) == {"active": False}
    assert await introspect(bench, "rien") == {"active": False}


async def test_introspection_and_revocation_ask_for_the_service_and_a_token(bench: Bench) -> None:
    for endpoint in ("token/introspect", "revoke"):
        assert (await bench.post(endpoint, None, client_id="navette", token="x")).status_code == 401
        assert (await bench.post(endpoint, client_id="navette")).json()["error"] == "invalid_request"


async def test_revoking_the_refresh_token_ends_the_session(bench: Bench) -> None:
    tokens = await bench.login()
    assert (await bench.post("revoke", client_id="navette", token=tokens["refresh_token"])).status_code == 200
    assert (await bench.userinfo(tokens["access_token"])).status_code == 401


async def test_revoking_an_access_token_leaves_the_session(bench: Bench) -> None:
    tokens = await bench.login()
    await bench.post("revoke", client_id="navette", token=tokens["access_token"])
    assert (await bench.userinfo(tokens["access_token"])).status_code == 401
    assert (await refresh(bench, tokens["refresh_token"])).status_code == 200


async def test_logout_returns_to_a_registered_address_and_tells_the_service(
    bench: Bench, told: tuple[HttpServer, list[Request]]
) -> None:
    tokens = await bench.login()
    async with bench.http(None) as http:
        query = {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": "https://localhost:7443/auth/psc/logged-out",
            "state": "e1",
        }
        elsewhere = await http.get(
            f"{bench.protocol}/logout", params=query | {"post_logout_redirect_uri": "https://ailleurs.example/"}
        )
        forged = await http.get(f"{bench.protocol}/logout", params=query | {"id_token_hint": "x.y.z"})
        answer = await http.get(f"{bench.protocol}/logout", params=query)
    assert (elsewhere.status_code, forged.status_code) == (400, 400)
    assert answer.headers["location"] == "https://localhost:7443/auth/psc/logged-out?state=e1"
    assert (await bench.userinfo(tokens["access_token"])).status_code == 401
    token = parse_qs(told[1][0].body.decode())["logout_token"][0]
    decoded = jwt.decode(token, await bench.jwks(), algorithms=["RS256"])
    assert decoded.header["typ"] == "logout+jwt"
    assert decoded.claims["sid"] == tokens["session_state"]
    assert "http://schemas.openid.net/event/backchannel-logout" in decoded.claims["events"]
    assert "nonce" not in decoded.claims


async def test_the_provider_can_end_a_session_by_itself(bench: Bench, told: tuple[HttpServer, list[Request]]) -> None:
    tokens = await bench.login()
    ended = await bench.script("/logout", subject=RADIOLOGIST)
    assert ended.json()["ended"] == 1
    assert len(told[1]) == 1
    assert (await bench.userinfo(tokens["access_token"])).status_code == 401
    async with httpx.AsyncClient() as http:
        sessions = (await http.get(f"{bench.control}/state/sessions")).json()
    assert [one["ended"] for one in sessions] == ["ended at the provider"]


def believable(token: str, keys: KeySet, bench: Bench) -> bool:
    """Whether a careful service would believe the ID token."""
    try:
        claims = jwt.decode(token, keys, algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        return False
    expected = {"iss": bench.simulator.issuer, "aud": "navette", "nonce": "nonce-" + "n" * 22, "acr": "eidas1"}
    right = all(claims.get(name) == value for name, value in expected.items())
    return right and claims["iat"] <= bench.clock.now < claims["exp"]


@pytest.mark.parametrize("lie", sorted(LIES))
async def test_each_lie_spoils_one_id_token(bench: Bench, lie: str) -> None:
    await bench.script("/faults", kind=lie, target="token", count=1)
    keys = await bench.jwks()
    assert not believable((await bench.login())["id_token"], keys, bench)
    assert believable((await bench.login())["id_token"], keys, bench)


async def test_an_hs256_token_is_keyed_with_the_public_key(bench: Bench) -> None:
    await bench.script("/faults", kind="alg_hs256", target="token", count=1)
    header = (await bench.login())["id_token"].split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "HS256"


async def test_the_other_lies(bench: Bench) -> None:
    await bench.script("/faults", kind="no_id_token", count=1)
    tokens = await bench.login()
    assert "id_token" not in tokens
    await bench.script("/faults", kind="other_sub", count=1)
    assert (await bench.userinfo(tokens["access_token"])).json()["SubjectNameID"] != RADIOLOGIST
    await bench.script("/faults", kind="wrong_callback_iss", count=1)
    await bench.script("/approve-next", subject=RADIOLOGIST)
    assert answer_of(await bench.authorize())["iss"] != bench.simulator.issuer
    await bench.script("/faults", kind="no_callback_iss", count=1)
    await bench.script("/approve-next", subject=RADIOLOGIST)
    assert "iss" not in answer_of(await bench.authorize())


async def test_keys_rotate(bench: Bench) -> None:
    old = await bench.jwks()
    await bench.script("/rotate-keys")
    tokens = await bench.login()
    assert not believable(tokens["id_token"], old, bench)
    assert believable(tokens["id_token"], await bench.jwks(), bench)


async def test_down_and_failing(bench: Bench) -> None:
    await bench.script("/faults", kind="http_error", target="token", status=503, count=1)
    assert (await bench.token(await bench.code())).status_code == 503
    await bench.script("/faults", kind="down", seconds=60)
    with pytest.raises(httpx.TransportError):
        await bench.authorize()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/approve-next", {"subject": "899700000000"}),
        ("/clients", {"client_id": "x", "auth_method": "private_key_jwt", "redirect_uris": [CALLBACK]}),
        ("/clients", {"client_id": "x", "auth_method": "tls_client_auth", "redirect_uris": [CALLBACK]}),
        ("/clients", {"client_id": "x", "auth_method": "client_secret_basic", "redirect_uris": [CALLBACK]}),
        ("/clients", {"client_id": "x", "auth_method": "tls_client_auth"}),
        ("/clients", {"surprise": 1}),
    ],
)
async def test_the_control_port_says_what_it_does_not_understand(
    bench: Bench, path: str, body: dict[str, object]
) -> None:
    assert (await bench.script(path, **body)).status_code == 400


async def test_a_service_registers_on_the_control_port(bench: Bench) -> None:
    row = {
        "client_id": "nouveau",
        "auth_method": "tls_client_auth",
        "redirect_uris": [CALLBACK],
        "subject_dn": "CN=autre",
    }
    assert (await bench.script("/clients", **row)).status_code == 200
    assert await bench.code(client_id="nouveau")


def test_the_people_cover_the_shapes_a_service_has_to_read() -> None:
    people = load(DEFAULT_FILE)
    shown = {number: person.userinfo() for number, person in people.items()}
    radiologists = [
        number
        for number, claims in shown.items()
        if any(one["codeSavoirFaire"] == "SM44" for one in claims.get("SubjectRefPro", {}).get("exercices", []))
    ]
    assert len(radiologists) >= 3
    assert shown["899700001045"]["SubjectRole"] == []
    assert shown["899700001037"]["SubjectRole"] == ["98^1.2.250.1.213.1.1.5.5"]
    assert "SubjectRefPro" not in shown["899700001078"]
    assert "otherIDs" in shown["899700001078"]
    assert shown["899700001086"]["codeCivilite"] == "MME"
    assert "ANS20260101000001" in shown


def test_an_rpps_with_a_wrong_check_digit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    file.write_text(DEFAULT_FILE.read_text(encoding="utf-8").replace(RADIOLOGIST, "899700001004"), encoding="utf-8")
    with pytest.raises(ValueError, match="check digit"):
        load(file)
