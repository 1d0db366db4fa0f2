"""Internal tokens: services get them by proving who they are, once; forged or expired ones open nothing."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENDPOINT = "https://psc-auth.test/internal/tokens"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def assertion(key: ECKey, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": "dmp", "sub": "dmp", "aud": ENDPOINT, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
    changed = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": "dmp-1", **(header or {})}, changed, key, algorithms=["ES256"])


async def ask(browser: Any, token: str, audience: str = "report", **more: str) -> Any:
    form = {"client_assertion": token, "client_assertion_type": TYPE, "audience": audience, **more}
    return await browser.http.post("/internal/tokens", data=form)


async def test_a_service_gets_a_token_for_a_service_it_may_call(browser: Any, files: Any) -> None:
    answer = await ask(browser, assertion(files.service_key), grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] <= 120
    keys = KeySet.import_key_set((await browser.http.get("/.well-known/jwks.json")).json())
    token = jwt.decode(body["access_token"], keys, algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert token.claims["sub"] == "dmp"
    assert token.claims["kind"] == "service"
    assert token.claims["aud"] == "report"
    assert token.claims["roles"] == []
    assert token.claims["rpps"] is None


async def test_an_assertion_works_once_even_when_sent_twice_at_the_same_time(browser: Any, files: Any) -> None:
    token = assertion(files.service_key)
    answers = await asyncio.gather(*(ask(browser, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    again = await ask(browser, token)
    assert again.json()["type"] == "urn:navette:problem:assertion-replayed"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        pytest.param({"iss": "mss"}, "subject", id="another issuer"),
        pytest.param({"sub": "mss"}, "subject", id="another subject"),
        pytest.param({"aud": "https://elsewhere.test/internal/tokens"}, "audience", id="another audience"),
        pytest.param({"aud": [ENDPOINT]}, "audience", id="a list of audiences"),
        pytest.param({"exp": 1, "iat": 0}, "expired", id="expired"),
        pytest.param({"exp": None}, "expired", id="no expiry"),
        pytest.param({"exp": int(time.time()) + 3600}, "lifetime", id="lives too long"),
        pytest.param({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3660}, "lifetime", id="future"),
        pytest.param({"jti": None}, "jti", id="no id"),
        pytest.param({"jti": "1"}, "jti", id="short id"),
    ],
)
async def test_an_assertion_with_a_wrong_claim_is_refused(
    browser: Any, files: Any, changes: dict[str, Any], check: str
) -> None:
    answer = await ask(browser, assertion(files.service_key, **changes))
    assert answer.status_code == 401
    assert answer.json()["type"] == f"urn:navette:problem:assertion-{check}"


async def test_an_assertion_signed_by_somebody_else_is_refused(browser: Any) -> None:
    answer = await ask(browser, assertion(ECKey.generate_key("P-256")))
    assert answer.json()["type"] == "urn:navette:problem:assertion-signature"


async def test_an_assertion_by_an_unknown_key_is_refused(browser: Any, files: Any) -> None:
    answer = await ask(browser, assertion(files.service_key, {"kid": "dmp-9"}))
    assert answer.json()["type"] == "urn:navette:problem:assertion-unknown-key"


async def test_an_assertion_with_a_shared_secret_in_place_of_a_signature_is_refused(browser: Any, files: Any) -> None:
    public = files.service_key.as_pem(private=False)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "dmp-1"}).encode()).rstrip(b"=")
    rest = assertion(files.service_key).split(".")[1].encode()
    mac = base64.urlsafe_b64encode(hmac.new(public, head + b"." + rest, hashlib.sha256).digest()).rstrip(b"=")
    answer = await ask(browser, b".".join((head, rest, mac)).decode())
    assert answer.json()["type"] == "urn:navette:problem:assertion-algorithm"


@pytest.mark.parametrize("token", ["x", "a.b.c", "W10.e30.x", "x" * 4000])
async def test_what_is_no_assertion_is_refused(browser: Any, token: str) -> None:
    answer = await ask(browser, token)
    assert answer.status_code == 401


async def test_a_service_gets_no_token_for_a_service_it_may_not_call(browser: Any, files: Any) -> None:
    answer = await ask(browser, assertion(files.service_key), audience="ins")
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:navette:problem:assertion-audience-not-allowed"


async def test_another_grant_is_refused(browser: Any, files: Any) -> None:
    answer = await ask(browser, assertion(files.service_key), grant_type="password")
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [b"", b"audience=report", b"\xff"])
async def test_a_malformed_request_is_refused(browser: Any, body: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await browser.http.post("/internal/tokens", content=body, headers=form)).status_code == 422


async def test_a_json_body_is_refused(browser: Any) -> None:
    assert (await browser.http.post("/internal/tokens", json={"audience": "report"})).status_code == 415


async def test_the_published_keys_have_no_private_part(browser: Any) -> None:
    keys = (await browser.http.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in keys] == ["i1"]
    assert all("d" not in key and key["alg"] == "ES256" for key in keys)
