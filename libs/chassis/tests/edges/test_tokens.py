"""Internal tokens: what is accepted, and each forgery that is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import ManualClock
from navette_chassis.auth.guard import TokenRefusedError
from navette_chassis.auth.jwks import FRESH, MIN_INTERVAL, STALE, JwksCache
from navette_chassis.auth.tokens import TokenVerifier

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Issuer:
    """A psc-auth in miniature: its keys, its key set, how often it was asked."""

    def __init__(self) -> None:
        self.key = self.new_key("k1")
        self.published = [self.key]
        self.asked = 0
        self.down = False
        self.seconds = 0.0

    @staticmethod
    def new_key(kid: str) -> ECKey:
        return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})

    async def fetch(self) -> Any:
        self.asked += 1
        if self.down:
            raise httpx.ConnectError("down")
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        at = int(NOW.timestamp())
        claims: dict[str, Any] = {
            "iss": "navette-psc-auth",
            "aud": "dmp",
            "sub": "user-1",
            "kind": "user",
            "rpps": "99700000001",
            "roles": ["radiologist"],
            "sites": ["site-1"],
            "iat": at,
            "exp": at + 120,
            "jti": "j1",
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, key: Any = None, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        key = key or self.key
        return jwt.encode(
            {"alg": "ES256", "kid": key.kid} | (header or {}),
            self.claims(**changes),
            key,
        )


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def verifier(issuer: Issuer) -> TokenVerifier:
    cache = JwksCache(issuer.fetch, monotonic=lambda: issuer.seconds)
    return TokenVerifier(audience="dmp", jwks=cache, clock=ManualClock(NOW))


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(TokenRefusedError) as refused:
        await verifier.verify(token)
    return refused.value.code


async def test_a_token_of_psc_auth_for_this_service_speaks_for_its_bearer(issuer, verifier):
    principal = await verifier.verify(issuer.token(name="Dr Test", skills=["SM28"]))
    assert (principal.subject, principal.kind, principal.rpps) == ("user-1", "user", "99700000001")
    assert principal.roles == {"radiologist"}
    assert principal.skills == ("SM28",)
    assert principal.may_act_for("site-1")
    assert not principal.may_act_for("site-2")
    assert "Dr Test" not in repr(principal)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "mss"}, "audience_wrong"),
        ({"aud": ["dmp", "mss"]}, "claims_invalid"),
        ({"iss": "someone"}, "issuer_wrong"),
        ({"iat": int(NOW.timestamp()) - 200, "exp": int(NOW.timestamp()) - 80}, "token_expired"),
        ({"iat": int(NOW.timestamp()) + 60, "exp": int(NOW.timestamp()) + 120}, "token_not_yet_valid"),
        ({"nbf": int(NOW.timestamp()) + 60}, "token_not_yet_valid"),
        ({"exp": int(NOW.timestamp()) + 3600}, "token_lives_too_long"),
        ({"exp": None}, "claims_invalid"),
        ({"iat": None}, "claims_invalid"),
        ({"jti": None}, "claims_invalid"),
        ({"kind": "robot"}, "claims_invalid"),
        ({"rpps": "123"}, "claims_invalid"),
        ({"roles": "radiologist"}, "claims_invalid"),
    ],
)
async def test_wrong_claims_are_refused(issuer, verifier, changes, code):
    assert await refusal(verifier, issuer.token(**changes)) == code


async def test_a_token_signed_by_another_key_under_a_known_id_is_refused(issuer, verifier):
    assert await refusal(verifier, issuer.token(Issuer.new_key("k1"))) == "signature_invalid"


async def test_a_changed_payload_is_refused(issuer, verifier):
    head, _, signature = issuer.token().split(".")
    forged = base64.urlsafe_b64encode(json.dumps(issuer.claims(roles=["administrator"])).encode()).rstrip(b"=")
    assert await refusal(verifier, f"{head}.{forged.decode()}.{signature}") == "signature_invalid"


def part(value: bytes | dict[str, Any]) -> str:
    encoded = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


async def test_algorithm_none_is_refused(issuer, verifier):
    for algorithm in ("none", "None", "NONE", ""):
        token = f"{part({'alg': algorithm, 'kid': 'k1'})}.{part(issuer.claims())}."
        assert await refusal(verifier, token) == "algorithm_refused"


async def test_the_public_key_used_as_a_shared_secret_is_refused(issuer, verifier):
    signed = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(issuer.claims())}"
    public_key = issuer.key.as_pem(private=False)
    mac = hmac.new(public_key, signed.encode(), hashlib.sha256).digest()
    assert await refusal(verifier, f"{signed}.{part(mac)}") == "algorithm_refused"


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "..", "W10.e30.x", "x" * 9000 + "..", "é.é.é"])
async def test_what_is_no_token_is_refused(verifier, token):
    assert await refusal(verifier, token) in {"token_malformed", "algorithm_refused"}


async def test_an_unknown_key_id_is_refused_and_cannot_be_used_to_load_psc_auth(issuer, verifier):
    await verifier.verify(issuer.token())
    issuer.seconds += MIN_INTERVAL
    for number in range(20):
        assert await refusal(verifier, issuer.token(Issuer.new_key(f"invented-{number}"))) == "kid_unknown"
    assert issuer.asked == 2


async def test_a_rotated_key_is_accepted_at_once_and_a_withdrawn_one_no_longer(issuer, verifier):
    old = issuer.key
    await verifier.verify(issuer.token(old))
    issuer.key = Issuer.new_key("k2")
    issuer.published = [old, issuer.key]
    issuer.seconds += MIN_INTERVAL
    await verifier.verify(issuer.token())
    await verifier.verify(issuer.token(old))
    issuer.published = [issuer.key]
    issuer.seconds += FRESH
    assert await refusal(verifier, issuer.token(old)) == "kid_unknown"
    assert issuer.asked == 3, "known keys are cached"


async def test_known_keys_outlast_a_short_absence_of_psc_auth_but_not_a_long_one(issuer, verifier):
    await verifier.verify(issuer.token())
    issuer.down = True
    issuer.seconds += FRESH + 1
    await verifier.verify(issuer.token())
    issuer.seconds += STALE
    assert await refusal(verifier, issuer.token()) == "jwks_unavailable"


async def test_a_key_set_that_leaks_a_private_key_is_not_used(verifier, issuer):
    async def fetch() -> Any:
        return {"keys": [issuer.key.as_dict(private=True)]}

    strict = TokenVerifier(audience="dmp", jwks=JwksCache(fetch, monotonic=time.monotonic), clock=ManualClock(NOW))
    assert await refusal(strict, issuer.token()) == "jwks_unavailable"
