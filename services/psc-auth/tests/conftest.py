"""A small OpenID provider of our own (joserfc, not Authlib), a service behind the gateway, and psc-auth itself."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import httpx
import pytest
import pytest_asyncio
import uvicorn
from aiokafka import AIOKafkaConsumer, TopicPartition
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from navette_chassis import Service
from navette_chassis.testing import running
from navette_psc_auth.app import create_service
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.load_accounts import load_accounts, read_accounts
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

CLIENT_ID = "navette-test"
CLIENT_SECRET = "secret-du-client-de-test"
PUBLIC_URL = "https://navette.test"
RPPS = "99700001003"
REALM = "/auth/realms/esante-wallet"

RADIOLOGIST: dict[str, Any] = {
    "sub": f"f:00000000-0000-4000-8000-000000000001:8{RPPS}",
    "SubjectNameID": f"8{RPPS}",
    "given_name": "ALIX",
    "family_name": "RADIOLOGUE-FICTIF",
    "authMode": "MOBILE",
    "SubjectRefPro": {
        "exercices": [
            {
                "codeProfession": "10",
                "codeCategorieProfessionnelle": "C",
                "nomDexercice": "RADIOLOGUE-FICTIF",
                "prenomDexercice": "ALIX",
                "codeSavoirFaire": "SM44",
                "activities": [{"codeRole": "", "numeroFinessSite": "990000010"}],
            }
        ]
    },
}

ACCOUNTS = [
    {
        "rpps": RPPS,
        "name": "Alix RADIOLOGUE-FICTIF",
        "roles": [
            {"site_id": "site-a", "role": "radiologist"},
            {"site_id": "site-a", "role": "operator"},
            {"site_id": "site-b", "role": "radiologist"},
        ],
    },
    {
        "rpps": "99700001037",
        "name": "Didier MANIPULATEUR-FICTIF",
        "roles": [{"site_id": "site-a", "role": "radiologist"}],
    },
]


def encode_part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class OidcProvider:
    """Enough of OpenID Connect for a login, and a handle on every answer so that a test can make it wrong."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    person: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(RADIOLOGIST)))
    change_claims: Callable[[dict[str, Any]], None] = lambda _claims: None
    change_answer: Callable[[dict[str, Any]], None] = lambda _answer: None
    change_userinfo: Callable[[dict[str, Any]], Any] = lambda userinfo: userinfo
    change_discovery: Callable[[dict[str, Any]], None] = lambda _document: None
    sign: Callable[["OidcProvider", dict[str, Any]], str] | None = None
    userinfo_type: str = "application/json"
    userinfo_status: int = 200
    broken: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refresh_answer: tuple[int, dict[str, Any]] | None = None
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget everything but the address and the key."""
        fresh = OidcProvider(self.issuer, self.key)
        vars(self).update(vars(fresh))

    def token(self, claims: dict[str, Any], typ: str = "JWT") -> str:
        header = {"alg": "RS256", "kid": self.key.kid, "typ": typ}
        return jwt.encode(header, claims, self.key, algorithms=["RS256"])

    def approve(self, authorization_url: str) -> dict[str, str]:
        """What the wallet would send to the callback."""
        asked = dict(parse_qsl(urlsplit(authorization_url).query))
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer, "session_state": "sid-1"}

    def claims(self, nonce: str, access_token: str) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "azp": CLIENT_ID,
            "sub": self.person["sub"],
            "iat": now,
            "exp": now + 120,
            "auth_time": now,
            "nonce": nonce,
            "acr": "eidas1",
            "sid": "sid-1",
            "at_hash": encode_part(hashlib.sha256(access_token.encode()).digest()[:16]),
        }

    def routes(self) -> list[Route]:
        protocol = f"{REALM}/protocol/openid-connect"
        return [
            Route(f"{REALM}/.well-known/wallet-openid-configuration", self._discovery),
            Route(f"{protocol}/token", self._token, methods=["POST"]),
            Route(f"{protocol}/userinfo", self._userinfo),
            Route(f"{protocol}/certs", self._certs),
            Route(f"{protocol}/revoke", self._revoke, methods=["POST"]),
        ]

    async def _discovery(self, _request: Request) -> Response:
        if "discovery" in self.broken:
            return JSONResponse({}, 503)
        protocol = self.issuer + "/protocol/openid-connect"
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer.replace(REALM, "/wallet/auth"),
            "token_endpoint": f"{protocol}/token",
            "userinfo_endpoint": f"{protocol}/userinfo",
            "jwks_uri": f"{protocol}/certs",
            "end_session_endpoint": f"{protocol}/logout",
            "revocation_endpoint": f"{protocol}/revoke",
            "code_challenge_methods_supported": ["plain", "S256"],
            "id_token_signing_alg_values_supported": ["PS256", "RS256", "HS256"],
            "token_endpoint_auth_methods_supported": ["tls_client_auth", "client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.change_discovery(document)
        return JSONResponse(document)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.requests.append(form.get("grant_type", ""))
        if "token" in self.broken:
            return JSONResponse({}, 503)
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        expected = f"{CLIENT_ID}:{CLIENT_SECRET}"
        if scheme != "Basic" or unquote_plus(base64.b64decode(credentials).decode()) != expected:
            return JSONResponse({"error": "invalid_client"}, 401)
        if form.get("grant_type") == "refresh_token":
            assert self.refresh_answer is not None
            return JSONResponse(self.refresh_answer[1], self.refresh_answer[0])
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = encode_part(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant", "error_description": "CANARI"}, 400)
        claims = self.claims(asked["nonce"], "access-1")
        self.change_claims(claims)
        answer: dict[str, Any] = {
            "access_token": "access-1",
            "refresh_token": "refresh-1",
            "token_type": "Bearer",
            "expires_in": 120,
            "id_token": self.sign(self, claims) if self.sign else self.token(claims),
        }
        self.change_answer(answer)
        return JSONResponse(answer)

    async def _userinfo(self, request: Request) -> Response:
        if "userinfo" in self.broken:
            return JSONResponse({}, 503)
        assert request.headers["authorization"] == "Bearer access-1"
        body = json.dumps(self.change_userinfo(dict(self.person)))
        return Response(body, self.userinfo_status, media_type=self.userinfo_type)

    async def _certs(self, _request: Request) -> Response:
        self.requests.append("certs")
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _revoke(self, request: Request) -> Response:
        if "revoke" in self.broken:
            return JSONResponse({}, 503)
        self.revoked.append(dict(parse_qsl((await request.body()).decode()))["token"])
        return Response()


def unsigned(_provider: OidcProvider, claims: dict[str, Any]) -> str:
    header = {"alg": "none", "kid": "k1"}
    return ".".join((encode_part(json.dumps(header).encode()), encode_part(json.dumps(claims).encode()), ""))


def signed_with_public_key(provider: OidcProvider, claims: dict[str, Any]) -> str:
    """HS256 keyed with the provider's public key: the classic confusion of algorithms."""
    header = {"alg": "HS256", "kid": "k1"}
    text = ".".join(encode_part(json.dumps(part).encode()) for part in (header, claims))
    secret = provider.key.as_pem(private=False)
    return f"{text}.{encode_part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def signed_with_another_key(provider: OidcProvider, claims: dict[str, Any]) -> str:
    other = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, other, algorithms=["RS256"])


def signed_ps256(provider: OidcProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "PS256", "kid": provider.key.kid}, claims, provider.key, algorithms=["PS256"])


def signed_by_unknown_kid(provider: OidcProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k9"}, claims, provider.key, algorithms=["RS256"])


def signed_without_kid(provider: OidcProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256"}, claims, provider.key, algorithms=["RS256"])


def signed_with_crit(provider: OidcProvider, claims: dict[str, Any]) -> str:
    token = provider.token(claims).split(".")
    header = {"alg": "RS256", "kid": "k1", "crit": ["b64"], "b64": True}
    return ".".join((encode_part(json.dumps(header).encode()), *token[1:]))


SIGNERS = {
    one.__name__: one
    for one in (
        unsigned,
        signed_with_public_key,
        signed_with_another_key,
        signed_ps256,
        signed_by_unknown_kid,
        signed_without_kid,
        signed_with_crit,
    )
}


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(
    make_app: Callable[[int], Starlette], *, cert: Path | None = None, key: Path | None = None
) -> AsyncIterator[int]:
    """Serve an application on a free port of the loopback; gives the port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            make_app(port), log_config=None, lifespan="off", ssl_certfile=cert, ssl_keyfile=key, access_log=False
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.01)
        yield port
        server.should_exit = True
        server.force_exit = True
        await task


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_provider(pki: Any) -> AsyncIterator[OidcProvider]:
    made: list[OidcProvider] = []

    def app(port: int) -> Starlette:
        made.append(OidcProvider(f"https://127.0.0.1:{port}{REALM}"))
        return Starlette(routes=made[0].routes())

    async with served(app, cert=pki.directory / "psc-server.pem", key=pki.directory / "psc-server.key"):
        yield made[0]


@dataclass
class Upstream:
    """A service behind the gateway that remembers what reached it."""

    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        body = await request.body()
        self.seen.append(
            {
                "method": request.method,
                "target": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "headers": dict(request.headers),
                "body": body,
            }
        )
        path = request.url.path
        if path == "/events":
            return StreamingResponse(self._events(), media_type="text/event-stream")
        if path == "/created":
            return Response(status_code=201, headers={"Location": "/reports/1", "Set-Cookie": "evil=1", "X-Own": "1"})
        if path == "/away":
            return Response(status_code=303, headers={"Location": "https://evil.test/"})
        if path == "/silent":
            await asyncio.sleep(3600)
        if path == "/big":
            return StreamingResponse(self._big(), media_type="application/pdf")
        return PlainTextResponse("bonjour", headers={"ETag": '"1"'})

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"data: un\n\n"
        await asyncio.sleep(3600)

    async def _big(self) -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    async with served(lambda _port: Starlette(routes=[Route("/{path:path}", made.handle, methods=methods)])) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@dataclass
class Files:
    """The mounted files of one psc-auth."""

    directory: Path
    service_key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "dmp-1"}))

    def write(self, name: str, document: Any) -> Path:
        path = self.directory / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    def signing_keys(self, *kids: str, current: str) -> Path:
        keys = [ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=True) for kid in kids]
        return self.write("signing-keys.json", {"current": current, "keys": keys})


def make_files(directory: Path) -> Files:
    made = Files(directory)
    seal = OctKey.generate_key(256, {"kid": "s1", "alg": "A256GCM"}).as_dict(private=True)
    made.write("keyring.json", {"current": "s1", "keys": [seal]})
    made.write("client-secret", CLIENT_SECRET + "\n")
    made.write("accounts.json", ACCOUNTS)
    made.write("service-keys.json", {"services": {"dmp": {"keys": [made.service_key.as_dict(private=False)]}}})
    made.signing_keys("i1", current="i1")
    return made


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files the shared psc-auth reads."""
    return make_files(tmp_path_factory.mktemp("psc-auth"))


@pytest.fixture
def own_files(tmp_path: Path) -> Files:
    """Files a test may change."""
    return make_files(tmp_path)


MakeSettings = Callable[..., PscAuthSettings]


@pytest.fixture(scope="session")
def base_settings(
    files: Files,
    shared_provider: OidcProvider,
    shared_upstream: Upstream,
    pki: Any,
    kafka_broker: Any,
    mongo_server: Any,
) -> MakeSettings:
    kafka_broker.create_topics(["access.recorded"])

    def make(**changes: Any) -> PscAuthSettings:
        values: dict[str, Any] = {
            "environment": "development",
            "kafka_bootstrap": kafka_broker.bootstrap,
            "kafka_idempotent": kafka_broker.idempotent,
            "mongo_uri": mongo_server.uri,
            "psc_auth_url": "https://psc-auth.test",
            "public_url": PUBLIC_URL,
            "keyring": files.directory / "keyring.json",
            "psc_issuer": shared_provider.issuer,
            "psc_client_id": CLIENT_ID,
            "psc_auth_method": "client_secret_basic",
            "psc_client_secret_file": files.directory / "client-secret",
            "psc_ca": pki.directory / "igc-ca.pem",
            "signing_keys": files.directory / "signing-keys.json",
            "service_keys": files.directory / "service-keys.json",
            "accounts_file": files.directory / "accounts.json",
            "upstreams": {"report": shared_upstream.url, "ins": "http://127.0.0.1:9"},
        }
        return PscAuthSettings(**{**values, **changes})

    return make


@pytest.fixture
def make_settings(base_settings: MakeSettings, mongo_database: str) -> MakeSettings:
    """Settings of a psc-auth of one's own, with its own database."""
    return lambda **changes: base_settings(**{"mongo_database": mongo_database, **changes})


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_psc_auth(base_settings: MakeSettings) -> AsyncIterator[Service]:
    async with running(create_service(base_settings(mongo_database="psc_auth_shared"))) as service:
        yield service


@pytest.fixture
def provider(shared_provider: OidcProvider) -> OidcProvider:
    """The provider, honest again."""
    shared_provider.reset()
    return shared_provider


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    shared_upstream.seen.clear()
    return shared_upstream


@pytest_asyncio.fixture(loop_scope="session")
async def psc_auth(shared_psc_auth: Service, files: Files, provider: OidcProvider, upstream: Upstream) -> Service:
    """The shared psc-auth (starting one takes longer than most tests), as after its start."""
    for collection in ("logins", "sessions", "used_ids", "accounts"):
        await shared_psc_auth.database[collection].delete_many({})
    await shared_psc_auth.transact(load_accounts, read_accounts(files.directory / "accounts.json"))
    return shared_psc_auth


@dataclass
class Browser:
    """A browser with its cookies, against one psc-auth."""

    http: httpx.AsyncClient
    provider: OidcProvider
    csrf: str = ""

    async def begin(self, **parameters: str) -> str:
        answer = await self.http.get("/auth/psc/login", params=parameters)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def callback(self, parameters: dict[str, str]) -> httpx.Response:
        return await self.http.get("/auth/psc/callback", params=parameters)

    async def log_in(self, **parameters: str) -> httpx.Response:
        answer = await self.callback(self.provider.approve(await self.begin(**parameters)))
        if answer.status_code == 303:
            self.csrf = (await self.http.get("/auth/session")).json()["csrf_token"]
        return answer

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.post(path, headers={"X-CSRF-Token": self.csrf}, **options)


def browser_of(service: Service, provider: OidcProvider) -> Browser:
    transport = httpx.ASGITransport(app=service.asgi, raise_app_exceptions=False)
    return Browser(httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL), provider)


@pytest_asyncio.fixture(loop_scope="session")
async def browser(psc_auth: Service, provider: OidcProvider) -> AsyncIterator[Browser]:
    made = browser_of(psc_auth, provider)
    async with made.http:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def new_browser(psc_auth: Service, provider: OidcProvider) -> AsyncIterator[Callable[[], Browser]]:
    async with contextlib.AsyncExitStack() as stack:

        def make() -> Browser:
            made = browser_of(psc_auth, provider)
            stack.push_async_callback(made.http.aclose)
            return made

        yield make


Visit = Callable[..., contextlib.AbstractAsyncContextManager[Browser]]


@pytest.fixture
def visit(make_settings: MakeSettings, provider: OidcProvider) -> Visit:
    """A psc-auth with changed settings behind a real socket, and a browser that is logged in there."""

    @contextlib.asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[Browser]:
        async with running(create_service(make_settings(**changes))) as service:
            at_home = browser_of(service, provider)
            async with at_home.http, served(lambda _port: service.asgi) as port:
                await at_home.log_in()
                # A jar would keep the cookie from a plain-text socket, which is right and not the point here.
                cookie = f"__Host-sid={at_home.http.cookies['__Host-sid']}"
                base = f"http://127.0.0.1:{port}"
                async with httpx.AsyncClient(base_url=base, headers={"Cookie": cookie}) as http:
                    yield Browser(http, provider, at_home.csrf)

    return opened


Expect = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="session")
async def audit(kafka_broker: Any) -> AsyncIterator[Expect]:
    """Waits for an audit line with an action, among those published since the test began."""
    kafka_broker.create_topics(["access.recorded"])
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_broker.bootstrap)
    await consumer.start()
    partition = TopicPartition("access.recorded", 0)
    consumer.assign([partition])
    await consumer.seek_to_end(partition)
    await consumer.position(partition)
    lines: list[dict[str, Any]] = []

    async def expect(action: str, **fields: str) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + 60
        wanted = {"action": action, **fields}.items()
        while True:
            for line in lines:
                if wanted <= line.items():
                    return line
            assert asyncio.get_running_loop().time() < deadline, [line["action"] for line in lines]
            for records in (await consumer.getmany(timeout_ms=200)).values():
                lines.extend(json.loads(record.value) for record in records)

    yield expect
    await consumer.stop()


@pytest.fixture
def signers() -> dict[str, Callable[[OidcProvider, dict[str, Any]], str]]:
    return dict(SIGNERS)


@pytest.fixture
def new_login(provider: OidcProvider) -> Callable[[Browser], Any]:
    """Log in again in a browser of `visit`, whose socket is plain text: the login cookie is carried by hand."""

    async def again(browser: Browser) -> httpx.Response:
        begun = await browser.http.get("/auth/psc/login", headers={"Cookie": ""})
        cookie = begun.headers["set-cookie"].split(";")[0]
        parameters = provider.approve(begun.headers["location"])
        return await browser.http.get("/auth/psc/callback", params=parameters, headers={"Cookie": cookie})

    return again
