"""Signing keys, tokens, and the lies a fault script can ask for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

LIES = frozenset(
    {
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
    }
)
"""What can be wrong in a signed token, one kind of fault each."""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """RS256 keys of the realm: one signs, retired ones stay published until `forget`."""

    def __init__(self) -> None:
        self._serial = 0
        self._keys: list[RSAKey] = []
        self.rotate()

    def rotate(self) -> str:
        """Sign with a new key from now on; the previous one leaves the key set. Returns the new kid."""
        self._serial += 1
        kid = f"psc-double-{self._serial}"
        self._keys = [RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})]
        return kid

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [key.as_dict(private=False) for key in self._keys]}

    def sign(self, claims: Mapping[str, Any], typ: str = "JWT", lie: str | None = None) -> str:
        """A compact JWS, made wrong in the way `lie` says."""
        key = self._keys[0]
        wrong = _wrong_claims(dict(claims), lie)
        header: dict[str, Any] = {"alg": "RS256", "typ": typ, "kid": key.kid}
        if lie in ("alg_none", "alg_hs256"):
            return _unsafe(header, wrong, lie, key)
        if lie == "alg_ps256":
            free = RSAKey.import_key(key.as_pem(private=True))  # the same key, not reserved to RS256
            return jwt.encode(header | {"alg": "PS256"}, wrong, free, algorithms=["PS256"])
        if lie == "unknown_kid":
            header["kid"] = "psc-double-unknown"
        if lie in ("unknown_kid", "bad_signature"):
            key = RSAKey.generate_key(2048)
        return jwt.encode(header, wrong, key, algorithms=["RS256"])

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token this realm signed, expired or not; None for anything else."""
        for key in self._keys:
            try:
                return dict(jwt.decode(token, key, algorithms=["RS256"]).claims)
            except (JoseError, ValueError):
                continue
        return None


def half_hash(token: str) -> str:
    """`at_hash`: left half of the SHA-256 of an access token (OIDC Core §3.1.3.6)."""
    return _b64(hashlib.sha256(token.encode()).digest()[:16])


def _wrong_claims(claims: dict[str, Any], lie: str | None) -> dict[str, Any]:
    replaced: dict[str, dict[str, Any]] = {
        "wrong_nonce": {"nonce": "autre-nonce"},
        "wrong_iss": {"iss": "https://autre-fournisseur.example/realm"},
        "wrong_aud": {"aud": "autre-client"},
        "wrong_acr": {"acr": "0"},
        "expired": {"iat": claims["iat"] - 600, "exp": claims["iat"] - 480},
        "from_the_future": {"iat": claims["iat"] + 600, "exp": claims["iat"] + 720},
    }
    claims |= replaced.get(lie or "", {})
    if lie == "no_acr":
        claims.pop("acr", None)
    return claims


def _unsafe(header: dict[str, Any], claims: dict[str, Any], lie: str, key: RSAKey) -> str:
    """A token that no library agrees to write: unsigned, or HMAC keyed with the public key."""
    header["alg"] = "none" if lie == "alg_none" else "HS256"
    text = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
    if lie == "alg_none":
        return f"{text}."
    return f"{text}.{_b64(hmac.new(key.as_pem(private=False), text.encode(), hashlib.sha256).digest())}"
